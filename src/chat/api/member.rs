//! Who is in a room, and what its system messages tell, as clients see them.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};

use super::loader::{ChatLoader, load_one};
use crate::account::api::load_user;
use crate::account::user::User;
use crate::assistant::Assistant;
use crate::chat::chat::Chat;
use crate::chat::room::note::{self, ChatDetail, StoredNote, SystemKind};
use crate::chat::room::permission::MemberRole;
use crate::chat::room::roster::{self, Member, MemberKey, Wanted};
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};
use crate::page::{Page, PageArguments, Window};

/// A page of a room's members.
pub type MemberConnection = Page<MemberKey, Member>;

/// How many people are in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CountOf(pub ChatId);

/// What a system message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteOf(pub MessageId);

impl Loader<CountOf> for ChatLoader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[CountOf]) -> Result<HashMap<CountOf, i64>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = roster::counts(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|(id, count)| (CountOf(id), count)).collect())
    }
}

impl Loader<Wanted> for ChatLoader {
    type Value = Vec<Member>;
    type Error = Error;

    async fn load(&self, keys: &[Wanted]) -> Result<HashMap<Wanted, Vec<Member>>> {
        Ok(roster::pages(&mut *self.app.connection().await?, keys).await?)
    }
}

impl Loader<NoteOf> for ChatLoader {
    type Value = StoredNote;
    type Error = Error;

    async fn load(&self, keys: &[NoteOf]) -> Result<HashMap<NoteOf, StoredNote>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = note::find_many(&mut *self.app.connection().await?, &ids).await?;
        Ok(found.into_iter().map(|note| (NoteOf(note.message_id), note)).collect())
    }
}

/// A page of the members of a chat that the asker was shown.
///
/// # Errors
/// Refused arguments.
pub async fn member_page(
    context: &Context<'_>,
    chat: &Chat,
    first: i32,
    after: Option<String>,
) -> Result<MemberConnection> {
    let arguments = PageArguments {
        first: Some(first),
        after,
        ..PageArguments::default()
    };
    let window: Window<MemberKey> = Window::forward(arguments, 0)?;
    let wanted = Wanted {
        chat_id: chat.id,
        after: window.after,
        most: window.fetch(),
    };
    let rows = load_one(context, wanted).await?.unwrap_or_default();
    Ok(window.connection(rows, Member::key))
}

/// Somebody in a room.
#[Object]
impl Member {
    /// Who.
    async fn user(&self, context: &Context<'_>) -> Result<User> {
        let user = load_user(context, self.user_id).await?;
        user.ok_or_else(|| Error::not_found(&[], "account"))
    }

    /// What they may do in the room.
    async fn role(&self) -> MemberRole {
        self.role
    }

    /// Since when they are in it.
    async fn joined_at(&self) -> DateTime<Utc> {
        self.joined_at
    }
}

/// What happened in a room.
#[derive(Debug)]
pub struct SystemNote(pub StoredNote);

/// What happened in a room: for clients to say it in their own words.
#[Object]
impl SystemNote {
    /// What happened.
    async fn kind(&self) -> SystemKind {
        self.0.kind
    }

    /// To whom it happened; null when to nobody, and when the account is gone.
    async fn subject(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.0.subject_id {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// The assistant that it happened to, with ASSISTANT_ADDED and ASSISTANT_REMOVED; null when it is gone.
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>> {
        match self.0.assistant_id {
            Some(id) => load_one(context, id).await,
            None => Ok(None),
        }
    }

    /// The role that they were given, with ROLE_CHANGED.
    async fn role(&self) -> Option<MemberRole> {
        self.0.role
    }

    /// What was changed, with DETAILS_CHANGED.
    async fn details(&self) -> Vec<ChatDetail> {
        self.0.details.iter().flatten().copied().collect()
    }
}
