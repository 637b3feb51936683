//! The sweep of what disappears: it gets everywhere, comes again only where there is something, and is stopped by nothing.

use parlor::chat::lifetime::sweep;
use serde_json::{Value, json};

use super::count;
use crate::harness::app::{TestApp, User, uuid};
use crate::rooms::done;
use crate::titles::{answered, title};

const QUICK: &str = "scripted:words=1,first=0,delay=0";

const CALM: &[&str] = &["--requests-per-minute=0", "--messages-per-minute=0"];

async fn calm() -> (TestApp, User) {
    let app = TestApp::with(CALM).await;
    let ada = app.user("ada").await;
    (app, ada)
}

/// The same where nobody sweeps but the test.
async fn unswept() -> (TestApp, User) {
    let app = TestApp::unattended(CALM).await;
    let ada = app.user("ada").await;
    (app, ada)
}

/// Puts something into each chat that is too old for it by now, and has them be looked at in their order.
async fn too_old(app: &TestApp, ada: &User) {
    let old = format!(
        "INSERT INTO messages (id, chat_id, sequence, role, author_id, content, created_at) \
           SELECT gen_random_uuid(), id, 1, 'USER', '{}', 'Hello', now() - interval '1 hour' FROM chats; \
         UPDATE chats SET last_sequence = 1; \
         INSERT INTO chat_lifetimes (chat_id, seconds, due_at) SELECT id, 60, now() - interval '1 hour' + row_number() OVER (ORDER BY id) * interval '1 second' FROM chats",
        uuid(&ada.id)
    );
    app.sql().await.batch_execute(&old).await.expect("rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_look_gets_everywhere_and_an_empty_chat_is_left_alone() {
    let (app, ada) = unswept().await;
    let mut chats = Vec::new();
    for _ in 0..130 {
        chats.push(ada.chat(QUICK).await);
    }
    too_old(&app, &ada).await;
    sweep::due(&app.app).await.expect("swept");
    assert_eq!(count(&app, "SELECT count(*) FROM messages").await, 0);
    let waiting = "SELECT count(*) FROM chat_lifetimes WHERE due_at IS NOT NULL";
    assert_eq!(count(&app, waiting).await, 0, "nothing is left to look at");
    // What is said is looked at when it is too old.
    answered(&ada, &chats[7], "Hello").await;
    let soon = format!("{waiting} AND chat_id = '{}' AND due_at > now()", uuid(&chats[7]));
    assert_eq!((count(&app, waiting).await, count(&app, &soon).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_in_one_chat_stops_no_other() {
    let (app, ada) = unswept().await;
    let (first, second) = (ada.chat(QUICK).await, ada.chat(QUICK).await);
    too_old(&app, &ada).await;
    let stuck = format!(
        "CREATE OR REPLACE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stuck'; END $$; \
         CREATE OR REPLACE TRIGGER stuck BEFORE DELETE ON messages FOR EACH ROW WHEN (OLD.chat_id = '{}') EXECUTE FUNCTION stuck(); \
         UPDATE chat_lifetimes SET due_at = now() - interval '2 hours' WHERE chat_id = '{}'",
        uuid(&first),
        uuid(&first)
    );
    app.sql().await.batch_execute(&stuck).await.expect("a trigger");
    sweep::due(&app.app).await.expect("swept");
    let left = |chat: &str| format!("SELECT count(*) FROM messages WHERE chat_id = '{}'", uuid(chat));
    assert_eq!(
        (count(&app, &left(&first)).await, count(&app, &left(&second)).await),
        (1, 0)
    );
    let later = "SELECT count(*) FROM chat_lifetimes WHERE due_at > now()";
    assert_eq!(count(&app, later).await, 1, "and it is tried again later");
    let freed = "DROP FUNCTION stuck() CASCADE";
    app.sql().await.batch_execute(freed).await.expect("no trigger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_tells_nothing_of_what_has_disappeared() {
    let (app, ada) = calm().await;
    let chats = [ada.chat(QUICK).await, ada.chat(QUICK).await];
    for chat in &chats {
        answered(&ada, chat, "Swordfish is the password.").await;
        answered(&ada, chat, "Good morning.").await;
        done(
            &ada,
            "updateChat",
            json!({ "chatId": chat, "messageLifetimeSeconds": 3600 }),
        )
        .await;
    }
    done(&ada, "updateChat", json!({ "chatId": chats[1], "title": "My own" })).await;
    assert_eq!(title(&ada, &chats[0]).await.0, "Swordfish is the password");
    for (through, left) in [(2, json!(["Good morning", "HEURISTIC"])), (4, json!([null, null]))] {
        let age = format!(
            "UPDATE messages SET created_at = created_at - interval '2 hours' WHERE sequence <= {through}; UPDATE chat_lifetimes SET due_at = now()"
        );
        app.sql().await.batch_execute(&age).await.expect("rows");
        sweep::due(&app.app).await.expect("swept");
        let (words, source): (Value, Value) = title(&ada, &chats[0]).await;
        assert_eq!(json!([words, source]), left);
        assert_eq!(title(&ada, &chats[1]).await, (json!("My own"), json!("USER")));
    }
}
