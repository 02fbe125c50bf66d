//! A primary of a Valkey Cluster is killed and its replica promoted; the
//! killed one comes back as the replica's replica.

use super::account::Account;
use super::play::Play;
use super::spec::{Class, NOTICED_MS, StoreSpec};
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::{RedisConfig, ValkeyCluster};
use rand::Rng;
use std::time::Duration;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "primary killed",
        target: "valkey cluster acknowledged",
        promise: "class acknowledged: what the dead primary answered shortly before its end and its replica had not \
                  received may be lost",
        obstacle: nothing,
        scene: || Ok(Box::new(Failover::new(Class::Acknowledged)?)),
    },
    Case {
        fault: "primary killed",
        target: "valkey cluster replicated",
        promise: "class replicated(1): nothing acknowledged is lost",
        obstacle: nothing,
        scene: || Ok(Box::new(Failover::new(Class::Replicated)?)),
    },
];

/// How far a replica may lag behind.
const LAG_MS: i64 = 1_000;

/// How long a promotion may take.
const PROMOTED_MAX: Duration = Duration::from_secs(30);

const PRIMARIES: usize = 3;

struct Failover {
    cluster: ValkeyCluster,
    class: Class,
    stores: u64,
}

impl Failover {
    fn new(class: Class) -> Fallible<Self> {
        let config = RedisConfig { durable: true, ..RedisConfig::default() };
        Ok(Self { cluster: ValkeyCluster::start(&config)?, class, stores: 0 })
    }
}

impl Scene for Failover {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        self.stores += 1;
        let store = StoreSpec::Redis {
            urls: self.cluster.urls(),
            prefix: format!("f{}", self.stores),
            class: self.class,
            exclusive: false,
        };
        let mut play = Play::begin(seed, &store)?;
        let primaries = self.cluster.primaries();
        let victim = primaries[play.rng.random_range(0..primaries.len())];
        let until = play.draw(0, 300);
        play.pass(until)?;
        let killed = play.now();
        self.cluster.node(victim).kill()?;
        play.count("primaries killed", 1);
        play.until("a promoted replica", PROMOTED_MAX, |_| Ok(self.cluster.primaries().len() == PRIMARIES))?;
        if self.class == Class::Acknowledged {
            play.loosen(killed - LAG_MS, play.now() + NOTICED_MS);
        }
        let alone = play.draw(0, 500);
        play.pass(alone)?;
        // Whoever waits for a replica goes on once there is one again.
        self.cluster.node(victim).restart()?;
        self.cluster.wait_until_whole()?;
        play.served_again()?;
        play.settle(&store)
    }
}
