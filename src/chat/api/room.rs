//! Making chats, and what people do with rooms of several.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::chat::chat::{Chat, ChatHistory, ChatKind};
use crate::chat::create::{self, NewChat};
use crate::chat::room::asked::AssistantReplies;
use crate::chat::room::group::{self, NewGroup};
use crate::chat::room::permission::{MemberRole, PermissionsChange};
use crate::chat::room::purse::ChatPayer;
use crate::chat::room::{direct, leave, member, staff};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result, UserError, payload};
use crate::id::{AssistantId, ChatId, UserId};
use crate::vault::api::ProviderName;

/// A chat to make.
#[derive(Debug, InputObject)]
pub struct CreateChatInput {
    /// Who will be in it.
    #[graphql(default_with = "ChatKind::Assistant")]
    kind: ChatKind,
    /// What to call it, at most 120 characters; without one, the first message to an assistant gives it a title. Not for
    /// direct chats.
    title: Option<String>,
    /// Who is in it besides the viewer: of a direct chat the one other person, of a group at most 100 to begin with.
    member_ids: Option<Vec<UserId>>,
    /// Who is to answer, in this order, at most 8. In a chat with an assistant, without it the default one; in a group,
    /// without it nobody. Not for direct chats.
    assistant_ids: Option<Vec<AssistantId>>,
    /// Whose model is to answer; without it, the assistant's. For chats with an assistant only.
    provider: Option<ProviderName>,
    /// Which model is to answer; without it, the assistant's. In development `scripted:words=50,delay=20` and the
    /// like play scripts. For chats with an assistant only.
    model: Option<String>,
    /// What a group is for, at most 1000 characters.
    description: Option<String>,
    /// The picture of a group: an https address, or a path on this server.
    icon_url: Option<String>,
    /// What those see who join the group later; without it, what is said after they have joined.
    history: Option<ChatHistory>,
    /// Who may do what in the group.
    permissions: Option<PermissionsChange>,
    /// When the assistants of the group answer; without it, when they are addressed.
    assistant_replies: Option<AssistantReplies>,
    /// Who pays for what the assistants of the group answer; without it, whoever asks.
    payer: Option<ChatPayer>,
    /// The client's own key for this action, such as a UUID: a retry with it returns the same chat. A direct chat needs
    /// none: there is only one.
    idempotency_key: Option<String>,
}

impl CreateChatInput {
    /// Refuses what chats of this kind do not have.
    fn fits(&self) -> Result<()> {
        let (for_ai, for_people, for_groups) = (
            self.kind == ChatKind::Assistant,
            self.kind != ChatKind::Assistant,
            self.kind == ChatKind::Group,
        );
        let rules = [
            (self.title.is_some(), self.kind != ChatKind::Direct, "title"),
            (
                self.member_ids.as_ref().is_some_and(|ids| !ids.is_empty()),
                for_people,
                "memberIds",
            ),
            (
                self.assistant_ids.as_ref().is_some_and(|ids| !ids.is_empty()),
                self.kind != ChatKind::Direct,
                "assistantIds",
            ),
            (self.provider.is_some(), for_ai, "provider"),
            (self.model.is_some(), for_ai, "model"),
            (self.description.is_some(), for_groups, "description"),
            (self.icon_url.is_some(), for_groups, "iconUrl"),
            (self.history.is_some(), for_groups, "history"),
            (self.permissions.is_some(), for_groups, "permissions"),
            (self.assistant_replies.is_some(), for_groups, "assistantReplies"),
            (self.payer.is_some(), for_groups, "payer"),
        ];
        let wrong = rules.iter().filter(|(is_given, fits, _)| *is_given && !fits);
        let errors: Vec<UserError> = wrong
            .map(|(.., field)| {
                let message = format!("A chat of the kind {} does not have this.", self.kind.as_str());
                UserError::new(ErrorCode::Invalid, &[field], message)
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Error::Rejected(errors))
        }
    }

    async fn create(self, context: &Context<'_>, user_id: UserId) -> Result<Chat> {
        self.fits()?;
        let (app, members) = (context.app(), self.member_ids.unwrap_or_default());
        match self.kind {
            ChatKind::Assistant => {
                let wanted = NewChat {
                    title: self.title,
                    assistants: self.assistant_ids.unwrap_or_default(),
                    provider: self.provider.map(Into::into),
                    model: self.model,
                    idempotency_key: self.idempotency_key,
                };
                create::create(app, user_id, wanted).await
            }
            ChatKind::Direct => direct::open(app, user_id, &members).await,
            ChatKind::Group => {
                let wanted = NewGroup {
                    title: self.title,
                    description: self.description,
                    icon_url: self.icon_url,
                    history: self.history,
                    permissions: self.permissions,
                    assistants: self.assistant_ids.unwrap_or_default(),
                    assistant_replies: self.assistant_replies,
                    payer: self.payer,
                    members,
                    idempotency_key: self.idempotency_key,
                };
                group::create(app, user_id, wanted).await
            }
        }
    }
}

/// The result of `createChat`.
#[derive(Debug, SimpleObject)]
pub struct CreateChatPayload {
    /// The chat.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which chat to leave.
#[derive(Debug, InputObject)]
pub struct LeaveChatInput {
    /// A group or a direct chat.
    chat_id: ChatId,
}

/// The result of `leaveChat`.
#[derive(Debug, SimpleObject)]
pub struct LeaveChatPayload {
    /// The chat that the viewer is not in any more.
    left_chat_id: Option<ChatId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whom to add to a group.
#[derive(Debug, InputObject)]
pub struct AddMembersInput {
    /// The group.
    chat_id: ChatId,
    /// Who is to be in it, at most 100 at once; those who are stay as they are. Whoever does not let the viewer add them
    /// (`preferences.addableBy`) refuses the whole with FORBIDDEN.
    user_ids: Vec<UserId>,
}

/// The result of `addMembers`.
#[derive(Debug, SimpleObject)]
pub struct AddMembersPayload {
    /// The group as it is now.
    chat: Option<Chat>,
    /// What was refused; nobody is added then.
    errors: Vec<UserError>,
}

/// Whom to remove from a group.
#[derive(Debug, InputObject)]
pub struct RemoveMemberInput {
    /// The group.
    chat_id: ChatId,
    /// Whom; not oneself.
    user_id: UserId,
}

/// The result of `removeMember`.
#[derive(Debug, SimpleObject)]
pub struct RemoveMemberPayload {
    /// The group as it is now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Whom to give which role.
#[derive(Debug, InputObject)]
pub struct SetMemberRoleInput {
    /// The group.
    chat_id: ChatId,
    /// Whom; not oneself.
    user_id: UserId,
    /// Which role. Who makes another the OWNER is a MODERATOR from then on.
    role: MemberRole,
}

/// The result of `setMemberRole`.
#[derive(Debug, SimpleObject)]
pub struct SetMemberRolePayload {
    /// The group as it is now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which assistants to add to a group.
#[derive(Debug, InputObject)]
pub struct AddAssistantsInput {
    /// The group.
    chat_id: ChatId,
    /// Which: shared ones and the viewer's own. A group has at most 8.
    assistant_ids: Vec<AssistantId>,
}

/// The result of `addAssistants`.
#[derive(Debug, SimpleObject)]
pub struct AddAssistantsPayload {
    /// The group as it is now.
    chat: Option<Chat>,
    /// What was refused; none is added then.
    errors: Vec<UserError>,
}

/// Which assistant to remove from a group.
#[derive(Debug, InputObject)]
pub struct RemoveAssistantInput {
    /// The group.
    chat_id: ChatId,
    /// Which.
    assistant_id: AssistantId,
}

/// The result of `removeAssistant`.
#[derive(Debug, SimpleObject)]
pub struct RemoveAssistantPayload {
    /// The group as it is now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with rooms.
#[derive(Debug, Default)]
pub struct RoomMutation;

#[Object]
impl RoomMutation {
    /// Makes a chat: with an assistant, with one other person, or a group. Of direct chats there is one for each two
    /// people: it is given where there is one, and the other person sees it with its first message. Whom the viewer blocks
    /// has to be unblocked first; who does not let the viewer add them cannot be in a new group.
    async fn create_chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The chat to make.")] input: CreateChatInput,
    ) -> Result<CreateChatPayload> {
        let who = context.signed_in()?;
        let (chat, errors) = payload(input.create(context, who.user_id).await)?;
        Ok(CreateChatPayload { chat, errors })
    }

    /// Leaves a room. An owner hands a group over to the moderator who is in it longest, else to the member who is, and to a
    /// deactivated account only when no other is left; the last one's leave deletes it. A direct chat comes back, empty, with the next message.
    async fn leave_chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] input: LeaveChatInput,
    ) -> Result<LeaveChatPayload> {
        let who = context.signed_in()?;
        let (left_chat_id, errors) = payload(leave::leave(context.app(), who.user_id, input.chat_id).await)?;
        Ok(LeaveChatPayload { left_chat_id, errors })
    }

    /// Adds people to a group, whose permissions say who may. They see it at once; what was said before only if its
    /// `history` says so.
    async fn add_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom, and where.")] input: AddMembersInput,
    ) -> Result<AddMembersPayload> {
        let who = context.signed_in()?;
        let added = member::add(context.app(), who.user_id, input.chat_id, &input.user_ids);
        let (chat, errors) = payload(added.await)?;
        Ok(AddMembersPayload { chat, errors })
    }

    /// Removes somebody from a group. They see no more of it at once. A moderator removes members, the owner anybody.
    async fn remove_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom, and where.")] input: RemoveMemberInput,
    ) -> Result<RemoveMemberPayload> {
        let who = context.signed_in()?;
        let removed = member::remove(context.app(), who.user_id, input.chat_id, input.user_id);
        let (chat, errors) = payload(removed.await)?;
        Ok(RemoveMemberPayload { chat, errors })
    }

    /// Adds assistants to a group; for those who may add members. Everybody there who may ASK_AI can ask them. Of a private
    /// one the others see the name that it has now, and it leaves with its owner.
    async fn add_assistants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which, and where.")] input: AddAssistantsInput,
    ) -> Result<AddAssistantsPayload> {
        let who = context.signed_in()?;
        let added = staff::add(context.app(), who.user_id, input.chat_id, &input.assistant_ids);
        let (chat, errors) = payload(added.await)?;
        Ok(AddAssistantsPayload { chat, errors })
    }

    /// Removes an assistant from a group; for those who may add members, and for its owner. What it said stays, and what it
    /// is writing it writes to the end.
    async fn remove_assistant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which, and where.")] input: RemoveAssistantInput,
    ) -> Result<RemoveAssistantPayload> {
        let who = context.signed_in()?;
        let removed = staff::remove(context.app(), who.user_id, input.chat_id, input.assistant_id);
        let (chat, errors) = payload(removed.await)?;
        Ok(RemoveAssistantPayload { chat, errors })
    }

    /// Gives somebody in a group another role; for its owner. A deactivated account does not become the owner. With another owner, the new one does not pay for the answers
    /// of the group: `payer` is ASKER again where it was OWNER.
    async fn set_member_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whom, and which role.")] input: SetMemberRoleInput,
    ) -> Result<SetMemberRolePayload> {
        let who = context.signed_in()?;
        let given = member::set_role(context.app(), who.user_id, input.chat_id, input.user_id, input.role);
        let (chat, errors) = payload(given.await)?;
        Ok(SetMemberRolePayload { chat, errors })
    }
}
