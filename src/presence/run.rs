//! What runs beside the requests: writing down who is here, sending and hearing news, and telling those whom they
//! concern.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use diesel_async::RunQueryDsl;
use diesel_async::pooled_connection::deadpool::Object;
use futures_util::StreamExt;
use serde_json::json;
use uuid::Uuid;

use super::wire::{self, Item};
use super::{Presences, circle, lease, lock, seen, typing};
use crate::account::presence::Presence;
use crate::app::App;
use crate::error::{Error, Result};
use crate::event::{Circle, Subject};
use crate::id::{ChatId, GenerationId, MessageId, UserId};

/// Somebody came, went, or is away.
pub const PRESENCE: &str = "presence";
/// Somebody types, or does no more.
pub const TYPING: &str = "typing";
/// What an assistant does.
pub const ACTIVITY: &str = "activity";

/// How often it is looked whose grace is over, and who types no more.
const EVERY: Duration = Duration::from_millis(500);
/// How long news are collected before they are told together.
const COLLECT: Duration = Duration::from_millis(25);
/// The most people who are looked at in one turn; the others wait for the next.
const MOST_PEOPLE: usize = 500;
/// How long until the channel is opened again when its connection is lost.
const REOPEN: Duration = Duration::from_secs(1);
/// How long at most it goes unnoticed that the connection is lost.
const UNNOTICED: Duration = Duration::from_secs(30);

impl Presences {
    /// Does it until the server stops, and says then that whoever is left here is gone.
    pub async fn run(self, app: App) {
        while let Err(error) = self.renew(&app).await {
            tracing::warn!(%error, "cannot take a lease for this server");
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = app.stopped().cancelled() => return,
            }
        }
        tokio::join!(self.renew_on(&app), self.keep(&app), self.hear(&app));
        if let Err(error) = self.leave(&app).await {
            tracing::warn!(%error, "cannot say who was here; their lease will run out");
        }
    }

    /// Keeps the lease by itself: however much there is to tell, this server is alive.
    async fn renew_on(&self, app: &App) {
        let mut wait = lease::RENEW_EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = app.stopped().cancelled() => return,
            }
            wait = match self.renew(app).await {
                Ok(()) => lease::RENEW_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "cannot renew the lease of this server");
                    EVERY
                }
            };
        }
    }

    async fn keep(&self, app: &App) {
        loop {
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = app.stopped().cancelled() => break,
            }
            tokio::time::sleep(COLLECT).await;
            if let Err(error) = self.turn(app).await {
                tracing::warn!(%error, "cannot tell who is here");
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = app.stopped().cancelled() => break,
                }
            }
        }
    }

    async fn turn(&self, app: &App) -> Result<()> {
        let now = Instant::now();
        for (chat_id, user_id) in lock(&self.inner.typists).over(now) {
            // Every server sees this by itself.
            lock(&self.inner.incoming).add(Item::Typing(chat_id, user_id, false));
        }
        let changes = lock(&self.inner.here).settle(now, MOST_PEOPLE);
        if !changes.is_empty() {
            let stored =
                async { Ok(lease::store(&mut *app.upkeep_connection().await?, self.inner.node, &changes).await?) };
            if let Err(error) = stored.await {
                lock(&self.inner.here).unsettle(&changes);
                return Err(error);
            }
            let mut outgoing = lock(&self.inner.outgoing);
            changes.people().for_each(|user_id| outgoing.add(Item::Person(user_id)));
        }
        let out = lock(&self.inner.outgoing).take();
        if !out.is_empty() && !AtomicBool::load(&self.inner.alone, Ordering::SeqCst) {
            let sent = async { wire::send(&mut *app.upkeep_connection().await?, self.inner.node, &out).await };
            if let Err(error) = sent.await {
                let mut outgoing = lock(&self.inner.outgoing);
                out.into_iter().for_each(|item| outgoing.add(item));
                return Err(error);
            }
        }
        let mut items = lock(&self.inner.incoming).take();
        items.extend(out);
        let told = self.tell(app, &items).await;
        if told.is_err() {
            // Nobody says again that somebody came or went.
            let mut incoming = lock(&self.inner.incoming);
            let lasting = items.into_iter().filter(Item::lasts);
            lasting.for_each(|item| incoming.add(item));
        }
        told
    }

    async fn renew(&self, app: &App) -> Result<()> {
        let mut connection = app.upkeep_connection().await?;
        let hellos = AtomicU64::load(&self.inner.hellos, Ordering::SeqCst);
        let is_new = lease::renew(&mut connection, self.inner.node).await?;
        if is_new {
            lock(&self.inner.here).forget_stored();
            wire::send(&mut connection, self.inner.node, &[Item::Server(self.inner.node)]).await?;
        }
        // Where all leases were lost at once, the others are alive and have not said so yet.
        let alone = !is_new && lease::is_alone(&mut connection, self.inner.node).await?;
        self.inner.alone.store(alone, Ordering::SeqCst);
        if AtomicU64::load(&self.inner.hellos, Ordering::SeqCst) != hellos {
            // One came meanwhile, and may not have been there when it was looked.
            self.inner.alone.store(false, Ordering::SeqCst);
        }
        let gone = lease::bury(&mut connection).await?;
        if !gone.is_empty() {
            tracing::warn!(people = gone.len(), "a server is gone without a word");
        }
        let mut outgoing = lock(&self.inner.outgoing);
        gone.into_iter().for_each(|user_id| outgoing.add(Item::Person(user_id)));
        Ok(())
    }

    async fn leave(&self, app: &App) -> Result<()> {
        let mut connection = app.upkeep_connection().await?;
        let gone = lease::give_up(&mut connection, self.inner.node).await?;
        let gone: Vec<Item> = gone.into_iter().map(Item::Person).collect();
        wire::send(&mut connection, self.inner.node, &gone).await
    }

    /// Hears the other servers.
    async fn hear(&self, app: &App) {
        let mut deaf_since: Option<Instant> = None;
        loop {
            let lost = tokio::select! {
                lost = self.hear_on(app, &mut deaf_since) => lost,
                () = app.stopped().cancelled() => return,
            };
            deaf_since.get_or_insert_with(Instant::now);
            if let Err(error) = lost {
                tracing::warn!(%error, "cannot hear the other servers");
            }
            tokio::select! {
                () = tokio::time::sleep(REOPEN) => {}
                () = app.stopped().cancelled() => return,
            }
        }
    }

    /// Hears them over one connection, which is taken out of its pool: it is never given back.
    async fn hear_on(&self, app: &App, deaf_since: &mut Option<Instant>) -> Result<()> {
        let mut connection = Object::take(app.upkeep_connection().await?);
        diesel::sql_query(format!("LISTEN {}", wire::CHANNEL))
            .execute(&mut connection)
            .await?;
        if let Some(since) = deaf_since {
            // What the others said meanwhile is said to nobody again.
            let missed = seen::changed(&mut connection, since.elapsed() + UNNOTICED).await?;
            let mut incoming = lock(&self.inner.incoming);
            missed
                .into_iter()
                .for_each(|user_id| incoming.add(Item::Person(user_id)));
            drop(incoming);
            self.inner.wake.notify_one();
            *deaf_since = None;
        }
        let mut letters = pin!(connection.notifications_stream());
        while let Some(letter) = letters.next().await {
            let items = wire::open(self.inner.node, &letter?.payload);
            if items.iter().any(|item| matches!(item, Item::Server(_))) {
                self.inner.hellos.fetch_add(1, Ordering::SeqCst);
                self.inner.alone.store(false, Ordering::SeqCst);
            }
            let mut incoming = lock(&self.inner.incoming);
            items.into_iter().for_each(|item| incoming.add(item));
            drop(incoming);
            self.inner.wake.notify_one();
        }
        Err(Error::unavailable("the connection has ended"))
    }

    /// Tells those who listen here what concerns them.
    async fn tell(&self, app: &App, items: &[Item]) -> Result<()> {
        let (mut people, mut hid, mut pairs) = (Vec::new(), HashSet::new(), Vec::new());
        let mut typing = Vec::new();
        for item in items {
            match *item {
                Item::Person(user_id) => people.push(user_id),
                Item::Hid(user_id) => {
                    hid.insert(user_id);
                    people.push(user_id);
                }
                Item::Pair(one, other) => pairs.push((one, other)),
                Item::Device(user_id, session_id, away) => {
                    lock(&self.inner.here).set_away(user_id, session_id, away);
                    self.inner.wake.notify_one();
                }
                Item::Typing(chat_id, user_id, on) => {
                    if lock(&self.inner.typists).hear(chat_id, user_id, on, Instant::now()) {
                        typing.push((chat_id, user_id, on));
                    }
                }
                Item::Server(_) => {}
                Item::Doing(chat_id, generation_id, message_id, doing) => {
                    let payload = json!({ "generationId": generation_id.0, "messageId": message_id.0, "doing": doing });
                    app.log().tell(
                        Circle::room(chat_id),
                        subject(ACTIVITY, Some(chat_id), generation_id.0),
                        payload,
                    );
                }
            }
        }
        if !app.log().has_ears() {
            return Ok(());
        }
        for some in people.chunks(MOST_PEOPLE) {
            // Nobody says again that somebody came or went.
            tokio::select! {
                () = app.log().told() => {}
                () = app.stopped().cancelled() => return Ok(()),
            }
            tell_of_people(app, some, &hid).await?;
        }
        if !pairs.is_empty() {
            tell_pairs(app, &pairs).await?;
        }
        if !typing.is_empty() {
            tell_typing(app, typing).await?;
        }
        Ok(())
    }
}

async fn tell_typing(app: &App, typing: Vec<(ChatId, UserId, bool)>) -> Result<()> {
    let people: Vec<UserId> = typing.iter().map(|(_, user_id, _)| *user_id).collect();
    let kept = circle::kept_from(&mut *app.upkeep_connection().await?, &people).await?;
    let expires_at = Utc::now() + typing::LASTS;
    for (chat_id, user_id, on) in typing {
        let mut circle = Circle::room(chat_id);
        circle.except = kept.get(&user_id).cloned().unwrap_or_default();
        circle.except.insert(user_id);
        let payload = json!({ "userId": user_id.0, "expiresAt": on.then_some(expires_at) });
        app.log()
            .tell(circle, subject(TYPING, Some(chat_id), user_id.0), payload);
    }
    Ok(())
}

async fn tell_of_people(app: &App, people: &[UserId], hid: &HashSet<UserId>) -> Result<()> {
    let mut connection = app.upkeep_connection().await?;
    let states = seen::states(&mut connection, people).await?;
    let mut circles = circle::of(&mut connection, people).await?;
    drop(connection);
    for seen::State { presence, invisible } in states {
        let user_id = presence.user_id;
        let mut circle = circles.remove(&user_id).unwrap_or_default();
        circle.except.insert(user_id);
        // Whoever is invisible comes and goes unseen.
        if !invisible {
            show(app, circle, &presence);
        } else if hid.contains(&user_id) {
            show(app, circle, &Presence::unknown(user_id));
        }
        show(app, Circle::person(user_id), &presence);
    }
    Ok(())
}

/// Tells the first of each pair what they see of the other now.
async fn tell_pairs(app: &App, pairs: &[(UserId, UserId)]) -> Result<()> {
    for (viewer, other) in pairs.iter().filter(|(viewer, _)| app.log().hears(*viewer)) {
        let seen = seen::by(&mut *app.upkeep_connection().await?, *viewer, &[*other]).await?;
        seen.iter()
            .for_each(|presence| show(app, Circle::person(*viewer), presence));
    }
    Ok(())
}

fn show(app: &App, circle: Circle, presence: &Presence) {
    app.log()
        .tell(circle, subject(PRESENCE, None, presence.user_id.0), json!(presence));
}

fn subject(kind: &'static str, chat_id: Option<ChatId>, about: Uuid) -> Subject {
    Subject { kind, chat_id, about }
}

impl Presences {
    /// Says what the assistant does that writes an answer; none when it is done.
    pub fn doing(
        &self,
        chat_id: ChatId,
        (generation_id, message_id): (GenerationId, MessageId),
        doing: Option<wire::Doing>,
    ) {
        self.say(Item::Doing(chat_id, generation_id, message_id, doing));
    }
}
