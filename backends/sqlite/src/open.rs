//! Opening the file: the lock, the writing connection, the reading ones.

use crate::errors;
use crate::inspect::{self, FileKind};
use crate::lock::FileLock;
use crate::options::{SqliteOptions, Synchronous};
use crate::prepare::MIGRATIONS;
use crate::stats::{Counters, Recorder};
use crate::wal;
use crate::writer::Writer;
use leasehold_backend::{Obstacle, StoreError, StoreResult};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many times the pages of a copying the log may hold before a commit
/// copies it on its way after all.
const COPY_LATE: u32 = 4;

/// What opening gives.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) lock: FileLock,
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) copying: SqliteConnectOptions,
}

/// Opens the file, making it when it is missing.
pub(crate) async fn open(
    options: &SqliteOptions,
    counters: &Arc<Counters>,
    recorder: &Arc<Recorder>,
) -> StoreResult<Opened> {
    let path = resolved(&options.path)?;
    refuse_foreign(&path)?;
    let lock = FileLock::acquire(&path)?;
    let cannot = |error: sqlx::Error| match errors::classify(&error) {
        errors::Failure::Busy => StoreError::busy(error.to_string()),
        _ => StoreError::refused(format!("The database {} cannot be opened: {error}.", path.display())),
    };
    let writer = Writer::connect(writing(options, &path), Arc::clone(counters), Arc::clone(recorder));
    let mut writer = writer.await.map_err(cannot)?;
    // SQLite makes the log when the file is read first.
    writer.run_outside("PRAGMA user_version").await?;
    reserve(options, &path).await;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        // A local connection does not go stale; asking it would double the trips.
        .test_before_acquire(false)
        .connect_lazy_with(reading(options, &path));
    let copying = copying(options, &path);
    Ok(Opened { path, lock, writer, readers, copying })
}

/// Gives the log's file its size. The store works without, only slower.
async fn reserve(options: &SqliteOptions, path: &Path) {
    let bytes = options.wal_reserve_bytes.min(options.wal_limit_bytes / 2);
    let database = path.to_owned();
    match tokio::task::spawn_blocking(move || wal::reserve(&database, bytes)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, bytes, "no room was set aside for the log"),
        Err(error) => tracing::warn!(%error, "setting room aside for the log broke off"),
    }
}

/// One name per file, whatever links lead to it, so that there is one lock.
fn resolved(path: &Path) -> StoreResult<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let name = path.file_name().ok_or_else(|| {
        StoreError::refused(format!("{} does not name a file for the SQLite database.", path.display()))
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(|error| {
        StoreError::refused(format!("The folder {} of the SQLite database cannot be used: {error}.", folder.display()))
    })?;
    Ok(folder.join(name))
}

/// A connection that writes changes what is no store of ours, if only the way
/// its log is kept; such a file is not even locked. Whatever is still in a
/// log is judged once it is open.
fn refuse_foreign(path: &Path) -> StoreResult<()> {
    match inspect::header(path) {
        Ok(FileKind::Foreign) => Err(inspect::foreign(path).into()),
        Ok(FileKind::Store(version)) if version as usize > MIGRATIONS.len() => {
            Err(Obstacle::newer_schema(path.display(), version, MIGRATIONS.len() as u32).into())
        }
        // One that cannot be read says so when it is opened.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A file that stands beside another under its name and an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn base(options: &SqliteOptions, path: &Path, cache_kib: u32) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        // No table refers to another; the engine's rules stand above the store.
        .foreign_keys(false)
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

fn writing(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    let synchronous = match options.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    base(options, path, options.writer_cache_kib)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("wal_autocheckpoint", options.checkpoint_pages.saturating_mul(COPY_LATE).to_string())
        .pragma("journal_size_limit", options.wal_limit_bytes.min(i64::MAX as u64).to_string())
        // Every statement of a batch in every size it is used in.
        .statement_cache_capacity(256)
        .thread_name(|number| format!("sqlite-writer-{number}"))
}

fn copying(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    base(options, path, 64).synchronous(SqliteSynchronous::Full).thread_name(|number| format!("sqlite-log-{number}"))
}

fn reading(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    base(options, path, options.reader_cache_kib)
        .read_only(true)
        .statement_cache_capacity(64)
        .thread_name(|number| format!("sqlite-reader-{number}"))
}
