//! Adding, changing, refreshing and removing tool servers.
//!
//! A server is tried before it is kept: what does not answer, or may not be reached, is refused and nothing is stored.
//! Trying takes a while, so no connection to Postgres is held meanwhile; a change that was made in that time wins.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::MOST_SERVERS;
use super::columns::{Columns, Listed, Reached, Sealed};
use super::connection::Trouble;
use super::listing::Listing;
use super::pool::Pool;
use super::server::{self, StoredServer, ToolApproval, ToolTransport};
use super::spec::{self, Secrets, Spec, Way};
use crate::account::audit::{self, Actor};
use crate::account::user::Role;
use crate::account::viewer::{Client, SignedIn};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{tool_grants, tool_servers, users};
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::id::{ToolServerId, UserId};

/// A server as somebody describes it.
#[derive(Debug)]
pub struct NewServer {
    /// What to call it.
    pub name: String,
    /// Whether everybody may use it; only administrators may say so.
    pub shared: bool,
    /// How it is spoken to.
    pub transport: ToolTransport,
    /// Where it is.
    pub url: Option<String>,
    /// What to start.
    pub command: Option<String>,
    /// What to start it with.
    pub arguments: Vec<String>,
    /// Headers to send.
    pub headers: Secrets,
    /// Variables to start it with.
    pub environment: Secrets,
    /// Which calls wait for a person.
    pub approval: ToolApproval,
    /// Whether to tell it who asks.
    pub tells_user: bool,
}

/// What to change; none leaves it as it is.
#[derive(Debug, Default)]
pub struct ServerChange {
    /// What to call it.
    pub name: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// What to start.
    pub command: Option<String>,
    /// What to start it with.
    pub arguments: Option<Vec<String>>,
    /// The headers to send, all of them.
    pub headers: Option<Secrets>,
    /// The variables to start it with, all of them.
    pub environment: Option<Secrets>,
    /// Which calls wait for a person.
    pub approval: Option<ToolApproval>,
    /// Whether to tell it who asks.
    pub tells_user: Option<bool>,
    /// Whether its tools are offered.
    pub enabled: Option<bool>,
}

/// Adds a server once it has said what it can do.
///
/// # Errors
/// FORBIDDEN, what the fields refuse, TAKEN, LIMIT_REACHED, TOOL_SERVER_UNAVAILABLE; nothing is stored then.
pub async fn add(app: &App, who: &SignedIn, client: &Client, new: NewServer) -> Result<StoredServer> {
    let processes_are_shared = new.transport == ToolTransport::Stdio && !new.shared;
    if (new.shared || processes_are_shared) && who.role != Role::Admin {
        return Err(Error::Forbidden);
    }
    if processes_are_shared {
        let message = "A server that is a process of this machine is shared with everybody. Set shared to true.";
        return Err(Error::rejected(ErrorCode::Invalid, &["shared"], message));
    }
    let owner = (!new.shared).then_some(who.user_id);
    let name = spec::checked_name(&new.name)?;
    let spec = Spec {
        way: way(
            app,
            owner,
            new.transport,
            new.url.as_deref(),
            new.command.as_deref(),
            &new.arguments,
        )?,
        secrets: secrets(new.transport, new.headers, new.environment)?,
        tells_user: new.tells_user,
    };
    app.throttle().password(who.user_id)?;
    let listing = try_out(app, &spec, who.user_id).await?;
    let id = ToolServerId::new();
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            count(connection, who.user_id, owner).await?;
            let row = (
                tool_servers::id.eq(id),
                tool_servers::owner_id.eq(owner),
                tool_servers::name.eq(&name),
                tool_servers::transport.eq(new.transport),
                tool_servers::approval.eq(new.approval),
                tool_servers::tells_user.eq(new.tells_user),
                Reached::new(&spec),
                Sealed::new(app, id, owner, &spec)?,
                Listed::new(&listing)?,
            );
            let stored: Option<StoredServer> = diesel::insert_into(tool_servers::table)
                .values(row)
                .on_conflict_do_nothing()
                .returning(StoredServer::as_returning())
                .get_result(connection)
                .await
                .optional()?;
            let stored = stored.ok_or_else(taken)?;
            record(connection, who, client, "tool_server.added", &stored).await?;
            Ok(stored)
        })
        .await
}

/// Changes a server. When the way to it changes it is tried first; headers and variables that are not given again are
/// gone then, so that nobody can send them elsewhere.
///
/// # Errors
/// NOT_FOUND, what the fields refuse, TAKEN, CONFLICT, TOOL_SERVER_UNAVAILABLE.
pub async fn update(
    app: &App,
    who: &SignedIn,
    client: &Client,
    id: ToolServerId,
    change: ServerChange,
) -> Result<StoredServer> {
    let stored = find(app, who, id).await?;
    let name = change.name.as_deref().map(spec::checked_name).transpose()?;
    let mut spec = Spec::of(app, &stored)?;
    let moved = change.url.is_some() || change.command.is_some() || change.arguments.is_some();
    if moved {
        let arguments = stored.arguments().into_iter().map(str::to_owned);
        let arguments = change.arguments.clone().unwrap_or_else(|| arguments.collect());
        let url = change.url.as_deref().or(stored.url.as_deref());
        let command = change.command.as_deref().or(stored.command.as_deref());
        spec.way = way(app, stored.owner_id, stored.transport, url, command, &arguments)?;
        spec.secrets = Vec::new();
    }
    let given = change.headers.is_some() || change.environment.is_some();
    if given {
        let (headers, environment) = (
            change.headers.unwrap_or_default(),
            change.environment.unwrap_or_default(),
        );
        spec.secrets = secrets(stored.transport, headers, environment)?;
    }
    spec.tells_user = change.tells_user.unwrap_or(stored.tells_user);
    let another_way = moved || given || spec.tells_user != stored.tells_user;
    let listing = if another_way {
        app.throttle().password(who.user_id)?;
        Some(try_out(app, &spec, who.user_id).await?)
    } else {
        None
    };
    let mut connection = app.connection().await?;
    let columns = Columns {
        name,
        approval: change.approval,
        enabled: change.enabled,
        tells_user: change.tells_user,
    };
    connection
        .transaction(async |connection| {
            let row = tool_servers::table
                .find(id)
                .filter(tool_servers::revision.eq(stored.revision));
            let columns = (columns, tool_servers::updated_at.eq(now));
            let changed = match &listing {
                Some(listing) => {
                    let another_way = (
                        Reached::new(&spec),
                        Sealed::new(app, id, stored.owner_id, &spec)?,
                        Listed::new(listing)?,
                        tool_servers::revision.eq(stored.revision + 1),
                    );
                    diesel::update(row)
                        .set((columns, another_way))
                        .returning(StoredServer::as_returning())
                        .get_result(connection)
                        .await
                }
                None => {
                    diesel::update(row)
                        .set(columns)
                        .returning(StoredServer::as_returning())
                        .get_result(connection)
                        .await
                }
            };
            let changed: Option<StoredServer> = changed.map_err(taken_or).map(Some).or_else(none_is_none)?;
            let changed = changed.ok_or_else(conflict)?;
            if listing.is_some() {
                // What was allowed was allowed to what was there before.
                diesel::delete(tool_grants::table.filter(tool_grants::tool_server_id.eq(id)))
                    .execute(connection)
                    .await?;
            }
            record(connection, who, client, "tool_server.updated", &changed).await?;
            Ok(changed)
        })
        .await
}

/// Asks a server anew what it can do.
///
/// # Errors
/// NOT_FOUND, CONFLICT, TOOL_SERVER_UNAVAILABLE.
pub async fn refresh(app: &App, who: &SignedIn, id: ToolServerId) -> Result<StoredServer> {
    let stored = find(app, who, id).await?;
    let spec = Spec::of(app, &stored)?;
    app.throttle().password(who.user_id)?;
    let tried = Pool::try_out(app, &spec, who.user_id).await;
    let row = tool_servers::table
        .find(id)
        .filter(tool_servers::revision.eq(stored.revision));
    let mut connection = app.connection().await?;
    let listing = match tried {
        Ok(listing) => listing,
        Err(trouble) => {
            let change = (
                tool_servers::last_error.eq(trouble.to_string()),
                tool_servers::last_error_at.eq(now),
            );
            diesel::update(row).set(change).execute(&mut connection).await?;
            return Err(refusal(&trouble));
        }
    };
    let refreshed = diesel::update(row)
        .set(Listed::new(&listing)?)
        .returning(StoredServer::as_returning())
        .get_result(&mut connection)
        .await
        .optional()?;
    refreshed.ok_or_else(conflict)
}

/// Removes a server for good, with what people let its tools do.
///
/// # Errors
/// NOT_FOUND.
pub async fn remove(app: &App, who: &SignedIn, client: &Client, id: ToolServerId) -> Result<ToolServerId> {
    let stored = find(app, who, id).await?;
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            if diesel::delete(tool_servers::table.find(id)).execute(connection).await? == 0 {
                return Err(not_found());
            }
            record(connection, who, client, "tool_server.removed", &stored).await?;
            Ok(id)
        })
        .await
}

/// The server, if this person may change it.
async fn find(app: &App, who: &SignedIn, id: ToolServerId) -> Result<StoredServer> {
    let is_admin = who.role == Role::Admin;
    let found = server::find(&mut *app.connection().await?, who.user_id, is_admin, id).await?;
    found
        .filter(|server| is_admin || server.owner_id == Some(who.user_id))
        .ok_or_else(not_found)
}

fn way(
    app: &App,
    owner: Option<UserId>,
    transport: ToolTransport,
    url: Option<&str>,
    command: Option<&str>,
    arguments: &[String],
) -> Result<Way> {
    let odd = |field: &str, message: &str| Err(Error::rejected(ErrorCode::Invalid, &[field], message));
    match (transport, url, command) {
        (ToolTransport::StreamableHttp, Some(url), None) if arguments.is_empty() => Ok(Way::Http {
            url: spec::checked_url(app, owner, url)?,
            reach: spec::reach(app, owner),
        }),
        (ToolTransport::StreamableHttp, None, _) => {
            let message = "Give the URL of the server, such as https://tools.example.com/mcp.";
            Err(Error::rejected(ErrorCode::Required, &["url"], message))
        }
        (ToolTransport::StreamableHttp, ..) => odd("command", "A server that is spoken to over HTTP has no command."),
        (ToolTransport::Stdio, None, Some(command)) => {
            spec::checked_command(command, arguments)?;
            Ok(Way::Process {
                command: command.trim().to_owned(),
                arguments: arguments.to_vec(),
            })
        }
        (ToolTransport::Stdio, None, None) => {
            let message = "Give the command to start, such as npx or /usr/bin/my-server.";
            Err(Error::rejected(ErrorCode::Required, &["command"], message))
        }
        (ToolTransport::Stdio, Some(_), _) => odd("url", "A server that is a process has no URL."),
    }
}

fn secrets(transport: ToolTransport, headers: Secrets, environment: Secrets) -> Result<Secrets> {
    let odd = |field: &str, message: &str| Err(Error::rejected(ErrorCode::Invalid, &[field], message));
    match transport {
        ToolTransport::StreamableHttp if !environment.is_empty() => odd(
            "environment",
            "A server that is spoken to over HTTP has no environment. Use headers.",
        ),
        ToolTransport::StreamableHttp => spec::checked_headers(headers),
        ToolTransport::Stdio if !headers.is_empty() => odd(
            "headers",
            "A server that is a process gets no headers. Use environment.",
        ),
        ToolTransport::Stdio => spec::checked_variables(environment),
    }
}

async fn try_out(app: &App, spec: &Spec, user_id: UserId) -> Result<Listing> {
    Pool::try_out(app, spec, user_id)
        .await
        .map_err(|trouble| refusal(&trouble))
}

fn refusal(trouble: &Trouble) -> Error {
    let code = match trouble {
        Trouble::Blocked(_) => ErrorCode::BaseUrlNotAllowed,
        _ => ErrorCode::ToolServerUnavailable,
    };
    Error::Rejected(vec![UserError::new(code, &[], trouble.to_string())])
}

/// Additions take turns, so that none slips past the limit.
async fn count(connection: &mut Connection, user_id: UserId, owner: Option<UserId>) -> Result<()> {
    users::table
        .find(user_id)
        .select(users::id)
        .for_no_key_update()
        .first::<UserId>(connection)
        .await?;
    let theirs = tool_servers::table.filter(tool_servers::owner_id.is_not_distinct_from(owner));
    if theirs.count().get_result::<i64>(connection).await? >= MOST_SERVERS {
        let message = format!("There are {MOST_SERVERS} tool servers already. Remove one first.");
        return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
    }
    Ok(())
}

async fn record(
    connection: &mut Connection,
    who: &SignedIn,
    client: &Client,
    action: &str,
    server: &StoredServer,
) -> Result<()> {
    let detail = json!({
        "name": server.name,
        "shared": server.owner_id.is_none(),
        "transport": server.transport.as_str(),
    });
    let actor = Actor::signed_in(who, client);
    audit::record(connection, actor, action, Some(server.id.to_string()), detail).await
}

fn not_found() -> Error {
    Error::not_found(&["toolServerId"], "tool server")
}

fn taken() -> Error {
    let message = "There is a tool server of this name already. Choose another name.";
    Error::rejected(ErrorCode::Taken, &["name"], message)
}

fn conflict() -> Error {
    let message = "This tool server was changed at the same moment. Please try again.";
    Error::rejected(ErrorCode::Conflict, &["toolServerId"], message)
}

/// A name that somebody else took meanwhile is a refusal of the name.
fn taken_or(error: diesel::result::Error) -> Option<Error> {
    use diesel::result::DatabaseErrorKind::UniqueViolation;
    match error {
        diesel::result::Error::NotFound => None,
        diesel::result::Error::DatabaseError(UniqueViolation, _) => Some(taken()),
        error => Some(error.into()),
    }
}

fn none_is_none<T>(error: Option<Error>) -> Result<Option<T>> {
    error.map_or(Ok(None), Err)
}
