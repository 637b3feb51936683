//! Who may do what in a group: everybody who is, was or never was in it, on every field that takes a chat.

use serde_json::json;

use super::Kind::{self, Mutation, Query, Subscription};
use super::Outcome::{self, Allowed, Forbidden, NotFound, Null};
use super::ask;
use super::roots::outcome;
use crate::harness::app::{Client, TestApp};
use crate::rooms::group;

/// What a stranger, a former member, a member, a moderator and the owner may expect.
type Row = (Kind, &'static str, &'static str, [Outcome; 5]);

const SEEN: [Outcome; 5] = [Null, Null, Allowed, Allowed, Allowed];
const MEMBERS: [Outcome; 5] = [NotFound, NotFound, Allowed, Allowed, Allowed];
const MODERATORS: [Outcome; 5] = [NotFound, NotFound, Forbidden, Allowed, Allowed];
const THE_OWNER: [Outcome; 5] = [NotFound, NotFound, Forbidden, Forbidden, Allowed];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (Query, "chat", "chat(id: \"<group>\") { title members { nodes { user { username } } } messages { nodes { content } } }", SEEN),
    (Query, "message", "message(id: \"<message>\") { content chat { title } }", SEEN),
    (Query, "node", "node(id: \"<group>\") { id }", SEEN),
    (Subscription, "chatEvents", "chatEvents(chatId: \"<group>\") { __typename }", MEMBERS),
    (Mutation, "sendMessage", "sendMessage(input: { chatId: \"<group>\", content: \"Hello?\", idempotencyKey: \"<who>-<turn>\" }) { errors { code } }", MEMBERS),
    (Mutation, "markRead", "markRead(input: { chatId: \"<group>\", messageId: \"<message>\" }) { errors { code } }", MEMBERS),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", pinned: true }) { errors { code } }", MEMBERS),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", title: \"<who>\" }) { errors { code } }", MODERATORS),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", permissions: { pin: MEMBER } }) { errors { code } }", THE_OWNER),
    (Mutation, "addMembers", "addMembers(input: { chatId: \"<group>\", userIds: [\"<newcomer>\"] }) { errors { code } }", MODERATORS),
    (Mutation, "removeMember", "removeMember(input: { chatId: \"<group>\", userId: \"<bystander>\" }) { errors { code } }", MODERATORS),
    (Mutation, "setMemberRole", "setMemberRole(input: { chatId: \"<group>\", userId: \"<bystander>\", role: MODERATOR }) { errors { code } }", THE_OWNER),
    (Query, "generation", "generation(id: \"<generation>\") { text askedBy { username } payer { username } }", SEEN),
    (Query, "generationPlan", "generationPlan(input: { chatId: \"<group>\", content: \"@Clio?\" }) { errors: refusals { code } }", MEMBERS),
    (Subscription, "generationEvents", "generationEvents(generationId: \"<generation>\") { sequence }", MEMBERS),
    (Mutation, "stopGeneration", "stopGeneration(input: { generationId: \"<generation>\" }) { errors { code } }", MODERATORS),
    (Mutation, "regenerateMessage", "regenerateMessage(input: { messageId: \"<answer>\", idempotencyKey: \"<who>-<turn>\" }) { errors { code } }", MODERATORS),
    (Mutation, "addAssistants", "addAssistants(input: { chatId: \"<group>\", assistantIds: [\"<other>\"] }) { errors { code } }", MODERATORS),
    (Mutation, "removeAssistant", "removeAssistant(input: { chatId: \"<group>\", assistantId: \"<assistant>\" }) { errors { code } }", MODERATORS),
    (Mutation, "updateChat", "updateChat(input: { chatId: \"<group>\", payer: OWNER }) { errors { code } }", THE_OWNER),
    (Mutation, "clearHistory", "clearHistory(input: { chatId: \"<group>\" }) { errors { code } }", MEMBERS),
    (Mutation, "leaveChat", "leaveChat(input: { chatId: \"<group>\" }) { errors { code } }", MEMBERS),
    (Mutation, "deleteChat", "deleteChat(input: { chatId: \"<group>\" }) { errors { code } }", MEMBERS),
];

/// The newest message of a chat that a client sees.
async fn newest(client: &Client, chat: &str) -> String {
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    seen["chat"]["lastMessage"]["id"].as_str().expect("an id").to_owned()
}

/// A shared assistant.
async fn clio(client: &Client) -> String {
    let input = json!({ "displayName": "Clio", "model": "scripted:words=1,first=0,delay=0", "visibility": "SHARED" });
    let made = client.mutate("createAssistant", input, "assistant { id }").await;
    made["assistant"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_and_out_of_a_group_gets_what_the_table_says() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let (stranger, former) = (app.user("stranger").await, app.user("former").await);
    let (member, moderator, owner) = (
        app.user("member").await,
        app.user("moderator").await,
        app.user("owner").await,
    );
    let (bystander, newcomer) = (app.user("bystander").await, app.user("newcomer").await);
    let (assistant, other) = (clio(&owner).await, clio(&owner).await);
    let mut turn = 0;
    for (kind, field, call, expected) in TABLE {
        for (who, client, expected) in [
            ("stranger", &stranger, expected[0]),
            ("former", &former, expected[1]),
            ("member", &member, expected[2]),
            ("moderator", &moderator, expected[3]),
            ("owner", &owner, expected[4]),
        ] {
            turn += 1;
            // What an earlier try has changed is no business of this one.
            let group = group(&owner, &[&former, &member, &moderator, &bystander]).await;
            let role = json!({ "chatId": group, "userId": moderator.id, "role": "MODERATOR" });
            owner.mutate("setMemberRole", role, "").await;
            let added = json!({ "chatId": group, "assistantIds": [assistant] });
            owner.mutate("addAssistants", added, "").await;
            let asked = json!({ "chatId": group, "content": "@Clio?", "idempotencyKey": format!("asked-{turn}") });
            let asked = owner
                .mutate("sendMessage", asked, "generation { id message { id } }")
                .await["generation"]
                .take();
            let removal = json!({ "chatId": group, "userId": former.id });
            owner.mutate("removeMember", removal, "").await;
            let message = newest(&owner, &group).await;
            let document = call
                .replace("<group>", &group)
                .replace("<message>", &message)
                .replace("<assistant>", &assistant)
                .replace("<other>", &other)
                .replace("<generation>", asked["id"].as_str().expect("an id"))
                .replace("<answer>", asked["message"]["id"].as_str().expect("an id"))
                .replace("<bystander>", &bystander.id)
                .replace("<newcomer>", &newcomer.id)
                .replace("<who>", who)
                .replace("<turn>", &turn.to_string());
            let answer = ask(client, *kind, &document).await;
            assert_eq!(outcome(field, &answer), expected, "{who}: {document}\n{answer}");
        }
    }
}
