//! What the disk gives without an engine: rows of an integer key and a 1 KiB
//! blob, written through sqlx on one connection with the store's own pragmas
//! (`journal_mode=WAL`, `synchronous=FULL`, the same checkpoints and cache).

use crate::bench::BenchResult;
use crate::bench::rig::{self, PAYLOAD_BYTES, ms};
use bytes::Bytes;
use leasehold::SqliteOptions;
use leasehold_backend::{Clock, SystemClock, SystemEntropy};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::path::Path;
use std::sync::Arc;

/// Rows of one transaction of [`Raw::batches`].
const BATCH_ROWS: usize = 100;

/// A connection of its own on a file.
pub(super) struct Raw {
    connection: SqliteConnection,
    clock: SystemClock,
    entropy: SystemEntropy,
    next_key: i64,
}

/// Opens a file as the store's writer does.
///
/// # Errors
///
/// What SQLite refuses.
pub(super) async fn connect(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let store = SqliteOptions::new(file);
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(store.busy_timeout)
        .foreign_keys(false)
        .pragma("cache_size", format!("-{}", store.writer_cache_kib))
        .pragma("temp_store", "MEMORY")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", store.checkpoint_pages.to_string())
        .pragma("journal_size_limit", store.wal_limit_bytes.to_string())
        .statement_cache_capacity(256)
        .disable_statement_logging()
        .connect()
        .await
}

impl Raw {
    /// A table of its own in a new file.
    ///
    /// # Errors
    ///
    /// What SQLite refuses.
    pub(super) async fn open(file: &Path) -> BenchResult<Self> {
        let mut connection = connect(file).await?;
        sqlx::query("CREATE TABLE raw (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)").execute(&mut connection).await?;
        let (clock, entropy) = (SystemClock::default(), SystemEntropy::default());
        Ok(Self { connection, clock, entropy, next_key: 1 })
    }

    fn row(&mut self) -> (i64, Bytes) {
        let key = self.next_key;
        self.next_key += 1;
        (key, rig::payload(&self.entropy))
    }

    /// Durable transactions of one row; how long each took, in ms.
    ///
    /// # Errors
    ///
    /// What SQLite refuses.
    pub(super) async fn singles(&mut self, count: usize) -> BenchResult<Vec<f64>> {
        let rows: Vec<_> = (0..count).map(|_| self.row()).collect();
        let mut took = Vec::with_capacity(count);
        let mut began = self.clock.monotonic();
        for (key, bytes) in rows {
            let insert = sqlx::query("INSERT INTO raw (id, bytes) VALUES (?, ?)").bind(key).bind(Vec::from(bytes));
            insert.execute(&mut self.connection).await?;
            let now = self.clock.monotonic();
            took.push(ms(now.saturating_sub(began)));
            began = now;
        }
        Ok(took)
    }

    /// Durable transactions of a hundred rows, one statement each; rows per
    /// second.
    ///
    /// # Errors
    ///
    /// What SQLite refuses.
    pub(super) async fn batches(&mut self, count: usize) -> BenchResult<f64> {
        let text: Arc<str> =
            format!("INSERT INTO raw (id, bytes) VALUES {}", vec!["(?,?)"; BATCH_ROWS].join(",")).into();
        let batches: Vec<Vec<_>> = (0..count).map(|_| (0..BATCH_ROWS).map(|_| self.row()).collect()).collect();
        let began = self.clock.monotonic();
        for batch in batches {
            let mut insert = sqlx::query(AssertSqlSafe(text.clone()));
            for (key, bytes) in batch {
                insert = insert.bind(key).bind(Vec::from(bytes));
            }
            insert.execute(&mut self.connection).await?;
        }
        Ok(rig::rate(count * BATCH_ROWS, self.clock.monotonic().saturating_sub(began)))
    }

    /// Closes the file.
    ///
    /// # Errors
    ///
    /// What SQLite refuses.
    pub(super) async fn close(self) -> BenchResult<()> {
        Ok(self.connection.close().await?)
    }
}

/// The rate that times of single transactions amount to.
pub(super) fn per_second(took_ms: &[f64]) -> f64 {
    took_ms.len() as f64 * 1000.0 / took_ms.iter().sum::<f64>().max(f64::EPSILON)
}

const _: () = assert!(PAYLOAD_BYTES == 1024, "the rows are those of the payloads");
