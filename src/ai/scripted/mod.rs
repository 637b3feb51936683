//! A provider without a network, for development and tests.
//!
//! The name of the model is the script: `scripted`, or `scripted:` and options between commas.
//!
//! | option | what it does | default |
//! |---|---|---|
//! | `words=200` | how many words to say, one delta each | an introduction, or what the tools said |
//! | `first=150` | milliseconds before the first delta | 150 |
//! | `delay=25` | milliseconds between deltas | 25 |
//! | `seed=3` | another choice of words; the same seed always says the same; without `words` 60 of them | 0 |
//! | `reasoning=12` | words of reasoning before the answer | 0 |
//! | `echo` | says the last user turn, word by word | |
//! | `context` | says all turns it was given, as a JSON array of `{"role","text"}` | |
//! | `title` | says a title for the first user turn, as a model would that is asked for one | |
//! | `summary` | says a summary of the conversation in the last user turn, as a model would that is asked for one | |
//! | `fail=rate_limited` | fails, with any [`FailureKind`](super::FailureKind) | |
//! | `retry_after=7` | the seconds that failure asks to wait | |
//! | `cut` | hangs up without an end | |
//! | `stall` | falls silent for good | |
//! | `at=10` | `fail`, `cut` and `stall` happen after this many words of the answer | 0 |
//! | `retries=2` | that many visible retries first, 50 ms apart | 0 |
//! | `finish=length` | the finish reason: `stop`, `length`, `content_filter` | `stop` |
//! | `tool=find({"a":1})` | first calls this tool, and answers when its result is there; several are called at once | |
//! | `usage=off` | does not say what it cost | `on` |
//!
//! `max_output_tokens` of the request is obeyed, a word being a token.

mod part;
mod play;
mod script;
mod words;

pub use script::{Script, ScriptError};

pub(super) use play::{refused, stream};
