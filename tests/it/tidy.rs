//! The house rules that can be checked by reading the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. `app` and `context` are handles that go everywhere.
const MAY_IMPORT: [(&str, &[&str]); 31] = [
    (
        "command",
        &[
            "account", "ai", "config", "db", "error", "graphql", "model", "page", "scalar", "server", "vault",
        ],
    ),
    ("server", &["account", "config", "error", "export", "graphql", "id"]),
    (
        "graphql",
        &[
            "memory",
            "account",
            "admin",
            "ai",
            "assistant",
            "chat",
            "contact",
            "config",
            "error",
            "event",
            "export",
            "id",
            "model",
            "notify",
            "page",
            "presence",
            "privacy",
            "tool",
            "usage",
            "vault",
            "viewer",
        ],
    ),
    (
        "viewer",
        &[
            "memory",
            "account",
            "assistant",
            "chat",
            "contact",
            "config",
            "error",
            "event",
            "export",
            "id",
            "notify",
            "page",
            "presence",
            "tool",
            "usage",
            "vault",
        ],
    ),
    ("export", &["account", "db", "error", "event", "id", "job", "scalar"]),
    (
        "privacy",
        &[
            "export",
            "account",
            "assistant",
            "chat",
            "contact",
            "db",
            "error",
            "id",
            "job",
        ],
    ),
    (
        "admin",
        &["account", "chat", "error", "id", "notify", "page", "tool", "usage"],
    ),
    (
        "chat",
        &[
            "memory",
            "account",
            "ai",
            "assistant",
            "contact",
            "db",
            "error",
            "event",
            "export",
            "id",
            "input",
            "job",
            "model",
            "notify",
            "page",
            "presence",
            "scalar",
            "search",
            "tool",
            "usage",
            "vault",
        ],
    ),
    ("search", &["db", "error", "id", "job"]),
    (
        "notify",
        &[
            "account", "ai", "db", "error", "event", "id", "input", "job", "page", "presence", "vault",
        ],
    ),
    ("job", &["db", "error"]),
    ("presence", &["account", "db", "error", "event", "id"]),
    ("contact", &["account", "db", "error", "event", "id", "input", "page"]),
    ("memory", &["db", "error", "event", "id", "input", "page"]),
    (
        "assistant",
        &["account", "ai", "db", "error", "event", "id", "input", "page", "vault"],
    ),
    (
        "usage",
        &["account", "ai", "db", "error", "id", "job", "model", "scalar", "vault"],
    ),
    (
        "model",
        &["account", "ai", "db", "error", "input", "page", "scalar", "vault"],
    ),
    ("tool", &["account", "ai", "db", "error", "id", "vault"]),
    (
        "vault",
        &[
            "account", "ai", "config", "db", "error", "event", "id", "input", "page", "scalar",
        ],
    ),
    ("account", &["db", "error", "event", "id", "input", "page"]),
    ("event", &["db", "error", "id"]),
    ("db", &[]),
    ("ai", &[]),
    ("page", &["error"]),
    ("input", &["error"]),
    ("config", &[]),
    ("error", &[]),
    ("id", &[]),
    ("scalar", &[]),
    (
        "app",
        &[
            "account", "ai", "chat", "config", "db", "error", "event", "export", "job", "model", "notify", "presence",
            "privacy", "search", "tool", "usage", "vault",
        ],
    ),
    ("context", &["account", "error"]),
];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room it stands in: the first folder or file below `src`.
    fn room(&self) -> &str {
        let rest = self.path.trim_start_matches("src/");
        rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
    }

    /// The lines that are code, numbered, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let path = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() > 5, "{folder} holds source files");
    found
}

/// Fails with every line of `sources` outside `places` that holds one of `words`.
fn only_in(rule: &str, places: &[&str], words: &[&str]) {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_in(places)) {
        for (number, line) in source
            .code()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        {
            found.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let room = source.room().to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, allowed)| *allowed);
        let allowed =
            allowed.unwrap_or_else(|| panic!("{room} is a new room: give it a row in MAY_IMPORT and in src/lib.rs"));
        for (number, line) in source.code() {
            for rest in line.split("crate::").skip(1) {
                let other: String = rest
                    .chars()
                    .take_while(|character| character.is_alphanumeric() || *character == '_')
                    .collect();
                let is_room = MAY_IMPORT.iter().any(|(name, _)| *name == other);
                let free = other == room || other == "app" || other == "context";
                if is_room && !free && !allowed.contains(&other.as_str()) {
                    wrong.push(format!("{}:{number}: {room} must not import {other}", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_of_imports_has_no_circle() {
    // What may be imported only by those above it can be taken away, again and again, until nothing is left.
    let mut left: BTreeSet<&str> = MAY_IMPORT
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "app" && *name != "context")
        .collect();
    while !left.is_empty() {
        let free: Vec<&str> = MAY_IMPORT
            .iter()
            .filter(|(name, allowed)| left.contains(name) && !allowed.iter().any(|other| left.contains(other)))
            .map(|(name, _)| *name)
            .collect();
        assert!(!free.is_empty(), "these rooms import each other in a circle: {left:?}");
        left.retain(|name| !free.contains(name));
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    for (room, _) in MAY_IMPORT {
        assert!(
            map.contains(&format!("[`{room}`]")),
            "src/lib.rs does not say what {room} is for"
        );
    }
}

#[test]
fn only_the_settings_read_the_environment() {
    only_in(
        "only config.rs reads the environment",
        &["src/config"],
        &["env::var", "env::vars", "option_env!"],
    );
}

#[test]
fn only_error_rs_makes_graphql_errors() {
    let places = ["src/error.rs", "src/server", "src/graphql"];
    only_in(
        "only error.rs makes GraphQL errors",
        &places,
        &["async_graphql::Error", "ServerError::new", "ErrorExtensions"],
    );
}

#[test]
fn only_ai_makes_connections_over_http() {
    // The room of tools speaks HTTP outwards too, through connections that ai/ made and guards: to make any itself it
    // would have to name the library.
    only_in(
        "only ai/ makes connections outwards over HTTP",
        &["src/ai", "src/db/embedded/fetch.rs"],
        &["reqwest", "hyper::client", "hyper_util::client", "TcpStream::connect"],
    );
    only_in("only tool/ speaks MCP", &["src/tool"], &["rmcp::"]);
    only_in(
        "only tool/ and notify/ speak through the connections of ai/",
        &["src/tool", "src/notify"],
        &["ai().connections("],
    );
}

#[test]
fn only_tools_and_postgres_are_processes_of_ours() {
    only_in(
        "only tool/child.rs and db/embedded start processes",
        &["src/tool/child.rs", "src/db/embedded"],
        &["process::Command", "Command::new("],
    );
}

#[test]
fn ai_knows_nothing_of_the_rest() {
    for source in sources("src").iter().filter(|source| source.room() == "ai") {
        for (number, line) in source.code() {
            let foreign = ["diesel", "async_graphql", "crate::chat", "crate::db", "crate::account"];
            assert!(
                !foreign.iter().any(|word| line.contains(word)),
                "{}:{number}: {line}",
                source.path
            );
        }
    }
}

#[test]
fn only_the_doors_the_app_and_the_engine_spawn() {
    let places = [
        "src/server",
        "src/app.rs",
        "src/chat/reply",
        "src/command",
        "src/graphql/mod.rs",
        "src/db/embedded",
        "src/ai",
    ];
    only_in(
        "spawn tasks in the doors, the app or the engine",
        &places,
        &["tokio::spawn", "tasks().spawn", "tasks.spawn"],
    );
}

#[test]
fn queues_are_bounded_and_errors_are_not_swallowed() {
    only_in("every queue is bounded", &[], &["unbounded"]);
    only_in("swallowing an error is a named act", &[], &["let _ ="]);
    only_in(
        "nothing is left to do",
        &[],
        &["todo!", "unimplemented!", "FIXME", "XXX"],
    );
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    let mut wrong = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let generated = source.path == "src/db/schema.rs";
        if !generated && !source.text.starts_with("//!") {
            wrong.push(format!("{} does not begin with //! and what it is for", source.path));
        }
        let lines = source.text.lines().count();
        if !generated && lines > 450 {
            wrong.push(format!("{} has {lines} lines: split it by action", source.path));
        }
        let name = Path::new(&source.path)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if ["utils", "util", "helpers", "helper", "common", "types", "misc"].contains(&name.as_str()) {
            wrong.push(format!("{}: a name that explains nothing", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
