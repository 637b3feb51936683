//! What the imitation answers, written as a test reads it.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

/// A point that a reply does not pass before the test lets it.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(in crate::harness) async fn pass(&self) {
        let mut open = self.0.subscribe();
        open.wait_for(|open| *open).await.expect("the sender is ours");
    }
}

/// What to answer.
#[derive(Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
    pub(super) late: Option<Gate>,
}

#[derive(Clone)]
pub(super) enum Step {
    Bytes(Vec<u8>),
    Hold(Gate),
    Forever(Vec<u8>),
    Cut,
}

impl Reply {
    /// An empty reply with this status; `json`, `bytes` and `header` add to it.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            steps: Vec::new(),
            late: None,
        }
    }

    /// An event stream; `word`, `data`, `bytes`, `hold`, `stop`, `cut` add to it.
    pub fn stream() -> Self {
        Self::status(200)
            .header("content-type", "text/event-stream")
            .header("x-request-id", "req_upstream")
    }

    /// A whole answer with its end and a usage of 7 and as many tokens as pieces.
    pub fn says(pieces: &[&str]) -> Self {
        let reply = pieces.iter().fold(Self::stream(), |reply, piece| reply.word(piece));
        reply.finish("stop").usage(7, pieces.len() as u64).done()
    }

    /// An event stream of exactly these bytes.
    pub fn recorded(bytes: impl Into<Vec<u8>>) -> Self {
        Self::stream().bytes(bytes)
    }

    /// An error as OpenAI words it.
    pub fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        Self::status(status).json(&json!({
            "error": {"message": message, "type": kind, "param": null, "code": code}
        }))
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    /// Sends these bytes as one piece.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Bytes(bytes.into()));
        self
    }

    /// Sends one event.
    pub fn data(self, data: &str) -> Self {
        self.bytes(format!("data: {data}\n\n"))
    }

    /// Sends a piece of the answer.
    pub fn word(self, text: &str) -> Self {
        self.chunk(&json!({"content": text}), None)
    }

    /// Sends a piece of reasoning.
    pub fn thought(self, text: &str) -> Self {
        self.chunk(&json!({"reasoning_content": text}), None)
    }

    /// Sends the finish reason.
    pub fn finish(self, reason: &str) -> Self {
        self.chunk(&json!({}), Some(reason))
    }

    /// Sends the usage.
    pub fn usage(self, input: u64, output: u64) -> Self {
        let total = input + output;
        let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total});
        let chunk = json!({"id": "chatcmpl-1", "model": "m-1", "choices": [], "usage": usage});
        self.data(&chunk.to_string())
    }

    /// Sends the last event.
    pub fn done(self) -> Self {
        self.data("[DONE]")
    }

    /// Ends an answer as it should end.
    pub fn stop(self) -> Self {
        self.finish("stop").done()
    }

    /// Waits until the gate is open.
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Hold(gate.clone()));
        self
    }

    /// Answers nothing at all before the gate is open.
    pub fn late(mut self, gate: &Gate) -> Self {
        self.late = Some(gate.clone());
        self
    }

    /// Falls silent until the client hangs up.
    pub fn stall(self) -> Self {
        self.hold(&Gate::new())
    }

    /// Repeats these bytes until the client hangs up.
    pub fn forever(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Forever(bytes.into()));
        self
    }

    /// Closes the connection in the middle of the body.
    pub fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    /// Sends everything so far in pieces of these sizes, again and again from the first.
    pub fn in_pieces(mut self, sizes: &[usize]) -> Self {
        let mut whole = Vec::new();
        for step in self.steps.drain(..) {
            match step {
                Step::Bytes(bytes) => whole.extend(bytes),
                _ => panic!("only bytes come in pieces"),
            }
        }
        let mut rest = whole.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
            self.steps.push(Step::Bytes(piece.to_vec()));
            rest = after;
        }
        self
    }

    fn chunk(self, delta: &Value, finish: Option<&str>) -> Self {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice]});
        self.data(&chunk.to_string())
    }
}
