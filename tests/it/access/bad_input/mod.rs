//! Bad input of every mutation: each place in its input in turn is given what nobody should send, and the answer is an error
//! with a code and a path, that changes nothing.
//!
//! The inputs that are right are those of the access table, the places come from the schema: a new mutation or a new field of
//! an input is tried without a word here.

mod answer;
mod attack;
mod shape;
mod stored;
mod values;

use self::attack::Attack;
use self::shape::Shape;
use self::stored::Store;
use super::Kind;
use super::house::House;
use super::table::{Row, TABLE};

/// The mutations are shared out among as many tests, which run beside each other.
async fn attack_all(share: usize) {
    let house = House::unattended().await;
    let shape = Shape::read();
    let store = Store::of(&house.app).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let rows: Vec<&Row> = TABLE.iter().filter(|row| row.kind == Kind::Mutation).collect();
    // In one piece: some rows are about what those before them have made.
    for row in rows.chunks(rows.len().div_ceil(SHARES)).nth(share).expect("a share") {
        let mut attack = Attack::on(&house, &shape, &store, row).await;
        let (refused, odd) = attack.trials();
        attack.refused_always(&refused).await;
        attack.odd(&odd).await;
        attack.was_right().await;
        wrong.extend(attack.wrong);
        tried += attack.tried;
    }
    assert!(tried > 300, "the search works: {tried}");
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

const SHARES: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_value_is_refused_and_changes_nothing() {
    attack_all(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_value_is_refused_and_changes_nothing_in_the_other_half() {
    attack_all(1).await;
}
