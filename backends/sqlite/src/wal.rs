//! The log: copying it into the database, and its size.
//!
//! A commit that copied the log on its way would keep everything behind it
//! waiting. So a connection of its own does that beside the commits, every
//! so many rows, and goes on until little is left. Each time it copies little:
//! commits wait at the disk behind what it writes. Once the log is long the
//! rest is copied between two commits, so that the next one finds the log
//! copied whole and starts it over. SQLite's own copying inside a commit stays
//! on, far behind, for the case that all of this fails.
//!
//! A reader that stays keeps the log from starting over, and it grows. Beyond
//! the limit the store tries after a commit, at most once a second, to copy
//! what can be copied without waiting for anybody; while something is left it
//! says that the log is over its limit.

use crate::SqliteBackend;
use crate::errors;
use crate::read::Column;
use crate::writer::Writer;
use leasehold_backend::StoreResult;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Executor};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Copies the log into the database as far as no reader needs what is there.
const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Between two attempts to copy a log over its limit.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What may be left for the copying between two commits, in pages.
const REST_PAGES: i64 = 200;

/// Passes beside the commits before the rest is copied, however much it is:
/// commits that write faster than a pass copies must not run ahead for ever.
const PASSES_MAX: u32 = 4;

/// Pages a written row costs, about: its own and its share of the indexes.
const PAGES_PER_ROW: u64 = 2;

/// Copyings beside the commits until the log is long enough to start over.
const SHARES: u32 = 8;

/// Nobody copies.
const IDLE: u8 = 0;
/// The copying beside the commits is under way.
const BESIDE: u8 = 1;
/// It is over; the rest is to be copied between two commits.
const REST: u8 = 2;

/// What is known of the log.
#[derive(Debug)]
pub(crate) struct Wal {
    path: PathBuf,
    limit_bytes: u64,
    /// Rows between two copyings.
    every_rows: u64,
    /// Pages of a log that is to start over.
    long_pages: i64,
    rows: AtomicU64,
    stage: Arc<AtomicU8>,
    copier: Arc<Copier>,
    retry_at: Mutex<Option<Duration>>,
    over: AtomicBool,
}

/// The connection that copies beside the commits.
#[derive(Debug)]
struct Copier {
    options: SqliteConnectOptions,
    connection: tokio::sync::Mutex<Option<SqliteConnection>>,
}

impl Wal {
    pub(crate) fn beside(
        database: &Path,
        limit_bytes: u64,
        checkpoint_pages: u32,
        copying: SqliteConnectOptions,
    ) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        Self {
            path: name.into(),
            limit_bytes,
            every_rows: (u64::from(checkpoint_pages / SHARES) / PAGES_PER_ROW).max(1),
            long_pages: i64::from(checkpoint_pages),
            rows: AtomicU64::new(0),
            stage: Arc::new(AtomicU8::new(IDLE)),
            copier: Arc::new(Copier { options: copying, connection: tokio::sync::Mutex::default() }),
            retry_at: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// The log's size on the disk; zero when there is none.
    pub(crate) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Looks after the log once a commit of so many rows is over. Failing to
    /// empty it is no failure of the commit.
    pub(crate) async fn check(&self, store: &SqliteBackend, writer: &mut Writer, rows: u64) {
        match self.stage.load(Relaxed) {
            IDLE if self.rows.fetch_add(rows, Relaxed) + rows >= self.every_rows => {
                self.rows.store(0, Relaxed);
                self.stage.store(BESIDE, Relaxed);
                let (copier, stage, long) = (Arc::clone(&self.copier), Arc::clone(&self.stage), self.long_pages);
                tokio::spawn(async move {
                    let is_long = match copier.run().await {
                        Ok(frames) => frames >= long,
                        Err(error) => {
                            tracing::warn!(%error, "the log could not be copied beside the commits");
                            true
                        }
                    };
                    stage.store(if is_long { REST } else { IDLE }, Relaxed);
                });
            }
            REST => {
                copy(writer).await;
                self.stage.store(IDLE, Relaxed);
            }
            _ => {}
        }
        self.check_size(store, writer).await;
    }

    async fn check_size(&self, store: &SqliteBackend, writer: &mut Writer) {
        if self.bytes() <= self.limit_bytes {
            self.over.store(false, Relaxed);
            return;
        }
        if !self.is_time(store.monotonic()) {
            return;
        }
        let copied = copy(writer).await;
        if !copied {
            tracing::warn!(bytes = self.bytes(), limit = self.limit_bytes, "the log stays over its limit");
        }
        self.over.store(!copied, Relaxed);
    }

    fn is_time(&self, now: Duration) -> bool {
        let mut retry_at = self.retry_at.lock().unwrap_or_else(PoisonError::into_inner);
        if retry_at.is_some_and(|at| now < at) {
            return false;
        }
        *retry_at = Some(now + RETRY_AFTER);
        true
    }

    /// Closes the connection that copies, once it has nothing under way.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.copier.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the copying connection failed");
        }
    }
}

impl Copier {
    /// Copies beside the commits until little is left; how many pages the log
    /// has.
    async fn run(&self) -> StoreResult<i64> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(errors::of_read)?,
        };
        let mut pages = 0;
        for _ in 0..PASSES_MAX {
            let row = connection.fetch_one(COPY).await.map_err(errors::of_read)?;
            let (frames, copied) = progress(&row);
            pages = frames;
            if frames - copied <= REST_PAGES {
                break;
            }
        }
        *slot = Some(connection);
        Ok(pages)
    }
}

/// Copies between two commits; whether nothing is left.
async fn copy(writer: &mut Writer) -> bool {
    match writer.run_outside(COPY).await {
        Ok(answers) => answers.first().and_then(|answer| answer.rows.first()).is_some_and(copied_all),
        Err(error) => {
            tracing::warn!(%error, "the log could not be copied");
            false
        }
    }
}

/// Frames in the log and frames copied.
fn progress(row: &SqliteRow) -> (i64, i64) {
    let column = Column::of(row, "pragma", &"wal_checkpoint");
    let number = |index| column.int(index, "frames").unwrap_or(-1);
    (number(1), number(2))
}

/// Whether the copying, which answers (busy, frames in the log, frames
/// copied), left nothing.
fn copied_all(row: &SqliteRow) -> bool {
    let column = Column::of(row, "pragma", &"wal_checkpoint");
    let (frames, copied) = progress(row);
    column.int(0, "busy").unwrap_or(-1) == 0 && frames == copied
}
