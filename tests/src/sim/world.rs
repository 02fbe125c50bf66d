//! The world of a seed: the store, its faults, the clock, and the lives of
//! the node.

use super::kept;
use leasehold_actors::partition::PartitionMsg;
use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Clock, Entropy, ManualClock, SeededEntropy};
use leasehold_core::command::flow::Limits;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::KeptKind;
use leasehold_core::time::TimestampMs;
use leasehold_memory::{FaultPlan, MemoryBackend, MemoryStore, Rates};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Partitions of a simulated store.
pub const PARTITIONS: u16 = 3;

/// The same for whoever computes a partition.
pub const PARTITION_CONFIG: PartitionConfig =
    PartitionConfig { num_flow_partitions: PARTITIONS, num_budget_partitions: 32, num_quota_partitions: 32 };

/// When a simulation begins.
const START: TimestampMs = TimestampMs(1_700_000_000_000);

/// How the store fails while the program runs.
const RATES: Rates = Rates {
    commit_busy: 0.02,
    commit_lost: 0.02,
    commit_late: 0.02,
    commit_delay: 0.03,
    commit_crash: 0.004,
    heartbeat_lost: 0.02,
    heartbeat_busy: 0.05,
    read_busy: 0.02,
    read_delay: 0.03,
    ownership_busy: 0.05,
    ownership_lost: 0.02,
    delay_ms_max: 400,
    late_calls_max: 6,
};

/// How far one step of a flow goes. In two seeds of three so short that a
/// cascade takes many commits, between which the node may die.
fn step_limits(seed: u64) -> Limits {
    match seed % 3 {
        0 => Limits::DEFAULT,
        1 => Limits { rows: 8, bytes: 512 },
        _ => Limits { rows: 24, bytes: 4096 },
    }
}

/// Where a cascade takes many commits, some are slow and some are the last of
/// their node, so that it is met half done.
fn rates(step_limits: Limits) -> Rates {
    if step_limits == Limits::DEFAULT { RATES } else { Rates { commit_delay: 0.1, commit_crash: 0.012, ..RATES } }
}

/// The world of a seed.
pub struct World {
    /// The clock everybody reads.
    pub clock: Arc<ManualClock>,
    store: MemoryStore,
    plan: FaultPlan,
    entropy: Arc<dyn Entropy>,
    node: Option<(EngineHandle, Arc<MemoryBackend>)>,
    step_limits: Limits,
    lives: usize,
    own_faults: BTreeMap<&'static str, u64>,
}

/// Waits until nothing moves any more without time passing.
pub async fn settle() {
    // Paused time advances only when every task waits.
    #[expect(clippy::disallowed_methods, reason = "paused tokio time is the barrier of the simulation")]
    tokio::time::sleep(Duration::from_millis(1)).await; // tidy: sleep because paused time is the barrier
}

impl World {
    /// A world with one node, which serves.
    pub async fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let plan = FaultPlan::new();
        let mut world = Self {
            clock,
            store: MemoryStore::new().with_outside_writers(),
            plan: plan.clone(),
            entropy: Arc::new(SeededEntropy::new(seed ^ 0x5eed)),
            node: None,
            step_limits: step_limits(seed),
            lives: 0,
            own_faults: BTreeMap::new(),
        };
        world.start().await;
        plan.random(rates(world.step_limits), Arc::new(SeededEntropy::new(seed ^ 0xfa17)));
        world
    }

    /// Notes a fault that the program causes itself.
    pub fn count(&mut self, fault: &'static str) {
        *self.own_faults.entry(fault).or_default() += 1;
    }

    /// Faults by kind.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut all = self.plan.injected();
        for (kind, count) in &self.own_faults {
            *all.entry(kind).or_default() += count;
        }
        all
    }

    /// Lives of the node so far.
    pub const fn lives(&self) -> usize {
        self.lives
    }

    /// The store, as outside writers see it.
    pub const fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// The engine of the present life.
    pub fn engine(&self) -> Option<EngineHandle> {
        self.node.as_ref().map(|(engine, _)| engine.clone())
    }

    /// Starts a node over the store. The old one, if any, is dead.
    async fn start(&mut self) {
        let backend = Arc::new(MemoryBackend::with_faults(self.store.clone(), self.clock.clone(), self.plan.clone()));
        let options = EngineOptions {
            partitions: PARTITION_CONFIG,
            ready_window: 8,
            due_window: 8,
            due_turn: 3,
            cache_bytes: 0,
            step_limits: self.step_limits,
            ..EngineOptions::default()
        };
        let env = Env::new(backend.clone(), self.clock.clone(), self.entropy.clone(), options);
        let starting = tokio::spawn(EngineHandle::start(env));
        for _ in 0..200 {
            settle().await;
            if starting.is_finished() {
                break;
            }
            self.clock.advance(50);
        }
        if !starting.is_finished() {
            starting.abort();
            return;
        }
        // A start that the store refuses is tried again with the next revival.
        if let Ok(Ok(engine)) = starting.await {
            self.lives += 1;
            self.node = Some((engine, backend));
        }
    }

    /// Whether each cascade of a small flow fits into one commit.
    pub fn cascades_fit(&self) -> bool {
        self.step_limits == Limits::DEFAULT
    }

    /// Where the store holds a flow that is half built, or a cascade or a
    /// cancellation that is half done, the name of a death in it.
    pub async fn halves(&self) -> Vec<&'static str> {
        let inspector = self.inspector();
        let kinds = [
            (KeptKind::Continuation, "death_in_cascade"),
            (KeptKind::PendingCancels, "death_in_flow_cancel"),
            (KeptKind::Build, "death_in_flow_build"),
        ];
        let mut found = Vec::new();
        for (kind, fault) in kinds {
            for partition in 0..PARTITIONS {
                if !kept::scan(&inspector, partition, kind).await.is_empty() {
                    found.push(fault);
                }
            }
        }
        found
    }

    /// Kills the node, if one lives.
    pub async fn kill(&mut self) {
        if let Some((engine, backend)) = self.node.take() {
            backend.crash();
            engine.crash().await;
            settle().await;
            for fault in self.halves().await {
                self.count(fault);
            }
        }
    }

    /// Starts a node, if none lives.
    pub async fn revive(&mut self) {
        if self.node.is_none() {
            self.start().await;
        }
    }

    /// Takes in crashes that the plan decided.
    pub async fn notice_crashes(&mut self) {
        let mut crashed = false;
        while self.plan.take_crash().is_some() {
            crashed = true;
        }
        if crashed {
            self.kill().await;
        }
    }

    /// Makes a partition's actor panic.
    pub async fn panic_partition(&mut self, partition: u16) {
        if let Some((engine, _)) = &self.node
            && let Some(handle) = engine.router().routes().get(partition)
            && handle.send(PartitionMsg::Panic).is_ok()
        {
            self.count("actor_panic");
            settle().await;
        }
    }

    /// Lets time pass, in steps short enough for timers to fire in order.
    pub async fn advance(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let until_wake = self.clock.next_wake().map_or(left, |wake| {
                u64::try_from(wake.saturating_sub(self.clock.monotonic()).as_millis()).unwrap_or(left).max(1)
            });
            let step = left.min(until_wake);
            self.clock.advance(step);
            left -= step;
            settle().await;
            self.notice_crashes().await;
        }
    }

    /// Ends all faults and brings a node back that serves every partition.
    pub async fn calm(&mut self) {
        self.plan.calm();
        self.notice_crashes().await;
        for _ in 0..100 {
            self.revive().await;
            if let Some(engine) = self.engine() {
                // A dead life's partitions are free when its lease has lapsed.
                self.advance(1000).await;
                let served = match engine.status().await {
                    Some(status) => status.served == PARTITIONS && status.lease_holds,
                    None => false,
                };
                if served {
                    return;
                }
            }
        }
    }

    /// A connection for judges, on which nothing goes wrong.
    pub fn inspector(&self) -> MemoryBackend {
        MemoryBackend::new(self.store.clone(), self.clock.clone())
    }

    /// Ends the node.
    pub async fn end(&mut self) {
        self.kill().await;
    }
}
