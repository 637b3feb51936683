//! Watching an answer: the stream behind `generationEvents`.
//!
//! While the answer is written here, pieces come from [`Live`]. When it is written by another process, or that
//! process has died, the stored text is looked at twice a second until there is an end.
//!
//! In a group the watcher may be removed meanwhile: their own events say so, and nothing is told them after that.

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde_json::json;

use super::generation::{self, Generation};
use super::live::{Live, Notice, PACE, Piece, Step};
use crate::app::App;
use crate::chat::chat::ChatKind;
use crate::chat::event::CHAT_REMOVED;
use crate::error::{Error, Result};
use crate::event::Feed;
use crate::id::{ChatId, GenerationId, UserId};

/// How often an answer that is written elsewhere is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Watched {
    /// Everything so far; replaces what the watcher holds.
    Snapshot {
        /// The answer's text.
        text: String,
        /// What the model showed of its thinking.
        reasoning: Option<String>,
        /// The number of the last delta in both.
        sequence: i32,
    },
    /// What comes next.
    Piece(Piece),
    /// What happens besides.
    Notice {
        /// Its number.
        sequence: i32,
        /// What it is.
        notice: Notice,
    },
    /// The end, whatever it is; nothing comes after it.
    Finished {
        /// The answer as it ended.
        generation: Box<Generation>,
        /// Its text.
        text: String,
    },
}

/// The events of one answer for somebody who has those up to `after`.
///
/// # Errors
/// NOT_FOUND when there is no such answer or `user_id` may not see it.
pub async fn watch(
    app: App,
    user_id: UserId,
    id: GenerationId,
    after: Option<i32>,
) -> Result<impl Stream<Item = Result<Watched>> + Send + 'static> {
    let mut row = load(&app, user_id, id).await?;
    Ok(try_stream! {
        let mut after = after;
        let mut door = Door::of(&app, user_id, &row);
        if let Door::Shared { .. } = door {
            // They may have been removed before their events were followed.
            app.patiently(|| look(&app, user_id, id)).await?;
        }
        loop {
            if let Some(live) = app.engine().live(id) {
                let mut changes = live.changes();
                let mut sequence = match after.filter(|after| live.since(*after).is_some()) {
                    Some(after) => after,
                    None => {
                        let (snapshot, sequence) = snapshot_of(&live);
                        yield snapshot;
                        sequence
                    }
                };
                loop {
                    let mut paced = false;
                    let Some(steps) = live.since(sequence) else {
                        // Not a number of this stream: whoever holds it is told everything anew.
                        let (snapshot, number) = snapshot_of(&live);
                        sequence = number;
                        yield snapshot;
                        continue;
                    };
                    for step in steps {
                        sequence = step.sequence();
                        paced = true;
                        yield match step {
                            Step::Piece(piece) => Watched::Piece(piece),
                            Step::Notice { sequence, notice } => Watched::Notice { sequence, notice },
                        };
                    }
                    if live.is_finished() && *changes.borrow_and_update() == sequence {
                        break;
                    }
                    if paced {
                        tokio::time::sleep(PACE).await;
                    }
                    let moved = tokio::select! {
                        biased;
                        () = door.moved() => true,
                        changed = changes.changed() => {
                            if changed.is_err() {
                                break;
                            }
                            false
                        }
                        () = live.finished() => false,
                    };
                    if moved {
                        door = Door::of(&app, user_id, &row);
                        app.patiently(|| look(&app, user_id, id)).await?;
                    }
                }
                after = Some(sequence);
                row = app.patiently(|| load(&app, user_id, id)).await?;
            }
            if after != Some(row.0.sequence) {
                after = Some(row.0.sequence);
                yield Watched::Snapshot { text: row.1.clone(), reasoning: row.0.reasoning.clone(), sequence: row.0.sequence };
            }
            if row.0.finished_at.is_some() {
                yield Watched::Finished { generation: Box::new(row.0), text: row.1 };
                return;
            }
            // One that waits for a person may be looked at for days: its text is read only when there is more.
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let seen = (row.0.sequence, row.0.finished_at);
                if app.engine().live(id).is_some() || app.patiently(|| look(&app, user_id, id)).await? != seen {
                    break;
                }
            }
            row = app.patiently(|| load(&app, user_id, id)).await?;
        }
    })
}

/// What says that somebody goes out of the chat of an answer.
enum Door {
    /// Nobody goes out of a chat of one's own.
    Own,
    /// The events of the watcher, among which is that they are removed.
    Shared { chat_id: ChatId, feed: Feed },
}

impl Door {
    fn of(app: &App, user_id: UserId, row: &Row) -> Self {
        if row.2 == ChatKind::Assistant {
            return Door::Own;
        }
        Door::Shared {
            chat_id: row.0.chat_id,
            feed: app.log().follow_on(user_id),
        }
    }

    /// Waits until the watcher may have gone out: they have, or their feed was cut off.
    async fn moved(&mut self) {
        let Door::Shared { chat_id, feed } = self else {
            return std::future::pending().await;
        };
        loop {
            let deliveries = feed.next().await;
            let removed = deliveries.iter().any(|delivery| {
                let event = &delivery.handed.event;
                event.kind == CHAT_REMOVED && event.payload["chatId"] == json!(chat_id.0)
            });
            if removed || deliveries.is_empty() {
                return;
            }
        }
    }
}

fn snapshot_of(live: &Arc<Live>) -> (Watched, i32) {
    let progress = live.beginning();
    let reasoning = (!progress.reasoning.is_empty()).then_some(progress.reasoning);
    (
        Watched::Snapshot {
            text: progress.text,
            reasoning,
            sequence: progress.sequence,
        },
        progress.sequence,
    )
}

/// How far an answer has come, and when it ended.
async fn look(app: &App, user_id: UserId, id: GenerationId) -> Result<(i32, Option<DateTime<Utc>>)> {
    let mut connection = app.connection().await?;
    let found = generation::find_state(&mut connection, user_id, id).await?;
    found.ok_or_else(|| Error::not_found(&[], "generation"))
}

/// An answer, its stored text, and what kind of chat it is in.
type Row = (Generation, String, ChatKind);

/// The answer and its stored text, read together.
async fn load(app: &App, user_id: UserId, id: GenerationId) -> Result<Row> {
    let not_found = || Error::not_found(&[], "generation");
    let mut connection = app.connection().await?;
    generation::find_with_text(&mut connection, user_id, id)
        .await?
        .ok_or_else(not_found)
}
