//! Ollama's own chat, in lines of JSON.

mod reading;
mod request;

pub(super) use reading::Reading;
pub(super) use request::write;
