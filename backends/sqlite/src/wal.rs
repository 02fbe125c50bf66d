//! The size of the log.
//!
//! SQLite copies the log into the database on its own every so many pages; a
//! reader that stays keeps it from starting over, and it grows. Beyond the
//! limit the store tries to empty it after each commit, at most once a
//! second, and says meanwhile that it is over the limit.

use crate::SqliteBackend;
use crate::read::Column;
use crate::writer::Writer;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Copies the log into the database and empties it, if no reader needs it.
const EMPTY: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Between two attempts to empty the log.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is known of the log.
#[derive(Debug)]
pub(crate) struct Wal {
    path: PathBuf,
    limit_bytes: u64,
    retry_at: std::sync::Mutex<Option<Duration>>,
    over: std::sync::atomic::AtomicBool,
}

impl Wal {
    pub(crate) fn beside(database: &Path, limit_bytes: u64) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        Self { path: name.into(), limit_bytes, retry_at: std::sync::Mutex::default(), over: false.into() }
    }

    /// The log's size on the disk; zero when there is none.
    pub(crate) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Looks at the log after a commit. Failing to empty it is no failure of
    /// the commit.
    pub(crate) async fn check(&self, store: &SqliteBackend, writer: &mut Writer) {
        if self.bytes() <= self.limit_bytes {
            self.over.store(false, std::sync::atomic::Ordering::Relaxed);
            return;
        }
        if !self.is_time(store.monotonic()) {
            return;
        }
        let emptied = match writer.run_outside(EMPTY).await {
            Ok(answers) => answers.first().and_then(|answer| answer.rows.first()).is_some_and(|row| {
                let column = Column::of(row, "pragma", &"wal_checkpoint");
                column.int(0, "busy").is_ok_and(|busy| busy == 0)
            }),
            Err(error) => {
                tracing::warn!(%error, "the log could not be emptied");
                false
            }
        };
        if !emptied {
            tracing::warn!(bytes = self.bytes(), limit = self.limit_bytes, "the log stays over its limit");
        }
        self.over.store(!emptied, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_time(&self, now: Duration) -> bool {
        let mut retry_at = self.retry_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if retry_at.is_some_and(|at| now < at) {
            return false;
        }
        *retry_at = Some(now + RETRY_AFTER);
        true
    }
}
