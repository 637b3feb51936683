//! What happened in a room, told by messages of the role SYSTEM: typed, for clients that say it in their own words, and
//! in plain English for those that do not.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::direct;
use super::permission::MemberRole;
use super::post::{Said, say, withhold};
use crate::account::user::User;
use crate::assistant::{Assistant, assistant};
use crate::chat::chat::Chat;
use crate::chat::event;
use crate::chat::extras::{Extras, MessageKind};
use crate::chat::message::{MessageRole, NewRow};
use crate::db::schema::system_notes;
use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::event::NewEvent;
use crate::id::{AssistantId, MessageId, UserId};

text_enum! {
    /// What happened in a room.
    SystemKind {
        /// The group was made.
        Created = "CREATED",
        /// Somebody was added by the author.
        MemberAdded = "MEMBER_ADDED",
        /// Somebody was removed by the author.
        MemberRemoved = "MEMBER_REMOVED",
        /// Somebody left.
        MemberLeft = "MEMBER_LEFT",
        /// Somebody was given another role by the author, who may have left with it.
        RoleChanged = "ROLE_CHANGED",
        /// The author changed details of the group.
        DetailsChanged = "DETAILS_CHANGED",
        /// An assistant was added by the author.
        AssistantAdded = "ASSISTANT_ADDED",
        /// An assistant was removed by the author, or left with them.
        AssistantRemoved = "ASSISTANT_REMOVED",
        /// The author pinned a message, which the system message replies to.
        MessagePinned = "MESSAGE_PINNED",
    }
}

text_enum! {
    /// Something about a group that can be changed.
    ChatDetail {
        /// What it is called.
        Title = "TITLE",
        /// What it is for.
        Description = "DESCRIPTION",
        /// Its picture.
        Icon = "ICON",
        /// What those see who join.
        History = "HISTORY",
        /// Who may do what.
        Permissions = "PERMISSIONS",
        /// When its assistants answer.
        AssistantReplies = "ASSISTANT_REPLIES",
        /// Who pays for their answers.
        Payer = "PAYER",
        /// How old messages get.
        MessageLifetime = "MESSAGE_LIFETIME",
    }
}

/// What happened.
#[derive(Debug)]
pub struct Note {
    kind: SystemKind,
    subject_id: Option<UserId>,
    assistant_id: Option<AssistantId>,
    role: Option<MemberRole>,
    details: Vec<ChatDetail>,
    message_id: Option<MessageId>,
}

impl Note {
    /// Something that happened to nobody.
    pub fn new(kind: SystemKind) -> Self {
        Note {
            kind,
            subject_id: None,
            assistant_id: None,
            role: None,
            details: Vec::new(),
            message_id: None,
        }
    }

    /// Something that happened to somebody.
    pub fn about(kind: SystemKind, subject_id: UserId) -> Self {
        Note {
            subject_id: Some(subject_id),
            ..Note::new(kind)
        }
    }

    /// Something that happened to an assistant.
    pub fn assistant(kind: SystemKind, id: AssistantId) -> Self {
        Note {
            assistant_id: Some(id),
            ..Note::new(kind)
        }
    }

    /// Somebody has another role.
    pub fn role(subject_id: UserId, role: MemberRole) -> Self {
        Note {
            role: Some(role),
            ..Note::about(SystemKind::RoleChanged, subject_id)
        }
    }

    /// These details are others.
    pub fn details(details: Vec<ChatDetail>) -> Self {
        Note {
            details,
            ..Note::new(SystemKind::DetailsChanged)
        }
    }

    /// A message is kept in sight.
    pub fn pinned(message_id: MessageId) -> Self {
        Note {
            message_id: Some(message_id),
            ..Note::new(SystemKind::MessagePinned)
        }
    }

    /// The same in English.
    pub(super) fn words(
        &self,
        author: &str,
        names: &HashMap<UserId, User>,
        assistants: &HashMap<AssistantId, Assistant>,
    ) -> String {
        let assistant = self.assistant_id.and_then(|id| assistants.get(&id));
        let assistant = assistant.map_or("Assistant", Assistant::shown_name);
        let subject = self.subject_id.and_then(|id| names.get(&id));
        let subject = subject.map_or("somebody", |user| user.display_name.as_str());
        match self.kind {
            SystemKind::Created => format!("{author} created the group."),
            SystemKind::MemberAdded => format!("{author} added {subject}."),
            SystemKind::MemberRemoved => format!("{author} removed {subject}."),
            SystemKind::MemberLeft => format!("{subject} left."),
            SystemKind::RoleChanged => match self.role {
                Some(MemberRole::Owner) => format!("{author} made {subject} the owner."),
                Some(MemberRole::Moderator) => format!("{author} made {subject} a moderator."),
                _ => format!("{author} made {subject} a member."),
            },
            SystemKind::DetailsChanged => {
                let details = self
                    .details
                    .iter()
                    .map(|detail| detail.as_str().to_lowercase().replace('_', " "));
                format!("{author} changed the {}.", details.collect::<Vec<_>>().join(", "))
            }
            SystemKind::AssistantAdded => format!("{author} added the assistant {assistant}."),
            SystemKind::AssistantRemoved => format!("The assistant {assistant} left."),
            SystemKind::MessagePinned => format!("{author} pinned a message."),
        }
    }
}

/// What a stored message tells.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = system_notes, check_for_backend(diesel::pg::Pg))]
pub struct StoredNote {
    /// The message.
    pub message_id: MessageId,
    /// What happened.
    pub kind: SystemKind,
    /// To whom.
    pub subject_id: Option<UserId>,
    /// The role that they were given.
    pub role: Option<MemberRole>,
    /// What was changed.
    pub details: Vec<Option<ChatDetail>>,
    /// The assistant that it happened to.
    pub assistant_id: Option<AssistantId>,
}

impl From<&StoredNote> for Note {
    fn from(stored: &StoredNote) -> Self {
        Note {
            kind: stored.kind,
            subject_id: stored.subject_id,
            role: stored.role,
            details: stored.details.iter().flatten().copied().collect(),
            assistant_id: stored.assistant_id,
            message_id: None,
        }
    }
}

/// What these messages tell, in one query. For messages that the asker was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<Vec<StoredNote>> {
    let found = system_notes::table.filter(system_notes::message_id.eq_any(ids));
    found.select(StoredNote::as_select()).load(connection).await
}

/// Tells in a room, which is locked, what its member `author` did there. Gives the events of it.
///
/// # Errors
/// When Postgres fails.
pub async fn tell(
    connection: &mut Connection,
    chat: &Chat,
    author: UserId,
    notes: Vec<(MessageId, Note)>,
) -> Result<Vec<NewEvent>> {
    if notes.is_empty() {
        return Ok(Vec::new());
    }
    let people: Vec<UserId> = notes.iter().filter_map(|(_, note)| note.subject_id).collect();
    let names = User::find_many(connection, &[&people[..], &[author]].concat()).await?;
    let ids: Vec<AssistantId> = notes.iter().filter_map(|(_, note)| note.assistant_id).collect();
    let assistants = if ids.is_empty() {
        HashMap::new()
    } else {
        assistant::find_named(connection, &ids).await?
    };
    let name = names.get(&author).map_or("Somebody", |user| user.display_name.as_str());
    let row = |((id, note), sequence): (&(MessageId, Note), i64)| NewRow {
        id: *id,
        chat_id: chat.id,
        sequence,
        role: MessageRole::System,
        author_id: Some(author),
        content: note.words(name, &names, &assistants),
        idempotency_key: None,
        assistant_id: None,
        active: true,
        chosen: true,
        tokens: None,
        extras: Extras {
            reply_to_id: note.message_id,
            ..Extras::of(MessageKind::System)
        },
    };
    let mut rows: Vec<NewRow> = notes.iter().zip(chat.last_sequence + 1..).map(row).collect();
    let mut events = Vec::new();
    match direct::blocking(connection, chat, author).await? {
        // What is told of oneself goes the way of what one says.
        Some(other) => {
            let row = rows.pop().filter(|_| rows.is_empty());
            let row = row.ok_or_else(|| Error::internal("several notes of a direct chat at once"))?;
            let message = withhold(connection, chat, author, row, other).await?;
            events.push(event::message_created_for(chat.id, author, message.id));
        }
        None => {
            let Said { messages } = say(connection, chat, author, rows).await?;
            events.extend(
                messages
                    .iter()
                    .map(|message| event::message_created(chat.id, message.id)),
            );
        }
    }
    let rows = notes.iter().map(|(id, note)| {
        (
            system_notes::message_id.eq(*id),
            system_notes::kind.eq(note.kind),
            system_notes::subject_id.eq(note.subject_id),
            system_notes::role.eq(note.role),
            system_notes::details.eq(note.details.clone()),
            system_notes::assistant_id.eq(note.assistant_id),
        )
    });
    diesel::insert_into(system_notes::table)
        .values(rows.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(events)
}
