//! Bad input of every mutation: each place in its input in turn is given what nobody should send, and the answer is an error
//! with a code and a path, that changes nothing.
//!
//! The inputs that are right are those of the access table, the places come from the schema: a new mutation or a new field of
//! an input is tried without a word here.

mod shape;
mod values;

use serde_json::{Value, json};
use tokio_postgres::Client as Sql;

use self::shape::{Shape, input_of};
use super::house::House;
use super::table::{Row, TABLE};
use super::{Kind, Outcome};
use crate::harness::app::{Client, new_key};

/// What is taken although it looks odd everywhere else, and why.
const TAKEN: &[(&str, &str, &str)] = &[];

/// How much there is of everything, and what: one line for each table.
async fn everything(sql: &Sql, tables: &[String]) -> Vec<(String, i64, i64)> {
    let one = |table: &String| {
        // Of these it is only counted how many there are: what is in them changes by itself.
        let sum = match table.as_str() {
            "webhooks" | "chat_lifetimes" | "tool_servers" => "0",
            _ => "coalesce(sum(hashtext(row::text)::bigint), 0)",
        };
        format!("SELECT '{table}', count(*), {sum}::bigint FROM {table} AS row")
    };
    let query = tables.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ");
    let rows = sql.query(&query, &[]).await.expect("sums");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// The tables of the application, without those that change by themselves and that which tells of what was tried.
async fn tables(sql: &Sql) -> Vec<String> {
    let query = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace \
        AND relname NOT IN ('nodes', 'people_here', 'presences', 'audit_log', 'log_readers', 'sessions', 'receipts', 'jobs', 'webhook_deliveries') AND relname NOT LIKE '\\_\\_%' ORDER BY relname";
    let rows = sql.query(query, &[]).await.expect("tables");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until no answer is being written any more.
async fn settled(sql: &Sql) {
    let running = "SELECT count(*) FROM generations WHERE finished_at IS NULL AND status <> 'WAITING_FOR_APPROVAL'";
    while sql.query_one(running, &[]).await.expect("a count").get::<_, i64>(0) > 0 {}
}

/// Codes that name a fault of ours.
const OURS: &[&str] = &["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"];

/// What is wrong with an answer; none when it is an error as it should be, or none at all. And whether it is one.
fn judge(shape: &Shape, name: &str, input: &str, status: u16, answer: &Value) -> (bool, Option<String>) {
    if status >= 500 {
        return (true, Some(format!("status {status}")));
    }
    if let Some(errors) = answer["errors"].as_array() {
        let codes = errors
            .iter()
            .map(|error| error["extensions"]["code"].as_str().unwrap_or_default());
        let wrong = codes.into_iter().find(|code| code.is_empty() || OURS.contains(code));
        return (true, wrong.map(|code| format!("the code {code:?}")));
    }
    let Some(errors) = answer["data"][name]["errors"].as_array() else {
        return (true, Some("no payload".to_owned()));
    };
    for error in errors {
        let path: Vec<&str> = error["field"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let leads = match path.split_first() {
            Some((first, rest)) => *first == "input" && shape.leads(input, rest),
            None => true,
        };
        if !leads {
            return (true, Some(format!("a path that leads nowhere: {path:?}")));
        }
        if error["message"]
            .as_str()
            .is_none_or(|message| message.is_empty() || message.len() > 500)
        {
            return (true, Some("no words, or far too many".to_owned()));
        }
    }
    (!errors.is_empty(), None)
}

/// Runs a mutation; gives the status and the answer.
async fn run(client: &Client, name: &str, kind: &str, input: &Value) -> (u16, Value) {
    let query = format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ errors {{ code message field }} }} }}");
    let (status, answer) = client
        .post(json!({ "query": query, "variables": { "input": input } }))
        .await;
    (status.as_u16(), answer)
}

/// Tries all that is bad in one mutation; gives what was wrong, and how many it tried.
async fn attack(house: &House, shape: &Shape, sql: &Sql, tables: &[String], row: &Row) -> (Vec<String>, usize) {
    let client = match row.owner {
        Outcome::Forbidden => &house.admin.client,
        _ => &house.owner.client,
    };
    let write = async || {
        let things = house.furnish(row).await;
        settled(sql).await;
        let mut input = input_of(&things.written(row.call, "bad", &house.bystander.refresh_token));
        if row.field == "register" {
            // Whatever was taken before has taken the name, too.
            let name = format!("bad-{}", new_key());
            input["email"] = json!(format!("{name}@example.com"));
            input["username"] = json!(name);
        }
        input
    };
    let mut good = write().await;
    let (name, kind) = shape
        .mutations
        .iter()
        .find(|(name, _)| name == row.field)
        .expect("a mutation");
    let other_kind = match house.stranger.id.as_str() {
        user if row.call.contains("userId") => user.replace("user_", "chat_"),
        user => user.to_owned(),
    };
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let mut before = everything(sql, tables).await;
    for place in shape.places(kind) {
        let there = place.path.iter().fold(&good, |value, name| match value {
            Value::Array(elements) => elements.first().map_or(&Value::Null, |element| &element[name]),
            value => &value[name],
        });
        let there = there.clone();
        for bad in values::at(shape, &place, &there, &other_kind) {
            tried += 1;
            let mut input = shape.with(kind, &good, &place.path, &bad.value);
            if place.name() != "idempotencyKey" && input.get("idempotencyKey").is_some() {
                input["idempotencyKey"] = json!(new_key());
            }
            let (status, answer) = run(client, name, kind, &input).await;
            let (is_refused, why) = judge(shape, name, kind, status, &answer);
            let at = format!("{name}({}: {})", place.path.join("."), bad.what);
            if let Some(why) = why {
                let answer: String = answer.to_string().chars().take(300).collect();
                wrong.push(format!("{at} gets {why}: {answer}"));
            }
            let taken = TAKEN.iter().any(|(mutation, field, what)| {
                *mutation == *name && *field == place.path.join(".") && *what == bad.what
            });
            if !is_refused && bad.always && !taken {
                wrong.push(format!("{at} is taken"));
            }
            if !is_refused {
                // It may have changed what the others are about.
                good = write().await;
            }
            let after = everything(sql, tables).await;
            if is_refused && after != before {
                let changed = after.iter().zip(&before).filter(|(after, before)| after != before);
                let changed: Vec<_> = changed.map(|(after, _)| &after.0).collect();
                wrong.push(format!("{at} is refused, and changes {changed:?}: {answer}"));
            }
            before = after;
        }
    }
    // Otherwise all of this was refused for another reason. Who is asked for the password has come as far as that.
    let (status, answer) = run(client, name, kind, &good).await;
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    let code = code.or(answer["data"][name]["errors"][0]["code"].as_str());
    if status != 200 || !matches!(code, None | Some("WRONG_CREDENTIALS" | "RATE_LIMITED")) {
        wrong.push(format!(
            "the input of the table is not right any more: {good}: {answer}"
        ));
    }
    (wrong, tried)
}

/// The mutations are shared out among as many tests, which run beside each other.
async fn attack_all(share: usize) {
    let house = House::new().await;
    let shape = Shape::read();
    let sql = house.app.sql().await;
    let tables = tables(&sql).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let rows: Vec<&Row> = TABLE.iter().filter(|row| row.kind == Kind::Mutation).collect();
    // In one piece: some rows are about what those before them have made.
    for row in rows.chunks(rows.len().div_ceil(SHARES)).nth(share).expect("a share") {
        let (faults, count) = attack(&house, &shape, &sql, &tables, row).await;
        wrong.extend(faults);
        tried += count;
    }
    assert!(tried > 300, "the search works: {tried}");
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

const SHARES: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_value_is_refused_and_changes_nothing() {
    attack_all(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_value_is_refused_and_changes_nothing_in_the_other_half() {
    attack_all(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_beyond_all_calendars_are_no_fault_of_ours() {
    let app = crate::harness::app::TestApp::start().await;
    let ada = app.user("ada").await;
    for moment in [
        "-9999-01-01T00:00:00Z",
        "+262142-01-01T00:00:00Z",
        "-262143-01-01T00:00:00Z",
    ] {
        for call in [
            "search(query: \"x\", filter: { from: \"<>\" }) { nodes { rank } }",
            "search(query: \"x\", filter: { to: \"<>\" }) { nodes { rank } }",
            "viewer { usage(to: \"<>\") { truncated } }",
            "viewer { usage(from: \"<>\") { truncated } }",
        ] {
            let answer = ada
                .run(&format!("{{ {} }}", call.replace("<>", moment)), json!({}))
                .await;
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
            assert!(!OURS.contains(&code), "{call} with {moment}: {answer}");
        }
    }
}
