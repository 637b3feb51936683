//! Two devices do things at random, over connections that break, and hold what is true in the end.

use serde_json::{Value, json};

use super::rename;
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::dice::Dice;
use crate::harness::law::Device;
use crate::titles::until_jobs;

const MODELS: [&str; 6] = [
    "scripted:words=3,first=0,delay=0",
    "scripted:words=30,first=5,delay=3,reasoning=3",
    "scripted:fail=unavailable,at=2,first=0,delay=1",
    "scripted:cut=4,first=0,delay=2",
    "scripted:words=100000,first=0,delay=5",
    "scripted:words=4,finish=length,first=0,delay=0",
];

const FIELDS: &str = "message { id } generations { id }";

/// What the random actions have come to.
#[derive(Default)]
struct Deeds {
    chats: Vec<String>,
    generations: Vec<String>,
    /// Messages that were on an active branch once.
    messages: Vec<String>,
    assistants: Vec<String>,
    memories: Vec<String>,
    made: usize,
}

impl Deeds {
    async fn act(&mut self, client: &Client, dice: &mut Dice) {
        let choice = dice.below(40);
        if choice < 3 || self.chats.is_empty() {
            self.made += 1;
            let input =
                json!({ "title": (choice > 0).then(|| format!("chat {}", self.made)), "model": dice.pick(&MODELS) });
            let payload = client.mutate("createChat", input, "chat { id }").await;
            self.chats
                .push(payload["chat"]["id"].as_str().expect("an id").to_owned());
            return;
        }
        let index = dice.below(self.chats.len());
        let chat = self.chats[index].clone();
        let on = dice.below(2) == 0;
        match choice {
            3 => rename(client, &chat, &format!("renamed {}", dice.below(100))).await,
            4 => drop(
                client
                    .mutate("updateChat", json!({ "chatId": chat, "pinned": on }), "")
                    .await,
            ),
            5 => drop(
                client
                    .mutate("updateChat", json!({ "chatId": chat, "archived": on }), "")
                    .await,
            ),
            6 => drop(client.mutate("clearHistory", json!({ "chatId": chat }), "").await),
            7 if self.chats.len() > 2 => {
                client.mutate("deleteChat", json!({ "chatId": chat }), "").await;
                self.chats.remove(index);
            }
            7..=9 => {
                let query = "query ($id: ID!) { chat(id: $id) { messages(last: 5) { nodes { id } } } }";
                let found = client.ok(query, json!({ "id": chat })).await;
                let nodes = found["chat"]["messages"]["nodes"].as_array().expect("messages").clone();
                self.messages
                    .extend(nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()));
                if let Some(message) = dice.pick(&nodes) {
                    client
                        .mutate("markRead", json!({ "chatId": chat, "messageId": message["id"] }), "")
                        .await;
                }
            }
            10..=19 => self.branch(client, choice, dice).await,
            20..=22 => {
                if let Some(generation) = dice.pick(&self.generations) {
                    client
                        .mutate("stopGeneration", json!({ "generationId": generation }), "")
                        .await;
                }
            }
            23..=26 => self.shape(client, dice, &chat).await,
            27..=29 => self.memorise(client, dice).await,
            30..=32 => self.digest(client, dice, &chat).await,
            _ => {
                let mut input = json!({ "chatId": chat, "content": format!("word {}", dice.below(1000)), "idempotencyKey": new_key() });
                if dice.below(3) == 0 {
                    let lanes = [(); 3].map(|()| json!({ "model": dice.pick(&MODELS) }));
                    input["reply"] = json!({ "lanes": lanes, "mode": dice.pick(&["COMPARE", "RACE", "FALLBACK"]) });
                }
                // Some are refused, because too many answers are running: that is an action, too.
                let payload = client
                    .mutate("sendMessage", input, "message { id } generations { id }")
                    .await;
                self.remember(&payload);
            }
        }
    }

    fn remember(&mut self, payload: &Value) {
        self.messages
            .extend(payload["message"]["id"].as_str().map(str::to_owned));
        let generations = payload["generations"].as_array().into_iter().flatten();
        self.generations
            .extend(generations.filter_map(|one| one["id"].as_str().map(str::to_owned)));
    }

    /// Does something to the branches. Much is refused: questions cannot be made anew, nor answers edited, and some are
    /// gone. That is an action, too.
    async fn branch(&mut self, client: &Client, choice: usize, dice: &mut Dice) {
        if choice >= 18 {
            if let Some(generation) = dice.pick(&self.generations) {
                let input = json!({ "generationId": generation, "idempotencyKey": new_key() });
                let payload = client.mutate("continueGeneration", input, "generation { id }").await;
                self.generations
                    .extend(payload["generation"]["id"].as_str().map(str::to_owned));
            }
            return;
        }
        let Some(message) = dice.pick(&self.messages).cloned() else {
            return;
        };
        if choice >= 15 {
            client.mutate("selectBranch", json!({ "messageId": message }), "").await;
            return;
        }
        let input = json!({ "messageId": message, "idempotencyKey": new_key() });
        let mut anew = input.clone();
        if dice.below(3) == 0 {
            let lanes = [(); 2].map(|()| json!({ "model": dice.pick(&MODELS) }));
            anew["reply"] = json!({ "lanes": lanes, "mode": dice.pick(&["COMPARE", "RACE"]) });
        }
        let payload = client.mutate("regenerateMessage", anew, FIELDS).await;
        let payload = if payload["message"].is_null() {
            let mut input = input;
            input["content"] = format!("other words {}", dice.below(1000)).into();
            client.mutate("editMessage", input, FIELDS).await
        } else {
            payload
        };
        self.remember(&payload);
    }

    /// Makes, changes, chooses or deletes an assistant.
    async fn shape(&mut self, client: &Client, dice: &mut Dice, chat: &str) {
        let visibility = if dice.below(2) == 0 { "PRIVATE" } else { "SHARED" };
        let known = dice.pick(&self.assistants).cloned();
        match (dice.below(6), known) {
            (0, Some(assistant)) => {
                let input = json!({ "assistantId": assistant });
                client.mutate("deleteAssistant", input, "").await;
            }
            (1 | 2, Some(assistant)) => {
                let name = format!("muse {}", dice.below(100));
                let input = json!({ "assistantId": assistant, "displayName": name, "visibility": visibility });
                client.mutate("updateAssistant", input, "").await;
            }
            (3 | 4, Some(assistant)) => {
                // One that is gone is refused: that is an action, too.
                let input = json!({ "chatId": chat, "assistantIds": [assistant] });
                client.mutate("updateChat", input, "").await;
            }
            _ => {
                let input = json!({ "displayName": "a muse", "visibility": visibility });
                let payload = client.mutate("createAssistant", input, "assistant { id }").await;
                self.assistants
                    .push(payload["assistant"]["id"].as_str().expect("an id").to_owned());
            }
        }
    }

    /// Adds, changes or removes a memory, or changes a preference.
    async fn memorise(&mut self, client: &Client, dice: &mut Dice) {
        let content = format!("thing {}", dice.below(100));
        let known = dice.pick(&self.memories).cloned();
        match (dice.below(5), known) {
            (0, Some(memory)) => drop(client.mutate("deleteMemory", json!({ "memoryId": memory }), "").await),
            (1, Some(memory)) => {
                let input = json!({ "memoryId": memory, "content": content });
                client.mutate("updateMemory", input, "").await;
            }
            (2, _) => drop(
                client
                    .mutate("updatePreferences", json!({ "aboutMe": content }), "")
                    .await,
            ),
            _ => {
                let payload = client
                    .mutate("addMemory", json!({ "content": content }), "memory { id }")
                    .await;
                self.memories
                    .push(payload["memory"]["id"].as_str().expect("an id").to_owned());
            }
        }
    }

    /// Has a chat summarised, or puts a summary aside, or brings it back.
    async fn digest(&mut self, client: &Client, dice: &mut Dice, chat: &str) {
        let query = "query ($id: ID!) { chat(id: $id) { summaries { id } } }";
        let found = client.ok(query, json!({ "id": chat })).await["chat"]["summaries"].take();
        let summaries = found.as_array().cloned().unwrap_or_default();
        match (dice.below(3), dice.pick(&summaries)) {
            (0, Some(summary)) => {
                client
                    .mutate("revertSummary", json!({ "summaryId": summary["id"] }), "")
                    .await;
            }
            (1, Some(summary)) => {
                client
                    .mutate("restoreSummary", json!({ "summaryId": summary["id"] }), "")
                    .await;
            }
            // One of an empty chat is refused: that is an action, too.
            _ => drop(client.mutate("summarizeChat", json!({ "chatId": chat }), "").await),
        }
    }

    /// Ends all answers and background work, and then makes the chat that says so.
    async fn end(&self, app: &TestApp, client: &Client) {
        for generation in &self.generations {
            client
                .mutate("stopGeneration", json!({ "generationId": generation }), "")
                .await;
        }
        let running =
            "{ viewer { chats(filter: { archived: null }, first: 100) { nodes { activeGenerations { id } } } } }";
        let answer = client.ok(running, json!({})).await;
        let nodes = answer["viewer"]["chats"]["nodes"].as_array().expect("chats").clone();
        assert!(
            nodes.iter().all(|chat| chat["activeGenerations"] == json!([])),
            "all have ended"
        );
        until_jobs(app, "count = 0").await;
        client.mutate("createChat", json!({ "title": "the end" }), "").await;
    }
}

async fn obeyed(seed: u64) {
    let app = TestApp::start().await;
    let laptop = app.user("ada").await.client.clone();
    let phone = laptop.second_device("ada").await;
    let mut deeds = Deeds::default();
    let mut dice = Dice::new(seed);
    for _ in 0..8 {
        deeds.act(&laptop, &mut dice).await;
    }
    let mut devices = [
        Device::open(laptop.clone(), seed ^ 1).await,
        Device::open(phone.clone(), seed ^ 2).await,
    ];
    let acting = async {
        for _ in 0..60 {
            let client = if dice.below(2) == 0 { &laptop } else { &phone };
            deeds.act(client, &mut dice).await;
        }
        deeds.end(&app, &laptop).await;
    };
    let the_end = |event: &Value| event["chat"]["title"] == "the end";
    let [one, other] = &mut devices;
    tokio::join!(acting, one.follow(the_end), other.follow(the_end));
    for device in &mut devices {
        assert!(device.seen.len() > 30);
        device.obeys().await;
    }
}

/// One test for each seed, so that they run beside each other and the failing one has a name.
macro_rules! seeds {
    ($($name:ident: $seed:literal),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                obeyed($seed).await;
            }
        )*
    };
}

seeds!(
    snapshot_and_events_are_a_fresh_read_1: 1,
    snapshot_and_events_are_a_fresh_read_2: 2,
    snapshot_and_events_are_a_fresh_read_3: 3
);
