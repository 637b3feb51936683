//! The chat as clients see it, and the pages of chats and messages.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::draft::Draft;
use super::generation::Answer;
use super::loader::{
    ChosenFor, LastOf, LifetimeOf, OwnChangeIn, RunningIn, StateOf, SummariesOf, UnreadOf, load_one, loader,
};
use super::member::{CountOf, MemberConnection, member_page};
use super::pin::pin_page;
use crate::account::api::load_user;
use crate::account::audit::{self, Actor};
use crate::account::user::{Role, User};
use crate::assistant::Assistant;
use crate::chat::chat::{self, Chat, ChatFilter, ChatHistory, ChatKey, ChatKind, TitleSource};
use crate::chat::message::{self, Message};
use crate::chat::room::asked::AssistantReplies;
use crate::chat::room::permission::{ChatPermission, MemberRole, Permissions};
use crate::chat::room::purse::ChatPayer;
use crate::chat::summary::Summary;
use crate::contact::blocks_among;
use crate::context::RequestContext;
use crate::error::Result;
use crate::id::{ChatId, MessageId, ToolServerId, UserId};
use crate::notify::rules::NotificationLevel;
use crate::page::{Page, PageArguments, Window};
use crate::scalar::Long;
use crate::tool::api::ToolServer;
use crate::tool::builtin::BuiltinTool;
use crate::vault::api::ProviderName;

/// A page of chats.
pub type ChatConnection = Page<ChatKey, Chat>;
/// A page of messages.
pub type MessageConnection = Page<i64, Message>;

/// How many messages a page has when nobody says.
const MESSAGES: i64 = 50;
/// How many chats a page has when nobody says.
const CHATS: i64 = 20;

/// Which chats to list; what is left away does not matter.
#[derive(Debug, InputObject)]
pub struct ChatFilterInput {
    /// Part of the title, in any case; of a direct chat, of the other person's name.
    query: Option<String>,
    /// Only pinned chats, or only others.
    pinned: Option<bool>,
    /// Only archived chats (true), or only others (false); null for both.
    #[graphql(default_with = "Some(false)")]
    archived: Option<bool>,
    /// Only chats of these kinds.
    kinds: Option<Vec<ChatKind>>,
}

/// A page of the chats of `user_id`.
///
/// # Errors
/// Refused arguments.
pub async fn list(
    context: &Context<'_>,
    user_id: UserId,
    filter: Option<ChatFilterInput>,
    arguments: PageArguments,
) -> Result<ChatConnection> {
    let filter = match filter {
        Some(ChatFilterInput {
            query,
            pinned,
            archived,
            kinds,
        }) => ChatFilter {
            query,
            pinned,
            archived,
            kinds,
        },
        None => ChatFilter {
            archived: Some(false),
            ..ChatFilter::default()
        },
    };
    let window = Window::forward(arguments, CHATS)?;
    let rows = chat::list(&mut *context.app().connection().await?, user_id, filter, &window).await?;
    Ok(window.connection(rows, |chat| (chat.last_activity_at, chat.id)))
}

/// A page of the history of a chat that the asker has been shown, behind the message at `history_after`.
///
/// # Errors
/// Refused arguments.
pub async fn message_page(
    context: &Context<'_>,
    chat_id: ChatId,
    history_after: i64,
    arguments: PageArguments,
) -> Result<MessageConnection> {
    let window = Window::from_end(arguments, MESSAGES)?;
    let viewer = context.signed_in()?.user_id;
    let mut connection = context.app().connection().await?;
    let rows = message::page(&mut connection, viewer, (chat_id, history_after), &window).await?;
    Ok(window.connection(rows, |message| message.sequence))
}

/// After which message the history of a chat is the asker's to read; none when nothing of it is any more. When an
/// administrator looks at what is said in a chat that they are not in, it is written into the audit log first: nobody
/// else comes to hold such a chat, except in the moment in which they are removed from it.
async fn readable_after(context: &Context<'_>, chat: &Chat) -> Result<Option<i64>> {
    let who = context.signed_in()?;
    let is_admin = who.role == Role::Admin;
    if !is_admin && !chat.is_shared() {
        return Ok(Some(chat.cleared_sequence));
    }
    if let Some(state) = load_one(context, StateOf(chat.id)).await? {
        return Ok(Some(state.history_after.max(chat.cleared_sequence)));
    }
    if !is_admin {
        return Ok(None);
    }
    let actor = Actor::signed_in(who, context.client());
    let mut connection = context.app().connection().await?;
    let target = Some(chat.id.to_string());
    audit::record(
        &mut connection,
        actor,
        "admin.read_messages",
        target,
        serde_json::json!({}),
    )
    .await?;
    Ok(Some(chat.cleared_sequence))
}

/// How a chat looks to the one who asks.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct ChatViewerState {
    #[graphql(skip)]
    pub(super) chat_id: ChatId,
    /// How many messages of others are unread, counted up to 1000.
    unread_count: i32,
    /// The newest message's number that was read.
    last_read_sequence: Long,
    /// Whether the chat is kept on top.
    pinned: bool,
    /// Whether the chat is put away.
    archived: bool,
    /// Of which messages the viewer is notified.
    notifications: NotificationLevel,
    /// Until when they are notified of none; null when not muted. One that has passed is none.
    muted_until: Option<DateTime<Utc>>,
    /// What the viewer is in the chat: the OWNER of one's own with an AI, and a MEMBER like the other in a direct chat.
    role: MemberRole,
    /// What the viewer may do in the chat.
    permissions: Vec<ChatPermission>,
    /// What the viewer has begun to write; null when nothing.
    draft: Option<Draft>,
    /// Grows with each change of the draft, and with each message that the viewer sends: for `saveDraft`.
    draft_version: i32,
}

/// A room: people and AI models in it, and what they say.
#[Object]
impl Chat {
    /// Opaque and typed.
    pub async fn id(&self) -> ChatId {
        self.id
    }

    /// Who is in the room.
    async fn kind(&self) -> ChatKind {
        self.kind
    }

    /// What it is called; null for a direct chat, which is called by the other person's name. In a chat with an AI its first message gives it a title at once, and after the first answer the model gives it a
    /// better one, which comes as an event; a person's own title stays.
    async fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Who gave the title; null while nobody did.
    async fn title_source(&self) -> Option<TitleSource> {
        self.title_source
    }

    /// Whether this is the viewer's always-there chat, which cannot be deleted.
    async fn is_default(&self) -> bool {
        self.is_default
    }

    /// The assistants in the room, in order. In a chat with an AI the first one that is `available` answers, and the
    /// default one when none is or none was chosen. In a group those answer who are mentioned, or whose words a message
    /// replies to: shared ones, and private ones whose owners are in it. Direct chats have none.
    async fn assistants(&self, context: &Context<'_>) -> Result<Vec<Assistant>> {
        if let Some(chosen) = load_one(context, ChosenFor(self.id)).await? {
            return Ok(chosen);
        }
        if self.is_shared() {
            return Ok(Vec::new());
        }
        Ok(load_one(context, Assistant::DEFAULT).await?.into_iter().collect())
    }

    /// Whose model answers here; null for the assistant's.
    async fn provider(&self) -> Option<ProviderName> {
        self.provider
            .as_deref()
            .and_then(|name| name.parse::<crate::ai::Provider>().ok())
            .map(Into::into)
    }

    /// The model that answers here; null for the assistant's, else the server's default.
    async fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The servers whose tools answers here may use.
    async fn tool_servers(&self, context: &Context<'_>) -> Result<Vec<ToolServer>> {
        let ids: Vec<ToolServerId> = self.tool_server_ids.iter().flatten().copied().collect();
        let mut found = loader(context)?.load_many(ids.iter().copied()).await?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).map(ToolServer).collect())
    }

    /// Which of Parlor's own tools answers here may use.
    async fn builtin_tools(&self) -> Vec<BuiltinTool> {
        self.builtin_tools.iter().flatten().copied().collect()
    }

    /// The history, oldest first. Without `first` and `last` the newest 50 messages.
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection> {
        let Some(history_after) = readable_after(context, self).await? else {
            return Ok(Window::forward(PageArguments::default(), MESSAGES)?.connection(Vec::new(), |_| 0));
        };
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = message_page(context, self.id, history_after, arguments).await?;
        if self.is_shared()
            && let Some(newest) = page.edges.last()
        {
            let handed = std::iter::once((self.id, newest.node.sequence));
            context.app().receipts().handed(context.signed_in()?.user_id, handed);
        }
        Ok(page)
    }

    /// The newest message.
    async fn last_message(&self, context: &Context<'_>) -> Result<Option<Message>> {
        match readable_after(context, self).await? {
            Some(history_after) => load_one(context, LastOf(self.id, history_after)).await,
            None => Ok(None),
        }
    }

    /// The messages that are kept in sight for all, the newest first; on whichever branch they are.
    async fn pinned_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, at most 100.", default = 20)] first: i32,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
    ) -> Result<MessageConnection> {
        let history_after = readable_after(context, self).await?;
        pin_page(context, self.id, history_after, first, after).await
    }

    /// The answers that are being written right now.
    async fn active_generations(&self, context: &Context<'_>) -> Result<Vec<Answer>> {
        let Some(history_after) = readable_after(context, self).await? else {
            return Ok(Vec::new());
        };
        let running = RunningIn(self.id, history_after);
        let running = load_one(context, running).await?.unwrap_or_default();
        Ok(running.into_iter().map(Answer::from).collect())
    }

    /// The people other than the viewer who type in the room at this moment. `TypingChanged` tells of changes.
    async fn typing(&self, context: &Context<'_>) -> Result<Vec<User>> {
        let who = context.signed_in()?;
        let mut typists = context.app().presence().typists(self.id);
        typists.retain(|id| *id != who.user_id);
        if typists.is_empty() || load_one(context, StateOf(self.id)).await?.is_none() {
            return Ok(Vec::new());
        }
        let blocked = blocks_among(&mut *context.app().connection().await?, who.user_id, &typists).await?;
        let mut people = Vec::new();
        for id in typists.into_iter().filter(|id| !blocked.contains(id)) {
            people.extend(load_user(context, id).await?);
        }
        Ok(people)
    }

    /// The summaries of what was said, those that go furthest first, at most 50.
    async fn summaries(&self, context: &Context<'_>) -> Result<Vec<Summary>> {
        if readable_after(context, self).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(load_one(context, SummariesOf(self.id)).await?.unwrap_or_default())
    }

    /// How the chat looks to the viewer; null for an administrator who is not in it.
    async fn viewer_state(&self, context: &Context<'_>) -> Result<Option<ChatViewerState>> {
        let Some(state) = load_one(context, StateOf(self.id)).await? else {
            return Ok(None);
        };
        let unread = load_one(context, UnreadOf(self.id)).await?.unwrap_or_default();
        Ok(Some(ChatViewerState {
            chat_id: self.id,
            unread_count: i32::try_from(unread).unwrap_or(i32::MAX),
            last_read_sequence: Long(state.last_read_sequence),
            pinned: state.pinned_at.is_some(),
            archived: state.archived_at.is_some(),
            notifications: state.notifications,
            muted_until: state.muted_until,
            role: state.role,
            draft: Draft::of(&state.draft),
            draft_version: state.draft.version,
            permissions: ChatPermission::ALL
                .into_iter()
                .filter(|permission| self.allows(state.role, *permission))
                .collect(),
        }))
    }

    /// What a group is for, in its own words.
    async fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The picture of a group.
    async fn icon_url(&self) -> Option<&str> {
        self.icon_url.as_deref()
    }

    /// What those see who join the group from now on; null where nobody can join.
    async fn history(&self) -> Option<ChatHistory> {
        (self.kind == ChatKind::Group).then_some(self.history)
    }

    /// Who may do what in the group; null where there are no roles. What the viewer may do is in `viewerState`.
    async fn permissions(&self) -> Option<Permissions> {
        (self.kind == ChatKind::Group).then_some(self.permissions)
    }

    /// When the assistants of the group answer; null where there is no group.
    async fn assistant_replies(&self) -> Option<AssistantReplies> {
        (self.kind == ChatKind::Group).then_some(self.assistant_replies)
    }

    /// Who pays for what the assistants of the group answer; null where there is no group.
    async fn payer(&self) -> Option<ChatPayer> {
        (self.kind == ChatKind::Group).then_some(self.payer)
    }

    /// How many seconds old messages get here before they disappear; null where they stay. A client need not
    /// wait to be told: what was created that long ago is gone, and `HistoryCleared` follows for devices that slept.
    async fn message_lifetime_seconds(&self, context: &Context<'_>) -> Result<Option<i32>> {
        load_one(context, LifetimeOf(self.id)).await
    }

    /// Who is in the room, those first who are there longest. A direct chat has both of its people, whether or not they
    /// have deleted it on their side.
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, at most 100.", default = 50)] first: i32,
        #[graphql(desc = "Only members after this cursor.")] after: Option<String>,
    ) -> Result<MemberConnection> {
        member_page(context, self, first, after).await
    }

    /// How many people are in the room.
    async fn member_count(&self, context: &Context<'_>) -> Result<i32> {
        let count = load_one(context, CountOf(self.id)).await?.unwrap_or_default();
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Grows with each change of what the viewer sees of it: apply an event only when its version is higher.
    async fn version(&self, context: &Context<'_>) -> Result<i32> {
        let own = load_one(context, StateOf(self.id)).await?;
        Ok(self.version + own.map_or(0, |state| state.version))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it last changed.
    async fn updated_at(&self, context: &Context<'_>) -> Result<DateTime<Utc>> {
        let own = load_one(context, StateOf(self.id)).await?;
        let updated_at = own.map_or(self.updated_at, |state| state.latest(self.updated_at));
        // Nobody withholds anything from others but of a pair.
        if self.kind != ChatKind::Direct {
            return Ok(updated_at);
        }
        let changed_at = load_one(context, OwnChangeIn(self.id)).await?;
        Ok(changed_at.map_or(updated_at, |own| own.max(updated_at)))
    }

    /// When its newest message was sent, else when it was made.
    async fn last_activity_at(&self, context: &Context<'_>) -> Result<DateTime<Utc>> {
        let own = load_one(context, StateOf(self.id)).await?;
        Ok(own.map_or(self.last_activity_at, |state| state.latest(self.last_activity_at)))
    }
}

/// Which message was read last.
#[derive(Debug, InputObject)]
pub struct MarkReadInput {
    /// The chat.
    pub chat_id: ChatId,
    /// The newest message that was read.
    pub message_id: MessageId,
}
