//! As whom the server runs. PostgreSQL refuses root, so a root process becomes
//! `postgres` or `nobody`, or hides in a user namespace where it is not root.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::Doing;
use super::{EmbeddedError, Options, in_path, locate::Binaries};

/// Where users are listed.
const PASSWD: &str = "/etc/passwd";

/// Who runs the server and owns its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    /// We are an ordinary user.
    Ourselves,
    /// We are root and this user can do it.
    User(User),
    /// We are root outside and look like this user inside.
    Namespace { unshare: PathBuf, inside: User },
}

/// A user and their group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    gid: u32,
}

impl RunAs {
    /// A command that runs the program as that user, in a clean environment.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => Command::new(program),
            Self::User(user) => {
                let mut command = Command::new(program);
                command.uid(user.uid).gid(user.gid);
                command
            }
            Self::Namespace { unshare, inside } => {
                let mut command = Command::new(unshare);
                command
                    .arg("--user")
                    .arg(format!("--map-user={}", inside.uid))
                    .arg(format!("--map-group={}", inside.gid))
                    .arg("--")
                    .arg(program);
                command
            }
        };
        // Stray PG… variables would change what is started; on macOS a server
        // without LC_ALL dies of "became multithreaded during startup".
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// Who owns the server's files, seen from here.
    pub(super) fn owner(&self) -> User {
        match self {
            Self::User(user) => *user,
            Self::Ourselves | Self::Namespace { .. } => User {
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
            },
        }
    }

    /// Gives a folder and all in it to the server, if it is not its own already.
    pub(super) fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        let owner = self.owner();
        let found = fs::symlink_metadata(path).doing("looking at", path)?;
        if found.uid() == owner.uid {
            return Ok(());
        }
        self.give_all(path)
    }

    /// The folder itself last: its owner says that all below it is done.
    fn give_all(&self, path: &Path) -> Result<(), EmbeddedError> {
        let owner = self.owner();
        let found = fs::symlink_metadata(path).doing("looking at", path)?;
        if found.is_dir() {
            for entry in fs::read_dir(path).doing("reading", path)? {
                self.give_all(&entry.doing("reading", path)?.path())?;
            }
        }
        lchown(path, Some(owner.uid), Some(owner.gid)).doing("changing the owner of", path)
    }

    /// Whether the binaries run as that user with the folder within reach.
    fn reaches(&self, binaries: &Binaries, dir: &Path) -> bool {
        // The folder is entered after the user has changed, so this is the real test.
        self.command(&binaries.program("postgres"))
            .arg("--version")
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
            && self.enters(dir)
    }

    /// `unshare` enters the folder as root; inside its namespace it may be closed.
    fn enters(&self, dir: &Path) -> bool {
        match self {
            Self::Ourselves | Self::User(_) => true,
            Self::Namespace { .. } => self
                .command(Path::new("/bin/sh"))
                .args(["-c", "cd \"$0\""])
                .arg(dir)
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
}

/// Picks who runs the server: whoever did so before, if that still works.
pub(super) fn choose(options: &Options, binaries: &Binaries, root: &Path) -> Result<RunAs, EmbeddedError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(RunAs::Ourselves);
    }
    let before = fs::metadata(root.join("data"))
        .ok()
        .filter(|data| data.uid() != 0)
        .map(|data| User {
            uid: data.uid(),
            gid: data.gid(),
        });
    let passwd = fs::read_to_string(PASSWD).unwrap_or_default();
    let postgres = user(&passwd, "postgres");
    let nobody = user(&passwd, "nobody");
    let namespace = in_path(options, "unshare")
        .zip(nobody.or(postgres))
        .map(|(unshare, inside)| RunAs::Namespace { unshare, inside });
    [before, postgres, nobody]
        .into_iter()
        .flatten()
        .map(RunAs::User)
        .chain(namespace)
        .find(|run_as| run_as.reaches(binaries, root))
        .ok_or_else(|| EmbeddedError::Root {
            dir: root.to_path_buf(),
        })
}

/// A user's line in the password file. initdb insists on having one.
fn user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::{User, user};

    #[test]
    fn users_are_found_by_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:a,b:/var:/bin/sh\n";
        assert_eq!(user(passwd, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(user(passwd, "root"), None);
        assert_eq!(user(passwd, "nobody"), None);
    }
}
