//! OpenAI's Responses.

mod reading;
mod request;

pub(super) use reading::Reading;
pub(super) use request::write;
