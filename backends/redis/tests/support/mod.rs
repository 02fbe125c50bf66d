//! A small engine for the tests of this crate: it decides commands through
//! the core and commits what they change. Tests run on every server the
//! environment names.

#![allow(dead_code, reason = "every test file uses its own part of it")]

use bytes::Bytes;
use leasehold_backend::{
    Backend, Batch, Clock, Entropy, Expected, ManualClock, Part, PartOutcome, SeededEntropy, StoreResult, SystemEntropy,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    Claim, CommandSource, CompleteExecution, CreateExecution, FenceTriple, Operation, decide,
};
use leasehold_core::decision::{ChangeSet, Context, Merged};
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, NodeId, WorkerId, WorkerInstanceId};
use leasehold_core::partition::{PartitionConfig, crc16};
use leasehold_core::record::{Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use leasehold_core::view::Source;
use leasehold_redis::{RedisBackend, RedisOptions};
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
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
    pub store: Arc<RedisBackend>,
    pub options: RedisOptions,
    pub clock: Arc<ManualClock>,
    pub node: NodeId,
    pub nonce: u64,
    pub batches: u64,
    pub seqs: HashMap<u16, u64>,
    pub epochs: HashMap<u16, u64>,
    pub nonces: HashMap<u16, u64>,
    entropy: SeededEntropy,
    events: HashMap<u16, u64>,
    records: HashMap<u16, Records>,
}

/// A server the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Redis,
    Valkey,
    ValkeyCluster,
}

impl Server {
    const fn variable(self) -> &'static str {
        match self {
            Self::Redis => "LEASEHOLD_TEST_REDIS",
            Self::Valkey => "LEASEHOLD_TEST_VALKEY",
            Self::ValkeyCluster => "LEASEHOLD_TEST_VALKEY_CLUSTER",
        }
    }

    /// Its addresses.
    pub fn urls(self) -> Vec<String> {
        let variable = self.variable();
        let Ok(urls) = std::env::var(variable) else {
            panic!("{variable} is not set; `cargo xtask test` starts the servers and runs these tests");
        };
        urls.split(',').map(|url| url.trim().to_owned()).collect()
    }
}

/// Options for a store of its own on a server.
pub fn options(server: Server) -> RedisOptions {
    let mut options = RedisOptions::new(String::new());
    options.urls = server.urls();
    options.prefix = format!("test-{}", SystemEntropy::default().uuid().simple());
    options
}

pub async fn open(mut options: RedisOptions, clock: &Arc<ManualClock>) -> StoreResult<RedisBackend> {
    options.clock = Some(Arc::clone(clock) as Arc<dyn Clock>);
    RedisBackend::open(options).await
}

/// A connection beside the engine's, to the server that serves a partition.
pub struct Raw {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Raw {
    pub async fn of(engine: &Engine, partition: u16) -> Self {
        Self::to(&engine.options, &format!("p{partition}")).await
    }

    /// To the server that serves a hash tag.
    pub async fn to(options: &RedisOptions, tag: &str) -> Self {
        let url = options.urls[0].clone();
        let mut connection = connect(&url).await;
        let info: String = redis::cmd("INFO").arg("cluster").query_async(&mut connection).await.unwrap();
        if info.contains("cluster_enabled:1") {
            let slot = crc16(tag.as_bytes()) % 16384;
            type Range = (u16, u16, (String, u16));
            let slots: Vec<redis::Value> =
                redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await.unwrap();
            let ranges: Vec<Range> = slots
                .into_iter()
                .map(|range| {
                    let mut parts: Vec<redis::Value> = redis::from_redis_value(range).unwrap();
                    parts.truncate(3);
                    let primary: Vec<redis::Value> = redis::from_redis_value(parts.pop().unwrap()).unwrap();
                    let mut primary = primary.into_iter();
                    let host = redis::from_redis_value(primary.next().unwrap()).unwrap();
                    let port = redis::from_redis_value(primary.next().unwrap()).unwrap();
                    let mut bounds = parts.into_iter().map(|bound| redis::from_redis_value(bound).unwrap());
                    (bounds.next().unwrap(), bounds.next().unwrap(), (host, port))
                })
                .collect();
            let range = ranges.iter().find(|range| (range.0..=range.1).contains(&slot)).unwrap();
            connection = connect(&format!("redis://{}:{}", range.2.0, range.2.1)).await;
        }
        Self { connection, prefix: options.prefix.clone() }
    }

    /// A key of a partition.
    pub fn key(&self, partition: u16, kind: &str) -> String {
        format!("{}:{{p{partition}}}:{kind}", self.prefix)
    }

    pub fn system_key(&self, kind: &str) -> String {
        format!("{}:{{s}}:{kind}", self.prefix)
    }

    pub async fn run<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        command.query_async(&mut self.connection).await.unwrap()
    }
}

async fn connect(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// A node that owns the partitions 0 to 7 of a fresh store.
pub async fn engine(server: Server) -> Engine {
    engine_with(options(server), 1, &(0..8).collect::<Vec<_>>()).await
}

/// A node that owns the given partitions of a store.
pub async fn engine_with(options: RedisOptions, seed: u64, partitions: &[u16]) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let store = Arc::new(open(options.clone(), &clock).await.unwrap());
    store.prepare(&PartitionConfig::default()).await.unwrap();
    join(store, options, clock, seed, partitions).await
}

/// Another node on a store that is open.
pub async fn join(
    store: Arc<RedisBackend>,
    options: RedisOptions,
    clock: Arc<ManualClock>,
    seed: u64,
    partitions: &[u16],
) -> Engine {
    let entropy = SeededEntropy::new(seed);
    let node = NodeId::from_uuid(entropy.uuid());
    store.register_node(node, TTL_MS).await.unwrap();
    let mut engine = Engine {
        store,
        options,
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

impl Engine {
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
