//! A store of one partition that is written command by command, honestly or
//! not.

use crate::checker::{Report, check_store};
use bytes::Bytes;
use leasehold_backend::{Backend, Batch, Expected, ManualClock, Part, PartOutcome};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    CancelExecution, Claim, ClaimOutcome, ClaimedExecution, CommandSource, CompleteExecution, CreateExecution, Delay,
    FailExecution, FenceTriple, MarkLeaseExpired, Operation, PromoteDelayed, RenewLease, ReplayExecution, RevokeLease,
    Verdict, decide,
};
use leasehold_core::decision::{ChangeSet, Context};
use leasehold_core::event::Fact;
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, NodeId, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Blob, BlobKey, Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use leasehold_core::view::{Need, Source};
use leasehold_memory::{MemoryBackend, MemoryStore};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

const LEASE_TTL_MS: u64 = 10_000;

/// What a decision has looked at.
#[derive(Default)]
struct Read {
    records: HashMap<RecordKey, Option<Record>>,
    blobs: HashMap<BlobKey, Option<Blob>>,
}

impl Read {
    async fn fill(&mut self, backend: &MemoryBackend, needs: &[Need]) {
        for need in needs {
            match need {
                Need::Record(key) => {
                    let loaded = backend.load(0, std::slice::from_ref(key), &[]).await.unwrap();
                    self.records.insert(key.clone(), loaded.records.into_iter().next().flatten());
                }
                Need::Blob(key) => {
                    let loaded = backend.load(0, &[], &[*key]).await.unwrap();
                    self.blobs.insert(*key, loaded.blobs.into_iter().next().flatten());
                }
            }
        }
    }
}

impl Source for Read {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        self.records.get(key).cloned()
    }

    fn find_blob(&self, key: &BlobKey) -> Option<Option<Blob>> {
        self.blobs.get(key).cloned()
    }
}

/// The store and its only writer.
pub struct Workbench {
    pub backend: MemoryBackend,
    pub clock: Arc<ManualClock>,
    node: NodeId,
    head: Expected,
    next_event: u64,
    minted: u128,
}

impl Workbench {
    /// An empty store.
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(TimestampMs(1_000_000)));
        let backend = MemoryBackend::new(MemoryStore::new(), clock.clone());
        let config = PartitionConfig { num_flow_partitions: 1, ..PartitionConfig::default() };
        let node = NodeId::from_uuid(Uuid::from_u128(1));
        backend.prepare(&config).await.unwrap();
        backend.register_node(node, LEASE_TTL_MS).await.unwrap();
        let taken = backend.take_partitions(node, 7, &[0], 1).await.unwrap();
        let head = Expected { partition: 0, epoch: taken[0].epoch, nonce: 7, seq: 0 };
        Self { backend, clock, node, head, next_event: 1, minted: 100 }
    }

    /// What the checker says.
    pub async fn check(&self) -> Report {
        check_store(&self.backend, 1).await
    }

    /// A number nobody has had.
    pub fn mint(&mut self) -> Uuid {
        self.minted += 1;
        Uuid::from_u128(self.minted)
    }

    /// Carries out an operation.
    pub async fn run<O: Operation>(&mut self, operation: O) -> O::Outcome {
        self.run_but(operation, |_| ()).await
    }

    /// Carries out an operation and writes something else than was decided.
    pub async fn run_but<O: Operation>(&mut self, operation: O, tamper: impl FnOnce(&mut ChangeSet)) -> O::Outcome {
        let command = operation.into_command();
        let now = self.backend.now().await.unwrap();
        let context = Context { now, random: 0.5, promised_until: None };
        let mut read = Read::default();
        let mut needs: Vec<Need> = command.keys().into_iter().map(Need::Record).collect();
        let mut decision = loop {
            read.fill(&self.backend, &needs).await;
            match decide(&command, &read, &context) {
                Verdict::Needs(more) => needs = more,
                Verdict::Decided(decision) => break decision,
            }
        };
        tamper(&mut decision.changes);
        self.write(decision.changes).await;
        let Ok(outcome) = O::outcome(decision.outcome.unwrap()) else { panic!("an answer of another operation") };
        outcome
    }

    /// Writes whatever it is given.
    pub async fn write(&mut self, changes: ChangeSet) {
        let (events, time) = (changes.events.len() as u64, self.backend.now().await.unwrap());
        let part = Part { expected: self.head, time, first_event: self.next_event, changes };
        let batch = Batch { node: self.node, seq: self.head.seq, parts: vec![part] };
        assert_eq!(self.backend.commit(&batch).await.unwrap(), [PartOutcome::Applied]);
        self.head.seq += 1;
        self.next_event += events;
    }

    /// The arguments that create an execution.
    pub fn creation(&mut self) -> CreateExecution {
        CreateExecution {
            execution_id: ExecutionId::from_parts(0, self.mint()),
            namespace: Namespace::new("default"),
            lane_id: LaneId::new("default"),
            execution_kind: "work".into(),
            input_payload: Bytes::from_static(b"payload"),
            payload_encoding: None,
            priority: 5,
            creator_identity: "tests".into(),
            idempotency_key: None,
            tags: BTreeMap::new(),
            policy_json: Some(Bytes::from_static(
                br#"{"retry_policy":{"max_retries":3,"backoff":{"type":"fixed","delay_ms":10}}}"#,
            )),
            delay_until: None,
            execution_deadline_at: None,
        }
    }

    /// A ready execution.
    pub async fn created(&mut self) -> ExecutionId {
        let creation = self.creation();
        self.run(creation).await.execution_id()
    }

    /// The arguments that claim an execution.
    pub fn claim(&mut self, execution_id: ExecutionId) -> Claim {
        Claim {
            execution_id,
            worker_id: WorkerId::new("worker"),
            worker_instance_id: WorkerInstanceId::new("worker-1"),
            holder: Holder::Remote,
            capabilities: CapabilitySet::default(),
            request_id: None,
            lease_id: LeaseId::from_uuid(self.mint()),
            attempt_id: AttemptId::from_uuid(self.mint()),
            lease_ttl_ms: LEASE_TTL_MS,
        }
    }

    /// A claimed execution.
    pub async fn claimed(&mut self, execution_id: ExecutionId) -> ClaimedExecution {
        let claim = self.claim(execution_id);
        match self.run(claim).await {
            ClaimOutcome::Claimed(claimed) => *claimed,
            ClaimOutcome::Skipped(skip) => panic!("skipped: {skip:?}"),
        }
    }

    /// A new execution, claimed.
    pub async fn running(&mut self) -> ClaimedExecution {
        let id = self.created().await;
        self.claimed(id).await
    }

    /// A new execution, completed.
    pub async fn completed(&mut self) -> ExecutionId {
        let claimed = self.running().await;
        self.run(completion(&claimed)).await.execution_id
    }

    /// A new execution whose lease is marked as lapsed.
    pub async fn lapsed(&mut self) -> ClaimedExecution {
        let claimed = self.running().await;
        self.clock.advance(LEASE_TTL_MS);
        self.run(MarkLeaseExpired { execution_id: claimed.execution_id }).await;
        claimed
    }

    /// A new execution that failed once and is ready again.
    pub async fn ready_for_retry(&mut self) -> ClaimedExecution {
        let claimed = self.running().await;
        self.run(failure(&claimed)).await;
        self.clock.advance(10);
        self.run(promotion(claimed.execution_id)).await;
        claimed
    }
}

/// The arguments that complete a claimed execution.
pub fn completion(claimed: &ClaimedExecution) -> CompleteExecution {
    CompleteExecution {
        execution_id: claimed.execution_id,
        fence: claimed.fence().into(),
        attempt_index: None,
        result_payload: Some(Bytes::from_static(b"done")),
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    }
}

/// The arguments that fail a claimed execution, to be retried.
pub fn failure(claimed: &ClaimedExecution) -> FailExecution {
    FailExecution {
        execution_id: claimed.execution_id,
        fence: claimed.fence().into(),
        attempt_index: None,
        failure_reason: "broken".to_owned(),
        failure_category: "transient".to_owned(),
        failure_class: None,
        retry_policy_json: None,
        source: CommandSource::LeaseHolder,
    }
}

/// The arguments that wake an execution.
pub fn promotion(execution_id: ExecutionId) -> PromoteDelayed {
    PromoteDelayed { execution_id }
}

/// The arguments that replay an execution.
pub fn replay(execution_id: ExecutionId) -> ReplayExecution {
    ReplayExecution { execution_id, requested_by: None, reason: None }
}

/// Writes executions other than decided.
pub fn alter(set: &mut ChangeSet, f: impl Fn(&mut Execution)) {
    for change in &mut set.changes {
        if let Some(Record::Execution(execution)) = &mut change.new {
            f(Arc::make_mut(execution));
        }
    }
}

/// Forgets what the records were before, so that their old index entries are
/// left behind.
pub fn forget_old(set: &mut ChangeSet) {
    for change in &mut set.changes {
        change.old = None;
    }
}

/// Keeps only the facts of some kinds.
pub fn keep_facts(set: &mut ChangeSet, keep: impl Fn(&Fact) -> bool) {
    for event in &mut set.events {
        event.facts.retain(&keep);
    }
}

/// Tells every fact twice.
pub fn tell_twice(set: &mut ChangeSet) {
    for event in &mut set.events {
        event.facts.extend(event.facts.clone());
    }
}

/// The arguments that interrupt a claimed execution for no time.
pub fn delay(claimed: &ClaimedExecution) -> Delay {
    Delay {
        execution_id: claimed.execution_id,
        fence: claimed.fence().into(),
        source: CommandSource::LeaseHolder,
        delay_until: TimestampMs(0),
    }
}

/// The arguments that renew a lease for longer.
pub fn renewal(claimed: &ClaimedExecution) -> RenewLease {
    RenewLease {
        execution_id: claimed.execution_id,
        attempt_index: claimed.attempt_index,
        fence: claimed.fence().into(),
        lease_ttl_ms: 20_000,
    }
}

/// The arguments that revoke whatever lease there is.
pub fn revocation(execution_id: ExecutionId) -> RevokeLease {
    RevokeLease { execution_id, expected_lease_id: None, worker_instance_id: None, reason: "test".to_owned() }
}

/// The arguments with which an operator cancels.
pub fn cancellation(execution_id: ExecutionId) -> CancelExecution {
    CancelExecution {
        execution_id,
        reason: "test".to_owned(),
        source: CommandSource::OperatorOverride,
        fence: FenceTriple::NONE,
    }
}
