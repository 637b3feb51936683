//! Lines of JSON: bytes in any pieces to whole lines.

use super::sse::{Event, Malformed};

/// Reads lines; holds at most one limit's worth of bytes.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    line: Vec<u8>,
}

impl Reader {
    /// A reader that refuses lines longer than this many bytes.
    pub fn new(limit: usize) -> Self {
        let line = Vec::new();
        Self { limit, line }
    }

    /// Reads a piece of the stream, and appends the lines that it completes.
    pub fn read(&mut self, piece: &[u8], lines: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end])?;
            rest = &rest[end + 1..];
            lines.extend(self.end_line()?);
        }
        self.keep(rest)
    }

    /// The stream is over: the line it did not end, if there is one. It may be a torn one.
    pub fn finish(mut self) -> Result<Option<Event>, Malformed> {
        self.end_line()
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Malformed> {
        if self.line.len() + part.len() > self.limit {
            return Err(Malformed::TooLong(self.limit));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, Malformed> {
        let text = str::from_utf8(&self.line).map_err(|_| Malformed::NotUtf8)?;
        let data = text.trim().to_owned();
        self.line.clear();
        Ok((!data.is_empty()).then_some(Event { name: None, data }))
    }
}
