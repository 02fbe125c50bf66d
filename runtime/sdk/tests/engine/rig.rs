//! An engine over the memory store whose time the test moves.

use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Clock, ManualClock, SeededEntropy};
use leasehold_contract::{AttemptView, Reads};
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::policy::{Backoff, ExecutionPolicy, RetryPolicy, TimeoutPolicy};
use leasehold_core::time::TimestampMs;
use leasehold_memory::{FaultPlan, MemoryBackend, MemoryStore};
use leasehold_sdk::{Client, Outcome, WorkerBuilder, WorkerRuntime};
use std::sync::Arc;
use std::time::Duration;

/// Turns everybody else gets before the test looks again.
const TURNS: usize = 300;

/// The longest a test lets pass while it waits for a signal.
const PATIENCE: Duration = Duration::from_mins(10);

/// How far time moves at once: short beside every lease in these tests.
const STEP_MS: u64 = 50;

pub struct Rig {
    pub engine: EngineHandle,
    pub client: Client,
    pub clock: Arc<ManualClock>,
    pub faults: FaultPlan,
}

impl Rig {
    pub async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(TimestampMs(1_700_000_000_000)));
        let faults = FaultPlan::new();
        let backend = MemoryBackend::with_faults(MemoryStore::new(), clock.clone(), faults.clone()).exclusively();
        let options = EngineOptions {
            partitions: PartitionConfig { num_flow_partitions: 4, ..PartitionConfig::default() },
            ..EngineOptions::default()
        };
        let env = Env::new(Arc::new(backend), clock.clone(), Arc::new(SeededEntropy::new(7)), options);
        let engine = EngineHandle::start(env).await.unwrap();
        Self { client: Client::new(engine.clone()), engine, clock, faults }
    }

    pub fn worker(&self) -> WorkerBuilder {
        WorkerRuntime::builder(self.engine.clone())
    }

    /// Lets everything happen that needs no time.
    pub async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a signal, moving time on whenever nothing happens without.
    pub async fn until<T>(&self, signal: impl Future<Output = T>) -> T {
        let mut signal = std::pin::pin!(signal);
        let end = self.clock.monotonic() + PATIENCE;
        loop {
            tokio::select! {
                biased;
                value = &mut signal => return value,
                () = self.settle() => {
                    assert!(self.clock.monotonic() < end, "the signal did not come");
                    self.clock.advance(STEP_MS);
                }
            }
        }
    }

    /// Waits for a signal that needs no time.
    pub async fn at_once<T>(&self, signal: impl Future<Output = T>) -> T {
        let before = self.clock.monotonic();
        let value = self.until(signal).await;
        assert_eq!(self.clock.monotonic(), before, "time had to pass");
        value
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        // tidy: sleep because the clock is the test's own
        self.until(self.clock.sleep(time)).await;
        self.settle().await;
    }

    /// How an execution ends.
    pub async fn outcome(&self, id: ExecutionId) -> Outcome {
        self.until(self.client.wait(id, PATIENCE)).await.unwrap()
    }

    pub async fn submit(&self, kind: &str, policy: &ExecutionPolicy) -> ExecutionId {
        self.client.submit(kind, "").policy(policy).await.unwrap().execution_id
    }

    pub async fn attempts(&self, id: ExecutionId) -> Vec<AttemptView> {
        self.engine.list_attempts(id, None, 100).await.unwrap().attempts
    }

    /// The categories under which attempts have failed, in order.
    pub async fn failures(&self, id: ExecutionId) -> Vec<Option<String>> {
        self.attempts(id).await.into_iter().map(|attempt| attempt.failure_category).collect()
    }
}

/// No retries, no time limit of its own.
pub fn plain() -> ExecutionPolicy {
    ExecutionPolicy::default()
}

/// So many retries, at once.
pub fn retries(max_retries: u32) -> ExecutionPolicy {
    let retry = RetryPolicy { max_retries, backoff: Backoff::Fixed { delay_ms: 0 }, retryable_categories: Vec::new() };
    ExecutionPolicy { retry_policy: Some(retry), ..plain() }
}

/// So long for an attempt.
pub fn limited(attempt_timeout_ms: u64) -> ExecutionPolicy {
    let timeout = TimeoutPolicy { attempt_timeout_ms: Some(attempt_timeout_ms), ..TimeoutPolicy::default() };
    ExecutionPolicy { timeout_policy: Some(timeout), ..plain() }
}

impl Rig {
    /// The time since the start, in ms.
    pub fn clock_ms(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap()
    }
}
