//! What everybody gets of a group and of a direct chat, row by row. `<name>` stands for what the party has prepared.

use crate::access::Kind::{self, Mutation, Query, Subscription};
use crate::access::Outcome::{self, Allowed, Empty, Forbidden, InvalidState, NotFound, Null, Unauthenticated};

/// Whether a room is another one once somebody was allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The next may try it in the same room.
    AsItIs,
    /// The next needs a new one.
    Changed,
}

use Leaves::{AsItIs, Changed};

/// What an anonymous client, a stranger, a member whom the owner and the author block, a former member, a member, a
/// moderator, the owner and an administrator may expect.
pub(super) type Columns = [Outcome; 8];

/// What the one who is blocked may expect in a direct chat, and the one who blocks; none where there is no such thing in it.
pub(super) type Pair = Option<[Outcome; 2]>;

/// A call of a root field, what becomes of the room, and what each gets in a group and in a direct chat.
pub(super) type Row = (Kind, &'static str, &'static str, Leaves, Columns, Pair);

/// Who is in the group is in it, blocked or not; who is not, or no more, is nobody, whatever they are elsewhere.
const fn columns(outside: Outcome, member: Outcome, moderator: Outcome, owner: Outcome) -> Columns {
    [
        Unauthenticated,
        outside,
        member,
        outside,
        member,
        moderator,
        owner,
        outside,
    ]
}

const SEEN: Columns = columns(Null, Allowed, Allowed, Allowed);
const LISTED: Columns = columns(Empty, Allowed, Allowed, Allowed);
const MEMBERS: Columns = columns(NotFound, Allowed, Allowed, Allowed);
const MODERATORS: Columns = columns(NotFound, Forbidden, Allowed, Allowed);
const THE_OWNER: Columns = columns(NotFound, Forbidden, Forbidden, Allowed);
/// What only the owner has in the group, and nobody else hears of.
const OWNERS_OWN: Columns = columns(NotFound, NotFound, NotFound, Allowed);
const OWNERS_OWN_SEEN: Columns = columns(Null, Null, Null, Allowed);
/// What rooms of people do not have.
const NOT_HERE: Columns = columns(NotFound, InvalidState, InvalidState, InvalidState);
const SIGNED_IN: Columns = columns(Allowed, Allowed, Allowed, Allowed);
const ADMINISTRATORS: Columns = [
    Unauthenticated,
    Forbidden,
    Forbidden,
    Forbidden,
    Forbidden,
    Forbidden,
    Forbidden,
    Allowed,
];
const BOTH: Pair = Some([Allowed, Allowed]);
const NEITHER: Pair = Some([InvalidState, InvalidState]);
/// Who is blocked notices nothing; who blocks is told what to do first.
const UNBLOCK_FIRST: Pair = Some([Allowed, InvalidState]);
/// What only the one who blocks has in it.
const THE_BLOCKER: Pair = Some([NotFound, Allowed]);
const NO_SUCH: Pair = None;
/// One's own message: `<own>` is the bystander's for those who have never written here.
const OWN: Columns = columns(NotFound, Allowed, Allowed, Allowed);

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    (Query, "chat", "chat(id: \"<group>\") { title members { nodes { user { username } } } messages { nodes { content } } }", AsItIs, SEEN, BOTH),
    (Query, "message", "message(id: \"<said>\") { content chat { title } }", AsItIs, SEEN, BOTH),
    (Query, "node", "node(id: \"<group>\") { id }", AsItIs, SEEN, BOTH),
    (Query, "node", "node(id: \"<said>\") { id }", AsItIs, SEEN, BOTH),
    (Query, "node", "node(id: \"<generation>\") { id }", AsItIs, SEEN, NO_SUCH),
    (Query, "node", "node(id: \"<summary>\") { id }", AsItIs, OWNERS_OWN_SEEN, NO_SUCH),
    (Query, "node", "node(id: \"<call>\") { id }", AsItIs, SEEN, NO_SUCH),
    (Query, "node", "node(id: \"<scheduled>\") { id }", AsItIs, OWNERS_OWN_SEEN, Some([Null, Allowed])),
    (Query, "generation", "generation(id: \"<generation>\") { text askedBy { username } payer { username } }", AsItIs, SEEN, NO_SUCH),
    (Query, "generationPlan", "generationPlan(input: { chatId: \"<group>\", content: \"@Clio?\", mentionIds: [\"<bystander>\"], replyToId: \"<said>\" }) { errors: refusals { code } }", AsItIs, MEMBERS, NEITHER),
    (Query, "generationPlan", "generationPlan(input: { regenerate: \"<answer>\" }) { errors: refusals { code } }", AsItIs, MODERATORS, NO_SUCH),
    (Query, "search", "search(query: \"anybody\", filter: { chatIds: [\"<group>\"] }) { nodes { message { content } } }", AsItIs, LISTED, BOTH),
    (Query, "viewer", "viewer { scheduledMessages(chatId: \"<group>\") { nodes { content } } }", AsItIs, [Null, Empty, Empty, Empty, Empty, Empty, Allowed, Empty], Some([Empty, Allowed])),
    (Query, "admin", "admin { messages(chatId: \"<group>\") { nodes { content } } }", AsItIs, ADMINISTRATORS, Some([Forbidden, Forbidden])),

    (Subscription, "chatEvents", "chatEvents(chatId: \"<group>\") { __typename }", AsItIs, MEMBERS, BOTH),
    (Subscription, "events", "events(chatIds: [\"<group>\"]) { __typename }", AsItIs, SIGNED_IN, BOTH),
    (Subscription, "generationEvents", "generationEvents(generationId: \"<generation>\") { sequence }", AsItIs, MEMBERS, NO_SUCH),

    (Mutation, "sendMessage", "sendMessage(input: { chatId: \"<group>\", content: \"Hello?\", replyToId: \"<said>\", mentionIds: [\"<bystander>\"], idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, MEMBERS, UNBLOCK_FIRST),
    (Mutation, "sendMessage", "sendMessage(input: { chatId: \"<group>\", content: \"@Clio?\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, MEMBERS, UNBLOCK_FIRST),
    (Mutation, "scheduleMessage", "scheduleMessage(input: { chatId: \"<group>\", content: \"Hello?\", rule: \"0 9 * * *\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "updateScheduledMessage", "updateScheduledMessage(input: { scheduledMessageId: \"<scheduled>\", content: \"Hello!\" }) { errors { code } }", AsItIs, OWNERS_OWN, THE_BLOCKER),
    (Mutation, "cancelScheduledMessage", "cancelScheduledMessage(input: { scheduledMessageId: \"<scheduled>\" }) { errors { code } }", Changed, OWNERS_OWN, THE_BLOCKER),
    (Mutation, "saveDraft", "saveDraft(input: { chatId: \"<group>\", text: \"Well\", replyToId: \"<said>\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "setTyping", "setTyping(input: { chatId: \"<group>\", isTyping: true }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "markRead", "markRead(input: { chatId: \"<group>\", messageId: \"<said>\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),

    (Mutation, "editMessage", "editMessage(input: { messageId: \"<own>\", content: \"What?\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, OWN, BOTH),
    (Mutation, "editMessage", "editMessage(input: { messageId: \"<said>\", content: \"What?\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, NOT_HERE, Some([InvalidState, Allowed])),
    (Mutation, "pinMessage", "pinMessage(input: { messageId: \"<said>\" }) { errors { code } }", AsItIs, MODERATORS, BOTH),
    (Mutation, "unpinMessage", "unpinMessage(input: { messageId: \"<said>\" }) { errors { code } }", AsItIs, MODERATORS, BOTH),
    (Mutation, "addReaction", "addReaction(input: { messageId: \"<said>\", emoji: \"🦊\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "removeReaction", "removeReaction(input: { messageId: \"<said>\", emoji: \"🦊\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "deleteMessage", "deleteMessage(input: { messageId: \"<own>\" }) { errors { code } }", Changed, OWN, BOTH),
    (Mutation, "deleteMessage", "deleteMessage(input: { messageId: \"<said>\" }) { errors { code } }", Changed, MODERATORS, Some([Forbidden, Allowed])),
    (Mutation, "selectBranch", "selectBranch(input: { messageId: \"<said>\" }) { errors { code } }", AsItIs, MEMBERS, BOTH),

    (Mutation, "regenerateMessage", "regenerateMessage(input: { messageId: \"<answer>\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, MODERATORS, NO_SUCH),
    (Mutation, "continueGeneration", "continueGeneration(input: { generationId: \"<generation>\", idempotencyKey: \"<key>\" }) { errors { code } }", AsItIs, NOT_HERE, NO_SUCH),
    (Mutation, "stopGeneration", "stopGeneration(input: { generationId: \"<generation>\" }) { errors { code } }", AsItIs, MODERATORS, NO_SUCH),
    (Mutation, "approveToolCall", "approveToolCall(input: { toolCallId: \"<call>\" }) { errors { code } }", Changed, OWNERS_OWN, NO_SUCH),
    (Mutation, "denyToolCall", "denyToolCall(input: { toolCallId: \"<call>\" }) { errors { code } }", Changed, OWNERS_OWN, NO_SUCH),
    (Mutation, "regenerateTitle", "regenerateTitle(input: { chatId: \"<group>\" }) { errors { code } }", AsItIs, NOT_HERE, NEITHER),
    (Mutation, "summarizeChat", "summarizeChat(input: { chatId: \"<group>\" }) { errors { code } }", AsItIs, NOT_HERE, NEITHER),
    (Mutation, "revertSummary", "revertSummary(input: { summaryId: \"<summary>\" }) { errors { code } }", AsItIs, OWNERS_OWN, NO_SUCH),
    (Mutation, "restoreSummary", "restoreSummary(input: { summaryId: \"<summary>\" }) { errors { code } }", AsItIs, OWNERS_OWN, NO_SUCH),

    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", pinned: true, archived: false, notifications: MENTIONS, mutedUntil: null }) { errors { code } }", AsItIs, MEMBERS, BOTH),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", title: \"<who>\" }) { errors { code } }", AsItIs, MODERATORS, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", description: \"<who>\" }) { errors { code } }", AsItIs, MODERATORS, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", iconUrl: \"/<who>.png\" }) { errors { code } }", AsItIs, MODERATORS, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", permissions: { pin: MODERATOR } }) { errors { code } }", AsItIs, THE_OWNER, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", history: FROM_JOINING }) { errors { code } }", AsItIs, THE_OWNER, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", assistantReplies: WHEN_ADDRESSED }) { errors { code } }", AsItIs, THE_OWNER, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", payer: ASKER }) { errors { code } }", AsItIs, THE_OWNER, NEITHER),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", messageLifetimeSeconds: 86400 }) { errors { code } }", AsItIs, MODERATORS, BOTH),
    (Mutation, "addMembers", "addMembers(input: { chatId: \"<group>\", userIds: [\"<newcomer>\"] }) { errors { code } }", Changed, MODERATORS, NEITHER),
    (Mutation, "removeMember", "removeMember(input: { chatId: \"<group>\", userId: \"<bystander>\" }) { errors { code } }", Changed, MODERATORS, NEITHER),
    (Mutation, "setMemberRole", "setMemberRole(input: { chatId: \"<group>\", userId: \"<bystander>\", role: MODERATOR }) { errors { code } }", Changed, THE_OWNER, NEITHER),
    (Mutation, "addAssistants", "addAssistants(input: { chatId: \"<group>\", assistantIds: [\"<other>\"] }) { errors { code } }", Changed, MODERATORS, NEITHER),
    (Mutation, "removeAssistant", "removeAssistant(input: { chatId: \"<group>\", assistantId: \"<assistant>\" }) { errors { code } }", Changed, MODERATORS, NEITHER),
    (Mutation, "clearHistory", "clearHistory(input: { chatId: \"<group>\" }) { errors { code } }", Changed, MEMBERS, BOTH),
    (Mutation, "leaveChat", "leaveChat(input: { chatId: \"<group>\" }) { errors { code } }", Changed, MEMBERS, BOTH),
    (Mutation, "deleteChat", "deleteChat(input: { chatId: \"<group>\" }) { errors { code } }", Changed, MEMBERS, BOTH),
];
