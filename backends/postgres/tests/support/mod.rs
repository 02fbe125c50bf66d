//! How the tests of this crate come to a store: a schema of its own.

#![allow(dead_code, reason = "every test file uses its own part of it")]

use leasehold_backend::{Clock, Entropy, ManualClock, StoreResult, SystemEntropy};
use leasehold_backend_suite::START;
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::sync::Arc;

/// One node on one store.
pub type Engine = leasehold_backend_suite::Engine<PostgresBackend>;

/// A schema of its own on the server the tests were given.
pub struct Place {
    pub url: String,
    pub schema: String,
}

/// The server's address.
pub fn server() -> String {
    std::env::var("LEASEHOLD_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "LEASEHOLD_TEST_POSTGRES is not set: these tests need a private PostgreSQL server. Run `cargo xtask test`, \
             which installs and starts one."
        )
    })
}

impl Place {
    /// A schema that nobody else uses.
    pub fn fresh() -> Self {
        let unique = SystemEntropy::default().uuid().simple().to_string();
        Self { url: server(), schema: format!("t_{unique}") }
    }

    pub fn options(&self, clock: &Arc<ManualClock>) -> PostgresOptions {
        let mut options = PostgresOptions::new(&self.url);
        options.schema.clone_from(&self.schema);
        options.readers = 2;
        options.clock = Some(Arc::clone(clock) as Arc<dyn Clock>);
        options
    }

    /// A connection beside the store, with its schema on the path.
    pub async fn raw(&self) -> PgConnection {
        let mut raw = PgConnection::connect(&self.url).await.unwrap();
        let path = format!("SET search_path TO {}", self.schema);
        raw.execute(AssertSqlSafe(path)).await.unwrap();
        raw
    }

    pub async fn open(&self, clock: &Arc<ManualClock>) -> StoreResult<PostgresBackend> {
        PostgresBackend::open(self.options(clock)).await
    }
}

impl leasehold_backend_suite::Place for Place {
    type Store = PostgresBackend;

    fn fresh() -> Self {
        Self::fresh()
    }

    async fn open(&self, clock: &Arc<ManualClock>) -> Arc<PostgresBackend> {
        Arc::new(self.open(clock).await.unwrap())
    }
}

/// A node that owns the partitions 0 to 7 of a fresh store.
pub async fn engine(place: &Place) -> Engine {
    Engine::at(place).await
}

/// A node that waits for nobody's locks.
pub async fn engine_impatient(place: &Place) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let mut options = place.options(&clock);
    options.timeouts.lock = std::time::Duration::from_millis(50);
    let store = Arc::new(PostgresBackend::open(options).await.unwrap());
    Engine::on(store, clock, 1, &(0..8).collect::<Vec<_>>()).await
}
