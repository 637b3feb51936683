//! One query for many: what the fields of chats and messages need, gathered over a whole request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use chrono::{DateTime, Utc};

use crate::app::App;
use crate::assistant::{Assistant, assistant};
use crate::chat::branch;
use crate::chat::chat::{self, Chat};
use crate::chat::lifetime;
use crate::chat::member::{self, MemberState};
use crate::chat::message::{self, Message};
use crate::chat::own;
use crate::chat::reply::generation::{self, Generation, StoredText};
use crate::chat::reply::steps::row::{self, StoredCall};
use crate::chat::summary::{self, Summary};
use crate::error::{Error, Result};
use crate::id::{AssistantId, ChatId, GenerationId, MessageId, ToolCallId, ToolServerId, UserId};
use crate::tool::server::{self, StoredServer};
use crate::usage::ledger;

/// Loads what belongs to chats, as the viewer may see it.
#[derive(Debug, Clone)]
pub struct ChatLoader {
    /// The shared handles.
    pub app: App,
    /// Whose view it is.
    pub viewer: UserId,
    /// Chats that events in hand speak of: one that is deleted before its event is written out is still shown on it,
    /// as the event of the deletion comes only after.
    in_hand: Arc<Mutex<HashMap<ChatId, Arc<Chat>>>>,
}

impl ChatLoader {
    /// A loader of what this person may see.
    pub fn new(app: App, viewer: UserId) -> Self {
        ChatLoader {
            app,
            viewer,
            in_hand: Arc::default(),
        }
    }

    /// Keeps the chats of the events in hand, and forgets those of the events before.
    pub fn keep(&self, chats: HashMap<ChatId, Arc<Chat>>) {
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner) = chats;
    }

    fn kept(&self, id: ChatId) -> Option<Chat> {
        let chats = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        chats.get(&id).map(|chat| Chat::clone(chat))
    }
}

/// The chat's own row; for chats that the viewer was already shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowOf(pub ChatId);
/// The newest message of a chat after a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastOf(pub ChatId, pub i64);
/// How a chat looks to the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateOf(pub ChatId);
/// How many messages of a chat the viewer has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnreadOf(pub ChatId);
/// The assistants that were chosen for a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChosenFor(pub ChatId);
/// The summaries of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SummariesOf(pub ChatId);
/// The answers that are being written in a chat after the message with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunningIn(pub ChatId, pub i64);
/// The generation that a message is written by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WriterOf(pub MessageId);
/// The other versions of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiblingsOf(pub MessageId);
/// The stored text of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextOf(pub GenerationId);

/// The calls of tools of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallsOf(pub GenerationId);

/// How old messages of a chat get; none where they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LifetimeOf(pub ChatId);
/// When the viewer last changed something of a direct chat that the other is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnChangeIn(pub ChatId);

/// Whether a generation came from the cache: it has a value then, and none else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CachedOf(pub GenerationId);

/// Who pays for a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayerOf(pub GenerationId);

impl Loader<PayerOf> for ChatLoader {
    type Value = UserId;
    type Error = Error;

    async fn load(&self, keys: &[PayerOf]) -> Result<HashMap<PayerOf, UserId>> {
        let ids: Vec<GenerationId> = keys.iter().map(|key| key.0).collect();
        let found = ledger::payers(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, payer)| (PayerOf(id), payer)).collect())
    }
}

/// A call of a tool that the viewer may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallOf(pub ToolCallId);

impl Loader<CallsOf> for ChatLoader {
    type Value = Vec<StoredCall>;
    type Error = Error;

    async fn load(&self, keys: &[CallsOf]) -> Result<HashMap<CallsOf, Vec<StoredCall>>> {
        let ids: Vec<GenerationId> = keys.iter().map(|key| key.0).collect();
        let found = row::calls_of(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, calls)| (CallsOf(id), calls)).collect())
    }
}

impl Loader<LifetimeOf> for ChatLoader {
    type Value = i32;
    type Error = Error;

    async fn load(&self, keys: &[LifetimeOf]) -> Result<HashMap<LifetimeOf, i32>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = lifetime::find_many(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, seconds)| (LifetimeOf(id), seconds))
            .collect())
    }
}

impl Loader<OwnChangeIn> for ChatLoader {
    type Value = DateTime<Utc>;
    type Error = Error;

    async fn load(&self, keys: &[OwnChangeIn]) -> Result<HashMap<OwnChangeIn, DateTime<Utc>>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = own::latest(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, at)| (OwnChangeIn(id), at)).collect())
    }
}

impl Loader<CachedOf> for ChatLoader {
    type Value = ();
    type Error = Error;

    async fn load(&self, keys: &[CachedOf]) -> Result<HashMap<CachedOf, ()>> {
        let ids: Vec<GenerationId> = keys.iter().map(|key| key.0).collect();
        let found = ledger::cached(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|id| (CachedOf(id), ())).collect())
    }
}

impl Loader<CallOf> for ChatLoader {
    type Value = StoredCall;
    type Error = Error;

    async fn load(&self, keys: &[CallOf]) -> Result<HashMap<CallOf, StoredCall>> {
        let ids: Vec<ToolCallId> = keys.iter().map(|key| key.0).collect();
        let found = row::find_visible(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|call| (CallOf(call.id), call)).collect())
    }
}

/// Generations that the viewer may see.
impl Loader<GenerationId> for ChatLoader {
    type Value = Generation;
    type Error = Error;

    async fn load(&self, ids: &[GenerationId]) -> Result<HashMap<GenerationId, Generation>> {
        let found = generation::find_many(&mut *self.app.connection().await?, self.viewer, ids).await?;
        Ok(found
            .into_iter()
            .map(|generation| (generation.id, generation))
            .collect())
    }
}

/// Tool servers that the viewer may see.
impl Loader<ToolServerId> for ChatLoader {
    type Value = StoredServer;
    type Error = Error;

    async fn load(&self, ids: &[ToolServerId]) -> Result<HashMap<ToolServerId, StoredServer>> {
        let found = server::find_many(&mut *self.app.connection().await?, self.viewer, ids).await?;
        Ok(found.into_iter().map(|server| (server.id, server)).collect())
    }
}

impl Loader<RowOf> for ChatLoader {
    type Value = Chat;
    type Error = Error;

    async fn load(&self, keys: &[RowOf]) -> Result<HashMap<RowOf, Chat>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let mut found = chat::find_many(&mut *self.app.connection().await?, &ids).await?;
        let missing: Vec<ChatId> = ids.into_iter().filter(|id| !found.contains_key(id)).collect();
        found.extend(missing.into_iter().filter_map(|id| Some((id, self.kept(id)?))));
        Ok(found.into_iter().map(|(id, chat)| (RowOf(id), chat)).collect())
    }
}

impl Loader<LastOf> for ChatLoader {
    type Value = Message;
    type Error = Error;

    async fn load(&self, keys: &[LastOf]) -> Result<HashMap<LastOf, Message>> {
        let chats: Vec<(ChatId, i64)> = keys.iter().map(|key| (key.0, key.1)).collect();
        let found = message::last_of(&mut *self.app.connection().await?, self.viewer, &chats).await?;
        let last = keys.iter().filter_map(|key| Some((*key, found.get(&key.0)?.clone())));
        Ok(last.collect())
    }
}

impl Loader<StateOf> for ChatLoader {
    type Value = MemberState;
    type Error = Error;

    async fn load(&self, keys: &[StateOf]) -> Result<HashMap<StateOf, MemberState>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = MemberState::find_many(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, state)| (StateOf(id), state)).collect())
    }
}

impl Loader<UnreadOf> for ChatLoader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[UnreadOf]) -> Result<HashMap<UnreadOf, i64>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = member::unread_counts(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, count)| (UnreadOf(id), count)).collect())
    }
}

impl Loader<ChosenFor> for ChatLoader {
    type Value = Vec<Assistant>;
    type Error = Error;

    async fn load(&self, keys: &[ChosenFor]) -> Result<HashMap<ChosenFor, Vec<Assistant>>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = assistant::chosen_for(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, chosen)| (ChosenFor(id), chosen)).collect())
    }
}

impl Loader<SummariesOf> for ChatLoader {
    type Value = Vec<Summary>;
    type Error = Error;

    async fn load(&self, keys: &[SummariesOf]) -> Result<HashMap<SummariesOf, Vec<Summary>>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = summary::of_chats(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, made)| (SummariesOf(id), made)).collect())
    }
}

/// Assistants by id, for chats and messages that the viewer was shown already.
impl Loader<AssistantId> for ChatLoader {
    type Value = Assistant;
    type Error = Error;

    async fn load(&self, ids: &[AssistantId]) -> Result<HashMap<AssistantId, Assistant>> {
        Ok(assistant::find_named(&mut *self.app.connection().await?, ids).await?)
    }
}

impl Loader<RunningIn> for ChatLoader {
    type Value = Vec<Generation>;
    type Error = Error;

    async fn load(&self, keys: &[RunningIn]) -> Result<HashMap<RunningIn, Vec<Generation>>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = generation::running_in(&mut *self.app.connection().await?, &ids).await?;
        let behind = |key: &RunningIn| {
            let seen = found
                .iter()
                .filter(|(running, sequence)| running.chat_id == key.0 && *sequence > key.1);
            (*key, seen.map(|(running, _)| running.clone()).collect())
        };
        Ok(keys.iter().map(behind).collect())
    }
}

impl Loader<WriterOf> for ChatLoader {
    type Value = Generation;
    type Error = Error;

    async fn load(&self, keys: &[WriterOf]) -> Result<HashMap<WriterOf, Generation>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = generation::find_by_messages(&mut *self.app.connection().await?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, generation)| (WriterOf(id), generation))
            .collect())
    }
}

impl Loader<SiblingsOf> for ChatLoader {
    type Value = Vec<Message>;
    type Error = Error;

    async fn load(&self, keys: &[SiblingsOf]) -> Result<HashMap<SiblingsOf, Vec<Message>>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = branch::siblings_of(&mut *self.app.connection().await?, &ids).await?;
        let mut siblings: HashMap<SiblingsOf, Vec<Message>> = HashMap::new();
        for (of, message) in found {
            siblings.entry(SiblingsOf(of)).or_default().push(message);
        }
        Ok(siblings)
    }
}

impl Loader<TextOf> for ChatLoader {
    type Value = StoredText;
    type Error = Error;

    async fn load(&self, keys: &[TextOf]) -> Result<HashMap<TextOf, StoredText>> {
        let ids: Vec<GenerationId> = keys.iter().map(|key| key.0).collect();
        let found = generation::texts(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, text)| (TextOf(id), text)).collect())
    }
}

impl Loader<MessageId> for ChatLoader {
    type Value = Message;
    type Error = Error;

    async fn load(&self, ids: &[MessageId]) -> Result<HashMap<MessageId, Message>> {
        Ok(message::find_many_visible(&mut *self.app.connection().await?, self.viewer, ids).await?)
    }
}

/// One thing, through the request's loader.
///
/// # Errors
/// When Postgres fails.
pub async fn load_one<K>(context: &Context<'_>, key: K) -> Result<Option<<ChatLoader as Loader<K>>::Value>>
where
    K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
    ChatLoader: Loader<K, Error = Error>,
{
    loader(context)?.load_one(key).await
}

/// The request's loader.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is signed in.
pub fn loader<'a>(context: &Context<'a>) -> Result<&'a DataLoader<ChatLoader>> {
    context
        .data::<DataLoader<ChatLoader>>()
        .map_err(|_| Error::Unauthenticated)
}
