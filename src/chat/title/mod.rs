//! What a chat is called: by itself at once, then by the model that answered, and by a person for good.

mod ask;
mod clean;
mod heuristic;

pub use ask::{KIND, Titled, regenerate, wanted};
pub use clean::clean;
pub use heuristic::heuristic;
