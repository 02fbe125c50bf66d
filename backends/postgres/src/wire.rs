//! One connection, and what goes over it.
//!
//! Whoever uses a connection takes it out of its pool and gives it back only
//! after a complete answer. A caller that goes away in the middle drops it,
//! which closes it: the server rolls back what was not committed, and what was
//! sent as one statement may still take effect.
//!
//! Directly at the server a statement is its own transaction: one trip once
//! it is prepared on the connection. Behind a pooler in transaction mode
//! consecutive messages may reach different servers unless a transaction holds
//! them together, and preparing and running a statement are two messages; so
//! there it is `BEGIN` with the settings, prepare, run, `COMMIT`.

use crate::binds::Binds;
use crate::errors::{Failed, Phase};
use crate::stats::Counters;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Either, Executor};
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What all connections of a store share.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Whether a pooler in transaction mode stands in between.
    pub(crate) pooler: bool,
    /// What opens a transaction.
    pub(crate) begin: Arc<str>,
    /// How long an answer may take.
    pub(crate) trip: Duration,
    pub(crate) counters: Arc<Counters>,
}

/// A connection.
pub(crate) struct Wire {
    connection: PgConnection,
    manner: Arc<Manner>,
    /// Texts prepared on it, by their address; the store keeps them for good.
    prepared: HashSet<usize>,
    phase: Phase,
}

impl Wire {
    pub(crate) fn over(connection: PgConnection, manner: Arc<Manner>) -> Self {
        Self { connection, manner, prepared: HashSet::new(), phase: Phase::Before }
    }

    /// Runs a statement as a transaction of its own.
    pub(crate) async fn run_alone(&mut self, text: Arc<str>, binds: Binds) -> Result<Vec<PgRow>, Failed> {
        if !self.manner.pooler {
            self.phase = Phase::Sent;
            return self.send(text, binds).await;
        }
        self.begin().await?;
        let rows = self.run(text, binds).await?;
        self.commit().await?;
        Ok(rows)
    }

    /// Opens a transaction.
    pub(crate) async fn begin(&mut self) -> Result<(), Failed> {
        self.phase = Phase::Within;
        let begin = Arc::clone(&self.manner.begin);
        self.send_plain(&begin).await.map(drop)
    }

    /// Runs a statement in an open transaction.
    pub(crate) async fn run(&mut self, text: Arc<str>, binds: Binds) -> Result<Vec<PgRow>, Failed> {
        self.phase = Phase::Within;
        self.send(text, binds).await
    }

    /// Runs statements without values in an open transaction.
    pub(crate) async fn run_plain(&mut self, text: &str) -> Result<Vec<PgRow>, Failed> {
        self.phase = Phase::Within;
        self.send_plain(text).await
    }

    /// Ends a transaction with effect.
    pub(crate) async fn commit(&mut self) -> Result<(), Failed> {
        self.phase = Phase::Committing;
        self.send_plain("COMMIT").await.map(drop)
    }

    async fn send(&mut self, text: Arc<str>, binds: Binds) -> Result<Vec<PgRow>, Failed> {
        let manner = Arc::clone(&self.manner);
        let counters = &manner.counters;
        Counters::add(&counters.bytes_bound, binds.bytes_bound());
        let args = binds.finish().map_err(Failed::before)?;
        let is_new = manner.pooler || self.prepared.insert(text.as_ptr() as usize);
        Counters::add(&counters.statements, 1);
        Counters::add(&counters.round_trips, if is_new { 2 } else { 1 });
        let phase = &mut self.phase;
        let query = sqlx::query_with(AssertSqlSafe(text), args).persistent(!manner.pooler);
        let mut stream = self.connection.fetch_many(query);
        let answer = async {
            let mut rows = Vec::new();
            while let Some(message) = stream.try_next().await? {
                match message {
                    Either::Right(row) => rows.push(row),
                    // The commit of a statement that is its own transaction
                    // comes after this and before the end of the answer.
                    Either::Left(_) if *phase == Phase::Sent => *phase = Phase::Committing,
                    Either::Left(_) => {}
                }
            }
            Ok(rows)
        };
        let answer = within(manner.trip, answer).await;
        drop(stream);
        answer.map_err(|source| self.failed(source))
    }

    async fn send_plain(&mut self, text: &str) -> Result<Vec<PgRow>, Failed> {
        Counters::add(&self.manner.counters.statements, statements_of(text));
        Counters::add(&self.manner.counters.round_trips, 1);
        let query = sqlx::raw_sql(AssertSqlSafe(text));
        let answer = within(self.manner.trip, self.connection.fetch_all(query)).await;
        answer.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: sqlx::Error) -> Failed {
        Failed { source, phase: self.phase }
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(self) {
        let closed = within(self.manner.trip, sqlx::Connection::close(self.connection)).await;
        if let Err(error) = closed {
            tracing::debug!(%error, "closing a connection failed");
        }
    }
}

/// Bounds a wait for the server.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        let text = format!("no answer within {} ms", limit.as_millis());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
    })
}

fn statements_of(text: &str) -> u64 {
    text.split(';').filter(|statement| !statement.trim().is_empty()).count() as u64
}
