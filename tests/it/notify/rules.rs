//! Who is told of what: nothing of what is muted, read, blocked or seen anyway, and little of what is secret.

use parlor::id::MessageId;
use parlor::notify::content::Shown;
use serde_json::{Value, json};

use super::browser::{read, register};
use super::{called_for, endpoint, look_again, with_service};
use crate::harness::app::uuid;
use crate::rooms::{done, group, say};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_told_what_one_wants_to_hear() {
    let (app, service) = with_service().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let chat = group(&ada, &[&bob, &cyd]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    let set = async |change: Value| {
        let mut input = json!({ "chatId": chat });
        let fields = input.as_object_mut().expect("an object");
        fields.extend(change.as_object().expect("an object").clone());
        done(&bob, "updateChat", input).await;
    };
    // What is said is looked at when it is told: nothing changes before.
    let told = async |text: &str| {
        say(&ada, &chat, text).await;
        called_for(&app).await;
        until_jobs(&app, "count = 0").await;
        service.requests().len()
    };
    assert_eq!(told("To all").await, 1);
    set(json!({ "notifications": "NONE" })).await;
    assert_eq!(told("@bob, to nobody").await, 1);
    set(json!({ "notifications": "MENTIONS" })).await;
    assert_eq!(told("To others").await, 1);
    assert_eq!(told("To @bobby, bob@example.com and @bob-two").await, 1);
    assert_eq!(told("Are you there, @Bob?").await, 2);
    assert_eq!(told("@bob.").await, 3);
    set(json!({ "notifications": "ALL", "mutedUntil": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(told("@bob, to the muted").await, 3);
    set(json!({ "mutedUntil": "2001-01-01T00:00:00Z" })).await;
    assert_eq!(told("Long over").await, 4);
    set(json!({ "mutedUntil": null })).await;
    done(&bob, "blockUser", json!({ "userId": ada.id })).await;
    assert_eq!(told("From the blocked").await, 4);
    done(&bob, "unblockUser", json!({ "userId": ada.id })).await;
    {
        let mut stream = bob.subscribe("subscription { events { __typename } }", json!({})).await;
        stream.until("StreamReady").await;
        say(&ada, &chat, "To one who looks on").await;
        called_for(&app).await;
        until_jobs(&app, "count = 1 AND due > now()").await;
        // All the while.
        look_again(&app).await;
        until_jobs(&app, "count = 0").await;
        assert_eq!(service.requests().len(), 4);
    }
    let expected = ["To all", "Are you there, @Bob?", "@bob.", "Long over"];
    let mut bodies: Vec<Value> = service
        .requests()
        .iter()
        .map(|push| read(&push.bytes)["body"].take())
        .collect();
    bodies.sort_by_key(|body| expected.iter().position(|text| body == text));
    assert_eq!(bodies, expected);
    let state = "query ($id: ID!) { chat(id: $id) { viewerState { notifications mutedUntil } } }";
    let seen = bob.ok(state, json!({ "id": chat })).await["chat"]["viewerState"].take();
    assert_eq!(seen, json!({ "notifications": "ALL", "mutedUntil": null }));
    let others = cyd.ok(state, json!({ "id": chat })).await["chat"]["viewerState"].take();
    assert_eq!(others["notifications"], "ALL", "it is each member's own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_cannot_read_is_not_shown() {
    let (app, _service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let message = say(&ada, &chat, "c2VjcmV0").await;
    let id = MessageId::from(message.as_str());
    let mut connection = app.app.connection().await.expect("a connection");
    let shown = Shown::read(&mut connection, id)
        .await
        .expect("a row")
        .expect("a message");
    assert_eq!(shown.body, "c2VjcmV0");
    let sql = app.sql().await;
    let encrypted = format!("UPDATE messages SET kind = 'ENCRYPTED' WHERE id = '{}'", uuid(&message));
    sql.execute(&encrypted, &[]).await.expect("a row");
    let shown = Shown::read(&mut connection, id)
        .await
        .expect("a row")
        .expect("a message");
    assert_eq!(shown.body, "A new message");
    assert!(!shown.to_json().to_string().contains("c2VjcmV0"));
    let deleted = format!(
        "UPDATE messages SET deleted_at = now(), content = '' WHERE id = '{}'",
        uuid(&message)
    );
    sql.execute(&deleted, &[]).await.expect("a row");
    assert_eq!(Shown::read(&mut connection, id).await.expect("no row"), None);
}
