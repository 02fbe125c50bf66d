//! What a drain has written, counted by the store.
//!
//! * *commits*: how far the node's row in the database, the head that every
//!   commit advances, has moved (`SELECT commit_seq FROM nodes`).
//! * *rows*: what triggers have counted inside the writer's transactions,
//!   one per row inserted, updated or deleted, in a drain of its own that is
//!   not timed. The heads of the nodes table are left out: one per commit.
//! * *statements*: what the store's writing connection has run, `BEGIN` and
//!   `COMMIT` included ([`leasehold_sqlite::Stats`]).
//! * *bytes*: what the process has handed to the file system, log and
//!   checkpoints (`wchar` of `/proc/self/io`).

use super::rig::Rig;
use super::{BenchResult, disk, raw};
use sqlx::{AssertSqlSafe, Connection};
use std::path::Path;

/// The tables whose rows are counted.
const TABLES: [&str; 6] = ["executions", "blobs", "attempts", "idempotency", "lanes", "events"];

/// Everything so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) commits: f64,
    pub(super) statements: f64,
    pub(super) bytes: f64,
}

impl Counts {
    /// Looks at the store.
    ///
    /// # Errors
    ///
    /// What SQLite refuses.
    pub(super) async fn read(rig: &Rig, file: &Path) -> BenchResult<Self> {
        let commits = number(file, "SELECT coalesce(sum(commit_seq), 0) FROM nodes").await?;
        Ok(Self { commits, statements: rig.backend.stats().statements as f64, bytes: disk::bytes_written()? })
    }

    /// What has been added since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            commits: self.commits - before.commits,
            statements: self.statements - before.statements,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// Rows per execution of a drain that is not timed.
///
/// # Errors
///
/// What SQLite refuses, and a store whose own counter says otherwise.
pub(super) async fn rows_per_execution(file: &Path, executions: usize, workers: u32) -> BenchResult<f64> {
    let rig = Rig::open(file).await?;
    rig.submit_in_bulk(executions).await?;
    install(file).await?;
    let before = rig.backend.stats().rows_written;
    rig.drain(executions, workers).await?;
    let told = rig.backend.stats().rows_written - before;
    let rows = number(file, "SELECT sum(rows) FROM bench_rows").await?;
    rig.node.shutdown().await;
    if (rows - told as f64).abs() > f64::EPSILON {
        return Err(format!("triggers counted {rows} rows, the store says {told}").into());
    }
    Ok(rows / executions as f64)
}

async fn install(file: &Path) -> BenchResult<()> {
    let mut connection = raw::connect(file).await?;
    let mut texts = vec![
        "CREATE TABLE bench_rows (only_row INTEGER PRIMARY KEY, rows INTEGER NOT NULL)".to_owned(),
        "INSERT INTO bench_rows VALUES (1, 0)".to_owned(),
    ];
    for table in TABLES {
        for change in ["INSERT", "UPDATE", "DELETE"] {
            texts.push(format!(
                "CREATE TRIGGER bench_{table}_{change} AFTER {change} ON {table} \
                 BEGIN UPDATE bench_rows SET rows = rows + 1 WHERE only_row = 1; END"
            ));
        }
    }
    for text in texts {
        sqlx::query(AssertSqlSafe(text)).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

async fn number(file: &Path, sql: &'static str) -> BenchResult<f64> {
    let mut connection = raw::connect(file).await?;
    let number: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(number as f64)
}
