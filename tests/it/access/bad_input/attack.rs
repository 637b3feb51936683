//! All that is bad, tried in one mutation, and what is stored before and after.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{judge, run};
use super::shape::{Place, Shape, input_of};
use super::stored::Store;
use super::values::{self, Bad};
use crate::access::Outcome;
use crate::access::house::{House, Things};
use crate::access::table::Row;
use crate::harness::app::{Client, new_key};

/// Something that nobody should send, and where.
pub(super) struct Trial {
    place: Place,
    bad: Bad,
}

/// All that is bad, tried in one mutation.
pub(super) struct Attack<'a> {
    house: &'a House,
    shape: &'a Shape,
    store: &'a Store,
    row: &'a Row,
    client: &'a Client,
    name: &'a str,
    kind: &'a str,
    things: Things,
    /// An input that is right.
    good: Value,
    /// What is wrong.
    pub(super) wrong: Vec<String>,
    /// How much was tried.
    pub(super) tried: usize,
}

impl<'a> Attack<'a> {
    pub(super) async fn on(house: &'a House, shape: &'a Shape, store: &'a Store, row: &'a Row) -> Attack<'a> {
        let mut mutations = shape.mutations.iter();
        let (name, kind) = mutations.find(|(name, _)| name == row.field).expect("a mutation");
        let client = match row.owner {
            Outcome::Forbidden => &house.admin.client,
            _ => &house.owner.client,
        };
        let mut attack = Attack {
            house,
            shape,
            store,
            row,
            client,
            name,
            kind,
            things: house.furnish(row).await,
            good: Value::Null,
            wrong: Vec::new(),
            tried: 0,
        };
        attack.write().await;
        attack
    }

    /// Begins anew with something that nobody has touched.
    async fn begin_anew(&mut self) {
        // Other inputs name nothing that could have been touched.
        if self.row.call.contains("Id: ") {
            self.things = self.house.furnish(self.row).await;
        }
        self.write().await;
    }

    /// Writes an input that is right.
    async fn write(&mut self) {
        let token = &self.house.bystander.refresh_token;
        self.good = input_of(&self.things.written(self.row.call, "bad", token));
        if self.name == "register" {
            // Whatever was taken before has taken the name, too.
            let name = format!("bad-{}", new_key());
            self.good["email"] = json!(format!("{name}@example.com"));
            self.good["username"] = json!(name);
        }
        self.settle().await;
    }

    /// Waits until no answer is being written any more.
    async fn settle(&self) {
        self.house.app.app.engine().drain(Duration::MAX).await;
    }

    /// All that there is to try: first what is refused wherever it stands, then what may mean something here or there.
    pub(super) fn trials(&self) -> (Vec<Trial>, Vec<Trial>) {
        let other_kind = match self.house.stranger.id.as_str() {
            user if self.row.call.contains("userId") => user.replace("user_", "chat_"),
            user => user.to_owned(),
        };
        let places = self.shape.places(self.kind).into_iter().flat_map(|place| {
            let there = place.path.iter().fold(&self.good, |value, name| match value {
                Value::Array(elements) => elements.first().map_or(&Value::Null, |element| &element[name]),
                value => &value[name],
            });
            let values = values::at(self.shape, &place, there, &other_kind).into_iter();
            values.map(move |bad| Trial {
                place: place.clone(),
                bad,
            })
        });
        places.partition(|trial| trial.bad.always)
    }

    /// Tries something; gives whether it is refused.
    async fn attempt(&mut self, trial: &Trial) -> bool {
        self.tried += 1;
        let Trial { place, bad } = trial;
        let mut input = self.shape.with(self.kind, &self.good, &place.path, &bad.value);
        if place.name() != "idempotencyKey" && input.get("idempotencyKey").is_some() {
            input["idempotencyKey"] = json!(new_key());
        }
        let (status, answer) = run(self.client, self.name, self.kind, &input).await;
        let (is_refused, why) = judge(self.shape, self.name, self.kind, status, &answer);
        if let Some(why) = why {
            let answer: String = answer.to_string().chars().take(300).collect();
            self.blame(trial, &format!("gets {why}: {answer}"));
        }
        is_refused
    }

    fn blame(&mut self, trial: &Trial, fault: &str) {
        let at = trial.place.path.join(".");
        self.wrong
            .push(format!("{}({at}: {}) {fault}", self.name, trial.bad.what));
    }

    /// Tries what is refused wherever it stands: all of it together changes nothing.
    pub(super) async fn refused_always(&mut self, trials: &[Trial]) {
        let before = self.store.look().await;
        for trial in trials {
            if !self.attempt(trial).await {
                self.blame(trial, "is taken");
            }
        }
        if self.store.look().await != before {
            self.settle().await;
            self.one_by_one(trials, "all that is refused").await;
        }
    }

    /// Tries again, to tell which of them it is.
    async fn one_by_one(&mut self, trials: &[Trial], what: &str) {
        let faults = self.wrong.len();
        for trial in trials {
            let before = self.store.look().await;
            if self.attempt(trial).await {
                self.changes_nothing(trial, &before).await;
            }
        }
        if self.wrong.len() == faults {
            self.wrong
                .push(format!("{} changes something by {what} together", self.name));
        }
    }

    async fn changes_nothing(&mut self, trial: &Trial, before: &[(i64, i64)]) {
        let after = self.store.look().await;
        let changed = self.store.changed(before, &after);
        if !changed.is_empty() {
            self.blame(trial, &format!("is refused, and changes {changed:?}"));
        }
    }

    /// Tries what may mean something.
    pub(super) async fn odd(&mut self, trials: &[Trial]) {
        let mut before = self.store.look().await;
        for of_a_place in trials.chunk_by(|one, other| one.place.path == other.place.path) {
            let mut was_taken = false;
            for trial in of_a_place {
                if self.attempt(trial).await {
                    self.changes_nothing(trial, &before).await;
                } else {
                    was_taken = true;
                    self.settle().await;
                    before = self.store.look().await;
                }
            }
            if was_taken {
                // It may have changed what the others are about.
                self.begin_anew().await;
                before = self.store.look().await;
            }
        }
    }

    /// Otherwise all of this was refused for another reason. Who is asked for the password has come as far as that.
    pub(super) async fn was_right(&mut self) {
        let (status, answer) = run(self.client, self.name, self.kind, &self.good).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        let code = code.or(answer["data"][self.name]["errors"][0]["code"].as_str());
        if status != 200 || !matches!(code, None | Some("WRONG_CREDENTIALS" | "RATE_LIMITED")) {
            let fault = format!("{}: {} is not right any more: {answer}", self.name, self.good);
            self.wrong.push(fault);
        }
    }
}
