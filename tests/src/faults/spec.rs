//! What a node of a fault test is: its store, and times short enough for a
//! round of seconds.
//!
//! The times stand to each other as the product's defaults do: every wait for
//! a store is shorter than the node's lease.

use crate::kills::node::{NodeLife, serve_on};
use crate::kills::{Fallible, runtime};
use leasehold::{Durability, EngineOptions, Node, PostgresOptions, RedisOptions, SqliteOptions};
use leasehold_backend::{Backend, Clock, SystemClock};
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::{PostgresBackend, Timeouts};
use leasehold_redis::RedisBackend;
use leasehold_sqlite::SqliteBackend;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a node's lease runs.
pub const NODE_LEASE: Duration = Duration::from_secs(3);

/// How often it is renewed.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long leases of workers run: those of the fleet and remote ones.
pub const WORK_LEASE: Duration = Duration::from_millis(1500);

/// How long it may take after a store has come back with less than it had
/// until the node has noticed. Until then it may answer a repeated create or a
/// renewal from memory, without asking the store.
pub const NOTICED_MS: i64 = 2_500;

/// How long a server may work on a call.
const WORK: Duration = Duration::from_secs(1);

/// How much longer the answer may take, the wait for the disk or for a replica
/// included.
const EXTRA: Duration = Duration::from_millis(500);

/// The longest a node waits for one answer of its store.
pub const ANSWER_MAX: Duration = Duration::from_millis(1500);

/// Few, so that the account of a round is quick, and enough for batches.
pub const PARTITIONS: PartitionConfig =
    PartitionConfig { num_flow_partitions: 16, num_budget_partitions: 2, num_quota_partitions: 2 };

/// What an acknowledged write survives on Valkey and Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// What the server's own persistence lets survive.
    Acknowledged,
    /// The disk has it.
    Fsynced,
    /// One replica has it.
    Replicated,
}

/// A store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum StoreSpec {
    /// A file.
    Sqlite {
        /// Where.
        path: PathBuf,
    },
    /// A schema.
    Postgres {
        /// Of which server.
        url: String,
        /// Its name.
        schema: String,
        /// Whether the node takes itself for the only one.
        exclusive: bool,
    },
    /// Keys with a prefix.
    Redis {
        /// On which servers.
        urls: Vec<String>,
        /// What they begin with.
        prefix: String,
        /// What an acknowledged write survives.
        class: Class,
        /// Whether the node takes itself for the only one.
        exclusive: bool,
    },
}

impl StoreSpec {
    /// The same, for a node that takes itself for the only one.
    #[must_use]
    pub fn exclusively(&self) -> Self {
        let mut spec = self.clone();
        match &mut spec {
            Self::Sqlite { .. } => {}
            Self::Postgres { exclusive, .. } | Self::Redis { exclusive, .. } => *exclusive = true,
        }
        spec
    }

    /// The same, by way of another port of this machine.
    #[must_use]
    pub fn through(&self, port: u16) -> Self {
        let redirected = |url: &str| match url.rsplit_once(':') {
            Some((before, after)) => {
                let path = after.find('/').map_or("", |at| &after[at..]);
                format!("{before}:{port}{path}")
            }
            None => url.to_owned(),
        };
        let mut spec = self.clone();
        match &mut spec {
            Self::Sqlite { .. } => {}
            Self::Postgres { url, .. } => *url = redirected(url),
            Self::Redis { urls, .. } => urls.iter_mut().for_each(|url| *url = redirected(url)),
        }
        spec
    }

    /// A node's way to the data.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub async fn open(&self) -> Fallible<Arc<dyn Backend>> {
        self.open_waiting(1).await
    }

    /// The round's own way to the data, on which nothing hangs: it waits as
    /// long as a machine that is busy with other things may take.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub async fn open_at_leisure(&self) -> Fallible<Arc<dyn Backend>> {
        self.open_waiting(20).await
    }

    /// Sets a store on a server up, which takes longer than any answer later.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub async fn set_up(&self) -> Fallible {
        if let Self::Sqlite { .. } = self {
            return Ok(());
        }
        let store = self.open_at_leisure().await?;
        let prepared = store.prepare(&PARTITIONS).await;
        store.close().await;
        Ok(prepared.map(drop)?)
    }

    async fn open_waiting(&self, times: u32) -> Fallible<Arc<dyn Backend>> {
        Ok(match self.clone() {
            Self::Sqlite { path } => {
                let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
                Arc::new(SqliteBackend::open(SqliteOptions::new(path), clock).await?)
            }
            Self::Postgres { url, schema, exclusive } => {
                let timeouts = Timeouts {
                    connect: WORK * times,
                    acquire: WORK * times,
                    lock: Duration::from_millis(500) * times,
                    statement: WORK * times,
                    answer: EXTRA,
                };
                let options = PostgresOptions { schema, exclusive, timeouts, ..PostgresOptions::new(url) };
                Arc::new(PostgresBackend::open(options).await?)
            }
            Self::Redis { urls, prefix, class, exclusive } => {
                let durability = match class {
                    Class::Acknowledged => Durability::Acknowledged,
                    Class::Fsynced => Durability::Fsynced,
                    Class::Replicated => Durability::Replicated(1),
                };
                let options = RedisOptions {
                    urls,
                    prefix,
                    durability,
                    exclusive,
                    connect_timeout: Duration::from_millis(500) * times,
                    response_timeout: WORK * times,
                    durability_timeout: EXTRA,
                    ..RedisOptions::new("")
                };
                Arc::new(RedisBackend::open(options).await?)
            }
        })
    }
}

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Its store.
    pub store: StoreSpec,
    /// Which one it is, counted from 1.
    pub number: u64,
}

impl NodeSpec {
    /// Runs the node until its input ends.
    ///
    /// # Errors
    ///
    /// What keeps it from starting or from ending in order.
    pub fn serve(self) -> Fallible {
        let filter = std::env::var("LEASEHOLD_LOG").unwrap_or_else(|_| "info".to_owned());
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr);
        log.try_init()?;
        runtime()?.block_on(async {
            let options = EngineOptions {
                partitions: PARTITIONS,
                node_lease: NODE_LEASE,
                heartbeat_every: HEARTBEAT,
                command_deadline: Duration::from_secs(10),
                ..EngineOptions::default()
            };
            let node = Node::builder().backend(self.store.open().await?).options(options).open().await?;
            serve_on(node, NodeLife { number: self.number, partitions: PARTITIONS, lease_ttl: WORK_LEASE }).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_notices_within_its_time() {
        let most = i64::try_from((HEARTBEAT + ANSWER_MAX).as_millis()).unwrap();
        assert_eq!((NOTICED_MS, ANSWER_MAX), (most, WORK + EXTRA));
    }

    #[test]
    fn another_port_leaves_the_rest_of_an_address() {
        let url = "postgres://postgres@127.0.0.1:5432/postgres".to_owned();
        let spec = StoreSpec::Postgres { url, schema: "f1".to_owned(), exclusive: false };
        let StoreSpec::Postgres { url, .. } = spec.through(7) else { panic!("another store") };
        assert_eq!(url, "postgres://postgres@127.0.0.1:7/postgres");
        let urls = vec!["redis://127.0.0.1:6379".to_owned()];
        let spec = StoreSpec::Redis { urls, prefix: "f1".to_owned(), class: Class::Fsynced, exclusive: false };
        let StoreSpec::Redis { urls, .. } = spec.through(7) else { panic!("another store") };
        assert_eq!(urls, ["redis://127.0.0.1:7"]);
    }
}
