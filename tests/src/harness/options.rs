//! What a harness starts with.

use leasehold_actors::EngineOptions;
use leasehold_backend::Backend;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use std::time::Duration;

/// Puts something between the engine and its store.
pub type Wrap = fn(Arc<dyn Backend>) -> Arc<dyn Backend>;

/// What a harness starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sizes, times and switches of the engine.
    pub engine: EngineOptions,
    /// What the clock shows first.
    pub started_at: TimestampMs,
    /// Where the engine's randomness begins.
    pub seed: u64,
    /// What stands between the engine and its store, if anything.
    pub wrap: Option<Wrap>,
}

impl Default for Options {
    /// Four partitions, and nothing happens by itself.
    ///
    /// The node's lease lasts for centuries: tests move time by leaps, and a leap
    /// over the heartbeat would be the death of the node.
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            engine: EngineOptions {
                partitions: PartitionConfig {
                    num_flow_partitions: 4,
                    num_budget_partitions: 2,
                    num_quota_partitions: 2,
                },
                node_lease: days(400_000),
                heartbeat_every: days(100_000),
                inbox_sweep_every: days(100_000),
                automatic: false,
                ..EngineOptions::default()
            },
            started_at: TimestampMs(1_700_000_000_000),
            seed: 1,
            wrap: None,
        }
    }
}

impl Options {
    /// The store as the engine is to see it.
    pub(super) fn wrapped(&self, store: Arc<dyn Backend>) -> Arc<dyn Backend> {
        match self.wrap {
            Some(wrap) => wrap(store),
            None => store,
        }
    }

    /// As the default, and due timers fire by themselves.
    #[must_use]
    pub fn automatic() -> Self {
        let options = Self::default();
        Self { engine: EngineOptions { automatic: true, ..options.engine }, ..options }
    }
}
