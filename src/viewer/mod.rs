//! The private side of the signed-in account: the `viewer` object, which gathers from every feature, and the
//! mutations that sign somebody in and so return it.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::account::api::load_user;
use crate::account::login;
use crate::account::register::{self, NewUser};
use crate::account::session::{self, Granted, Session};
use crate::account::user::{Role, User};
use crate::account::viewer;
use crate::app::App;
use crate::assistant::api::{self as assistants, AssistantConnection};
use crate::chat::api::{self as chats, ChatConnection, ChatFilterInput, ScheduledMessageConnection};
use crate::chat::chat::Chat;
use crate::chat::create;
use crate::chat::schedule::row::{self as schedule, ScheduleState};
use crate::config::Registration;
use crate::contact::api::{self as contacts, ContactConnection};
use crate::contact::block;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result, UserError, payload};
use crate::event::{self, SyncCursor};
use crate::export::{DataExport, row};
use crate::id::ChatId;
use crate::memory::api::{self as memories, MemoryConnection};
use crate::memory::preferences::{self, Preferences};
use crate::notify::subscription::{self, PushSubscription};
use crate::notify::webhook::row::{self as webhook, Webhook};
use crate::page::PageArguments;
use crate::presence::seen;
use crate::tool::api::{ToolGrant, ToolServer};
use crate::tool::{grant, server};
use crate::usage::api::{self as usage, Budget, UsageReport};
use crate::usage::report::{UsageGrouping, Wanted};
use crate::vault::api::ApiKey;
use crate::vault::key;

/// The signed-in account, seen by its owner.
#[derive(Debug, Clone)]
pub struct Viewer {
    user: User,
}

#[Object]
impl Viewer {
    /// The person's id.
    async fn id(&self) -> crate::id::UserId {
        self.user.id
    }

    /// The side of the account that others see.
    async fn user(&self) -> &User {
        &self.user
    }

    /// Where the person can be reached; others do not see it.
    async fn email(&self) -> &str {
        &self.user.email
    }

    /// What the person may do on the server as a whole.
    async fn role(&self) -> Role {
        self.user.role
    }

    /// The position in the event log from before anything else in this request was read. Give it to `events(after:)`
    /// or `chatEvents(after:)`: what the request returned plus the events after it is what a fresh read returns.
    async fn sync_cursor(&self, context: &Context<'_>) -> Result<String> {
        match context.data_opt::<SyncCursor>() {
            Some(SyncCursor(cursor)) => Ok(cursor.to_string()),
            None => Ok(event::current(&mut *context.app().connection().await?)
                .await?
                .to_string()),
        }
    }

    /// The chats that the person is in, latest activity first.
    async fn chats(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chats; without it, those that are not archived.")] filter: Option<ChatFilterInput>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only chats after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only chats before this cursor.")] before: Option<String>,
    ) -> Result<ChatConnection> {
        chats::list(
            context,
            self.user.id,
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

    /// The always-there chat with the default assistant; made when it is first asked for.
    async fn assistant_chat(&self, context: &Context<'_>) -> Result<Chat> {
        create::default_chat(context.app(), self.user.id).await
    }

    /// The provider keys that the person brought. The keys themselves are not shown.
    async fn api_keys(&self, context: &Context<'_>) -> Result<Vec<ApiKey>> {
        let keys = key::list(&*context.app().connection().await?, self.user.id).await?;
        Ok(keys.into_iter().map(ApiKey).collect())
    }

    /// The tools that models may use without asking the person, newest first, at most 500.
    async fn tool_grants(&self, context: &Context<'_>) -> Result<Vec<ToolGrant>> {
        let grants = grant::list(&mut *context.app().connection().await?, self.user.id).await?;
        Ok(grants.into_iter().map(ToolGrant::from).collect())
    }

    /// The servers whose tools the person's chats may use: their own, and those that administrators share.
    async fn tool_servers(&self, context: &Context<'_>) -> Result<Vec<ToolServer>> {
        let servers = server::visible(&mut *context.app().connection().await?, self.user.id).await?;
        Ok(servers.into_iter().map(ToolServer).collect())
    }

    /// The assistants that the person can use: the default one, then one's own and those that others share, oldest first.
    async fn assistants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only assistants after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only assistants before this cursor.")] before: Option<String>,
    ) -> Result<AssistantConnection> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        assistants::list(context, self.user.id, arguments).await
    }

    /// What the person has paid for in a time, added up: what they asked for themselves, and what a group asked at their
    /// expense. `groupBy: USER` says who asked.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The beginning of the time; thirty days before its end when left out.")] from: Option<
            DateTime<Utc>,
        >,
        #[graphql(desc = "The end of the time; now when left out.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "What to add up by.", default_with = "UsageGrouping::Day")] group_by: UsageGrouping,
    ) -> Result<UsageReport> {
        UsageReport::read(context, Wanted::new(Some(self.user.id), from, to, group_by)?).await
    }

    /// What the person may spend; no budget is no limit.
    async fn budgets(&self, context: &Context<'_>) -> Result<Vec<Budget>> {
        usage::budgets_of(context, self.user.id).await
    }

    /// What the AI is to remember of the person across chats, newest first.
    async fn memories(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only memories after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only memories before this cursor.")] before: Option<String>,
    ) -> Result<MemoryConnection> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        memories::list(context, self.user.id, arguments).await
    }

    /// How the person wants the AI to be with them.
    async fn preferences(&self, context: &Context<'_>) -> Result<Preferences> {
        Ok(preferences::of(&mut *context.app().connection().await?, self.user.id).await?)
    }

    /// What the person has scheduled, newest first.
    #[expect(clippy::too_many_arguments, reason = "they are those of the field")]
    async fn scheduled_messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those to this chat.")] chat_id: Option<ChatId>,
        #[graphql(desc = "Only those in one of these states.")] states: Option<Vec<ScheduleState>>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only scheduled messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only scheduled messages before this cursor.")] before: Option<String>,
    ) -> Result<ScheduledMessageConnection> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        chats::list_scheduled(context, self.user.id, schedule::Wanted { chat_id, states }, arguments).await
    }

    /// The people in the person's address book, those who were added last first.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only contacts after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only contacts before this cursor.")] before: Option<String>,
    ) -> Result<ContactConnection> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        contacts::list(context, self.user.id, arguments).await
    }

    /// The people whom the person blocks, those who were blocked last first, at most 1000. They are not told.
    async fn blocked_users(&self, context: &Context<'_>) -> Result<Vec<User>> {
        Ok(block::list(&mut *context.app().connection().await?, self.user.id).await?)
    }

    /// The archives of the person's data that were asked for, newest first, at most 20.
    async fn data_exports(&self, context: &Context<'_>) -> Result<Vec<DataExport>> {
        Ok(row::list(&mut *context.app().connection().await?, self.user.id).await?)
    }

    /// Whether the person is invisible: seen by nobody, as `setPresence` says.
    async fn invisible(&self, context: &Context<'_>) -> Result<bool> {
        Ok(seen::is_invisible(&mut *context.app().connection().await?, self.user.id).await?)
    }

    /// The browsers that are woken for news, newest first.
    async fn push_subscriptions(&self, context: &Context<'_>) -> Result<Vec<PushSubscription>> {
        let mut connection = context.app().connection().await?;
        Ok(subscription::list(&mut connection, self.user.id).await?)
    }

    /// The person's webhooks, oldest first.
    async fn webhooks(&self, context: &Context<'_>) -> Result<Vec<Webhook>> {
        Ok(webhook::list(&mut *context.app().connection().await?, Some(self.user.id)).await?)
    }

    /// The devices that the person is signed in on, newest first.
    async fn sessions(&self, context: &Context<'_>) -> Result<Vec<Session>> {
        session::list(&mut *context.app().connection().await?, self.user.id).await
    }
}

/// The question about oneself.
#[derive(Debug, Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The signed-in account; null when nobody is signed in, never an error.
    async fn viewer(&self, context: &Context<'_>) -> Result<Option<Viewer>> {
        let viewer::Viewer::SignedIn(who) = context.viewer() else {
            return Ok(None);
        };
        Ok(load_user(context, who.user_id).await?.map(|user| Viewer { user }))
    }
}

/// What a client keeps to stay signed in.
#[derive(Debug, SimpleObject)]
pub struct Tokens {
    /// Sent as `Authorization: Bearer …`; lives a few minutes.
    access_token: String,
    /// Gets the next pair from `refreshSession`; each is used once.
    refresh_token: String,
    /// When the access token ends.
    expires_at: DateTime<Utc>,
}

impl Tokens {
    fn new(app: &App, granted: &Granted) -> Result<Self> {
        let (access_token, expires_at) = app.signer().sign(granted.user.id, granted.session_id, Utc::now())?;
        Ok(Tokens {
            access_token,
            refresh_token: granted.refresh_token.expose_secret().to_owned(),
            expires_at,
        })
    }
}

/// A new account.
#[derive(Debug, InputObject)]
pub struct RegisterInput {
    /// 3 to 32 letters (a to z), digits, dots, dashes and underscores.
    username: String,
    /// Where the person can be reached.
    email: String,
    /// 8 to 128 characters that are hard to guess.
    password: String,
    /// The name to show; the user name when there is none.
    display_name: Option<String>,
}

/// The result of `register`.
#[derive(Debug, SimpleObject)]
pub struct RegisterPayload {
    /// The new session's tokens.
    tokens: Option<Tokens>,
    /// The new account.
    viewer: Option<Viewer>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A sign-in.
#[derive(Debug, InputObject)]
pub struct LoginInput {
    /// The user name or the e-mail address, in any case.
    identifier: String,
    /// The password.
    password: String,
}

/// The result of `login`.
#[derive(Debug, SimpleObject)]
pub struct LoginPayload {
    /// The new session's tokens.
    tokens: Option<Tokens>,
    /// The account.
    viewer: Option<Viewer>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// The token to exchange.
#[derive(Debug, InputObject)]
pub struct RefreshSessionInput {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// The result of `refreshSession`.
#[derive(Debug, SimpleObject)]
pub struct RefreshSessionPayload {
    /// The next tokens of the session.
    tokens: Option<Tokens>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Signing in and staying so.
#[derive(Debug, Default)]
pub struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Makes an account and signs in. New accounts are always of the role USER.
    async fn register(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The account to make.")] input: RegisterInput,
    ) -> Result<RegisterPayload> {
        let app = context.app();
        let (granted, errors) = payload(register_and_start(app, context.client(), input).await)?;
        let tokens = granted.as_ref().map(|granted| Tokens::new(app, granted)).transpose()?;
        Ok(RegisterPayload {
            tokens,
            viewer: granted.map(|granted| Viewer { user: granted.user }),
            errors,
        })
    }

    /// Signs in with a user name or an e-mail address.
    async fn login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who, and the password.")] input: LoginInput,
    ) -> Result<LoginPayload> {
        let app = context.app();
        let (granted, errors) =
            payload(login::login(app, &input.identifier, input.password.into(), context.client()).await)?;
        let tokens = granted.as_ref().map(|granted| Tokens::new(app, granted)).transpose()?;
        Ok(LoginPayload {
            tokens,
            viewer: granted.map(|granted| Viewer { user: granted.user }),
            errors,
        })
    }

    /// Exchanges a refresh token for the next pair of tokens. A token that is used twice ends its session; only the
    /// newest one's parent may be repeated for ten seconds, for answers that got lost.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> Result<RefreshSessionPayload> {
        let app = context.app();
        let mut connection = app.connection().await?;
        let days = app.config().settings.session_days;
        let rotated = session::rotate(&mut connection, &input.refresh_token, days, |session_id| {
            app.live_sessions().end(session_id);
        })
        .await;
        let (granted, errors) = payload(rotated)?;
        Ok(RefreshSessionPayload {
            tokens: granted.map(|granted| Tokens::new(app, &granted)).transpose()?,
            errors,
        })
    }
}

async fn register_and_start(app: &App, client: &viewer::Client, input: RegisterInput) -> Result<Granted> {
    if app.config().settings.registration == Registration::Closed {
        let message = "Registration is closed on this server. Ask whoever runs it for an account.";
        return Err(Error::rejected(ErrorCode::InvalidState, &[], message));
    }
    let RegisterInput {
        username,
        email,
        password,
        display_name,
    } = input;
    let new = NewUser {
        username,
        email,
        password: SecretString::from(password),
        display_name,
    };
    app.throttle().registration(client.address)?;
    let checked = app.hasher().run(move || new.check()).await?;
    let user = register::create(app, checked, Role::User).await?;
    let days = app.config().settings.session_days;
    let started = session::start(&mut *app.connection().await?, user, None, client, days).await?;
    started.ok_or_else(|| Error::internal("a new account that is not active"))
}
