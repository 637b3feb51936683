//! Memories and preferences in GraphQL: for the person they are of.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::memory::{self, Memory};
use super::preferences::{self, AddableBy, Preferences, PreferencesChange};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{MemoryId, UserId};
use crate::page::{Page, PageArguments, Window};

/// A page of memories.
pub type MemoryConnection = Page<MemoryId, Memory>;

/// How many memories a page has when nobody says.
const MEMORIES: i64 = 50;

/// A page of the memories of `user_id`.
///
/// # Errors
/// Refused arguments.
pub async fn list(context: &Context<'_>, user_id: UserId, arguments: PageArguments) -> Result<MemoryConnection> {
    let window = Window::forward(arguments, MEMORIES)?;
    let rows = memory::list(&mut *context.app().connection().await?, user_id, &window).await?;
    Ok(window.connection(rows, |memory| memory.id))
}

/// Something that the AI is to remember of the viewer across chats.
#[Object]
impl Memory {
    /// Opaque and typed.
    pub async fn id(&self) -> MemoryId {
        self.id
    }

    /// What is to be remembered.
    async fn content(&self) -> &str {
        &self.content
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
}

/// How the viewer wants the AI to be with them, and people.
#[Object]
impl Preferences {
    /// What the viewer says about themselves; models that answer them are told.
    async fn about_me(&self) -> Option<&str> {
        self.about_me.as_deref()
    }

    /// How the viewer wants to be answered.
    async fn response_style(&self) -> Option<&str> {
        self.response_style.as_deref()
    }

    /// The language that the viewer wants to be answered in; null for that of the question.
    async fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Whether models that answer the viewer are told `viewer.memories`.
    async fn memory_enabled(&self) -> bool {
        self.memory_enabled
    }

    /// Whether the model that answers is asked for a title after the first answer of a chat.
    async fn titles_enabled(&self) -> bool {
        self.titles_enabled
    }

    /// Whether long chats are summarised before they outgrow what a model takes.
    async fn summaries_enabled(&self) -> bool {
        self.summaries_enabled
    }

    /// Who may add the viewer to groups; at first everybody whom they do not block.
    async fn addable_by(&self) -> AddableBy {
        self.addable_by
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// Something to remember.
#[derive(Debug, InputObject)]
pub struct AddMemoryInput {
    /// A sentence or two, at most 500 characters.
    content: String,
}

/// The result of `addMemory`.
#[derive(Debug, SimpleObject)]
pub struct AddMemoryPayload {
    /// The memory.
    memory: Option<Memory>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A memory in other words.
#[derive(Debug, InputObject)]
pub struct UpdateMemoryInput {
    /// One of `viewer.memories`.
    memory_id: MemoryId,
    /// A sentence or two, at most 500 characters.
    content: String,
}

/// The result of `updateMemory`.
#[derive(Debug, SimpleObject)]
pub struct UpdateMemoryPayload {
    /// The memory as it is now.
    memory: Option<Memory>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which memory to remove.
#[derive(Debug, InputObject)]
pub struct DeleteMemoryInput {
    /// One of `viewer.memories`.
    memory_id: MemoryId,
}

/// The result of `deleteMemory`.
#[derive(Debug, SimpleObject)]
pub struct DeleteMemoryPayload {
    /// The memory that is gone.
    deleted_memory_id: Option<MemoryId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What to change about one's preferences; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdatePreferencesInput {
    /// What to tell models about oneself, at most 2000 characters; null for nothing.
    #[graphql(default)]
    about_me: MaybeUndefined<String>,
    /// How one wants to be answered, at most 1000 characters; null for as the model likes.
    #[graphql(default)]
    response_style: MaybeUndefined<String>,
    /// The language that one wants to be answered in, such as `Deutsch`; null for that of the question.
    #[graphql(default)]
    language: MaybeUndefined<String>,
    /// Whether models are told one's memories.
    memory_enabled: Option<bool>,
    /// Whether models are asked for titles.
    titles_enabled: Option<bool>,
    /// Whether long chats are summarised by themselves.
    summaries_enabled: Option<bool>,
    /// Who may add one to groups. Others are told that one does not want to be added; so is whoever one blocks.
    addable_by: Option<AddableBy>,
}

/// The result of `updatePreferences`.
#[derive(Debug, SimpleObject)]
pub struct UpdatePreferencesPayload {
    /// The preferences as they are now.
    preferences: Option<Preferences>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people tell the AI about themselves.
#[derive(Debug, Default)]
pub struct MemoryMutation;

#[Object]
impl MemoryMutation {
    /// Has the AI remember something of the viewer in all their chats.
    async fn add_memory(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to remember.")] input: AddMemoryInput,
    ) -> Result<AddMemoryPayload> {
        let who = context.signed_in()?;
        let (memory, errors) = payload(memory::add(context.app(), who.user_id, &input.content).await)?;
        Ok(AddMemoryPayload { memory, errors })
    }

    /// Changes something that the AI remembers.
    async fn update_memory(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which, and how it should be.")] input: UpdateMemoryInput,
    ) -> Result<UpdateMemoryPayload> {
        let who = context.signed_in()?;
        let changed = memory::update(context.app(), who.user_id, input.memory_id, &input.content).await;
        let (memory, errors) = payload(changed)?;
        Ok(UpdateMemoryPayload { memory, errors })
    }

    /// Has the AI forget something, for good.
    async fn delete_memory(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to forget.")] input: DeleteMemoryInput,
    ) -> Result<DeleteMemoryPayload> {
        let who = context.signed_in()?;
        let (deleted_memory_id, errors) = payload(memory::delete(context.app(), who.user_id, input.memory_id).await)?;
        Ok(DeleteMemoryPayload {
            deleted_memory_id,
            errors,
        })
    }

    /// Changes how the AI is with the viewer, from the next answer on, and who may add them to groups.
    async fn update_preferences(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdatePreferencesInput,
    ) -> Result<UpdatePreferencesPayload> {
        let who = context.signed_in()?;
        let change = PreferencesChange {
            about_me: input.about_me.into(),
            response_style: input.response_style.into(),
            language: input.language.into(),
            memory_enabled: input.memory_enabled,
            titles_enabled: input.titles_enabled,
            summaries_enabled: input.summaries_enabled,
            addable_by: input.addable_by,
        };
        let (preferences, errors) = payload(preferences::update(context.app(), who.user_id, change).await)?;
        Ok(UpdatePreferencesPayload { preferences, errors })
    }
}
