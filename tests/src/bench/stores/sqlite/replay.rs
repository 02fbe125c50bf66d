//! The drain once more, without the engine.
//!
//! The store records every write transaction of the measured drain as it is
//! sent: the text of each trip to SQLite and the values bound to it. Before
//! the drain the database file is copied. The replay runs the recorded trips,
//! in their order and unchanged, on a connection with the store's pragmas and
//! the copy. Only the boundaries of transactions move: `BEGIN IMMEDIATE` and
//! `COMMIT` are cut from the trips, and a transaction is committed (durably)
//! as soon as 256 or more events were appended since the last one. An
//! execution of this drain appends two events, its claim and its completion,
//! so that is 128 executions per transaction; a trip is never cut in two.
//!
//! The values are prepared before the clock starts. What remains in the time
//! is sqlx's trips, SQLite and the disk. Afterwards the copy must hold as many
//! completed executions as the drain has completed.

use super::raw;
use crate::bench::{BenchError, BenchResult, rig};
use leasehold_backend::{Clock, SystemClock};
use leasehold_sqlite::{RecordedTransaction, RecordedValue};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What opens a transaction.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// What ends one on its last trip.
const AND_COMMIT: &str = "; COMMIT";

/// How the statement begins that appends events, and its values per row. A
/// row without a first value is padding.
const APPEND: &str = "INSERT OR ROLLBACK INTO events ";
const APPEND_COLUMNS: usize = 6;

/// Events of 128 executions.
const EVENTS_PER_TRANSACTION: usize = 2 * 128;

/// How often the log is tried to be emptied, and the pause between two tries.
const CHECKPOINT_TRIES: u32 = 100;
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(20);

/// One trip.
struct Trip {
    sql: Arc<str>,
    values: SqliteArguments,
}

/// Copies the database file as it stands. The log is emptied into it first,
/// so that the one file is everything; the node must be idle.
///
/// # Errors
///
/// A log that cannot be emptied.
pub(super) async fn copy(file: &Path, to: &Path) -> BenchResult<()> {
    checkpoint(file).await?;
    std::fs::copy(file, to)?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// Empties the log into the file; the node must be idle.
///
/// # Errors
///
/// A log that cannot be emptied.
pub(super) async fn checkpoint(file: &Path) -> BenchResult<()> {
    let mut connection = raw::connect(file).await?;
    for _ in 0..CHECKPOINT_TRIES {
        let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
        if busy == 0 {
            return Ok(connection.close().await?);
        }
        // tidy: sleep because SQLite does not wait for another connection that copies, as the idle store's may
        SystemClock::default().sleep(CHECKPOINT_PAUSE).await;
    }
    Err("the log could not be emptied".into())
}

/// Replays what a drain of `executions` has written; executions per second.
///
/// # Errors
///
/// A replay that does not end where the drain did.
pub(super) async fn run(copy: &Path, recorded: Vec<RecordedTransaction>, executions: usize) -> BenchResult<f64> {
    let trips = regroup(recorded)?;
    let mut connection = raw::connect(copy).await?;
    let clock = SystemClock::default();
    let began = clock.monotonic();
    for Trip { sql, values } in trips {
        drain(&mut connection, sql, values).await?;
    }
    let elapsed = clock.monotonic().saturating_sub(began);
    let completed: i64 = sqlx::query_scalar("SELECT count(*) FROM executions WHERE public_state = 'completed'")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    if usize::try_from(completed)? != executions {
        return Err(format!("the replay completed {completed} of {executions} executions").into());
    }
    Ok(rig::rate(executions, elapsed))
}

/// Runs a trip and takes everything it answers, as the store does.
async fn drain(connection: &mut SqliteConnection, sql: Arc<str>, values: SqliteArguments) -> Result<(), sqlx::Error> {
    use futures::TryStreamExt;
    let mut answers = connection.fetch_many(sqlx::query_with(AssertSqlSafe(sql), values));
    while answers.try_next().await?.is_some() {}
    Ok(())
}

/// The trips with transactions of 128 executions. `BEGIN` and `COMMIT` ride on
/// the first and the last trip of a transaction, as they do in the store.
fn regroup(recorded: Vec<RecordedTransaction>) -> BenchResult<Vec<Trip>> {
    let mut trips: Vec<Trip> = Vec::new();
    let (mut events, mut open) = (0, false);
    for (sql, values) in recorded.into_iter().flat_map(|transaction| transaction.statements) {
        let body = sql.strip_prefix(BEGIN).map_or(&*sql, |rest| rest.trim_start_matches(';').trim_start());
        let body = body.strip_suffix(AND_COMMIT).unwrap_or(body);
        if body.is_empty() || body == "COMMIT" {
            continue;
        }
        events += appended(body, &values);
        let (first, last) = (!open, events >= EVENTS_PER_TRANSACTION);
        let mut text = String::with_capacity(body.len() + BEGIN.len() + AND_COMMIT.len() + 2);
        if first {
            text.push_str(BEGIN);
            text.push_str("; ");
        }
        text.push_str(body);
        if last {
            text.push_str(AND_COMMIT);
            events = 0;
        }
        open = !last;
        trips.push(Trip { sql: text.into(), values: arguments(values)? });
    }
    if open {
        trips.push(Trip { sql: "COMMIT".into(), values: SqliteArguments::default() });
    }
    Ok(trips)
}

/// How many events a trip appends.
fn appended(sql: &str, values: &[RecordedValue]) -> usize {
    if !sql.starts_with(APPEND) {
        return 0;
    }
    values.iter().step_by(APPEND_COLUMNS).filter(|first| **first != RecordedValue::Null).count()
}

fn arguments(values: Vec<RecordedValue>) -> BenchResult<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added: Result<(), BenchError> = match value {
            RecordedValue::Null => arguments.add(None::<i64>),
            RecordedValue::Int(number) => arguments.add(number),
            RecordedValue::Text(text) => arguments.add(text),
            RecordedValue::Blob(bytes) => arguments.add(bytes),
        };
        added?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(events: usize) -> RecordedTransaction {
        let row = |first| [first].into_iter().chain((1..APPEND_COLUMNS).map(|_| RecordedValue::Null));
        let mut values: Vec<_> = (0..events).flat_map(|_| row(RecordedValue::Int(1))).collect();
        values.extend(row(RecordedValue::Null));
        let statements =
            vec![("BEGIN IMMEDIATE; UPDATE nodes".to_owned(), Vec::new()), (format!("{APPEND}...; COMMIT"), values)];
        RecordedTransaction { statements }
    }

    #[test]
    fn transactions_are_regrouped_by_the_events_they_append() {
        let trips = regroup(vec![transaction(128), transaction(128), transaction(1)]).unwrap();
        let texts: Vec<_> = trips.iter().map(|trip| &*trip.sql).collect();
        let append = format!("{APPEND}...");
        let expected = [
            "BEGIN IMMEDIATE; UPDATE nodes".to_owned(),
            append.clone(),
            "UPDATE nodes".to_owned(),
            format!("{append}; COMMIT"),
            "BEGIN IMMEDIATE; UPDATE nodes".to_owned(),
            append,
            "COMMIT".to_owned(),
        ];
        assert_eq!(texts, expected);
    }
}
