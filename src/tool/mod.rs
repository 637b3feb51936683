//! Tools: MCP servers, and what they can do for models.
//!
//! Everybody may bring servers of their own over HTTP; administrators share servers with all, and only they have some
//! started as processes of this machine. In reading order:
//!
//! - `server`: the rows, and who may see them
//! - `spec`: input -> checked server; `change`: adding, updating, refreshing, removing; `columns`: how it is written
//! - `listing`: what a server says it can do, cut to what is taken
//! - `connection`: one conversation with a server, by the official SDK; `child`: the process behind one
//! - `pool`: the conversations that are open, one for each server and person
//! - `outcome`: what a call came to, in the words that the model gets
//! - `builtin`: what a tool of Parlor's own is; `grant`: what people let tools do unasked
//! - `offer`: the tools that one answer may use, under the names that the model knows them by
//! - `api`: the GraphQL side
//!
//! What a server says is data: names are rewritten, schemas and results are cut, and nothing it says is ever an
//! instruction to us. A person's conversation is never used for another, and neither are their headers.

pub mod api;
pub mod builtin;
pub mod change;
pub mod grant;
pub mod offer;
pub mod outcome;
pub mod pool;
pub mod server;

mod child;
mod columns;
mod connection;
mod listing;
mod spec;

pub use listing::KnownTool;
pub use outcome::Outcome;
pub use pool::Pool;

use std::time::Duration;

/// A name that no server may have: it is that of Parlor's own tools.
const BUILTIN: &str = "parlor";
/// The most servers that one person, or the administrators together, may keep.
const MOST_SERVERS: i64 = 32;
/// The most tools of one server. Models choose badly among hundreds, and OpenAI takes 128 in all.
const MOST_TOOLS: usize = 64;
/// The most bytes of one tool's schema: each is sent with every question.
const SCHEMA_BYTES: usize = 16 * 1024;
/// The most bytes of a server's descriptions and schemas together.
const LISTING_BYTES: usize = 128 * 1024;
/// The most bytes of a call's arguments.
const ARGUMENT_BYTES: usize = 64 * 1024;
/// The most bytes of a result that a model is shown; longer ones are cut, and say so.
const RESULT_BYTES: usize = 32 * 1024;
/// The most bytes of one message of a server; what is longer is not read to its end.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long a server may take to greet and to list its tools.
const CONNECT: Duration = Duration::from_secs(20);
/// The most conversations that are open at once.
const MOST_CONNECTIONS: usize = 128;
/// The most of them that are processes of this machine.
const MOST_CHILDREN: usize = 16;
