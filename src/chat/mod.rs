//! Rooms and what is said in them.

pub mod answering;
pub mod api;
pub mod aside;
pub mod ask;
pub mod bill;
pub mod branch;
pub mod builtin;
pub mod change;
#[expect(
    clippy::module_inception,
    reason = "the chat is the thing itself, among its members and messages"
)]
pub mod chat;
pub mod claim;
pub mod create;
pub mod draft;
pub mod event;
pub mod extras;
pub mod lane;
pub mod lifetime;
pub mod member;
pub mod mention;
pub mod message;
pub mod own;
pub mod pin;
pub mod plan;
pub mod preview;
pub mod reaction;
pub mod read;
pub mod recall;
pub mod receipt;
pub mod reply;
pub mod resume;
pub mod revise;
pub mod room;
pub mod schedule;
pub mod select;
pub mod send;
pub mod summary;
pub mod title;
pub mod tombstone;
pub mod touch;
pub mod turn;
