//! Finding what was said, in Postgres, in the transaction that says it.
//!
//! Every message that has been said for good has a row in `message_words`, kept by triggers: its words without case and
//! accents and with their places, the stems of the language that it is in, and marks of where, when and by whom it was
//! said. One GIN index holds all of it.
//!
//! ```text
//! query ─ terms ─ vocabulary ─ find ──────────────────────────────────────── highlight
//!         words,  forms of     parts of one's chats, the newest first,         where in the
//!         phrases each word    until there are enough candidates; rank, page   text it is
//! ```
//!
//! A part is 1,024 messages of one chat, and its mark is asked for together with the words: the index joins the two, so
//! that another's messages, or a room of a million, cost nothing. What is looked at is bounded (the limits are in
//! [`mod@find`]), and an answer that stopped at a bound says so.
//!
//! Beginnings of words and misspelled words are looked up among the words of one's own latest messages: looking for
//! them in the index would read everybody's.

mod distance;
pub mod fill;
pub mod find;
pub mod highlight;
pub mod terms;
mod vocabulary;

pub use find::{Found, Hit, HitKey, Looking, find};
