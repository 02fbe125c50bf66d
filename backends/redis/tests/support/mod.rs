//! How the tests of this crate come to a store: a prefix of its own, on every
//! server the environment names.

#![allow(dead_code, reason = "every test file uses its own part of it")]

use leasehold_backend::{Clock, Entropy, ManualClock, StoreResult, SystemEntropy};
use leasehold_backend_suite::START;
use leasehold_core::partition::crc16;
use leasehold_redis::{RedisBackend, RedisOptions};
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// One node on one store.
pub type Node = leasehold_backend_suite::Engine<RedisBackend>;

/// A node, and how its store was opened.
pub struct Engine {
    pub options: RedisOptions,
    node: Node,
}

impl Deref for Engine {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl DerefMut for Engine {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// A server the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Redis,
    Valkey,
    ValkeyCluster,
}

impl Server {
    const fn variable(self) -> &'static str {
        match self {
            Self::Redis => "LEASEHOLD_TEST_REDIS",
            Self::Valkey => "LEASEHOLD_TEST_VALKEY",
            Self::ValkeyCluster => "LEASEHOLD_TEST_VALKEY_CLUSTER",
        }
    }

    /// Its addresses.
    pub fn urls(self) -> Vec<String> {
        let variable = self.variable();
        let Ok(urls) = std::env::var(variable) else {
            panic!("{variable} is not set; `cargo xtask test` starts the servers and runs these tests");
        };
        urls.split(',').map(|url| url.trim().to_owned()).collect()
    }
}

/// Options for a store of its own on a server.
pub fn options(server: Server) -> RedisOptions {
    let mut options = RedisOptions::new(String::new());
    options.urls = server.urls();
    options.prefix = format!("test-{}", SystemEntropy::default().uuid().simple());
    options
}

pub async fn open(mut options: RedisOptions, clock: &Arc<ManualClock>) -> StoreResult<RedisBackend> {
    options.clock = Some(Arc::clone(clock) as Arc<dyn Clock>);
    RedisBackend::open(options).await
}

/// A connection beside the engine's, to the server that serves a partition.
pub struct Raw {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Raw {
    pub async fn of(engine: &Engine, partition: u16) -> Self {
        Self::to(&engine.options, &format!("p{partition}")).await
    }

    /// To the server that serves a hash tag.
    pub async fn to(options: &RedisOptions, tag: &str) -> Self {
        let url = options.urls[0].clone();
        let mut connection = connect(&url).await;
        let info: String = redis::cmd("INFO").arg("cluster").query_async(&mut connection).await.unwrap();
        if info.contains("cluster_enabled:1") {
            let slot = crc16(tag.as_bytes()) % 16384;
            type Range = (u16, u16, (String, u16));
            let slots: Vec<redis::Value> =
                redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await.unwrap();
            let ranges: Vec<Range> = slots
                .into_iter()
                .map(|range| {
                    let mut parts: Vec<redis::Value> = redis::from_redis_value(range).unwrap();
                    parts.truncate(3);
                    let primary: Vec<redis::Value> = redis::from_redis_value(parts.pop().unwrap()).unwrap();
                    let mut primary = primary.into_iter();
                    let host = redis::from_redis_value(primary.next().unwrap()).unwrap();
                    let port = redis::from_redis_value(primary.next().unwrap()).unwrap();
                    let mut bounds = parts.into_iter().map(|bound| redis::from_redis_value(bound).unwrap());
                    (bounds.next().unwrap(), bounds.next().unwrap(), (host, port))
                })
                .collect();
            let range = ranges.iter().find(|range| (range.0..=range.1).contains(&slot)).unwrap();
            connection = connect(&format!("redis://{}:{}", range.2.0, range.2.1)).await;
        }
        Self { connection, prefix: options.prefix.clone() }
    }

    /// A key of a partition.
    pub fn key(&self, partition: u16, kind: &str) -> String {
        format!("{}:{{p{partition}}}:{kind}", self.prefix)
    }

    pub fn system_key(&self, kind: &str) -> String {
        format!("{}:{{s}}:{kind}", self.prefix)
    }

    pub async fn run<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        command.query_async(&mut self.connection).await.unwrap()
    }
}

async fn connect(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// A node that owns the partitions 0 to 7 of a fresh store.
pub async fn engine(server: Server) -> Engine {
    engine_with(options(server), 1, &(0..8).collect::<Vec<_>>()).await
}

/// A node that owns the given partitions of a store.
pub async fn engine_with(options: RedisOptions, seed: u64, partitions: &[u16]) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let store = Arc::new(open(options.clone(), &clock).await.unwrap());
    Engine { options, node: Node::on(store, clock, seed, partitions).await }
}
