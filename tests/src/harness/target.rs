//! The stores a harness can run on.

use super::Options;
use leasehold_backend::{Backend, Clock};
use leasehold_memory::{MemoryBackend, MemoryStore};
use leasehold_sqlite::{SqliteBackend, SqliteOptions};
use std::sync::Arc;
use tempfile::TempDir;

/// A store to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The store of the simulation.
    Memory,
    /// A SQLite file in a folder of its own, with the product's durability.
    Sqlite,
}

impl Target {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Memory, Self::Sqlite];

    /// The name it has in the names of tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }
}

/// The data itself, which outlives engines.
pub(super) enum Store {
    Memory(MemoryStore),
    Sqlite(TempDir),
}

impl Store {
    /// An empty store.
    pub(super) fn new(target: Target) -> Self {
        match target {
            Target::Memory => Self::Memory(MemoryStore::new()),
            Target::Sqlite => Self::Sqlite(tempfile::tempdir().expect("a folder for the database")),
        }
    }

    /// A node's way to the data.
    pub(super) async fn open(&self, _options: &Options, clock: Arc<dyn Clock>) -> Arc<dyn Backend> {
        match self {
            // One engine at a time: having the store proves that the one
            // before is gone, as the lock file does for SQLite.
            Self::Memory(store) => Arc::new(MemoryBackend::new(store.clone(), clock).exclusively()),
            Self::Sqlite(folder) => {
                let options = SqliteOptions {
                    readers: 2,
                    writer_cache_kib: 1024,
                    reader_cache_kib: 1024,
                    ..SqliteOptions::new(folder.path().join("leasehold.db"))
                };
                Arc::new(SqliteBackend::open(options, clock).await.expect("the database opens"))
            }
        }
    }
}
