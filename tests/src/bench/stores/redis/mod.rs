//! Valkey: keys with a prefix on a private server that keeps an append-only
//! file, synced every second; durability class `acknowledged`.

mod info;
mod raw;

use super::{Check, Counts, Outsider, Place, RawCommits, RawRates, Store, Tally};
use crate::bench::{BenchResult, machine};
use async_trait::async_trait;
use info::Info;
use leasehold::{Durability, RedisOptions};
use leasehold_backend::{Backend, Clock, SystemClock};
use leasehold_core::partition::PartitionConfig;
use leasehold_redis::RedisBackend;
use leasehold_services::{Flavour, Redis, RedisConfig};
use redis::aio::MultiplexedConnection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Fields of a head that a commit writes.
const HEAD_FIELDS: u64 = 3;

/// What heartbeats may add to a count.
const SLACK: f64 = 16.0;

/// How often the end of a rewrite is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is printed of the settings, with what the first two must be.
const SETTINGS: [(&str, Option<&str>); 5] = [
    ("appendonly", Some("yes")),
    ("appendfsync", Some("everysec")),
    ("save", None),
    ("maxmemory-policy", None),
    ("auto-aof-rewrite-percentage", None),
];

/// A private server.
pub(super) struct Server {
    server: Arc<Redis>,
    client: redis::Client,
    prefixes: AtomicU32,
}

impl Server {
    /// # Errors
    ///
    /// A server that does not start.
    pub(super) fn start(dir: PathBuf) -> BenchResult<Self> {
        let config = RedisConfig { flavour: Flavour::Valkey, durable: true, base: Some(dir), ..RedisConfig::default() };
        let server = Redis::start(&config)?;
        let client = redis::Client::open(server.url())?;
        Ok(Self { server: Arc::new(server), client, prefixes: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Place for Server {
    async fn settings(&self) -> BenchResult<String> {
        let mut connection = self.client.get_multiplexed_async_connection().await?;
        let info = Info::read(&mut connection).await?;
        let mut texts = vec![format!("Valkey {} in {}", info.text("valkey_version")?, self.server.data().display())];
        for (name, wanted) in SETTINGS {
            let (_, value): (String, String) =
                redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await?;
            if wanted.is_some_and(|wanted| wanted != value) {
                return Err(format!("{name} is {value}: what it measures is not what others call durable").into());
            }
            texts.push(format!("{name}={value:?}"));
        }
        texts.push(format!("durability class {:?}", Durability::default()));
        Ok(texts.join(", "))
    }

    async fn raw_rates(&self) -> BenchResult<RawRates> {
        Ok(RawRates { single: raw::calls_per_second(&self.client).await?, batch_rows: None })
    }

    async fn raw_commits(&self) -> BenchResult<Box<dyn RawCommits>> {
        Ok(Box::new(raw::Singles::open(&self.client).await?))
    }

    async fn fresh(&self) -> BenchResult<Box<dyn Store>> {
        let number = self.prefixes.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Keyspace {
            server: Arc::clone(&self.server),
            connection: self.client.get_multiplexed_async_connection().await?,
            prefix: format!("bench_{number}"),
            backend: None,
        }))
    }
}

/// The keys with one prefix.
struct Keyspace {
    server: Arc<Redis>,
    connection: MultiplexedConnection,
    prefix: String,
    backend: Option<Arc<RedisBackend>>,
}

impl Keyspace {
    fn backend(&self) -> BenchResult<&RedisBackend> {
        Ok(self.backend.as_deref().ok_or("the store is not open")?)
    }

    async fn info(&self) -> BenchResult<Info> {
        Info::read(&mut self.connection.clone()).await
    }

    /// What the partitions' heads count: the commits of their present owner.
    async fn commits(&self) -> BenchResult<f64> {
        let mut pipeline = redis::pipe();
        for partition in 0..PartitionConfig::default().num_flow_partitions {
            pipeline.hget(format!("{}:{{p{partition}}}:head", self.prefix), "seq");
        }
        let commits: Vec<Option<u64>> = pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(commits.into_iter().flatten().sum::<u64>() as f64)
    }
}

#[async_trait]
impl Store for Keyspace {
    async fn open(&mut self, _: Arc<dyn Clock>) -> BenchResult<Arc<dyn Backend>> {
        let mut options = RedisOptions::new(self.server.url());
        options.prefix.clone_from(&self.prefix);
        let backend = Arc::new(RedisBackend::open(options).await?);
        self.backend = Some(Arc::clone(&backend));
        Ok(backend)
    }

    async fn counts(&self) -> BenchResult<Counts> {
        let info = self.info().await?;
        Ok(Counts {
            commits: self.commits().await?,
            statements: info.calls(|name| name.starts_with("fcall"))?,
            round_trips: self.backend()?.stats().round_trips as f64,
            bytes: Some(info.number("aof_current_size")?),
            server_cpu_us: self.server_cpu_us()?,
        })
    }

    /// The commands that functions call are among them; the look itself is
    /// not.
    async fn asked(&self) -> BenchResult<f64> {
        self.info().await?.calls(|name| name != "info")
    }

    fn server_cpu_us(&self) -> BenchResult<Option<f64>> {
        machine::cpu_us_of(self.server.pid(), &[]).map(Some)
    }

    async fn record(&mut self) -> BenchResult<()> {
        Ok(())
    }

    fn stop_recording(&mut self) {}

    async fn replay(&mut self, _: usize) -> BenchResult<Option<f64>> {
        Ok(None)
    }

    async fn count_rows(&mut self) -> BenchResult<()> {
        // The server always does.
        Ok(())
    }

    async fn tally(&self) -> BenchResult<Tally> {
        let stats = self.backend()?.stats();
        let changes = stats.keys_written + stats.index_entries_written + HEAD_FIELDS * stats.parts;
        let by_store = self.info().await?.number("rdb_changes_since_last_save")?;
        let check = Check { what: "changes", by_store, by_crate: changes as f64, slack: SLACK };
        let members = Some(stats.index_entries_written as f64);
        Ok(Tally { rows: stats.keys_written as f64, members, checks: vec![check] })
    }

    async fn rest(&self) -> BenchResult<()> {
        // A rewrite of the append-only file that filling has begun ends by
        // itself.
        let clock = SystemClock::default();
        while self.info().await?.number("aof_rewrite_in_progress")? > 0.0 {
            // tidy: sleep because the server signals nothing
            clock.sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn outsider(&self) -> BenchResult<Option<Box<dyn Outsider>>> {
        Ok(None)
    }

    async fn remove(self: Box<Self>) -> BenchResult<()> {
        let mut connection = self.connection.clone();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}:*", self.prefix)).arg("COUNT").arg(1000);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
            if !keys.is_empty() {
                redis::cmd("DEL").arg(keys).exec_async(&mut connection).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }
}
