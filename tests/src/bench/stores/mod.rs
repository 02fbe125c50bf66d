//! The stores that benches run on, each with its raw limits.
//!
//! A [`Place`] is a disk or a private server; it gives fresh [`Store`]s and
//! says how fast the same disk or server is without an engine. A [`Store`] is
//! data: a file, a database, keys with a prefix. It can be opened more than
//! once, one after the other, and tells what was written to it.

mod counts;
mod postgres;
mod redis;
mod sqlite;

pub(super) use counts::{Check, Counts, Tally, checked_rows};

use super::options::{BackendName, Common};
use super::{BenchResult, machine};
use async_trait::async_trait;
use leasehold_backend::{Backend, Clock};
use leasehold_core::command::CreateExecution;
use std::sync::Arc;
use std::time::Duration;

/// How fast a place is without an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRates {
    /// The smallest durable writes per second.
    pub(super) single: f64,
    /// Rows per second in durable transactions of a hundred, where the store
    /// has such a limit.
    pub(super) batch_rows: Option<f64>,
}

/// Where the stores of a bench lie.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// What it is and which settings it runs with, for the report. Refuses
    /// settings under which nothing is durable.
    async fn settings(&self) -> BenchResult<String>;

    /// The raw limits, measured now.
    async fn raw_rates(&self) -> BenchResult<RawRates>;

    /// Somebody who writes the smallest durable writes one after the other,
    /// for the time of a commit.
    async fn raw_commits(&self) -> BenchResult<Box<dyn RawCommits>>;

    /// A store without anything in it.
    async fn fresh(&self) -> BenchResult<Box<dyn Store>>;
}

/// Single writes on one connection.
#[async_trait]
pub(super) trait RawCommits: Send {
    /// Writes so many times; how long each took, in ms.
    async fn times(&mut self, count: usize) -> BenchResult<Vec<f64>>;

    /// Closes the connection.
    async fn close(self: Box<Self>) -> BenchResult<()>;
}

/// A store's data.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// Opens it; what was opened before must be closed.
    async fn open(&mut self, clock: Arc<dyn Clock>) -> BenchResult<Arc<dyn Backend>>;

    /// What was written so far. Cheap, and exact while nothing is written.
    async fn counts(&self) -> BenchResult<Counts>;

    /// Statements or commands of all kinds so far, as the server counts them
    /// where there is one. Exact when the last of them is some seconds old.
    async fn asked(&self) -> BenchResult<f64>;

    /// Processor time of the server so far, in microseconds; none without a
    /// server.
    fn server_cpu_us(&self) -> BenchResult<Option<f64>>;

    /// Copies the data and records from now on what commits write, for
    /// [`Store::replay`]. The node must be idle.
    async fn record(&mut self) -> BenchResult<()>;

    /// Stops recording.
    fn stop_recording(&mut self);

    /// Writes what was recorded to the copy, without the engine; executions
    /// per second. None where the store has no replay.
    async fn replay(&mut self, executions: usize) -> BenchResult<Option<f64>>;

    /// Makes the store count rows, where it does so only on demand.
    async fn count_rows(&mut self) -> BenchResult<()>;

    /// What the store itself has counted, once it has told everything.
    async fn tally(&self) -> BenchResult<Tally>;

    /// Comes to rest after a great many writes, as a store is found that was
    /// filled over weeks.
    async fn rest(&self) -> BenchResult<()>;

    /// Someone who writes to the inbox; none where there is no inbox.
    async fn outsider(&self) -> BenchResult<Option<Box<dyn Outsider>>>;

    /// Removes it. What was opened must be closed.
    async fn remove(self: Box<Self>) -> BenchResult<()>;
}

/// An application with a connection of its own.
#[async_trait]
pub(super) trait Outsider: Send {
    /// Creates an execution in a transaction of its own. Returns, when that has
    /// committed, the moment of the clock when the commit was asked for.
    async fn create(&mut self, create: &CreateExecution, clock: &dyn Clock) -> BenchResult<Duration>;

    /// Closes the connection.
    async fn close(self: Box<Self>) -> BenchResult<()>;
}

/// Makes the place of a bench, with the server where one is needed.
///
/// # Errors
///
/// A folder that keeps nothing, a server that does not start.
pub(super) fn open(common: &Common) -> BenchResult<Box<dyn Place>> {
    let dir = machine::durable_folder(common)?;
    Ok(match common.backend {
        BackendName::Sqlite => Box::new(sqlite::Files::open(dir)?),
        BackendName::Postgres => Box::new(postgres::Server::start(dir)?),
        BackendName::Redis => Box::new(redis::Server::start(dir)?),
    })
}
