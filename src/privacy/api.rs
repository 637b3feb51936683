//! One's own data in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::leave;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::UserId;

/// The proof that it is the person who asks.
#[derive(Debug, InputObject)]
pub struct DeleteAccountInput {
    /// The person's password, once more.
    password: String,
}

/// The result of `deleteAccount`.
#[derive(Debug, SimpleObject)]
pub struct DeleteAccountPayload {
    /// The account that is gone.
    deleted_user_id: Option<UserId>,
    /// What was refused; nothing is deleted then.
    errors: Vec<UserError>,
}

/// Whose account to delete, and the proof that it is an administrator who asks.
#[derive(Debug, InputObject)]
pub struct DeleteUserInput {
    /// Whose.
    user_id: UserId,
    /// The administrator's own password, once more.
    password: String,
}

/// The result of `deleteUser`.
#[derive(Debug, SimpleObject)]
pub struct DeleteUserPayload {
    /// The account that is gone.
    deleted_user_id: Option<UserId>,
    /// What was refused; nothing is deleted then.
    errors: Vec<UserError>,
}

/// What people do with all that is theirs.
#[derive(Debug, Default)]
pub struct PrivacyMutation;

#[Object]
impl PrivacyMutation {
    /// Deletes the viewer's account, for good. At once nobody can sign in to it, its sessions and streams are over, its user
    /// name and e-mail address are free, its running answers stop, and its provider keys, tool servers, memories,
    /// preferences, contacts and budgets are gone. Its own chats and assistants follow within moments. Groups go on without
    /// the person, handed over where they were the owner. What was said to others stays theirs to read; its author is shown
    /// as a deleted account.
    async fn delete_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The password, once more.")] input: DeleteAccountInput,
    ) -> Result<DeleteAccountPayload> {
        let who = context.signed_in()?;
        let deleted = leave::delete(context.app(), who, context.client(), who.user_id, input.password.into());
        let (deleted_user_id, errors) = payload(deleted.await)?;
        Ok(DeleteAccountPayload {
            deleted_user_id,
            errors,
        })
    }

    /// Deletes somebody's account, for good, as `deleteAccount` does; for administrators. At least one active administrator
    /// always remains.
    async fn delete_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose, and the administrator's password.")] input: DeleteUserInput,
    ) -> Result<DeleteUserPayload> {
        let who = context.viewer().admin()?;
        let deleted = leave::delete(
            context.app(),
            who,
            context.client(),
            input.user_id,
            input.password.into(),
        );
        let (deleted_user_id, errors) = payload(deleted.await)?;
        Ok(DeleteUserPayload {
            deleted_user_id,
            errors,
        })
    }
}
