//! Models: how much they take, what they can, and what they cost.
//!
//! What is known of a model comes from three places, and the later one counts:
//!
//! 1. `models.json`, which is part of the binary: the models that matter, in the shape of LiteLLM's price map;
//! 2. a price map that whoever runs the server imports (`parlor models import`);
//! 3. what administrators set (`setModel`), value by value.
//!
//! The last two are rows. [`catalogue::Catalogue`] holds all of it in memory, so that nobody waits for a query to know a
//! price, and is read anew within seconds of a change by whichever process. In reading order:
//!
//! - [`price`]: what tokens cost, in exact integers
//! - [`fact`]: what there is to know of a model
//! - [`price_map`]: LiteLLM's file to facts
//! - [`store`]: the rows
//! - [`catalogue`]: facts by name, also for names with a date behind them
//! - [`change`]: imports and overrides
//! - [`api`]: all this in GraphQL

pub mod api;
pub mod catalogue;
pub mod change;
pub mod fact;
pub mod price;
pub mod price_map;
pub mod store;
