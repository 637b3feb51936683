//! What people do with chats.

use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::chat::MarkReadInput;
use super::generation::Answer;
use super::reply::{ReplyOptions, started};
use crate::chat::change::{self, ChatChange};
use crate::chat::chat::{Chat, ChatHistory};
use crate::chat::extras::{Extras, Importance, MessageKind};
use crate::chat::lane::Reply;
use crate::chat::lifetime;
use crate::chat::message::Message;
use crate::chat::room::asked::AssistantReplies;
use crate::chat::room::details::DetailsChange;
use crate::chat::room::permission::PermissionsChange;
use crate::chat::room::purse::ChatPayer;
use crate::chat::send::{self, NewMessage};
use crate::chat::{read, title};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::event;
use crate::id::{AssistantId, ChatId, GenerationId, MessageId, ToolServerId};
use crate::notify::rules::NotificationLevel;
use crate::tool::builtin::BuiltinTool;
use crate::vault::api::ProviderName;

/// What to change about a chat; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdateChatInput {
    /// Which chat.
    chat_id: ChatId,
    /// What to call it, at most 120 characters; empty or null for no title.
    #[graphql(default)]
    title: MaybeUndefined<String>,
    /// Who is to answer, in this order, at most 8, in the place of those there are; empty for the default assistant. Groups
    /// have `addAssistants` and `removeAssistant` for it.
    assistant_ids: Option<Vec<AssistantId>>,
    /// Whose model is to answer; null for the assistant's.
    #[graphql(default)]
    provider: MaybeUndefined<ProviderName>,
    /// Which model is to answer; null for the assistant's.
    #[graphql(default)]
    model: MaybeUndefined<String>,
    /// The servers whose tools answers here may use, at most 8, of `viewer.toolServers`; none at first. The tools of one's
    /// own servers are used for oneself only.
    tool_server_ids: Option<Vec<ToolServerId>>,
    /// Which of Parlor's own tools answers here may use; none at first.
    builtin_tools: Option<Vec<BuiltinTool>>,
    /// Whether to keep it on top of one's own list.
    pinned: Option<bool>,
    /// Whether to put it away from one's own list.
    archived: Option<bool>,
    /// Of which messages to be notified oneself.
    notifications: Option<NotificationLevel>,
    /// Until when to be notified of none, such as the year 9999 for good; null for no longer.
    #[graphql(default)]
    muted_until: MaybeUndefined<DateTime<Utc>>,
    /// What a group is for, at most 1000 characters; empty or null for nothing.
    #[graphql(default)]
    description: MaybeUndefined<String>,
    /// The picture of a group: an https address, or a path on this server; empty or null for none.
    #[graphql(default)]
    icon_url: MaybeUndefined<String>,
    /// What those see who join the group from now on; the owner's to say.
    history: Option<ChatHistory>,
    /// Who may do what in the group; the owner's to say.
    permissions: Option<PermissionsChange>,
    /// When the assistants of the group answer; the owner's to say.
    assistant_replies: Option<AssistantReplies>,
    /// Who pays for what they answer; the owner's to say.
    payer: Option<ChatPayer>,
    /// How many seconds old messages get before they disappear for everybody, from 60 to 31536000 (a year); 0 or null lets
    /// them stay. Those that are older already disappear at once.
    #[graphql(default)]
    message_lifetime_seconds: MaybeUndefined<i32>,
}

/// The result of `updateChat`.
#[derive(Debug, SimpleObject)]
pub struct UpdateChatPayload {
    /// The chat as it is now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which chat to delete.
#[derive(Debug, InputObject)]
pub struct DeleteChatInput {
    /// Any but the always-there one.
    chat_id: ChatId,
}

/// The result of `deleteChat`.
#[derive(Debug, SimpleObject)]
pub struct DeleteChatPayload {
    /// The chat that is gone.
    deleted_chat_id: Option<ChatId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which chat to clear.
#[derive(Debug, InputObject)]
pub struct ClearHistoryInput {
    /// The chat.
    chat_id: ChatId,
}

/// The result of `clearHistory`.
#[derive(Debug, SimpleObject)]
pub struct ClearHistoryPayload {
    /// The chat, empty.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A message to send.
#[derive(Debug, InputObject)]
pub struct SendMessageInput {
    /// Where to.
    chat_id: ChatId,
    /// The text, of 1 to 4000 characters unless the server says otherwise.
    content: String,
    /// The client's own key for this message, such as a UUID: however often it is sent, it counts once, for good.
    idempotency_key: String,
    /// The message of the same chat that it replies to.
    reply_to_id: Option<MessageId>,
    /// What is in it. SYSTEM and ENCRYPTED are refused.
    #[graphql(default_with = "MessageKind::Text")]
    kind: MessageKind,
    /// How much it matters.
    #[graphql(default_with = "Importance::Normal")]
    importance: Importance,
    /// What clients want to know of it besides, which Parlor does not read: a JSON object of at most 8 KiB and 8 levels.
    metadata: Option<serde_json::Value>,
    /// Whom it mentions, at most 50: ids of people and assistants of the room. Those whom the text names are mentioned anyway.
    #[graphql(default)]
    mention_ids: Vec<ID>,
    /// How to answer it, this once.
    reply: Option<ReplyOptions>,
}

/// The result of `sendMessage`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct SendMessagePayload {
    /// The message.
    message: Option<Message>,
    /// The answer that it started, the first where there are several, none where only people are; follow it with `generationEvents`.
    generation: Option<Answer>,
    /// All answers that it started, in the order of their lanes.
    generations: Vec<Answer>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

#[ComplexObject]
impl SendMessagePayload {
    /// A position in the event log after all events of this send.
    async fn cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        cursor_behind(context, self.message.as_ref()).await
    }
}

/// A position in the event log after what made this message; none when nothing was made.
pub(super) async fn cursor_behind(context: &Context<'_>, message: Option<&Message>) -> Result<Option<String>> {
    if message.is_none() {
        return Ok(None);
    }
    let cursor = event::current(&mut *context.app().connection().await?).await?;
    Ok(Some(cursor.to_string()))
}

/// Which answer to stop.
#[derive(Debug, InputObject)]
pub struct StopGenerationInput {
    /// The answer.
    generation_id: GenerationId,
}

/// The result of `stopGeneration`.
#[derive(Debug, SimpleObject)]
pub struct StopGenerationPayload {
    /// The answer as it is now; one that had ended before stays as it was.
    generation: Option<Answer>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which chat is to have another title.
#[derive(Debug, InputObject)]
pub struct RegenerateTitleInput {
    /// The chat.
    chat_id: ChatId,
}

/// The result of `regenerateTitle`.
#[derive(Debug, SimpleObject)]
pub struct RegenerateTitlePayload {
    /// The chat as it is now; the new title comes as an event.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// The result of `markRead`.
#[derive(Debug, SimpleObject)]
pub struct MarkReadPayload {
    /// The chat as it is now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with chats.
#[derive(Debug, Default)]
pub struct ChatMutation;

#[Object]
impl ChatMutation {
    /// Changes a chat, or how it looks to the viewer. Of rooms of people, only groups have a title and the like, and who
    /// may change them is up to the group.
    async fn update_chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateChatInput,
    ) -> Result<UpdateChatPayload> {
        let who = context.signed_in()?;
        let lifetime =
            given(input.message_lifetime_seconds).map(|seconds| lifetime::checked(seconds.unwrap_or_default()));
        let (lifetime, errors) = payload(lifetime.transpose())?;
        let Some(lifetime) = lifetime else {
            return Ok(UpdateChatPayload { chat: None, errors });
        };
        let change = ChatChange {
            lifetime,
            title: given(input.title).map(Option::unwrap_or_default),
            assistants: input.assistant_ids,
            provider: given(input.provider).map(|provider| provider.map(Into::into)),
            model: given(input.model).map(Option::unwrap_or_default),
            tool_servers: input.tool_server_ids,
            builtin_tools: input.builtin_tools,
            pinned: input.pinned,
            archived: input.archived,
            notifications: input.notifications,
            muted_until: given(input.muted_until),
            details: DetailsChange {
                description: given(input.description).map(Option::unwrap_or_default),
                icon_url: given(input.icon_url).map(Option::unwrap_or_default),
                history: input.history,
                permissions: input.permissions,
                assistant_replies: input.assistant_replies,
                payer: input.payer,
            },
        };
        let (chat, errors) = payload(change::update(context.app(), who.user_id, input.chat_id, change).await)?;
        Ok(UpdateChatPayload { chat, errors })
    }

    /// Deletes a chat with an AI and all that was said in it, for good. Groups are left, as with `leaveChat`; a direct chat
    /// goes from the viewer's list, and comes back, empty, with the next message.
    async fn delete_chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] input: DeleteChatInput,
    ) -> Result<DeleteChatPayload> {
        let who = context.signed_in()?;
        let (deleted_chat_id, errors) = payload(change::delete(context.app(), who.user_id, input.chat_id).await)?;
        Ok(DeleteChatPayload {
            deleted_chat_id,
            errors,
        })
    }

    /// Removes all messages of a chat, for good; in rooms of several people for the viewer alone.
    async fn clear_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] input: ClearHistoryInput,
    ) -> Result<ClearHistoryPayload> {
        let who = context.signed_in()?;
        let (chat, errors) = payload(change::clear_history(context.app(), who.user_id, input.chat_id).await)?;
        Ok(ClearHistoryPayload { chat, errors })
    }

    /// Sends a message. Once this returns, it is stored, and in a chat with an AI the answer is on its way, whatever becomes
    /// of the client. In a group the assistants answer that it mentions (`@Name` or
    /// `mentionIds`) or replies to, at most 4, each with a message of its own; where the group says ALWAYS, the first one
    /// answers all others. They are shown what was said lately and nobody in the group is kept from. A message of whoever
    /// may not ASK_AI is sent without an answer. To whom the viewer blocks
    /// nothing can be sent in a direct chat; in groups, people who block each other see what the other says.
    async fn send_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message.")] input: SendMessageInput,
    ) -> Result<SendMessagePayload> {
        let who = context.signed_in()?;
        let new = NewMessage {
            chat_id: input.chat_id,
            content: input.content,
            idempotency_key: input.idempotency_key,
            extras: Extras {
                reply_to_id: input.reply_to_id,
                kind: input.kind,
                importance: input.importance,
                // An explicit null is nothing, too.
                metadata: input.metadata.filter(|metadata| !metadata.is_null()),
            },
            mentions: input.mention_ids.iter().map(|id| id.as_str().into()).collect(),
            reply: input.reply.map(Reply::from).unwrap_or_default(),
        };
        let (sent, errors) = payload(send::send(context.app(), who.user_id, new).await)?;
        let (message, generations) = started(sent);
        Ok(SendMessagePayload {
            message,
            generation: generations.first().cloned(),
            generations,
            errors,
        })
    }

    /// Stops an answer, from any device; what was written is kept. The provider is cut off at once. In a group, whoever
    /// asked may, and its moderators and owner.
    async fn stop_generation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] input: StopGenerationInput,
    ) -> Result<StopGenerationPayload> {
        let who = context.signed_in()?;
        let app = context.app();
        let (generation, errors) = payload(app.engine().stop(app, who.user_id, input.generation_id).await)?;
        Ok(StopGenerationPayload {
            generation: generation.map(Answer::from),
            errors,
        })
    }

    /// Has the model that answers in a chat give it another title, also in the place of the viewer's own. The title comes
    /// as an event; when there is none to be had the old one stays.
    async fn regenerate_title(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] input: RegenerateTitleInput,
    ) -> Result<RegenerateTitlePayload> {
        let who = context.signed_in()?;
        let (chat, errors) = payload(title::regenerate(context.app(), who.user_id, input.chat_id).await)?;
        Ok(RegenerateTitlePayload { chat, errors })
    }

    /// Says which message was read last; never goes back.
    async fn mark_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What was read.")] input: MarkReadInput,
    ) -> Result<MarkReadPayload> {
        let who = context.signed_in()?;
        let (chat, errors) =
            payload(read::mark_read(context.app(), who.user_id, input.chat_id, input.message_id).await)?;
        Ok(MarkReadPayload { chat, errors })
    }
}

/// None when left away, and then what was given, which may be null.
fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
