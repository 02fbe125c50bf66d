//! How the tests of this crate come to a store: a file in a folder of its own.

#![allow(dead_code, reason = "every test file uses its own part of it")]

use leasehold_backend::{Clock, ManualClock, StoreResult};
use leasehold_backend_suite::START;
use leasehold_sqlite::{SqliteBackend, SqliteOptions};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// One node on one store.
pub type Engine = leasehold_backend_suite::Engine<SqliteBackend>;

pub fn options(folder: &TempDir) -> SqliteOptions {
    SqliteOptions { wal_reserve_bytes: 0, ..SqliteOptions::new(folder.path().join("store.db")) }
}

pub async fn open(options: SqliteOptions, clock: &Arc<ManualClock>) -> StoreResult<SqliteBackend> {
    SqliteBackend::open(options, Arc::clone(clock) as Arc<dyn Clock>).await
}

pub fn raw_options(path: &Path) -> sqlx::sqlite::SqliteConnectOptions {
    sqlx::sqlite::SqliteConnectOptions::new().filename(path)
}

/// A node that owns the partitions 0 to 7 of a fresh store.
pub async fn engine(folder: &TempDir) -> Engine {
    engine_with(options(folder), 1, &(0..8).collect::<Vec<_>>()).await
}

/// A node that owns the given partitions of a store.
pub async fn engine_with(options: SqliteOptions, seed: u64, partitions: &[u16]) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let store = Arc::new(open(options, &clock).await.unwrap());
    Engine::on(store, clock, seed, partitions).await
}
