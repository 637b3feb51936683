//! Two devices change an address book at random, over connections that break, and hold what is true in the end.

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User};
use crate::harness::dice::Dice;
use crate::harness::law::Device;

/// Makes a webhook, or changes or deletes one of those there are.
async fn hook(client: &Client, dice: &mut Dice) {
    let known = client.ok("{ viewer { webhooks { id } } }", json!({})).await;
    let known = known["viewer"]["webhooks"].as_array().expect("webhooks").clone();
    // Some are gone by the time: that is an action, too.
    match (dice.below(4), dice.pick(&known)) {
        (0, Some(hook)) => {
            client
                .mutate("deleteWebhook", json!({ "webhookId": hook["id"] }), "")
                .await;
        }
        (1 | 2, Some(hook)) => {
            let input = json!({ "webhookId": hook["id"], "description": format!("service {}", dice.below(100)), "enabled": dice.below(2) == 0 });
            client.mutate("updateWebhook", input, "").await;
        }
        _ => {
            let input = json!({ "url": "https://hooks.example.com/", "events": ["MESSAGE_CREATED"] });
            client.mutate("createWebhook", input, "").await;
        }
    }
}

async fn meddle(client: &Client, others: &[User], dice: &mut Dice) {
    if dice.below(5) == 0 {
        return hook(client, dice).await;
    }
    let mutation = dice.pick(&["addContact", "addContact", "removeContact", "blockUser", "unblockUser"]);
    let (Some(mutation), Some(other)) = (mutation, dice.pick(others)) else {
        return;
    };
    // Some are refused, because the person is blocked: that is an action, too.
    client.mutate(mutation, json!({ "userId": other.id }), "").await;
}

async fn obeyed(seed: u64) {
    let app = TestApp::start().await;
    let laptop = app.user("ada").await;
    let phone = laptop.second_device("ada").await;
    let mut others = Vec::new();
    for name in ["bob", "cyd", "dan", "eve"] {
        others.push(app.user(name).await);
    }
    let mut dice = Dice::new(seed);
    for _ in 0..6 {
        meddle(&laptop, &others, &mut dice).await;
    }
    let mut devices = [
        Device::open(laptop.client.clone(), seed ^ 1).await,
        Device::open(phone.clone(), seed ^ 2).await,
    ];
    let acting = async {
        for _ in 0..60 {
            // Both at once, now and then, and the others do the same to them.
            let mut second = Dice::new(dice.below(usize::MAX) as u64);
            let back = async {
                if let Some(other) = second.pick(&others) {
                    let mutation = if second.below(2) == 0 {
                        "blockUser"
                    } else {
                        "addContact"
                    };
                    other.mutate(mutation, json!({ "userId": laptop.id }), "").await;
                }
                meddle(&phone, &others, &mut second).await;
            };
            tokio::join!(meddle(&laptop, &others, &mut dice), back);
        }
        laptop.mutate("createChat", json!({ "title": "the end" }), "").await;
    };
    let the_end = |event: &Value| event["chat"]["title"] == "the end";
    let [one, other] = &mut devices;
    tokio::join!(acting, one.follow(the_end), other.follow(the_end));
    for device in &mut devices {
        let changes = device
            .seen
            .iter()
            .filter(|event| event["__typename"] == "ContactChanged");
        assert!(changes.count() > 30);
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
    an_address_book_and_its_events_are_a_fresh_read_1: 1,
    an_address_book_and_its_events_are_a_fresh_read_2: 2,
    an_address_book_and_its_events_are_a_fresh_read_3: 3
);
