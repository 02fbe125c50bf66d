//! A node over a store, driven through its engine.

use bytes::Bytes;
use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Backend, Clock, Entropy, SystemEntropy};
use leasehold_contract::{
    CommandSource, CompleteExecution, CreateExecution, EngineResult, Executions, Leases, PollTasks, Task, Work,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, Namespace, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_services::{Postgres, PostgresConfig, Redis, RedisConfig};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take that is sure to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Partitions of the stores of these tests.
pub const PARTITIONS: u16 = 4;

/// Long enough that a test which sees something has not seen a sweep.
pub const NEVER: Duration = Duration::from_secs(86_400);

/// A private PostgreSQL server that keeps what it was told.
pub fn postgres() -> Postgres {
    Postgres::start(&PostgresConfig { durable: true, ..PostgresConfig::default() }).unwrap()
}

/// A private Valkey server with an append-only file.
pub fn valkey() -> Redis {
    Redis::start(&RedisConfig { durable: true, ..RedisConfig::default() }).unwrap()
}

/// A node with few partitions.
pub async fn start(
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    change: impl FnOnce(&mut EngineOptions),
) -> EngineHandle {
    let mut options = EngineOptions {
        partitions: PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() },
        ..EngineOptions::default()
    };
    change(&mut options);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    EngineHandle::start(Env::new(backend, clock, entropy, options)).await.unwrap()
}

/// Waits for what is sure to come.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("within the test's patience")
}

/// A new id in a partition.
pub fn id(partition: u16) -> ExecutionId {
    ExecutionId::from_parts(partition, SystemEntropy::default().uuid())
}

/// Creates an execution with a payload.
pub async fn create(engine: &EngineHandle, id: ExecutionId, payload: Vec<u8>) -> EngineResult<()> {
    engine.create_execution(create_args(id, payload)).await.map(drop)
}

/// The plainest create.
pub fn create_args(id: ExecutionId, payload: Vec<u8>) -> CreateExecution {
    CreateExecution {
        execution_id: id,
        namespace: Namespace::try_new("test").unwrap(),
        lane_id: LaneId::new("lane"),
        execution_kind: "work".into(),
        input_payload: Bytes::from(payload),
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

/// Asks for work until there is some.
pub async fn claim(engine: &EngineHandle) -> Task {
    let poll = PollTasks {
        lanes: vec![LaneId::new("lane")],
        worker_id: WorkerId::try_new("worker").unwrap(),
        worker_instance_id: WorkerInstanceId::try_new("worker-1").unwrap(),
        capabilities: CapabilitySet::default(),
        credits: 1,
        lease_ttl_ms: 60_000,
        max_wait: PATIENCE,
        request_id: None,
    };
    engine.poll_tasks(poll).await.unwrap().pop().expect("ready work")
}

/// Ends a task well.
pub async fn complete(engine: &EngineHandle, task: &Task) -> EngineResult<()> {
    let args = CompleteExecution {
        execution_id: task.claimed.execution_id,
        fence: task.claimed.fence().into(),
        attempt_index: None,
        result_payload: Some(Bytes::from_static(b"done")),
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    };
    engine.complete_execution(args).await.map(drop)
}
