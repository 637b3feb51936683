//! Sending a message: to people as [`post`] says; to an assistant in one transaction, and then the answer begins.
//!
//! ```text
//! same key before? ─ yes ─ the first result again, whatever else may be refused now
//!   no │
//! who pays? ─ nobody ─ KEY_MISSING, nothing stored
//!   │
//! what will be sent? ─ too much ─ CONTEXT_TOO_LONG, nothing stored
//!   │
//! transaction: lock the chat (orders its events) ─ claim the key ─ message ─ reply ─ generation ─ events
//!   │
//! wake the log ─ start the engine
//! ```

use diesel_async::AsyncConnection;
use serde_json::json;

use super::ask::Ask;
use super::claim::{Claim, Sent};
use super::extras::Extras;
use super::lane::{Lanes, Mode, Reply};
use super::member::Membership;
use super::mention::Mentioned;
use super::plan::Plan;
use super::plan::history::Tip;
use super::room::post;
use super::summary;
use super::turn::{self, Place, Question, Turn};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, UserId};
use crate::input;

/// What a person sends.
#[derive(Debug)]
pub struct NewMessage {
    /// Where to.
    pub chat_id: ChatId,
    /// The text.
    pub content: String,
    /// The sender's key: a retry with the same one gets the same result.
    pub idempotency_key: String,
    /// What it carries besides its text.
    pub extras: Extras,
    /// Whom the sender's client names as mentioned.
    pub mentions: Vec<Mentioned>,
    /// Who is to answer this once.
    pub reply: Reply,
}

/// Sends a message and starts the answer, where somebody answers.
///
/// # Errors
/// Refused content or extras, NOT_FOUND, FORBIDDEN, KEY_MISSING, CONTEXT_TOO_LONG, CONFLICT for a key that was used for something else, LIMIT_REACHED.
pub async fn send(app: &App, user_id: UserId, new: NewMessage) -> Result<Sent> {
    let content = check_content(app, &new.content)?;
    new.extras.check()?;
    let claim = Claim::new(user_id, &new.idempotency_key, &asked(&new))?;
    let mut connection = app.connection().await?;
    let (first, membership) = {
        // On their way together: who waits for the first word waits for one statement less.
        let shared: &Connection = &connection;
        tokio::join!(claim.first_result(shared), Membership::of(shared, user_id, new.chat_id))
    };
    let membership = membership?;
    if let Some(first) = first? {
        // Who has left since is told no more of the chat than anybody else.
        return membership.map(|_| first).ok_or_else(not_found);
    }
    admit(app, user_id)?;
    let membership = membership.ok_or_else(not_found)?;
    if membership.chat.is_shared() {
        return post::post(app, &mut connection, &claim, &membership, &new, content).await;
    }
    let chat = membership.chat;
    if !new.mentions.is_empty() {
        let message = "Nobody is mentioned in a chat with an assistant. Leave this away.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["mentionIds"], message));
    }
    let lanes = Lanes::in_chat(&mut connection, app, user_id, &chat, new.reply).await?;
    let ask = Ask::new(user_id, &chat, Tip::Newest, Some(&content));
    let plans = ask.plan(&mut connection, app, lanes).await?;
    let (stored, plans) = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, new.chat_id).await?;
            let mut plans = plans;
            if plans
                .lanes
                .iter()
                .any(|plan| plan.last_sequence != membership.chat.last_sequence)
            {
                // Somebody wrote meanwhile, and the model has to be shown it.
                let ask = Ask::new(user_id, &membership.chat, Tip::Newest, Some(&content));
                let lanes = plans.map(|plan| plan.lane);
                plans = ask.plan(connection, app, lanes).await?;
            }
            let turn = Turn {
                claim: &claim,
                question: Some(Question {
                    content: &content,
                    extras: &new.extras,
                }),
                place: Place::End,
                plans: &plans,
            };
            Ok::<_, Error>((turn::store(connection, app, &membership, turn).await?, plans))
        })
        .await?;
    begin(app, &mut connection, &claim, stored, plans).await
}

fn not_found() -> Error {
    Error::not_found(&["chatId"], "chat")
}

/// What tells a repeat from another message under the same key.
fn asked(new: &NewMessage) -> serde_json::Value {
    let wish = &new.reply.wish;
    let provider = wish.provider.map_or("", |provider| provider.name());
    let mut asked = vec![
        json!(new.chat_id.0),
        json!(new.content),
        json!(provider),
        json!(wish.model),
    ];
    // Left out where there are none, so that repeats of messages from before there were lanes are known.
    let more = new.reply.lanes.is_some() || new.reply.without_tools || new.reply.without_cache;
    asked.extend(more.then(|| new.reply.asked()));
    asked.extend(new.extras.asked());
    let mentioned = new.mentions.iter().map(|mentioned| match mentioned {
        Mentioned::User(id) => json!(["user", id.0]),
        Mentioned::Assistant(id) => json!(["assistant", id.0]),
    });
    asked.extend(mentioned);
    asked.into()
}

/// Refuses what would make a model work for somebody who asks too often, or while the server stops.
///
/// # Errors
/// RATE_LIMITED or unavailable.
pub fn admit(app: &App, user_id: UserId) -> Result<()> {
    app.throttle().message(user_id)?;
    if app.shutdown().is_cancelled() {
        return Err(Error::unavailable("shutting down"));
    }
    Ok(())
}

/// Tells of what was stored and starts its answers; or gives what another request with the same key stored.
///
/// # Errors
/// CONFLICT, or when Postgres fails.
pub async fn begin(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    stored: Option<Sent>,
    plans: Lanes<Plan>,
) -> Result<Sent> {
    let Some(sent) = stored else {
        // Another request with the same key was faster by a moment.
        return claim
            .first_result(connection)
            .await?
            .ok_or_else(|| Error::internal("a claimed key without a result"));
    };
    app.log().wake();
    let through = plans.lanes.iter().find_map(|plan| plan.summarise_through);
    match plans.mode {
        Mode::Fallback => {
            if let Some(generation) = sent.generations.first() {
                app.engine().start(app, generation, sent.so_far.clone(), plans.lanes);
            }
        }
        Mode::Compare | Mode::Race => {
            for (generation, plan) in sent.generations.iter().zip(plans.lanes) {
                app.engine().start(app, generation, sent.so_far.clone(), vec![plan]);
            }
        }
    }
    if let (Some(through), Some(generation)) = (through, sent.generations.first()) {
        summary::call_for(app, connection, generation, through).await;
    }
    Ok(sent)
}

/// Checks the text of a message.
///
/// # Errors
/// REQUIRED, TOO_LONG or INVALID for `content`.
pub fn check_content(app: &App, content: &str) -> Result<String> {
    if content.trim().is_empty() {
        return Err(Error::rejected(
            ErrorCode::Required,
            &["content"],
            "The message is empty. Write something first.",
        ));
    }
    let most = usize::try_from(app.config().settings.message_characters).unwrap_or(usize::MAX);
    input::text(&["content"], "The message", content, most).map_err(|error| Error::Rejected(vec![error]))
}
