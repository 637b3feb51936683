//! Assistants: AIs with a name, instructions and a model of their own, private or shared.
//!
//! One is always there and everybody's: [`Assistant::DEFAULT`] answers where no other was chosen, and where the chosen
//! ones are gone. An assistant that is deleted, or shared no more, keeps its name on what it wrote.

pub mod api;
#[expect(
    clippy::module_inception,
    reason = "the assistant is the thing itself, among what is done with it"
)]
pub mod assistant;
pub mod change;
pub mod event;
pub mod model;

pub use assistant::{Assistant, ReasoningEffort, Visibility};
