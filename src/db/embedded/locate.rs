//! Which PostgreSQL to run: the one asked for, else the newest on the machine,
//! else one fetched before. A cluster can only be run by its own major version.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{EmbeddedError, Options, fetch, in_path, is_program};

/// The oldest major version we run on.
pub(super) const OLDEST: u32 = 14;

/// Folders of installations; a star stands for one name.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// A folder with `postgres` and `initdb`, and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
    minor: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Asks the binaries in a folder for their version.
    pub(super) fn read(dir: &Path) -> Result<Self, String> {
        // Debian links `postgres` into other folders without `initdb` beside it.
        let dir = match dir.join("postgres").canonicalize() {
            Ok(postgres) => postgres.parent().map_or_else(|| dir.to_path_buf(), Path::to_path_buf),
            Err(_) => return Err("it has no `postgres`".to_owned()),
        };
        for name in ["postgres", "initdb"] {
            if !is_program(&dir.join(name)) {
                return Err(format!("it has no `{name}`"));
            }
        }
        let output = Command::new(dir.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("its `postgres` does not run: {error}"))?;
        let words = String::from_utf8_lossy(&output.stdout);
        let Some((major, minor)) = version(&words) else {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "its `postgres --version` says {:?}",
                format!("{words}{complaint}").trim()
            ));
        };
        if major < OLDEST {
            return Err(format!("it is PostgreSQL {major}, older than {OLDEST}"));
        }
        Ok(Self { dir, major, minor })
    }
}

/// The binaries to run, of this major version if a cluster needs it.
/// Nothing means that fetching some is worth a try.
pub(super) fn locate(options: &Options, fetched: &Path, major: Option<u32>) -> Result<Option<Binaries>, EmbeddedError> {
    if let Some(dir) = &options.bin_dir {
        let wrong = |reason| EmbeddedError::BinDir {
            dir: dir.clone(),
            reason,
        };
        let binaries = Binaries::read(dir).map_err(wrong)?;
        return match major {
            Some(major) if major != binaries.major => Err(wrong(format!(
                "it is PostgreSQL {}, and the data was made by PostgreSQL {major}",
                binaries.major
            ))),
            _ => Ok(Some(binaries)),
        };
    }
    let mut found = if options.installed {
        installed(options)
    } else {
        Vec::new()
    };
    // Installed ones come first: the distribution keeps them patched.
    found.extend(Binaries::read(&fetch::bin_dir(fetched)).ok());
    let Some(major) = major else {
        return Ok(found.into_iter().next());
    };
    let other = found
        .iter()
        .map(|binaries| format!("PostgreSQL {} in {}", binaries.major, binaries.dir.display()))
        .collect::<Vec<_>>();
    match found.into_iter().find(|found| found.major == major) {
        Some(binaries) => Ok(Some(binaries)),
        None if major == fetch::MAJOR => Ok(None),
        None => Err(EmbeddedError::VersionMissing {
            data: options.data_dir.join("postgres/data"),
            major,
            found: if other.is_empty() {
                "there is none at all".to_owned()
            } else {
                format!("there is {}", other.join(", "))
            },
        }),
    }
}

/// Everything on the machine, newest first.
fn installed(options: &Options) -> Vec<Binaries> {
    let in_path_dirs = options.path.iter().flat_map(std::env::split_paths);
    let dirs: BTreeSet<PathBuf> = in_path_dirs
        .chain(PLACES.iter().flat_map(|pattern| expand(pattern)))
        .chain(pg_config(options))
        .filter_map(|dir| dir.join("postgres").canonicalize().ok())
        .collect();
    let mut found: Vec<Binaries> = dirs
        .iter()
        .filter_map(|postgres| Binaries::read(postgres.parent()?).ok())
        .collect();
    found.sort_by_key(|binaries| std::cmp::Reverse((binaries.major, binaries.minor)));
    found
}

fn pg_config(options: &Options) -> Option<PathBuf> {
    let output = Command::new(in_path(options, "pg_config")?)
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(dir.trim()))
}

/// The folders a pattern with one star stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = Path::new(parent).read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

/// `postgres (PostgreSQL) 17.2 (Debian 17.2-1)` is 17 and 2; a beta is minor 0.
fn version(words: &str) -> Option<(u32, u32)> {
    let (_, rest) = words.split_once("(PostgreSQL) ")?;
    let number = rest.split_whitespace().next()?;
    let digits = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    let major = digits(number)?;
    let minor = number.split_once('.').and_then(|(_, minor)| digits(minor));
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some((15, 14))
        );
        assert_eq!(version("postgres (PostgreSQL) 18beta1"), Some((18, 0)));
        assert_eq!(version("bash: not found"), None);
    }
}
