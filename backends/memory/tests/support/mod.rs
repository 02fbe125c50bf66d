//! A node that owns partitions of a memory store and commits to them.

#![allow(dead_code, reason = "each test file uses its own part")]

use bytes::Bytes;
use leasehold_backend::{Backend, Batch, Expected, ManualClock, Part, PartOutcome, StoreResult};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{Claim, Command, CreateExecution, Operation, decide};
use leasehold_core::decision::{ChangeSet, Context};
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, NodeId, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use leasehold_memory::{MemoryBackend, MemoryStore};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

pub const NODE_TTL_MS: u64 = 30_000;
pub const LEASE_TTL_MS: u64 = 10_000;
pub const PARTITIONS: u16 = 4;

pub fn config() -> PartitionConfig {
    PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() }
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(TimestampMs(1_000_000)))
}

pub fn partition_of(command: &Command) -> u16 {
    command.subject().partition(&PartitionConfig::default())
}

pub fn node(number: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(number))
}

pub fn id(partition: u16, number: u128) -> ExecutionId {
    ExecutionId::from_parts(partition, Uuid::from_u128(number))
}

/// A node with the partitions it took.
pub struct Owner {
    pub backend: Arc<MemoryBackend>,
    pub clock: Arc<ManualClock>,
    pub node: NodeId,
    nonce: u64,
    heads: BTreeMap<u16, (Expected, u64)>,
    minted: u128,
}

impl Owner {
    /// A node over a store of its own that owns every partition.
    pub async fn alone() -> Self {
        let mut owner = Self::open(&MemoryStore::new(), clock(), 1).await;
        owner.take(&[0, 1, 2, 3]).await;
        owner
    }

    /// A registered node that owns nothing yet.
    pub async fn open(store: &MemoryStore, clock: Arc<ManualClock>, number: u128) -> Self {
        let backend = Arc::new(MemoryBackend::new(store.clone(), clock.clone()));
        backend.prepare(&config()).await.unwrap();
        backend.register_node(node(number), NODE_TTL_MS).await.unwrap();
        let minted = number * 1_000_000;
        Self { backend, clock, node: node(number), nonce: 0, heads: BTreeMap::new(), minted }
    }

    /// Another node over the same store.
    pub async fn neighbour(&self, number: u128) -> Self {
        Self::open(self.backend.store(), self.clock.clone(), number).await
    }

    /// Takes partitions and returns those it got.
    pub async fn take(&mut self, partitions: &[u16]) -> Vec<u16> {
        self.nonce += 1;
        let taken = self.backend.take_partitions(self.node, self.nonce, partitions, 1).await.unwrap();
        for taken in &taken {
            let head = Expected { partition: taken.partition, epoch: taken.epoch, nonce: self.nonce, seq: 0 };
            self.heads.insert(taken.partition, (head, 1));
        }
        taken.iter().map(|taken| taken.partition).collect()
    }

    pub fn head(&self, partition: u16) -> Expected {
        self.heads[&partition].0
    }

    pub fn mint(&mut self) -> Uuid {
        self.minted += 1;
        Uuid::from_u128(self.minted)
    }

    /// A part that the head accepts.
    pub fn part(&self, partition: u16, changes: ChangeSet) -> Part {
        let (expected, first_event) = self.heads[&partition];
        Part { expected, time: leasehold_backend::Clock::now(self.clock.as_ref()), first_event, changes }
    }

    pub fn batch(&self, parts: Vec<Part>) -> Batch {
        Batch { node: self.node, seq: 0, parts }
    }

    /// Notes that a part was applied.
    pub fn advance(&mut self, part: &Part) {
        if let Some((head, next_event)) = self.heads.get_mut(&part.expected.partition) {
            head.seq += 1;
            *next_event += part.changes.events.len() as u64;
        }
    }

    /// What a command would write.
    pub async fn decided(&self, operation: impl Operation) -> ChangeSet {
        self.decided_command(&operation.into_command()).await
    }

    pub async fn decided_command(&self, command: &Command) -> ChangeSet {
        let keys = command.keys();
        let loaded = self.backend.load(partition_of(command), &keys, &[]).await.unwrap();
        let records: HashMap<RecordKey, Record> =
            keys.into_iter().zip(loaded.records).filter_map(|(key, record)| Some((key, record?))).collect();
        let now = self.backend.now().await.unwrap();
        let context = Context { now, random: 0.5, promised_until: None };
        decide(command, &records, &context).decided().unwrap().changes
    }

    /// Commits one change set.
    pub async fn commit(&mut self, partition: u16, changes: ChangeSet) -> StoreResult<PartOutcome> {
        let part = self.part(partition, changes);
        let outcome = self.backend.commit(&self.batch(vec![part.clone()])).await?.remove(0);
        if outcome == PartOutcome::Applied {
            self.advance(&part);
        }
        Ok(outcome)
    }

    /// Decides and commits.
    pub async fn run(&mut self, operation: impl Operation) {
        let command = operation.into_command();
        let changes = self.decided_command(&command).await;
        let outcome = self.commit(partition_of(&command), changes).await;
        assert_eq!(outcome, Ok(PartOutcome::Applied));
    }

    pub async fn create(&mut self, execution: ExecutionId) {
        self.run(creation(execution, "default")).await;
    }

    /// The stored execution.
    pub async fn stored(&self, execution: ExecutionId) -> Option<Arc<Execution>> {
        let key = RecordKey::Execution(execution.uuid());
        let loaded = self.backend.load(execution.partition(), &[key], &[]).await.unwrap();
        loaded.records[0].as_ref().and_then(Record::as_execution).cloned()
    }

    pub fn claim(&mut self, execution_id: ExecutionId) -> Claim {
        Claim {
            execution_id,
            worker_id: WorkerId::new("worker"),
            worker_instance_id: WorkerInstanceId::new("worker-1"),
            holder: Holder::Remote,
            capabilities: CapabilitySet::parse_offered(["gpu", "eu"]).unwrap(),
            request_id: None,
            lease_id: LeaseId::from_uuid(self.mint()),
            attempt_id: AttemptId::from_uuid(self.mint()),
            lease_ttl_ms: LEASE_TTL_MS,
        }
    }
}

pub fn creation(execution_id: ExecutionId, lane: &'static str) -> CreateExecution {
    CreateExecution {
        execution_id,
        namespace: Namespace::new("default"),
        lane_id: LaneId::new(lane),
        execution_kind: "work".into(),
        input_payload: Bytes::from_static(b"payload"),
        payload_encoding: None,
        priority: 0,
        creator_identity: "tests".into(),
        idempotency_key: None,
        tags: BTreeMap::new(),
        policy_json: None,
        delay_until: None,
        execution_deadline_at: None,
    }
}
