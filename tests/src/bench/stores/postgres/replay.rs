//! The drain once more, without the engine.
//!
//! The store records the statement of every commit of the measured drain as
//! it is sent: the text and the values bound to it. Before the drain a second
//! database is given the same schema, by the same migrations, and then the
//! rows of every table. The replay runs the recorded statements, in their
//! order and unchanged, in that database on one connection with the store's
//! own settings. Only the boundaries of transactions move: statements that
//! append fewer than 256 events together share a transaction. An execution of
//! this drain appends two events, its claim and its completion, so that is
//! 128 executions per transaction; a statement is never cut in two, and one
//! that has as many by itself is its own transaction, as in the drain.
//!
//! The values are prepared before the clock starts, and each text once on the
//! connection, as on one that has been in use. What remains in the time is
//! sqlx's trips, PostgreSQL and the disk. Afterwards the copy must hold as
//! many completed executions as the drain has completed.

use super::SCHEMA;
use crate::bench::{BenchResult, rig};
use futures::TryStreamExt;
use leasehold::PostgresOptions;
use leasehold_backend::{Backend, Clock, SystemClock};
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::{PostgresBackend, RecordedCommit};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};

/// Events of 128 executions.
const EVENTS_PER_TRANSACTION: usize = 2 * 128;

/// Makes the schema in another database and fills it with the rows of the
/// first.
///
/// # Errors
///
/// What the server refuses.
pub(super) async fn copy(from: &str, to: &str, partitions: &PartitionConfig) -> BenchResult<()> {
    let backend = PostgresBackend::open(PostgresOptions::new(to)).await?;
    backend.prepare(partitions).await?;
    backend.close().await;
    let (mut from, mut to) = (PgConnection::connect(from).await?, PgConnection::connect(to).await?);
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = $1")
        .bind(SCHEMA)
        .fetch_all(&mut from)
        .await?;
    for table in tables {
        let table = format!("\"{SCHEMA}\".\"{table}\"");
        to.execute(AssertSqlSafe(format!("TRUNCATE {table}"))).await?;
        let mut rows = from.copy_out_raw(&format!("COPY {table} TO STDOUT (FORMAT binary)")).await?;
        let mut into = to.copy_in_raw(&format!("COPY {table} FROM STDIN (FORMAT binary)")).await?;
        while let Some(bytes) = rows.try_next().await? {
            into.send(&bytes[..]).await?;
        }
        into.finish().await?;
    }
    from.close().await?;
    Ok(to.close().await?)
}

/// Replays what a drain of `executions` has written; executions per second.
///
/// # Errors
///
/// A replay that does not end where the drain did.
pub(super) async fn run(url: &str, recorded: Vec<RecordedCommit>, executions: usize) -> BenchResult<f64> {
    let transactions = regroup(recorded);
    let mut connection = PostgresOptions::new(url).connect_options()?.connect().await?;
    for commit in transactions.iter().flatten() {
        (&mut connection).prepare(AssertSqlSafe(commit.text.clone()).into_sql_str()).await?;
    }
    let clock = SystemClock::default();
    let began = clock.monotonic();
    for transaction in transactions {
        let alone = transaction.len() == 1;
        if !alone {
            connection.execute("BEGIN").await?;
        }
        for commit in transaction {
            let query = sqlx::query_with(AssertSqlSafe(commit.text), commit.arguments);
            connection.fetch_all(query).await?;
        }
        if !alone {
            connection.execute("COMMIT").await?;
        }
    }
    let elapsed = clock.monotonic().saturating_sub(began);
    let count = format!("SELECT count(*) FROM \"{SCHEMA}\".executions_done WHERE public_state = 'completed'");
    let completed: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut connection).await?;
    connection.close().await?;
    if usize::try_from(completed)? != executions {
        return Err(format!("the replay completed {completed} of {executions} executions").into());
    }
    Ok(rig::rate(executions, elapsed))
}

/// The commits by transaction.
fn regroup(recorded: Vec<RecordedCommit>) -> Vec<Vec<RecordedCommit>> {
    let mut transactions = Vec::new();
    let (mut open, mut events) = (Vec::new(), 0);
    for commit in recorded {
        events += commit.events;
        open.push(commit);
        if events >= EVENTS_PER_TRANSACTION {
            transactions.push(std::mem::take(&mut open));
            events = 0;
        }
    }
    if !open.is_empty() {
        transactions.push(open);
    }
    transactions
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::postgres::PgArguments;

    #[test]
    fn transactions_are_regrouped_by_the_events_they_append() {
        let commit = |events| RecordedCommit { text: "".into(), arguments: PgArguments::default(), events };
        let recorded = [128, 100, 28, 300, 1].map(commit).to_vec();
        let sizes: Vec<_> = regroup(recorded).iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 1, 1]);
    }
}
