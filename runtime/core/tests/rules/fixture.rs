//! A store in memory that decides one command at a time with nothing loaded
//! but what it named or asked for, applies it, and checks after each of them
//! what holds of every record and every change.
//!
//! There is one world for all rules; what tests of suspensions and of flows
//! need besides stands in `waits/fixture.rs` and `flow/fixture.rs`.

mod checks;

use bytes::Bytes;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::flow::Limits;
use leasehold_core::command::{
    ClaimExecution, ClaimResumedExecution, ClaimedExecution, Command, CommandSource, CreateExecution, CreateOutcome,
    FenceTriple, IssueClaimGrant, IssueReclaimGrant, Operation, ReclaimExecution, ReclaimOutcome, Verdict,
    decide_within,
};
use leasehold_core::decision::{ChangeSet, Context, Decision};
use leasehold_core::error::EngineError;
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, Namespace, WorkerId, WorkerInstanceId,
};
use leasehold_core::index::{Queue, queue};
use leasehold_core::record::{Attempt, AttemptKey, Blob, BlobKey, Execution, Record, RecordKey};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use leasehold_core::view::{Need, Source};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;

/// When every world begins.
pub const START: TimestampMs = TimestampMs(1_000_000);

/// How long leases last here.
pub const TTL_MS: u64 = 30_000;

/// How long grants last here.
pub const GRANT_TTL_MS: u64 = 5_000;

/// Records, a clock that only tests move, and ids that count up.
#[derive(Clone)]
pub struct World {
    /// Every record by its key.
    pub records: HashMap<RecordKey, Record>,
    /// Every blob by its key.
    pub blobs: HashMap<BlobKey, Blob>,
    /// The time.
    pub now: TimestampMs,
    /// What jitter draws.
    pub random: f64,
    /// What the owner promised beyond the stored lease.
    pub promised_until: Option<TimestampMs>,
    /// How large change sets may become.
    pub limits: Limits,
    /// Whether everything counts as loaded, for tests that are about size.
    pub hot: bool,
    /// What the last command wrote.
    pub last: ChangeSet,
    /// What the last command asked for, round by round.
    pub asked: Vec<Vec<Need>>,
    /// The most rows any command wrote.
    pub largest: usize,
    minted: u128,
}

/// What a command has loaded of a world.
struct Memory<'w> {
    world: &'w World,
    loaded: HashSet<Need>,
}

impl Memory<'_> {
    fn has(&self, need: &Need) -> bool {
        self.world.hot || self.loaded.contains(need)
    }
}

impl Source for Memory<'_> {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        self.has(&Need::Record(key.clone())).then(|| self.world.records.get(key).cloned())
    }

    fn find_blob(&self, key: &BlobKey) -> Option<Option<Blob>> {
        self.has(&Need::Blob(*key)).then(|| self.world.blobs.get(key).cloned())
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            records: HashMap::new(),
            blobs: HashMap::new(),
            now: START,
            random: 0.5,
            promised_until: None,
            limits: Limits::DEFAULT,
            hot: false,
            last: ChangeSet::default(),
            asked: Vec::new(),
            largest: 0,
            minted: 0,
        }
    }

    pub fn mint(&mut self) -> Uuid {
        self.minted += 1;
        Uuid::from_u128(self.minted)
    }

    pub fn lease_id(&mut self) -> LeaseId {
        LeaseId::from_uuid(self.mint())
    }

    pub fn attempt_id(&mut self) -> AttemptId {
        AttemptId::from_uuid(self.mint())
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
    }

    /// Decides without applying, and checks what holds of every decision.
    pub fn decide(&self, command: &Command) -> Decision {
        self.decide_asking(command).0
    }

    /// Decides from nothing loaded but what the command names; tells also what
    /// it asked for, round by round.
    pub fn decide_asking(&self, command: &Command) -> (Decision, Vec<Vec<Need>>) {
        let context = Context { now: self.now, random: self.random, promised_until: self.promised_until };
        let loaded = command.keys().into_iter().map(Need::Record).collect();
        let mut memory = Memory { world: self, loaded };
        let mut asked = Vec::new();
        let decision = loop {
            match decide_within(command, &memory, &context, self.limits) {
                Verdict::Decided(decision) => break decision,
                Verdict::Needs(needs) => {
                    assert!(!needs.is_empty(), "a command that asks, asks for something: {command:?}");
                    for need in &needs {
                        assert!(!memory.has(need), "{command:?} asks for {need:?}, which it has");
                        memory.loaded.insert(need.clone());
                    }
                    asked.push(needs);
                }
            }
        };
        checks::check_decision(command, &decision, &memory);
        (decision, asked)
    }

    /// Decides and applies.
    pub fn run<O: Operation>(&mut self, operation: O) -> Result<O::Outcome, EngineError> {
        let (decision, asked) = self.decide_asking(&operation.into_command());
        self.asked = asked;
        self.apply(&decision.changes);
        decision.outcome.map(|reply| match O::outcome(reply) {
            Ok(outcome) => outcome,
            Err(other) => panic!("{} answered {other:?}", O::NAME),
        })
    }

    pub fn apply(&mut self, set: &ChangeSet) {
        for change in &set.changes {
            match &change.new {
                Some(record) => self.records.insert(change.key.clone(), record.clone()),
                None => self.records.remove(&change.key),
            };
        }
        for blob in &set.blobs {
            match &blob.bytes {
                Some(bytes) => self.blobs.insert(blob.key, bytes.clone()),
                None => self.blobs.remove(&blob.key),
            };
        }
        self.largest = self.largest.max(set.rows());
        self.last = set.clone();
        checks::check_at_rest(self, set);
    }

    pub fn execution(&self, id: ExecutionId) -> Arc<Execution> {
        match self.records.get(&RecordKey::Execution(id.uuid())) {
            Some(Record::Execution(execution)) => execution.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn attempt(&self, id: ExecutionId, index: u32) -> Arc<Attempt> {
        let key = AttemptKey { execution: id.uuid(), index: AttemptIndex(index) };
        match self.records.get(&RecordKey::Attempt(key)) {
            Some(Record::Attempt(attempt)) => attempt.clone(),
            other => panic!("attempt {index} of {id} is {other:?}"),
        }
    }

    pub fn public_state(&self, id: ExecutionId) -> PublicState {
        self.execution(id).vector().public_state()
    }

    pub fn queue(&self, id: ExecutionId) -> Queue {
        queue(&self.execution(id))
    }

    /// The fence of the lease in force or last lost.
    pub fn fence(&self, id: ExecutionId) -> FenceTriple {
        self.execution(id).lease.as_ref().expect("a lease").fence().into()
    }

    /// What the last command told, fact by fact: the kind, and the reason or
    /// outcome behind a colon.
    pub fn told(&self) -> Vec<String> {
        self.last.events.iter().flat_map(|event| &event.facts).map(fact_text).collect()
    }

    pub fn create_args(&mut self) -> CreateExecution {
        CreateExecution {
            execution_id: ExecutionId::from_parts(7, self.mint()),
            namespace: Namespace::new("tests"),
            lane_id: lane(),
            execution_kind: "job".into(),
            input_payload: Bytes::from_static(b"payload"),
            payload_encoding: None,
            priority: 5,
            creator_identity: "tester".into(),
            idempotency_key: None,
            tags: BTreeMap::new(),
            policy_json: None,
            delay_until: None,
            execution_deadline_at: None,
        }
    }

    pub fn create(&mut self) -> ExecutionId {
        self.create_with(|_| {})
    }

    pub fn create_with(&mut self, change: impl FnOnce(&mut CreateExecution)) -> ExecutionId {
        let mut args = self.create_args();
        change(&mut args);
        match self.run(args) {
            Ok(CreateOutcome::Created { execution_id, .. }) => execution_id,
            other => panic!("create answered {other:?}"),
        }
    }

    pub fn create_with_policy(&mut self, json: &'static str) -> ExecutionId {
        self.create_with(|args| args.policy_json = Some(Bytes::from_static(json.as_bytes())))
    }

    pub fn grant(&mut self, id: ExecutionId) {
        self.run(grant_args(id)).expect("a grant");
    }

    pub fn claim_args(&mut self, id: ExecutionId) -> ClaimExecution {
        ClaimExecution {
            execution_id: id,
            worker_id: worker(),
            worker_instance_id: instance(),
            lane_id: lane(),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            attempt_id: self.attempt_id(),
            expected_attempt_index: None,
            attempt_policy_json: None,
            attempt_timeout_ms: None,
            execution_deadline_at: None,
        }
    }

    /// Grants and claims a fresh attempt.
    pub fn claim(&mut self, id: ExecutionId) -> ClaimedExecution {
        self.claim_with(id, |_| {})
    }

    pub fn claim_with(&mut self, id: ExecutionId, change: impl FnOnce(&mut ClaimExecution)) -> ClaimedExecution {
        self.grant(id);
        let mut args = self.claim_args(id);
        change(&mut args);
        self.run(args).expect("a claim")
    }

    pub fn resume_args(&mut self, id: ExecutionId) -> ClaimResumedExecution {
        ClaimResumedExecution {
            execution_id: id,
            worker_id: worker(),
            worker_instance_id: instance(),
            lane_id: lane(),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            current_attempt_index: None,
            remaining_attempt_timeout_ms: None,
        }
    }

    pub fn reclaim_args(&mut self, id: ExecutionId) -> ReclaimExecution {
        ReclaimExecution {
            execution_id: id,
            worker_id: worker(),
            worker_instance_id: instance(),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            attempt_id: self.attempt_id(),
            attempt_policy_json: None,
            max_reclaim_count: None,
        }
    }

    /// Grants and reclaims.
    pub fn reclaim(&mut self, id: ExecutionId) -> ClaimedExecution {
        self.run(reclaim_grant_args(id)).expect("a reclaim grant");
        let args = self.reclaim_args(id);
        match self.run(args) {
            Ok(ReclaimOutcome::Claimed(claimed)) => claimed,
            other => panic!("reclaim answered {other:?}"),
        }
    }
}

pub fn lane() -> LaneId {
    LaneId::new("default")
}

pub fn worker() -> WorkerId {
    WorkerId::new("worker")
}

pub fn instance() -> WorkerInstanceId {
    WorkerInstanceId::new("worker-1")
}

pub fn operator() -> CommandSource {
    CommandSource::OperatorOverride
}

pub fn holder() -> CommandSource {
    CommandSource::LeaseHolder
}

pub fn offered(tokens: &[&str]) -> CapabilitySet {
    CapabilitySet::parse_offered(tokens.iter().copied()).expect("capabilities")
}

pub fn grant_args(id: ExecutionId) -> IssueClaimGrant {
    IssueClaimGrant {
        execution_id: id,
        lane_id: lane(),
        worker_id: worker(),
        worker_instance_id: instance(),
        capabilities: CapabilitySet::EMPTY,
        capability_hash: None,
        route_snapshot_json: None,
        admission_summary: None,
        grant_ttl_ms: GRANT_TTL_MS,
    }
}

pub fn reclaim_grant_args(id: ExecutionId) -> IssueReclaimGrant {
    IssueReclaimGrant {
        execution_id: id,
        worker_id: worker(),
        worker_instance_id: instance(),
        capabilities: CapabilitySet::EMPTY,
        capability_hash: None,
        route_snapshot_json: None,
        admission_summary: None,
        grant_ttl_ms: GRANT_TTL_MS,
    }
}

/// The code of a refusal, or `ok`.
pub fn code<T>(result: &Result<T, EngineError>) -> &'static str {
    result.as_ref().map_or_else(EngineError::code, |_| "ok")
}

/// Checks the code and returns the error.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, EngineError>, expected: &str) -> EngineError {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), expected, "{error}");
    error
}

/// The text of the detail of a validation error.
pub fn detail(error: &EngineError) -> &str {
    match error {
        EngineError::Validation { detail, .. } => detail,
        other => panic!("{other:?} has no detail"),
    }
}

fn fact_text(fact: &Fact) -> String {
    match fact {
        Fact::Lease { what: LeaseFact::Acquired { reason: Some(reason) }, .. }
        | Fact::Lease { what: LeaseFact::Released { reason } | LeaseFact::Revoked { reason }, .. } => {
            format!("{}: {reason}", fact.kind())
        }
        Fact::Completed { outcome, cascade, .. } => {
            format!("completed: {outcome}{}", if *cascade { " by cascade" } else { "" })
        }
        Fact::PriorityChanged { old, new } => format!("priority_changed: {old} to {new}"),
        Fact::Replayed { replay_count, replay_type } => format!("replay_initiated: {replay_count} {replay_type}"),
        Fact::CreateRefused { code, .. } => format!("create_refused: {code}"),
        Fact::SignalDelivered { effect, .. } => format!("signal_delivered: {}", effect.as_str()),
        Fact::Lease { .. } => fact.kind().to_owned(),
    }
}
