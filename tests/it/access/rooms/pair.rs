//! Who may do what in a direct chat whose one person blocks the other.

use serde_json::json;

use super::party::clio;
use super::seen;
use super::table::{Leaves, TABLE};
use crate::access::Outcome::Allowed;
use crate::access::ask;
use crate::harness::app::{TestApp, User, new_key};
use crate::rooms::{direct, done, say};

/// Two people who have talked, until one of them blocked the other.
struct Pair {
    blocked: User,
    blocker: User,
    chat: String,
    /// What the one who blocks has said before.
    said: String,
    /// What the one who is blocked has.
    own: String,
    /// What the one who blocks has scheduled.
    scheduled: String,
}

impl Pair {
    async fn of(app: &TestApp, number: usize) -> Pair {
        let (blocked, blocker) = (
            app.user(&format!("blocked{number}")).await,
            app.user(&format!("blocker{number}")).await,
        );
        let chat = direct(&blocked, &blocker).await;
        let own = say(&blocked, &chat, "Me, too").await;
        let said = say(&blocker, &chat, "Anybody there?").await;
        let later = json!({ "chatId": chat, "content": "Later", "rule": "0 9 * * *", "idempotencyKey": new_key() });
        let later = blocker
            .mutate("scheduleMessage", later, "scheduledMessage { id }")
            .await;
        done(&blocker, "blockUser", json!({ "userId": blocked.id })).await;
        Pair {
            scheduled: later["scheduledMessage"]["id"].as_str().expect("an id").to_owned(),
            blocked,
            blocker,
            chat,
            said,
            own,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_of_a_block_get_what_the_table_says() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let (stranger, admin) = (app.user("stranger").await, app.admin("admin").await);
    let assistant = clio(&admin).await;
    let (mut kept, mut number, mut wrong) = (None, 0, Vec::new());
    for (kind, field, call, leaves, outside, pair) in TABLE {
        let Some([blocked, blocker]) = pair else { continue };
        for (who, expected) in [
            ("blocked", *blocked),
            ("blocker", *blocker),
            ("stranger", outside[1]),
            ("admin", outside[7]),
        ] {
            number += 1;
            let pair = match kept.take() {
                Some(pair) => pair,
                None => Pair::of(&app, number).await,
            };
            let (client, own) = match who {
                "blocked" => (&pair.blocked.client, &pair.own),
                "blocker" => (&pair.blocker.client, &pair.said),
                "stranger" => (&stranger.client, &pair.said),
                _ => (&admin.client, &pair.said),
            };
            let mut document = (*call).to_owned();
            for (name, value) in [
                ("<group>", pair.chat.as_str()),
                ("<said>", &pair.said),
                ("<own>", own),
                ("<scheduled>", &pair.scheduled),
                ("<assistant>", &assistant),
                ("<other>", &assistant),
                ("<bystander>", &pair.blocker.id),
                ("<newcomer>", &stranger.id),
                ("<who>", who),
                ("<key>", &new_key()),
            ] {
                document = document.replace(name, value);
            }
            let answer = ask(client, *kind, &document).await;
            let got = seen(field, &answer);
            if got != expected {
                wrong.push(format!(
                    "{who} gets {got:?} instead of {expected:?}: {document}\n{answer}"
                ));
            }
            let changed = got == Allowed && *leaves == Leaves::Changed;
            kept = (!changed).then_some(pair);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
