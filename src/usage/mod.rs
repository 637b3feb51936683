//! What asking models uses and costs: the ledger, reports of it, and budgets.
//!
//! ```text
//! terms    whom is asked, whose key pays, at which prices          (known before anything is stored)
//!   │
//! open     the attempt's row, and its hold on the payer's budget    (in the transaction that stores the question)
//!   │
//! tab      what comes: words, the provider's figures, repetitions    (in memory, while the answer streams)
//!   │        └ budget::extend: a further slice when the hold runs out, else the answer is cut
//! settle   the row's end, the budget's reserved -> spent             (in the transaction that stores the answer)
//! ```
//!
//! An attempt that was opened is always settled: by the task that made it, by whoever recovers the answer of a dead
//! process, or by the sweep when the answer was removed before. Settling twice changes nothing.
//!
//! What a provider did not tell at the end it may tell later ([`reconcile`]): then its figures take the place of ours.
//!
//! Locks are taken in one order: chat, generation, attempt, budget. In reading order: [`terms`], [`tab`], [`ledger`],
//! [`budget`], [`recover`], [`reconcile`]; [`aside`] for what is asked in the background; [`report`]; [`api`].

pub mod api;
pub mod aside;
pub mod budget;
pub mod ledger;
pub mod reconcile;
pub mod recover;
pub mod report;
pub mod tab;
pub mod terms;
