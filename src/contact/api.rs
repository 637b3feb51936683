//! Contacts in GraphQL: finding people, and what they are to the viewer.

use async_graphql::{Context, InputObject, Object, OneofObject, SimpleObject};
use chrono::{DateTime, Utc};

use super::block;
use super::book::{self, Contact};
use super::find::{self, FoundKey, Wanted};
use crate::account::api::load_user;
use crate::account::user::User;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::UserId;
use crate::page::{Page, PageArguments, Window};

/// A page of contacts.
pub type ContactConnection = Page<i32, Contact>;
/// A page of people.
pub type UserConnection = Page<FoundKey, User>;

/// How many contacts a page has when nobody says.
const CONTACTS: i64 = 50;
/// How many found people a page has when nobody says.
const FOUND: i64 = 20;
/// What asking for one person by name counts for: as much as a page of so many.
const LOOKUP: u32 = 20;

/// A page of the contacts of `user_id`.
///
/// # Errors
/// Refused arguments.
pub async fn list(context: &Context<'_>, user_id: UserId, arguments: PageArguments) -> Result<ContactConnection> {
    let window = Window::forward(arguments, CONTACTS)?;
    let rows = book::list(&mut *context.app().connection().await?, user_id, &window).await?;
    Ok(window.connection(rows, |contact| contact.version))
}

/// Somebody in the viewer's address book.
#[Object]
impl Contact {
    /// Who it is.
    async fn user(&self) -> &User {
        &self.user
    }

    /// When they were added.
    async fn added_at(&self) -> DateTime<Utc> {
        self.added_at
    }

    /// Grows with each change of what somebody is to the viewer: apply a `ContactChanged` only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// Names one person, in one of three ways.
#[derive(Debug, OneofObject)]
pub enum UserBy {
    /// By id.
    Id(UserId),
    /// By user name, in any case.
    Username(String),
    /// By e-mail address, in any case.
    Email(String),
}

/// Questions about people.
#[derive(Debug, Default)]
pub struct ContactQuery;

#[Object]
impl ContactQuery {
    /// The person with this id, user name or e-mail address; null when there is none. Whoever was deactivated is known
    /// by id alone.
    async fn user(&self, context: &Context<'_>, #[graphql(desc = "Which person.")] by: UserBy) -> Result<Option<User>> {
        let who = context.signed_in()?;
        let name = match by {
            UserBy::Id(id) => return load_user(context, id).await,
            UserBy::Username(name) if !name.contains('@') => name,
            UserBy::Email(address) if address.contains('@') => address,
            UserBy::Username(_) | UserBy::Email(_) => return Ok(None),
        };
        context.app().throttle().find(who.user_id, LOOKUP)?;
        let mut connection = context.app().connection().await?;
        let found = User::find_by_identifier(&mut connection, &name).await?;
        Ok(found.filter(|user| user.deactivated_at.is_none()))
    }

    /// Searches for people other than the viewer: `ada` is the beginning of a user name or of a word of a display name,
    /// `@ada` of a user name only, and `ada@example.com` a whole e-mail address. User names come before display names.
    async fn find_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to look for, in any case, of at least 2 characters.")] query: String,
        #[graphql(desc = "How many from the start, at most 100.", default_with = "20")] first: i32,
        #[graphql(desc = "Only people after this cursor.")] after: Option<String>,
    ) -> Result<UserConnection> {
        let who = context.signed_in()?;
        let arguments = PageArguments {
            first: Some(first),
            after,
            ..PageArguments::default()
        };
        let window = Window::forward(arguments, FOUND)?;
        let wanted = Wanted::read(&query)?;
        context.app().throttle().find(who.user_id, first.unsigned_abs())?;
        let rows = find::find(&mut *context.app().connection().await?, who.user_id, &wanted, &window).await?;
        Ok(window.connection(rows, |user| wanted.key(user)))
    }
}

/// Whom to add.
#[derive(Debug, InputObject)]
pub struct AddContactInput {
    /// Anybody but oneself.
    user_id: UserId,
}

/// The result of `addContact`.
#[derive(Debug, SimpleObject)]
pub struct AddContactPayload {
    /// The contact.
    contact: Option<Contact>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whom to remove.
#[derive(Debug, InputObject)]
pub struct RemoveContactInput {
    /// One of `viewer.contacts`.
    user_id: UserId,
}

/// The result of `removeContact`.
#[derive(Debug, SimpleObject)]
pub struct RemoveContactPayload {
    /// Who is no contact any more.
    user: Option<User>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whom to block.
#[derive(Debug, InputObject)]
pub struct BlockUserInput {
    /// Anybody but oneself.
    user_id: UserId,
}

/// The result of `blockUser`.
#[derive(Debug, SimpleObject)]
pub struct BlockUserPayload {
    /// Who is blocked.
    user: Option<User>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whom to block no more.
#[derive(Debug, InputObject)]
pub struct UnblockUserInput {
    /// One of `viewer.blockedUsers`.
    user_id: UserId,
}

/// The result of `unblockUser`.
#[derive(Debug, SimpleObject)]
pub struct UnblockUserPayload {
    /// Who is blocked no more.
    user: Option<User>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with their address books.
#[derive(Debug, Default)]
pub struct ContactMutation;

#[Object]
impl ContactMutation {
    /// Adds somebody to the viewer's contacts. They are not asked and not told. Whoever is a contact already stays one.
    async fn add_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom to add.")] input: AddContactInput,
    ) -> Result<AddContactPayload> {
        let who = context.signed_in()?;
        let (contact, errors) = payload(book::add(context.app(), who.user_id, input.user_id).await)?;
        Ok(AddContactPayload { contact, errors })
    }

    /// Removes somebody from the viewer's contacts. They are not told. Chats with them stay.
    async fn remove_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom to remove.")] input: RemoveContactInput,
    ) -> Result<RemoveContactPayload> {
        let who = context.signed_in()?;
        let (user, errors) = payload(book::remove(context.app(), who.user_id, input.user_id).await)?;
        Ok(RemoveContactPayload { user, errors })
    }

    /// Blocks somebody, who is no contact of the viewer's any more. They are not told, and keep what they have: to them the
    /// viewer looks like somebody who does not answer.
    async fn block_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom to block.")] input: BlockUserInput,
    ) -> Result<BlockUserPayload> {
        let who = context.signed_in()?;
        let (user, errors) = payload(block::block(context.app(), who.user_id, input.user_id).await)?;
        Ok(BlockUserPayload { user, errors })
    }

    /// Blocks somebody no more. They are not told, and are no contact until they are added again.
    async fn unblock_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom to block no more.")] input: UnblockUserInput,
    ) -> Result<UnblockUserPayload> {
        let who = context.signed_in()?;
        let (user, errors) = payload(block::unblock(context.app(), who.user_id, input.user_id).await)?;
        Ok(UnblockUserPayload { user, errors })
    }
}
