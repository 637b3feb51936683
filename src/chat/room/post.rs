//! Sending to people, and to the assistants of groups.

use diesel::dsl::{case_when, now};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::answer::{self, Question};
use super::asked::{self, Asked};
use super::direct;
use super::permission::ChatPermission;
use crate::app::App;
use crate::chat::chat::{Chat, ChatKind};
use crate::chat::claim::{Claim, Sent};
use crate::chat::draft;
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::mention::{self, Mentioned};
use crate::chat::message::{Message, MessageRole, NewRow, coalesce};
use crate::chat::plan::Plan;
use crate::chat::send::NewMessage;
use crate::chat::turn::check_running;
use crate::db::schema::{chat_members, chats, messages};
use crate::db::{Connection, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{append, append_all};
use crate::id::{MessageId, UserId};

/// Sends a checked text to a room of people. In a group it may ask assistants, who answer then.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, INVALID_STATE for whom one blocks, CONFLICT; and where assistants are addressed, what they would
/// refuse.
pub async fn post(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    membership: &Membership,
    new: &NewMessage,
    content: String,
) -> Result<Sent> {
    let chat = &membership.chat;
    let mentioned = mention::find(connection, chat, &content, &new.mentions).await?;
    let mut asked = match chat.kind {
        ChatKind::Group => asked::by(connection, membership, &mentioned, new.extras.reply_to_id).await?,
        ChatKind::Assistant | ChatKind::Direct => Asked::default(),
    };
    if !asked.assistants.is_empty() && new.reply.is_particular() {
        let message = "In a group, its assistants say whose model answers. Leave this away.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["reply"], message));
    }
    let wanted = Wanted {
        new,
        content: &content,
        mentioned: &mentioned,
    };
    let posted = loop {
        let posted = try_post(app, connection, claim, membership, wanted, &asked).await;
        match posted {
            // Where assistants answer everything, people can talk also when these cannot.
            Err(Error::Rejected(_)) if !asked.addressed && !asked.assistants.is_empty() => asked.assistants.clear(),
            posted => break posted?,
        }
    };
    let Some((sent, plans)) = posted else {
        // Another request with the same key was faster by a moment.
        let first = claim.first_result(connection).await?;
        return first.ok_or_else(|| Error::internal("a claimed key without a result"));
    };
    app.log().wake();
    app.presence().typing(membership.chat.id, claim.user_id, false);
    answer::start(app, &sent.generations, plans);
    Ok(sent)
}

/// What is sent.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    new: &'a NewMessage,
    content: &'a str,
    mentioned: &'a [Mentioned],
}

impl Wanted<'_> {
    /// As a question in the chat as it is.
    fn question(&self, membership: &Membership) -> Question<'_> {
        Question {
            asker: membership.user_id,
            content: Some(self.content),
            through: membership.chat.last_sequence,
        }
    }
}

/// Stores a message and the answers of those who are asked; none when its key was claimed meanwhile.
async fn try_post(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    membership: &Membership,
    wanted: Wanted<'_>,
    asked: &Asked,
) -> Result<Option<(Sent, Vec<Plan>)>> {
    let chat = &membership.chat;
    let question = wanted.question(membership);
    let plans = answer::plan(connection, app, chat, &asked.assistants, question).await?;
    connection
        .transaction(async |connection| {
            let locked = Membership::lock(connection, claim.user_id, chat.id).await?;
            locked.check(ChatPermission::Post)?;
            if asked.assistants.is_empty() || locked.chat.version == chat.version {
                let sent = store(connection, app, claim, &locked, wanted, &plans).await?;
                return Ok(sent.map(|sent| (sent, plans)));
            }
            let (mentioned, plans) = ask_anew(connection, app, &locked, wanted).await?;
            let wanted = Wanted {
                mentioned: &mentioned,
                ..wanted
            };
            let sent = store(connection, app, claim, &locked, wanted, &plans).await?;
            Ok(sent.map(|sent| (sent, plans)))
        })
        .await
}

/// Whom a message mentions, and what its assistants are sent, now that the chat is locked: somebody wrote since that was
/// found out, or came or went, or may ask or pays no more.
async fn ask_anew(
    connection: &mut Connection,
    app: &App,
    locked: &Membership,
    wanted: Wanted<'_>,
) -> Result<(Vec<Mentioned>, Vec<Plan>)> {
    let Wanted { new, content, .. } = wanted;
    let mentioned = mention::find(connection, &locked.chat, content, &new.mentions).await?;
    let asked = asked::by(connection, locked, &mentioned, new.extras.reply_to_id).await?;
    let question = wanted.question(locked);
    let plans = answer::plan(connection, app, &locked.chat, &asked.assistants, question).await;
    match plans {
        Err(Error::Rejected(_)) if !asked.addressed => Ok((mentioned, Vec::new())),
        plans => Ok((mentioned, plans?)),
    }
}

async fn store(
    connection: &mut Connection,
    app: &App,
    claim: &Claim,
    membership: &Membership,
    wanted: Wanted<'_>,
    plans: &[Plan],
) -> Result<Option<Sent>> {
    let Membership { chat, user_id, .. } = membership;
    let (user_id, id) = (*user_id, MessageId::new());
    let Wanted { new, mentioned, .. } = wanted;
    let extras = &new.extras;
    let answers = answer::ids(plans);
    let first = answers.as_slice().first().map(|(_, id)| *id);
    let shared: &Connection = connection;
    let (taken, replies) = tokio::join!(
        claim.take(shared, chat.id, id, first),
        extras.check_reply(shared, membership)
    );
    if !taken? {
        return Ok(None);
    }
    replies?;
    let withheld_from = direct::gather(connection, chat, user_id).await?;
    let sequence = chat.last_sequence + 1;
    let row = NewRow {
        id,
        chat_id: chat.id,
        sequence,
        role: MessageRole::User,
        author_id: Some(user_id),
        content: wanted.content.to_owned(),
        idempotency_key: Some(claim.key.clone()),
        assistant_id: None,
        active: true,
        chosen: true,
        tokens: None,
        extras: extras.clone(),
    };
    if let Some(other) = withheld_from {
        let message = withhold(connection, chat, user_id, row, other).await?;
        let events = [
            event::message_created_for(chat.id, user_id, id),
            event::chat_upserted_for(chat.id, user_id),
        ];
        append(connection, events).await?;
        mention::store(connection, (chat.id, id, sequence), mentioned).await?;
        return Ok(Some(Sent {
            message,
            generations: Vec::new(),
            so_far: String::new(),
        }));
    }
    if !answers.is_empty() {
        check_running(connection, user_id, answers.len()).await?;
    }
    let mut rows = vec![row];
    rows.extend(answer::rows(chat, sequence + 1, id, &answers, plans));
    let Said { messages } = say(connection, chat, user_id, rows).await?;
    mention::store(connection, (chat.id, id, sequence), mentioned).await?;
    let generations = answer::queue(connection, app, (chat, user_id), &answers, plans).await?;
    if answers.is_empty() {
        let events = [event::message_created(chat.id, id), event::chat_upserted(chat.id)];
        append(connection, events).await?;
    } else {
        let created = messages
            .iter()
            .map(|message| event::message_created(chat.id, message.id));
        append_all(connection, created.chain([event::chat_upserted(chat.id)]).collect()).await?;
    }
    let message = messages.into_iter().next();
    let message = message.ok_or_else(|| Error::internal("an inserted message did not come back"))?;
    Ok(Some(Sent {
        message,
        generations,
        so_far: String::new(),
    }))
}

/// Puts a message at the end of a direct chat, which is locked, that only its author sees. Nothing changes for the other.
/// Whoever calls this tells of it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn withhold(
    connection: &mut Connection,
    chat: &Chat,
    author: UserId,
    row: NewRow,
    other: UserId,
) -> Result<Message> {
    let (sequence, is_sent) = (row.sequence, row.role == MessageRole::User);
    let before: Option<MessageId> = messages::table
        .filter(messages::chat_id.eq(chat.id))
        .filter(messages::active)
        .order(messages::sequence.desc())
        .select(messages::id)
        .first(connection)
        .await
        .optional()?;
    let placed = (row, messages::parent_id.eq(before), messages::withheld_from.eq(other));
    let message = diesel::insert_into(messages::table)
        .values(placed)
        .returning(Message::as_returning())
        .get_result(connection)
        .await?;
    diesel::update(chats::table.find(chat.id))
        .set(chats::last_sequence.eq(sequence))
        .execute(connection)
        .await?;
    let mine = chat_members::table.find((chat.id, author));
    let changed = (
        chat_members::own_activity_at.eq(now),
        chat_members::draft_version.eq(chat_members::draft_version + i32::from(is_sent)),
        draft::Ended::when(is_sent),
        chat_members::version.eq(chat_members::version + 1),
    );
    diesel::update(mine).set(changed).execute(connection).await?;
    diesel::update(mine.filter(chat_members::last_read_sequence.ge(chat.last_sequence)))
        .set(chat_members::last_read_sequence.eq(sequence))
        .execute(connection)
        .await?;
    Ok(message)
}

/// What was put at the end of a room.
pub(super) struct Said {
    /// The messages, in order.
    pub(super) messages: Vec<Message>,
}

/// Puts messages of `author`, and answers to them, numbered on from its newest, at the end of a room that is locked, and
/// counts them in its row.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn say(connection: &mut Connection, chat: &Chat, author: UserId, rows: Vec<NewRow>) -> Result<Said> {
    let last = rows.last().map_or(chat.last_sequence, |row| row.sequence);
    // What others answer in the same breath is to be read yet.
    let own = rows.iter().rfind(|row| row.author_id == Some(author));
    let own = own.map_or(chat.last_sequence, |row| row.sequence);
    let is_sent = rows.iter().any(|row| row.role == MessageRole::User);
    let mut before: Option<MessageId> = None;
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows {
        let parent = before.replace(row.id);
        let end = messages::table
            .filter(messages::chat_id.eq(chat.id))
            .filter(messages::active)
            .order(messages::sequence.desc())
            .select(messages::id)
            .limit(1)
            .single_value();
        placed.push((row, messages::parent_id.eq(coalesce(parent, end))));
    }
    let counted = (
        chats::last_sequence.eq(last),
        chats::version.eq(chats::version + 1),
        chats::updated_at.eq(now),
        chats::last_activity_at.eq(now),
    );
    // On their way together.
    let shared: &Connection = connection;
    let (mut one, mut other, mut third) = (shared, shared, shared);
    let counted = prepared(diesel::update(chats::table.find(chat.id)).set(counted)).execute(&mut one);
    // Whoever had read everything has read everything still; what came meanwhile from others stays unread.
    let had_read = chat_members::last_read_sequence.ge(chat.last_sequence);
    let through = case_when(had_read, own.into_sql::<BigInt>()).otherwise(chat_members::last_read_sequence);
    let read = diesel::update(chat_members::table.find((chat.id, author))).set((
        chat_members::last_read_sequence.eq(through),
        chat_members::draft_version.eq(chat_members::draft_version + i32::from(is_sent)),
        draft::Ended::when(is_sent),
    ));
    let read = prepared(read).execute(&mut third);
    let (counted, read, mut said) = match <[_; 1]>::try_from(placed) {
        // An array, so that the statement stays prepared.
        Ok(only) => {
            let inserted = diesel::insert_into(messages::table)
                .values(only)
                .returning(Message::as_returning())
                .get_results::<Message>(&mut other);
            tokio::join!(counted, read, inserted)
        }
        Err(placed) => {
            let inserted = diesel::insert_into(messages::table)
                .values(placed)
                .returning(Message::as_returning())
                .get_results::<Message>(&mut other);
            tokio::join!(counted, read, inserted)
        }
    };
    counted?;
    read?;
    if let Ok(messages) = &mut said {
        messages.sort_by_key(|message| message.sequence);
    }
    Ok(Said { messages: said? })
}
