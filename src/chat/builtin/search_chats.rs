//! Finding messages in one's own chats.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::chat::message::MessageRole;
use crate::error::{Error, Result};
use crate::id::MessageId;
use crate::search::highlight::{self, Fragment};
use crate::search::{self, Looking};
use crate::tool::Outcome;
use crate::tool::builtin::{Builtin, BuiltinTool, Caller, Doing};

/// How many messages the model is shown.
const SHOWN: i64 = 10;

/// What is shown of the messages that were found.
const READ: &str = "SELECT messages.id, title, role, messages.created_at, content FROM messages JOIN chats ON chats.id = messages.chat_id \
    WHERE messages.id = ANY ($1)";

/// Finds messages in one's own chats.
pub(super) struct SearchChats;

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
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
        "Finds what was said before in the person's other chats: the messages that hold all the words, those that fit best first."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "words": { "type": "string", "description": "The words to look for, between spaces. Words in double quotes are found as they follow each other; -word must not be there." } },
            "required": ["words"],
            "additionalProperties": false,
        })
    }

    fn run<'a>(&'a self, app: &'a App, caller: Caller, arguments: Map<String, Value>) -> Doing<'a> {
        Box::pin(async move {
            let words = arguments.get("words").and_then(Value::as_str).unwrap_or_default();
            match find(app, caller, words).await {
                Ok(found) if found.is_empty() => Outcome::done("Nothing was found."),
                Ok(found) => Outcome::done(&found.join("\n\n")),
                Err(Error::BadInput(refusal)) => Outcome::failed(&refusal.replace("`query`", "`words`")),
                Err(error) => {
                    tracing::warn!(%error, "cannot search in chats");
                    Outcome::failed("The search is not available at the moment.")
                }
            }
        })
    }
}

async fn find(app: &App, caller: Caller, words: &str) -> Result<Vec<String>> {
    let looking = Looking {
        not_in: Some(caller.chat_id),
        ..Looking::new(caller.user_id, words)
    };
    let mut connection = app.connection().await?;
    let found = search::find(&mut connection, &looking, None, SHOWN).await?;
    let ids: Vec<MessageId> = found.hits.iter().map(|hit| hit.message_id).collect();
    let mut read: Vec<Found> = diesel::sql_query(READ)
        .bind::<Array<SqlUuid>, _>(&ids)
        .load(&mut connection)
        .await?;
    read.sort_by_key(|found| ids.iter().position(|id| *id == found.id));
    let texts: Vec<&str> = read.iter().map(|found| found.content.as_str()).collect();
    let pieces = highlight::fragments(&mut connection, &found.words, &texts).await?;
    Ok(read
        .iter()
        .zip(pieces)
        .map(|(found, pieces)| found.shown(&pieces))
        .collect())
}

impl Found {
    fn shown(&self, pieces: &[Fragment]) -> String {
        let title = self.title.as_deref().unwrap_or("a chat without a title");
        let who = match self.role {
            MessageRole::User => "the person",
            _ => "the assistant",
        };
        let when = self.created_at.format("%Y-%m-%d");
        let begins = pieces.first().is_none_or(|piece| piece.start == 0);
        let pieces: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
        let before = if begins { "" } else { "…" };
        format!("In \"{title}\" on {when}, {who} said: {before}{}", pieces.join(" … "))
    }
}
