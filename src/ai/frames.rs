//! Bytes to events, however they are framed.

use super::{
    ndjson,
    sse::{self, Malformed},
};

pub(super) use super::sse::Event;

/// How events stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Sse,
    /// A line of JSON for each.
    Lines,
}

/// Reads events in one framing.
pub(super) enum Frames {
    Sse(sse::Reader),
    Lines(ndjson::Reader),
}

impl Frames {
    /// A reader that refuses lines and events longer than `limit` bytes.
    pub(super) fn new(framing: Framing, limit: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Reader::new(limit)),
            Framing::Lines => Self::Lines(ndjson::Reader::new(limit)),
        }
    }

    /// Reads a piece of the stream, and appends the events that it completes.
    pub(super) fn read(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Self::Sse(reader) => reader.read(piece, events),
            Self::Lines(reader) => reader.read(piece, events),
        }
    }

    /// The stream is over: the event it did not close, if there is one (it may be a torn one), and what stood between
    /// the events.
    pub(super) fn finish(self) -> (Option<Event>, Option<String>) {
        match self {
            Self::Sse(mut reader) => {
                let last = reader.finish().unwrap_or_default();
                (last, reader.take_stray())
            }
            Self::Lines(reader) => (reader.finish().unwrap_or_default(), None),
        }
    }
}
