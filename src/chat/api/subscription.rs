//! The streams: everything that happens in one's chats, and the tokens of one answer.
//!
//! ```text
//! follow the live feed ── it begins at snapshot S
//! StreamReady ── what lies between `after` and S, read from the log ── what the feed brings
//!                                                     feed cut off? ── begin again from the last cursor
//! ```

use std::collections::HashMap;

use async_graphql::{Context, Subscription};
use async_stream::try_stream;
use chrono::Utc;
use futures_util::{Stream, StreamExt};

use super::event::{
    BranchChanged, ChatRemoved, ChatUpserted, Event, HistoryCleared, MessageChange, MessageCreated, MessageUpdated,
    Payload, ResyncReason, ResyncRequired, StreamReady,
};
use super::generation::GenerationEvent;
use super::loader::{ChatLoader, loader};
use super::own::Own;
use crate::app::App;
use crate::chat::chat::Chat;
use crate::chat::member::Membership;
use crate::chat::reply::watch;
use crate::chat::{chat, event as kinds, message};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::event::{self, Cursor, LoggedEvent, Position, Resumable, Snapshot};
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::scalar::Long;

/// How many events one read of the log fetches.
const READ: i32 = 200;
/// The most chats that one stream can be narrowed to.
const MOST_CHATS: usize = 100;

/// The streams of chats.
#[derive(Debug, Default)]
pub struct ChatSubscription;

#[Subscription]
impl ChatSubscription {
    /// Everything that happens in the viewer's chats. With `after` it first brings what was missed: no gap, whatever
    /// happened to the connection; a repeated event is the same change again.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "`viewer.syncCursor`, or the cursor of the last event that was handled.")] after: Option<
            String,
        >,
        #[graphql(desc = "Only events of these chats, at most 100, and of assistants.")] chat_ids: Option<Vec<ChatId>>,
    ) -> Result<impl Stream<Item = Result<Event>> + 'static> {
        let who = context.signed_in()?;
        if chat_ids.as_ref().is_some_and(|ids| ids.len() > MOST_CHATS) {
            return Err(Error::BadInput(format!(
                "Name at most {MOST_CHATS} chats, or none for all."
            )));
        }
        Follower::new(context, who.user_id, chat_ids)?.stream(after)
    }

    /// The same for one chat, and for assistants. Completes after the `ChatRemoved` of the chat.
    async fn chat_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] chat_id: ChatId,
        #[graphql(desc = "`viewer.syncCursor`, or the cursor of the last event that was handled.")] after: Option<
            String,
        >,
    ) -> Result<impl Stream<Item = Result<Event>> + 'static> {
        let who = context.signed_in()?;
        let membership = Membership::of(&*context.app().connection().await?, who.user_id, chat_id).await?;
        // A chat that is gone can still be caught up with: its removal is in the log.
        if membership.is_none() && after.is_none() {
            return Err(Error::not_found(&["chatId"], "chat"));
        }
        Follower::of_chat(context, who.user_id, chat_id)?.stream(after)
    }

    /// The tokens of one answer, as they come. Begins with a `GenerationSnapshot`, unless `after` can be continued;
    /// ends with `GenerationFinished`, whatever the outcome. An answer that has ended is told in the same way.
    async fn generation_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] generation_id: GenerationId,
        #[graphql(desc = "The sequence of the last event that was handled.")] after: Option<i32>,
    ) -> Result<impl Stream<Item = Result<GenerationEvent>> + 'static> {
        let who = context.signed_in()?;
        let watched = watch::watch(context.app().clone(), who.user_id, generation_id, after).await?;
        Ok(watched.map(move |item| item.map(|watched| GenerationEvent::new(generation_id, watched))))
    }
}

/// One client's way through the log.
struct Follower {
    app: App,
    loader: ChatLoader,
    user_id: UserId,
    chats: Option<Vec<ChatId>>,
    /// The stream is this chat's, and ends with it.
    ends_with: Option<ChatId>,
}

impl Follower {
    fn new(context: &Context<'_>, user_id: UserId, chats: Option<Vec<ChatId>>) -> Result<Self> {
        Ok(Follower {
            app: context.app().clone(),
            loader: loader(context)?.loader().clone(),
            user_id,
            chats,
            ends_with: None,
        })
    }

    /// The same for one chat alone.
    fn of_chat(context: &Context<'_>, user_id: UserId, chat_id: ChatId) -> Result<Self> {
        Ok(Follower {
            ends_with: Some(chat_id),
            ..Follower::new(context, user_id, Some(vec![chat_id]))?
        })
    }

    /// Whether nothing comes after this event.
    fn ends(&self, event: &Event) -> bool {
        matches!(event, Event::ChatRemoved(removed) if Some(removed.chat_id) == self.ends_with)
    }

    fn stream(self, after: Option<String>) -> Result<impl Stream<Item = Result<Event>> + 'static> {
        let after: Option<Cursor> = after
            .map(|after| after.parse())
            .transpose()
            .map_err(|error: event::CursorError| Error::BadInput(error.to_string()))?;
        Ok(try_stream! {
            if let Some(reason) = self.app.patiently(|| self.refuses(after.as_ref())).await? {
                yield Event::ResyncRequired(ResyncRequired { cursor: None, occurred_at: Utc::now(), reason });
                return;
            }
            let resumed = after.is_some();
            let mut position = match after {
                Some(cursor) => cursor.position,
                None => self.app.patiently(|| self.end()).await?,
            };
            yield Event::StreamReady(StreamReady { cursor: Some(self.cursor(&position)), occurred_at: Utc::now(), resumed });
            loop {
                let mut feed = self.app.log().follow(self.user_id, position.reaches()).await;
                while !(position.then.is_none() && position.seen.covers(&feed.reached)) {
                    let (missed, next) = self.app.patiently(|| self.missed(&position, &feed.reached)).await?;
                    for (event, _) in self.app.patiently(|| self.hydrate(&missed)).await? {
                        if let Some(event) = event {
                            let last = self.ends(&event);
                            yield event;
                            if last {
                                return;
                            }
                        }
                    }
                    position = next;
                }
                loop {
                    let deliveries = feed.next().await;
                    if deliveries.is_empty() {
                        break;
                    }
                    let new = deliveries.into_iter().filter(|new| !new.event.is_before(&position) && self.wants(&new.event));
                    let new: Vec<(LoggedEvent, Position)> = new.map(|new| ((*new.event).clone(), new.position)).collect();
                    for (event, at) in self.app.patiently(|| self.hydrate(&new)).await? {
                        position = at;
                        if let Some(event) = event {
                            let last = self.ends(&event);
                            yield event;
                            if last {
                                return;
                            }
                        }
                    }
                }
                // The feed was cut off: this client reads slowly, or there was a burst. On from where it stands.
            }
        })
    }

    /// Why a client at this cursor has to read everything anew, if it has to.
    async fn refuses(&self, after: Option<&Cursor>) -> Result<Option<ResyncReason>> {
        let Some(cursor) = after else { return Ok(None) };
        let reason = match event::resumable(&mut *self.app.connection().await?, cursor).await? {
            Resumable::Yes => return Ok(None),
            Resumable::TooOld => ResyncReason::CursorTooOld,
            Resumable::Unknown => ResyncReason::CursorUnknown,
        };
        Ok(Some(reason))
    }

    /// The log's present end.
    async fn end(&self) -> Result<Position> {
        Ok(event::current(&mut *self.app.connection().await?).await?.position)
    }

    fn cursor(&self, position: &Position) -> String {
        Cursor {
            epoch: self.app.log().epoch(),
            position: position.clone(),
        }
        .to_string()
    }

    fn wants(&self, event: &LoggedEvent) -> bool {
        let Some(chats) = &self.chats else { return true };
        serde_json::from_value::<Payload>(event.payload.clone()).is_ok_and(|payload| {
            payload.assistant_id.is_some() || payload.chat_id.is_some_and(|id| chats.contains(&id))
        })
    }

    /// The next events on the way to `target`, each with the position behind it, and the position behind them all.
    async fn missed(&self, position: &Position, target: &Snapshot) -> Result<(Vec<(LoggedEvent, Position)>, Position)> {
        let (upto, after_id) = position.then.as_ref().map_or((target, 0), |(upto, id)| (upto, *id));
        let mut connection = self.app.connection().await?;
        let rows = event::read(
            &mut connection,
            self.user_id,
            self.chats.as_deref(),
            (&position.seen, upto, after_id),
            READ,
        )
        .await?;
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
        Ok((placed.collect(), next))
    }

    /// Loads what events speak of, as it is now. What is gone by now has a later event that says so, and is skipped.
    async fn hydrate(&self, rows: &[(LoggedEvent, Position)]) -> Result<Vec<(Option<Event>, Position)>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let payload =
            |row: &LoggedEvent| serde_json::from_value::<Payload>(row.payload.clone()).map_err(Error::surprise);
        let payloads = rows.iter().map(|(row, _)| payload(row)).collect::<Result<Vec<_>>>()?;
        let chat_ids: Vec<ChatId> = payloads.iter().filter_map(|payload| payload.chat_id).collect();
        let message_ids: Vec<MessageId> = payloads.iter().filter_map(|payload| payload.message_id).collect();
        let mut connection = self.app.connection().await?;
        let chats = chat::find_many_visible(&mut connection, self.user_id, &chat_ids).await?;
        let messages = if message_ids.is_empty() {
            HashMap::new()
        } else {
            message::find_many_visible(&mut connection, self.user_id, &message_ids).await?
        };
        let others = messages
            .values()
            .filter(|message| message.author_id != Some(self.user_id));
        let handed = others.filter(|message| chats.get(&message.chat_id).is_some_and(Chat::is_shared));
        let handed = handed.map(|message| (message.chat_id, message.sequence));
        self.app.receipts().handed(self.user_id, handed);
        let spoken = rows.iter().map(|(row, _)| row).zip(&payloads);
        let own = Own::load(&mut connection, self.user_id, spoken).await?;
        drop(connection);
        let shown = rows.iter().zip(payloads).map(|((row, at), payload)| {
            let (cursor, occurred_at) = (Some(self.cursor(at)), row.occurred_at);
            let message = payload.message_id.and_then(|id| messages.get(&id)).cloned();
            let event = match row.kind.as_str() {
                kinds::CHAT_UPSERTED => payload.chat_id.and_then(|id| chats.get(&id)).cloned().map(|chat| {
                    Event::ChatUpserted(ChatUpserted {
                        cursor,
                        occurred_at,
                        chat,
                    })
                }),
                kinds::CHAT_REMOVED => payload.chat_id.map(|chat_id| {
                    Event::ChatRemoved(ChatRemoved {
                        cursor,
                        occurred_at,
                        chat_id,
                    })
                }),
                kinds::HISTORY_CLEARED => {
                    let through_sequence = Long(payload.through);
                    payload.chat_id.map(|chat_id| {
                        Event::HistoryCleared(HistoryCleared {
                            cursor,
                            occurred_at,
                            chat_id,
                            through_sequence,
                        })
                    })
                }
                kinds::BRANCH_CHANGED => payload.chat_id.and_then(|id| chats.get(&id)).cloned().map(|chat| {
                    Event::BranchChanged(BranchChanged {
                        cursor,
                        occurred_at,
                        chat,
                        after_sequence: Long(payload.after),
                    })
                }),
                kinds::MESSAGE_CREATED => message.map(|message| {
                    Event::MessageCreated(MessageCreated {
                        cursor,
                        occurred_at,
                        message,
                    })
                }),
                kinds::MESSAGE_UPDATED => {
                    let changed = payload
                        .changed
                        .iter()
                        .filter_map(|name| MessageChange::named(name))
                        .collect();
                    message.map(|message| {
                        Event::MessageUpdated(MessageUpdated {
                            cursor,
                            occurred_at,
                            message,
                            changed,
                        })
                    })
                }
                other => own.event(other, &payload, cursor, occurred_at),
            };
            (event, at.clone())
        });
        let shown = shown.collect();
        self.loader.keep(chats);
        Ok(shown)
    }
}
