//! Deleting among people: the place stays, all that was in it goes, and not everybody may.

use serde_json::{Value, json};

use super::{direct, done, group, people, say, unread};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User, new_key};

fn input(message: &str) -> Value {
    json!({ "messageId": message })
}

/// A message with all that a tombstone has lost.
async fn seen(client: &Client, message: &str) -> Value {
    let query = "query ($id: ID!) { message(id: $id) { content kind metadata deletedBy { username } edits { nodes { content } } } }";
    client.ok(query, json!({ "id": message })).await["message"].take()
}

/// The code of a refusal to delete a message.
async fn refusal(client: &Client, message: &str) -> String {
    let mut refusals = refused(client, "deleteMessage", input(message)).await;
    let (code, path, words) = refusals.remove(0);
    assert_eq!(path, "input.messageId", "{words}");
    code
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_but_the_place() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let sent = json!({ "chatId": chat, "content": "The code is swordfish.", "kind": "FILE", "metadata": { "secret": 1 }, "idempotencyKey": new_key() });
    let payload = ada.mutate("sendMessage", sent.clone(), "message { id }").await;
    let message = super::id(&payload["message"]["id"]);
    let words = json!({ "messageId": message, "content": "The code is herring.", "idempotencyKey": new_key() });
    done(&ada, "editMessage", words).await;
    let reply = json!({ "chatId": chat, "content": "Which one?", "replyToId": message, "idempotencyKey": new_key() });
    let reply = bob.mutate("sendMessage", reply, "message { id }").await["message"]["id"].take();
    say(&ada, &chat, "Never mind.").await;
    assert_eq!(unread(&bob, &chat).await, 2);
    let cursor = bob.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
    let fields = "message { id content deletedAt version }";
    let first = ada.mutate("deleteMessage", input(&message), fields).await;
    assert_eq!(
        (&first["errors"], &first["message"]["content"]),
        (&json!([]), &json!(""))
    );
    assert_eq!(
        ada.mutate("deleteMessage", input(&message), fields).await,
        first,
        "once is enough"
    );
    let gone = json!({ "content": "", "kind": "FILE", "metadata": null, "deletedBy": { "username": "ada" }, "edits": { "nodes": [] } });
    assert_eq!(seen(&bob, &message).await, gone);
    assert_eq!(unread(&bob, &chat).await, 1);
    let query = "query ($id: ID!) { message(id: $id) { replyTo { id content deletedAt } } search(query: \"herring\") { nodes { message { id } } } }";
    let left = bob.ok(query, json!({ "id": reply })).await;
    assert_eq!(left["message"]["replyTo"]["id"], message);
    assert_eq!(left["message"]["replyTo"]["deletedAt"], first["message"]["deletedAt"]);
    assert_eq!(left["search"]["nodes"], json!([]));
    // No table holds a word of it.
    let dump = "SELECT string_agg(t::text, '') || (SELECT coalesce(string_agg(e::text, ''), '') FROM message_edits e) FROM messages t";
    let dump: String = app.sql().await.query_one(dump, &[]).await.expect("rows").get(0);
    assert!(!dump.contains("swordfish") && !dump.contains("herring") && !dump.contains("secret"));
    let stream = "subscription ($after: String) { events(after: $after) { __typename ... on MessageUpdated { changed message { id } } \
        ... on ChatUpserted { chat { viewerState { unreadCount } } } } }";
    let mut stream = bob.subscribe(stream, json!({ "after": cursor })).await;
    let updated = stream.until("MessageUpdated").await;
    assert_eq!(updated["changed"], json!(["CONTENT", "DELETED"]));
    let upserted = stream.until("ChatUpserted").await;
    assert_eq!(upserted["chat"]["viewerState"]["unreadCount"], 1);
    // It can neither be edited nor replied to, and a repeat of the send brings nothing back.
    let words = json!({ "messageId": message, "content": "Hello again.", "idempotencyKey": new_key() });
    assert_eq!(refused(&ada, "editMessage", words).await[0].0, "NOT_FOUND");
    let reply = json!({ "chatId": chat, "content": "What?", "replyToId": message, "idempotencyKey": new_key() });
    assert_eq!(refused(&bob, "sendMessage", reply).await[0].1, "input.replyToId");
    let repeat = ada.mutate("sendMessage", sent, "message { id content }").await;
    assert_eq!(repeat["message"], json!({ "id": message, "content": "" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_delete_whose() {
    let app = TestApp::with(&["--requests-per-minute=0"]).await;
    let [owner, one, two, member, former, eve]: [User; 6] =
        people(&app, ["owner", "one", "two", "member", "former", "eve"]).await;
    let chat = group(&owner, &[&one, &two, &member, &former]).await;
    for moderator in [&one, &two] {
        let role = json!({ "chatId": chat, "userId": moderator.id, "role": "MODERATOR" });
        done(&owner, "setMemberRole", role).await;
    }
    let former_words = [say(&former, &chat, "a").await, say(&former, &chat, "b").await];
    done(&former, "leaveChat", json!({ "chatId": chat })).await;
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let told = owner.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"][0]["id"].take();
    assert_eq!(refusal(&owner, told.as_str().expect("an id")).await, "INVALID_STATE");
    for (author, by, allowed) in [
        (&member, &member, true),
        (&member, &one, true),
        (&member, &owner, true),
        (&one, &member, false),
        (&one, &two, false),
        (&one, &owner, true),
        (&owner, &one, false),
        (&owner, &member, false),
        (&one, &one, true),
    ] {
        let message = say(author, &chat, "Something.").await;
        assert_eq!(refusal(&eve, &message).await, "NOT_FOUND");
        if allowed {
            done(by, "deleteMessage", input(&message)).await;
        } else {
            assert_eq!(refusal(by, &message).await, "FORBIDDEN");
            assert_eq!(seen(by, &message).await["content"], "Something.");
        }
    }
    assert_eq!(refusal(&member, &former_words[0]).await, "FORBIDDEN");
    assert_eq!(refusal(&former, &former_words[0]).await, "NOT_FOUND");
    done(&one, "deleteMessage", input(&former_words[0])).await;
    // Two people are equals.
    let pair = direct(&one, &owner).await;
    let message = say(&one, &pair, "Mine.").await;
    assert_eq!(refusal(&owner, &message).await, "FORBIDDEN");
    done(&one, "deleteMessage", input(&message)).await;
}
