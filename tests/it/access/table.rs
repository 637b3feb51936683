//! The access table: one row for every root field. `<name>` stands for what the test has prepared.

use super::Kind::{self, Mutation, Query, Subscription};
use super::Outcome::{self, Allowed, Forbidden, NotFound, Null, Unauthenticated};

/// What each may expect of a root field.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) field: &'static str,
    pub(super) call: &'static str,
    pub(super) anonymous: Outcome,
    pub(super) stranger: Outcome,
    pub(super) owner: Outcome,
    pub(super) admin: Outcome,
}

const fn row(kind: Kind, field: &'static str, call: &'static str, outcomes: [Outcome; 4]) -> Row {
    let [anonymous, stranger, owner, admin] = outcomes;
    Row {
        kind,
        field,
        call,
        anonymous,
        stranger,
        owner,
        admin,
    }
}

const EVERYBODY: [Outcome; 4] = [Allowed, Allowed, Allowed, Allowed];
const SIGNED_IN: [Outcome; 4] = [Unauthenticated, Allowed, Allowed, Allowed];
const ADMINISTRATORS: [Outcome; 4] = [Unauthenticated, Forbidden, Forbidden, Allowed];
/// What others may not see is null, as if it were not there.
const SEEN_BY_OWNER: [Outcome; 4] = [Unauthenticated, Null, Allowed, Null];
/// What others may not touch is not found, as if it were not there.
const TOUCHED_BY_OWNER: [Outcome; 4] = [Unauthenticated, NotFound, Allowed, NotFound];

/// In the order in which they are tried: the last ones sign people out.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    row(Query, "admin", "admin { users { nodes { email } } auditLog { nodes { action } } }", ADMINISTRATORS),
    row(Query, "chat", "chat(id: \"<chat>\") { title messages { nodes { content } } }", SEEN_BY_OWNER),
    row(Query, "findUsers", "findUsers(query: \"bystander\") { nodes { username } }", SIGNED_IN),
    row(Query, "generation", "generation(id: \"<generation>\") { text }", SEEN_BY_OWNER),
    row(Query, "generationPlan", "generationPlan(input: { chatId: \"<chat>\", content: \"Hello?\" }) { errors: refusals { code } }", TOUCHED_BY_OWNER),
    row(Query, "message", "message(id: \"<question>\") { content }", SEEN_BY_OWNER),
    row(Query, "node", "node(id: \"<key>\") { id }", SEEN_BY_OWNER),
    row(Query, "search", "search(query: \"Who goes there\") { nodes { message { content } } }", SIGNED_IN),
    row(Query, "serverInfo", "serverInfo { version }", EVERYBODY),
    row(Query, "user", "user(by: { id: \"<owner>\" }) { username }", SIGNED_IN),
    row(Query, "viewer", "viewer { email }", [Null, Allowed, Allowed, Allowed]),

    row(Subscription, "chatEvents", "chatEvents(chatId: \"<chat>\") { __typename }", TOUCHED_BY_OWNER),
    row(Subscription, "events", "events { __typename }", SIGNED_IN),
    row(Subscription, "presenceEvents", "presenceEvents(userIds: [\"<owner>\"]) { status }", SIGNED_IN),
    row(Subscription, "generationEvents", "generationEvents(generationId: \"<generation>\") { sequence }", TOUCHED_BY_OWNER),

    row(Mutation, "register", "register(input: { username: \"new.<who>\", email: \"new.<who>@example.com\", password: \"<password>\" }) { errors { code } }", EVERYBODY),
    row(Mutation, "login", "login(input: { identifier: \"bystander\", password: \"<password>\" }) { errors { code } }", EVERYBODY),
    row(Mutation, "refreshSession", "refreshSession(input: { refreshToken: \"<refreshToken>\" }) { errors { code } }", EVERYBODY),
    row(Mutation, "updateProfile", "updateProfile(input: { bio: \"Hello.\" }) { errors { code } }", SIGNED_IN),

    row(Mutation, "createChat", "createChat(input: {}) { errors { code } }", SIGNED_IN),
    row(Mutation, "updateChat", "updateChat(input: { chatId: \"<chat>\", pinned: true }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "sendMessage", "sendMessage(input: { chatId: \"<chat>\", content: \"Hello?\", idempotencyKey: \"<who>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "scheduleMessage", "scheduleMessage(input: { chatId: \"<chat>\", content: \"Hello?\", rule: \"0 9 * * *\", idempotencyKey: \"<who>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "updateScheduledMessage", "updateScheduledMessage(input: { scheduledMessageId: \"<scheduled>\", content: \"Hello!\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "cancelScheduledMessage", "cancelScheduledMessage(input: { scheduledMessageId: \"<scheduled>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "regenerateMessage", "regenerateMessage(input: { messageId: \"<answer>\", idempotencyKey: \"regenerate-<who>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "editMessage", "editMessage(input: { messageId: \"<question>\", content: \"Who?\", idempotencyKey: \"edit-<who>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "saveDraft", "saveDraft(input: { chatId: \"<chat>\", text: \"Well\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "pinMessage", "pinMessage(input: { messageId: \"<question>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "unpinMessage", "unpinMessage(input: { messageId: \"<question>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "addReaction", "addReaction(input: { messageId: \"<question>\", emoji: \"🦊\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "removeReaction", "removeReaction(input: { messageId: \"<question>\", emoji: \"🦊\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteMessage", "deleteMessage(input: { messageId: \"<answer>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "selectBranch", "selectBranch(input: { messageId: \"<answer>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "continueGeneration", "continueGeneration(input: { generationId: \"<generation>\", idempotencyKey: \"continue-<who>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "stopGeneration", "stopGeneration(input: { generationId: \"<generation>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "markRead", "markRead(input: { chatId: \"<chat>\", messageId: \"<answer>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "regenerateTitle", "regenerateTitle(input: { chatId: \"<chat>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "summarizeChat", "summarizeChat(input: { chatId: \"<chat>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "revertSummary", "revertSummary(input: { summaryId: \"<summary>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "restoreSummary", "restoreSummary(input: { summaryId: \"<summary>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "clearHistory", "clearHistory(input: { chatId: \"<chat>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteChat", "deleteChat(input: { chatId: \"<chat>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "addMembers", "addMembers(input: { chatId: \"<group>\", userIds: [\"<bystander>\"] }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "removeMember", "removeMember(input: { chatId: \"<group>\", userId: \"<bystander>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "setMemberRole", "setMemberRole(input: { chatId: \"<group>\", userId: \"<bystander>\", role: MODERATOR }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "addAssistants", "addAssistants(input: { chatId: \"<group>\", assistantIds: [\"<assistant>\"] }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "removeAssistant", "removeAssistant(input: { chatId: \"<group>\", assistantId: \"<assistant>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "leaveChat", "leaveChat(input: { chatId: \"<group>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "setTyping", "setTyping(input: { chatId: \"<group>\", isTyping: true }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "setPresence", "setPresence(input: { away: false }) { errors { code } }", SIGNED_IN),

    row(Mutation, "createAssistant", "createAssistant(input: { displayName: \"Clio\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "updateAssistant", "updateAssistant(input: { assistantId: \"<assistant>\", instructions: \"Sing.\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteAssistant", "deleteAssistant(input: { assistantId: \"<assistant>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "addMemory", "addMemory(input: { content: \"Owns a dog.\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "updateMemory", "updateMemory(input: { memoryId: \"<memory>\", content: \"Owns a bird.\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteMemory", "deleteMemory(input: { memoryId: \"<memory>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "updatePreferences", "updatePreferences(input: { language: \"Deutsch\" }) { errors { code } }", SIGNED_IN),

    row(Mutation, "addContact", "addContact(input: { userId: \"<bystander>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "removeContact", "removeContact(input: { userId: \"<bystander>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "blockUser", "blockUser(input: { userId: \"<bystander>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "unblockUser", "unblockUser(input: { userId: \"<bystander>\" }) { errors { code } }", SIGNED_IN),

    row(Mutation, "createWebhook", "createWebhook(input: { url: \"https://hooks.example.com/<who>\", events: [NOTIFICATION] }) { errors { code } }", SIGNED_IN),
    row(Mutation, "updateWebhook", "updateWebhook(input: { webhookId: \"<hook>\", enabled: false }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "redeliverWebhook", "redeliverWebhook(input: { webhookDeliveryId: \"<delivery>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteWebhook", "deleteWebhook(input: { webhookId: \"<hook>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "registerPushSubscription", "registerPushSubscription(input: { endpoint: \"https://push.example.com/<who>\", p256dh: \"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\", auth: \"BTBZMqHH6r4Tts7J_aSIgg\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "removePushSubscription", "removePushSubscription(input: { pushSubscriptionId: \"<push>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "setApiKey", "setApiKey(input: { provider: OPENAI, secret: \"sk-<who>\", verify: false }) { errors { code } }", SIGNED_IN),
    row(Mutation, "verifyApiKey", "verifyApiKey(input: { apiKeyId: \"<key>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "revealApiKey", "revealApiKey(input: { apiKeyId: \"<key>\", password: \"<password>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "deleteApiKey", "deleteApiKey(input: { apiKeyId: \"<key>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "revokeToolGrant", "revokeToolGrant(input: { toolGrantId: \"<grant>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "approveToolCall", "approveToolCall(input: { toolCallId: \"<call>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "denyToolCall", "denyToolCall(input: { toolCallId: \"<call>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "addToolServer", "addToolServer(input: { name: \"<who>\", url: \"<mcp>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "updateToolServer", "updateToolServer(input: { toolServerId: \"<tools>\", approval: ALWAYS }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "refreshToolServer", "refreshToolServer(input: { toolServerId: \"<tools>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "removeToolServer", "removeToolServer(input: { toolServerId: \"<tools>\" }) { errors { code } }", TOUCHED_BY_OWNER),

    row(Mutation, "setUserRole", "setUserRole(input: { userId: \"<bystander>\", role: USER }) { errors { code } }", ADMINISTRATORS),
    row(Mutation, "setUserActive", "setUserActive(input: { userId: \"<bystander>\", active: true }) { errors { code } }", ADMINISTRATORS),

    row(Mutation, "setModel", "setModel(input: { provider: OPENAI, model: \"of-the-house\", prices: { input: \"1\", output: \"2\" } }) { errors { code } }", ADMINISTRATORS),
    row(Mutation, "resetModel", "resetModel(input: { provider: OPENAI, model: \"of-the-house\" }) { errors { code } }", ADMINISTRATORS),

    row(Mutation, "setUserBudget", "setUserBudget(input: { userId: \"<bystander>\", limitUsd: \"10\" }) { errors { code } }", ADMINISTRATORS),
    row(Mutation, "setBudget", "setBudget(input: { limitUsd: \"100\", period: TOTAL }) { errors { code } }", SIGNED_IN),

    row(Mutation, "exportMyData", "exportMyData(input: { password: \"<password>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "deleteUser", "deleteUser(input: { userId: \"<bystander>\", password: \"<password>\" }) { errors { code } }", ADMINISTRATORS),
    row(Mutation, "deleteAccount", "deleteAccount(input: { password: \"not the password\" }) { errors { code } }", SIGNED_IN),

    row(Mutation, "revokeSession", "revokeSession(input: { sessionId: \"<session>\" }) { errors { code } }", TOUCHED_BY_OWNER),
    row(Mutation, "changePassword", "changePassword(input: { currentPassword: \"<password>\", newPassword: \"<password>\" }) { errors { code } }", SIGNED_IN),
    row(Mutation, "logout", "logout(input: {}) { errors { code } }", SIGNED_IN),
];
