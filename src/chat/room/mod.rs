//! Rooms of people: chats of two, and groups with roles, in which what happens is told by messages of Parlor's own.
//!
//! Who is in a room has a row in `chat_members`, and nobody else: whoever leaves or is removed loses the row, and with
//! it, by every query that there is, the chat. What was said before somebody joined is kept from them by the number of
//! the last such message in that row. All that happens in a room happens under its row's lock.
//!
//! Groups have assistants, too, which answer whom the group lets ask: [`asked`] finds out whom a message asks, [`purse`]
//! who pays, `scene` what they are shown, and [`answer`] stores and begins it.

pub mod answer;
pub mod asked;
mod consent;
pub mod details;
pub mod direct;
pub mod group;
pub mod leave;
pub mod member;
pub mod note;
pub mod permission;
pub mod post;
pub mod purse;
pub mod roster;
mod scene;
pub mod staff;
