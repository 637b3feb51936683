//! The law of every subscription: a snapshot and the events after it are what a fresh read returns.
//!
//! ```text
//! let mut device = Device::open(client, seed).await;     // viewer.syncCursor, and then everything
//! device.follow(|event| event["chat"]["title"] == "the end").await;
//! device.obeys().await;                                  // what it holds is what a fresh read returns
//! ```
//! A feature that adds events adds its fields to [`CHAT`] or [`MESSAGE`], or a map to [`Held`] and an arm to
//! [`Held::apply`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::app::Client;
use super::dice::Dice;
use super::stream::Subscription;

/// What a client keeps of a chat.
const CHAT: &str = "id pinnedMessages(first: 5) { nodes { id pinnedAt } } kind title titleSource description iconUrl history messageLifetimeSeconds memberCount permissions { post addMembers pin changeDetails askAi } \
    members(first: 8) { nodes { role joinedAt deliveredSequence readSequence user { id } } }  model provider isDefault version createdAt lastActivityAt lastMessage { id } \
    activeGenerations { id } assistants { id } assistantReplies payer viewerState { mentionCount draftVersion draft { text replyTo { id } updatedAt } unreadCount lastReadSequence pinned archived notifications mutedUntil role permissions }";
/// What a client keeps of a message.
const MESSAGE: &str = "id mentions { ... on User { id } ... on Assistant { id } } pinnedAt pinnedBy { id } reactions { emoji count viewerReacted users { id } } editedAt deletedBy { id } edits { nodes { content } } kind importance metadata replyTo { id deletedAt } system { kind role details subject { id } assistant { id } } sequence active siblings { id } role content version createdAt idempotencyKey chat { id } parent { id } author { ... on User { id } ... on Assistant { id } } \
    deletedAt generation { id provider model status text sequence finishReason finishedAt usage { totalTokens } error { code } }";

/// What a client keeps of an assistant.
const ASSISTANT: &str =
    "id displayName description instructions provider model temperature avatarUrl visibility available version";

/// What a client keeps of a key.
const KEY: &str = "id hint health { accepted lastErrorCode throttledUntil }";
/// What a client keeps of a memory.
const MEMORY: &str = "id content version";
/// What a client keeps of the preferences.
const PREFERENCES: &str =
    "aboutMe responseStyle language memoryEnabled titlesEnabled summariesEnabled addableBy version";
/// What a client keeps of a summary.
const SUMMARY: &str = "id chatId throughSequence content tokens model revertedAt version";
/// What a client keeps of an archive.
const EXPORT: &str = "id state progress bytes createdAt finishedAt expiresAt version";
/// What a client keeps of a scheduled message.
const SCHEDULED: &str = "id content sendAt rule timeZone missed state nextAt sentCount lastSentAt missedAt missedCount lastError { code message } version";
/// What a client keeps of a webhook.
const WEBHOOK: &str = "id description events enabled version";
/// What a client keeps of a contact.
const CONTACT: &str = "addedAt version user { id }";

/// Of how many chats one request reads what is said: it has a limit of fields.
const CHATS_AT_ONCE: usize = 4;

/// What a client holds: everything, by id.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Held {
    /// The chats.
    pub chats: BTreeMap<String, Value>,
    /// The messages of all chats.
    pub messages: BTreeMap<String, Value>,
    /// The assistants that can be used.
    pub assistants: BTreeMap<String, Value>,
    /// How one's keys fare.
    pub keys: BTreeMap<String, Value>,
    /// What the AI is to remember.
    pub memories: BTreeMap<String, Value>,
    /// The summaries of all chats.
    pub summaries: BTreeMap<String, Value>,
    /// What will be sent later, and was.
    pub scheduled: BTreeMap<String, Value>,
    /// The preferences, under an id of their own.
    pub preferences: BTreeMap<String, Value>,
    /// The archives of one's data.
    pub exports: BTreeMap<String, Value>,
    /// Which services are told of what.
    pub webhooks: BTreeMap<String, Value>,
    /// What the viewer is called.
    pub names: BTreeMap<String, Value>,
    /// What people are to the viewer: those who are neither contacts nor blocked any more stay, for their version.
    pub people: BTreeMap<String, Value>,
}

impl Held {
    /// Applies an event as the documentation tells clients to.
    pub fn apply(&mut self, event: &Value) {
        let removed = event["chatId"].as_str().unwrap_or_default();
        match event["__typename"].as_str().expect("a name") {
            "ChatUpserted" => upsert(&mut self.chats, &event["chat"]),
            "MessageCreated" | "MessageUpdated" => self.shown(&event["message"]),
            "BranchChanged" => {
                let (chat, after) = (&event["chat"], event["afterSequence"].as_i64().expect("a number"));
                let behind = |message: &Value| message["sequence"].as_i64().is_some_and(|sequence| sequence > after);
                self.messages
                    .retain(|_, message| message["chat"]["id"] != chat["id"] || !behind(message));
                // What is not behind it is as the events before left it.
                let read = chat["messages"]["nodes"].as_array().expect("messages");
                read.iter()
                    .filter(|message| behind(message))
                    .for_each(|message| self.shown(message));
            }
            "ChatRemoved" => {
                self.chats.remove(removed);
                self.messages.retain(|_, message| message["chat"]["id"] != removed);
                self.summaries.retain(|_, summary| summary["chatId"] != removed);
            }
            "HistoryCleared" => {
                let through = event["throughSequence"].as_i64().expect("a number");
                let stays = |message: &Value| {
                    message["chat"]["id"] != removed
                        || message["sequence"].as_i64().is_some_and(|sequence| sequence > through)
                };
                self.messages.retain(|_, message| stays(message));
                self.summaries.retain(|_, summary| {
                    summary["chatId"] != removed
                        || summary["throughSequence"]
                            .as_i64()
                            .is_some_and(|sequence| sequence > through)
                });
            }
            "AssistantUpserted" => upsert(&mut self.assistants, &event["assistant"]),
            "AssistantRemoved" => {
                self.assistants.remove(event["assistantId"].as_str().expect("an id"));
            }
            "ApiKeyHealthChanged" => upsert(&mut self.keys, &event["apiKey"]),
            "MemoryUpserted" => upsert(&mut self.memories, &event["memory"]),
            "MemoryRemoved" => {
                self.memories.remove(event["memoryId"].as_str().expect("an id"));
            }
            "PreferencesChanged" => self.prefer(&event["preferences"]),
            "ContactChanged" => {
                let (user, contact) = (&event["user"]["id"], &event["contact"]);
                let person = json!({ "id": user, "contact": contact, "isBlocked": event["isBlocked"], "version": event["version"] });
                upsert(&mut self.people, &person);
            }
            "SummaryUpserted" => upsert(&mut self.summaries, &event["summary"]),
            "ReceiptsUpdated" => {
                if let Some(chat) = self.chats.get_mut(removed) {
                    for mark in event["receipts"].as_array().expect("marks") {
                        move_on(chat, mark);
                    }
                }
            }
            "SummaryRemoved" => {
                self.summaries.remove(event["summaryId"].as_str().expect("an id"));
            }
            "DataExportChanged" => upsert(&mut self.exports, &event["dataExport"]),
            "WebhookChanged" if event["webhook"].is_null() => {
                self.webhooks.remove(event["webhookId"].as_str().expect("an id"));
            }
            "WebhookChanged" => upsert(&mut self.webhooks, &event["webhook"]),
            "ScheduledMessageChanged" => upsert(&mut self.scheduled, &event["scheduledMessage"]),
            "UserUpdated" => {
                let user = &event["user"];
                if let Some(name) = self.names.get_mut(user["id"].as_str().expect("an id")) {
                    *name = user["displayName"].clone();
                }
            }
            "StreamReady" => {}
            other => panic!("an event that the law does not know: {other}"),
        }
    }

    /// Whether somebody whose marks it holds has come further.
    fn is_behind(&self, fresh: &Held) -> bool {
        let pairs = self
            .chats
            .iter()
            .filter_map(|(id, held)| Some((held, fresh.chats.get(id)?)));
        let mut members = pairs.flat_map(|(held, fresh)| {
            let (held, fresh) = (nodes(&held["members"]), nodes(&fresh["members"]));
            held.iter().flat_map(move |one| {
                let same = fresh.iter().filter(|other| other["user"] == one["user"]);
                same.map(move |other| (one, other))
            })
        });
        members.any(|(held, fresh)| {
            let less = |name: &str| held[name].as_i64() < fresh[name].as_i64();
            less("deliveredSequence") || less("readSequence")
        })
    }

    fn prefer(&mut self, preferences: &Value) {
        let mut preferences = preferences.clone();
        preferences["id"] = json!("preferences");
        upsert(&mut self.preferences, &preferences);
    }

    /// Who is a contact or blocked, as far as a fresh read says it.
    fn standing(&self) -> BTreeMap<String, Value> {
        let known = self
            .people
            .iter()
            .filter(|(_, person)| !person["contact"].is_null() || person["isBlocked"] == true);
        known
            .map(|(id, person)| (id.clone(), json!([person["contact"], person["isBlocked"]])))
            .collect()
    }

    /// Applies a message: what is not on the active branch is not shown.
    fn shown(&mut self, message: &Value) {
        upsert(&mut self.messages, message);
        self.messages.retain(|_, message| message["active"] == true);
    }
}

/// The nodes of a page.
fn nodes(page: &Value) -> &[Value] {
    page["nodes"].as_array().map_or(&[], Vec::as_slice)
}

/// Moves the marks of a chat's member on, never back.
fn move_on(chat: &mut Value, mark: &Value) {
    let members = chat["members"]["nodes"].as_array_mut().expect("members");
    let moved = members.iter_mut().filter(|member| member["user"] == mark["user"]);
    for member in moved {
        for name in ["deliveredSequence", "readSequence"] {
            if member[name].as_i64() < mark[name].as_i64() {
                member[name] = mark[name].clone();
            }
        }
    }
}

fn upsert(held: &mut BTreeMap<String, Value>, new: &Value) {
    let id = new["id"].as_str().expect("an id").to_owned();
    let have = held.get(&id).and_then(|old| old["version"].as_i64());
    if have <= new["version"].as_i64() {
        held.insert(id, new.clone());
    }
}

/// A device that reads everything once and from then on only follows the events, over a bad connection.
pub struct Device {
    client: Client,
    held: Held,
    /// Every cursor so far: any of them is good for a resume.
    cursors: Vec<String>,
    /// The events as they came.
    pub seen: Vec<Value>,
    /// Whether the server may be killed meanwhile.
    pub outages: bool,
    dice: Dice,
}

impl Device {
    /// Reads everything. The seed decides when the connection breaks, and from where it is resumed.
    pub async fn open(client: Client, seed: u64) -> Self {
        let (held, cursor) = read(&client).await;
        Device {
            client,
            held,
            cursors: vec![cursor],
            seen: Vec::new(),
            outages: false,
            dice: Dice::new(seed),
        }
    }

    /// Follows the events until one is `last`. The connection breaks now and then; most resumes are from the newest
    /// cursor, some from an older one, so that events are repeated.
    pub async fn follow(&mut self, last: impl Fn(&Value) -> bool) {
        let mut stream = self.subscribe().await;
        loop {
            let Some(event) = stream.next().await else {
                assert!(self.outages, "a stream without an end");
                stream = self.subscribe().await;
                continue;
            };
            self.held.apply(&event);
            self.cursors
                .push(event["cursor"].as_str().expect("a cursor").to_owned());
            let over = last(&event);
            self.seen.push(event);
            if over {
                return;
            }
            if self.dice.below(8) == 0 {
                drop(stream);
                if self.dice.below(3) == 0 {
                    // Not too far, or it would never arrive.
                    let forgotten = self.dice.below(self.cursors.len().min(12));
                    self.cursors.truncate(self.cursors.len() - forgotten);
                }
                stream = self.subscribe().await;
            }
        }
    }

    async fn subscribe(&self) -> Subscription {
        let query = format!(
            "subscription ($after: String) {{ events(after: $after, ephemeral: false) {{ __typename cursor \
             ... on ChatUpserted {{ chat {{ {CHAT} }} }} ... on ChatRemoved {{ chatId }} \
             ... on HistoryCleared {{ chatId throughSequence }} \
             ... on BranchChanged {{ afterSequence chat {{ id messages(last: 50) {{ pageInfo {{ hasPreviousPage }} nodes {{ {MESSAGE} }} }} }} }} \
             ... on MessageCreated {{ message {{ {MESSAGE} }} }} ... on MessageUpdated {{ message {{ {MESSAGE} }} }} \
             ... on AssistantUpserted {{ assistant {{ {ASSISTANT} }} }} ... on AssistantRemoved {{ assistantId }} \
             ... on ApiKeyHealthChanged {{ apiKey {{ {KEY} }} }} \
             ... on MemoryUpserted {{ memory {{ {MEMORY} }} }} ... on MemoryRemoved {{ memoryId }} \
             ... on PreferencesChanged {{ preferences {{ {PREFERENCES} }} }} ... on SummaryUpserted {{ summary {{ {SUMMARY} }} }} \
             ... on SummaryRemoved {{ summaryId }} \
             ... on ReceiptsUpdated {{ chatId receipts {{ deliveredSequence readSequence user {{ id }} }} }} \
             ... on DataExportChanged {{ dataExport {{ {EXPORT} }} }} \
             ... on UserUpdated {{ user {{ id displayName }} }} \
             ... on WebhookChanged {{ webhookId webhook {{ {WEBHOOK} }} }} \
             ... on ScheduledMessageChanged {{ scheduledMessage {{ {SCHEDULED} }} }} \
             ... on ContactChanged {{ user {{ id }} contact {{ {CONTACT} }} isBlocked version }} \
             ... on ResyncRequired {{ reason }} }} }}"
        );
        loop {
            let mut stream = self
                .client
                .subscribe(&query, json!({ "after": self.cursors.last() }))
                .await;
            let Some(ready) = stream.next().await else {
                assert!(self.outages, "a beginning");
                continue;
            };
            assert_eq!(ready["__typename"], "StreamReady", "{ready}");
            return stream;
        }
    }

    /// Fails when what this device holds is not what a fresh read returns. Of how far people have come it is told a moment
    /// after that is stored: it is followed until it is.
    pub async fn obeys(&mut self) {
        let mut fresh = read(&self.client).await.0;
        while self.held.is_behind(&fresh) {
            self.follow(|event| event["__typename"] == "ReceiptsUpdated").await;
            fresh = read(&self.client).await.0;
        }
        let (people, known) = (self.held.standing(), fresh.standing());
        let differing = differing(&self.held.chats, &fresh.chats)
            .chain(differing(&self.held.messages, &fresh.messages))
            .chain(differing(&self.held.assistants, &fresh.assistants))
            .chain(differing(&self.held.keys, &fresh.keys))
            .chain(differing(&self.held.memories, &fresh.memories))
            .chain(differing(&self.held.summaries, &fresh.summaries))
            .chain(differing(&self.held.scheduled, &fresh.scheduled))
            .chain(differing(&self.held.preferences, &fresh.preferences))
            .chain(differing(&self.held.exports, &fresh.exports))
            .chain(differing(&self.held.webhooks, &fresh.webhooks))
            .chain(differing(&self.held.names, &fresh.names))
            .chain(differing(&people, &known));
        let differing: Vec<_> = differing.collect();
        assert!(differing.is_empty(), "snapshot + events != fresh read: {differing:#?}");
    }
}

/// What is held of each thing that differs, and what is true of it.
fn differing<'a>(
    held: &'a BTreeMap<String, Value>,
    fresh: &'a BTreeMap<String, Value>,
) -> impl Iterator<Item = Value> + 'a {
    let ids: BTreeSet<&String> = held.keys().chain(fresh.keys()).collect();
    let unequal = ids.into_iter().filter(|id| held.get(*id) != fresh.get(*id));
    unequal.map(|id| json!({ "id": id, "held": held.get(id), "fresh": fresh.get(id) }))
}

/// What is said in some chats; nothing in one that is gone by now, as an event will tell.
async fn messages(client: &Client, chats: &[String]) -> Vec<Value> {
    let one = |(index, id): (usize, &String)| {
        format!(
            "chat{index}: chat(id: \"{id}\") {{ messages(last: 50) {{ pageInfo {{ hasPreviousPage }} nodes {{ {MESSAGE} }} }} }}"
        )
    };
    let fields: Vec<String> = chats.iter().enumerate().map(one).collect();
    let answer = client.ok(&format!("{{ {} }}", fields.join(" ")), json!({})).await;
    let mut messages = Vec::new();
    for chat in answer
        .as_object()
        .expect("chats")
        .values()
        .filter(|chat| !chat.is_null())
    {
        let page = &chat["messages"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], false, "the law reads one page");
        messages.extend(page["nodes"].as_array().expect("messages").clone());
    }
    messages
}

/// Everything there is, and the cursor from before it was read.
async fn read(client: &Client) -> (Held, String) {
    let query = format!(
        "{{ viewer {{ syncCursor user {{ id displayName }} apiKeys {{ {KEY} }} assistants(first: 100) {{ nodes {{ {ASSISTANT} }} }} \
         memories(first: 100) {{ nodes {{ {MEMORY} }} }} preferences {{ {PREFERENCES} }} dataExports {{ {EXPORT} }} webhooks {{ {WEBHOOK} }} \
         scheduledMessages(first: 100) {{ nodes {{ {SCHEDULED} }} }} contacts(first: 100) {{ nodes {{ {CONTACT} }} }} blockedUsers {{ id }} chats(filter: {{ archived: null }}, first: 20) {{ pageInfo {{ hasNextPage }} \
         nodes {{ {CHAT} summaries {{ {SUMMARY} }} }} }} }} }}"
    );
    let mut answer = client.ok(&query, json!({})).await;
    let chats = answer["viewer"]["chats"].take();
    assert_eq!(chats["pageInfo"]["hasNextPage"], false, "the law reads one page");
    let mut held = Held::default();
    for key in answer["viewer"]["apiKeys"].as_array().expect("keys") {
        upsert(&mut held.keys, key);
    }
    for assistant in answer["viewer"]["assistants"]["nodes"].as_array().expect("assistants") {
        upsert(&mut held.assistants, assistant);
    }
    for export in answer["viewer"]["dataExports"].as_array().expect("exports") {
        upsert(&mut held.exports, export);
    }
    let user = &answer["viewer"]["user"];
    let id = user["id"].as_str().expect("an id").to_owned();
    held.names.insert(id, user["displayName"].clone());
    for webhook in answer["viewer"]["webhooks"].as_array().expect("webhooks") {
        upsert(&mut held.webhooks, webhook);
    }
    for memory in answer["viewer"]["memories"]["nodes"].as_array().expect("memories") {
        upsert(&mut held.memories, memory);
    }
    for scheduled in answer["viewer"]["scheduledMessages"]["nodes"]
        .as_array()
        .expect("messages")
    {
        upsert(&mut held.scheduled, scheduled);
    }
    held.prefer(&answer["viewer"]["preferences"]);
    for contact in answer["viewer"]["contacts"]["nodes"].as_array().expect("contacts") {
        let (id, version) = (&contact["user"]["id"], &contact["version"]);
        upsert(
            &mut held.people,
            &json!({ "id": id, "contact": contact, "isBlocked": false, "version": version }),
        );
    }
    for user in answer["viewer"]["blockedUsers"].as_array().expect("people") {
        upsert(
            &mut held.people,
            &json!({ "id": user["id"], "contact": null, "isBlocked": true, "version": 0 }),
        );
    }
    for chat in chats["nodes"].as_array().expect("chats") {
        for summary in chat["summaries"].as_array().expect("summaries") {
            upsert(&mut held.summaries, summary);
        }
        let mut chat = chat.clone();
        let fields = chat.as_object_mut().expect("a chat");
        fields.remove("summaries");
        upsert(&mut held.chats, &chat);
    }
    let ids: Vec<String> = held.chats.keys().cloned().collect();
    for ids in ids.chunks(CHATS_AT_ONCE) {
        for message in messages(client, ids).await {
            upsert(&mut held.messages, &message);
        }
    }
    (
        held,
        answer["viewer"]["syncCursor"].as_str().expect("a cursor").to_owned(),
    )
}
