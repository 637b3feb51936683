//! Postgres: the pool, the migrations, the embedded server, and how enums and sessions are set up.

mod connect;
pub mod embedded;
mod lives;
mod migrate;
mod prepared;
#[expect(missing_docs, reason = "generated from the migrations, whose comments are its docs")]
pub mod schema;
mod text_enum;

pub use connect::{Connection, Pool, PooledConnection, connect, pool};
pub(crate) use lives::lives;
pub use migrate::{MigrateError, migrate, ping, revert_all, server_version};
pub use prepared::{Fixed, Prepared, fixed, prepared};
pub(crate) use text_enum::text_enum;
