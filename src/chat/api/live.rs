//! What happens at this moment and is not kept: who types, who comes and goes, what assistants do.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::event::Event;
use crate::account::api::load_user;
use crate::account::presence::Presence;
use crate::account::user::User;
use crate::chat::member::Membership;
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError, payload};
use crate::event::Signal;
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::presence::run::{ACTIVITY, PRESENCE, TYPING};
use crate::presence::seen;
use crate::presence::wire::Doing;

/// Somebody types in a room of people, or does no more. Sent again while it goes on, so that whoever missed one is told
/// by the next; without another one it is over at `expiresAt`. Not sent of the viewer themselves, nor of people who are
/// invisible or blocked. Read `chat.typing` first.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct TypingChanged {
    /// Always null: it is not replayed.
    pub cursor: Option<String>,
    /// When it was told.
    pub occurred_at: DateTime<Utc>,
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub user_id: UserId,
    /// Whether they type.
    pub is_typing: bool,
    /// When it is over unless it is said again; null when it is over.
    pub expires_at: Option<DateTime<Utc>>,
}

#[ComplexObject]
impl TypingChanged {
    /// Who; null when the account is gone.
    async fn user(&self, context: &Context<'_>) -> Result<Option<User>> {
        load_user(context, self.user_id).await
    }
}

/// Somebody whom the viewer may see came, went, or is away; also the viewer themselves. Read `user.presence` first; who is
/// new among the viewer's contacts or in a room is read with it. Not sent on streams of single chats.
#[derive(Debug, SimpleObject)]
pub struct PresenceChanged {
    /// Always null: it is not replayed.
    pub cursor: Option<String>,
    /// When it was told.
    pub occurred_at: DateTime<Utc>,
    /// How it is now.
    pub presence: Presence,
}

/// What an assistant does for an answer. Read `generation.activity` first. Should one be missed, the `MessageUpdated` of
/// the answer's end says that it is done.
#[derive(Debug, SimpleObject)]
pub struct AssistantActivity {
    /// Always null: it is not replayed.
    pub cursor: Option<String>,
    /// When it was told.
    pub occurred_at: DateTime<Utc>,
    /// Where.
    pub chat_id: ChatId,
    /// The answer.
    pub generation_id: GenerationId,
    /// The message that it is written into.
    pub message_id: MessageId,
    /// What it does; null when it is done, whatever the outcome.
    pub activity: Option<Doing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typing {
    user_id: UserId,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    generation_id: GenerationId,
    message_id: MessageId,
    doing: Option<Doing>,
}

/// The event of a signal; none for one of another kind.
///
/// # Errors
/// When it does not say what signals of its kind say.
pub(super) fn event(signal: &Signal) -> Result<Option<Event>> {
    let (cursor, occurred_at) = (None, signal.occurred_at);
    let event = match (signal.subject.kind, signal.subject.chat_id) {
        (PRESENCE, _) => Event::PresenceChanged(PresenceChanged {
            cursor,
            occurred_at,
            presence: read(signal)?,
        }),
        (TYPING, Some(chat_id)) => {
            let Typing { user_id, expires_at } = read(signal)?;
            Event::TypingChanged(TypingChanged {
                cursor,
                occurred_at,
                chat_id,
                user_id,
                is_typing: expires_at.is_some(),
                expires_at,
            })
        }
        (ACTIVITY, Some(chat_id)) => {
            let Activity {
                generation_id,
                message_id,
                doing,
            } = read(signal)?;
            Event::AssistantActivity(AssistantActivity {
                cursor,
                occurred_at,
                chat_id,
                generation_id,
                message_id,
                activity: doing,
            })
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}

fn read<T: DeserializeOwned>(signal: &Signal) -> Result<T> {
    serde_json::from_value(signal.payload.clone()).map_err(Error::surprise)
}

/// Whether the viewer types.
#[derive(Debug, InputObject)]
pub struct SetTypingInput {
    /// Where.
    chat_id: ChatId,
    /// Whether they do.
    is_typing: bool,
}

/// The result of `setTyping`.
#[derive(Debug, SimpleObject)]
pub struct SetTypingPayload {
    /// What was said.
    is_typing: Option<bool>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What is told of this moment.
#[derive(Debug, Default)]
pub struct LiveMutation;

#[Object]
impl LiveMutation {
    /// Says that the viewer types in a room of people, or does no more. It is over by itself after six seconds, so say it
    /// again every three to five while it goes on; a message that is sent ends it, too. Nobody is told of somebody who is
    /// invisible.
    async fn set_typing(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Where, and whether.")] input: SetTypingInput,
    ) -> Result<SetTypingPayload> {
        let who = context.signed_in()?;
        let app = context.app();
        let mut connection = app.connection().await?;
        let found = Membership::of(&connection, who.user_id, input.chat_id).await?;
        let found = found.ok_or_else(|| Error::not_found(&["chatId"], "chat"));
        let (membership, errors) = payload(found)?;
        let is_shared = membership
            .as_ref()
            .is_some_and(|membership| membership.chat.is_shared());
        let is_hidden = input.is_typing && seen::is_invisible(&mut connection, who.user_id).await?;
        if is_shared && !is_hidden {
            app.presence().typing(input.chat_id, who.user_id, input.is_typing);
        }
        Ok(SetTypingPayload {
            is_typing: membership.map(|_| input.is_typing),
            errors,
        })
    }
}
