//! What a group says of itself, and who may change it.

use diesel::prelude::*;

use super::asked::AssistantReplies;
use super::note::ChatDetail;
use super::permission::{ChatPermission, MemberRole, PermissionsChange};
use super::purse::ChatPayer;
use crate::chat::change::ChatChange;
use crate::chat::chat::{ChatHistory, ChatKind};
use crate::chat::member::Membership;
use crate::db::schema::chats;
use crate::error::{Error, ErrorCode, Result};
use crate::input;

/// The longest description, in characters.
const DESCRIPTION: usize = 1_000;

/// What only groups have.
#[derive(Debug, Default)]
pub struct DetailsChange {
    /// What it is for, or an empty one for none.
    pub description: Option<String>,
    /// Its picture, or an empty one for none.
    pub icon_url: Option<String>,
    /// What those see who join from now on.
    pub history: Option<ChatHistory>,
    /// Who may do what.
    pub permissions: Option<PermissionsChange>,
    /// When the assistants answer.
    pub assistant_replies: Option<AssistantReplies>,
    /// Who pays for their answers.
    pub payer: Option<ChatPayer>,
}

/// The same, checked.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = chats)]
pub struct DetailColumns {
    description: Option<Option<String>>,
    icon_url: Option<Option<String>>,
    history: Option<ChatHistory>,
    assistant_replies: Option<AssistantReplies>,
    payer: Option<ChatPayer>,
}

impl DetailsChange {
    /// Checks it, whoever wants it.
    ///
    /// # Errors
    /// TOO_LONG or INVALID for `description` or `iconUrl`.
    pub fn check(&self) -> Result<DetailColumns> {
        let description = self.description.as_deref();
        let icon_url = self.icon_url.as_deref();
        Ok(DetailColumns {
            description: description.map(|text| checked_description(Some(text))).transpose()?,
            icon_url: icon_url.map(|url| checked_icon(Some(url))).transpose()?,
            history: self.history,
            assistant_replies: self.assistant_replies,
            payer: self.payer,
        })
    }

    fn named(&self) -> [(bool, &'static str, ChatDetail); 6] {
        [
            (self.description.is_some(), "description", ChatDetail::Description),
            (self.icon_url.is_some(), "iconUrl", ChatDetail::Icon),
            (self.history.is_some(), "history", ChatDetail::History),
            (self.permissions.is_some(), "permissions", ChatDetail::Permissions),
            (
                self.assistant_replies.is_some(),
                "assistantReplies",
                ChatDetail::AssistantReplies,
            ),
            (self.payer.is_some(), "payer", ChatDetail::Payer),
        ]
    }
}

/// Refuses what this kind of chat does not have, and what this member of it may not change. Gives what is to be told of
/// it in the room.
///
/// # Errors
/// INVALID_STATE for what does not fit; FORBIDDEN.
pub fn check(membership: &Membership, change: &ChatChange) -> Result<Vec<ChatDetail>> {
    let kind = membership.chat.kind;
    let refuse = |field: &str, message: &str| Err(Error::rejected(ErrorCode::InvalidState, &[field], message));
    let named = change.details.named();
    if kind != ChatKind::Group
        && let Some((_, field, _)) = named.iter().find(|(is_named, ..)| *is_named)
    {
        return refuse(field, "Only groups have this. Make a group for it.");
    }
    if kind == ChatKind::Assistant {
        return Ok(Vec::new());
    }
    let for_answers = [
        (change.assistants.is_some(), "assistantIds"),
        (change.provider.is_some(), "provider"),
        (change.model.is_some(), "model"),
        (change.tool_servers.is_some(), "toolServerIds"),
        (change.builtin_tools.is_some(), "builtinTools"),
    ];
    if let Some((_, field)) = for_answers.iter().find(|(is_named, _)| *is_named) {
        let message = match (kind, *field) {
            (ChatKind::Group, "assistantIds") => {
                "Add assistants to a group with addAssistants, and remove them with removeAssistant."
            }
            (ChatKind::Group, "provider" | "model") => "In a group, its assistants say whose model answers.",
            (ChatKind::Group, _) => "In a group, assistants use no tools: everybody there would read what they find.",
            _ => "No assistant answers in this chat. Choose this for a chat with an assistant.",
        };
        return refuse(field, message);
    }
    if kind == ChatKind::Direct {
        if change.title.is_some() {
            return refuse("title", "A direct chat is called by the other person's name.");
        }
        return Ok(Vec::new());
    }
    let titled = change.title.is_some().then_some(ChatDetail::Title);
    let told: Vec<ChatDetail> = titled
        .into_iter()
        .chain(
            named
                .into_iter()
                .filter(|(is_named, ..)| *is_named)
                .map(|(.., detail)| detail),
        )
        .collect();
    if told.iter().any(of_owner) {
        membership.check_role(MemberRole::Owner)?;
    }
    if !told.iter().all(of_owner) {
        membership.check(ChatPermission::ChangeDetails)?;
    }
    Ok(told)
}

/// Whether only the owner may change this: who sees, does and pays what.
fn of_owner(detail: &ChatDetail) -> bool {
    match detail {
        ChatDetail::History | ChatDetail::Permissions | ChatDetail::AssistantReplies | ChatDetail::Payer => true,
        ChatDetail::Title | ChatDetail::Description | ChatDetail::Icon => false,
    }
}

/// A description, or none where it is empty.
///
/// # Errors
/// TOO_LONG or INVALID for `description`.
pub(super) fn checked_description(text: Option<&str>) -> Result<Option<String>> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => input::text(&["description"], "The description", text, DESCRIPTION)
            .map(Some)
            .map_err(|error| Error::Rejected(vec![error])),
    }
}

/// Where the picture is, or none where it is empty.
///
/// # Errors
/// TOO_LONG or INVALID for `iconUrl`.
pub(super) fn checked_icon(url: Option<&str>) -> Result<Option<String>> {
    match url.map(str::trim) {
        None | Some("") => Ok(None),
        Some(url) => input::picture(&["iconUrl"], "The icon", url)
            .map(Some)
            .map_err(|error| Error::Rejected(vec![error])),
    }
}
