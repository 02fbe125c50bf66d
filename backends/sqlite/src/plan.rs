//! How SQLite means to run a statement, for tests.

use crate::prepare::MIGRATIONS;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, sqlite::SqliteConnectOptions};

/// The lines of `EXPLAIN QUERY PLAN` over an empty store.
pub(crate) async fn plan(sql: &str) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    for migration in MIGRATIONS {
        connection.execute(*migration).await.unwrap();
    }
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let rows = connection.fetch_all(sqlx::query(AssertSqlSafe(sql))).await.unwrap();
    rows.iter().map(|row| row.get(3)).collect()
}

/// Whether the plan visits a whole table of the schema.
pub(crate) fn scans_a_table(plan: &[String]) -> bool {
    let tables =
        ["executions", "blobs", "attempts", "idempotency", "lanes", "kept", "events", "inbox", "t", "e", "n", "i"];
    plan.iter().any(|line| {
        let mut words = line.split(' ');
        words.next() == Some("SCAN") && words.next().is_some_and(|name| tables.contains(&name))
    })
}

/// Whether the plan collects rows to sort them.
pub(crate) fn sorts(plan: &[String]) -> bool {
    plan.iter().any(|line| line.starts_with("USE TEMP B-TREE"))
}
