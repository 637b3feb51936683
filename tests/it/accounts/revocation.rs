//! Live streams end when who opened them may not follow any more, whoever found out: another server, an
//! administrator, a socket's own server.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::{SOON, alive, ended, follow};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_another_server_does_is_found() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    let (ada, bob, eve) = (app.user("ada").await, app.user("bob").await, app.admin("eve").await);
    let mut kept = follow(&root).await;
    let (mut signed_out, mut barred, mut demoted) = (follow(&ada).await, follow(&bob).await, follow(&eve).await);

    let other = app.sibling().await;
    let there = other.client_of(&root);
    other.client_of(&ada).mutate("logout", json!({}), "endedSessions").await;
    let bar = json!({ "userId": bob.id, "active": false });
    there.mutate("setUserActive", bar, "user { active }").await;
    let demote = json!({ "userId": eve.id, "role": "USER" });
    there.mutate("setUserRole", demote, "user { role }").await;

    tokio::join!(ended(&mut signed_out), ended(&mut barred), ended(&mut demoted));
    alive(&root, &mut kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_same_server_it_is_told_at_once() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    let (bob, eve) = (app.user("bob").await, app.user("eve").await);
    let (mut barred, mut promoted) = (follow(&bob).await, follow(&eve).await);
    let bar = json!({ "userId": bob.id, "active": false });
    root.mutate("setUserActive", bar, "user { active }").await;
    let promote = json!({ "userId": eve.id, "role": "ADMIN" });
    root.mutate("setUserRole", promote, "user { role }").await;
    ended(&mut barred).await;
    ended(&mut promoted).await;
    assert_eq!(bob.whoami().await, Value::Null);
    let mut again = follow(&eve).await;
    alive(&eve, &mut again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_closed_with_4401() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let address = app.listen().await;
    let mut request = format!("ws://{address}/graphql")
        .into_client_request()
        .expect("a request");
    let protocol = "graphql-transport-ws".parse().expect("a value");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("an upgrade");
    let init = json!({ "type": "connection_init", "payload": { "token": ada.token } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { events(ephemeral: false) { __typename } }" } });
    for message in [init, subscribe] {
        socket.send(Message::text(message.to_string())).await.expect("sent");
    }
    let mut next = async || {
        let message = tokio::time::timeout(SOON, socket.next()).await.expect("a message soon");
        message.expect("a message").expect("a good message")
    };
    let text = |message: Message| serde_json::from_str::<Value>(message.to_text().expect("text")).expect("JSON");
    assert_eq!(text(next().await)["type"], "connection_ack");
    assert_eq!(
        text(next().await)["payload"]["data"]["events"]["__typename"],
        "StreamReady"
    );

    ada.mutate("logout", json!({}), "endedSessions").await;
    let frame = match next().await {
        Message::Close(Some(frame)) => frame,
        other => panic!("{other:?}"),
    };
    assert_eq!(u16::from(frame.code), 4401);
}
