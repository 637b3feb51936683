//! Builds the GraphiQL page that the binary carries.
//!
//! With Node.js at hand, `web/` is copied to cargo's output directory, its locked packages are
//! installed and bundled there, and the source tree stays as it was. Without it, or with
//! `PARLOR_SKIP_WEB=1`, the page of `web/fallback` is embedded, which loads GraphiQL from a CDN.
//! Only a change under `web/` (the demo page apart) runs this again.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: [&str; 6] = [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "build.mjs",
    "graphiql",
    "fallback",
];

fn main() -> io::Result<()> {
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PARLOR_SKIP_WEB");
    for source in SOURCES {
        println!("cargo::rerun-if-changed=web/{source}");
    }

    let built = if env::var_os("PARLOR_SKIP_WEB").is_some_and(|value| value == "1") {
        Err("PARLOR_SKIP_WEB is set".to_owned())
    } else {
        bundle(&home.join("web"), &out)
    };
    let (page, from_cdn) = match built {
        Ok(page) => (page, false),
        Err(reason) => {
            println!(
                "cargo::warning=GraphiQL is not bundled ({reason}): its page will load from a CDN. \
                 With Node.js 20 or newer and npm installed, `touch build.rs` and build again."
            );
            (fallback(&home.join("web"), &out)?, true)
        }
    };
    fs::write(out.join("graphiql.rs"), table(&page, from_cdn)?)
}

/// Installs and bundles the page in a copy of `web`, and answers where it lies.
fn bundle(web: &Path, out: &Path) -> Result<PathBuf, String> {
    let copy = out.join("web");
    let page = out.join("graphiql");
    let place = || -> io::Result<()> {
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        SOURCES
            .iter()
            .try_for_each(|source| copy_tree(&web.join(source), &copy.join(source)))
    };
    place().map_err(|error| format!("web/ cannot be copied: {error}"))?;

    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    // Nothing here needs an install script, and a machine without network must not wait for long.
    let install = "ci --prefer-offline --ignore-scripts --no-audit --no-fund --no-progress \
                   --omit=dev --include=optional --fetch-retries=1 --fetch-timeout=30000";
    run(Command::new(npm).args(install.split_whitespace()).current_dir(&copy))?;
    run(Command::new("node").arg("build.mjs").arg(&page).current_dir(&copy))?;
    // 200 MB that the next run would install anew anyway.
    if let Err(error) = fs::remove_dir_all(copy.join("node_modules")) {
        println!(
            "cargo::warning=npm's packages stay behind in {}: {error}",
            copy.display()
        );
    }
    Ok(page)
}

/// Lays the CDN page out as the bundler would.
fn fallback(web: &Path, out: &Path) -> io::Result<PathBuf> {
    let page = out.join("graphiql");
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    copy_tree(&web.join("fallback/index.html"), &page.join("index.html"))?;
    copy_tree(&web.join("fallback/main.js"), &page.join("assets/main.js"))?;
    copy_tree(&web.join("graphiql/welcome.js"), &page.join("assets/welcome.js"))?;
    copy_tree(&web.join("graphiql/page.css"), &page.join("assets/page.css"))?;
    Ok(page)
}

/// The Rust table of the page's files that `server/pages.rs` includes.
fn table(page: &Path, from_cdn: bool) -> io::Result<String> {
    let mut assets = fs::read_dir(page.join("assets"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    assets.sort();

    let mut code = format!("const FROM_CDN: bool = {from_cdn};\n");
    code += &format!("static PAGE: &str = include_str!({:?});\n", page.join("index.html"));
    code += "static ASSETS: &[Asset] = &[\n";
    for path in assets {
        let stored = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = stored.strip_suffix(".gz").unwrap_or(stored);
        let gzipped = name != stored;
        writeln!(
            code,
            "    Asset {{ name: {name:?}, gzipped: {gzipped}, bytes: include_bytes!({path:?}) }},"
        )
        .expect("a String takes it");
    }
    Ok(code + "];\n")
}

/// Copies contents only: the source may be read-only, the copy must not be.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        return fs::read_dir(from)?.try_for_each(|entry| {
            let entry = entry?;
            copy_tree(&entry.path(), &to.join(entry.file_name()))
        });
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, fs::read(from)?)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program} does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let said = words
        .lines()
        .find(|line| line.to_ascii_lowercase().contains("error"))
        .unwrap_or("it gave no reason");
    Err(format!("{program} failed: {}", said.trim()))
}
