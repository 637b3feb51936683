//! An answer while it is being written.
//!
//! The text is kept once, with a mark behind every delta. Whoever watches remembers the number of the last delta they
//! have, wakes when there are more, and takes what lies behind their mark in one piece: a fast reader gets token by
//! token, a slow one gets fewer and longer pieces, and nobody needs a queue.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::closing::Progress;
use super::generation::Generation;
use crate::ai::Usage;
use crate::id::{ChatId, GenerationId, MessageId, UserId};

/// Which of an answer's two texts a delta belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "GenerationChannel")]
pub enum Channel {
    /// The answer itself.
    Answer,
    /// What the model shows of its thinking.
    Reasoning,
}

/// Why an answer is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Somebody stopped it.
    Stopped,
    /// The server stops.
    Interrupted,
}

/// A running answer.
#[derive(Debug)]
pub struct Live {
    /// Its id.
    pub id: GenerationId,
    /// The message that it is written into.
    pub message_id: MessageId,
    /// Its chat.
    pub chat_id: ChatId,
    /// Who asked.
    pub user_id: UserId,
    state: Mutex<State>,
    sequence: watch::Sender<i32>,
    ending: CancellationToken,
    done: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    progress: Progress,
    /// Where the first delta of the answer begins: behind what it goes on with.
    base: usize,
    marks: Vec<Mark>,
    stored: i32,
    ending: Option<Ending>,
}

/// The end of a delta in its text.
#[derive(Debug, Clone, Copy)]
struct Mark {
    channel: Channel,
    end: usize,
}

/// A piece of an answer: one or several deltas of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which text it continues.
    pub channel: Channel,
    /// What comes next there.
    pub text: String,
    /// The number of its last delta.
    pub sequence: i32,
}

impl Live {
    /// An answer that goes on where `so_far` ends.
    pub fn new(generation: &Generation, so_far: String) -> Self {
        let state = State {
            base: so_far.len(),
            progress: Progress {
                text: so_far,
                ..Progress::default()
            },
            ..State::default()
        };
        Live {
            id: generation.id,
            message_id: generation.message_id,
            chat_id: generation.chat_id,
            user_id: generation.user_id,
            state: Mutex::new(state),
            sequence: watch::Sender::new(0),
            ending: CancellationToken::new(),
            done: CancellationToken::new(),
        }
    }

    /// Adds a delta.
    pub fn push(&self, channel: Channel, delta: &str, now: DateTime<Utc>) {
        if delta.is_empty() {
            return;
        }
        // Postgres has no NUL. It is replaced here, so that what is shown is what will be stored.
        let delta = delta.replace('\0', "\u{FFFD}");
        let mut state = self.lock();
        let text = match channel {
            Channel::Answer => &mut state.progress.text,
            Channel::Reasoning => &mut state.progress.reasoning,
        };
        text.push_str(&delta);
        let end = text.len();
        state.marks.push(Mark { channel, end });
        state.progress.sequence += 1;
        state.progress.first_token_at.get_or_insert(now);
        let sequence = state.progress.sequence;
        drop(state);
        self.sequence.send_replace(sequence);
    }

    /// Whether it goes on with an earlier answer's text.
    pub fn goes_on(&self) -> bool {
        self.lock().base > 0
    }

    /// Notes the provider's id for the call.
    pub fn started(&self, provider_request_id: Option<String>) {
        self.lock().progress.provider_request_id = provider_request_id;
    }

    /// Notes what was used so far.
    pub fn used(&self, usage: Usage) {
        self.lock().progress.usage = Some(usage);
    }

    /// What there is now.
    pub fn progress(&self) -> Progress {
        self.lock().progress.clone()
    }

    /// What there is now, if it is more than what was stored last.
    pub fn unstored(&self) -> Option<Progress> {
        let state = self.lock();
        (state.progress.sequence > state.stored).then(|| state.progress.clone())
    }

    /// Notes that everything up to `sequence` is stored.
    pub fn stored(&self, sequence: i32) {
        let mut state = self.lock();
        state.stored = state.stored.max(sequence);
    }

    /// What comes after the delta numbered `after`; none when there are not so many yet.
    pub fn since(&self, after: i32) -> Option<Vec<Piece>> {
        let state = self.lock();
        let first = usize::try_from(after).ok()?;
        let marks = state.marks.get(first..)?;
        let begin = |channel: Channel| {
            state.marks[..first]
                .iter()
                .rev()
                .find(|mark| mark.channel == channel)
                .map(|mark| mark.end)
        };
        let mut answer = begin(Channel::Answer).unwrap_or(state.base);
        let mut reasoning = begin(Channel::Reasoning).unwrap_or(0);
        let mut pieces: Vec<Piece> = Vec::new();
        for (sequence, mark) in (after + 1..).zip(marks) {
            let (text, start) = match mark.channel {
                Channel::Answer => (&state.progress.text, &mut answer),
                Channel::Reasoning => (&state.progress.reasoning, &mut reasoning),
            };
            let new = &text[*start..mark.end];
            *start = mark.end;
            match pieces.last_mut().filter(|piece| piece.channel == mark.channel) {
                Some(piece) => {
                    piece.text.push_str(new);
                    piece.sequence = sequence;
                }
                None => pieces.push(Piece {
                    channel: mark.channel,
                    text: new.to_owned(),
                    sequence,
                }),
            }
        }
        Some(pieces)
    }

    /// Wakes whenever a delta was added.
    pub fn changes(&self) -> watch::Receiver<i32> {
        self.sequence.subscribe()
    }

    /// Asks the answer's task to end it. The first reason counts.
    pub fn end(&self, ending: Ending) {
        self.lock().ending.get_or_insert(ending);
        self.ending.cancel();
    }

    /// Waits until somebody asks for the end.
    pub async fn ending(&self) -> Ending {
        self.ending.cancelled().await;
        self.lock().ending.unwrap_or(Ending::Interrupted)
    }

    /// Says that the end is stored.
    pub fn finish(&self) {
        self.done.cancel();
    }

    /// Waits until the end is stored.
    pub async fn finished(&self) {
        self.done.cancelled().await;
    }

    /// Whether the end is stored.
    pub fn is_finished(&self) -> bool {
        self.done.is_cancelled()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a watcher waits after each piece, so that tokens that come close together travel together.
pub const PACE: Duration = Duration::from_millis(15);
