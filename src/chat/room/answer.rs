//! Answers of assistants in groups: planned before anything is stored, stored with what they answer, asked for anew.
//!
//! There are no branches in rooms of people: an answer stands where it was asked for, and stays. Another answer to the
//! same is another message at the end.

use diesel_async::AsyncConnection;

use super::asked;
use super::asked::Asked;
use super::permission::{ChatPermission, MemberRole, refusal};
use super::post::{Said, say};
use super::purse::{self, Purse};
use super::scene::{self, Scene, part};
use crate::app::App;
use crate::assistant::{Assistant, assistant};
use crate::chat::answering::Answering;
use crate::chat::chat::Chat;
use crate::chat::claim::{Claim, Sent};
use crate::chat::event;
use crate::chat::extras::Extras;
use crate::chat::lane::Lane;
use crate::chat::member::Membership;
use crate::chat::mention::{self, Mentioned};
use crate::chat::message::{Message, MessageRole, NewRow};
use crate::chat::plan::{Material, Plan};
use crate::chat::reply::generation::{self, Generation, NewGeneration};
use crate::chat::reply::payer::Wish;
use crate::chat::turn::check_running;
use crate::chat::{message, revise};
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{GenerationId, MessageId, UserId};
use crate::usage::budget;

/// A question to assistants of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Who asks.
    pub(super) asker: UserId,
    /// What; none when it is the message numbered `through`.
    pub(super) content: Option<&'a str>,
    /// The number of the last message that is shown.
    pub(super) through: i64,
}

/// What will be sent to the models of these assistants, one after the other; nothing where nobody is asked.
///
/// # Errors
/// KEY_MISSING, CONTEXT_TOO_LONG, or when Postgres fails.
pub(super) async fn plan(
    connection: &mut Connection,
    app: &App,
    chat: &Chat,
    assistants: &[Assistant],
    question: Question<'_>,
) -> Result<Vec<Plan>> {
    let plans = look(connection, app, chat, assistants, question).await?;
    match plans.iter().find_map(Plan::refusal) {
        Some(refusal) => Err(Error::Rejected(vec![refusal])),
        None => Ok(plans),
    }
}

/// The same, though it may be too much for the models.
async fn look(
    connection: &mut Connection,
    app: &App,
    chat: &Chat,
    assistants: &[Assistant],
    question: Question<'_>,
) -> Result<Vec<Plan>> {
    if assistants.is_empty() {
        return Ok(Vec::new());
    }
    let purse = Purse::of(connection, chat, question.asker).await?;
    let mut lanes = Vec::with_capacity(assistants.len());
    for assistant in assistants {
        let Answering {
            assistant_id,
            wish,
            mut manner,
        } = Answering::new(assistant, chat, Wish::default());
        let told = [manner.instructions.trim(), &part(assistant)].join("\n\n");
        manner.instructions = told.trim().to_owned();
        lanes.push(Lane {
            assistant_id: Some(assistant_id),
            payer: purse.pays(app, wish)?,
            manner,
        });
    }
    let scene = Scene::read(connection, app, (chat.id, question.through), question.asker).await?;
    let asked = question.content.map(|content| scene.question(content));
    let plans = lanes.into_iter().zip(assistants).map(|(lane, assistant)| {
        let material = Material::of_room(chat, scene.history(assistant.id), asked.clone());
        material.plan(app, lane)
    });
    Ok(plans.collect())
}

/// What a message to a group would have its assistants sent.
///
/// # Errors
/// NOT_FOUND for whom it mentions, KEY_MISSING, or when Postgres fails.
pub async fn foresee(
    connection: &mut Connection,
    app: &App,
    membership: &Membership,
    content: &str,
    (named, reply_to): (&[Mentioned], Option<MessageId>),
) -> Result<Vec<Plan>> {
    let chat = &membership.chat;
    let mentioned = mention::find(connection, chat, content, named).await?;
    let Asked { assistants, .. } = asked::by(connection, membership, &mentioned, reply_to).await?;
    let question = Question {
        asker: membership.user_id,
        content: Some(content),
        through: chat.last_sequence,
    };
    look(connection, app, chat, &assistants, question).await
}

/// The ids of answers that are about to be stored.
pub(super) fn ids(plans: &[Plan]) -> Vec<(MessageId, GenerationId)> {
    plans.iter().map(|_| (MessageId::new(), GenerationId::new())).collect()
}

/// The messages that answers to `question` are written into, numbered from `first` on.
pub(super) fn rows(
    chat: &Chat,
    first: i64,
    question: MessageId,
    answers: &[(MessageId, GenerationId)],
    plans: &[Plan],
) -> Vec<NewRow> {
    let row = |(((id, _), plan), sequence): ((&(MessageId, GenerationId), &Plan), i64)| NewRow {
        id: *id,
        chat_id: chat.id,
        sequence,
        role: MessageRole::Assistant,
        author_id: None,
        content: String::new(),
        idempotency_key: None,
        assistant_id: plan.lane.assistant_id,
        active: true,
        chosen: true,
        tokens: None,
        extras: Extras {
            reply_to_id: Some(question),
            ..Extras::default()
        },
    };
    answers.iter().zip(plans).zip(first..).map(row).collect()
}

/// Stores the answers whose messages are there, QUEUED, and holds parts of their payer's budget.
///
/// # Errors
/// BUDGET_EXCEEDED, PRICE_UNKNOWN, or when Postgres fails.
pub(super) async fn queue(
    connection: &mut Connection,
    app: &App,
    (chat, asker): (&Chat, UserId),
    answers: &[(MessageId, GenerationId)],
    plans: &[Plan],
) -> Result<Vec<Generation>> {
    let alone = answers.len() < 2;
    if let (false, Some(plan)) = (alone, plans.first()) {
        // One payer, whose keys may be charged to different budgets.
        budget::lock_all(connection, plan.lane.payer.user_id).await?;
    }
    let first = answers.first().map(|(_, id)| *id);
    let mut queued = Vec::with_capacity(answers.len());
    for ((message_id, id), plan) in answers.iter().zip(plans) {
        let payer = &plan.lane.payer;
        let new = NewGeneration {
            id: *id,
            message_id: *message_id,
            chat_id: chat.id,
            user_id: asker,
            provider: payer.endpoint.provider.name().to_owned(),
            model: payer.model.clone(),
            key_source: payer.source,
            leased_by: app.engine().node(),
            lanes_of: first.filter(|_| !alone),
            race: false,
        };
        let inserted = generation::insert(connection, new, payer, plan.input_tokens).await;
        queued.push(inserted.map_err(|error| match error {
            Error::Rejected(errors) => {
                let said = errors
                    .into_iter()
                    .map(|error| purse::said_of(payer.user_id, asker, error));
                Error::Rejected(said.collect())
            }
            other => other,
        })?);
    }
    Ok(queued)
}

/// Starts the answers that were stored.
pub(super) fn start(app: &App, generations: &[Generation], plans: Vec<Plan>) {
    for (generation, plan) in generations.iter().zip(plans) {
        app.engine().start(app, generation, String::new(), vec![plan]);
    }
}

/// Refuses to stop or repeat an answer to whoever has not asked for it and is no moderator.
///
/// # Errors
/// FORBIDDEN for `field`.
pub fn check_command(membership: &Membership, asker: UserId, field: &str) -> Result<()> {
    if asker == membership.user_id || membership.role >= MemberRole::Moderator {
        return Ok(());
    }
    Err(refusal().at(&[field]))
}

/// Has an assistant of a group answer once more, at the end of the room; the answer that there is stays.
///
/// # Errors
/// FORBIDDEN; INVALID_STATE when the question or the assistant is gone, or when somebody has come since who may not see
/// the question; KEY_MISSING, LIMIT_REACHED.
pub async fn again(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    membership: &Membership,
    old: &Message,
) -> Result<Sent> {
    let (chat_id, version, asker) = (membership.chat.id, membership.chat.version, membership.user_id);
    let prepared = prepare(connection, app, membership, old).await?;
    let stored = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, asker, chat_id)
                .await
                .map_err(revise::hidden)?;
            let (message_id, generation_id) = (MessageId::new(), GenerationId::new());
            if !claim.take(connection, chat_id, message_id, Some(generation_id)).await? {
                return Ok(None);
            }
            let chat = &membership.chat;
            let (question, plans) = if chat.version == version {
                prepared
            } else {
                // Somebody has come or gone, or pays no more: what holds now, holds until this is stored.
                let old = revise::visible(connection, asker, old.id).await?;
                prepare(connection, app, &membership, &old).await?
            };
            let answers = [(message_id, generation_id)];
            check_running(connection, asker, 1).await?;
            let rows = rows(chat, chat.last_sequence + 1, question, &answers, &plans);
            let Said { messages } = say(connection, chat, asker, rows).await?;
            let generations = queue(connection, app, (chat, asker), &answers, &plans).await?;
            let events = vec![
                event::message_created(chat.id, message_id),
                event::chat_upserted(chat.id),
            ];
            append_all(connection, events).await?;
            let message = messages.into_iter().next();
            let message = message.ok_or_else(|| Error::internal("an inserted message did not come back"))?;
            let sent = Sent {
                message,
                generations,
                so_far: String::new(),
            };
            Ok::<_, Error>(Some((sent, plans)))
        })
        .await?;
    let Some((sent, plans)) = stored else {
        let first = claim.first_result(connection).await?;
        return first.ok_or_else(|| Error::internal("a claimed key without a result"));
    };
    app.log().wake();
    start(app, &sent.generations, plans);
    Ok(sent)
}

/// The question that an answer made anew would answer, and what its assistant would be sent.
async fn prepare(
    connection: &mut Connection,
    app: &App,
    membership: &Membership,
    old: &Message,
) -> Result<(MessageId, Vec<Plan>)> {
    let (assistant, question) = answered(connection, membership, old).await?;
    let asked = Question {
        asker: membership.user_id,
        content: None,
        through: question.sequence,
    };
    let plans = plan(connection, app, &membership.chat, &[assistant], asked).await?;
    Ok((question.id, plans))
}

/// What making an answer of a group anew would have its assistant sent.
///
/// # Errors
/// As [`again`].
pub async fn foresee_again(
    connection: &mut Connection,
    app: &App,
    membership: &Membership,
    old: &Message,
) -> Result<Vec<Plan>> {
    let (assistant, question) = answered(connection, membership, old).await?;
    let asked = Question {
        asker: membership.user_id,
        content: None,
        through: question.sequence,
    };
    look(connection, app, &membership.chat, &[assistant], asked).await
}

/// Who wrote an answer that this member may have made anew, and what it answers.
async fn answered(connection: &mut Connection, membership: &Membership, old: &Message) -> Result<(Assistant, Message)> {
    membership.check(ChatPermission::AskAi)?;
    let refuse = |words: &str| Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], words));
    let written = generation::find_by_messages(connection, &[old.id]).await?;
    let asker = written.get(&old.id).map(|generation| generation.user_id);
    check_command(membership, asker.unwrap_or(membership.user_id), "messageId")?;
    let here = assistant::of_room(connection, membership.chat.id).await?;
    let Some(assistant) = here.into_iter().find(|here| Some(here.id) == old.assistant_id) else {
        return refuse("This assistant is in the group no more. Ask another one.");
    };
    let Some(question) = old.extras.reply_to_id else {
        return refuse("The question to this answer is gone. Ask again.");
    };
    let mut found = message::find_many_visible(connection, membership.user_id, &[question]).await?;
    let Some(question) = found.remove(&question).filter(|question| question.deleted_at.is_none()) else {
        return refuse("The question to this answer is gone. Ask again.");
    };
    // Everybody reads the answer, and its assistant is shown nothing that somebody may not see.
    if question.sequence <= scene::hidden_through(connection, membership.chat.id).await? {
        return refuse("Somebody has come since who may not see this question. Ask it again.");
    }
    Ok((assistant, question))
}
