//! The Chat Completions format: OpenAI's, and of everyone who imitates it.

mod details;
mod reading;
mod request;

pub(super) use reading::Reading;
pub(super) use request::write;
