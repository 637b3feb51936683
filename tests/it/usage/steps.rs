//! Several attempts on one tab, questions in the background, and attempts that everybody forgot.

use diesel_async::AsyncConnection;
use parlor::ai::{Endpoint, FailureKind, Provider, Request, Turn, Usage};
use parlor::id::UserId;
use parlor::usage::aside::{self, Aside, open_next, settle_now};
use parlor::usage::tab::Tab;
use parlor::usage::terms::{Asker, AttemptOutcome, CostState, KeySource, Purpose, Terms};
use parlor::usage::{ledger, recover};
use serde_json::json;

use super::{House, budgets};
use crate::harness::app::User;

fn asker(user: &User, purpose: Purpose) -> Asker {
    Asker {
        user_id: UserId::from(user.id.as_str()),
        payer_id: UserId::from(user.id.as_str()),
        chat_id: None,
        generation_id: None,
        purpose,
    }
}

fn terms(house: &House) -> Terms {
    let models = house.app.app.models();
    Terms::new(models, Provider::OpenAi, "house-model", KeySource::Server, None)
}

fn told(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        ..Usage::default()
    }
}

async fn opened(house: &House, tab: &Tab) {
    let mut connection = house.app.app.connection().await.expect("a connection");
    let opened = connection
        .transaction(async |connection| ledger::open(connection, tab).await)
        .await;
    opened.expect("enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_holds_its_own_part_and_their_sum_is_the_answers() {
    let house = House::priced(Some(1_000)).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "0.05").await;
    let tab = Tab::new(terms(&house));
    tab.ask(asker(&ada, Purpose::Answer), 100);
    opened(&house, &tab).await;
    assert_eq!(budgets(&ada).await[0]["reservedUsd"], "0.0101");
    tab.accepted(Some("req-1"));
    tab.told(&told(120, 50));
    tab.ended(AttemptOutcome::Completed, None);
    settle_now(&house.app.app, &tab).await.expect("settled");
    settle_now(&house.app.app, &tab).await.expect("nothing more");
    let budget = budgets(&ada).await[0].take();
    assert_eq!(
        (&budget["spentUsd"], &budget["reservedUsd"]),
        (&json!("0.00062"), &json!("0"))
    );

    // The next step reads more, and the one after it is not worth beginning any more.
    open_next(&house.app.app, &tab, terms(&house), 300)
        .await
        .expect("enough");
    assert_eq!(budgets(&ada).await[0]["reservedUsd"], "0.0103");
    tab.accepted(None);
    tab.told(&told(300, 1_000));
    tab.ended(AttemptOutcome::Completed, None);
    settle_now(&house.app.app, &tab).await.expect("settled");
    let refused = open_next(&house.app.app, &tab, terms(&house), 40_000).await;
    let refused = refused.expect_err("too much").to_string();
    assert!(
        refused.starts_with("Your budget for this server's keys is used up"),
        "{refused}"
    );

    let figures = tab.figures();
    assert_eq!((figures.tokens.input, figures.tokens.output), (420, 1_050));
    assert_eq!(
        (figures.cost, figures.state),
        (Some(620 + 10_300), Some(CostState::Reported))
    );
    let budget = budgets(&ada).await[0].take();
    assert_eq!(
        (&budget["spentUsd"], &budget["reservedUsd"]),
        (&json!("0.01092"), &json!("0"))
    );
    let rows = house.rows().await;
    assert_eq!(rows.len(), 2, "what was refused left no row: {rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_says_it_cost_is_what_it_cost() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let tab = Tab::new(terms(&house));
    tab.ask(asker(&ada, Purpose::Answer), 10);
    opened(&house, &tab).await;
    tab.accepted(None);
    tab.told(&Usage {
        cost_micro_usd: Some(4_321),
        ..told(10, 10)
    });
    tab.ended(AttemptOutcome::Completed, None);
    let figures = tab.figures();
    assert_eq!(
        (figures.cost, figures.price_version.as_deref()),
        (Some(4_321), Some("provider")),
        "also where nobody else knows a price"
    );
    settle_now(&house.app.app, &tab).await.expect("settled");
    assert_eq!(house.rows().await, ["COMPLETED - 10/10 cost 4321 REPORTED held 0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_in_the_background_is_paid_for_too() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let ask = async || {
        let endpoint = Endpoint {
            provider: Provider::OpenAi,
            base_url: Some(house.upstream.url()),
            secret: Some("sk-of-the-house".into()),
            ..Endpoint::scripted()
        };
        let request = Request {
            model: "house-model".into(),
            turns: vec![Turn::user("What is this about?")],
            ..Request::default()
        };
        let aside = Aside {
            asker: asker(&ada, Purpose::Title),
            tab: Tab::new(terms(&house)),
            endpoint,
            request,
        };
        aside::ask(&house.app.app, aside).await.expect("Postgres")
    };
    assert_eq!(ask().await.expect("an answer"), "Hello, world");
    house.allow(&ada, "0.001").await;
    let refused = ask().await.expect_err("no money");
    assert_eq!(refused.kind, FailureKind::BudgetExceeded);
    let query = "{ viewer { usage { total { attempts costUsd } } } }";
    let total = ada.ok(query, json!({})).await["viewer"]["usage"]["total"].take();
    assert_eq!(total, json!({ "attempts": 1, "costUsd": "0.000037" }));
    let sql = house.app.sql().await;
    let row = sql.query_one("SELECT purpose FROM attempts", &[]).await.expect("a row");
    assert_eq!(row.get::<_, String>(0), "TITLE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_everybody_forgot_gives_back_what_it_held() {
    let house = House::priced(Some(100)).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "0.01").await;
    let (old, new) = (Tab::new(terms(&house)), Tab::new(terms(&house)));
    for tab in [&old, &new] {
        tab.ask(asker(&ada, Purpose::Summary), 10);
        opened(&house, tab).await;
    }
    let sql = house.app.sql().await;
    let age = "UPDATE attempts SET started_at = now() - interval '3 hours' WHERE id = (SELECT min(id::text)::uuid FROM attempts)";
    assert_eq!(sql.execute(age, &[]).await.expect("a row"), 1);
    let mut connection = house.app.app.connection().await.expect("a connection");
    let swept = recover::sweep(&mut connection, house.app.app.models())
        .await
        .expect("swept");
    assert_eq!(swept, 1);
    assert_eq!(
        house.rows().await,
        [
            "INTERRUPTED INTERRUPTED 0/0 cost 0 ESTIMATED held 1010",
            "OPEN - 10/0 cost 10 ESTIMATED held 1010",
        ]
    );
    assert_eq!(budgets(&ada).await[0]["reservedUsd"], "0.00101");
}
