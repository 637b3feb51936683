//! What the AI knows of a person across chats: what it is to remember, and how the person wants it to be.
//!
//! All of it is the person's own: listed, changed and removed by them, told to the models that answer them and to
//! nobody else.

pub mod api;
pub mod event;
#[expect(
    clippy::module_inception,
    reason = "a memory is the thing itself, beside the preferences"
)]
pub mod memory;
pub mod preferences;

pub use memory::{Memory, for_prompt};
pub use preferences::Preferences;
