//! PostgreSQL: databases on a private server with its durable defaults.

mod raw;
mod replay;

use super::{Check, Counts, Outsider, Place, RawCommits, RawRates, Store, Tally};
use crate::bench::{BenchResult, machine};
use async_trait::async_trait;
use leasehold::PostgresOptions;
use leasehold_backend::{Backend, Clock, SystemClock};
use leasehold_core::command::CreateExecution;
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::{PostgresBackend, RecordedCommit};
use leasehold_services::{Postgres, PostgresConfig};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the store lies in its database; the product's default.
const SCHEMA: &str = "leasehold";

/// Sessions tell the server's statistics what they have done at most once a
/// second, and ten seconds after their last statement at the latest.
const TOLD_AFTER: Duration = Duration::from_secs(11);

/// What heartbeats and the look itself may add to a count.
const SLACK: f64 = 16.0;

/// What is printed of the settings; the first two must be on.
const SETTINGS: [&str; 9] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "wal_level",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "autovacuum",
];

/// A private server.
pub(super) struct Server {
    postgres: Arc<Postgres>,
    databases: AtomicU32,
}

impl Server {
    /// # Errors
    ///
    /// A server that does not start.
    pub(super) fn start(dir: PathBuf) -> BenchResult<Self> {
        let config = PostgresConfig { durable: true, base: Some(dir), ..PostgresConfig::default() };
        Ok(Self { postgres: Arc::new(Postgres::start(&config)?), databases: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Place for Server {
    async fn settings(&self) -> BenchResult<String> {
        let mut connection = PgConnection::connect(&self.postgres.url()).await?;
        let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
        let mut texts = vec![format!("PostgreSQL {version} in {}", self.postgres.data().display())];
        for (place, name) in SETTINGS.into_iter().enumerate() {
            let show = AssertSqlSafe(format!("SHOW {name}"));
            let value: String = sqlx::query_scalar(show).fetch_one(&mut connection).await?;
            if place < 2 && value != "on" {
                return Err(format!("{name} is {value}: what it measures is no durable write").into());
            }
            texts.push(format!("{name}={value}"));
        }
        connection.close().await?;
        Ok(texts.join(", "))
    }

    async fn raw_rates(&self) -> BenchResult<RawRates> {
        let single = raw::singles_per_second(&self.postgres.url()).await?;
        Ok(RawRates { single, batch_rows: None })
    }

    async fn raw_commits(&self) -> BenchResult<Box<dyn RawCommits>> {
        Ok(Box::new(raw::Singles::open(&self.postgres.url()).await?))
    }

    async fn fresh(&self) -> BenchResult<Box<dyn Store>> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let database = Database {
            postgres: Arc::clone(&self.postgres),
            name: format!("bench_{number}"),
            copy: None,
            backend: None,
            recorded: Vec::new(),
        };
        database.maintain(format!("CREATE DATABASE {}", database.name)).await?;
        Ok(Box::new(database))
    }
}

/// One database.
struct Database {
    postgres: Arc<Postgres>,
    name: String,
    copy: Option<String>,
    backend: Option<Arc<PostgresBackend>>,
    recorded: Vec<RecordedCommit>,
}

impl Database {
    fn backend(&self) -> BenchResult<&PostgresBackend> {
        Ok(self.backend.as_deref().ok_or("the store is not open")?)
    }

    fn url(&self) -> String {
        self.postgres.url_of(&self.name)
    }

    /// Runs a statement in the maintenance database, so that it is not among
    /// what the store's own database counts.
    async fn maintain(&self, sql: String) -> BenchResult<()> {
        let mut connection = PgConnection::connect(&self.postgres.url()).await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        Ok(connection.close().await?)
    }

    async fn number(url: &str, sql: String) -> BenchResult<f64> {
        let mut connection = PgConnection::connect(url).await?;
        let number: f64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    }
}

#[async_trait]
impl Store for Database {
    async fn open(&mut self, _: Arc<dyn Clock>) -> BenchResult<Arc<dyn Backend>> {
        let backend = Arc::new(PostgresBackend::open(PostgresOptions::new(self.url())).await?);
        self.backend = Some(Arc::clone(&backend));
        Ok(backend)
    }

    async fn counts(&self) -> BenchResult<Counts> {
        let stats = self.backend()?.stats();
        let commits = format!("SELECT coalesce(sum(commit_seq), 0)::float8 FROM {SCHEMA}.nodes");
        let log = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8".to_owned();
        Ok(Counts {
            commits: Self::number(&self.url(), commits).await?,
            statements: stats.statements as f64,
            round_trips: stats.round_trips as f64,
            bytes: Some(Self::number(&self.postgres.url(), log).await?),
            server_cpu_us: self.server_cpu_us()?,
        })
    }

    /// Outside of a takeover every statement is a transaction of its own.
    async fn asked(&self) -> BenchResult<f64> {
        let sql = "SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = ";
        Self::number(&self.postgres.url(), format!("{sql}'{}'", self.name)).await
    }

    fn server_cpu_us(&self) -> BenchResult<Option<f64>> {
        let pids = self.postgres.pids();
        machine::cpu_us_of(pids[0], &pids[1..]).map(Some)
    }

    async fn record(&mut self) -> BenchResult<()> {
        let copy = format!("{}_copy", self.name);
        self.maintain(format!("CREATE DATABASE {copy}")).await?;
        replay::copy(&self.url(), &self.postgres.url_of(&copy), &PartitionConfig::default()).await?;
        self.copy = Some(copy);
        self.backend()?.record_commits(true);
        Ok(())
    }

    fn stop_recording(&mut self) {
        if let Some(backend) = &self.backend {
            backend.record_commits(false);
            self.recorded = backend.take_recorded();
        }
    }

    async fn replay(&mut self, executions: usize) -> BenchResult<Option<f64>> {
        let copy = self.copy.as_deref().ok_or("there is no copy to replay on")?;
        let recorded = std::mem::take(&mut self.recorded);
        replay::run(&self.postgres.url_of(copy), recorded, executions).await.map(Some)
    }

    async fn count_rows(&mut self) -> BenchResult<()> {
        // The server always does.
        Ok(())
    }

    async fn tally(&self) -> BenchResult<Tally> {
        // tidy: sleep because sessions tell what they have done by themselves
        SystemClock::default().sleep(TOLD_AFTER).await;
        let asked = self.asked().await?;
        let stats = self.backend()?.stats();
        let rows = format!(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::float8 FROM pg_stat_user_tables \
             WHERE schemaname = '{SCHEMA}' AND relname <> 'nodes'"
        );
        let rows = Self::number(&self.url(), rows).await?;
        let check = |what, by_store, by_crate, slack| Check { what, by_store, by_crate, slack };
        let checks = vec![
            check("rows", rows, stats.rows_written as f64, 0.0),
            check("statements", asked, stats.statements as f64, SLACK),
        ];
        Ok(Tally { rows, members: None, checks })
    }

    async fn rest(&self) -> BenchResult<()> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        for sql in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
            connection.execute(sql).await?;
        }
        Ok(connection.close().await?)
    }

    async fn outsider(&self) -> BenchResult<Option<Box<dyn Outsider>>> {
        Ok(Some(Box::new(Application { connection: PgConnection::connect(&self.url()).await? })))
    }

    async fn remove(self: Box<Self>) -> BenchResult<()> {
        for name in self.copy.iter().chain([&self.name]) {
            self.maintain(format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }
}

struct Application {
    connection: PgConnection,
}

#[async_trait]
impl Outsider for Application {
    async fn create(&mut self, create: &CreateExecution, clock: &dyn Clock) -> BenchResult<Duration> {
        let mut transaction = self.connection.begin().await?;
        leasehold_postgres::inbox::create(&mut transaction, SCHEMA, create).await?;
        let asked = clock.monotonic();
        transaction.commit().await?;
        Ok(asked)
    }

    async fn close(self: Box<Self>) -> BenchResult<()> {
        Ok(self.connection.close().await?)
    }
}
