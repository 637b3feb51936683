//! A turn of a conversation: a question and its answers, or other answers to a question, stored in one transaction.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::branch;
use super::chat::{Chat, TitleSource};
use super::claim::{Claim, Sent};
use super::draft;
use super::event;
use super::extras::Extras;
use super::lane::{Lanes, Mode};
use super::member::Membership;
use super::message::{Message, MessageRole, NewRow, coalesce};
use super::plan::Plan;
use super::reply::generation::{self, NewGeneration};
use super::title;
use crate::app::App;
use crate::db::schema::{chat_members, chats, messages, users};
use crate::db::{Connection, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{append, append_all};
use crate::id::{GenerationId, MessageId, UserId};
use crate::usage::budget;

/// The most answers that may be written for one person at once.
const MOST_RUNNING: i64 = 16;

/// Where a turn is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the end of the active branch.
    End,
    /// Below this message, or as another beginning; a branch begins there, and becomes the active one.
    Fork(Option<MessageId>),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The text.
    pub content: &'a str,
    /// What it carries besides.
    pub extras: &'a Extras,
}

/// What is stored.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The action's key.
    pub claim: &'a Claim,
    /// What is asked; none where a question is answered anew.
    pub question: Option<Question<'a>>,
    /// Where it is put.
    pub place: Place,
    /// What the models are sent that answer it.
    pub plans: &'a Lanes<Plan>,
}

/// A title of the message's own making; none leaves the chat's as it is.
#[derive(AsChangeset)]
#[diesel(table_name = chats)]
struct Titled {
    title: Option<String>,
    title_source: Option<TitleSource>,
}

/// Stores a turn in the chat of `membership`, which is locked; none when its key was claimed meanwhile.
///
/// # Errors
/// LIMIT_REACHED for too many running answers or versions, BUDGET_EXCEEDED, or when Postgres fails.
pub async fn store(
    connection: &mut Connection,
    app: &App,
    membership: &Membership,
    turn: Turn<'_>,
) -> Result<Option<Sent>> {
    let Membership { chat, user_id, .. } = membership;
    let user_id = *user_id;
    let question_id = MessageId::new();
    let answers: Vec<(MessageId, GenerationId)> = (0..turn.plans.answers())
        .map(|_| (MessageId::new(), GenerationId::new()))
        .collect();
    let &[(answer_id, first_id), ..] = answers.as_slice() else {
        return Err(Error::internal("a turn without an answer"));
    };
    let message_id = if turn.question.is_some() {
        question_id
    } else {
        answer_id
    };
    let asked = turn.question.map(|question| question.extras);
    // Other words for a question reply to what it replied to, be it a tombstone by now.
    let replies = asked.filter(|_| turn.place == Place::End);
    let check_reply = async |connection: &Connection| match replies {
        Some(extras) => extras.check_reply(connection, membership).await,
        None => Ok(()),
    };
    // On their way together: who waits for the first word waits for two statements less.
    let shared: &Connection = connection;
    let (taken, replies, locked) = tokio::join!(
        turn.claim.take(shared, chat.id, message_id, Some(first_id)),
        check_reply(shared),
        lock_running(shared, user_id)
    );
    if !taken? {
        return Ok(None);
    }
    replies?;
    locked?;
    let fork = match turn.place {
        Place::End => None,
        Place::Fork(parent) => {
            let versions = if turn.question.is_some() { 1 } else { answers.len() };
            Some(branch::fork(connection, chat.id, parent, versions).await?)
        }
    };
    let first = chat.last_sequence + 1;
    let question_tokens = turn.plans.lanes.iter().find_map(|plan| plan.question_tokens);
    let question = turn.question.map(|question| NewRow {
        id: question_id,
        chat_id: chat.id,
        sequence: first,
        role: MessageRole::User,
        author_id: Some(user_id),
        content: question.content.to_owned(),
        idempotency_key: Some(turn.claim.key.clone()),
        assistant_id: None,
        active: true,
        chosen: true,
        tokens: question_tokens.and_then(|tokens| tokens.try_into().ok()),
        extras: question.extras.clone(),
    });
    let sequences = first + i64::from(turn.question.is_some())..;
    let rows = answers.iter().zip(&turn.plans.lanes).zip(sequences);
    let rows = rows.map(|(((id, _), plan), sequence)| NewRow {
        id: *id,
        chat_id: chat.id,
        sequence,
        role: MessageRole::Assistant,
        author_id: None,
        content: String::new(),
        idempotency_key: None,
        assistant_id: plan.lane.assistant_id,
        active: *id == answer_id,
        chosen: *id == answer_id,
        tokens: None,
        extras: Extras::default(),
    });
    // On their way together: who waits for the first word waits for one statement less.
    let shared: &Connection = connection;
    let (refused, message) = tokio::join!(
        refuse_more(shared, user_id, answers.len()),
        insert(shared, question, rows.collect())
    );
    refused?;
    let message = message?;
    let alone = answers.len() == 1;
    if !alone {
        // Their keys may be charged to different ones.
        budget::lock_all(connection, user_id).await?;
    }
    let mut generations = Vec::with_capacity(answers.len());
    for ((message_id, id), plan) in answers.iter().zip(&turn.plans.lanes) {
        let payer = &plan.lane.payer;
        let new = NewGeneration {
            id: *id,
            message_id: *message_id,
            chat_id: chat.id,
            user_id,
            provider: payer.endpoint.provider.name().to_owned(),
            model: payer.model.clone(),
            key_source: payer.source,
            leased_by: app.engine().node(),
            lanes_of: (!alone).then_some(first_id),
            race: !alone && turn.plans.mode == Mode::Race,
        };
        generations.push(generation::insert(connection, new, payer, plan.input_tokens).await?);
    }
    let content = turn.question.map(|question| question.content);
    let counted = count(connection, chat, user_id, answers.len(), content);
    match (fork, alone) {
        (None, true) => {
            let events = [
                event::message_created(chat.id, question_id),
                event::message_created(chat.id, answer_id),
                event::chat_upserted(chat.id),
            ];
            let (counted, told) = tokio::join!(counted, append(connection, events));
            counted?;
            told?;
        }
        (fork, _) => {
            counted.await?;
            let mut events = Vec::new();
            events.extend(fork.as_ref().map(|fork| event::branch_changed(chat.id, fork.after)));
            events.extend(turn.question.map(|_| event::message_created(chat.id, question_id)));
            events.extend(answers.iter().map(|(id, _)| event::message_created(chat.id, *id)));
            events.push(event::chat_upserted(chat.id));
            append_all(connection, events).await?;
            let siblings = fork.map(|fork| fork.siblings).unwrap_or_default();
            branch::tell_siblings(connection, chat.id, &siblings).await?;
        }
    }
    Ok(Some(Sent {
        message,
        generations,
        so_far: String::new(),
    }))
}

/// Refuses another `more` answers when so many are being written for a person already.
///
/// # Errors
/// LIMIT_REACHED, or when Postgres fails.
pub async fn check_running(connection: &mut Connection, user_id: UserId, more: usize) -> Result<()> {
    lock_running(connection, user_id).await?;
    refuse_more(connection, user_id, more).await
}

/// Sends to other chats of the same person are counted one after the other.
async fn lock_running(mut connection: &Connection, user_id: UserId) -> QueryResult<()> {
    let person = users::table.find(user_id).select(users::id).for_no_key_update();
    person.first::<UserId>(&mut connection).await.map(drop)
}

async fn refuse_more(connection: &Connection, user_id: UserId, more: usize) -> Result<()> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    let running = generation::count_running(connection, user_id).await?;
    if running.saturating_add(more) > MOST_RUNNING {
        let message =
            format!("{MOST_RUNNING} answers are being written for you already. Wait for one to finish, or stop one.");
        return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
    }
    Ok(())
}

/// Inserts the messages at the end of the active branch; gives the question, or else the first answer.
async fn insert(mut connection: &Connection, question: Option<NewRow>, answers: Vec<NewRow>) -> Result<Message> {
    let mut answers = answers.into_iter();
    let first = answers
        .next()
        .ok_or_else(|| Error::internal("a turn without an answer"))?;
    let chat_id = first.chat_id;
    let wanted = question.as_ref().map_or(first.id, |question| question.id);
    // Found by the statement that inserts, which saves the most frequent action a round trip.
    let row = |row: NewRow, parent: Option<MessageId>| {
        let end = messages::table
            .filter(messages::chat_id.eq(chat_id))
            .filter(messages::active)
            .order(messages::sequence.desc())
            .select(messages::id)
            .limit(1)
            .single_value();
        (row, messages::parent_id.eq(coalesce(parent, end)))
    };
    let inserted: Vec<Message> = match question {
        Some(question) => {
            let parent = Some(question.id);
            diesel::insert_into(messages::table)
                .values([row(question, None), row(first, parent)])
                .returning(Message::as_returning())
                .get_results(&mut connection)
                .await?
        }
        None => {
            diesel::insert_into(messages::table)
                .values([row(first, None)])
                .returning(Message::as_returning())
                .get_results(&mut connection)
                .await?
        }
    };
    let parent = inserted
        .iter()
        .find(|message| message.role == MessageRole::Assistant)
        .and_then(|answer| answer.parent_id);
    let rest: Vec<_> = answers.map(|answer| row(answer, parent)).collect();
    if !rest.is_empty() {
        diesel::insert_into(messages::table)
            .values(rest)
            .execute(&mut connection)
            .await?;
    }
    let message = inserted.into_iter().find(|message| message.id == wanted);
    message.ok_or_else(|| Error::internal("an inserted message did not come back"))
}

/// Counts what was added in the chat's row and the member's, and gives a new chat its first title.
async fn count(
    connection: &Connection,
    chat: &Chat,
    user_id: UserId,
    answers: usize,
    question: Option<&str>,
) -> Result<()> {
    let is_new = chat.title.is_none() && chat.last_sequence == chat.cleared_sequence && !chat.is_default;
    let title = question.filter(|_| is_new).and_then(title::heuristic);
    let titled = Titled {
        title_source: title.as_ref().map(|_| TitleSource::Heuristic),
        title,
    };
    let read = chat.last_sequence + i64::from(question.is_some());
    let counted = (
        chats::last_sequence.eq(read + i64::try_from(answers).unwrap_or(i64::MAX)),
        chats::version.eq(chats::version + 1),
        chats::updated_at.eq(now),
        chats::last_activity_at.eq(now),
    );
    let (mut one, mut other) = (connection, connection);
    let counted = prepared(diesel::update(chats::table.find(chat.id)).set((titled, counted))).execute(&mut one);
    // Whoever writes has read what came before.
    let read = diesel::update(chat_members::table.find((chat.id, user_id))).set((
        chat_members::last_read_sequence.eq(read),
        chat_members::draft_version.eq(chat_members::draft_version + i32::from(question.is_some())),
        draft::Ended::when(question.is_some()),
    ));
    let read = prepared(read).execute(&mut other);
    let (counted, read) = tokio::join!(counted, read);
    counted?;
    read?;
    Ok(())
}
