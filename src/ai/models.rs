//! Which models a key may use, as the provider lists them.

use serde_json::Value;

use super::{Failure, Format, refusal::nonsense, telling::is_a_name};

/// The most models of one list.
const MOST: usize = 2000;

/// A model that a provider offers to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The name to ask it by.
    pub id: String,
    /// What it is called among people, when the provider says so.
    pub title: Option<String>,
    /// Tokens of question and answer together, when the provider says so.
    pub context_window: Option<u64>,
    /// Tokens of an answer, when the provider says so.
    pub max_output_tokens: Option<u64>,
}

/// Reads a list; what cannot be asked for an answer is left away where the provider tells.
pub(super) fn read(format: Format, list: &Value) -> Result<Vec<Offered>, Failure> {
    let items = match list {
        Value::Array(items) => Some(items),
        list => ["data", "models"].iter().find_map(|key| list.get(key)?.as_array()),
    };
    let items = items.ok_or_else(|| nonsense("something else than a list of models"))?;
    let mut offered: Vec<Offered> = items
        .iter()
        .filter(|item| answers(format, item))
        .filter_map(model)
        .take(MOST)
        .collect();
    offered.sort_by(|one, other| one.id.cmp(&other.id));
    offered.dedup_by(|one, other| one.id == other.id);
    Ok(offered)
}

fn answers(format: Format, item: &Value) -> bool {
    let methods = item.get("supportedGenerationMethods").and_then(Value::as_array);
    match methods.filter(|_| format == Format::GeminiGenerate) {
        Some(methods) => methods.iter().any(|method| method == "generateContent"),
        None => true,
    }
}

fn model(item: &Value) -> Option<Offered> {
    let text = |keys: &[&str]| keys.iter().find_map(|key| item.get(key)?.as_str());
    let number = |paths: &[&str]| {
        let found = paths.iter().find_map(|path| item.pointer(path)?.as_u64());
        found.filter(|count| (1..1 << 40).contains(count))
    };
    let id = text(&["id", "model", "name"])?;
    let id = id.strip_prefix("models/").unwrap_or(id);
    let title = text(&["display_name", "displayName"]).or_else(|| {
        // Where there is an id, a name is a title.
        item.get("id").and(text(&["name"]))
    });
    let title = title.map(str::trim).filter(|title| *title != id);
    is_a_name(id).then(|| Offered {
        id: id.to_owned(),
        title: title
            .filter(|title| !title.is_empty() && !title.contains(char::is_control))
            .map(|title| title.chars().take(120).collect()),
        context_window: number(&[
            "/context_window",
            "/context_length",
            "/max_model_len",
            "/inputTokenLimit",
            "/max_input_tokens",
            "/max_context_length",
            "/meta/n_ctx_train",
        ]),
        max_output_tokens: number(&[
            "/max_completion_tokens",
            "/top_provider/max_completion_tokens",
            "/outputTokenLimit",
            "/max_tokens",
        ]),
    })
}
