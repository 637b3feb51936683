//! What an answer would take, before it is asked for: the way of the mutations, up to the point where they store.

use super::ask::Ask;
use super::chat::ChatKind;
use super::lane::{Lanes, Mode, Reply};
use super::member::Membership;
use super::mention::Mentioned;
use super::plan::Plan;
use super::plan::history::Tip;
use super::reply::cache;
use super::room::{answer, purse};
use super::send::check_content;
use super::{revise, turn};
use crate::ai::FailureKind;
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result, UserError, payload};
use crate::id::{ChatId, MessageId, UserId};
use crate::usage::budget::{self, Budget};
use crate::vault::key;

/// What would be asked for.
#[derive(Debug)]
pub enum Wanted {
    /// A message would be sent.
    Send {
        /// Where to.
        chat_id: ChatId,
        /// Its text.
        content: String,
        /// Whom it would mention besides.
        mentions: Vec<Mentioned>,
        /// What it would reply to.
        reply_to: Option<MessageId>,
    },
    /// An answer would be made anew.
    Regenerate {
        /// The answer that there is.
        message_id: MessageId,
    },
}

/// What would be sent to one model.
#[derive(Debug)]
pub struct Foretold {
    /// What would be sent.
    pub plan: Plan,
    /// The budget that would pay for it, if there is one.
    pub budget: Option<Budget>,
    /// Whether an earlier answer would be given again, and nothing would be sent.
    pub cached: bool,
}

/// What would come of it.
#[derive(Debug, Default)]
pub struct Preview {
    /// What would be sent; nothing when nobody could be asked.
    pub plans: Vec<Foretold>,
    /// What would be refused.
    pub refusals: Vec<UserError>,
}

/// Finds out what would be sent, and what would be refused.
///
/// # Errors
/// When Postgres fails. What the mutation would refuse is no error here.
pub async fn preview(app: &App, user_id: UserId, wanted: Wanted, reply: Reply) -> Result<Preview> {
    let mut connection = app.connection().await?;
    let mut preview = Preview::default();
    let (plans, refusals) = payload(plan(&mut connection, app, user_id, wanted, reply).await)?;
    preview.refusals.extend(refusals);
    if let Some(mut plans) = plans {
        let mut cached = Vec::with_capacity(plans.lanes.len());
        for plan in &mut plans.lanes {
            preview.refusals.extend(plan.refusal());
            let is_cached = cache::would_answer(&mut connection, app, user_id, plan).await?;
            cached.push(is_cached);
            // Nobody would be asked with the key.
            if !is_cached && plan.lane.payer.user_id == user_id {
                let refused = refused_key(&mut connection, user_id, plan).await?;
                preview.refusals.extend(refused);
            }
        }
        let (_, refusals) = payload(turn::check_running(&mut connection, user_id, plans.answers()).await)?;
        preview.refusals.extend(refusals);
        for (plan, cached) in plans.lanes.into_iter().zip(cached) {
            let payer = plan.lane.payer.user_id;
            let foreseen = match plan.lane.payer.tab.terms() {
                Some(terms) => budget::foresee(&mut connection, payer, &terms, plan.input_tokens).await?,
                None => None,
            };
            let refusal = foreseen.as_ref().and_then(|foreseen| foreseen.refusal.clone());
            preview
                .refusals
                .extend(refusal.map(|refusal| purse::said_of(payer, user_id, refusal)));
            let budget = foreseen.map(|foreseen| foreseen.budget).filter(|_| payer == user_id);
            preview.plans.push(Foretold { plan, budget, cached });
        }
    }
    Ok(preview)
}

/// What is to be expected of a key that its provider refused last.
async fn refused_key(connection: &mut Connection, user_id: UserId, plan: &Plan) -> Result<Option<UserError>> {
    let payer = &plan.lane.payer;
    let Some(used) = &payer.key else { return Ok(None) };
    let key = key::find(connection, user_id, used.id).await?;
    let invalid = FailureKind::KeyInvalid.name().to_uppercase();
    let refused = key.is_some_and(|key| key.last_error_code == Some(invalid));
    Ok(refused.then(|| {
        let name = payer.endpoint.provider.title();
        let message = format!("Invalid API key. Please check your {name} API key in profile settings.");
        UserError::new(ErrorCode::KeyInvalid, &[], message)
    }))
}

async fn plan(
    connection: &mut Connection,
    app: &App,
    user_id: UserId,
    wanted: Wanted,
    reply: Reply,
) -> Result<Lanes<Plan>> {
    match wanted {
        Wanted::Send {
            chat_id,
            content,
            mentions,
            reply_to,
        } => {
            let content = check_content(app, &content)?;
            let membership = Membership::of(connection, user_id, chat_id)
                .await?
                .ok_or_else(|| Error::not_found(&["chatId"], "chat"))?;
            if membership.chat.kind == ChatKind::Group {
                let plans = answer::foresee(connection, app, &membership, &content, (&mentions, reply_to)).await?;
                return several(plans);
            }
            let chat = membership.chat;
            chat.answers("chatId")?;
            let lanes = Lanes::in_chat(connection, app, user_id, &chat, reply).await?;
            let ask = Ask::new(user_id, &chat, Tip::Newest, Some(&content));
            ask.look(connection, app, lanes).await
        }
        Wanted::Regenerate { message_id } => {
            let (membership, message) = revise::answered(connection, user_id, message_id).await?;
            if membership.chat.kind == ChatKind::Group {
                let plans = answer::foresee_again(connection, app, &membership, &message).await?;
                return several(plans);
            }
            let chat = membership.chat;
            let lanes = Lanes::in_chat(connection, app, user_id, &chat, reply.anew()).await?;
            let ask = Ask::new(user_id, &chat, message.parent_id.into(), None);
            ask.look(connection, app, lanes).await
        }
    }
}

/// What several assistants of a group would be sent.
fn several(plans: Vec<Plan>) -> Result<Lanes<Plan>> {
    if plans.is_empty() {
        let message = "No assistant would answer this. Mention one of the group, or reply to what one said.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["content"], message));
    }
    Ok(Lanes {
        lanes: plans,
        mode: Mode::Compare,
        tools: false,
        from_cache: false,
    })
}
