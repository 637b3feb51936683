//! Finding messages in one's own chats.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::chat::message::MessageRole;
use crate::error::Result;
use crate::tool::Outcome;
use crate::tool::builtin::{Builtin, BuiltinTool, Caller, Doing};

/// The most words that are looked for.
const MOST_WORDS: usize = 8;
/// How much of a message is shown around the first word that was found, in characters.
const SHOWN: usize = 400;

/// What is looked through: the latest messages of the latest chats, so that it never takes long, whatever there is. What
/// other people said in rooms is not theirs to hand to a model.
const FIND: &str = "SELECT title, role, created_at, content FROM (\
      SELECT chats.id, chats.title FROM chats JOIN chat_members ON chat_members.chat_id = chats.id \
      WHERE chat_members.user_id = $1 AND chats.id <> $2 AND chats.kind = 'ASSISTANT' ORDER BY chats.last_activity_at DESC LIMIT 200) AS chat \
    CROSS JOIN LATERAL (SELECT role, created_at, content FROM messages WHERE messages.chat_id = chat.id AND active AND deleted_at IS NULL \
      ORDER BY sequence DESC LIMIT 200) AS message \
    WHERE content ILIKE ALL ($3) ORDER BY created_at DESC LIMIT 10";

/// Finds messages in one's own chats.
pub(super) struct SearchChats;

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    title: Option<String>,
    #[diesel(sql_type = Text)]
    role: MessageRole,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    content: String,
}

impl Builtin for SearchChats {
    fn which(&self) -> BuiltinTool {
        BuiltinTool::SearchChats
    }

    fn name(&self) -> &'static str {
        "search_chats"
    }

    fn description(&self) -> &'static str {
        "Finds what was said before in the person's other chats. Gives the newest messages that hold all the words."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "words": { "type": "string", "description": "The words to look for, between spaces." } },
            "required": ["words"],
            "additionalProperties": false,
        })
    }

    fn run<'a>(&'a self, app: &'a App, caller: Caller, arguments: Map<String, Value>) -> Doing<'a> {
        Box::pin(async move {
            let words = arguments.get("words").and_then(Value::as_str).unwrap_or_default();
            let words: Vec<&str> = words.split_whitespace().take(MOST_WORDS).collect();
            if words.is_empty() {
                return Outcome::failed("Give the words to look for.");
            }
            match find(app, caller, &words).await {
                Ok(found) if found.is_empty() => Outcome::done("Nothing was found."),
                Ok(found) => {
                    let shown = found.iter().map(|found| found.shown(words[0]));
                    Outcome::done(&shown.collect::<Vec<_>>().join("\n\n"))
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot search in chats");
                    Outcome::failed("The search is not available at the moment.")
                }
            }
        })
    }
}

async fn find(app: &App, caller: Caller, words: &[&str]) -> Result<Vec<Found>> {
    let patterns: Vec<String> = words.iter().map(|word| pattern(word)).collect();
    let mut connection = app.connection().await?;
    let found = diesel::sql_query(FIND)
        .bind::<SqlUuid, _>(caller.user_id)
        .bind::<SqlUuid, _>(caller.chat_id)
        .bind::<Array<Text>, _>(patterns)
        .load(&mut connection)
        .await?;
    Ok(found)
}

fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for character in word.chars().filter(|character| *character != '\0') {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

impl Found {
    fn shown(&self, word: &str) -> String {
        let title = self.title.as_deref().unwrap_or("a chat without a title");
        let who = match self.role {
            MessageRole::User => "the person",
            _ => "the assistant",
        };
        let when = self.created_at.format("%Y-%m-%d");
        format!("In \"{title}\" on {when}, {who} said: {}", around(&self.content, word))
    }
}

/// The part of a text around a word.
fn around(text: &str, word: &str) -> String {
    let at = text.to_lowercase().find(&word.to_lowercase()).unwrap_or_default();
    let before = text.get(..at).map_or(0, |before| before.chars().count());
    let start = before.saturating_sub(SHOWN / 4);
    let shown: String = text.chars().skip(start).take(SHOWN).collect();
    let end = if text.chars().count() > start + SHOWN {
        "…"
    } else {
        ""
    };
    format!("{}{shown}{end}", if start > 0 { "…" } else { "" })
}
