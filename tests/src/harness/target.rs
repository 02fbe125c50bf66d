//! The stores a harness can run on.

use super::Options;
use super::server::Space;
use leasehold_backend::{Backend, Clock};
use leasehold_memory::{MemoryBackend, MemoryStore};
use leasehold_sqlite::{SqliteBackend, SqliteOptions};
use std::sync::Arc;
use tempfile::TempDir;

/// A store to run on. Those on servers need one that was started for tests
/// (`cargo xtask services`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The store of the simulation.
    Memory,
    /// A SQLite file in a folder of its own, with the product's durability.
    Sqlite,
    /// A schema that no other test uses meanwhile, on a PostgreSQL server.
    Postgres,
    /// Keys of its own on a Redis server.
    Redis,
    /// Keys of its own on a Valkey server.
    Valkey,
    /// Keys of its own on a Valkey Cluster.
    ValkeyCluster,
}

impl Target {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Memory, Self::Sqlite, Self::Postgres, Self::Redis, Self::Valkey, Self::ValkeyCluster];

    /// The name it has in the names of tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Valkey => "valkey",
            Self::ValkeyCluster => "valkey_cluster",
        }
    }
}

/// The data itself, which outlives engines.
pub(super) enum Store {
    Memory(MemoryStore),
    Sqlite(TempDir),
    Server(Space),
}

impl Store {
    /// An empty store.
    pub(super) async fn new(target: Target, options: &Options) -> Self {
        match target {
            Target::Memory => Self::Memory(MemoryStore::new()),
            Target::Sqlite => Self::Sqlite(tempfile::tempdir().expect("a folder for the database")),
            Target::Postgres => Self::Server(Space::on_postgres(options.engine.partitions).await),
            Target::Redis => Self::Server(Space::on_redis(leasehold_services::REDIS_VARIABLE)),
            Target::Valkey => Self::Server(Space::on_redis(leasehold_services::VALKEY_VARIABLE)),
            Target::ValkeyCluster => Self::Server(Space::on_redis(leasehold_services::VALKEY_CLUSTER_VARIABLE)),
        }
    }

    /// A node's way to the data. Only one engine at a time has it, so having
    /// it proves that the one before is gone, as the lock file does for
    /// SQLite.
    pub(super) async fn open(&self, _options: &Options, clock: Arc<dyn Clock>) -> Arc<dyn Backend> {
        match self {
            Self::Memory(store) => Arc::new(MemoryBackend::new(store.clone(), clock).exclusively()),
            Self::Sqlite(folder) => {
                let options = SqliteOptions {
                    readers: 2,
                    writer_cache_kib: 1024,
                    reader_cache_kib: 1024,
                    wal_reserve_bytes: 0,
                    ..SqliteOptions::new(folder.path().join("leasehold.db"))
                };
                Arc::new(SqliteBackend::open(options, clock).await.expect("the database opens"))
            }
            Self::Server(space) => space.open(clock).await,
        }
    }

    /// Whether the data lies on a server, where it outlives the connections
    /// to it.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// Gives back what the data takes up.
    pub(super) async fn remove(self) {
        match self {
            Self::Memory(_) | Self::Sqlite(_) => (),
            Self::Server(space) => space.remove().await,
        }
    }
}
