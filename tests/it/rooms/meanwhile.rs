//! What holds when something is stored, though it was prepared while other things held: whoever has come, gone, or may do
//! less by then.

use serde_json::{Value, json};

use super::assistant::{add, ask, assistant, text};
use super::{done, group, id, in_turn, people, say};
use crate::chats::refused;
use crate::harness::app::{TestApp, User, new_key};

const FIELDS: &str = "message { mentions { ... on Assistant { displayName } } } generations { id }";

/// A group of two in which Echo answers.
async fn room(app: &TestApp) -> ([User; 2], String, String) {
    let [ada, bob] = people(app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    let echo = assistant(&ada, "Echo", "echo", "SHARED").await;
    add(&ada, &room, &[&echo]).await;
    ([ada, bob], room, echo)
}

fn question(room: &str) -> Value {
    json!({ "chatId": room, "content": "@Echo, are you there?", "idempotencyKey": new_key() })
}

/// The message of an answer.
async fn written(user: &User, generation: &str) -> String {
    let query = "query ($id: ID!) { generation(id: $id) { message { id } } }";
    id(&user.ok(query, json!({ "id": generation })).await["generation"]["message"]["id"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_meanwhile_does_not_answer() {
    let app = TestApp::start().await;
    let ([ada, bob], room, echo) = room(&app).await;
    let remove = done(&ada, "removeAssistant", json!({ "chatId": room, "assistantId": echo }));
    let send = bob.mutate("sendMessage", question(&room), FIELDS);
    let ((), sent) = in_turn(&app, &room, remove, send).await;
    assert_eq!(
        sent,
        json!({ "errors": [], "message": { "mentions": [] }, "generations": [] })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_any_more_is_not_answered() {
    let app = TestApp::start().await;
    let ([ada, bob], room, _) = room(&app).await;
    let input = json!({ "chatId": room, "permissions": { "askAi": "MODERATOR" } });
    let forbid = done(&ada, "updateChat", input);
    let send = bob.mutate("sendMessage", question(&room), FIELDS);
    let ((), sent) = in_turn(&app, &room, forbid, send).await;
    assert_eq!((&sent["errors"], &sent["generations"]), (&json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_says_meanwhile_another_is_shown_with_the_question() {
    let app = TestApp::start().await;
    let ([ada, bob], room, _) = room(&app).await;
    let clio = assistant(&ada, "Clio", "context", "SHARED").await;
    add(&ada, &room, &[&clio]).await;
    let input = json!({ "chatId": room, "content": "@Clio?", "idempotencyKey": new_key() });
    let send = bob.mutate("sendMessage", input, "generation { id }");
    let (_, sent) = in_turn(&app, &room, say(&ada, &room, "Be kind."), send).await;
    let seen = text(&ada, &id(&sent["generation"]["id"])).await;
    assert!(seen.contains("Be kind.") && seen.contains("@Clio?"), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_may_not_see_is_not_answered_anew() {
    let app = TestApp::start().await;
    let ([ada, bob], room, _) = room(&app).await;
    let [cyd, dan] = people(&app, ["cyd", "dan"]).await;
    let (_, answers) = ask(&bob, json!({ "chatId": room, "content": "@Echo, a secret" })).await;
    text(&bob, &answers[0]).await;
    let answer = written(&bob, &answers[0]).await;
    let again = || json!({ "messageId": answer, "idempotencyKey": new_key() });
    let adding = done(&ada, "addMembers", json!({ "chatId": room, "userIds": [cyd.id] }));
    let refusal = (
        "INVALID_STATE".to_owned(),
        "input.messageId".to_owned(),
        "Somebody has come since who may not see this question. Ask it again.".to_owned(),
    );
    // While it is being asked for, and afterwards.
    let ((), refusals) = in_turn(&app, &room, adding, refused(&bob, "regenerateMessage", again())).await;
    assert_eq!(refusals, std::slice::from_ref(&refusal));
    let afterwards = refused(&bob, "regenerateMessage", again()).await;
    assert_eq!(afterwards, std::slice::from_ref(&refusal));
    let plan = "query ($id: ID!) { generationPlan(input: { regenerate: $id }) { refusals { code } } }";
    let plan = bob.ok(plan, json!({ "id": answer })).await;
    assert_eq!(plan["generationPlan"]["refusals"], json!([{ "code": "INVALID_STATE" }]));
    // Those who see everything are in nobody's way; what is asked from then on is answered anew.
    done(&ada, "updateChat", json!({ "chatId": room, "history": "FROM_START" })).await;
    done(&ada, "addMembers", json!({ "chatId": room, "userIds": [dan.id] })).await;
    assert_eq!(refused(&bob, "regenerateMessage", again()).await, [refusal]);
    let (_, answers) = ask(&bob, json!({ "chatId": room, "content": "@Echo, no secret" })).await;
    text(&bob, &answers[0]).await;
    let input = json!({ "messageId": written(&bob, &answers[0]).await, "idempotencyKey": new_key() });
    let anew = bob.mutate("regenerateMessage", input, "generation { id }").await;
    let said = text(&cyd, &id(&anew["generation"]["id"])).await;
    assert_eq!(said, "bob (@bob):\n@Echo, no secret");
}
