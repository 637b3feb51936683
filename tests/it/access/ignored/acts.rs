//! What Ada does, and all that she sees.

const USER: &str =
    "id username displayName bio createdAt isBlocked isContact isDeleted presence { userId status lastSeenAt }";
const MESSAGE: &str = "id sequence version active role content kind importance metadata createdAt editedAt deletedAt deletedBy { id } pinnedAt \
    pinnedBy { id } idempotencyKey status author { id displayName } parent { id } replyTo { id } siblings { id } mentions { id } \
    reactions { emoji count viewerReacted users { id } } receipts(first: 2) { nodes { status user { id } } } edits(first: 2) { nodes { content } } \
    generation { id } system { kind } chat { id }";
const CHAT: &str = "id kind title description version createdAt updatedAt lastActivityAt isDefault memberCount messageLifetimeSeconds \
    members(first: 3) { nodes { role joinedAt deliveredSequence readSequence user { id } } } lastMessage { id } pinnedMessages(first: 3) { nodes { id } } typing { id } \
    viewerState { unreadCount lastReadSequence pinned archived notifications mutedUntil role permissions mentionCount draftVersion draft { text updatedAt } }";

/// What Ada does, and how what comes of it is called. `{CHAT}` and the like stand for all that is told of one.
#[rustfmt::skip]
pub(super) const ACTS: &[(&str, &str)] = &[
    ("", "{FIND}"),
    ("", "{ generationPlan(input: { chatId: \"<chat>\", content: \"x\" }) { refusals { code } } }"),
    ("<chat>", "mutation { createChat(input: { kind: DIRECT, memberIds: [\"<bob>\"] }) { chat { {CHAT} } errors { code message } } }"),
    ("<one>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello?\", idempotencyKey: \"one\" }) { message { {MESSAGE} } generation { id } errors { code message } } }"),
    ("<one>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello?\", idempotencyKey: \"one\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"else\", idempotencyKey: \"one\" }) { message { id } errors { code message } } }"),
    ("<two>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello, @<bobs name>\", replyToId: \"<one>\", mentionIds: [\"<bob>\"], importance: URGENT, metadata: { a: 1 }, idempotencyKey: \"two\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "mutation { setTyping(input: { chatId: \"<chat>\", isTyping: true }) { isTyping errors { code } } }"),
    ("", "mutation { saveDraft(input: { chatId: \"<chat>\", text: \"what if\", replyToId: \"<two>\" }) { chat { {CHAT} } errors { code } } }"),
    ("", "mutation { editMessage(input: { messageId: \"<one>\", content: \"hello there?\", idempotencyKey: \"edit\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "mutation { addReaction(input: { messageId: \"<one>\", emoji: \"🦊\" }) { message { {MESSAGE} } errors { code } } }"),
    ("", "mutation { removeReaction(input: { messageId: \"<one>\", emoji: \"🦊\" }) { message { {MESSAGE} } errors { code } } }"),
    ("", "mutation { pinMessage(input: { messageId: \"<two>\" }) { message { {MESSAGE} } errors { code } } }"),
    ("<three>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello, hello\", idempotencyKey: \"three\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "mutation { markRead(input: { chatId: \"<chat>\", messageId: \"<three>\" }) { chat { {CHAT} } errors { code } } }"),
    ("", "mutation { unpinMessage(input: { messageId: \"<two>\" }) { message { {MESSAGE} } errors { code } } }"),
    ("", "mutation { deleteMessage(input: { messageId: \"<three>\" }) { message { {MESSAGE} } errors { code } } }"),
    ("", "mutation { selectBranch(input: { messageId: \"<two>\" }) { chat { id } errors { code message } } }"),
    ("", "mutation { regenerateMessage(input: { messageId: \"<two>\", idempotencyKey: \"again\" }) { message { id } errors { code message } } }"),
    ("", "mutation { updateChat(input: { chatId: \"<chat>\", pinned: true, notifications: MENTIONS }) { chat { {CHAT} } errors { code } } }"),
    ("", "mutation { updateChat(input: { chatId: \"<chat>\", title: \"Bob\" }) { chat { id } errors { code message } } }"),
    ("", "mutation { updateChat(input: { chatId: \"<chat>\", messageLifetimeSeconds: 86400 }) { chat { {CHAT} } errors { code message } } }"),
    ("<later>", "mutation { scheduleMessage(input: { chatId: \"<chat>\", content: \"later\", rule: \"0 9 * * *\", idempotencyKey: \"later\" }) { scheduledMessage { id content state nextAt } errors { code } } }"),
    ("", "mutation { cancelScheduledMessage(input: { scheduledMessageId: \"<later>\" }) { scheduledMessage { id state } errors { code } } }"),
    ("", "mutation { addMembers(input: { chatId: \"<chat>\", userIds: [\"<cyd>\"] }) { chat { id } errors { code message } } }"),
    ("<group>", "mutation { createChat(input: { kind: GROUP, title: \"Painters\", memberIds: [\"<cyd>\"] }) { chat { {CHAT} } errors { code message } } }"),
    ("", "mutation { addMembers(input: { chatId: \"<group>\", userIds: [\"<bob>\"] }) { chat { id } errors { code message field } } }"),
    ("", "mutation { createChat(input: { kind: GROUP, memberIds: [\"<bob>\"] }) { chat { id } errors { code message field } } }"),
    ("", "mutation { addContact(input: { userId: \"<bob>\" }) { contact { addedAt version user { id } } errors { code message } } }"),
    ("", "{FIND}"),
    ("", "mutation { removeContact(input: { userId: \"<bob>\" }) { user { id } errors { code message } } }"),
    ("", "mutation { blockUser(input: { userId: \"<bob>\" }) { user { id isBlocked } errors { code message } } }"),
    ("", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"mine\", idempotencyKey: \"mine\" }) { message { id } errors { code message } } }"),
    ("", "mutation { unblockUser(input: { userId: \"<bob>\" }) { user { id isBlocked } errors { code message } } }"),
    ("", "mutation { deleteChat(input: { chatId: \"<chat>\" }) { deletedChatId errors { code message } } }"),
    ("", "{ chat(id: \"<chat>\") { id } message(id: \"<one>\") { id } }"),
    ("<chat>", "mutation { createChat(input: { kind: DIRECT, memberIds: [\"<bob>\"] }) { chat { {CHAT} } errors { code message } } }"),
    ("", "mutation { leaveChat(input: { chatId: \"<chat>\" }) { leftChatId errors { code message } } }"),
    ("<chat>", "mutation { createChat(input: { kind: DIRECT, memberIds: [\"<bob>\"] }) { chat { {CHAT} } errors { code message } } }"),
    ("<four>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello once more\", idempotencyKey: \"four\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "mutation { clearHistory(input: { chatId: \"<chat>\" }) { chat { {CHAT} } errors { code } } }"),
    ("<five>", "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello at last\", idempotencyKey: \"five\" }) { message { {MESSAGE} } errors { code message } } }"),
    ("", "{FIND}"),
];

/// All that Ada sees without being told.
pub(super) const LOOK: &str = "{ viewer { chats(filter: { archived: null }, first: 4) { nodes { {CHAT} messages(last: 9) { nodes { {MESSAGE} } } } } \
    contacts(first: 3) { nodes { addedAt version user { id } } } blockedUsers { id } \
    scheduledMessages(first: 3) { nodes { id content state nextAt sentCount lastMessage { id } } } } \
    user(by: { id: \"<bob>\" }) { {USER} } node(id: \"<bob>\") { __typename } \
    search(query: \"hello\", first: 9) { nodes { message { id } fragments { text } } } }";

/// How she finds him, which is not allowed as often.
const FIND: &str = "{ name: user(by: { username: \"<bobs name>\" }) { id } address: user(by: { email: \"<bobs name>@example.com\" }) { id } \
    findUsers(query: \"<bobs name>\", first: 3) { nodes { {USER} } } }";

/// An operation with all its fields.
pub(super) fn whole(operation: &str) -> String {
    let operation = operation.replace("{FIND}", FIND);
    let operation = operation.replace("{CHAT}", CHAT).replace("{MESSAGE}", MESSAGE);
    operation.replace("{USER}", USER)
}
