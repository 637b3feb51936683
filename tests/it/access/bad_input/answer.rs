//! Asking, and what an answer to bad input has to be like.

use serde_json::{Value, json};

use super::shape::Shape;
use crate::harness::app::Client;

/// Codes that name a fault of ours.
const OURS: &[&str] = &["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"];

/// What is wrong with an answer; none when it is an error as it should be, or none at all. And whether it is one.
pub(super) fn judge(shape: &Shape, name: &str, input: &str, status: u16, answer: &Value) -> (bool, Option<String>) {
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
pub(super) async fn run(client: &Client, name: &str, kind: &str, input: &Value) -> (u16, Value) {
    let query = format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ errors {{ code message field }} }} }}");
    let (status, answer) = client
        .post(json!({ "query": query, "variables": { "input": input } }))
        .await;
    (status.as_u16(), answer)
}
