//! Contacts: finding people, keeping them in an address book, and blocking them.
//!
//! An address book is one-sided, like that of a phone: whoever is added is not asked and not told. So is a block. To
//! the blocked the one who blocks looks like somebody who does not answer: found as ever, and named wherever they were
//! named before. Nothing ever answers a blocked person with an error of its own: in a direct chat their messages are stored and
//! withheld from the other, and whom they may not add to a group is answered for as people who want to be added by nobody.
//! In groups that both are in, each sees what the other says.
//!
//! Each person has a *book* ([`book`]): a row that their changes lock, and whose version grows with each. To its owner a
//! person is one of three things, a contact, blocked, or neither, and an event always tells which:
//!
//! ```text
//! addContact ── version 1: a contact ── blockUser ── version 2: blocked ── unblockUser ── version 3: neither
//! ```

pub mod api;
pub mod block;
pub mod book;
pub mod event;
pub mod find;
pub mod standing;

pub use block::{blocks_among, blocks_between};
pub use book::Contact;
pub use standing::Standing;
