//! The server is killed and started again while people come, go and talk at random: each holds what is true for them.

use super::law::{Rooms, end, ended, is};
use super::people;
use crate::harness::app::{TestApp, User};
use crate::harness::dice::Dice;
use crate::harness::law::Device;
use crate::harness::process::Outages;

/// Two devices of each of three people, and as many kills.
async fn obeyed(seed: u64) {
    println!("seed {seed}");
    let app = TestApp::start().await;
    let database = format!("--database-url={}", app.database_url());
    let mut server = Outages::start(&[
        &database,
        "--data-dir=/nonexistent",
        "--requests-per-minute=0",
        "--messages-per-minute=0",
    ])
    .await;
    let mut people: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    for person in &mut people {
        person.client = server.client().with_token(person.token.as_deref().expect("a token"));
    }
    let mut rooms = Rooms::with_assistant(&people[0]).await;
    let mut dice = Dice::new(seed);
    for _ in 0..10 {
        rooms.act(&people, &mut dice).await;
    }
    let mut devices = Vec::new();
    for (index, person) in (1..).zip(people.iter().chain(&people)) {
        let mut device = Device::open(person.client.clone(), seed ^ index).await;
        device.outages = true;
        devices.push(device);
    }
    let acting = async {
        for deed in 0..120 {
            if deed % 40 == 20 {
                server.strike().await;
            }
            rooms.act(&people, &mut dice).await;
        }
        for answer in &rooms.answers {
            ended(&people, answer).await;
        }
        end(&people, "the end").await;
    };
    let following = devices.iter_mut().map(|device| device.follow(is("the end")));
    tokio::join!(acting, futures_util::future::join_all(following));
    // What they were handed until here is stored and told before the server ends.
    server.restart().await;
    end(&people, "the very end").await;
    let following = devices.iter_mut().map(|device| device.follow(is("the very end")));
    futures_util::future::join_all(following).await;
    for device in &mut devices {
        device.obeys().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_hold_what_is_true_through_kills_1() {
    obeyed(21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_hold_what_is_true_through_kills_2() {
    obeyed(22).await;
}
