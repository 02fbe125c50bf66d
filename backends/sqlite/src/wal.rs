//! The log: copying it into the database, and its size.
//!
//! A commit that copied the log on its way would keep everything behind it
//! waiting. So once the log is long a connection of its own copies it beside
//! the commits. What it writes lies all over the database file, and the syncs
//! of commits wait at the disk behind it; so the file is written out piece by
//! piece, too, before the next pass copies what has come meanwhile. Each pass
//! finds less. The last rest is copied between two commits, so that the next
//! one finds the log copied whole and starts it over. SQLite's own copying
//! inside a commit stays on, far behind, for the case that all of this fails.
//!
//! A page that many commits change is written to the database once per
//! copying: the longer the log, the less is written in all.
//!
//! A reader that stays keeps the log from starting over, and it grows. Beyond
//! the limit the store tries after a commit, at most once a second, to copy
//! what can be copied without waiting for anybody; while something is left it
//! says that the log is over its limit.

use crate::SqliteBackend;
use crate::errors;
use crate::flush::Flusher;
use crate::open::beside;
use crate::read::Column;
use crate::writer::Writer;
use leasehold_backend::StoreResult;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Executor};
use std::fs::File;
use std::io::Read;
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

/// In about how many pieces the file is written out after each pass. More of
/// them hold a commit up less and take longer, so that more is left to the next
/// pass; the later ones have little to write.
const PIECES: [usize; 3] = [64, 16, 4];

/// Pages a written row costs, about: its own and its share of the indexes.
const PAGES_PER_ROW: u64 = 2;

/// Pages a commit costs beside those of its rows, about: the head, and the
/// first page of each index.
const PAGES_PER_COMMIT: u64 = 4;

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
    /// Pages of a log that is to be copied, and to start over.
    long_pages: u64,
    /// Pages written since it was copied last, about.
    pages: AtomicU64,
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
    flusher: Arc<Flusher>,
}

impl Wal {
    pub(crate) fn beside(
        database: &Path,
        limit_bytes: u64,
        checkpoint_pages: u32,
        copying: SqliteConnectOptions,
    ) -> Self {
        Self {
            path: log_of(database),
            limit_bytes,
            long_pages: u64::from(checkpoint_pages),
            pages: AtomicU64::new(0),
            stage: Arc::new(AtomicU8::new(IDLE)),
            copier: Arc::new(Copier {
                options: copying,
                connection: tokio::sync::Mutex::default(),
                flusher: Arc::new(Flusher::of(database)),
            }),
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
        let pages = rows * PAGES_PER_ROW + PAGES_PER_COMMIT;
        let pages = self.pages.fetch_add(pages, Relaxed) + pages;
        match self.stage.load(Relaxed) {
            IDLE if pages >= self.long_pages => {
                self.pages.store(0, Relaxed);
                self.stage.store(BESIDE, Relaxed);
                let (copier, stage) = (Arc::clone(&self.copier), Arc::clone(&self.stage));
                tokio::spawn(async move {
                    if let Err(error) = copier.run().await {
                        tracing::warn!(%error, "the log could not be copied beside the commits");
                    }
                    stage.store(REST, Relaxed);
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

/// Makes the log's file at least so long, with zeros behind what is there. They
/// are no frames, so whoever reads the log stops before them. Nobody may be
/// writing to it.
///
/// # Errors
///
/// What the file system says; the file is as long as before.
pub(crate) fn reserve(database: &Path, bytes: u64) -> std::io::Result<()> {
    let mut log = std::fs::OpenOptions::new().append(true).open(log_of(database))?;
    let before = log.metadata()?.len();
    let filled = fill(&mut log, bytes.saturating_sub(before));
    if filled.is_err() {
        log.set_len(before)?;
    }
    filled
}

fn fill(log: &mut File, bytes: u64) -> std::io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    std::io::copy(&mut std::io::repeat(0).take(bytes), log)?;
    log.sync_all()
}

fn log_of(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

impl Copier {
    /// Copies beside the commits until little is left.
    async fn run(&self) -> StoreResult<()> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(errors::of_read)?,
        };
        let mut before = 0;
        for pieces in PIECES {
            let row = connection.fetch_one(COPY).await.map_err(errors::of_read)?;
            let (_, copied) = progress(&row);
            let flusher = Arc::clone(&self.flusher);
            match tokio::task::spawn_blocking(move || flusher.flush(pieces)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the database could not be written out in pieces"),
                Err(error) => tracing::warn!(%error, "writing the database out in pieces broke off"),
            }
            // How much has come during a pass is seen by what the next one finds.
            if copied - before <= REST_PAGES {
                break;
            }
            before = copied;
        }
        *slot = Some(connection);
        Ok(())
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
