//! An answer while it is being written.
//!
//! The text is kept once, with a mark behind every delta. Whoever watches remembers the number of the last delta they
//! have, wakes when there are more, and takes what lies behind their mark in one piece: a fast reader gets token by
//! token, a slow one gets fewer and longer pieces, and nobody needs a queue. What happens to the answer besides its text
//! (a [`Notice`]) has its mark in the same line.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cache::Key;
use super::closing::Progress;
use super::generation::Generation;
use super::steps::row::StoredCall;
use crate::ai::{FailureKind, Provider, Replay};
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::presence::wire::Doing;
use crate::usage::tab::Tab;

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
    /// Another lane of its race was faster.
    Lost,
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
    /// The race that it is in, by its first lane.
    pub race: Option<GenerationId>,
    state: Mutex<State>,
    sequence: watch::Sender<i32>,
    ending: CancellationToken,
    done: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    progress: Progress,
    /// Where this answer's own text begins: behind what an earlier one has written.
    own: usize,
    /// Where the first delta here begins in each text: behind what was written before.
    base: (usize, usize),
    /// The number before that of the first delta here.
    number: i32,
    /// Whether the next words are the first ones of another step.
    new_step: bool,
    marks: Vec<Mark>,
    stored: i32,
    doing: Option<Doing>,
    ending: Option<Ending>,
}

impl State {
    /// Gives what was just added its number.
    fn mark(&mut self, what: Marked) {
        let ends = (self.progress.text.len(), self.progress.reasoning.len());
        self.marks.push(Mark { ends, what });
    }
}

/// What has a number, and where the two texts end behind it.
#[derive(Debug, Clone)]
struct Mark {
    ends: (usize, usize),
    what: Marked,
}

/// A delta, or a notice.
#[derive(Debug, Clone)]
enum Marked {
    Text(Channel),
    Notice(Box<Notice>),
}

/// Something that happens to an answer besides its text. It is for those who watch, and is not stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The provider failed before the first word and is about to be asked again.
    Retrying {
        /// 1 for the first repetition.
        attempt: u32,
        /// How long it waits before it.
        after: Duration,
        /// What went wrong.
        code: FailureKind,
    },
    /// The provider failed before the first word, and another one, or another model, takes over.
    FellBack {
        /// Whose model takes over.
        provider: Provider,
        /// Which model.
        model: String,
        /// What went wrong with the one before.
        code: FailureKind,
    },
    /// A call of a tool was asked for, or stands otherwise than before.
    ToolCall(Box<StoredCall>),
}

/// What comes next for somebody who watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// More text.
    Piece(Piece),
    /// A notice.
    Notice {
        /// Its number.
        sequence: i32,
        /// What happened.
        notice: Notice,
    },
}

impl Step {
    /// The number of the last thing in it.
    pub fn sequence(&self) -> i32 {
        match self {
            Step::Piece(piece) => piece.sequence,
            Step::Notice { sequence, .. } => *sequence,
        }
    }
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
            own: so_far.len(),
            base: (so_far.len(), 0),
            progress: Progress {
                text: so_far,
                ..Progress::default()
            },
            ..State::default()
        };
        Live::with(generation, state)
    }

    /// An answer that has waited for a person and goes on: `text` is that of its message, of which its own begins at
    /// `own`.
    pub fn again(generation: &Generation, text: String, own: usize) -> Self {
        let reasoning = generation.reasoning.clone().unwrap_or_default();
        let state = State {
            own,
            base: (text.len(), reasoning.len()),
            number: generation.sequence,
            stored: generation.sequence,
            progress: Progress {
                text,
                reasoning,
                sequence: generation.sequence,
                first_token_at: generation.first_token_at,
                provider_request_id: generation.provider_request_id.clone(),
                ..Progress::default()
            },
            ..State::default()
        };
        Live::with(generation, state)
    }

    fn with(generation: &Generation, state: State) -> Self {
        Live {
            id: generation.id,
            message_id: generation.message_id,
            chat_id: generation.chat_id,
            user_id: generation.user_id,
            race: generation.lanes_of.filter(|_| generation.race),
            sequence: watch::Sender::new(state.progress.sequence),
            state: Mutex::new(state),
            ending: CancellationToken::new(),
            done: CancellationToken::new(),
        }
    }

    /// Notes what the assistant does; gives whether it did something else before.
    pub fn turns(&self, doing: Option<Doing>) -> bool {
        std::mem::replace(&mut self.lock().doing, doing) != doing
    }

    /// What the assistant does.
    pub fn doing(&self) -> Option<Doing> {
        self.lock().doing
    }

    /// Adds a delta.
    pub fn push(&self, channel: Channel, delta: &str, now: DateTime<Utc>) {
        if delta.is_empty() {
            return;
        }
        // Postgres has no NUL. It is replaced here, so that what is shown is what will be stored.
        let delta = delta.replace('\0', "\u{FFFD}");
        let mut guard = self.lock();
        let state = &mut *guard;
        let text = match channel {
            Channel::Answer => &mut state.progress.text,
            Channel::Reasoning => &mut state.progress.reasoning,
        };
        // What the model says after it has used a tool begins a paragraph.
        if channel == Channel::Answer && std::mem::take(&mut state.new_step) {
            let said_before = text.len() > state.own && !text.ends_with('\n');
            text.push_str(if said_before { "\n\n" } else { "" });
        }
        text.push_str(&delta);
        state.mark(Marked::Text(channel));
        state.progress.sequence += 1;
        state.progress.first_token_at.get_or_insert(now);
        let sequence = state.progress.sequence;
        drop(guard);
        self.sequence.send_replace(sequence);
    }

    /// Tells those who watch what happens.
    pub fn notice(&self, notice: Notice) {
        let mut state = self.lock();
        state.mark(Marked::Notice(Box::new(notice)));
        state.progress.sequence += 1;
        let sequence = state.progress.sequence;
        drop(state);
        self.sequence.send_replace(sequence);
    }

    /// Whether nothing has come of it yet: no word, and no call of a tool.
    pub fn is_silent(&self) -> bool {
        let state = self.lock();
        let is_call =
            |mark: &Mark| matches!(&mark.what, Marked::Notice(notice) if matches!(**notice, Notice::ToolCall(_)));
        state.progress.first_token_at.is_none() && state.number == 0 && !state.marks.iter().any(is_call)
    }

    /// Notes the provider's id for the call.
    pub fn started(&self, provider_request_id: Option<String>) {
        self.lock().progress.provider_request_id = provider_request_id;
    }

    /// Notes that the model is asked once more: what it says then is another step of the answer.
    pub fn begin_step(&self) {
        self.lock().new_step = true;
    }

    /// Notes the answer as the provider wrote it.
    pub fn replay(&self, replay: Replay) {
        self.lock().progress.replay = Some(replay);
    }

    /// Notes the question that it is the whole answer to; one that goes on with another answer is not.
    pub fn keep_as(&self, key: Key) {
        let mut state = self.lock();
        state.progress.keep_as = Some(key).filter(|_| state.own == 0);
    }

    /// Puts what it costs on this tab.
    #[must_use]
    pub fn on(self, tab: Tab) -> Self {
        self.lock().progress.tab = tab;
        self
    }

    /// What its attempts use and cost.
    pub fn tab(&self) -> Tab {
        self.lock().progress.tab.clone()
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

    /// What comes after number `after`; none when there are not so many yet.
    pub fn since(&self, after: i32) -> Option<Vec<Step>> {
        let state = self.lock();
        let first = usize::try_from(after.checked_sub(state.number)?).ok()?;
        let marks = state.marks.get(first..)?;
        let before = first.checked_sub(1).map(|last| state.marks[last].ends);
        let (mut answer, mut reasoning) = before.unwrap_or(state.base);
        let mut steps: Vec<Step> = Vec::new();
        for (sequence, mark) in (after + 1..).zip(marks) {
            let channel = match &mark.what {
                Marked::Text(channel) => *channel,
                Marked::Notice(notice) => {
                    let notice = (**notice).clone();
                    steps.push(Step::Notice { sequence, notice });
                    continue;
                }
            };
            let (text, start, end) = match channel {
                Channel::Answer => (&state.progress.text, &mut answer, mark.ends.0),
                Channel::Reasoning => (&state.progress.reasoning, &mut reasoning, mark.ends.1),
            };
            let new = &text[*start..end];
            *start = end;
            match steps.last_mut() {
                Some(Step::Piece(piece)) if piece.channel == channel => {
                    piece.text.push_str(new);
                    piece.sequence = sequence;
                }
                _ => steps.push(Step::Piece(Piece {
                    channel,
                    text: new.to_owned(),
                    sequence,
                })),
            }
        }
        Some(steps)
    }

    /// What there is now for somebody who begins to watch, and its number. Before the first word that is nothing:
    /// the notices so far are still to be told.
    pub fn beginning(&self) -> Progress {
        let state = self.lock();
        match state.progress.text.is_empty() && state.progress.reasoning.is_empty() {
            true => Progress {
                sequence: state.number,
                ..Progress::default()
            },
            false => state.progress.clone(),
        }
    }

    /// Wakes whenever there is more.
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
