//! Anthropic's Messages.

mod reading;
mod request;

pub(super) use reading::Reading;
pub(super) use request::write;
