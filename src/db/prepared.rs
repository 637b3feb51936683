//! Statements in SQL that a connection prepares once.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement that is prepared when a connection first runs it and kept, as those of Diesel's own query builder are.
/// Diesel prepares a plain [`diesel::sql_query`] anew each time, which costs a round trip, because it cannot know
/// whether its text was put together at run time.
#[derive(Debug)]
pub struct Prepared<Q>(Q);

/// Keeps a `diesel::sql_query` prepared. For constant texts only, for each stays in each connection for good; without
/// `*`, which would fail after a migration in a server that runs meanwhile; and not where the best plan depends on the
/// values, for Postgres settles on one plan after some runs.
pub fn prepared<Q>(query: Q) -> Prepared<Q> {
    Prepared(query)
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}
