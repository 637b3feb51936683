//! Accounts in GraphQL: the public side of a person, sessions, and what people change about themselves.

use std::collections::HashMap;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::presence::{Presence, PresenceOf};
use super::profile::{self, ProfileChange};
use super::session::{self, Ending, Session};
use super::user::User;
use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError, payload};
use crate::id::{SessionId, UserId};

/// Finds people by id, many in one query.
#[derive(Debug, Clone)]
pub struct UserLoader {
    /// The shared handles.
    pub app: App,
    /// Whose view it is; none when nobody is signed in.
    pub viewer: Option<UserId>,
}

/// Asks what somebody is to the viewer. The answer comes from the room of contacts, which stands above this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelationTo(pub UserId);

/// What somebody is to the viewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relation {
    /// Whether they are a contact of the viewer.
    pub is_contact: bool,
    /// Whether the viewer blocks them.
    pub is_blocked: bool,
}

impl Loader<UserId> for UserLoader {
    type Value = User;
    type Error = Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, Self::Error> {
        let found = async { Ok(User::find_many(&mut *self.app.connection().await?, ids).await?) };
        found.await
    }
}

/// The person with this id, through the request's loader.
///
/// # Errors
/// When Postgres fails.
pub async fn load_user(context: &Context<'_>, id: UserId) -> Result<Option<User>> {
    context.data_unchecked::<DataLoader<UserLoader>>().load_one(id).await
}

async fn load_relation(context: &Context<'_>, id: UserId) -> Result<Relation> {
    let loader = context.data_unchecked::<DataLoader<UserLoader>>();
    Ok(loader.load_one(RelationTo(id)).await?.unwrap_or_default())
}

/// A person, as everybody may see them.
#[Object]
impl User {
    /// Opaque and typed.
    pub async fn id(&self) -> UserId {
        self.id
    }

    /// Unique without regard to case; people sign in and are found by it.
    pub async fn username(&self) -> &str {
        &self.username
    }

    /// The name to show.
    pub async fn display_name(&self) -> String {
        self.display_name.clone()
    }

    /// A few words that the person wrote about themselves.
    pub async fn bio(&self) -> Option<&str> {
        self.bio.as_deref()
    }

    /// Whether the viewer has this person in their contacts.
    pub async fn is_contact(&self, context: &Context<'_>) -> Result<bool> {
        Ok(load_relation(context, self.id).await?.is_contact)
    }

    /// Whether the viewer blocks this person. Nobody is told who blocks them.
    pub async fn is_blocked(&self, context: &Context<'_>) -> Result<bool> {
        Ok(load_relation(context, self.id).await?.is_blocked)
    }

    /// Whether the account was deleted. What the person said to others is still theirs to read, under a name that says
    /// so and under which nobody is found.
    pub async fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Whether this person is here, as far as it is the viewer's to know. `PresenceChanged` and `presenceEvents` tell of
    /// changes.
    pub async fn presence(&self, context: &Context<'_>) -> Result<Presence> {
        let loader = context.data_unchecked::<DataLoader<UserLoader>>();
        let presence = loader.load_one(PresenceOf(self.id)).await?;
        Ok(presence.unwrap_or_else(|| Presence::unknown(self.id)))
    }

    /// When the account was made.
    pub async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

/// One sign-in on one device.
#[Object]
impl Session {
    /// Opaque and typed.
    async fn id(&self) -> SessionId {
        self.id
    }

    /// Whether it is the session of this very request.
    async fn current(&self, context: &Context<'_>) -> Result<bool> {
        Ok(context.signed_in()?.session_id == self.id)
    }

    /// What the client called itself when it signed in.
    async fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The address it signed in from.
    async fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// When it signed in.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it last refreshed its access token.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.last_used_at
    }

    /// When it ends unless it is used before.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

/// What people change about their accounts.
#[derive(Debug, Default)]
pub struct AccountMutation;

/// Where to sign out.
#[derive(Debug, InputObject)]
pub struct LogoutInput {
    /// On all devices instead of this one alone.
    #[graphql(default)]
    everywhere: bool,
}

/// The result of `logout`.
#[derive(Debug, SimpleObject)]
pub struct LogoutPayload {
    /// How many sessions were ended.
    ended_sessions: i32,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which session to end.
#[derive(Debug, InputObject)]
pub struct RevokeSessionInput {
    /// One of `viewer.sessions`.
    session_id: SessionId,
}

/// The result of `revokeSession`.
#[derive(Debug, SimpleObject)]
pub struct RevokeSessionPayload {
    /// The session that is over.
    revoked_session_id: Option<SessionId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A change of password.
#[derive(Debug, InputObject)]
pub struct ChangePasswordInput {
    /// The password as it is.
    current_password: String,
    /// The password as it will be: 8 to 128 characters that are hard to guess.
    new_password: String,
}

/// The result of `changePassword`.
#[derive(Debug, SimpleObject)]
pub struct ChangePasswordPayload {
    /// Whether the password was changed. All other sessions are over then.
    changed: bool,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A change of one's profile; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdateProfileInput {
    /// The name to show, of 1 to 80 characters.
    display_name: Option<String>,
    /// A few words about oneself, at most 500 characters; empty removes them.
    bio: Option<String>,
}

/// The result of `updateProfile`.
#[derive(Debug, SimpleObject)]
pub struct UpdateProfilePayload {
    /// The person as they are now.
    user: Option<User>,
    /// What was refused.
    errors: Vec<UserError>,
}

#[Object]
impl AccountMutation {
    /// Signs out, here or everywhere. Live streams of the ended sessions end too.
    async fn logout(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Where to sign out.")] input: LogoutInput,
    ) -> Result<LogoutPayload> {
        let who = context.signed_in()?;
        let app = context.app();
        let mut connection = app.connection().await?;
        let ended = if input.everywhere {
            session::end_all(&mut connection, who.user_id, None, Ending::Logout).await?
        } else if session::end(&mut connection, who.session_id, Ending::Logout).await? {
            vec![who.session_id]
        } else {
            Vec::new()
        };
        ended.iter().for_each(|id| app.live_sessions().end(*id));
        Ok(LogoutPayload {
            ended_sessions: i32::try_from(ended.len()).unwrap_or(i32::MAX),
            errors: Vec::new(),
        })
    }

    /// Ends one of one's own sessions, such as that of a lost device.
    async fn revoke_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RevokeSessionInput,
    ) -> Result<RevokeSessionPayload> {
        let who = context.signed_in()?;
        let app = context.app();
        let mut connection = app.connection().await?;
        if session::find(&mut connection, who.user_id, input.session_id)
            .await?
            .is_none()
        {
            let (revoked_session_id, errors) = payload(Err(Error::not_found(&["sessionId"], "session")))?;
            return Ok(RevokeSessionPayload {
                revoked_session_id,
                errors,
            });
        }
        session::end(&mut connection, input.session_id, Ending::Revoked).await?;
        app.live_sessions().end(input.session_id);
        Ok(RevokeSessionPayload {
            revoked_session_id: Some(input.session_id),
            errors: Vec::new(),
        })
    }

    /// Changes the password and ends all other sessions.
    async fn change_password(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The old and the new password.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordPayload> {
        let who = context.signed_in()?;
        let (current, new) = (
            SecretString::from(input.current_password),
            SecretString::from(input.new_password),
        );
        let (changed, errors) =
            payload(profile::change_password(context.app(), who, context.client(), current, new).await)?;
        Ok(ChangePasswordPayload {
            changed: changed.is_some(),
            errors,
        })
    }

    /// Changes the display name and the bio.
    async fn update_profile(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProfileInput,
    ) -> Result<UpdateProfilePayload> {
        let who = context.signed_in()?;
        let change = ProfileChange {
            display_name: input.display_name,
            bio: input.bio,
        };
        let (user, errors) = payload(profile::update(context.app(), who.user_id, change).await)?;
        Ok(UpdateProfilePayload { user, errors })
    }
}
