//! The newcomer's walk: register, ask, watch the answer stream in, find it again.

use insta::assert_json_snapshot;
use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::stream::shown;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn register_ask_watch_and_find_it_again() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.ok("{ viewer { assistantChat { id } } }", json!({})).await;
    let chat = chat["viewer"]["assistantChat"]["id"].as_str().expect("an id");
    let model = json!({ "chatId": chat, "model": "scripted:words=5,first=0,delay=0,seed=1" });
    ada.mutate("updateChat", model, "chat { model }").await;

    let generation = ada.send(chat, "What is a parlor?").await;
    let events = ada.generation_events(&generation, None).await.rest().await;
    let finished = events.last().expect("an end");
    assert_eq!(finished["__typename"], "GenerationFinished");
    assert_eq!(finished["generation"]["status"], "COMPLETED");
    let text = shown(&events);
    assert_eq!(finished["generation"]["text"], json!(text));

    let query = "query ($id: ID!) { chat(id: $id) { viewerState { unreadCount } lastMessage { content } \
        messages { nodes { role content sequence generation { status usage { totalTokens } error { code } } } } } }";
    let found = ada.ok(query, json!({ "id": chat })).await;
    assert_eq!(found["chat"]["lastMessage"]["content"], json!(text));
    assert_json_snapshot!(found, { ".chat.lastMessage.content" => "[text]", ".chat.messages.nodes[1].content" => "[text]" }, @r#"
    {
      "chat": {
        "lastMessage": {
          "content": "[text]"
        },
        "messages": {
          "nodes": [
            {
              "content": "What is a parlor?",
              "generation": null,
              "role": "USER",
              "sequence": 1
            },
            {
              "content": "[text]",
              "generation": {
                "error": null,
                "status": "COMPLETED",
                "usage": {
                  "totalTokens": 9
                }
              },
              "role": "ASSISTANT",
              "sequence": 2
            }
          ]
        },
        "viewerState": {
          "unreadCount": 1
        }
      }
    }
    "#);
}
