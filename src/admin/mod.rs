//! What administrators see and do. Reading other people's chats is written to the audit log.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::account::admin::{self, UserFilter, UserKey};
use crate::account::api::load_user;
use crate::account::audit::{self, Actor, AuditEntry};
use crate::account::user::{Role, User};
use crate::chat::api::{self as chats, ChatConnection, ChatFilterInput, MessageConnection};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{AuditId, ChatId, UserId};
use crate::notify::webhook::row::{self as webhook, Webhook};
use crate::page::{Page, PageArguments, Window};
use crate::tool::api::ToolServer;
use crate::tool::server;
use crate::usage::api::{self as usage, Budget, UsageReport};
use crate::usage::report::{UsageGrouping, Wanted};

/// An account as administrators see it.
#[derive(Debug, Clone)]
pub struct AdminUser(pub User);

/// An account as administrators see it.
#[Object]
impl AdminUser {
    /// Opaque and typed.
    async fn id(&self) -> UserId {
        self.0.id
    }

    /// The side of the account that everybody sees.
    async fn user(&self) -> &User {
        &self.0
    }

    /// Unique without regard to case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The name to show.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// Where the person can be reached.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What the person may do on the server as a whole.
    async fn role(&self) -> Role {
        self.0.role
    }

    /// Whether the person can sign in.
    async fn active(&self) -> bool {
        self.0.deactivated_at.is_none()
    }

    /// Since when the account is barred.
    async fn deactivated_at(&self) -> Option<DateTime<Utc>> {
        self.0.deactivated_at
    }

    /// What the person may spend; no budget is no limit.
    async fn budgets(&self, context: &Context<'_>) -> Result<Vec<Budget>> {
        context.viewer().admin()?;
        usage::budgets_of(context, self.0.id).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// An entry of the audit log: who did or read what.
#[Object]
impl AuditEntry {
    /// Opaque and typed.
    async fn id(&self) -> AuditId {
        self.id
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }

    /// Who did it; null for the command line, for people who were not signed in, and for accounts that are gone.
    async fn actor(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.actor_id {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// What was done, such as `admin.set_role`.
    async fn action(&self) -> &str {
        &self.action
    }

    /// The id of what it was done to.
    async fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The address that it came from.
    async fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What else there is to know, as JSON.
    async fn detail(&self) -> async_graphql::Json<serde_json::Value> {
        async_graphql::Json(self.detail.clone())
    }
}

/// The server as its administrators see it.
#[derive(Debug)]
pub struct Admin;

#[Object]
impl Admin {
    /// The accounts, newest first.
    #[expect(clippy::too_many_arguments, reason = "a filter and Relay's arguments")]
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Part of the user name, display name or e-mail address, in any case.")] query: Option<String>,
        #[graphql(desc = "Only accounts of this role.")] role: Option<Role>,
        #[graphql(desc = "Only accounts that can sign in (true) or cannot (false).")] active: Option<bool>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only accounts after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only accounts before this cursor.")] before: Option<String>,
    ) -> Result<Page<UserKey, AdminUser>> {
        context.viewer().admin()?;
        let window = Window::forward(
            PageArguments {
                first,
                after,
                last,
                before,
            },
            50,
        )?;
        let mut connection = context.app().connection().await?;
        let rows = admin::users(&mut connection, UserFilter { query, role, active }, &window).await?;
        Ok(window.connection(rows.into_iter().map(AdminUser).collect(), |user| {
            (user.0.created_at, user.0.id)
        }))
    }

    /// A person's chats, latest activity first. This is written to the audit log.
    #[expect(clippy::too_many_arguments, reason = "a filter and Relay's arguments")]
    async fn chats(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose chats.")] user_id: UserId,
        #[graphql(desc = "Which chats.")] filter: Option<ChatFilterInput>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only chats after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only chats before this cursor.")] before: Option<String>,
    ) -> Result<ChatConnection> {
        record(context, "admin.read_chats", user_id.to_string()).await?;
        chats::list(
            context,
            user_id,
            filter,
            PageArguments {
                first,
                after,
                last,
                before,
            },
        )
        .await
    }

    /// The messages of any chat, oldest first. This is written to the audit log.
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] chat_id: ChatId,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection> {
        record(context, "admin.read_messages", chat_id.to_string()).await?;
        chats::message_page(
            context,
            chat_id,
            0,
            PageArguments {
                first,
                after,
                last,
                before,
            },
        )
        .await
    }

    /// What people have used in a time, added up.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The beginning of the time; thirty days before its end when left out.")] from: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "The end of the time; now when left out.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "What to add up by.", default_with = "UsageGrouping::Day")] group_by: UsageGrouping,
        #[graphql(desc = "Only what this person pays for.")] user_id: Option<UserId>,
    ) -> Result<UsageReport> {
        context.viewer().admin()?;
        UsageReport::read(context, Wanted::new(user_id, from, to, group_by)?).await
    }

    /// The tool servers that are shared with everybody, switched off ones too.
    async fn tool_servers(&self, context: &Context<'_>) -> Result<Vec<ToolServer>> {
        context.viewer().admin()?;
        let servers = server::shared(&mut *context.app().connection().await?).await?;
        Ok(servers.into_iter().map(ToolServer).collect())
    }

    /// The server's own webhooks, oldest first.
    async fn webhooks(&self, context: &Context<'_>) -> Result<Vec<Webhook>> {
        Ok(webhook::list(&mut *context.app().connection().await?, None).await?)
    }

    /// Who did or read what, newest first.
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only entries after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only entries before this cursor.")] before: Option<String>,
    ) -> Result<Page<AuditId, AuditEntry>> {
        context.viewer().admin()?;
        let window = Window::forward(
            PageArguments {
                first,
                after,
                last,
                before,
            },
            50,
        )?;
        let rows = audit::page(&mut *context.app().connection().await?, &window).await?;
        Ok(window.connection(rows, |entry| entry.id))
    }
}

/// Writes an administrator's look into the audit log before it is taken.
async fn record(context: &Context<'_>, action: &str, target: String) -> Result<()> {
    let who = context.viewer().admin()?;
    let actor = Actor::signed_in(who, context.client());
    audit::record(
        &mut *context.app().connection().await?,
        actor,
        action,
        Some(target),
        json!({}),
    )
    .await
}

/// Questions of administrators.
#[derive(Debug, Default)]
pub struct AdminQuery;

#[Object]
impl AdminQuery {
    /// The server as its administrators see it; FORBIDDEN for everybody else.
    async fn admin(&self, context: &Context<'_>) -> Result<Admin> {
        context.viewer().admin()?;
        Ok(Admin)
    }
}

/// A role to give.
#[derive(Debug, InputObject)]
pub struct SetUserRoleInput {
    /// To whom.
    user_id: UserId,
    /// Which role.
    role: Role,
}

/// The result of `setUserRole`.
#[derive(Debug, SimpleObject)]
pub struct SetUserRolePayload {
    /// The account as it is now.
    user: Option<AdminUser>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whether an account can sign in.
#[derive(Debug, InputObject)]
pub struct SetUserActiveInput {
    /// Whose account.
    user_id: UserId,
    /// Whether it can sign in.
    active: bool,
}

/// The result of `setUserActive`.
#[derive(Debug, SimpleObject)]
pub struct SetUserActivePayload {
    /// The account as it is now.
    user: Option<AdminUser>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What administrators do.
#[derive(Debug, Default)]
pub struct AdminMutation;

#[Object]
impl AdminMutation {
    /// Gives a person a role; for administrators. At least one active administrator always remains.
    async fn set_user_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, and which role.")] input: SetUserRoleInput,
    ) -> Result<SetUserRolePayload> {
        let actor = Actor::signed_in(context.viewer().admin()?, context.client());
        let (user, errors) = payload(admin::set_role(context.app(), actor, input.user_id, input.role).await)?;
        Ok(SetUserRolePayload {
            user: user.map(AdminUser),
            errors,
        })
    }

    /// Bars an account, ending its sessions and streams, or lets it in again; for administrators.
    async fn set_user_active(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, and whether they can sign in.")] input: SetUserActiveInput,
    ) -> Result<SetUserActivePayload> {
        let actor = Actor::signed_in(context.viewer().admin()?, context.client());
        let (user, errors) = payload(admin::set_active(context.app(), actor, input.user_id, input.active).await)?;
        Ok(SetUserActivePayload {
            user: user.map(AdminUser),
            errors,
        })
    }
}
