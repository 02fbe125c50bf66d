//! A bounded set of connections to the server.

use crate::binds::Binds;
use crate::errors::{self, Failed};
use crate::stats::Counters;
use crate::wire::{Manner, Wire, within};
use leasehold_backend::{StoreError, StoreResult};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgRow};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections that are made when they are needed.
pub(crate) struct Pool {
    name: &'static str,
    options: PgConnectOptions,
    manner: Arc<Manner>,
    connect: Duration,
    acquire: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<Wire>>,
}

/// A connection in somebody's hands.
pub(crate) struct Held<'p> {
    wire: Wire,
    was_idle: bool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(crate) fn new(
        name: &'static str,
        size: u32,
        options: PgConnectOptions,
        manner: Arc<Manner>,
        connect: Duration,
        acquire: Duration,
    ) -> Self {
        let permits = Semaphore::new(size.max(1) as usize);
        Self { name, options, manner, connect, acquire, permits, idle: Mutex::default() }
    }

    /// Makes a connection and keeps it.
    pub(crate) async fn warm(&self) -> Result<(), sqlx::Error> {
        let wire = self.connected().await?;
        self.put_back(wire);
        Ok(())
    }

    async fn connected(&self) -> Result<Wire, sqlx::Error> {
        Counters::add(&self.manner.counters.connects, 1);
        let connection = within(self.connect, self.options.connect()).await?;
        Ok(Wire::over(connection, Arc::clone(&self.manner)))
    }

    async fn permit(&self) -> StoreResult<SemaphorePermit<'_>> {
        match tokio::time::timeout(self.acquire, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(StoreError::permanent("the store is closed")),
            Err(_) => Err(StoreError::busy(format!("every connection for {} is in use", self.name))),
        }
    }

    fn taken(&self) -> Option<Wire> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, wire: Wire) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(wire);
    }

    async fn held(&self) -> StoreResult<Held<'_>> {
        let permit = self.permit().await?;
        let idle = self.taken();
        let was_idle = idle.is_some();
        let wire = match idle {
            Some(wire) => wire,
            None => self.connected().await.map_err(|error| errors::of_read(&Failed::before(error)))?,
        };
        Ok(Held { wire, was_idle, _permit: permit })
    }

    /// Runs a statement that changes something, as a transaction of its own.
    pub(crate) async fn write(&self, text: Arc<str>, binds: Binds) -> StoreResult<Vec<PgRow>> {
        let mut held = self.held().await?;
        match held.wire.run_alone(text, binds).await {
            Ok(rows) => {
                self.put_back(held.wire);
                Ok(rows)
            }
            Err(failed) => {
                self.keep_if_sound(held.wire, &failed);
                Err(errors::of_write(&failed))
            }
        }
    }

    /// Runs a statement that may be repeated: a read, or a write that does
    /// the same a second time. Where a connection that had been idle turns out
    /// to be gone, a fresh one is tried.
    pub(crate) async fn repeatable(&self, text: &Arc<str>, binds: impl Fn() -> Binds) -> StoreResult<Vec<PgRow>> {
        loop {
            let mut held = self.held().await?;
            match held.wire.run_alone(Arc::clone(text), binds()).await {
                Ok(rows) => {
                    self.put_back(held.wire);
                    return Ok(rows);
                }
                Err(failed) => {
                    let is_answer = failed.is_answer();
                    self.keep_if_sound(held.wire, &failed);
                    if is_answer || !held.was_idle {
                        return Err(errors::of_read(&failed));
                    }
                    // The others are as old as this one.
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                }
            }
        }
    }

    /// Opens a transaction of several statements. Dropping it takes the
    /// connection along, and with that ends it without effect.
    pub(crate) async fn transaction(&self) -> StoreResult<Transaction<'_>> {
        loop {
            let mut held = self.held().await?;
            match held.wire.begin().await {
                Ok(()) => return Ok(Transaction { pool: self, held }),
                Err(failed) if failed.is_answer() || !held.was_idle => return Err(errors::of_read(&failed)),
                Err(_) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear(),
            }
        }
    }

    /// After an error that the server answered with, a connection goes on.
    /// Behind a pooler a transaction is still open on it, and it is not worth
    /// a trip to end that.
    fn keep_if_sound(&self, wire: Wire, failed: &Failed) {
        if failed.is_answer() && !self.manner.pooler {
            self.put_back(wire);
        }
    }

    /// Ends all connections. Those in somebody's hands end with their call.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for wire in idle {
            wire.close().await;
        }
    }
}

/// A transaction of several statements.
pub(crate) struct Transaction<'p> {
    pool: &'p Pool,
    held: Held<'p>,
}

impl Transaction<'_> {
    pub(crate) async fn run(&mut self, text: Arc<str>, binds: Binds) -> StoreResult<Vec<PgRow>> {
        self.held.wire.run(text, binds).await.map_err(|failed| errors::of_write(&failed))
    }

    /// Runs statements without values.
    pub(crate) async fn run_plain(&mut self, text: &str) -> StoreResult<Vec<PgRow>> {
        self.held.wire.run_plain(text).await.map_err(|failed| errors::of_write(&failed))
    }

    pub(crate) async fn commit(mut self) -> StoreResult<()> {
        self.held.wire.commit().await.map_err(|failed| errors::of_write(&failed))?;
        self.pool.put_back(self.held.wire);
        Ok(())
    }
}
