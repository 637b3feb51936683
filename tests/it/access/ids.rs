//! Ids that lead nowhere: another's, an absent one and nonsense get the very same answer.

use serde_json::{Value, json};

use super::Kind::{self, Mutation, Query, Subscription};
use super::{ask, furnish, people, summarised};
use crate::harness::app::TestApp;
use crate::rooms::group;

/// Asks with every id and fails on the first answer that differs from the first.
async fn all_alike(client: &crate::harness::app::Client, kind: Kind, call: &str, ids: &[String]) -> Value {
    let mut first = None;
    for id in ids {
        let answer = ask(client, kind, &call.replace("<id>", id)).await;
        let expected = first.get_or_insert_with(|| answer.clone());
        let shown: String = id.chars().take(60).collect();
        assert_eq!(answer, *expected, "{call} with {shown:?}");
    }
    first.expect("some ids")
}

/// Ids of a kind that lead nowhere: the first is well-formed.
fn nowhere(prefix: &str, others: &[&str]) -> Vec<String> {
    let uuid = "0192f3a0-0000-7000-8000-000000000000";
    let mut ids = vec![
        format!("{prefix}_{}", uuid.replace('-', "")),
        format!("{prefix}_{uuid}"),
        format!("{prefix}_{{{uuid}}}"),
        format!("{prefix}_00000000000000000000000000000000"),
        format!("{prefix}_"),
        format!("{prefix}_{}0", uuid.replace('-', "")),
        format!("{prefix}_{}", "z".repeat(32)),
        format!("{prefix}_' OR true --"),
        uuid.to_owned(),
        prefix.to_owned(),
        String::new(),
        "_".to_owned(),
        "🦊".to_owned(),
        "\u{202e}".to_owned(),
        "x".repeat(5_000),
    ];
    for other in others {
        let bare = other.split('_').nth(1).expect("a prefix");
        ids.extend([
            (*other).to_owned(),
            bare.to_owned(),
            format!("other_{bare}"),
            format!("{other}0"),
        ]);
        ids.push(other.replace('_', "-"));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_get_the_answer_of_absent_ones() {
    // A great many questions in a minute.
    let app = TestApp::with(&["--requests-per-minute=0"]).await;
    let [stranger, owner, admin] = people(&app).await;
    let (theirs, mine) = (furnish(&owner).await, furnish(&stranger).await);
    let (chat, generation) = (theirs.chat.as_str(), theirs.generation.as_str());
    let messages = [theirs.question.as_str(), theirs.answer.as_str()];
    let session = owner.session_id().await;
    let key = json!({ "provider": "OPENAI", "secret": "sk-of-the-owner", "verify": false });
    let key = owner.mutate("setApiKey", key, "apiKey { id }").await["apiKey"]["id"].take();
    let key = key.as_str().expect("an id");
    let assistant = json!({ "displayName": "Clio", "instructions": "Keep it between us." });
    let assistant = owner.mutate("createAssistant", assistant, "assistant { id }").await["assistant"]["id"].take();
    let assistant = assistant.as_str().expect("an id");
    let memory = json!({ "content": "Owns a cat." });
    let memory = owner.mutate("addMemory", memory, "memory { id }").await["memory"]["id"].take();
    let memory = memory.as_str().expect("an id");
    let summary = summarised(&app, &theirs).await;
    let everything = [
        chat,
        generation,
        messages[0],
        messages[1],
        session.as_str(),
        key,
        assistant,
        memory,
        summary.as_str(),
    ];

    // An id of the wrong kind is nonsense too: `<id>` of each is asked with all.
    let read_in_mine = format!(
        "markRead(input: {{ chatId: \"{}\", messageId: \"<id>\" }}) {{ chat {{ id }} errors {{ code message field }} }}",
        mine.chat
    );
    let choose_in_mine = format!(
        "updateChat(input: {{ chatId: \"{}\", assistantIds: [\"<id>\"] }}) {{ chat {{ id }} errors {{ code message field }} }}",
        mine.chat
    );
    let own_group = group(&stranger, &[]).await;
    let add_to_mine = format!(
        "addMembers(input: {{ chatId: \"{own_group}\", userIds: [\"<id>\"] }}) {{ chat {{ id }} errors {{ code message field }} }}"
    );
    let remove_from_mine = format!(
        "removeMember(input: {{ chatId: \"{own_group}\", userId: \"<id>\" }}) {{ chat {{ id }} errors {{ code message field }} }}"
    );
    for (kind, prefix, call) in [
        (Query, "chat", "chat(id: \"<id>\") { id }"),
        (Query, "msg", "message(id: \"<id>\") { id }"),
        (Query, "gen", "generation(id: \"<id>\") { id }"),
        (Query, "user", "user(by: { id: \"<id>\" }) { id }"),
        (Query, "key", "node(id: \"<id>\") { id }"),
        (
            Mutation,
            "chat",
            "summarizeChat(input: { chatId: \"<id>\" }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "sum",
            "revertSummary(input: { summaryId: \"<id>\" }) { summary { id } errors { code message field } }",
        ),
        (
            Mutation,
            "sum",
            "restoreSummary(input: { summaryId: \"<id>\" }) { summary { id } errors { code message field } }",
        ),
        (
            Mutation,
            "mem",
            "updateMemory(input: { memoryId: \"<id>\", content: \"x\" }) { memory { id } errors { code message field } }",
        ),
        (
            Mutation,
            "mem",
            "deleteMemory(input: { memoryId: \"<id>\" }) { deletedMemoryId errors { code message field } }",
        ),
        (
            Mutation,
            "asst",
            "updateAssistant(input: { assistantId: \"<id>\", displayName: \"x\" }) { assistant { id } errors { code message field } }",
        ),
        (
            Mutation,
            "asst",
            "deleteAssistant(input: { assistantId: \"<id>\" }) { deletedAssistantId errors { code message field } }",
        ),
        (
            Mutation,
            "asst",
            "createChat(input: { assistantIds: [\"<id>\"] }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "sched",
            "updateScheduledMessage(input: { scheduledMessageId: \"<id>\", content: \"x\" }) { scheduledMessage { id } errors { code message field } }",
        ),
        (
            Mutation,
            "sched",
            "cancelScheduledMessage(input: { scheduledMessageId: \"<id>\" }) { scheduledMessage { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "scheduleMessage(input: { chatId: \"<id>\", content: \"x\", rule: \"0 9 * * *\", idempotencyKey: \"x\" }) { scheduledMessage { id } errors { code message field } }",
        ),
        (Mutation, "asst", &choose_in_mine),
        (
            Mutation,
            "user",
            "addContact(input: { userId: \"<id>\" }) { contact { version } errors { code message field } }",
        ),
        (
            Mutation,
            "user",
            "removeContact(input: { userId: \"<id>\" }) { user { id } errors { code message field } }",
        ),
        (
            Mutation,
            "user",
            "blockUser(input: { userId: \"<id>\" }) { user { id } errors { code message field } }",
        ),
        (
            Mutation,
            "user",
            "unblockUser(input: { userId: \"<id>\" }) { user { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "updateChat(input: { chatId: \"<id>\", pinned: true }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "deleteChat(input: { chatId: \"<id>\" }) { deletedChatId errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "regenerateTitle(input: { chatId: \"<id>\" }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "clearHistory(input: { chatId: \"<id>\" }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "sendMessage(input: { chatId: \"<id>\", content: \"x\", idempotencyKey: \"x\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "markRead(input: { chatId: \"<id>\", messageId: \"msg_0\" }) { chat { id } errors { code message field } }",
        ),
        (Mutation, "msg", &read_in_mine),
        (
            Mutation,
            "chat",
            "saveDraft(input: { chatId: \"<id>\", text: \"x\" }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "msg",
            "pinMessage(input: { messageId: \"<id>\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "msg",
            "unpinMessage(input: { messageId: \"<id>\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "msg",
            "addReaction(input: { messageId: \"<id>\", emoji: \"x\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "msg",
            "removeReaction(input: { messageId: \"<id>\", emoji: \"x\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "msg",
            "deleteMessage(input: { messageId: \"<id>\" }) { message { id } errors { code message field } }",
        ),
        (
            Mutation,
            "gen",
            "stopGeneration(input: { generationId: \"<id>\" }) { generation { id } errors { code message field } }",
        ),
        (
            Mutation,
            "ses",
            "revokeSession(input: { sessionId: \"<id>\" }) { revokedSessionId errors { code message field } }",
        ),
        (
            Mutation,
            "key",
            "deleteApiKey(input: { apiKeyId: \"<id>\" }) { deletedApiKeyId errors { code message field } }",
        ),
        (
            Mutation,
            "call",
            "approveToolCall(input: { toolCallId: \"<id>\" }) { toolCall { id } errors { code message field } }",
        ),
        (Query, "call", "node(id: \"<id>\") { id }"),
        (Query, "export", "node(id: \"<id>\") { id }"),
        (
            Mutation,
            "tool",
            "removeToolServer(input: { toolServerId: \"<id>\" }) { removedToolServerId errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "addMembers(input: { chatId: \"<id>\", userIds: [\"user_0\"] }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "removeMember(input: { chatId: \"<id>\", userId: \"user_0\" }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "setMemberRole(input: { chatId: \"<id>\", userId: \"user_0\", role: MEMBER }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "chat",
            "leaveChat(input: { chatId: \"<id>\" }) { leftChatId errors { code message field } }",
        ),
        (
            Mutation,
            "user",
            "createChat(input: { kind: DIRECT, memberIds: [\"<id>\"] }) { chat { id } errors { code message field } }",
        ),
        (
            Mutation,
            "user",
            "createChat(input: { kind: GROUP, memberIds: [\"<id>\"] }) { chat { id } errors { code message field } }",
        ),
        (Mutation, "user", &add_to_mine),
        (Mutation, "user", &remove_from_mine),
        (Subscription, "chat", "chatEvents(chatId: \"<id>\") { __typename }"),
        (
            Subscription,
            "gen",
            "generationEvents(generationId: \"<id>\") { sequence }",
        ),
    ] {
        let answer = all_alike(&stranger, kind, call, &nowhere(prefix, &everything)).await;
        assert!(!answer.to_string().contains("INTERNAL"), "{call}: {answer}");
    }
    for call in [
        "setUserRole(input: { userId: \"<id>\", role: ADMIN }) { user { id } errors { code message field } }",
        "setUserActive(input: { userId: \"<id>\", active: false }) { user { id } errors { code message field } }",
        "setUserBudget(input: { userId: \"<id>\", limitUsd: \"1\" }) { budget { scope } errors { code message field } }",
    ] {
        all_alike(&admin, Mutation, call, &nowhere("user", &[chat])).await;
    }
    for call in [
        "admin { chats(userId: \"<id>\") { nodes { id } } }",
        "admin { messages(chatId: \"<id>\") { nodes { id } } }",
    ] {
        all_alike(&admin, Query, call, &nowhere("user", &[key])).await;
    }
    // All of it is still there.
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } viewer { apiKeys { id } } }";
    let seen = owner.ok(query, json!({ "id": chat })).await;
    assert_eq!(
        seen["chat"]["messages"]["nodes"],
        json!([{ "id": messages[0] }, { "id": messages[1] }])
    );
    assert_eq!(seen["viewer"]["apiKeys"], json!([{ "id": key }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_beyond_all_calendars_are_no_fault_of_ours() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for moment in [
        "-9999-01-01T00:00:00Z",
        "+262142-01-01T00:00:00Z",
        "-262143-01-01T00:00:00Z",
    ] {
        for call in [
            "search(query: \"x\", filter: { from: \"<>\" }) { nodes { rank } }",
            "search(query: \"x\", filter: { to: \"<>\" }) { nodes { rank } }",
            "viewer { usage(to: \"<>\") { truncated } }",
            "viewer { usage(from: \"<>\") { truncated } }",
        ] {
            let answer = ada
                .run(&format!("{{ {} }}", call.replace("<>", moment)), json!({}))
                .await;
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
            assert!(
                !["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"].contains(&code),
                "{call} with {moment}: {answer}"
            );
        }
    }
}
