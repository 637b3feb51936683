//! People come, go and talk at random, over connections that break, and each holds what is true for them in the end.

use serde_json::{Value, json};

use super::people;
use crate::harness::app::{Client, TestApp, User, new_key};
use crate::harness::dice::Dice;
use crate::harness::law::Device;
use crate::privacy;

/// The most messages that the law reads of a chat; a room that comes near is left alone.
const FULL: usize = 30;

/// The rooms of the random actions, with how much was done in each.
#[derive(Default)]
pub(super) struct Rooms {
    chats: Vec<(String, usize)>,
    /// An assistant that everybody may add.
    assistant: String,
    /// The answers that were asked for.
    pub(super) answers: Vec<String>,
}

impl Rooms {
    /// None yet, and an assistant of `owner` that everybody may add.
    pub(super) async fn with_assistant(owner: &User) -> Self {
        let clio =
            json!({ "displayName": "Clio", "visibility": "SHARED", "model": "scripted:words=3,first=0,delay=1" });
        let clio = owner.mutate("createAssistant", clio, "assistant { id }").await["assistant"]["id"].take();
        Rooms {
            assistant: clio.as_str().expect("an id").to_owned(),
            ..Rooms::default()
        }
    }

    /// Does something, which may well be refused: that is an action, too.
    pub(super) async fn act(&mut self, people: &[User], dice: &mut Dice) {
        let first = dice.below(people.len());
        let one = &people[first];
        let other = dice.pick(people).expect("somebody");
        let choice = dice.below(66);
        if choice < 3 || self.chats.is_empty() {
            let history = if dice.below(2) == 0 {
                "FROM_START"
            } else {
                "FROM_JOINING"
            };
            let input = match choice {
                0 => json!({ "kind": "DIRECT", "memberIds": [other.id] }),
                _ => json!({ "kind": "GROUP", "title": "a group", "memberIds": [other.id], "history": history }),
            };
            let payload = one.mutate("createChat", input, "chat { id }").await;
            self.chats
                .extend(payload["chat"]["id"].as_str().map(|id| (id.to_owned(), 0)));
            return;
        }
        let index = dice.below(self.chats.len());
        let (chat, deeds) = &mut self.chats[index];
        if *deeds >= FULL {
            return;
        }
        *deeds += 1;
        let on = dice.below(2) == 0;
        let role = *dice.pick(&["MEMBER", "MODERATOR", "OWNER"]).expect("a role");
        let (mutation, input) = match choice {
            3 | 4 => ("leaveChat", json!({ "chatId": chat })),
            5 => ("deleteChat", json!({ "chatId": chat })),
            6..=9 => ("addMembers", json!({ "chatId": chat, "userIds": [other.id] })),
            10 | 11 => ("removeMember", json!({ "chatId": chat, "userId": other.id })),
            12 | 13 => (
                "setMemberRole",
                json!({ "chatId": chat, "userId": other.id, "role": role }),
            ),
            14 => (
                "updateChat",
                json!({ "chatId": chat, "title": format!("group {}", dice.below(100)) }),
            ),
            15 => (
                "updateChat",
                json!({ "chatId": chat, "history": if on { "FROM_START" } else { "FROM_JOINING" } }),
            ),
            16 => (
                "updateChat",
                json!({ "chatId": chat, "permissions": { "post": role, "addMembers": "MEMBER" } }),
            ),
            17 if on => ("updateChat", json!({ "chatId": chat, "pinned": dice.below(2) == 0 })),
            17 => {
                let level = *dice.pick(&["ALL", "MENTIONS", "NONE"]).expect("a level");
                (
                    "updateChat",
                    json!({ "chatId": chat, "notifications": level, "mutedUntil": "2999-01-01T00:00:00Z" }),
                )
            }
            18 => ("updateChat", json!({ "chatId": chat, "archived": on })),
            19 => ("clearHistory", json!({ "chatId": chat })),
            20 | 21 => {
                let Some(message) = newest(one, chat).await else { return };
                ("markRead", json!({ "chatId": chat, "messageId": message }))
            }
            52 => (
                "updateProfile",
                json!({ "displayName": format!("Somebody {}", dice.below(100)) }),
            ),
            53 => ("blockUser", json!({ "userId": other.id })),
            54..=56 => ("unblockUser", json!({ "userId": other.id })),
            57..=59 => (
                "addAssistants",
                json!({ "chatId": chat, "assistantIds": [self.assistant] }),
            ),
            60 => (
                "removeAssistant",
                json!({ "chatId": chat, "assistantId": self.assistant }),
            ),
            61 => (
                "updateChat",
                json!({ "chatId": chat, "payer": if on { "OWNER" } else { "ASKER" }, "assistantReplies": if on { "ALWAYS" } else { "WHEN_ADDRESSED" } }),
            ),
            62 | 63 if !self.answers.is_empty() => {
                let generation = dice.pick(&self.answers).expect("an answer").clone();
                if on {
                    ("stopGeneration", json!({ "generationId": generation }))
                } else {
                    let Some(message) = written(people, &generation).await else {
                        return;
                    };
                    let input = json!({ "messageId": message, "idempotencyKey": new_key() });
                    ("regenerateMessage", input)
                }
            }
            22..=24 => {
                let Some(message) = newest(one, chat).await else { return };
                let content = format!("other words {}", dice.below(1000));
                (
                    "editMessage",
                    json!({ "messageId": message, "content": content, "idempotencyKey": new_key() }),
                )
            }
            28..=32 => {
                let Some(message) = newest(one, chat).await else { return };
                let emoji = *dice.pick(&["🦊", "👍🏽", "nice"]).expect("one");
                let name = if dice.below(3) > 0 {
                    "addReaction"
                } else {
                    "removeReaction"
                };
                (name, json!({ "messageId": message, "emoji": emoji }))
            }
            33..=35 => {
                let Some(message) = newest(one, chat).await else { return };
                let name = if on { "pinMessage" } else { "unpinMessage" };
                (name, json!({ "messageId": message }))
            }
            36..=39 => {
                let text = *dice.pick(&["", "so", "so far"]).expect("one");
                let mut input = json!({ "chatId": chat, "text": text });
                if on {
                    input["replyToId"] = newest(one, chat).await.unwrap_or_default();
                }
                ("saveDraft", input)
            }
            25..=27 => {
                let Some(message) = newest(one, chat).await else { return };
                ("deleteMessage", json!({ "messageId": message }))
            }
            _ => {
                // Of somebody who is in the room, or not.
                let name = dice
                    .pick(&[
                        "",
                        " for @ada",
                        " for @bob.",
                        " for @nobody",
                        " for @clio",
                        " for @Clio!",
                    ])
                    .expect("a name");
                let content = format!("words {}{name}", dice.below(1000));
                let mut input = json!({ "chatId": chat, "content": content, "idempotencyKey": new_key() });
                if on {
                    let importance = *dice.pick(&["LOW", "URGENT"]).expect("one");
                    input["importance"] = json!(importance);
                    input["replyToId"] = newest(one, chat).await.unwrap_or_default();
                }
                ("sendMessage", input)
            }
        };
        // Whoever is not in the room leaves it to the next.
        let turns = people.iter().cycle().skip(first).take(people.len());
        for one in turns {
            let fields = match mutation {
                "sendMessage" | "regenerateMessage" => "generations { id }",
                _ => "",
            };
            let payload = one.mutate(mutation, input.clone(), fields).await;
            let answers = payload["generations"].as_array().cloned().unwrap_or_default();
            self.answers.extend(
                answers
                    .iter()
                    .filter_map(|answer| answer["id"].as_str())
                    .map(str::to_owned),
            );
            let error = &payload["errors"][0];
            if error["code"] != "NOT_FOUND" || error["field"] != json!(["input", "chatId"]) {
                return;
            }
        }
    }
}

/// Waits for the end of an answer, as far as anybody sees it.
pub(super) async fn ended(people: &[User], generation: &str) {
    for person in people {
        let mut events = person.generation_events(generation, None).await;
        while let Some(result) = events.result().await {
            if result["data"]["generationEvents"]["__typename"] == "GenerationFinished" {
                return;
            }
        }
    }
}

/// The message of an answer, as far as anybody sees it.
async fn written(people: &[User], generation: &str) -> Option<Value> {
    let query = "query ($id: ID!) { generation(id: $id) { message { id } } }";
    for person in people {
        let mut seen = person.ok(query, json!({ "id": generation })).await;
        let id = seen["generation"]["message"]["id"].take();
        if id.is_string() {
            return Some(id);
        }
    }
    None
}

/// The newest message that somebody sees.
async fn newest(client: &Client, chat: &str) -> Option<Value> {
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
    let mut seen = client.ok(query, json!({ "id": chat })).await;
    let id = seen["chat"]["lastMessage"]["id"].take();
    id.is_string().then_some(id)
}

/// Has something happen to everybody that nothing comes after.
pub(super) async fn end(people: &[User], title: &str) {
    for person in people {
        person.mutate("createChat", json!({ "title": title }), "").await;
    }
}

pub(super) fn is(title: &str) -> impl Fn(&Value) -> bool {
    move |event| event["chat"]["title"] == title
}

async fn obeyed(seed: u64) {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let everybody: [User; 4] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let (dan, people) = everybody.split_last().expect("people");
    let mut rooms = Rooms::with_assistant(&people[0]).await;
    let mut dice = Dice::new(seed);
    for _ in 0..20 {
        rooms.act(&everybody, &mut dice).await;
    }
    let mut devices = Vec::new();
    for (index, person) in (1..).zip(people) {
        devices.push(Device::open(person.client.clone(), seed ^ index).await);
    }
    let acting = async {
        for _ in 0..30 {
            rooms.act(&everybody, &mut dice).await;
        }
        // What is theirs alone goes in the background.
        privacy::delete(dan).await;
        for _ in 0..90 {
            rooms.act(people, &mut dice).await;
        }
        for answer in &rooms.answers {
            ended(people, answer).await;
        }
        privacy::cleared(&app, dan).await;
        end(people, "the end").await;
    };
    let following = futures_util::future::join_all(devices.iter_mut().map(|device| device.follow(is("the end"))));
    tokio::join!(acting, following);
    // What they were handed until here is stored and told, and they are told of it.
    app.app.receipts().flush(&app.app).await.expect("receipts");
    end(people, "the very end").await;
    let following = devices.iter_mut().map(|device| device.follow(is("the very end")));
    futures_util::future::join_all(following).await;
    let seen: usize = devices.iter().map(|device| device.seen.len()).sum();
    assert!(seen > 80, "{seen} events are no run");
    for device in &mut devices {
        device.obeys().await;
    }
    // All were handed everything by now.
    app.app.receipts().flush(&app.app).await.expect("receipts");
    for person in people {
        statuses_follow(person).await;
    }
}

/// Fails unless how far one's messages have come in groups is what follows from the marks of the others in them: who holds
/// those holds that, too.
async fn statuses_follow(person: &User) {
    let query = "{ viewer { chats(filter: { archived: null, kinds: [GROUP] }, first: 20) { nodes { \
        members { nodes { deliveredSequence readSequence user { id } } } \
        messages(last: 50) { nodes { sequence role status author { ... on User { id } } } } } } } }";
    let chats = person.ok(query, json!({})).await["viewer"]["chats"]["nodes"].take();
    for chat in chats.as_array().expect("groups") {
        let others = chat["members"]["nodes"].as_array().expect("members").iter();
        let others: Vec<_> = others.filter(|member| member["user"]["id"] != person.id).collect();
        for message in chat["messages"]["nodes"].as_array().expect("messages") {
            let is_own = message["role"] == "USER" && message["author"]["id"] == person.id;
            let all = |mark: &str| {
                others
                    .iter()
                    .all(|other| other[mark].as_i64() >= message["sequence"].as_i64())
            };
            let status = match others.as_slice() {
                _ if !is_own => Value::Null,
                [] => json!("SENT"),
                _ if all("readSequence") => json!("READ"),
                _ if all("deliveredSequence") => json!("DELIVERED"),
                _ => json!("SENT"),
            };
            assert_eq!(message["status"], status, "{message} in {chat}");
        }
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
    people_hold_what_is_true_1: 11,
    people_hold_what_is_true_2: 12,
    people_hold_what_is_true_3: 15,
    people_hold_what_is_true_4: 14
);
