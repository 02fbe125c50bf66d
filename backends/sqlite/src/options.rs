//! How a SQLite store is opened.

use std::path::PathBuf;
use std::time::Duration;

/// When a commit is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Before it is acknowledged: it survives the loss of power.
    #[default]
    Full,
    /// At the next checkpoint: it survives the end of the process, and the
    /// last moments before a loss of power may be gone.
    Normal,
}

/// How a SQLite store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file; made when it is missing, its folder is not.
    pub path: PathBuf,
    /// When a commit is on the disk.
    pub synchronous: Synchronous,
    /// How many connections read at the same time.
    pub readers: u32,
    /// Page cache of the writing connection, in KiB. SQLite walks all of it at
    /// the end of many commits, so that more than the pages in use is a loss.
    pub writer_cache_kib: u32,
    /// Page cache of each reading connection, in KiB.
    pub reader_cache_kib: u32,
    /// After about how many pages the log is copied into the database file. A
    /// longer log costs less in all; it takes as much room beside the database
    /// and is read when the store is opened after a crash.
    pub checkpoint_pages: u32,
    /// The size that the log's file is given when the store is opened. A commit
    /// that writes over what is there takes about two thirds of the time of one
    /// that makes the file longer. No more than half of `wal_limit_bytes` is
    /// taken, and nothing where the disk has no room for it.
    pub wal_reserve_bytes: u64,
    /// The size of the log beyond which the store tries to copy it into the
    /// database after a commit, and [`SqliteBackend::is_wal_over_limit`] tells
    /// the engine to take no new work until that succeeds.
    ///
    /// [`SqliteBackend::is_wal_over_limit`]: crate::SqliteBackend::is_wal_over_limit
    pub wal_limit_bytes: u64,
    /// How long a statement waits for a lock that a program beside the engine
    /// holds on the file.
    pub busy_timeout: Duration,
}

impl SqliteOptions {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::Full,
            readers: 4,
            writer_cache_kib: 16 * 1024,
            reader_cache_kib: 8 * 1024,
            checkpoint_pages: 96_000,
            wal_reserve_bytes: 32 << 20,
            wal_limit_bytes: 1 << 30,
            busy_timeout: Duration::from_secs(5),
        }
    }
}
