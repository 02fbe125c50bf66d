//! A node inside a program: open it on a store, give it workers, drain it.

use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Backend, Clock, Entropy, StoreError, SystemClock, SystemEntropy};
use leasehold_contract::{EngineResult, Maintenance};
use leasehold_core::error::{BackendErrorKind, EngineError};
use leasehold_sdk::{Client, DrainReport, WorkerBuilder, WorkerRuntime};
use std::sync::Arc;
use std::time::Duration;

/// Which store a node is opened on.
enum Store {
    #[cfg(feature = "sqlite")]
    Sqlite(leasehold_sqlite::SqliteOptions),
    #[cfg(feature = "postgres")]
    Postgres(leasehold_postgres::PostgresOptions),
    #[cfg(feature = "redis")]
    Redis(leasehold_redis::RedisOptions),
    #[cfg(feature = "memory")]
    Memory(leasehold_memory::MemoryStore),
    Backend(Arc<dyn Backend>),
}

/// A node that is not open yet.
#[derive(Default)]
pub struct NodeBuilder {
    store: Option<Store>,
    options: EngineOptions,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Arc<dyn Entropy>>,
}

impl NodeBuilder {
    /// On one SQLite file, made when it is missing. Every acknowledged write
    /// survives the loss of power.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(self, path: impl Into<std::path::PathBuf>) -> Self {
        self.sqlite_with(leasehold_sqlite::SqliteOptions::new(path))
    }

    /// On one SQLite file, with options.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_with(mut self, options: leasehold_sqlite::SqliteOptions) -> Self {
        self.store = Some(Store::Sqlite(options));
        self
    }

    /// On a PostgreSQL database.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres(mut self, options: leasehold_postgres::PostgresOptions) -> Self {
        self.store = Some(Store::Postgres(options));
        self
    }

    /// On a Valkey or Redis server or Cluster.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis(mut self, options: leasehold_redis::RedisOptions) -> Self {
        self.store = Some(Store::Redis(options));
        self
    }

    /// In memory: gone with the node. For tests and trials.
    #[cfg(feature = "memory")]
    #[must_use]
    pub fn memory(self) -> Self {
        self.memory_store(leasehold_memory::MemoryStore::new())
    }

    /// In a store in memory that outlives the node.
    #[cfg(feature = "memory")]
    #[must_use]
    pub fn memory_store(mut self, store: leasehold_memory::MemoryStore) -> Self {
        self.store = Some(Store::Memory(store));
        self
    }

    /// On a store that is open already. It must be given this builder's
    /// clock.
    #[must_use]
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.store = Some(Store::Backend(backend));
        self
    }

    /// Sizes, times and switches.
    #[must_use]
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Where time comes from; the machine's clock unless said.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where randomness comes from; the operating system unless said.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// Opens the store and serves it. Work that was under way when the store
    /// was last used goes on.
    ///
    /// # Errors
    ///
    /// `invalid_input` without a store; `transport` for what the store
    /// refuses, such as a file that another process has open.
    pub async fn open(self) -> EngineResult<Node> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let entropy = self.entropy.unwrap_or_else(|| Arc::new(SystemEntropy::default()));
        let (backend, label) = match self.store {
            None => return Err(EngineError::invalid_input("store: choose sqlite, memory or a backend")),
            #[cfg(feature = "sqlite")]
            Some(Store::Sqlite(options)) => {
                let opened = leasehold_sqlite::SqliteBackend::open(options, clock.clone()).await;
                let backend: Arc<dyn Backend> = Arc::new(opened.map_err(|error| refused("sqlite", error))?);
                (backend, "sqlite")
            }
            #[cfg(feature = "postgres")]
            Some(Store::Postgres(options)) => {
                let opened = leasehold_postgres::PostgresBackend::open(options).await;
                let backend: Arc<dyn Backend> = Arc::new(opened.map_err(|error| refused("postgres", error))?);
                (backend, "postgres")
            }
            #[cfg(feature = "redis")]
            Some(Store::Redis(options)) => {
                let opened = leasehold_redis::RedisBackend::open(options).await;
                let backend: Arc<dyn Backend> = Arc::new(opened.map_err(|error| refused("redis", error))?);
                (backend, "redis")
            }
            #[cfg(feature = "memory")]
            Some(Store::Memory(store)) => {
                let backend = leasehold_memory::MemoryBackend::new(store, clock.clone()).exclusively();
                let backend: Arc<dyn Backend> = Arc::new(backend);
                (backend, "memory")
            }
            Some(Store::Backend(backend)) => {
                let label = backend.tag().as_str();
                (backend, label)
            }
        };
        let env = Env::new(backend.clone(), clock, entropy, self.options);
        match EngineHandle::start(env).await {
            Ok(engine) => Ok(Node { engine }),
            Err(error) => {
                // A file must not stay locked by a node that never was.
                backend.close().await;
                Err(refused(label, error))
            }
        }
    }
}

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

fn refused(backend: &'static str, error: StoreError) -> EngineError {
    let kind = match &error {
        StoreError::Busy { .. } | StoreError::Unknown { .. } => BackendErrorKind::Timeout,
        _ => BackendErrorKind::Other,
    };
    EngineError::Transport { backend, kind, message: error.to_string() }
}

/// A running node. Clones mean the same one; dropping them does not end it.
#[derive(Clone, Debug)]
pub struct Node {
    engine: EngineHandle,
}

impl Node {
    /// Begins to describe a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// A client.
    pub fn client(&self) -> Client {
        Client::new(self.engine.clone())
    }

    /// A worker of this name, to be given handlers and started.
    pub fn worker(&self, name: impl AsRef<str>) -> WorkerBuilder {
        WorkerRuntime::builder(self.engine.clone()).worker_id(name)
    }

    /// Says that a transactional create has been committed, so that it starts
    /// at once. Without a word it is found within two seconds.
    pub fn announce(&self) {
        self.engine.announce();
    }

    /// The engine, for every operation there is.
    pub fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// Ends all workers, as [`Worker::drain`](leasehold_sdk::Worker::drain)
    /// does; then takes nothing new and waits for what is under way. Both
    /// wait at most `grace`.
    ///
    /// # Errors
    ///
    /// `timeout` when operations are still under way after `grace`.
    pub async fn drain(&self, grace: Duration) -> EngineResult<DrainReport> {
        let fleets = self.engine.fleets();
        let reports = futures::future::join_all(fleets.iter().map(|fleet| fleet.drain(grace))).await;
        self.engine.shutdown_prepare(grace).await?;
        Ok(reports.into_iter().fold(DrainReport::default(), |sum, report| DrainReport {
            given_back: sum.given_back + report.given_back,
            stuck: sum.stuck + report.stuck,
        }))
    }

    /// Ends the node at once and closes its store. Call [`Self::drain`]
    /// first to let work end; what still runs is given up and goes on when
    /// the store is opened again.
    pub async fn shutdown(&self) {
        self.engine.shutdown().await;
    }
}
