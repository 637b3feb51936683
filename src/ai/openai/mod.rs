//! The Chat Completions format: OpenAI's, and of everyone who imitates it.

mod reading;
mod refusal;
mod request;

pub(super) use reading::{Reading, nonsense};
pub(super) use refusal::{Said, refusal};
pub(super) use request::{body, chat_url, models_url};
