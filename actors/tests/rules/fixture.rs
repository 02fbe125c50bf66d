//! One node over a memory store whose faults a test scripts, and a clock that
//! stands still.

use bytes::Bytes;
use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Entropy, ManualClock, SeededEntropy};
use leasehold_contract::{CreateExecution, Executions, PollTasks, Task, Work};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, Namespace, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use leasehold_memory::{FaultPlan, MemoryBackend, MemoryStore, Rates};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub const START: TimestampMs = TimestampMs(1_700_000_000_000);

pub struct Fixture {
    pub engine: EngineHandle,
    pub backend: Arc<MemoryBackend>,
    pub clock: Arc<ManualClock>,
    pub plan: FaultPlan,
    pub store: MemoryStore,
    pub entropy: Arc<dyn Entropy>,
    options: EngineOptions,
}

/// Lets every task run until none can go on.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut EngineOptions)) -> Self {
        Self::over(MemoryStore::new(), change).await
    }

    /// Over a store with an inbox.
    pub async fn open_to_outside_writers() -> Self {
        Self::over(MemoryStore::new().with_outside_writers(), |_| {}).await
    }

    async fn over(store: MemoryStore, change: impl FnOnce(&mut EngineOptions)) -> Self {
        let mut options = EngineOptions {
            partitions: PartitionConfig { num_flow_partitions: 1, ..PartitionConfig::default() },
            ..EngineOptions::default()
        };
        change(&mut options);
        let clock = Arc::new(ManualClock::new(START));
        let plan = FaultPlan::new();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
        let (engine, backend) = node(&store, &clock, &plan, &entropy, &options).await;
        Self { engine, backend, clock, plan, store, entropy, options }
    }

    /// A second node over the same store.
    pub async fn another(&self) -> EngineHandle {
        node(&self.store, &self.clock, &FaultPlan::new(), &self.entropy, &self.options).await.0
    }

    /// The node dies; another takes its place once its lease has lapsed.
    pub async fn crash(&mut self) {
        self.backend.crash();
        self.engine.crash().await;
        self.clock.advance(20_000);
        (self.engine, self.backend) = node(&self.store, &self.clock, &self.plan, &self.entropy, &self.options).await;
        settle().await;
    }

    /// From now on every read of the store fails.
    pub fn no_reads(&self) {
        self.plan.random(Rates { read_busy: 1.0, ..Rates::NONE }, self.entropy.clone());
    }

    /// A connection to the store on which nothing goes wrong.
    pub fn store_view(&self) -> MemoryBackend {
        MemoryBackend::new(self.store.clone(), self.clock.clone())
    }

    /// Lets seconds pass one by one, so that heartbeats are sent on time.
    pub async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(1000);
            settle().await;
        }
    }

    pub fn id(&self) -> ExecutionId {
        ExecutionId::from_parts(0, self.entropy.uuid())
    }

    pub fn create_args(&self, id: ExecutionId) -> CreateExecution {
        CreateExecution {
            execution_id: id,
            namespace: Namespace::try_new("test").unwrap(),
            lane_id: LaneId::new("lane"),
            execution_kind: "work".into(),
            input_payload: Bytes::from_static(b"payload"),
            payload_encoding: None,
            priority: 0,
            creator_identity: "test".into(),
            idempotency_key: None,
            tags: std::collections::BTreeMap::new(),
            policy_json: None,
            delay_until: None,
            execution_deadline_at: None,
        }
    }

    pub async fn create(&self) -> ExecutionId {
        let id = self.id();
        self.engine.create_execution(self.create_args(id)).await.unwrap();
        id
    }

    pub fn poll(&self, credits: u32, max_wait_ms: u64) -> PollTasks {
        PollTasks {
            lanes: vec![LaneId::new("lane")],
            worker_id: WorkerId::try_new("worker").unwrap(),
            worker_instance_id: WorkerInstanceId::try_new("worker-1").unwrap(),
            capabilities: CapabilitySet::default(),
            credits,
            lease_ttl_ms: 9000,
            max_wait: Duration::from_millis(max_wait_ms),
            request_id: None,
        }
    }

    pub async fn claim(&self) -> Task {
        let mut tasks = self.engine.poll_tasks(self.poll(1, 1000)).await.unwrap();
        tasks.pop().expect("ready work")
    }
}

async fn node(
    store: &MemoryStore,
    clock: &Arc<ManualClock>,
    plan: &FaultPlan,
    entropy: &Arc<dyn Entropy>,
    options: &EngineOptions,
) -> (EngineHandle, Arc<MemoryBackend>) {
    let backend = Arc::new(MemoryBackend::with_faults(store.clone(), clock.clone(), plan.clone()));
    let env = Env::new(backend.clone(), clock.clone(), entropy.clone(), options.clone());
    (EngineHandle::start(env).await.unwrap(), backend)
}

/// Runs something beside the test.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}
