//! Parlor: people and AI models talking in the same rooms, over one GraphQL schema, on Postgres, in one binary.
//!
//! This page is the map. Each feature is one room, and its whole path is in it: rows, rules, API.
//!
//! # The rooms, in reading order
//!
//! | room | what it does |
//! |---|---|
//! | [`app`] | the handles that all requests share, and what runs beside them |
//! | [`server`] | the doors: GraphQL over HTTP, sockets, SSE, multipart; pages, health. A token becomes a viewer here and nowhere else |
//! | [`graphql`] | the schema's roots, a list; the limits before execution; running subscriptions |
//! | [`privacy`] | one's own data: gathering it into an archive, and deleting the account with what becomes of each thing then |
//! | [`viewer`], [`admin`] | what the signed-in person, and what administrators see: they gather from every feature |
//! | [`account`] | people: passwords, sessions, tokens, roles, the audit log |
//! | [`chat`] | rooms and messages; [`chat::branch`] is the tree they stand in, [`chat::room`] what people have among themselves, [`chat::lifetime`] messages that disappear, [`chat::reply`] the engine that writes answers |
//! | [`presence`] | who is here, on which servers, with leases; who types; what assistants do: told at once, kept nowhere |
//! | [`export`] | archives of one's data: that there are such, how far they are, how they are downloaded |
//! | [`contact`] | finding people, address books, blocks |
//! | [`tool`] | tools for models: MCP servers, and the conversations with them |
//! | [`assistant`] | AIs with instructions and a model of their own, private or shared |
//! | [`usage`] | what every attempt at a provider cost, reports of it, and budgets |
//! | [`model`] | models: what they take, can and cost |
//! | [`notify`] | telling those who do not look: web push, and webhooks to other services |
//! | [`search`] | finding what was said: which messages, and where in them; below the chats, so that their tools can search, too |
//! | [`memory`] | what the AI knows of a person across chats: memories and preferences |
//! | [`vault`] | provider keys, sealed |
//! | [`ai`] | talking to models, in neutral words; one folder per wire format |
//! | [`job`] | what is done in the background, and certainly |
//! | [`event`] | the log of what happened, and how clients follow it |
//! | [`db`] | connections, migrations, the embedded Postgres |
//! | [`page`], [`id`], [`input`], [`scalar`], [`error`], [`config`], [`context`] | what every feature is made of |
//! | [`command`] | the command line |
//!
//! Imports run one way:
//!
//! ```text
//! command -> server -> graphql -> viewer | admin -> privacy -> chat -> notify -> presence -> assistant | memory | contact | export | usage | tool | search -> model -> vault -> account -> event | job | db | page | input -> id | error | scalar
//!                                                    chat | tool | notify | vault -> ai  (app and context go everywhere)
//! ```
//!
//! # Invariants
//!
//! 1. Whatever was acknowledged is in Postgres. [`event::Log::wake`] is called after the commit, never inside.
//! 2. For every subscription: snapshot + applied events == a fresh read. A repetition is the same change again.
//! 3. A cursor is a snapshot, never a bare number: transactions commit in another order than they are numbered.
//! 4. No pooled connection is held while waiting for a model, a socket or a subscriber. No std mutex across an await.
//! 5. A generation belongs to no request. Its stored text is at most 250 ms behind what was shown; one whose process
//!    died becomes INTERRUPTED with its text kept.
//! 6. Access is a value: functions that change a chat hold a [`chat::member::Membership`], which has three constructors. What
//!    one may not see does not exist: the same null, the same NOT_FOUND.
//! 7. Only `config.rs` reads the environment, only `error.rs` makes GraphQL errors, only `ai` (and the fetching of
//!    Postgres) makes connections outwards over HTTP, `tool` and `notify` speak through those of `ai`, whose guard they
//!    cannot leave out, only the doors, the app and the engine spawn tasks.
//! 8. Secrets live in types that print as redacted and are no GraphQL types.
//! 9. Every queue is bounded, and beside it stands what happens when it is full: a slow watcher of tokens gets longer
//!    pieces, a slow reader of events goes on with what was handed out lately, or reads the log.
//! 10. What is taken from outside is an argument: settings, listener, shutdown.
//!
//! `tests/it/tidy.rs` checks what can be checked of this by reading.
//!
//! # The walk of `sendMessage`
//!
//! 1. [`server`]: bytes -> limits -> token -> [`account::viewer::Viewer`].
//! 2. [`chat::api`]: viewer -> user, input -> [`chat::send::NewMessage`].
//! 3. [`chat::send`]: the same key before ([`chat::claim`])? the first result again. Who pays? Then one transaction
//!    ([`chat::turn`]): the chat's row lock (it orders the chat's events), message, reply, generation QUEUED, events. After
//!    it: wake the log, start the engine.
//!    In rooms of people it is [`chat::room::post`], and who answers in a group, at whose expense and shown what, is found
//!    in [`chat::room::answer`].
//! 4. [`chat::reply`]: history on a short connection -> prompt -> the provider's stream -> the one text that everybody
//!    watches; checkpoints and leases beside it; one closing transaction with text, status, usage and event.
//! 5. [`ai`]: neutral request <-> wire, bytes <-> delta.
//! 6. `generationEvents`: what lies behind the watcher's own mark, in one piece, then the next.

// The roots of the schema are merged of many objects, one within the other.
#![recursion_limit = "256"]

pub mod account;
pub mod admin;
pub mod ai;
pub mod app;
pub mod assistant;
pub mod chat;
pub mod command;
pub mod config;
pub mod contact;
pub mod context;
pub mod db;
pub mod error;
pub mod event;
pub mod export;
pub mod graphql;
pub mod id;
pub mod input;
pub mod job;
pub mod memory;
pub mod model;
pub mod notify;
pub mod page;
pub mod presence;
pub mod privacy;
pub mod scalar;
pub mod search;
pub mod server;
pub mod tool;
pub mod usage;
pub mod vault;
pub mod viewer;
