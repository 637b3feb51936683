//! Server-sent events: bytes in any pieces to whole events.
//!
//! A reader of its own, because the crates at hand either let one endless line take all memory or
//! lose the last event of a server that hangs up without the closing empty line.

/// One event: what stood between two empty lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name, when it has one.
    pub name: Option<String>,
    /// The `data:` lines, joined with line feeds.
    pub data: String,
}

/// Why bytes are no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line or an event above the limit.
    #[error("an event of more than {0} bytes")]
    TooLong(usize),
    /// An event that is not UTF-8.
    #[error("an event that is not UTF-8")]
    NotUtf8,
}

/// Reads events; holds at most two limits' worth of bytes.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    name: Option<String>,
    at_start: bool,
    after_cr: bool,
    stray: Option<String>,
}

/// How much is kept of lines that no event stream has.
const STRAY: usize = 16 * 1024;
const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Reader {
    /// A reader that refuses lines and events longer than this many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: None,
            name: None,
            at_start: true,
            after_cr: false,
            stray: None,
        }
    }

    /// Reads a piece of the stream, and appends the events that it completes.
    pub fn read(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            // The line ended with its CR already; a LF now is the second half of that CRLF.
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.keep(&rest[..end])?;
            let ended_by_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if ended_by_cr {
                match rest.strip_prefix(b"\n") {
                    Some(after) => rest = after,
                    None => self.after_cr = rest.is_empty(),
                }
            }
            self.end_line(events)?;
        }
        self.keep(rest)
    }

    /// The stream is over: the event it did not close, if there is one. It may be a torn one.
    pub fn finish(&mut self) -> Result<Option<Event>, Malformed> {
        let mut events = Vec::new();
        self.end_line(&mut events)?;
        self.line.clear();
        self.end_line(&mut events)?;
        Ok(events.pop())
    }

    /// The lines that no event stream has, such as those of a web page, or of an error that a
    /// provider writes bare into the stream. The beginning of them, if they are many.
    pub fn take_stray(&mut self) -> Option<String> {
        self.stray.take()
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Malformed> {
        if self.line.len() + part.len() > self.limit {
            return Err(Malformed::TooLong(self.limit));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.line);
        let mut content = line.as_slice();
        if std::mem::take(&mut self.at_start) {
            content = content.strip_prefix(BOM).unwrap_or(content);
        }
        let outcome = match content {
            [] => self.dispatch(events),
            [b':', ..] => Ok(()),
            _ => self.field(content),
        };
        // Give the allocation back, so that a thousand small lines cost one.
        self.line = line;
        self.line.clear();
        outcome
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                let data = match &mut self.data {
                    Some(data) => {
                        data.push(b'\n');
                        data
                    }
                    empty => empty.insert(Vec::new()),
                };
                if data.len() + value.len() > self.limit {
                    return Err(Malformed::TooLong(self.limit));
                }
                data.extend_from_slice(value);
            }
            b"event" => {
                let name = str::from_utf8(value).map_err(|_| Malformed::NotUtf8)?;
                self.name = Some(name.to_owned()).filter(|name| !name.is_empty());
            }
            b"id" | b"retry" => {}
            _ => {
                let stray = self.stray.get_or_insert_default();
                if stray.len() + line.len() < STRAY {
                    stray.push_str(&String::from_utf8_lossy(line));
                    stray.push('\n');
                }
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let name = self.name.take();
        let Some(data) = self.data.take() else {
            return Ok(());
        };
        let data = String::from_utf8(data).map_err(|_| Malformed::NotUtf8)?;
        events.push(Event { name, data });
        Ok(())
    }
}
