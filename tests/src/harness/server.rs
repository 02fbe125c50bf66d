//! Stores on servers that many tests share: each has a schema or a key prefix
//! of its own.
//!
//! Making the tables of a schema and dropping them takes longer than most
//! tests. So schemas are kept: a test claims one that nobody holds, empties
//! it, and holds it by an advisory lock of a connection, which ends with the
//! test's process if not before. What a failed test leaves under its prefix
//! goes with the server.

use leasehold_backend::{Backend, Clock, Entropy, SystemEntropy};
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use leasehold_redis::{RedisBackend, RedisOptions};
use leasehold_services::POSTGRES_VARIABLE;
use redis::{AsyncConnectionConfig, Client};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::Arc;
use std::time::Duration;

/// How many keys a page of a scan looks at.
const KEYS_PER_PAGE: usize = 1000;

/// How long a server may take to answer while data are removed.
const ANSWER: Duration = Duration::from_secs(10);

/// Takes a schema unless somebody holds it.
const CLAIM: &str = "SELECT pg_try_advisory_lock(hashtextextended('leasehold tests hold ' || $1, 0))";

/// Empties a schema, if there is one of this name, up to what it says of its
/// own version and partitions.
const EMPTY: &str = "DO $$
DECLARE thing record;
BEGIN
    FOR thing IN
        SELECT c.oid::regclass AS name, c.relkind FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('@schema') AND c.relname NOT IN ('migrations', 'meta')
    LOOP
        IF thing.relkind = 'r' THEN
            EXECUTE format('DELETE FROM %s', thing.name);
        ELSIF thing.relkind = 'S' THEN
            PERFORM setval(thing.name, 1, false);
        END IF;
    END LOOP;
END $$";

/// A part of a server.
pub(super) enum Space {
    /// A schema, and the connection that holds it.
    Postgres { url: String, schema: String, holder: PgConnection },
    /// The keys with a prefix.
    Redis { urls: Vec<String>, prefix: String },
}

impl Space {
    /// A schema without data on the PostgreSQL server for tests. If it is new
    /// the store makes it. The counts of partitions belong to a store for its
    /// life, so each combination has schemas of its own.
    pub async fn on_postgres(partitions: PartitionConfig) -> Self {
        let url = server(POSTGRES_VARIABLE);
        let mut holder = PgConnection::connect(&url).await.expect("the server can be reached");
        let schema = claim(&mut holder, partitions).await.expect("a schema can be claimed");
        Self::Postgres { url, schema, holder }
    }

    /// A new prefix on the server, or on the servers of the cluster, that the
    /// variable names.
    pub fn on_redis(variable: &str) -> Self {
        Self::Redis { urls: server(variable).split(',').map(str::to_owned).collect(), prefix: name() }
    }

    /// A node's way to the data.
    pub async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Backend> {
        match self {
            Self::Postgres { url, schema, .. } => {
                let options = PostgresOptions {
                    schema: schema.clone(),
                    readers: 1,
                    // Nobody tells anything, and it is a connection less.
                    listen: false,
                    clock: Some(clock),
                    exclusive: true,
                    ..PostgresOptions::new(url)
                };
                Arc::new(PostgresBackend::open(options).await.expect("the server can be reached"))
            }
            Self::Redis { urls, prefix } => {
                let options = RedisOptions {
                    urls: urls.clone(),
                    prefix: prefix.clone(),
                    readers: 1,
                    clock: Some(clock),
                    exclusive: true,
                    ..RedisOptions::new("")
                };
                Arc::new(RedisBackend::open(options).await.expect("the server can be reached"))
            }
        }
    }

    /// Gives the part back.
    pub async fn remove(self) {
        match self {
            Self::Postgres { holder, .. } => holder.close().await.expect("the schema can be given back"),
            Self::Redis { urls, prefix } => {
                for url in urls {
                    delete_keys(&url, &prefix).await.expect("the keys can be deleted");
                }
            }
        }
    }
}

/// The first schema that nobody holds, emptied.
async fn claim(holder: &mut PgConnection, partitions: PartitionConfig) -> sqlx::Result<String> {
    let PartitionConfig { num_flow_partitions, num_budget_partitions, num_quota_partitions } = partitions;
    for number in 0.. {
        let schema = format!("t{num_flow_partitions}_{num_budget_partitions}_{num_quota_partitions}_{number}");
        if sqlx::query_scalar(CLAIM).bind(&schema).fetch_one(&mut *holder).await? {
            sqlx::raw_sql(AssertSqlSafe(EMPTY.replace("@schema", &schema))).execute(&mut *holder).await?;
            return Ok(schema);
        }
    }
    unreachable!("numbers do not end")
}

async fn delete_keys(url: &str, prefix: &str) -> redis::RedisResult<()> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
    let mut connection = Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?;
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{prefix}:*")).arg("COUNT").arg(KEYS_PER_PAGE);
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
        // One by one: on a cluster a command may not span slots.
        let mut page = redis::pipe();
        for key in &keys {
            page.cmd("UNLINK").arg(key).ignore();
        }
        if !keys.is_empty() {
            page.query_async::<()>(&mut connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

/// Where a server for tests is.
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server; `cargo xtask services -- COMMAND` starts some for a command")
    })
}

/// A name that nobody else uses.
fn name() -> String {
    format!("t{:016x}", SystemEntropy::default().next_u64())
}
