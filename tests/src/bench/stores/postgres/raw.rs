//! What the server gives without an engine: rows of a number and a 1 KiB
//! string, a transaction each, written through sqlx with its defaults.

use crate::bench::BenchResult;
use crate::bench::rig::{self, ms};
use crate::bench::stores::RawCommits;
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_backend::{Clock, SystemClock, SystemEntropy};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

/// Connections that write at the same time.
const CONNECTIONS: usize = 16;

/// Rows each of them writes.
const ROWS_EACH: usize = 500;

const MAKE: &str = "CREATE TABLE IF NOT EXISTS raw (id bigint PRIMARY KEY, bytes bytea NOT NULL)";
const EMPTY: &str = "TRUNCATE raw";
const INSERT: &str = "INSERT INTO raw (id, bytes) VALUES ($1, $2)";

/// Single rows from sixteen connections; transactions per second.
///
/// # Errors
///
/// What the server refuses.
pub(super) async fn singles_per_second(url: &str) -> BenchResult<f64> {
    let clock = SystemClock::default();
    prepare(url).await?;
    let mut writers = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let mut connection = PgConnection::connect(url).await?;
        connection.ping().await?;
        writers.push((connection, rows(number * ROWS_EACH, ROWS_EACH)));
    }
    let began = clock.monotonic();
    let tasks = writers.into_iter().map(|(mut connection, rows)| {
        tokio::spawn(async move {
            for row in rows {
                insert(&mut connection, row).await?;
            }
            Ok::<_, sqlx::Error>(connection)
        })
    });
    let mut written = Vec::with_capacity(CONNECTIONS);
    for task in tasks.collect::<Vec<_>>() {
        written.push(task.await??);
    }
    let rate = rig::rate(CONNECTIONS * ROWS_EACH, clock.monotonic().saturating_sub(began));
    for connection in written {
        connection.close().await?;
    }
    Ok(rate)
}

async fn prepare(url: &str) -> BenchResult<()> {
    let mut connection = PgConnection::connect(url).await?;
    for sql in [MAKE, EMPTY] {
        sqlx::query(sql).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

fn rows(first: usize, count: usize) -> Vec<(i64, Bytes)> {
    let entropy = SystemEntropy::default();
    (first..first + count).map(|key| (key as i64, rig::payload(&entropy))).collect()
}

async fn insert(connection: &mut PgConnection, (key, bytes): (i64, Bytes)) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT).bind(key).bind(&bytes[..]).execute(connection).await.map(drop)
}

/// One connection.
pub(super) struct Singles {
    connection: PgConnection,
    clock: SystemClock,
    next: usize,
}

impl Singles {
    /// # Errors
    ///
    /// What the server refuses.
    pub(super) async fn open(url: &str) -> BenchResult<Self> {
        prepare(url).await?;
        Ok(Self { connection: PgConnection::connect(url).await?, clock: SystemClock::default(), next: 0 })
    }
}

#[async_trait]
impl RawCommits for Singles {
    async fn times(&mut self, count: usize) -> BenchResult<Vec<f64>> {
        let rows = rows(self.next, count);
        self.next += count;
        let mut took = Vec::with_capacity(count);
        for row in rows {
            let began = self.clock.monotonic();
            insert(&mut self.connection, row).await?;
            took.push(ms(self.clock.monotonic().saturating_sub(began)));
        }
        Ok(took)
    }

    async fn close(self: Box<Self>) -> BenchResult<()> {
        Ok(self.connection.close().await?)
    }
}
