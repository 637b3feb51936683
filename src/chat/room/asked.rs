//! Which assistants of a group a message asks.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::permission::ChatPermission;
use crate::assistant::{Assistant, assistant};
use crate::chat::lifetime::lives;
use crate::chat::member::Membership;
use crate::chat::mention::Mentioned;
use crate::chat::message::MessageRole;
use crate::db::schema::messages;
use crate::db::{Connection, text_enum};
use crate::error::Result;
use crate::id::{AssistantId, MessageId};

/// The most assistants that one message asks.
const MOST: usize = 4;

text_enum! {
    /// When the assistants of a group answer.
    AssistantReplies {
        /// When a message mentions them, or replies to what they said.
        WhenAddressed = "WHEN_ADDRESSED",
        /// Also to every other message: the first of them does.
        Always = "ALWAYS",
    }
}

/// Whom a message asks.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The assistants, in the order in which they are mentioned.
    pub(super) assistants: Vec<Assistant>,
    /// Whether they are addressed: then the message is refused when they cannot be asked. One that is only answered because
    /// the group answers everything is sent all the same.
    pub(super) addressed: bool,
}

/// Whom a message of this member asks, which mentions these and replies to this. Who may not ask the assistants is
/// understood by people only. What an assistant says asks nobody.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn by(
    connection: &mut Connection,
    membership: &Membership,
    mentioned: &[Mentioned],
    reply_to: Option<MessageId>,
) -> Result<Asked> {
    let chat = &membership.chat;
    if !chat.allows(membership.role, ChatPermission::AskAi) {
        return Ok(Asked::default());
    }
    let mut wanted: Vec<AssistantId> = mentioned
        .iter()
        .filter_map(|mentioned| match mentioned {
            Mentioned::Assistant(id) => Some(*id),
            Mentioned::User(_) => None,
        })
        .collect();
    if let Some(id) = reply_to {
        let answer = messages::table
            .find(id)
            .filter(messages::chat_id.eq(chat.id))
            .filter(messages::sequence.gt(membership.history_after))
            .filter(messages::role.eq(MessageRole::Assistant))
            .filter(lives());
        let author: Option<Option<AssistantId>> = answer
            .select(messages::assistant_id)
            .first(connection)
            .await
            .optional()?;
        wanted.extend(author.flatten().filter(|id| !wanted.contains(id)));
    }
    let always = chat.assistant_replies == AssistantReplies::Always;
    if wanted.is_empty() && !always {
        return Ok(Asked::default());
    }
    let mut here = assistant::of_room(connection, chat.id).await?;
    if wanted.is_empty() {
        here.truncate(1);
        return Ok(Asked {
            assistants: here,
            addressed: false,
        });
    }
    let place = |assistant: &Assistant| wanted.iter().position(|id| *id == assistant.id);
    here.retain(|assistant| place(assistant).is_some());
    here.sort_by_key(place);
    here.truncate(MOST);
    Ok(Asked {
        addressed: !here.is_empty(),
        assistants: here,
    })
}
