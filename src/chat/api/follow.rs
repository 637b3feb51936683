//! One client's way through the log, and beside it what is told at once and not kept.
//!
//! ```text
//! follow the live feed ── it begins at snapshot S
//! StreamReady ── what lies between `after` and S, read from the log ── what the feed brings, and signals
//!                                                     feed cut off? ── begin again from the last cursor
//! ```

use std::sync::Arc;

use async_graphql::Context;
use async_stream::try_stream;
use chrono::Utc;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use uuid::Uuid;

use super::apart::{self, Events};
use super::event::{Event, ResyncReason, ResyncRequired, StreamReady};
use super::live;
use super::loader::{ChatLoader, loader};
use super::selection::Selections;
use super::share::{Shared, Told};
use crate::account::viewer::SignedIn;
use crate::app::App;
use crate::chat::member::Membership;
use crate::chat::receipt;
use crate::context::RequestContext;
use crate::db::Connection;
use crate::error::{Error, Result};
use crate::event::{self, Cursor, Delivery, Ear, LoggedEvent, Position, Resumable, Signal, Snapshot};
use crate::id::{ChatId, UserId};

/// How many events one read of the log fetches.
const READ: i32 = 200;

/// Which chats a stream is about.
#[derive(Debug)]
pub(super) enum Narrowed {
    /// All.
    No,
    /// These.
    To(Vec<ChatId>),
    /// This one; and the stream ends with it.
    EndsWith(ChatId),
}

/// One client's way through the log.
pub(super) struct Follower {
    pub(super) app: App,
    pub(super) loader: ChatLoader,
    who: SignedIn,
    narrowed: Narrowed,
    ephemeral: bool,
    /// The log that the stream is in.
    epoch: Uuid,
    pub(super) selections: Arc<Selections>,
}

/// What comes next for a stream.
enum Heard {
    Deliveries(Vec<Delivery>),
    Signals(Vec<Arc<Signal>>),
}

impl Follower {
    pub(super) fn new(context: &Context<'_>, narrowed: Narrowed, ephemeral: bool) -> Result<Self> {
        let app = context.app();
        let selections = Selections::of(&context.item.node, &context.query_env.fragments);
        Ok(Follower {
            app: app.clone(),
            loader: loader(context)?.loader().clone(),
            who: context.signed_in()?.clone(),
            narrowed,
            ephemeral,
            epoch: Uuid::nil(),
            selections: app.sharing().selections(selections),
        })
    }

    pub(super) fn user_id(&self) -> UserId {
        self.who.user_id
    }

    /// The only chats, if not all.
    fn chats(&self) -> Option<&[ChatId]> {
        match &self.narrowed {
            Narrowed::No => None,
            Narrowed::To(chats) => Some(chats),
            Narrowed::EndsWith(chat_id) => Some(std::slice::from_ref(chat_id)),
        }
    }

    /// Takes note of an event that this client is given next, before it is; in a room of so many, if that is known. Gives
    /// whether nothing comes after it.
    ///
    /// Whatever is to happen when a device gets a message happens here.
    fn gives(&self, event: &Event, members: usize) -> bool {
        if let Some(message) = event.message().filter(|_| members as i64 <= receipt::MOST_PEOPLE) {
            // In a chat with an AI there is nobody else who could have written it.
            let of_another = message.author_id.is_some_and(|author| author != self.user_id());
            let handed = of_another.then_some((message.chat_id, message.sequence));
            self.app.receipts().handed(self.user_id(), handed.into_iter());
        }
        match (event, &self.narrowed) {
            (Event::ChatRemoved(removed), Narrowed::EndsWith(chat_id)) => removed.chat_id == *chat_id,
            _ => false,
        }
    }

    /// What this client is told, for the executor to begin with.
    pub(super) fn begin(self, context: &Context<'_>, after: Option<String>) -> Result<Events> {
        let loader = self.loader.clone();
        Ok(apart::begin(context, loader, self.stream(after)?.boxed()))
    }

    fn stream(mut self, after: Option<String>) -> Result<impl Stream<Item = Result<Told>> + 'static> {
        let after: Option<Cursor> = after
            .map(|after| after.parse())
            .transpose()
            .map_err(|error: event::CursorError| Error::BadInput(error.to_string()))?;
        Ok(try_stream! {
            // Boxed, all of these: most streams wait most of the time, and need no room for what is rare.
            let resumed = after.is_some();
            let Cursor { epoch, mut position } = match after {
                Some(cursor) => {
                    if let Some(reason) = Box::pin(self.app.patiently(|| self.refuses(&cursor))).await? {
                        yield resync(reason);
                        return;
                    }
                    cursor
                }
                None => Box::pin(self.app.patiently(|| self.end())).await?,
            };
            self.epoch = epoch;
            let _attending = self.app.presence().attend(&self.who);
            let ear = self.ephemeral.then(|| self.app.log().listen(self.user_id()));
            yield Told::alone(Event::StreamReady(StreamReady { cursor: Some(self.cursor(&position)), occurred_at: Utc::now(), resumed }));
            let gone = if resumed { Box::pin(self.app.patiently(|| self.gone())).await? } else { None };
            if let Some(end) = gone {
                while position.then.is_some() || !position.seen.covers(&end) {
                    let (missed, next) = match Box::pin(self.app.patiently(|| self.missed(&position, &end))).await? {
                        Ok(missed) => missed,
                        Err(reason) => {
                            yield resync(reason);
                            return;
                        }
                    };
                    for event in Box::pin(self.app.patiently(|| self.hydrate(&missed))).await?.into_iter().flatten() {
                        let last = self.gives(&event, 0);
                        yield Told::alone(event);
                        if last {
                            return;
                        }
                    }
                    position = next;
                }
                Err(Error::not_found(&["chatId"], "chat"))?;
            }
            'anew: loop {
                let Some(mut feed) = Box::pin(self.app.log().follow(self.user_id(), &self.at(&position))).await else {
                    let at = self.at(&position);
                    if let Some(reason) = Box::pin(self.app.patiently(|| self.refuses(&at))).await? {
                        yield resync(reason);
                        return;
                    }
                    Box::pin(self.app.log().looked()).await;
                    continue;
                };
                while !(position.then.is_none() && position.seen.covers(&feed.reached)) {
                    let missed = Box::pin(self.app.patiently(|| self.missed(&position, &feed.reached))).await?;
                    let (missed, next) = match missed {
                        Ok(missed) => missed,
                        Err(reason) => {
                            yield resync(reason);
                            return;
                        }
                    };
                    let events = Box::pin(self.app.patiently(|| self.hydrate(&missed))).await?;
                    for (event, (row, behind)) in events.into_iter().zip(missed) {
                        if feed.is_void() {
                            continue 'anew;
                        }
                        position = behind;
                        if let Some(event) = event.filter(|_| !feed.withholds(&row)) {
                            let last = self.gives(&event, 0);
                            yield Told::alone(event);
                            if last {
                                return;
                            }
                        }
                    }
                    position = next;
                }
                loop {
                    let heard = tokio::select! {
                        biased;
                        deliveries = feed.next() => Heard::Deliveries(deliveries),
                        signals = signals(ear.as_ref()) => Heard::Signals(signals),
                    };
                    let new = match heard {
                        Heard::Signals(signals) => {
                            for (chat_id, told) in self.told(&signals)? {
                                if !chat_id.is_some_and(|id| feed.has_left(id)) {
                                    yield told;
                                }
                            }
                            continue;
                        }
                        Heard::Deliveries(deliveries) => deliveries,
                    };
                    // Cut off: this client reads slowly, or there was a burst. On from where it stands, or else in the log.
                    let new = if new.is_empty() { feed.recover(&position) } else { Some(new) };
                    let Some(mut new) = new else { break };
                    let behind = new.last().filter(|last| !last.handed.event.is_before(&position));
                    let behind = behind.map(|last| last.handed.position.clone());
                    new.retain(|new| !new.handed.event.is_before(&position) && self.wants(&new.handed.event));
                    let told = match self.known(&new) {
                        Some(told) => told,
                        None => Box::pin(self.app.patiently(|| self.share(&new))).await?,
                    };
                    for (told, new) in told.into_iter().zip(new) {
                        if feed.is_void() {
                            continue 'anew;
                        }
                        position.clone_from(&new.handed.position);
                        if let Some(told) = told.filter(|_| !feed.withholds(&new.handed.event)) {
                            let last = self.gives(told.event(), new.handed.members);
                            yield told;
                            if last {
                                return;
                            }
                        }
                    }
                    // Also what is not wanted is done with.
                    position = behind.unwrap_or(position);
                }
            }
        })
    }

    /// What signals say, as far as it is of the chats that this stream is about, and the room that it is of.
    fn told(&self, signals: &[Arc<Signal>]) -> Result<Vec<(Option<ChatId>, Told)>> {
        let wanted = signals
            .iter()
            .filter(|signal| match (self.chats(), signal.subject.chat_id) {
                (None, _) => true,
                (Some(chats), Some(chat_id)) => chats.contains(&chat_id),
                (Some(_), None) => false,
            });
        let mut told = Vec::new();
        for signal in wanted {
            let shared = match signal.made.get::<Shared>() {
                Some(shared) => shared,
                None => {
                    Shared::new(live::event(signal)?, None).leave(&signal.made);
                    signal
                        .made
                        .get()
                        .ok_or_else(|| Error::internal("what was made is something else"))?
                }
            };
            told.extend(Told::shared(&shared, &self.selections).map(|told| (signal.subject.chat_id, told)));
        }
        Ok(told)
    }

    /// Why a client at this cursor has to read everything anew, if it has to.
    async fn refuses(&self, cursor: &Cursor) -> Result<Option<ResyncReason>> {
        refusal(&mut *self.app.connection().await?, cursor).await
    }

    /// The log's present end, for who may begin there.
    async fn end(&self) -> Result<Cursor> {
        let mut connection = self.app.connection().await?;
        let end = event::current(&mut connection).await?;
        if let Narrowed::EndsWith(chat_id) = self.narrowed {
            // Read after the end: whoever leaves from now on is told so by the stream.
            let membership = Membership::of(&connection, self.user_id(), chat_id).await?;
            membership.ok_or_else(|| Error::not_found(&["chatId"], "chat"))?;
        }
        Ok(end)
    }

    /// For a stream of one chat that its reader is not in: the log's end, up to which it may say that they were removed.
    async fn gone(&self) -> Result<Option<Snapshot>> {
        let Narrowed::EndsWith(chat_id) = self.narrowed else {
            return Ok(None);
        };
        let mut connection = self.app.connection().await?;
        if Membership::of(&connection, self.user_id(), chat_id).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(event::current(&mut connection).await?.position.seen))
    }

    fn at(&self, position: &Position) -> Cursor {
        Cursor {
            epoch: self.epoch,
            position: position.clone(),
        }
    }

    pub(super) fn cursor(&self, position: &Position) -> String {
        self.at(position).to_string()
    }

    fn wants(&self, event: &LoggedEvent) -> bool {
        let Some(chats) = self.chats() else { return true };
        let names = |field: &str| event.payload.get(field).filter(|value| !value.is_null());
        let chat_id = || names("chatId").and_then(|id| ChatId::deserialize(id).ok());
        names("assistantId").is_some() || chat_id().is_some_and(|id| chats.contains(&id))
    }

    /// The next events on the way to `target`, each with the position behind it, and the position behind them all; or why
    /// they cannot be known any more.
    async fn missed(&self, position: &Position, target: &Snapshot) -> Result<Result<Missed, ResyncReason>> {
        let (upto, after_id) = position.then.as_ref().map_or((target, 0), |(upto, id)| (upto, *id));
        let mut connection = self.app.connection().await?;
        let rows = event::read(
            &mut connection,
            self.user_id(),
            self.chats(),
            (&position.seen, upto, after_id),
            READ,
        )
        .await?;
        // Read after them: nothing of them was removed before.
        if let Some(reason) = refusal(&mut connection, &self.at(position)).await? {
            return Ok(Err(reason));
        }
        drop(connection);
        let full = rows.len() >= usize::try_from(READ).unwrap_or(usize::MAX);
        let behind = |id: i64| Position {
            seen: position.seen.clone(),
            then: Some((upto.clone(), id)),
        };
        let next = match rows.last() {
            Some(last) if full => behind(last.id),
            _ => Position::at(upto.clone()),
        };
        let last = rows.last().map(|row| row.id);
        let placed = rows.into_iter().map(|row| {
            let at = if Some(row.id) == last {
                next.clone()
            } else {
                behind(row.id)
            };
            (row, at)
        });
        Ok(Ok((placed.collect(), next)))
    }
}

/// Events, each with the position behind it, and the position behind them all.
type Missed = (Vec<(LoggedEvent, Position)>, Position);

/// Why a client at this cursor has to read everything anew, if it has to.
async fn refusal(connection: &mut Connection, cursor: &Cursor) -> Result<Option<ResyncReason>> {
    Ok(match event::resumable(connection, cursor).await? {
        Resumable::Yes => None,
        Resumable::TooOld => Some(ResyncReason::CursorTooOld),
        Resumable::Unknown => Some(ResyncReason::CursorUnknown),
    })
}

fn resync(reason: ResyncReason) -> Told {
    Told::alone(Event::ResyncRequired(ResyncRequired {
        cursor: None,
        occurred_at: Utc::now(),
        reason,
    }))
}

/// The next signals; never any for a stream without an ear.
async fn signals(ear: Option<&Ear>) -> Vec<Arc<Signal>> {
    match ear {
        Some(ear) => ear.next().await,
        None => std::future::pending().await,
    }
}
