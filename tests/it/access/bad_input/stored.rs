//! What is stored, in a few numbers that no change leaves as they were.

use tokio_postgres::{Client as Sql, Statement};

use crate::harness::app::TestApp;

/// How much there is of everything, and what: one line for each table, with the number of its rows and the sum of the numbers of
/// the transactions that wrote them. A row that is written now has a higher one than all that are there: as many rows with the
/// same sum are the same rows.
pub(super) type Look = Vec<(i64, i64)>;

/// All tables of the application.
pub(super) struct Store {
    sql: Sql,
    tables: Vec<String>,
    look: Statement,
}

/// Without the log of what people do, which tells of what they tried, too.
const TABLES: &str = "SELECT relname::text FROM pg_class \
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace AND relname <> 'audit_log' ORDER BY 1";

impl Store {
    pub(super) async fn of(app: &TestApp) -> Store {
        let sql = app.sql().await;
        let rows = sql.query(TABLES, &[]).await.expect("tables");
        let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let one = |(at, table): (usize, &String)| {
            format!("SELECT {at}, count(*), coalesce(sum(xmin::text::bigint), 0)::bigint FROM {table}")
        };
        let look: Vec<String> = tables.iter().enumerate().map(one).collect();
        let look = format!("{} ORDER BY 1", look.join(" UNION ALL "));
        let look = sql.prepare(&look).await.expect("a statement");
        Store { sql, tables, look }
    }

    pub(super) async fn look(&self) -> Look {
        let rows = self.sql.query(&self.look, &[]).await.expect("sums");
        rows.iter().map(|row| (row.get(1), row.get(2))).collect()
    }

    /// The tables in which two looks differ.
    pub(super) fn changed(&self, before: &[(i64, i64)], after: &[(i64, i64)]) -> Vec<&str> {
        let pairs = self.tables.iter().zip(before.iter().zip(after));
        let differing = pairs.filter(|(_, (before, after))| before != after);
        differing.map(|(table, _)| table.as_str()).collect()
    }
}
