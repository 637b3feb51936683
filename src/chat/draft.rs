//! Drafts: what somebody has begun to write in a chat, on all their devices, and shown to nobody else.
//!
//! The last one to save wins, unless it says which version it has seen: then it is told that there is a newer one. Sending
//! ends the draft in the statement that counts the message, and counts as a change of it, so that what another device
//! saves late does not bring back what was sent.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::chat::Chat;
use super::event;
use super::extras::Extras;
use super::member::Membership;
use crate::app::App;
use crate::db::schema::chat_members;
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{ChatId, MessageId, UserId};
use crate::input;

/// A draft as it is stored with its person's membership.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = chat_members, check_for_backend(diesel::pg::Pg))]
pub struct StoredDraft {
    /// The text; none where there is no draft.
    #[diesel(column_name = draft_text)]
    pub text: Option<String>,
    /// The message that it is about to reply to.
    #[diesel(column_name = draft_reply_to_id)]
    pub reply_to_id: Option<MessageId>,
    /// When it last changed.
    #[diesel(column_name = draft_updated_at)]
    pub updated_at: Option<DateTime<Utc>>,
    /// Grows with each change, and with each message that is sent.
    #[diesel(column_name = draft_version)]
    pub version: i32,
}

/// A draft to save.
#[derive(Debug)]
pub struct NewDraft {
    /// In which chat.
    pub chat_id: ChatId,
    /// The text.
    pub text: String,
    /// The message that it is about to reply to.
    pub reply_to_id: Option<MessageId>,
    /// The version that it goes on from; none to replace whatever there is.
    pub version: Option<i32>,
}

/// No draft: what a message that is sent leaves, and with none for all columns, what other acts leave.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = chat_members)]
pub struct Ended {
    draft_text: Option<Option<String>>,
    draft_reply_to_id: Option<Option<MessageId>>,
    draft_updated_at: Option<Option<DateTime<Utc>>>,
}

impl Ended {
    /// The end of a draft, where a message `is_sent`.
    pub fn when(is_sent: bool) -> Self {
        Ended {
            draft_text: is_sent.then_some(None),
            draft_reply_to_id: is_sent.then_some(None),
            draft_updated_at: is_sent.then_some(None),
        }
    }
}

/// Saves what somebody has begun to write; nothing ends the draft.
///
/// # Errors
/// TOO_LONG or INVALID for `text`; NOT_FOUND; CONFLICT for a version that is not the newest.
pub async fn save(app: &App, user_id: UserId, new: NewDraft) -> Result<Chat> {
    let most = usize::try_from(app.config().settings.message_characters).unwrap_or(usize::MAX);
    let text = input::text(&["text"], "The draft", &new.text, most);
    let text = text.map_err(|error| Error::Rejected(vec![error]))?;
    let replies = Extras {
        reply_to_id: new.reply_to_id,
        ..Extras::default()
    };
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            // What takes a message away takes it out of drafts, too, and has the chat locked.
            let membership = match new.reply_to_id {
                Some(_) => Membership::lock(connection, user_id, new.chat_id).await?,
                None => Membership::lock_own(connection, user_id, new.chat_id).await?,
            };
            replies.check_reply(connection, &membership).await?;
            let mine = chat_members::table.find((new.chat_id, user_id));
            let old: StoredDraft = mine.select(StoredDraft::as_select()).first(connection).await?;
            if new.version.is_some_and(|seen| seen != old.version) {
                let words = "The draft was changed on another device, or sent. Read it again, or save without a version to replace it.";
                return Err(Error::rejected(ErrorCode::Conflict, &["version"], words));
            }
            let is_there = !text.trim().is_empty() || new.reply_to_id.is_some();
            let text = is_there.then_some(text.as_str());
            if (old.text.as_deref(), old.reply_to_id) == (text, new.reply_to_id) {
                return Ok(membership.chat);
            }
            let grown = (
                chat_members::draft_version.eq(chat_members::draft_version + 1),
                chat_members::version.eq(chat_members::version + 1),
            );
            let replies = chat_members::draft_reply_to_id.eq(new.reply_to_id);
            match text {
                Some(text) => {
                    let changes = (
                        chat_members::draft_text.eq(text),
                        chat_members::draft_updated_at.eq(now),
                        replies,
                        grown,
                    );
                    diesel::update(mine).set(changes).execute(connection).await?;
                }
                None => {
                    let changes = (
                        chat_members::draft_text.eq(None::<String>),
                        chat_members::draft_updated_at.eq(None::<DateTime<Utc>>),
                        replies,
                        grown,
                    );
                    diesel::update(mine).set(changes).execute(connection).await?;
                }
            }
            append(connection, [event::chat_upserted_for(new.chat_id, user_id)]).await?;
            Ok::<_, Error>(membership.chat)
        })
        .await?;
    app.log().wake();
    Ok(chat)
}
