//! SQLite: files in a folder on a disk.

mod raw;
mod replay;

use super::{Check, Counts, Outsider, Place, RawCommits, RawRates, Store, Tally};
use crate::bench::{BenchResult, machine};
use async_trait::async_trait;
use leasehold::SqliteOptions;
use leasehold_backend::{Backend, Clock};
use leasehold_core::command::CreateExecution;
use leasehold_sqlite::{RecordedTransaction, SqliteBackend};
use raw::Raw;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Raw transactions of one row.
const RAW_SINGLES: usize = 2000;

/// Raw transactions of a hundred rows.
const RAW_BATCHES: usize = 100;

/// The tables whose rows are counted.
const TABLES: [&str; 6] = ["executions", "blobs", "attempts", "idempotency", "lanes", "events"];

/// A folder that files are made in.
pub(super) struct Files {
    folder: TempDir,
}

impl Files {
    /// # Errors
    ///
    /// A folder that cannot be made.
    pub(super) fn open(dir: PathBuf) -> BenchResult<Self> {
        Ok(Self { folder: tempfile::tempdir_in(dir)? })
    }

    async fn raw(&self) -> BenchResult<(TempDir, Raw)> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let raw = Raw::open(&folder.path().join("raw.db")).await?;
        Ok((folder, raw))
    }
}

#[async_trait]
impl Place for Files {
    async fn settings(&self) -> BenchResult<String> {
        let folder = self.folder.path().display();
        Ok(format!("SQLite in {folder}, journal_mode=WAL, synchronous=FULL, the product's defaults"))
    }

    async fn raw_rates(&self) -> BenchResult<RawRates> {
        let (_folder, mut raw) = self.raw().await?;
        let single = raw::per_second(&raw.singles(RAW_SINGLES).await?);
        let batch_rows = Some(raw.batches(RAW_BATCHES).await?);
        raw.close().await?;
        Ok(RawRates { single, batch_rows })
    }

    async fn raw_commits(&self) -> BenchResult<Box<dyn RawCommits>> {
        let (folder, raw) = self.raw().await?;
        Ok(Box::new(Singles { raw, _folder: folder }))
    }

    async fn fresh(&self) -> BenchResult<Box<dyn Store>> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        Ok(Box::new(File { folder, backend: None, recorded: Vec::new() }))
    }
}

struct Singles {
    raw: Raw,
    _folder: TempDir,
}

#[async_trait]
impl RawCommits for Singles {
    async fn times(&mut self, count: usize) -> BenchResult<Vec<f64>> {
        self.raw.singles(count).await
    }

    async fn close(self: Box<Self>) -> BenchResult<()> {
        self.raw.close().await
    }
}

/// One database file.
struct File {
    folder: TempDir,
    backend: Option<Arc<SqliteBackend>>,
    recorded: Vec<RecordedTransaction>,
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("node.db")
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy.db")
    }

    fn backend(&self) -> BenchResult<&SqliteBackend> {
        Ok(self.backend.as_deref().ok_or("the store is not open")?)
    }

    async fn number(&self, sql: &'static str) -> BenchResult<f64> {
        let mut connection = raw::connect(&self.path()).await?;
        let number: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number as f64)
    }
}

#[async_trait]
impl Store for File {
    async fn open(&mut self, clock: Arc<dyn Clock>) -> BenchResult<Arc<dyn Backend>> {
        let backend = Arc::new(SqliteBackend::open(SqliteOptions::new(self.path()), clock).await?);
        self.backend = Some(Arc::clone(&backend));
        Ok(backend)
    }

    async fn counts(&self) -> BenchResult<Counts> {
        let stats = self.backend()?.stats();
        Ok(Counts {
            commits: self.number("SELECT coalesce(sum(commit_seq), 0) FROM nodes").await?,
            statements: stats.statements as f64,
            round_trips: stats.round_trips as f64,
            bytes: Some(machine::bytes_written()?),
            server_cpu_us: None,
        })
    }

    async fn asked(&self) -> BenchResult<f64> {
        let stats = self.backend()?.stats();
        Ok((stats.statements + stats.reads) as f64)
    }

    fn server_cpu_us(&self) -> BenchResult<Option<f64>> {
        Ok(None)
    }

    async fn record(&mut self) -> BenchResult<()> {
        replay::copy(&self.path(), &self.copy()).await?;
        self.backend()?.record_statements(true);
        Ok(())
    }

    fn stop_recording(&mut self) {
        if let Some(backend) = &self.backend {
            backend.record_statements(false);
            self.recorded = backend.take_recorded();
        }
    }

    async fn replay(&mut self, executions: usize) -> BenchResult<Option<f64>> {
        let recorded = std::mem::take(&mut self.recorded);
        replay::run(&self.copy(), recorded, executions).await.map(Some)
    }

    async fn count_rows(&mut self) -> BenchResult<()> {
        let mut connection = raw::connect(&self.path()).await?;
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

    async fn tally(&self) -> BenchResult<Tally> {
        let rows = self.number("SELECT sum(rows) FROM bench_rows").await?;
        let by_crate = self.backend()?.stats().rows_written as f64;
        Ok(Tally { rows, members: None, checks: vec![Check { what: "rows", by_store: rows, by_crate, slack: 0.0 }] })
    }

    async fn rest(&self) -> BenchResult<()> {
        replay::checkpoint(&self.path()).await
    }

    async fn outsider(&self) -> BenchResult<Option<Box<dyn Outsider>>> {
        Ok(Some(Box::new(Application { connection: raw::connect(&self.path()).await? })))
    }

    async fn remove(self: Box<Self>) -> BenchResult<()> {
        Ok(self.folder.close()?)
    }
}

struct Application {
    connection: SqliteConnection,
}

#[async_trait]
impl Outsider for Application {
    async fn create(&mut self, create: &CreateExecution, clock: &dyn Clock) -> BenchResult<Duration> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        leasehold_sqlite::inbox::create(&mut transaction, create).await?;
        let asked = clock.monotonic();
        transaction.commit().await?;
        Ok(asked)
    }

    async fn close(self: Box<Self>) -> BenchResult<()> {
        Ok(self.connection.close().await?)
    }
}
