//! One instance of everything, for a whole run of tests.

use crate::cluster::ValkeyCluster;
use crate::error::{ServiceError, ServiceResult};
use crate::install::Kind;
use crate::postgres::{Postgres, PostgresConfig};
use crate::redis::{Flavour, Redis, RedisConfig};
use std::thread::{self, ScopedJoinHandle};

/// Names the superuser's URL to a PostgreSQL server.
pub const POSTGRES_VARIABLE: &str = "LEASEHOLD_TEST_POSTGRES";
/// Names the URL of a Redis server.
pub const REDIS_VARIABLE: &str = "LEASEHOLD_TEST_REDIS";
/// Names the URL of a Valkey server.
pub const VALKEY_VARIABLE: &str = "LEASEHOLD_TEST_VALKEY";
/// Names the URLs of the primaries of a Valkey Cluster, separated by commas.
pub const VALKEY_CLUSTER_VARIABLE: &str = "LEASEHOLD_TEST_VALKEY_CLUSTER";

/// PostgreSQL, Redis, Valkey and a Valkey Cluster, none of them durable.
#[derive(Debug)]
pub struct Services {
    /// PostgreSQL.
    pub postgres: Postgres,
    /// Redis.
    pub redis: Redis,
    /// Valkey.
    pub valkey: Redis,
    /// The cluster.
    pub cluster: ValkeyCluster,
}

impl Services {
    /// Fetches the programs that the machine lacks.
    ///
    /// # Errors
    ///
    /// When some cannot be fetched.
    pub fn install(kinds: &[Kind]) -> ServiceResult {
        kinds.iter().try_for_each(|kind| kind.programs().map(drop))
    }

    /// Starts all of them, side by side.
    ///
    /// # Errors
    ///
    /// When one does not come to serve.
    pub fn start() -> ServiceResult<Self> {
        let of = |flavour| RedisConfig { flavour, ..RedisConfig::default() };
        thread::scope(|scope| {
            let postgres = scope.spawn(|| Postgres::start(&PostgresConfig::default()));
            let redis = scope.spawn(move || Redis::start(&of(Flavour::Redis)));
            let valkey = scope.spawn(move || Redis::start(&of(Flavour::Valkey)));
            let cluster = scope.spawn(|| ValkeyCluster::start(&RedisConfig::default()));
            Ok(Self {
                postgres: started(postgres)?,
                redis: started(redis)?,
                valkey: started(valkey)?,
                cluster: started(cluster)?,
            })
        })
    }

    /// What tests find in their environment.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            (POSTGRES_VARIABLE, self.postgres.url()),
            (REDIS_VARIABLE, self.redis.url()),
            (VALKEY_VARIABLE, self.valkey.url()),
            (VALKEY_CLUSTER_VARIABLE, self.cluster.primary_urls().join(",")),
        ]
    }

    /// The processes of the servers, not those that PostgreSQL has started.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.postgres.pid(), self.redis.pid(), self.valkey.pid()];
        pids.extend(self.cluster.nodes().iter().map(Redis::pid));
        pids
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // All at once, so that the ends overlap; each is then waited for.
        self.postgres.release();
        self.redis.release();
        self.valkey.release();
        self.cluster.release();
    }
}

fn started<T>(starting: ScopedJoinHandle<'_, ServiceResult<T>>) -> ServiceResult<T> {
    let panicked =
        || ServiceError::Start { what: "a service", reason: "the thread that starts it panicked".to_owned() };
    starting.join().unwrap_or_else(|_| Err(panicked()))
}
