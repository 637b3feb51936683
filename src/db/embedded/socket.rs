//! The folder of the server's socket: private, and with a path short enough for one.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::EmbeddedError;
use super::error::Doing;
use super::privilege::RunAs;

/// The name of the socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
/// A socket's path has 107 bytes on Linux and 103 on macOS.
const LONGEST: usize = 103;

/// Makes the folder, in our own if the path allows it.
pub(super) fn prepare(root: &Path, temp_dir: &Path, run_as: &RunAs) -> Result<PathBuf, EmbeddedError> {
    let ours = root.join("run");
    let dir = if fits(&ours) {
        ours
    } else {
        let mut hasher = DefaultHasher::new();
        root.hash(&mut hasher);
        let temp_dir = temp_dir.canonicalize().doing("finding", temp_dir)?;
        temp_dir.join(format!("parlor-{:016x}", hasher.finish()))
    };
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).doing("making", &dir);
        }
        _ => {}
    }
    // In the temp dir anyone could have made it first, or put a link in its place.
    let found = fs::symlink_metadata(&dir).doing("looking at", &dir)?;
    let us = rustix::process::geteuid().as_raw();
    if !found.is_dir() || ![us, run_as.owner().uid].contains(&found.uid()) {
        return Err(EmbeddedError::Socket { dir });
    }
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).doing("closing", &dir)?;
    run_as.give(&dir)?;
    Ok(dir)
}

/// Whether a socket in this folder has a path that is short enough and plain:
/// the setting is a list, and clients split hosts at commas.
fn fits(dir: &Path) -> bool {
    let bytes = dir.as_os_str().as_bytes();
    bytes.len() + 1 + SOCKET.len() <= LONGEST && bytes.iter().all(|byte| plain(*byte) || *byte == b'/')
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~+@".contains(&byte)
}

/// A path as the host of a URL.
pub(super) fn percent_encode(path: &Path) -> String {
    let bytes = AsRef::<OsStr>::as_ref(path).as_bytes();
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{fits, percent_encode};

    #[test]
    fn long_and_odd_paths_do_not_fit() {
        assert!(fits(Path::new("/srv/parlor/.parlor/postgres/run")));
        assert!(!fits(Path::new("/srv/a,b/run")));
        assert!(!fits(Path::new(&format!("/{}", "long/".repeat(18)))));
    }

    #[test]
    fn a_path_becomes_a_host() {
        assert_eq!(percent_encode(Path::new("/a b/c")), "%2Fa%20b%2Fc");
    }
}
