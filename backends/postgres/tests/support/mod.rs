//! A small engine for the tests of this crate: it decides commands through
//! the core and commits what they change.

#![allow(dead_code, reason = "every test file uses its own part of it")]

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
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The time at which every test starts.
pub const START: TimestampMs = TimestampMs(1_800_000_000_000);

/// How long node leases last in tests.
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
pub struct Engine {
    pub store: Arc<PostgresBackend>,
    pub clock: Arc<ManualClock>,
    pub node: NodeId,
    pub nonce: u64,
    pub seq: u64,
    pub epochs: HashMap<u16, u64>,
    entropy: SeededEntropy,
    events: HashMap<u16, u64>,
    records: HashMap<u16, Records>,
}

/// A schema of its own on the server the tests were given.
pub struct Place {
    pub url: String,
    pub schema: String,
}

/// The server's address.
pub fn server() -> String {
    std::env::var("LEASEHOLD_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "LEASEHOLD_TEST_POSTGRES is not set: these tests need a private PostgreSQL server. Run `cargo xtask test`, \
             which installs and starts one."
        )
    })
}

impl Place {
    /// A schema that nobody else uses.
    pub fn fresh() -> Self {
        let unique = leasehold_backend::SystemEntropy::default().uuid().simple().to_string();
        Self { url: server(), schema: format!("t_{unique}") }
    }

    pub fn options(&self, clock: &Arc<ManualClock>) -> PostgresOptions {
        let mut options = PostgresOptions::new(&self.url);
        options.schema.clone_from(&self.schema);
        options.readers = 2;
        options.clock = Some(Arc::clone(clock) as Arc<dyn Clock>);
        options
    }

    /// A connection beside the store, with its schema on the path.
    pub async fn raw(&self) -> PgConnection {
        let mut raw = PgConnection::connect(&self.url).await.unwrap();
        let path = format!("SET search_path TO {}", self.schema);
        raw.execute(AssertSqlSafe(path)).await.unwrap();
        raw
    }

    pub async fn open(&self, clock: &Arc<ManualClock>) -> StoreResult<PostgresBackend> {
        PostgresBackend::open(self.options(clock)).await
    }
}

/// A node that owns the partitions 0 to 7 of a fresh store.
pub async fn engine(place: &Place) -> Engine {
    engine_with(place, 1, &(0..8).collect::<Vec<_>>()).await
}

/// A node that owns the given partitions of a store.
pub async fn engine_with(place: &Place, seed: u64, partitions: &[u16]) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let store = Arc::new(place.open(&clock).await.unwrap());
    store.prepare(&PartitionConfig::default()).await.unwrap();
    join(store, clock, seed, partitions).await
}

/// A node that waits for nobody's locks.
pub async fn engine_impatient(place: &Place) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let mut options = place.options(&clock);
    options.timeouts.lock = std::time::Duration::from_millis(50);
    let store = Arc::new(PostgresBackend::open(options).await.unwrap());
    store.prepare(&PartitionConfig::default()).await.unwrap();
    join(store, clock, 1, &(0..8).collect::<Vec<_>>()).await
}

/// Another node on a store that is open.
pub async fn join(store: Arc<PostgresBackend>, clock: Arc<ManualClock>, seed: u64, partitions: &[u16]) -> Engine {
    let entropy = SeededEntropy::new(seed);
    let node = NodeId::from_uuid(entropy.uuid());
    store.register_node(node, TTL_MS).await.unwrap();
    let mut engine = Engine {
        store,
        clock,
        node,
        nonce: 0,
        seq: 0,
        epochs: HashMap::new(),
        entropy,
        events: HashMap::new(),
        records: HashMap::new(),
    };
    engine.take(partitions).await;
    engine
}

impl Engine {
    /// Takes partitions under a fresh nonce. What the engine knows of their
    /// records stays.
    pub async fn take(&mut self, partitions: &[u16]) {
        self.nonce = self.entropy.next_u64();
        let taken = self.store.take_partitions(self.node, self.nonce, partitions, 1000).await.unwrap();
        for taken in taken {
            self.epochs.insert(taken.partition, taken.epoch);
            self.events.insert(taken.partition, 1);
        }
    }

    /// Looks away: another node wrote what these partitions hold.
    pub fn forget_records(&mut self) {
        self.records.clear();
    }

    pub fn id(&self, partition: u16) -> ExecutionId {
        ExecutionId::from_parts(partition, self.entropy.ordered_uuid(self.clock.now().0))
    }

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

    pub fn create(&mut self, id: ExecutionId) -> (u16, ChangeSet) {
        let (partition, changes, _) = self.decide(create_command(id));
        (partition, changes)
    }

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
                let epoch = self.epochs.get(&partition).copied().unwrap_or_default();
                let expected = Expected { partition, epoch, nonce: self.nonce, seq: self.seq };
                Part { expected, time, first_event, changes }
            })
            .collect();
        Batch { node: self.node, seq: self.seq, parts }
    }

    /// Commits changes that must go through.
    pub async fn commit(&mut self, changes: Vec<(u16, ChangeSet)>) {
        let batch = self.batch(changes);
        let outcomes = self.send(&batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == PartOutcome::Applied), "{outcomes:?}");
    }

    /// Sends a batch and counts it if it went through.
    pub async fn send(&mut self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        let outcomes = self.store.commit(batch).await?;
        self.seq += 1;
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

/// The node that [`engine_with`] makes of a seed.
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
