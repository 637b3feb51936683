//! One of everything that a root field can be about, all of it the owner's.

use serde_json::{Value, json};

use super::rooms::party::pending_call;
use super::table::Row;
use super::{Room, furnish, people, summarised};
use crate::harness::app::{PASSWORD, TestApp, User, new_key, uuid};
use crate::harness::mcp::McpServer;
use crate::harness::upstream::{Reply, Upstream};
use crate::rooms::group;

/// A server with people on it.
pub(super) struct House {
    pub(super) app: TestApp,
    pub(super) stranger: User,
    pub(super) owner: User,
    pub(super) admin: User,
    pub(super) bystander: User,
    /// Another session of the owner.
    session: String,
    /// A tool server of the owner.
    tools: String,
    upstream: Upstream,
    mcp: McpServer,
}

/// What stands for the names in a row.
pub(super) struct Things(Vec<(&'static str, String)>);

impl Things {
    /// A call in which the names are replaced, for somebody who is called so.
    pub(super) fn written(&self, call: &str, who: &str, refresh_token: &str) -> String {
        let whose = [
            ("<who>", who),
            ("<refreshToken>", refresh_token),
            ("<password>", PASSWORD),
        ];
        let mut written = call.to_owned();
        for (name, value) in whose {
            written = written.replace(name, value);
        }
        for (name, value) in &self.0 {
            written = written.replace(name, value);
        }
        written
    }
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

/// A leave for a tool, put there by hand.
async fn grant(app: &TestApp, owner: &User, server: &str) -> String {
    let id = "019a0000-0000-7000-8000-000000000002";
    let sql = format!(
        "INSERT INTO tool_grants (id, user_id, tool_server_id, tool) VALUES ('{id}', '{}', '{}', 'echo')",
        uuid(&owner.id),
        uuid(server)
    );
    app.sql().await.batch_execute(&sql).await.expect("a row");
    format!("grant_{}", id.replace('-', ""))
}

impl House {
    pub(super) async fn new() -> House {
        House::built(TestApp::with).await
    }

    /// One in which nothing happens that nobody asks for.
    pub(super) async fn unattended() -> House {
        House::built(TestApp::unattended).await
    }

    async fn built(start: impl AsyncFnOnce(&[&str]) -> TestApp) -> House {
        let upstream = Upstream::start().await;
        // The one request that comes here is the owner's, who has a key verified.
        upstream.script([Reply::status(200).json(&json!({ "data": [] }))]);
        let mcp = McpServer::start().await;
        let allowed = format!("{},http://127.0.0.1:{}", mcp.allowed(), upstream.port());
        // Every row has a room of its own furnished, with a message in it.
        let app = start(&[&allowed, "--messages-per-minute=0", "--requests-per-minute=0"]).await;
        let [stranger, owner, admin] = people(&app).await;
        let bystander = app.user("bystander").await;
        let session = app.anonymous().sign_in("owner").await.session_id().await;
        let tools = json!({ "name": "mine", "url": mcp.url() });
        let tools = owner.mutate("addToolServer", tools, "toolServer { id }").await;
        House {
            tools: id(&tools["toolServer"]["id"]),
            app,
            stranger,
            owner,
            admin,
            bystander,
            session,
            upstream,
            mcp,
        }
    }

    /// Puts there what a row is about.
    pub(super) async fn furnish(&self, row: &Row) -> Things {
        let (app, owner) = (&self.app, &self.owner);
        let has = |name: &str| row.call.contains(name);
        let Room {
            chat,
            question,
            answer,
            generation,
        } = furnish(owner).await;
        let mut things = vec![
            ("<chat>", chat),
            ("<question>", question),
            ("<answer>", answer),
            ("<generation>", generation),
            ("<mcp>", self.mcp.url()),
            ("<tools>", self.tools.clone()),
            ("<session>", self.session.clone()),
            ("<owner>", owner.id.clone()),
            ("<bystander>", self.bystander.id.clone()),
        ];
        if has("<key>") {
            let base = self.upstream.url();
            let key = json!({ "provider": "OPENAI", "secret": "sk-of-the-owner", "baseUrl": base, "verify": false });
            let key = owner.mutate("setApiKey", key, "apiKey { id }").await;
            things.push(("<key>", id(&key["apiKey"]["id"])));
        }
        if has("<assistant>") {
            let assistant = json!({ "displayName": "Clio" });
            let assistant = owner.mutate("createAssistant", assistant, "assistant { id }").await;
            things.push(("<assistant>", id(&assistant["assistant"]["id"])));
        }
        if has("<call>") {
            let call = pending_call(app, &furnish(owner).await.generation).await;
            things.push(("<call>", call));
        }
        if has("<grant>") {
            things.push(("<grant>", grant(app, owner, &self.tools).await));
        }
        if has("<scheduled>") {
            let chat = &things[0].1;
            let input = json!({ "chatId": chat, "content": "Later", "rule": "0 9 * * *", "idempotencyKey": new_key() });
            let made = owner.mutate("scheduleMessage", input, "scheduledMessage { id }").await;
            things.push(("<scheduled>", id(&made["scheduledMessage"]["id"])));
        }
        if has("<push>") {
            let push = crate::notify::register(owner, "https://push.example.com/owner").await;
            things.push(("<push>", push));
        }
        if has("<hook>") || has("<delivery>") {
            let (hook, delivery) = crate::webhooks::furnished(app, owner).await;
            things.extend([("<hook>", hook), ("<delivery>", delivery)]);
        }
        if has("<group>") {
            let group = group(owner, &[&self.bystander]).await;
            if row.field == "removeAssistant" {
                let input = json!({ "chatId": group, "assistantIds": [things.last().expect("an assistant").1] });
                owner.mutate("addAssistants", input, "").await;
            }
            things.push(("<group>", group));
        }
        if has("<memory>") {
            let memory = json!({ "content": "Owns a cat." });
            let memory = owner.mutate("addMemory", memory, "memory { id }").await;
            things.push(("<memory>", id(&memory["memory"]["id"])));
        }
        if has("<summary>") {
            things.push(("<summary>", summarised(app, &furnish(owner).await).await));
        }
        Things(things)
    }
}
