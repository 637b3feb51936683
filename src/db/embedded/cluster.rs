//! Making the data directory: all of it beside the final place, then one rename.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::error::Doing;
use super::locate::Binaries;
use super::privilege::RunAs;
use super::{EmbeddedError, NAME, Options, server};

/// What initdb says about a locale the machine has not got.
const UNKNOWN_LOCALE: &str = "invalid locale name";
/// Order is by code point everywhere, but letters must be letters: with the plain
/// C locale, `lower` and pg_trgm know ASCII only.
const LETTERS: &[&str] = &["C.UTF-8", "en_US.UTF-8", "C"];

/// The major version of the cluster in a data directory, if there is one.
pub(super) fn major(data: &Path) -> Result<Option<u32>, EmbeddedError> {
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => Err(not_a_cluster(data)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing("reading", &path),
    }
}

/// Makes our folder. The server's user must get through it, nobody needs to list it.
pub(super) fn make_home(root: &Path) -> Result<PathBuf, EmbeddedError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(root)
        .doing("making", root)?;
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(root, Permissions::from_mode(0o711)).doing("opening up", root)?;
    }
    root.canonicalize().doing("finding", root)
}

/// Sees to it that there is a whole cluster and that the server's user owns it.
pub(super) fn ensure(options: &Options, binaries: &Binaries, run_as: &RunAs, root: &Path) -> Result<(), EmbeddedError> {
    let data = root.join("data");
    if major(&data)?.is_some() {
        return run_as.give(&data);
    }
    if data.read_dir().is_ok_and(|mut found| found.next().is_some()) {
        return Err(not_a_cluster(&data));
    }
    let side = root.join("data.new");
    let made = init(options, binaries, run_as, &side);
    if made.is_err() {
        remove(&side)?;
    }
    made?;
    fs::rename(&side, &data).doing("putting in place", &data)?;
    // A rename lost in a power cut would take all that was written since with it.
    File::open(root)
        .and_then(|folder| folder.sync_all())
        .doing("syncing", root)
}

fn init(options: &Options, binaries: &Binaries, run_as: &RunAs, side: &Path) -> Result<(), EmbeddedError> {
    let mut complaint = String::new();
    for letters in LETTERS {
        remove(side)?;
        DirBuilder::new().mode(0o700).create(side).doing("making", side)?;
        run_as.give(side)?;
        let mut initdb = run_as.command(&binaries.program("initdb"));
        initdb
            .arg("-D")
            .arg(side)
            .args(["-U", NAME, "-E", "UTF8", "--locale=C"])
            .arg(format!("--lc-ctype={letters}"))
            // Only who may enter the socket's folder gets this far.
            .args(["--auth-local=trust", "--auth-host=reject"])
            .current_dir(side);
        if options.durable {
            initdb.arg("--data-checksums");
        } else {
            initdb.arg("--no-sync");
        }
        let output = run(initdb, "")?;
        if output.status.success() {
            return create_database(options, binaries, run_as, side);
        }
        complaint = said(&output);
        if !complaint.contains(UNKNOWN_LOCALE) {
            break;
        }
    }
    Err(EmbeddedError::InitDb { output: complaint })
}

/// Part of making the cluster, so that none is ever seen without its database.
fn create_database(options: &Options, binaries: &Binaries, run_as: &RunAs, side: &Path) -> Result<(), EmbeddedError> {
    let mut single = run_as.command(&binaries.program("postgres"));
    single
        .arg("--single")
        .arg("-D")
        .arg(side)
        .args(["-c", "exit_on_error=on"])
        .current_dir(side);
    if !options.durable {
        single.args(["-c", "fsync=off"]);
    }
    single.arg("postgres");
    let output = run(single, &format!("CREATE DATABASE {NAME};\n"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::InitDb { output: said(&output) })
}

fn run(mut command: Command, input: &str) -> Result<Output, EmbeddedError> {
    let program = PathBuf::from(command.get_program());
    server::die_with_us(&mut command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing("running", &program)?;
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(input.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        return Err(error).doing("writing to", &program);
    }
    child.wait_with_output().doing("waiting for", &program)
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let text = if err.is_empty() { out } else { err };
    String::from_utf8_lossy(text).trim().to_owned()
}

fn remove(side: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_dir_all(side) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).doing("removing", side),
        _ => Ok(()),
    }
}

fn not_a_cluster(data: &Path) -> EmbeddedError {
    EmbeddedError::NotACluster {
        data: data.to_path_buf(),
    }
}
