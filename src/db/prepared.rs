//! Statements that a connection prepares once, where Diesel would prepare them anew each time: a round trip more, and
//! planned again.

use std::marker::PhantomData;

use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement that is prepared when a connection first runs it and kept, as most of Diesel's own query builder are.
/// Diesel prepares a plain [`diesel::sql_query`] and a [`diesel::update`] anew each time, because it cannot know whether
/// their text was put together at run time.
#[derive(Debug)]
pub struct Prepared<Q>(Q);

/// Keeps a `diesel::sql_query` or a `diesel::update` prepared. For constant texts, or few different ones, only, for each stays in each connection for good; without
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

/// A piece of SQL within a statement of Diesel's query builder, which stays prepared: one with a [`diesel::dsl::sql`] in it
/// is prepared anew each time.
#[derive(Debug, Clone, Copy)]
pub struct Fixed<T> {
    text: &'static str,
    sql_type: PhantomData<T>,
}

/// This text as an expression of type `T`. It stands where it is put as it is: in brackets where that matters.
pub fn fixed<T>(text: &'static str) -> Fixed<T> {
    Fixed {
        text,
        sql_type: PhantomData,
    }
}

impl<T: TypedExpressionType> Expression for Fixed<T> {
    type SqlType = T;
}

impl<T: TypedExpressionType, S> SelectableExpression<S> for Fixed<T> {}

impl<T: TypedExpressionType, S> AppearsOnTable<S> for Fixed<T> {}

impl<T, G> ValidGrouping<G> for Fixed<T> {
    type IsAggregate = is_aggregate::Never;
}

impl<T> QueryFragment<Pg> for Fixed<T> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(self.text);
        Ok(())
    }
}

impl<T> QueryId for Fixed<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
