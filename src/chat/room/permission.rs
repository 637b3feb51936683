//! Roles in groups, and what each may do.

use async_graphql::{Enum, InputObject, SimpleObject};
use diesel::prelude::*;

use crate::chat::chat::{Chat, ChatKind};
use crate::chat::member::Membership;
use crate::db::schema::chats;
use crate::db::text_enum;
use crate::error::{Error, ErrorCode, Result};

text_enum! {
    /// What somebody may do in a group; each may do what those before may.
    MemberRole {
        /// What the group allows its members.
        Member = "MEMBER",
        /// Also what the group allows its moderators, and to remove members.
        Moderator = "MODERATOR",
        /// Everything. A group has one owner.
        Owner = "OWNER",
    }
}

/// Something that a group may leave to some roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ChatPermission {
    /// To send messages.
    Post,
    /// To add people.
    AddMembers,
    /// To pin messages for all.
    Pin,
    /// To change title, description and icon.
    ChangeDetails,
    /// To ask the assistants in the room.
    AskAi,
}

impl ChatPermission {
    /// All there are.
    pub const ALL: [ChatPermission; 5] = [
        ChatPermission::Post,
        ChatPermission::AddMembers,
        ChatPermission::Pin,
        ChatPermission::ChangeDetails,
        ChatPermission::AskAi,
    ];
}

/// Who may do what in a group: of each thing the lowest role that may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable, SimpleObject)]
#[diesel(table_name = chats, check_for_backend(diesel::pg::Pg))]
#[graphql(name = "ChatPermissions")]
pub struct Permissions {
    /// To send messages.
    #[diesel(column_name = may_post)]
    pub post: MemberRole,
    /// To add people.
    #[diesel(column_name = may_add_members)]
    pub add_members: MemberRole,
    /// To pin messages for all.
    #[diesel(column_name = may_pin)]
    pub pin: MemberRole,
    /// To change title, description and icon.
    #[diesel(column_name = may_change_details)]
    pub change_details: MemberRole,
    /// To ask the assistants in the room.
    #[diesel(column_name = may_ask_ai)]
    pub ask_ai: MemberRole,
}

/// Who is to be allowed what: of each thing the lowest role that may. What is left away stays as it is, or at first:
/// MEMBER for `post` and `askAi`, MODERATOR for the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, AsChangeset, InputObject)]
#[diesel(table_name = chats)]
#[graphql(name = "ChatPermissionsInput")]
pub struct PermissionsChange {
    /// To send messages.
    #[diesel(column_name = may_post)]
    pub post: Option<MemberRole>,
    /// To add people.
    #[diesel(column_name = may_add_members)]
    pub add_members: Option<MemberRole>,
    /// To pin messages for all.
    #[diesel(column_name = may_pin)]
    pub pin: Option<MemberRole>,
    /// To change title, description and icon.
    #[diesel(column_name = may_change_details)]
    pub change_details: Option<MemberRole>,
    /// To ask the assistants in the room.
    #[diesel(column_name = may_ask_ai)]
    pub ask_ai: Option<MemberRole>,
}

impl PermissionsChange {
    /// These, with all that is left away as it is at first.
    #[must_use]
    pub fn at_first(self) -> Self {
        let (member, moderator) = (MemberRole::Member, MemberRole::Moderator);
        PermissionsChange {
            post: self.post.or(Some(member)),
            add_members: self.add_members.or(Some(moderator)),
            pin: self.pin.or(Some(moderator)),
            change_details: self.change_details.or(Some(moderator)),
            ask_ai: self.ask_ai.or(Some(member)),
        }
    }
}

impl Chat {
    /// Whether `role` may do something here.
    pub fn allows(&self, role: MemberRole, permission: ChatPermission) -> bool {
        let Permissions {
            post,
            add_members,
            pin,
            change_details,
            ask_ai,
        } = self.permissions;
        match self.kind {
            ChatKind::Assistant => true,
            // Two people are equals, and what the chat is called is for each the other's name.
            ChatKind::Direct => matches!(permission, ChatPermission::Post | ChatPermission::Pin),
            ChatKind::Group => {
                let least = match permission {
                    ChatPermission::Post => post,
                    ChatPermission::AddMembers => add_members,
                    ChatPermission::Pin => pin,
                    ChatPermission::ChangeDetails => change_details,
                    ChatPermission::AskAi => ask_ai,
                };
                role >= least
            }
        }
    }
}

impl Membership {
    /// Refuses what this person may not do in the chat.
    ///
    /// # Errors
    /// FORBIDDEN for `chatId`.
    pub fn check(&self, permission: ChatPermission) -> Result<()> {
        if self.chat.allows(self.role, permission) {
            return Ok(());
        }
        Err(refusal())
    }

    /// Refuses what only this role and those above may do in a group.
    ///
    /// # Errors
    /// FORBIDDEN for `chatId`; INVALID_STATE where there are no roles.
    pub fn check_role(&self, least: MemberRole) -> Result<()> {
        self.check_group()?;
        if self.role < least {
            return Err(refusal());
        }
        Ok(())
    }

    /// Refuses what only groups have.
    ///
    /// # Errors
    /// INVALID_STATE for `chatId`.
    pub fn check_group(&self) -> Result<()> {
        if self.chat.kind == ChatKind::Group {
            return Ok(());
        }
        let message = "Only a group can be changed like this. Make a group for it.";
        Err(Error::rejected(ErrorCode::InvalidState, &["chatId"], message))
    }
}

/// What somebody is told whose role is too low.
pub(super) fn refusal() -> Error {
    let message = "Your role in this group does not allow this. Ask its owner or a moderator.";
    Error::rejected(ErrorCode::Forbidden, &["chatId"], message)
}
