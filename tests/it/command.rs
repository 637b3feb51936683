//! The command line: the real binary against a database of its own.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::app::{JWT_SECRET, MASTER_KEY, PASSWORD, TestApp};

/// What a command ended with.
pub struct Ended {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// The binary in an environment that holds nothing but these variables.
fn parlor(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .kill_on_drop(true);
    command
}

async fn run(mut command: Command, input: &str) -> Ended {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that asks for nothing may end before it has been told anything.
    if let Err(error) = stdin.write_all(input.as_bytes()).await {
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output());
    let output = output.await.expect("it ends").expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(output.stdout), text(output.stderr));
    for secret in [JWT_SECRET, MASTER_KEY, PASSWORD, NEW_PASSWORD] {
        assert!(!out.contains(secret) && !err.contains(secret), "{out}\n{err}");
    }
    Ended {
        ok: output.status.success(),
        out,
        err,
    }
}

const NEW_PASSWORD: &str = "nine slow badgers hum";

/// A command on the test's database with good secrets.
pub async fn on(app: &TestApp, arguments: &[&str], input: &str) -> Ended {
    let variables = [
        ("DATABASE_URL", app.database_url()),
        ("PARLOR_JWT_SECRET", JWT_SECRET),
        ("PARLOR_MASTER_KEY", MASTER_KEY),
    ];
    run(parlor(arguments, &variables), input).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_made_listed_and_changed() {
    let app = TestApp::start().await;
    let made = on(
        &app,
        &["user", "create", "ada", "Ada@example.com", "--role=admin"],
        &format!("{PASSWORD}\n"),
    )
    .await;
    assert_eq!(
        (made.ok, made.out.as_str()),
        (true, "Made the account ada <Ada@example.com>, ADMIN.\n"),
        "{}",
        made.err
    );
    let made = on(
        &app,
        &["user", "create", "bob", "bob@example.com", "--display-name=Bob B."],
        PASSWORD,
    )
    .await;
    assert!(made.ok, "{}", made.err);
    let taken = on(&app, &["user", "create", "ADA", "other@example.com"], PASSWORD).await;
    assert_eq!(
        (taken.ok, taken.err.as_str()),
        (false, "parlor: This user name is taken. Please choose another.\n")
    );
    let weak = on(&app, &["user", "create", "eve", "nowhere"], "password\n").await;
    assert!(
        !weak.ok && weak.err.contains("easy to guess") && weak.err.contains("not an e-mail address"),
        "{}",
        weak.err
    );

    let list = on(&app, &["user", "list"], "").await;
    let lines: Vec<Vec<&str>> = list.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{}", list.out);
    assert_eq!((lines[0][0], lines[0][1], lines[0][2]), ("bob", "USER", "active"));
    assert_eq!(
        (lines[1][0], lines[1][1], lines[1][4]),
        ("ada", "ADMIN", "Ada@example.com")
    );
    assert_eq!(on(&app, &["user", "list", "BOB"], "").await.out.lines().count(), 1);

    let last = on(&app, &["user", "set-role", "ada@example.com", "user"], "").await;
    assert!(!last.ok && last.err.contains("last administrator"), "{}", last.err);
    let promoted = on(&app, &["user", "set-role", "bob", "admin"], "").await;
    assert_eq!((promoted.ok, promoted.out.as_str()), (true, "bob is ADMIN now.\n"));
    let nobody = on(&app, &["user", "set-role", "carol", "admin"], "").await;
    assert!(
        !nobody.ok && nobody.err.contains("There is no account carol"),
        "{}",
        nobody.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_hears_of_it() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let events = "subscription { events(ephemeral: false) { __typename } }";
    let (mut hers, mut his) = (
        ada.subscribe(events, json!({})).await,
        bob.subscribe(events, json!({})).await,
    );
    assert_eq!(hers.next().await.expect("a beginning")["__typename"], "StreamReady");
    assert_eq!(his.next().await.expect("a beginning")["__typename"], "StreamReady");

    let reset = on(&app, &["user", "reset-password", "ADA"], NEW_PASSWORD).await;
    assert!(
        reset.ok && reset.out.contains("all sessions of the account are over"),
        "{}",
        reset.err
    );
    let promoted = on(&app, &["user", "set-role", "bob", "admin"], "").await;
    assert!(promoted.ok, "{}", promoted.err);
    for stream in [&mut hers, &mut his] {
        let last = tokio::time::timeout(Duration::from_secs(8), stream.result())
            .await
            .expect("within seconds");
        assert_eq!(
            last.expect("an answer")["errors"][0]["extensions"]["code"],
            "UNAUTHENTICATED"
        );
    }
    assert_eq!((ada.whoami().await, bob.whoami().await), (Value::Null, json!("bob")));
    assert!(app.anonymous().login("ada", NEW_PASSWORD).await["tokens"].is_object());
    let weak = on(&app, &["user", "reset-password", "ada"], "12345678").await;
    assert!(!weak.ok && weak.err.contains("easy to guess"), "{}", weak.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_moved_to_a_new_master() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let secret = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxa1b2";
    let input = json!({ "provider": "OPENAI", "secret": secret, "verify": false });
    ada.mutate("setApiKey", input, "apiKey { id }").await;
    let new = "vT3mJ0b1xYkQ2sGZr8nLw5uPdC7hE9aFoIyKt4VqWgs=";
    let base = [
        ("DATABASE_URL", app.database_url()),
        ("PARLOR_JWT_SECRET", JWT_SECRET),
        ("PARLOR_MASTER_KEY", new),
    ];
    let both = [&base[..], &[("PARLOR_MASTER_KEY_PREVIOUS", MASTER_KEY)]].concat();

    let wrong = run(parlor(&["keys", "rotate"], &base), "").await;
    assert!(
        !wrong.ok && wrong.err.contains("sealed with the master key"),
        "{}",
        wrong.err
    );
    let refused = run(parlor(&["serve", "--listen=127.0.0.1:0"], &base), "").await;
    assert!(
        !refused.ok && refused.err.contains("Set PARLOR_MASTER_KEY to that key"),
        "{}",
        refused.err
    );
    let moved = run(parlor(&["keys", "rotate"], &both), "").await;
    assert!(
        moved.ok && moved.out.contains("current master key: 1."),
        "{}{}",
        moved.out,
        moved.err
    );
    let again = run(parlor(&["keys", "rotate"], &base), "").await;
    assert!(
        again.ok && again.out.contains("current master key: 0."),
        "{}{}",
        again.out,
        again.err
    );
    for ended in [wrong, refused, moved, again] {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret) && !ended.err.contains(new));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_brought_up_to_date_and_looked_over() {
    let app = TestApp::start().await;
    let migrated = on(&app, &["migrate"], "").await;
    assert_eq!(
        (migrated.ok, migrated.out.as_str()),
        (true, "The database is up to date.\n"),
        "{}",
        migrated.err
    );
    let healthy = on(&app, &["doctor", "--listen=127.0.0.1:0"], "").await;
    assert!(healthy.ok, "{}{}", healthy.out, healthy.err);
    for check in ["settings", "address", "Postgres", "migrations", "provider keys", "AI"] {
        assert!(healthy.out.contains(&format!("✓ {check}:")), "{check}: {}", healthy.out);
    }
    let nowhere = [
        ("DATABASE_URL", "postgresql://nobody:a-password@127.0.0.1:1/nothing"),
        ("PARLOR_JWT_SECRET", JWT_SECRET),
        ("PARLOR_MASTER_KEY", MASTER_KEY),
    ];
    let sick = run(parlor(&["doctor", "--listen=127.0.0.1:0"], &nowhere), "").await;
    assert!(!sick.ok && sick.out.contains("✗ Postgres:"), "{}{}", sick.out, sick.err);
    let stopped = run(parlor(&["--listen=127.0.0.1:0"], &nowhere), "").await;
    assert!(
        !stopped.ok && stopped.err.contains("Check DATABASE_URL"),
        "{}",
        stopped.err
    );
    for ended in [sick, stopped] {
        assert!(
            !ended.out.contains("a-password") && !ended.err.contains("a-password"),
            "{}{}",
            ended.out,
            ended.err
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_in_the_repository_is_the_schema() {
    let printed = run(parlor(&["schema"], &[]), "").await;
    assert!(printed.ok, "{}", printed.err);
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).expect("the schema");
    assert!(
        printed.out == kept,
        "schema.graphql is not what the code says any more. Fix it with: cargo run -- schema > schema.graphql"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_is_worth_reading() {
    let help = run(
        parlor(
            &["--help"],
            &[("DATABASE_URL", "postgresql://someone:hidden-password@db/chat")],
        ),
        "",
    )
    .await;
    assert!(help.ok && !help.out.contains("hidden-password"), "{}", help.out);
    for word in [
        "serve",
        "migrate",
        "schema",
        "user",
        "keys",
        "doctor",
        "PARLOR_LISTEN",
        "PARLOR_DATA_DIR",
        "DATABASE_URL",
        "PARLOR_ENV",
        "PARLOR_JWT_SECRET",
        "PARLOR_MASTER_KEY",
        "PARLOR_ADMIN_EMAIL",
        "PARLOR_ADMIN_PASSWORD",
        "PARLOR_CORS_ORIGINS",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ] {
        assert!(help.out.contains(word), "{word}");
    }
    let unknown = run(parlor(&["sevre"], &[]), "").await;
    assert!(
        !unknown.ok && unknown.err.contains("unrecognized subcommand"),
        "{}",
        unknown.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_takes_good_secrets_only() {
    let (jwt, master) = (("PARLOR_JWT_SECRET", JWT_SECRET), ("PARLOR_MASTER_KEY", MASTER_KEY));
    let app = TestApp::start().await;
    let counted: String = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into();
    for (secrets, variable, recipe) in [
        (vec![master], "PARLOR_JWT_SECRET", "openssl rand -base64 48"),
        (vec![jwt], "PARLOR_MASTER_KEY", "openssl rand -base64 32"),
        (
            vec![("PARLOR_JWT_SECRET", ""), master],
            "PARLOR_JWT_SECRET",
            "openssl rand -base64 48",
        ),
        (
            vec![("PARLOR_JWT_SECRET", "tooShort1"), master],
            "PARLOR_JWT_SECRET",
            "openssl rand -base64 48",
        ),
        (
            vec![("PARLOR_JWT_SECRET", "your-256-bit-secret-goes-right-here"), master],
            "PARLOR_JWT_SECRET",
            "openssl rand -base64 48",
        ),
        (
            vec![
                ("PARLOR_JWT_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                master,
            ],
            "PARLOR_JWT_SECRET",
            "openssl rand -base64 48",
        ),
        (
            vec![jwt, ("PARLOR_JWT_SECRET_PREVIOUS", "tooShort1"), master],
            "PARLOR_JWT_SECRET",
            "openssl rand -base64 48",
        ),
        (
            vec![jwt, ("PARLOR_MASTER_KEY", "c2hvcnQ=")],
            "PARLOR_MASTER_KEY",
            "openssl rand -base64 32",
        ),
        (
            vec![jwt, ("PARLOR_MASTER_KEY", &counted)],
            "master key",
            "openssl rand -base64 32",
        ),
    ] {
        let database = [("DATABASE_URL", app.database_url()), ("PARLOR_ENV", "production")];
        let ended = run(
            parlor(&["serve", "--listen=127.0.0.1:0"], &[&database[..], &secrets].concat()),
            "",
        )
        .await;
        assert!(!ended.ok, "{secrets:?}");
        assert!(
            ended.err.contains(variable) && ended.err.contains(recipe),
            "{}",
            ended.err
        );
        let values = secrets
            .iter()
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty());
        for value in values {
            assert!(
                !ended.err.contains(value) && !ended.out.contains(value),
                "{}",
                ended.err
            );
        }
    }
}
