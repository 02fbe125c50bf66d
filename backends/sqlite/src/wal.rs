//! The size of the log.
//!
//! SQLite copies the log into the database on its own every so many pages and
//! then starts it over, cutting the file down to the limit. A reader that
//! stays keeps it from starting over, and it grows. Beyond the limit the store
//! tries after a commit, at most once a second, to copy what can be copied
//! without waiting for anybody; while something is left it says that the log
//! is over its limit.

use crate::SqliteBackend;
use crate::read::Column;
use crate::writer::Writer;
use sqlx::sqlite::SqliteRow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Copies the log into the database as far as no reader needs what is there.
const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Between two attempts to copy the log.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is known of the log.
#[derive(Debug)]
pub(crate) struct Wal {
    path: PathBuf,
    limit_bytes: u64,
    retry_at: Mutex<Option<Duration>>,
    over: AtomicBool,
}

impl Wal {
    pub(crate) fn beside(database: &Path, limit_bytes: u64) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        Self { path: name.into(), limit_bytes, retry_at: Mutex::default(), over: false.into() }
    }

    /// The log's size on the disk; zero when there is none.
    pub(crate) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Looks at the log after a commit. Failing to empty it is no failure of
    /// the commit.
    pub(crate) async fn check(&self, store: &SqliteBackend, writer: &mut Writer) {
        if self.bytes() <= self.limit_bytes {
            self.over.store(false, Relaxed);
            return;
        }
        if !self.is_time(store.monotonic()) {
            return;
        }
        let copied = match writer.run_outside(COPY).await {
            Ok(answers) => answers.first().and_then(|answer| answer.rows.first()).is_some_and(copied_all),
            Err(error) => {
                tracing::warn!(%error, "the log could not be copied");
                false
            }
        };
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
}

/// Whether the copying, which answers (busy, frames in the log, frames
/// copied), left nothing.
fn copied_all(row: &SqliteRow) -> bool {
    let column = Column::of(row, "pragma", &"wal_checkpoint");
    let number = |index| column.int(index, "frames").unwrap_or(-1);
    number(0) == 0 && number(1) == number(2)
}
