//! Everybody who may look at a group, and the groups they look at.

use serde_json::json;

use crate::access::{furnish, summarised};
use crate::harness::app::{Client, TestApp, User, new_key, uuid};
use crate::rooms::{done, group, say};

/// The names of the columns.
pub(in crate::access) const VIEWERS: [&str; 8] = [
    "anonymous",
    "stranger",
    "blocked",
    "former",
    "member",
    "moderator",
    "owner",
    "admin",
];

/// Somebody of each sort, and those whom they talk about.
pub(in crate::access) struct Party {
    pub(in crate::access) anonymous: Client,
    pub(in crate::access) stranger: User,
    /// Whom the owner and the bystander block.
    pub(in crate::access) blocked: User,
    pub(in crate::access) former: User,
    pub(in crate::access) member: User,
    pub(in crate::access) moderator: User,
    pub(in crate::access) owner: User,
    pub(in crate::access) admin: User,
    /// A member who has written what is talked about.
    pub(in crate::access) bystander: User,
    pub(in crate::access) newcomer: User,
    /// An assistant that is in the groups, and one that is not.
    pub(in crate::access) assistants: [String; 2],
    /// Of the owner's own chat with an AI.
    pub(in crate::access) summary: String,
}

/// A group in which all of it has happened.
pub(in crate::access) struct Group {
    pub(in crate::access) chat: String,
    /// What the bystander wrote.
    pub(in crate::access) said: String,
    /// What the former member wrote.
    pub(in crate::access) formers: String,
    /// What the owner has scheduled in it.
    pub(in crate::access) scheduled: String,
    /// What the assistant answered to the owner.
    pub(in crate::access) generation: String,
    pub(in crate::access) answer: String,
}

/// A shared assistant.
pub(super) async fn clio(client: &Client) -> String {
    let model = "scripted:words=1,finish=length,first=0,delay=0";
    let input = json!({ "displayName": "Clio", "model": model, "visibility": "SHARED" });
    let made = client.mutate("createAssistant", input, "assistant { id }").await;
    made["assistant"]["id"].as_str().expect("an id").to_owned()
}

impl Party {
    pub(in crate::access) async fn of(app: &TestApp) -> Party {
        let owner = app.user("owner").await;
        let assistants = [clio(&owner).await, clio(&owner).await];
        let summary = summarised(app, &furnish(&owner).await).await;
        let party = Party {
            anonymous: app.anonymous(),
            stranger: app.user("stranger").await,
            blocked: app.user("blocked").await,
            former: app.user("former").await,
            member: app.user("member").await,
            moderator: app.user("moderator").await,
            admin: app.admin("admin").await,
            bystander: app.user("bystander").await,
            newcomer: app.user("newcomer").await,
            owner,
            assistants,
            summary,
        };
        for client in [&party.owner, &party.bystander] {
            done(client, "blockUser", json!({ "userId": party.blocked.id })).await;
        }
        party
    }

    /// In the order of the columns.
    pub(in crate::access) fn viewers(&self) -> [&Client; 8] {
        [
            &self.anonymous,
            &self.stranger.client,
            &self.blocked.client,
            &self.former.client,
            &self.member.client,
            &self.moderator.client,
            &self.owner.client,
            &self.admin.client,
        ]
    }

    /// A new group.
    pub(in crate::access) async fn group(&self) -> Group {
        let Party { owner, moderator, .. } = self;
        let chat = group(owner, &[&self.former, &self.member, moderator, &self.bystander]).await;
        let role = json!({ "chatId": chat, "userId": moderator.id, "role": "MODERATOR" });
        done(owner, "setMemberRole", role).await;
        // Whom one blocks one does not add: somebody else has.
        let blocked = json!({ "chatId": chat, "userIds": [self.blocked.id] });
        done(moderator, "addMembers", blocked).await;
        let assistants = json!({ "chatId": chat, "assistantIds": [self.assistants[0]] });
        done(owner, "addAssistants", assistants).await;
        let asked = json!({ "chatId": chat, "content": "@Clio?", "idempotencyKey": new_key() });
        let asked = owner
            .mutate("sendMessage", asked, "generation { id message { id } }")
            .await["generation"]
            .take();
        let id = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
        let generation = id(&asked["id"]);
        let mut events = owner.generation_events(&generation, None).await;
        events.until("GenerationFinished").await;
        let formers = say(&self.former, &chat, "I am off").await;
        done(
            owner,
            "removeMember",
            json!({ "chatId": chat, "userId": self.former.id }),
        )
        .await;
        let later = json!({ "chatId": chat, "content": "Later", "rule": "0 9 * * *", "idempotencyKey": new_key() });
        let later = owner.mutate("scheduleMessage", later, "scheduledMessage { id }").await;
        Group {
            said: say(&self.bystander, &chat, "Anybody there?").await,
            formers,
            scheduled: id(&later["scheduledMessage"]["id"]),
            answer: id(&asked["message"]["id"]),
            generation,
            chat,
        }
    }
}

/// A call of a tool that waits for whoever asked for a generation, put there by hand.
pub(in crate::access) async fn pending_call(app: &TestApp, generation: &str) -> String {
    let generation = uuid(generation);
    let id = "019a0000-0000-7000-8000-000000000001";
    let sql = format!(
        "UPDATE generations SET status = 'WAITING_FOR_APPROVAL', finished_at = NULL, lease_expires_at = NULL WHERE id = '{generation}'; \
         DELETE FROM tool_calls; \
         INSERT INTO tool_calls (id, generation_id, step, position, call_id, function, name, arguments, status) \
         VALUES ('{id}', '{generation}', 0, 0, 'call_1', 'tool', 'tool', '{{}}', 'PENDING_APPROVAL')"
    );
    app.sql().await.batch_execute(&sql).await.expect("rows");
    format!("call_{}", id.replace('-', ""))
}
