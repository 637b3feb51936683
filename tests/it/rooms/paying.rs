//! Who pays for the answers of a group, with which key, from which budget, and what the others learn of it.

use serde_json::{Value, json};

use super::{done, group, id, in_turn, notes, people};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User, new_key};
use crate::harness::upstream::{Gate, Reply, Upstream};

/// A server that has no key, a group of two with an assistant of OpenAI's in it, and what answers there.
struct House {
    app: TestApp,
    upstream: Upstream,
    ada: User,
    bob: User,
    room: String,
}

impl House {
    async fn open(flags: &[&str]) -> House {
        let upstream = Upstream::start().await;
        let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
        let app = TestApp::with(&[&[allow.as_str()], flags].concat()).await;
        let [ada, bob] = people(&app, ["ada", "bob"]).await;
        let room = group(&ada, &[&bob]).await;
        let input =
            json!({ "displayName": "Clio", "provider": "OPENAI", "model": "house-model", "visibility": "SHARED" });
        let clio = ada.mutate("createAssistant", input, "assistant { id }").await["assistant"]["id"].take();
        done(&ada, "addAssistants", json!({ "chatId": room, "assistantIds": [clio] })).await;
        House {
            app,
            upstream,
            ada,
            bob,
            room,
        }
    }

    async fn key(&self, of: &Client, secret: &str) {
        let input = json!({ "provider": "OPENAI", "secret": secret, "baseUrl": self.upstream.url(), "verify": false });
        done(of, "setApiKey", input).await;
    }

    async fn pays(&self, payer: &str) {
        done(&self.ada, "updateChat", json!({ "chatId": self.room, "payer": payer })).await;
    }

    fn question(&self) -> Value {
        json!({ "chatId": self.room, "content": "@Clio?", "idempotencyKey": new_key() })
    }

    /// What came of an answer, as somebody sees it.
    async fn answered(&self, asker: &Client, viewer: &Client) -> Value {
        let payload = asker.mutate("sendMessage", self.question(), "generation { id }").await;
        assert_eq!(payload["errors"], json!([]));
        let generation = id(&payload["generation"]["id"]);
        viewer
            .generation_events(&generation, None)
            .await
            .until("GenerationFinished")
            .await;
        let query = "query ($id: ID!) { generation(id: $id) { status keySource payer { username } askedBy { username } error { code message } } }";
        viewer.ok(query, json!({ "id": generation })).await["generation"].take()
    }

    /// With which key the last answer was paid for.
    fn paid_with(&self) -> String {
        let requests = self.upstream.requests();
        requests.last().expect("a request").headers["authorization"].clone()
    }
}

/// What somebody pays for, by who asked.
async fn report(client: &Client) -> Value {
    let query =
        "{ viewer { usage(groupBy: USER) { total { attempts } groups { user { username } sums { attempts } } } } }";
    client.ok(query, json!({})).await["viewer"]["usage"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_pays_unless_the_owner_does() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    house.key(ada, "sk-of-ada-0123456789").await;
    let missing = refused(bob, "sendMessage", house.question()).await;
    assert_eq!(
        (missing[0].0.as_str(), missing[0].2.as_str()),
        (
            "KEY_MISSING",
            "No API key configured. Please add your OpenAI API key in profile settings."
        )
    );
    house.pays("OWNER").await;
    let answer = house.answered(bob, bob).await;
    assert_eq!(
        answer,
        json!({ "status": "COMPLETED", "keySource": "USER", "payer": { "username": "ada" }, "askedBy": { "username": "bob" }, "error": null })
    );
    assert_eq!(house.paid_with(), "Bearer sk-of-ada-0123456789");
    assert_eq!(
        report(ada).await["groups"][0]["user"]["username"],
        "bob",
        "she sees who asked"
    );
    assert_eq!(report(bob).await["total"]["attempts"], 0, "he paid nothing");

    // What is foretold shows no key and no budget of hers.
    let budget = json!({ "limitUsd": "1", "period": "TOTAL" });
    done(ada, "setBudget", budget).await;
    let plan = "query ($id: ID!) { generationPlan(input: { chatId: $id, content: \"@Clio?\" }) { refusals { code } \
        lanes { keySource apiKeyId payer { username } budget { limitUsd } } } }";
    let plan = bob.ok(plan, json!({ "id": house.room })).await["generationPlan"].take();
    assert_eq!(
        plan,
        json!({ "refusals": [], "lanes": [{ "keySource": "USER", "apiKeyId": null, "payer": { "username": "ada" }, "budget": null }] })
    );

    // A refused key is hers to mend; the others learn that it did not work.
    house.upstream.script([Reply::error(
        401,
        "invalid_request_error",
        "invalid_api_key",
        "sk-of-ada",
    )]);
    let failed = house.answered(bob, bob).await;
    assert_eq!(
        failed["error"],
        json!({ "code": "KEY_INVALID", "message": "Whoever pays for this answer cannot pay for it now. Ask them, or ask again later." })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_without_a_key_and_a_new_owner_pay_nothing() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    house.pays("OWNER").await;
    let missing = refused(bob, "sendMessage", house.question()).await;
    assert_eq!(missing[0].0, "KEY_MISSING");
    assert_eq!(
        missing[0].2,
        "The owner of this group pays for its assistants and has no OpenAI API key for this one. Ask them to add one, or to let whoever asks pay."
    );
    // Where everything is answered, people can talk also without.
    done(
        ada,
        "updateChat",
        json!({ "chatId": house.room, "assistantReplies": "ALWAYS" }),
    )
    .await;
    super::say(bob, &house.room, "Good morning").await;
    house.key(ada, "sk-of-ada-0123456789").await;
    house.key(bob, "sk-of-bob-0123456789").await;
    done(
        ada,
        "setMemberRole",
        json!({ "chatId": house.room, "userId": bob.id, "role": "OWNER" }),
    )
    .await;
    let last = notes(ada, &house.room).await.last().expect("a note").clone();
    assert_eq!(last["system"]["details"], json!(["PAYER"]));
    assert_eq!(
        house.answered(ada, bob).await["payer"]["username"],
        "ada",
        "whoever asks pays again"
    );
    assert_eq!(house.paid_with(), "Bearer sk-of-ada-0123456789");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_gives_the_group_away_pays_for_nothing_that_is_stored_afterwards() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    house.key(ada, "sk-of-ada-0123456789").await;
    house.pays("OWNER").await;
    house.answered(bob, bob).await;
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
    let answer = bob.ok(query, json!({ "id": house.room })).await["chat"]["lastMessage"]["id"].take();
    let again = json!({ "messageId": answer, "idempotencyKey": new_key() });
    let give = json!({ "chatId": house.room, "userId": bob.id, "role": "OWNER" });
    let give = done(ada, "setMemberRole", give);
    let refusing = refused(bob, "regenerateMessage", again);
    let ((), refusal) = in_turn(&house.app, &house.room, give, refusing).await;
    assert_eq!(refusal[0].0, "KEY_MISSING", "he would pay");
    assert_eq!(house.upstream.requests().len(), 1, "only what was asked before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_budget_is_held_and_spent() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    let admin = house.app.admin("admin").await;
    let prices = json!({ "provider": "OPENAI", "model": "house-model", "prices": { "input": "1", "output": "10" } });
    done(&admin, "setModel", prices).await;
    house.key(ada, "sk-of-ada-0123456789").await;
    house.pays("OWNER").await;
    done(ada, "setBudget", json!({ "limitUsd": "1", "period": "TOTAL" })).await;
    house.answered(bob, bob).await;
    let budgets = "{ viewer { budgets { spentUsd reservedUsd } } }";
    let spent = ada.ok(budgets, json!({})).await["viewer"]["budgets"].take();
    assert_ne!(spent[0]["spentUsd"], "0", "{spent}");
    assert_eq!(bob.ok(budgets, json!({})).await["viewer"]["budgets"], json!([]));
    done(ada, "setBudget", json!({ "limitUsd": "0.000001", "period": "TOTAL" })).await;
    let refusal = refused(bob, "sendMessage", house.question()).await;
    assert_eq!(
        (refusal[0].0.as_str(), refusal[0].2.as_str()),
        (
            "BUDGET_EXCEEDED",
            "The owner of this group pays for its assistants, and their budget does not pay for this. Ask them to raise it, or to let whoever asks \
             pay."
        )
    );
    assert!(
        refused(ada, "sendMessage", house.question()).await[0]
            .2
            .contains("budget that you set"),
        "she is told more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_pays_where_the_group_says_so() {
    let servers = Upstream::start().await;
    let url = format!("--openai-base-url={}", servers.url());
    let house = House::open(&[&url, "--openai-api-key=sk-of-the-house-0123456789"]).await;
    house.key(&house.bob, "sk-of-bob-0123456789").await;
    assert_eq!(house.answered(&house.bob, &house.ada).await["keySource"], "USER");
    house.pays("SERVER").await;
    let answer = house.answered(&house.bob, &house.ada).await;
    assert_eq!(
        (&answer["keySource"], &answer["payer"]["username"]),
        (&json!("SERVER"), &json!("bob"))
    );
    assert_eq!(servers.requests().len(), 1);

    let house = House::open(&[]).await;
    house.pays("SERVER").await;
    let missing = refused(&house.bob, "sendMessage", house.question()).await;
    assert_eq!(
        missing[0].2,
        "This server pays for the assistants of this group and has no OpenAI API key for this one. Ask the owner to let whoever asks pay."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_written_is_paid_for_by_whom_it_was_begun_for() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    house.key(ada, "sk-of-ada-0123456789").await;
    house.pays("OWNER").await;
    let gate = Gate::new();
    let held = Reply::stream().word("Hel").hold(&gate).word("lo");
    house.upstream.script([held.finish("stop").usage(7, 2).done()]);
    let payload = bob.mutate("sendMessage", house.question(), "generation { id }").await;
    let generation = id(&payload["generation"]["id"]);
    house.upstream.asked(1).await;
    done(ada, "leaveChat", json!({ "chatId": house.room })).await;
    gate.open();
    let finished = bob
        .generation_events(&generation, None)
        .await
        .until("GenerationFinished")
        .await;
    assert_eq!(
        (&finished["generation"]["status"], &finished["generation"]["text"]),
        (&json!("COMPLETED"), &json!("Hello"))
    );
    let query = "query ($id: ID!) { generation(id: $id) { payer { username } } }";
    assert_eq!(
        bob.ok(query, json!({ "id": generation })).await["generation"]["payer"]["username"],
        "ada"
    );
    assert_eq!(
        ada.ok(query, json!({ "id": generation })).await["generation"],
        Value::Null,
        "who pays and is gone sees nothing of it"
    );
    assert_eq!(report(ada).await["total"]["attempts"], 1);
    let query = "query ($id: ID!) { chat(id: $id) { payer } }";
    assert_eq!(
        bob.ok(query, json!({ "id": house.room })).await["chat"]["payer"],
        "ASKER"
    );
    assert_eq!(
        refused(bob, "sendMessage", house.question()).await[0].0,
        "KEY_MISSING",
        "he pays now"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_outlives_the_leave_of_whoever_asked() {
    let house = House::open(&[]).await;
    let (ada, bob) = (&house.ada, &house.bob);
    house.key(bob, "sk-of-bob-0123456789").await;
    let gate = Gate::new();
    let held = Reply::stream().word("Hel").hold(&gate).word("lo");
    house.upstream.script([held.finish("stop").usage(7, 2).done()]);
    let payload = bob.mutate("sendMessage", house.question(), "generation { id }").await;
    let generation = id(&payload["generation"]["id"]);
    house.upstream.asked(1).await;
    done(bob, "leaveChat", json!({ "chatId": house.room })).await;
    assert_eq!(
        refused(bob, "stopGeneration", json!({ "generationId": generation })).await[0].0,
        "NOT_FOUND"
    );
    gate.open();
    let finished = ada
        .generation_events(&generation, None)
        .await
        .until("GenerationFinished")
        .await;
    assert_eq!(
        finished["generation"]["text"], "Hello",
        "the others asked for no end of it"
    );
}
