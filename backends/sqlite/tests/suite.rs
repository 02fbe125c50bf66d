//! What every store must do, on SQLite.

mod support;

use leasehold_backend::ManualClock;
use leasehold_backend_suite::Place;
use leasehold_sqlite::SqliteBackend;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

/// A folder that goes with its store.
struct Folder(TempDir);

impl Place for Folder {
    type Store = SqliteBackend;

    fn fresh() -> Self {
        Self(tempdir().unwrap())
    }

    async fn open(&self, clock: &Arc<ManualClock>) -> Arc<SqliteBackend> {
        Arc::new(support::open(support::options(&self.0), clock).await.unwrap())
    }
}

leasehold_backend_suite::every_store!(Folder);
leasehold_backend_suite::whole_batches!(Folder);
