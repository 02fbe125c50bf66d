//! A small engine: it decides commands through the core and commits what they
//! change.

use crate::Place;
use bytes::Bytes;
use leasehold_backend::{
    Backend, Batch, Clock, Entropy, Expected, ManualClock, Part, PartOutcome, SeededEntropy, StoreResult,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    Claim, CommandSource, CompleteExecution, CreateExecution, FenceTriple, Operation, decide,
};
use leasehold_core::decision::{ChangeSet, Context, Merged};
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, NodeId, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use leasehold_core::view::Source;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The time at which every test starts.
pub const START: TimestampMs = TimestampMs(1_800_000_000_000);

/// How long node leases last in tests, in ms.
pub const TTL_MS: u64 = 10_000;

/// Records of one partition.
#[derive(Default)]
struct Records(HashMap<RecordKey, Record>);

impl Source for Records {
    fn record(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).cloned()
    }
}

/// One node on one store.
pub struct Engine<B: Backend> {
    /// The store.
    pub store: Arc<B>,
    /// What the store follows.
    pub clock: Arc<ManualClock>,
    /// Who commits.
    pub node: NodeId,
    /// Of the last takeover.
    pub nonce: u64,
    /// Batches that were answered.
    pub batches: u64,
    /// Commits of each partition under its epoch.
    pub seqs: HashMap<u16, u64>,
    /// Of the partitions that were taken.
    pub epochs: HashMap<u16, u64>,
    nonces: HashMap<u16, u64>,
    entropy: SeededEntropy,
    events: HashMap<u16, u64>,
    records: HashMap<u16, Records>,
}

impl<B: Backend> Engine<B> {
    /// A node that owns the partitions 0 to 7 of the store at a fresh place.
    pub async fn at<P: Place<Store = B>>(place: &P) -> Self {
        Self::with(place, 1, &(0..8).collect::<Vec<_>>()).await
    }

    /// A node that owns the given partitions of the store at a place.
    pub async fn with<P: Place<Store = B>>(place: &P, seed: u64, partitions: &[u16]) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        Self::on(place.open(&clock).await, clock, seed, partitions).await
    }

    /// A node that owns the given partitions of a store that is open.
    pub async fn on(store: Arc<B>, clock: Arc<ManualClock>, seed: u64, partitions: &[u16]) -> Self {
        store.prepare(&PartitionConfig::default()).await.unwrap();
        Self::join(store, clock, seed, partitions).await
    }

    /// A node that owns the given partitions of a store that is prepared.
    pub async fn join(store: Arc<B>, clock: Arc<ManualClock>, seed: u64, partitions: &[u16]) -> Self {
        let entropy = SeededEntropy::new(seed);
        let node = NodeId::from_uuid(entropy.uuid());
        store.register_node(node, TTL_MS).await.unwrap();
        let mut engine = Self {
            store,
            clock,
            node,
            nonce: 0,
            batches: 0,
            seqs: HashMap::new(),
            epochs: HashMap::new(),
            nonces: HashMap::new(),
            entropy,
            events: HashMap::new(),
            records: HashMap::new(),
        };
        engine.take(partitions).await;
        engine
    }

    /// Another node on the same store.
    pub async fn neighbour(&self, seed: u64, partitions: &[u16]) -> Self {
        Self::join(Arc::clone(&self.store), Arc::clone(&self.clock), seed, partitions).await
    }

    /// Whether the store has an execution.
    pub async fn exists(&self, id: ExecutionId) -> bool {
        let loaded = self.store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
        loaded.records[0].is_some()
    }

    /// Takes partitions under a fresh nonce. What the engine knows of their
    /// records stays.
    pub async fn take(&mut self, partitions: &[u16]) {
        self.nonce = self.entropy.next_u64();
        let taken = self.store.take_partitions(self.node, self.nonce, partitions, 1000).await.unwrap();
        for taken in taken {
            self.epochs.insert(taken.partition, taken.epoch);
            self.events.insert(taken.partition, 1);
            self.seqs.insert(taken.partition, 0);
            self.nonces.insert(taken.partition, self.nonce);
        }
    }

    /// Looks away: another node wrote what these partitions hold.
    pub fn forget_records(&mut self) {
        self.records.clear();
    }

    /// A new id.
    pub fn id(&self, partition: u16) -> ExecutionId {
        ExecutionId::from_parts(partition, self.entropy.ordered_uuid(self.clock.now().0))
    }

    /// What the engine knows of an execution.
    pub fn execution(&self, id: ExecutionId) -> Arc<Execution> {
        match self.records[&id.partition()].0.get(&RecordKey::Execution(id.uuid())) {
            Some(Record::Execution(execution)) => Arc::clone(execution),
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Decides a command and takes its changes over.
    pub fn decide<O: Operation>(&mut self, operation: O) -> (u16, ChangeSet, O::Outcome) {
        let command = operation.into_command();
        let partition = command.execution_id().partition();
        let records = self.records.entry(partition).or_default();
        let decision = decide(&command, records, &Context { now: self.clock.now(), random: 0.5, promised_until: None });
        for change in &decision.changes.changes {
            match &change.new {
                Some(record) => records.0.insert(change.key.clone(), record.clone()),
                None => records.0.remove(&change.key),
            };
        }
        let outcome = O::outcome(decision.outcome.unwrap()).unwrap_or_else(|other| panic!("{other:?}"));
        (partition, decision.changes, outcome)
    }

    /// Decides a plain create.
    pub fn create(&mut self, id: ExecutionId) -> (u16, ChangeSet) {
        let (partition, changes, _) = self.decide(create_command(id));
        (partition, changes)
    }

    /// Decides a claim.
    pub fn claim(&mut self, id: ExecutionId) -> (u16, ChangeSet) {
        let (partition, changes, _) = self.decide(Claim {
            execution_id: id,
            worker_id: WorkerId::new("worker-1"),
            worker_instance_id: WorkerInstanceId::new("worker-1/0001"),
            holder: Holder::Node(self.node),
            capabilities: CapabilitySet::parse_offered(["gpu"]).unwrap(),
            request_id: None,
            lease_id: LeaseId::from_uuid(self.entropy.uuid()),
            attempt_id: AttemptId::from_uuid(self.entropy.uuid()),
            lease_ttl_ms: 30_000,
        });
        (partition, changes)
    }

    /// Decides a completion.
    pub fn complete(&mut self, id: ExecutionId) -> (u16, ChangeSet) {
        let fence = self.execution(id).lease.as_ref().unwrap().fence();
        let (partition, changes, _) = self.decide(CompleteExecution {
            execution_id: id,
            fence: FenceTriple::from(fence),
            attempt_index: None,
            result_payload: Some(Bytes::from_static(br#"{"sent":true}"#)),
            result_encoding: None,
            source: CommandSource::LeaseHolder,
        });
        (partition, changes)
    }

    /// Merges changes into a batch at the engine's present heads.
    pub fn batch(&mut self, changes: Vec<(u16, ChangeSet)>) -> Batch {
        let mut merged: BTreeMap<u16, Merged> = BTreeMap::new();
        for (partition, changes) in changes {
            merged.entry(partition).or_default().absorb(changes);
        }
        let time = self.clock.now();
        let parts = merged
            .into_iter()
            .map(|(partition, mut merged)| {
                let changes = merged.take();
                let next = self.events.entry(partition).or_insert(1);
                let first_event = *next;
                *next += changes.events.len() as u64;
                let seq = self.seqs.get(&partition).copied().unwrap_or_default();
                let nonce = self.nonces.get(&partition).copied().unwrap_or_default();
                let epoch = self.epochs.get(&partition).copied().unwrap_or_default();
                let expected = Expected { partition, epoch, nonce, seq };
                Part { expected, time, first_event, changes }
            })
            .collect();
        Batch { node: self.node, seq: self.batches, parts }
    }

    /// Commits changes that must go through.
    pub async fn commit(&mut self, changes: Vec<(u16, ChangeSet)>) {
        let batch = self.batch(changes);
        let outcomes = self.send(&batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == PartOutcome::Applied), "{outcomes:?}");
    }

    /// Sends a batch and counts its parts that went through.
    pub async fn send(&mut self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        let outcomes = self.store.commit(batch).await?;
        self.batches += 1;
        for (part, outcome) in batch.parts.iter().zip(&outcomes) {
            if *outcome == PartOutcome::Applied {
                *self.seqs.entry(part.expected.partition).or_default() += 1;
            }
        }
        Ok(outcomes)
    }

    /// Creates an execution in each of the given partitions.
    pub async fn created(&mut self, partitions: impl IntoIterator<Item = u16>) -> Vec<ExecutionId> {
        let ids: Vec<ExecutionId> = partitions.into_iter().map(|partition| self.id(partition)).collect();
        let changes = ids.iter().map(|id| self.create(*id)).collect();
        self.commit(changes).await;
        ids
    }
}

/// The node that [`Engine::join`] makes of a seed.
pub fn engine_node(seed: u64) -> NodeId {
    NodeId::from_uuid(SeededEntropy::new(seed).uuid())
}

/// The plainest create.
pub fn create_command(id: ExecutionId) -> CreateExecution {
    CreateExecution {
        execution_id: id,
        namespace: Namespace::new("tests"),
        lane_id: LaneId::new("default"),
        execution_kind: "send_mail".into(),
        input_payload: Bytes::from_static(br#"{"to":"somebody@example.org","subject":"hello","body":"a few words"}"#),
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
