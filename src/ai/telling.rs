//! What an answer has come to while it is read: the part that is the same in every format.
//!
//! A format's reader (a [`Grammar`]) reads events and says here what they mean. Nothing is told before there is a
//! first word, a tool call or an end: until then the request may be repeated, and nobody has heard of it.

use std::collections::VecDeque;

use super::{Delta, Failure, FailureKind, FinishReason, Format, Replay, ToolCall, Usage, frames::Event};

/// The most tools that one turn may call.
const MOST_CALLS: usize = 128;

/// Reads one answer in one format.
pub(super) trait Grammar: Send {
    /// Reads an event.
    fn event(&mut self, event: &Event, told: &mut Telling) -> Result<(), Failure>;

    /// Nothing more comes: says what was kept back for the end.
    fn close(&mut self, _told: &mut Telling) {}
}

/// One answer being told.
pub(super) struct Telling {
    format: Format,
    model: String,
    request_id: Option<String>,
    room: usize,
    answering: Option<String>,
    began: bool,
    started: bool,
    done: bool,
    refused: bool,
    finish: Option<(FinishReason, String)>,
    usage: Option<Usage>,
    calls: Vec<ToolCall>,
    replay: Option<String>,
    unknown: u64,
    deltas: VecDeque<Delta>,
}

impl Telling {
    /// The answer of `model`, of at most `room` bytes.
    pub(super) fn new(format: Format, model: &str, request_id: Option<String>, room: usize) -> Self {
        Self {
            format,
            model: model.to_owned(),
            request_id,
            room,
            answering: None,
            began: false,
            started: false,
            done: false,
            refused: false,
            finish: None,
            usage: None,
            calls: Vec::new(),
            replay: None,
            unknown: 0,
            deltas: VecDeque::new(),
        }
    }

    /// The next piece that was told.
    pub(super) fn pop(&mut self) -> Option<Delta> {
        self.deltas.pop_front()
    }

    /// Whether anything was read that belongs to an answer.
    pub(super) fn has_begun(&self) -> bool {
        self.began
    }

    /// Whether a first word was read.
    pub(super) fn said_anything(&self) -> bool {
        self.started
    }

    /// Whether the model said that it was done. Its usage may still follow.
    pub(super) fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether nothing more is worth reading.
    pub(super) fn is_over(&self) -> bool {
        self.done
    }

    /// How many events were of a kind that this version does not know.
    pub(super) fn unknown_events(&self) -> u64 {
        self.unknown
    }

    /// The answer begins; `model` is who answers, when it is told.
    pub(super) fn begin(&mut self, model: Option<String>) {
        self.began = true;
        if self.answering.is_none() {
            self.answering = model.filter(|model| is_a_name(model));
        }
    }

    /// A piece of the answer.
    pub(super) fn say(&mut self, text: String) {
        self.add(text, Delta::Text);
    }

    /// A piece of the reasoning.
    pub(super) fn think(&mut self, text: String) {
        self.add(text, Delta::Reasoning);
    }

    /// A piece of what the model says instead of an answer: it is still what it says.
    pub(super) fn refuse(&mut self, text: String) {
        self.refused |= !text.is_empty();
        self.add(text, Delta::Text);
    }

    fn add(&mut self, mut text: String, of: fn(String) -> Delta) {
        if text.len() > self.room {
            text.truncate(text.floor_char_boundary(self.room));
            self.overflow();
        } else {
            self.room -= text.len();
        }
        if !text.is_empty() {
            self.start();
            self.deltas.push_back(of(text));
        }
    }

    /// More arrives than anybody asked for.
    fn overflow(&mut self) {
        self.room = 0;
        self.done = true;
        self.finish = Some((FinishReason::Length, "parlor_answer_limit".to_owned()));
    }

    /// Takes note of bytes that are kept for the end; false when there are too many.
    pub(super) fn makes_room_for(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes) {
            Some(left) => self.room = left,
            None => self.overflow(),
        }
        !self.done
    }

    /// A whole call of a tool; told at the end.
    pub(super) fn call(&mut self, call: ToolCall) {
        if self.calls.len() < MOST_CALLS && is_a_name(&call.name) {
            self.start();
            self.calls.push(call);
        } else {
            self.unknown += 1;
        }
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// What it cost so far.
    pub(super) fn used(&mut self, usage: Usage) {
        self.began = true;
        // Gateways that do not know say 0: that is no count.
        if usage.input_tokens == 0 && usage.output_tokens == 0 {
            return;
        }
        self.usage = Some(usage);
        if self.started {
            self.tell_usage();
        }
    }

    /// What has to be sent back word for word; told at the end.
    pub(super) fn replay(&mut self, content: String) {
        self.replay = Some(content);
    }

    /// An event of an unknown kind.
    pub(super) fn unknown(&mut self) {
        self.unknown += 1;
    }

    /// The model is done; the first reason counts.
    pub(super) fn finish(&mut self, reason: FinishReason, raw: &str) {
        if self.finish.is_some() {
            return;
        }
        let reason = match reason {
            FinishReason::Stop if self.refused => FinishReason::ContentFilter,
            reason => reason,
        };
        let raw = if is_a_name(raw) { raw } else { "unreadable" };
        self.began = true;
        self.finish = Some((reason, raw.to_owned()));
    }

    /// Nothing more comes.
    pub(super) fn over(&mut self) {
        self.done = true;
    }

    /// The stream is over: the end of the answer, if it has one.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        let Some((reason, raw)) = self.finish.take() else {
            let detail = "the stream ended without a finish reason";
            return Err(Failure::new(FailureKind::Interrupted, detail));
        };
        self.start();
        self.tell_usage();
        // A call without its end is none.
        let calls = std::mem::take(&mut self.calls);
        let whole = reason != FinishReason::Length;
        // Some say `stop` where they mean that they wait for a tool.
        let reason = match reason {
            FinishReason::Stop if !calls.is_empty() => FinishReason::ToolCalls,
            reason => reason,
        };
        if whole {
            self.deltas.extend(calls.into_iter().map(Delta::ToolCall));
        }
        if let Some(content) = self.replay.take().filter(|_| whole) {
            let model = std::mem::take(&mut self.model);
            let format = self.format;
            self.deltas.push_back(Delta::Replay(Replay { format, model, content }));
        }
        self.deltas.push_back(Delta::Finished { reason, raw });
        Ok(())
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.began = true;
        self.deltas.push_back(Delta::Started {
            provider_request_id: self.request_id.clone(),
            model: self.answering.take(),
        });
        self.tell_usage();
    }

    fn tell_usage(&mut self) {
        if let Some(usage) = self.usage.take() {
            self.deltas.push_back(Delta::Usage(usage));
        }
    }
}

/// Whether this is a name and not a novel.
pub(super) fn is_a_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic())
}
