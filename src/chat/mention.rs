//! Whom messages of rooms mention: people and assistants of the room, named by the sender's client or in the text.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::chat::Chat;
use super::message::Message;
use crate::db::schema::message_mentions;
use crate::db::{Connection, lives, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AssistantId, ChatId, MessageId, UserId};

/// The most that one message mentions; what its text names beyond is text only.
pub const MOST: usize = 50;
/// The longest name that is looked for in a text, in characters.
const LONGEST_NAME: usize = 80;
/// The longest user name, in characters.
const LONGEST_USERNAME: usize = 32;

/// Somebody who is mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mentioned {
    /// A person.
    User(UserId),
    /// An assistant.
    Assistant(AssistantId),
}

impl From<&str> for Mentioned {
    fn from(id: &str) -> Self {
        if id.starts_with(AssistantId::PREFIX) {
            Mentioned::Assistant(id.into())
        } else {
            Mentioned::User(id.into())
        }
    }
}

/// What stands behind one `@` of a text.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    /// What may be a name, in lower case.
    rest: String,
    /// What may be a user name, the longest first: a full stop behind it may belong to it or not.
    usernames: Vec<String>,
}

/// The calls of a text. What stands in the middle of a word, as in an e-mail address, is none.
fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let inside = |before: char| before.is_alphanumeric() || "_@.-".contains(before);
        if text[..at].chars().next_back().is_some_and(inside) {
            continue;
        }
        let rest = &text[at + 1..];
        let could_be = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        let end = rest.find(|character| !could_be(character)).unwrap_or(rest.len());
        let mut username = rest[..end].to_ascii_lowercase();
        let mut usernames = Vec::new();
        while !username.is_empty() {
            if username.len() <= LONGEST_USERNAME {
                usernames.push(username.clone());
            }
            if !username.ends_with(['.', '_', '-']) {
                break;
            }
            username.pop();
        }
        let rest = rest
            .chars()
            .take(LONGEST_NAME + 1)
            .flat_map(char::to_lowercase)
            .collect();
        found.push(Call { rest, usernames });
        if found.len() == MOST {
            break;
        }
    }
    found
}

impl Call {
    /// How much of the call this name is; none when it is another.
    fn holds(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let behind = self.rest.strip_prefix(&name)?;
        let goes_on = behind.chars().next().is_some_and(char::is_alphanumeric);
        (!goes_on && !name.is_empty()).then_some(name.len())
    }
}

/// Somebody in a room who may be meant.
#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    assistant_id: Option<AssistantId>,
    /// The user name, or a name of the assistant.
    #[diesel(sql_type = Text)]
    name: String,
}

/// A direct chat's people are its pair, whoever of them has deleted it.
const PRESENT: &str = "SELECT users.id AS user_id, NULL::uuid AS assistant_id, lower(username) AS name FROM users \
      WHERE (lower(username) = ANY ($2) OR id = ANY ($3)) \
      AND (id IN ($4, $5) OR id = ANY ($6) OR EXISTS (SELECT FROM chat_members WHERE chat_id = $1 AND user_id = users.id)) \
    UNION ALL SELECT NULL, assistants.id, names.name FROM (\
        SELECT assistant_id FROM chat_assistants WHERE chat_id = $1 UNION SELECT unnest($7)) AS here \
      JOIN assistants ON assistants.id = assistant_id \
      CROSS JOIN LATERAL (VALUES (display_name), (public_name)) AS names (name) \
      WHERE (deleted_at IS NULL OR assistants.id = ANY ($7)) AND names.name IS NOT NULL";

/// Whom a message to this room mentions: those whom its sender names by id, then those whom the text names with
/// `@username` or `@Name of an Assistant`. Asks nothing where nobody is named.
///
/// # Errors
/// NOT_FOUND or LIMIT_REACHED for `mentionIds`.
pub async fn find(connection: &mut Connection, chat: &Chat, text: &str, named: &[Mentioned]) -> Result<Vec<Mentioned>> {
    if named.len() > MOST {
        let message = format!("A message mentions at most {MOST}. Name fewer.");
        return Err(Error::rejected(ErrorCode::LimitReached, &["mentionIds"], message));
    }
    let calls = calls(text);
    let present = present(connection, chat, &calls.iter().collect::<Vec<_>>(), named, &[]).await?;
    let here = |wanted: &Mentioned| present.iter().any(|present| present.who() == Some(*wanted));
    let mut found: Vec<Mentioned> = Vec::new();
    for named in named {
        if !here(named) {
            return Err(Error::not_found(&["mentionIds"], "member"));
        }
        if !found.contains(named) {
            found.push(*named);
        }
    }
    mean(&calls, &present, &mut found);
    Ok(found)
}

/// Those who may be meant by calls or ids: who is in the room, and who was mentioned before, who may have gone since. Asks
/// nothing where nobody is named.
async fn present(
    connection: &mut Connection,
    chat: &Chat,
    calls: &[&Call],
    named: &[Mentioned],
    before: &[Mentioned],
) -> QueryResult<Vec<Present>> {
    if calls.is_empty() && named.is_empty() {
        return Ok(Vec::new());
    }
    let usernames: Vec<&String> = calls.iter().flat_map(|call| &call.usernames).collect();
    let (ids, (people, assistants)) = (split(named).0, split(before));
    let query = diesel::sql_query(PRESENT)
        .bind::<SqlUuid, _>(chat.id)
        .bind::<Array<Text>, _>(usernames)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_low_id)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_high_id)
        .bind::<Array<SqlUuid>, _>(people)
        .bind::<Array<SqlUuid>, _>(assistants);
    prepared(query).load(connection).await
}

/// The people and the assistants of these.
fn split(mentioned: &[Mentioned]) -> (Vec<UserId>, Vec<AssistantId>) {
    let (mut people, mut assistants) = (Vec::new(), Vec::new());
    for mentioned in mentioned {
        match mentioned {
            Mentioned::User(id) => people.push(*id),
            Mentioned::Assistant(id) => assistants.push(*id),
        }
    }
    (people, assistants)
}

/// Adds those of whom calls speak.
fn mean(calls: &[Call], present: &[Present], found: &mut Vec<Mentioned>) {
    for call in calls {
        let meant = present.iter().filter_map(|present| {
            let length = match present.user_id {
                Some(_) => call.usernames.contains(&present.name).then_some(present.name.len()),
                None => call.holds(&present.name),
            };
            Some((length?, present.user_id.is_some(), present.who()?))
        });
        // The longest name is meant; of two that are the same, the person's.
        let meant = meant.max_by_key(|(length, is_person, _)| (*length, *is_person));
        if let Some((.., who)) = meant
            && !found.contains(&who)
            && found.len() < MOST
        {
            found.push(who);
        }
    }
}

impl Present {
    fn who(&self) -> Option<Mentioned> {
        let person = self.user_id.map(Mentioned::User);
        person.or(self.assistant_id.map(Mentioned::Assistant))
    }
}

/// Notes whom a message mentions that says something else now: those whom its sender's client named stay, and in the place
/// of those whom the text named come those whom it names now. Who has gone since stays as long as the text names them. Says
/// whether they are others.
///
/// # Errors
/// When Postgres fails.
pub async fn amend(connection: &mut Connection, chat: &Chat, old: &Message, text: &str) -> Result<bool> {
    let before = of_messages(connection, &[old.id])
        .await?
        .remove(&old.id)
        .unwrap_or_default();
    let (was, is) = (calls(&old.content), calls(text));
    let both: Vec<&Call> = was.iter().chain(&is).collect();
    let mut present = present(connection, chat, &both, &[], &before).await?;
    let (mut named, mut named_before) = (Vec::new(), Vec::new());
    mean(&is, &present, &mut named);
    // Whom it named when it was written was mentioned by it.
    present.retain(|present| present.who().is_some_and(|who| before.contains(&who)));
    mean(&was, &present, &mut named_before);
    let mut mentioned: Vec<Mentioned> = before
        .iter()
        .filter(|one| !named_before.contains(one))
        .copied()
        .collect();
    for one in named {
        if !mentioned.contains(&one) && mentioned.len() < MOST {
            mentioned.push(one);
        }
    }
    if mentioned == before {
        return Ok(false);
    }
    diesel::delete(message_mentions::table.filter(message_mentions::message_id.eq(old.id)))
        .execute(connection)
        .await?;
    store(connection, (old.chat_id, old.id, old.sequence), &mentioned).await?;
    Ok(true)
}

/// Notes whom a new message mentions.
///
/// # Errors
/// When Postgres fails.
pub async fn store(
    connection: &mut Connection,
    (chat_id, message_id, sequence): (ChatId, MessageId, i64),
    mentioned: &[Mentioned],
) -> QueryResult<()> {
    if mentioned.is_empty() {
        return Ok(());
    }
    let rows = (0_i16..).zip(mentioned).map(|(position, mentioned)| {
        let (user_id, assistant_id) = match mentioned {
            Mentioned::User(id) => (Some(*id), None),
            Mentioned::Assistant(id) => (None, Some(*id)),
        };
        (
            message_mentions::message_id.eq(message_id),
            message_mentions::position.eq(position),
            message_mentions::user_id.eq(user_id),
            message_mentions::assistant_id.eq(assistant_id),
            message_mentions::chat_id.eq(chat_id),
            message_mentions::sequence.eq(sequence),
        )
    });
    diesel::insert_into(message_mentions::table)
        .values(rows.collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

/// Whom each of these messages mentions, in order, in one query. For messages that the asker was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn of_messages(
    connection: &mut Connection,
    ids: &[MessageId],
) -> QueryResult<HashMap<MessageId, Vec<Mentioned>>> {
    type Row = (MessageId, Option<UserId>, Option<AssistantId>);
    let rows: Vec<Row> = message_mentions::table
        .filter(message_mentions::message_id.eq_any(ids))
        .order((message_mentions::message_id, message_mentions::position))
        .select((
            message_mentions::message_id,
            message_mentions::user_id,
            message_mentions::assistant_id,
        ))
        .load(connection)
        .await?;
    let mut found: HashMap<MessageId, Vec<Mentioned>> = HashMap::new();
    for (id, user_id, assistant_id) in rows {
        let mentioned = user_id.map(Mentioned::User).or(assistant_id.map(Mentioned::Assistant));
        found.entry(id).or_default().extend(mentioned);
    }
    Ok(found)
}

/// How many messages of each of these chats mention `user_id` that they have not read; counted to a thousand.
///
/// # Errors
/// When Postgres fails.
pub async fn unread_counts(
    connection: &mut Connection,
    user_id: UserId,
    chats: &[ChatId],
) -> QueryResult<HashMap<ChatId, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        chat_id: ChatId,
        #[diesel(sql_type = BigInt)]
        unread: i64,
    }
    let query = concat!(
        "SELECT member.chat_id, unread.count AS unread FROM chat_members AS member CROSS JOIN LATERAL (\
          SELECT count(*) FROM (SELECT 1 FROM message_mentions AS mention JOIN messages ON messages.id = mention.message_id \
            WHERE mention.user_id = member.user_id AND mention.chat_id = member.chat_id \
            AND mention.sequence > greatest(member.last_read_sequence, member.history_after) \
            AND active AND deleted_at IS NULL AND author_id IS DISTINCT FROM member.user_id \
            AND withheld_from IS DISTINCT FROM member.user_id AND ",
        lives!("messages"),
        " LIMIT 1000) AS counted) AS unread WHERE member.user_id = $1 AND member.chat_id = ANY ($2)"
    );
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Array<SqlUuid>, _>(chats);
    let rows: Vec<Row> = prepared(query).load(connection).await?;
    Ok(rows.into_iter().map(|row| (row.chat_id, row.unread)).collect())
}

#[cfg(test)]
mod tests {
    use super::{Call, calls};

    fn usernames(text: &str) -> Vec<Vec<String>> {
        calls(text).into_iter().map(|call| call.usernames).collect()
    }

    #[test]
    fn user_names_are_read_with_and_without_the_full_stop() {
        assert_eq!(usernames("Hello @Ada."), [["ada.", "ada"]]);
        assert_eq!(usernames("(@ada, @bob-c)"), [["ada"], ["bob-c"]]);
        assert!(calls("mail ada@example.com or a.@b").is_empty());
        assert_eq!(usernames("@ nobody"), [Vec::<String>::new()]);
        assert_eq!(calls(&"@a ".repeat(60)).len(), 50);
        let dots = format!("@{}", ".".repeat(100_000));
        assert_eq!(calls(&dots).remove(0).usernames.len(), 32);
    }

    #[test]
    fn names_with_spaces_end_where_the_word_does() {
        let call = |text: &str| calls(text).remove(0);
        let holds = |call: Call, name: &str| call.holds(name);
        assert_eq!(holds(call("@Clio the Muse, sing"), "Clio the Muse"), Some(13));
        assert_eq!(holds(call("@clio!"), "Clio"), Some(4));
        assert_eq!(holds(call("@cliometrics"), "Clio"), None);
        assert_eq!(holds(call("@ÉMILE, oui"), "Émile"), Some(6));
        assert_eq!(holds(call("@"), ""), None);
    }
}
