//! What nobody should send, by the type of the place.

use serde_json::{Value, json};

use super::shape::{Place, Shape};

/// How long a text is that is too long for everything, and still fits into a request.
const LONG: usize = 150_000;

/// A bad value.
pub(super) struct Bad {
    /// What is bad about it.
    pub(super) what: &'static str,
    pub(super) value: Value,
    /// Whether it is refused wherever it stands. Others may mean something here or there.
    pub(super) always: bool,
}

fn bad(what: &'static str, value: Value) -> Bad {
    Bad {
        what,
        value,
        always: true,
    }
}

fn odd(what: &'static str, value: Value) -> Bad {
    Bad {
        what,
        value,
        always: false,
    }
}

/// How ids of what a place is called after begin.
fn prefix(name: &str) -> &'static str {
    match name.trim_end_matches('s') {
        "chatId" => "chat",
        "messageId" | "replyToId" => "msg",
        "generationId" => "gen",
        "userId" | "memberId" | "mentionId" => "user",
        "assistantId" => "asst",
        "memoryId" => "mem",
        "summaryId" => "sum",
        "scheduledMessageId" => "sched",
        "apiKeyId" => "key",
        "sessionId" => "ses",
        "toolCallId" => "call",
        "toolGrantId" => "grant",
        "toolServerId" => "tool",
        "webhookId" => "hook",
        "webhookDeliveryId" => "delivery",
        "pushSubscriptionId" => "push",
        other => panic!("how do ids of {other} begin?"),
    }
}

/// What is bad for one value of a type, in no list.
fn single(place: &Place, other_kind: &str) -> Vec<Bad> {
    let nul = || bad("a NUL character", json!("a\0b"));
    let long = || bad("far too long", json!("x".repeat(LONG)));
    if place.is_enum {
        return vec![
            bad("no such value", json!("NO_SUCH_VALUE")),
            bad("a number", json!(1)),
            bad("empty", json!("")),
            bad("in lower case", json!("true")),
        ];
    }
    match place.scalar.as_str() {
        "ID" => {
            let prefix = prefix(place.name());
            let unknown = "0192f3a0000070008000000000000000";
            vec![
                bad("unknown", json!(format!("{prefix}_{unknown}"))),
                bad("unknown, of a kind that there is not", json!(format!("none_{unknown}"))),
                bad("of another kind", json!(other_kind)),
                bad("garbage", json!("' OR true --")),
                bad("empty", json!("")),
                bad("blank", json!(" \t\n")),
                bad("turned around", json!("\u{202e}")),
                bad("a number", json!(-1)),
                nul(),
                long(),
            ]
        }
        "String" => vec![
            odd("empty", json!("")),
            odd("blank", json!(" \t\n")),
            odd("control characters", json!("a\u{1}\u{7f}b")),
            odd("turned around", json!("a\u{202e}b")),
            odd("many signs on one letter", json!(format!("a{}", "\u{301}".repeat(500)))),
            bad("a number", json!(7)),
            nul(),
            long(),
        ],
        "Int" | "Long" => vec![
            odd("negative", json!(-1)),
            odd("nothing", json!(0)),
            odd("the least", json!(i32::MIN)),
            odd("the most", json!(i32::MAX)),
            bad("beyond all numbers", json!(1e300)),
            bad("a fraction", json!(1.5)),
            bad("a word", json!("many")),
        ],
        "Float" => vec![
            odd("negative", json!(-1)),
            bad("huge", json!(1e300)),
            bad("a word", json!("much")),
        ],
        "Decimal" => vec![
            bad("negative", json!("-1")),
            odd("nothing", json!("0")),
            bad("huge", json!("1e300")),
            bad("too fine", json!("0.00000000000000000001")),
            bad("a word", json!("much")),
            bad("empty", json!("")),
            bad("not a number", json!("NaN")),
            nul(),
            long(),
        ],
        "Boolean" => vec![bad("a word", json!("yes")), bad("a number", json!(1))],
        "DateTime" => vec![
            odd("long ago", json!("1970-01-01T00:00:00Z")),
            odd("before all clocks", json!("-9999-01-01T00:00:00Z")),
            odd("the year 9999", json!("9999-12-31T23:59:59Z")),
            odd("beyond it", json!("+262142-12-31T23:59:59Z")),
            bad("a word", json!("tomorrow")),
            bad("no such day", json!("2026-02-31T00:00:00Z")),
            bad("empty", json!("")),
            bad("a number", json!(0)),
            nul(),
        ],
        "JSON" => {
            let mut deep = json!(1);
            for _ in 0..60 {
                deep = json!([deep]);
            }
            vec![
                bad("deep", json!({ "a": deep })),
                bad("long", json!({ "a": "x".repeat(LONG) })),
                bad("a word", json!("x")),
                bad("a list", json!([1])),
                bad("a NUL character", json!({ "a": "\0" })),
                bad("a NUL character in a name", json!({ "\0": 1 })),
            ]
        }
        _ => vec![
            bad("a word", json!("x")),
            bad("a number", json!(1)),
            bad("a list of lists", json!([[1]])),
        ],
    }
}

/// What is bad at a place. `good` is what stands there in an input that is right, `other_kind` an id of something else.
pub(super) fn at(shape: &Shape, place: &Place, good: &Value, other_kind: &str) -> Vec<Bad> {
    let mut values = single(place, other_kind);
    if place.is_list {
        for value in &mut values {
            value.value = json!([value.value]);
        }
        let element = match good.as_array().and_then(|elements| elements.first()) {
            Some(element) => element.clone(),
            None => shape.ordinary(&place.scalar),
        };
        let unknown = |at: usize| match place.scalar.as_str() {
            "ID" => json!(format!("{}_{at:032x}", prefix(place.name()))),
            _ => element.clone(),
        };
        values.extend([
            odd("an empty list", json!([])),
            odd("the same twice", json!([element, element])),
            bad("nothing in a list", json!([null])),
            // Of what there are but a few of, more than there are is as many.
            if place.is_enum {
                odd("a long list", json!(vec![element.clone(); 5_000]))
            } else {
                bad("a long list", (0..5_000).map(unknown).collect())
            },
        ]);
        if place.scalar == "ID" {
            values.push(odd("the same very often", json!(vec![element; 2_000])));
        }
    }
    values.push(odd("null", Value::Null));
    if place.is_required {
        values.last_mut().expect("null").always = true;
    }
    values
}
