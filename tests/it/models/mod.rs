//! What is known of models: what comes with Parlor, what is imported, what administrators set, and what it costs.

mod imported;
mod known;
mod map;
mod price;
