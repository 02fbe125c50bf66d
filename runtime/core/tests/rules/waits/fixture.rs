//! A world with suspensions: decides and applies one operation at a time, and
//! checks after each of them what holds of every record and every change.

use crate::fixture::{World, instance, lane, worker};
use bytes::Bytes;
use leasehold_core::command::{
    ClaimResumedExecution, CreateWaitpoint, DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS,
    DeliverApprovalSignal, DeliverSignal, ExpireSuspension, ExpireSuspensionOutcome, FenceTriple, Operation,
    PendingWaitpoint, SignalOutcome, Suspend, decide_ending, ending_further_keys, ending_keys,
};
use leasehold_core::decision::Context;
use leasehold_core::error::EngineError;
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::invariant::{check_changes, check_wait_changes, check_waitpoint, check_waits, check_waits_of};
use leasehold_core::record::{
    Blob, Execution, IssuedWaitpoint, Record, Requester, ResumePolicy, Signal, SignalKey, SuspendDetails,
    SuspendOutcome, Suspension, SuspensionReason, TimeoutBehavior, WaitKey, WaitRecord, Waitpoint, Waits,
};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::{Keyring, WaitpointToken};
use leasehold_core::wait_view::{WaitChanges, WaitDecision, WaitOperation, WaitSource, decide_wait};
use std::collections::HashMap;
use std::sync::Arc;

pub const K1: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub const K2: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// Records of both kinds.
#[derive(Clone)]
pub struct Waiting {
    pub world: World,
    pub waits: HashMap<WaitKey, WaitRecord>,
    pub payloads: HashMap<SignalKey, Blob>,
    /// What the last operation wrote.
    pub last: WaitChanges,
}

impl WaitSource for Waiting {
    fn wait_record(&self, key: &WaitKey) -> Option<WaitRecord> {
        self.waits.get(key).cloned()
    }
}

impl Waiting {
    pub fn new() -> Self {
        let ring = Keyring::default().seed("k1", K1).unwrap().0.unwrap();
        let mut waiting =
            Self { world: World::new(), waits: HashMap::new(), payloads: HashMap::new(), last: WaitChanges::default() };
        waiting.install(ring);
        waiting
    }

    pub fn install(&mut self, ring: Keyring) {
        self.waits.insert(WaitKey::Keyring, WaitRecord::Keyring(Arc::new(ring)));
    }

    pub fn keyring(&self) -> Arc<Keyring> {
        match self.waits.get(&WaitKey::Keyring) {
            Some(WaitRecord::Keyring(ring)) => ring.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// A world with one execution that a worker holds.
    pub fn leased() -> (Self, ExecutionId, FenceTriple) {
        let mut waiting = Self::new();
        let id = waiting.world.create();
        let fence = waiting.world.claim(id).fence().into();
        waiting.world.pass(1);
        (waiting, id, fence)
    }

    /// A world with one execution that waits for any signal at `a`.
    pub fn suspended() -> (Self, ExecutionId, IssuedWaitpoint) {
        let (mut waiting, id, _) = Self::leased();
        let details = waiting.suspend(id, |_| {});
        waiting.world.pass(1);
        (waiting, id, details.primary)
    }

    fn context(&self) -> Context {
        Context { now: self.world.now, random: self.world.random, promised_until: self.world.promised_until }
    }

    /// Decides, checks and applies.
    pub fn run<O: WaitOperation>(&mut self, operation: &O) -> Result<O::Outcome, EngineError> {
        let mut named = operation.keys();
        named.extend(operation.further_keys(self));
        let decision = decide_wait(operation, &self.world, self, &self.context());
        self.settle(decision, &named, O::NAME)
    }

    /// Decides an operation on executions, which may end one.
    pub fn run_ending<O: Operation>(&mut self, operation: O) -> Result<O::Outcome, EngineError> {
        let command = operation.into_command();
        let mut named = ending_keys(&command);
        named.extend(ending_further_keys(&command, self));
        let decision = decide_ending(&command, &self.world, self, &self.context());
        let reply = self.settle(decision, &named, O::NAME)?;
        O::outcome(reply).map_err(|other| panic!("{} answered {other:?}", O::NAME))
    }

    fn settle<O>(&mut self, decision: WaitDecision<O>, named: &[WaitKey], operation: &str) -> Result<O, EngineError> {
        let changes = decision.changes;
        let checked = check_changes(&changes.base).and_then(|()| check_wait_changes(&changes));
        if let Err(violation) = checked {
            panic!("{violation}\nafter {operation} writing {changes:#?}");
        }
        for key in &decision.touched_waits {
            assert!(named.contains(key), "{key:?} is touched but not named by {operation}");
        }
        for change in &changes.waits {
            assert_eq!(change.old, self.wait_record(&change.key), "the version before is the current one");
            assert_eq!(change.new.key(), change.key);
        }
        if decision.outcome.is_err() {
            assert_only_marks(&changes);
        }
        self.world.apply(&changes.base);
        for change in &changes.waits {
            self.waits.insert(change.key.clone(), change.new.clone());
        }
        for payload in &changes.payloads {
            self.payloads.insert(payload.key, payload.bytes.clone());
        }
        self.last = changes;
        self.check();
        decision.outcome
    }

    /// Checks everything there is.
    fn check(&self) {
        for record in self.waits.values() {
            match record {
                WaitRecord::Waits(waits) => {
                    check_waits(waits).unwrap();
                    for id in &waits.open_waitpoints {
                        assert!(self.waitpoint(*id).is_open(), "{id} is listed as open");
                    }
                }
                WaitRecord::Waitpoint(waitpoint) => {
                    check_waitpoint(waitpoint).unwrap();
                    let listed = self
                        .find_waits(waitpoint.execution_id)
                        .is_some_and(|waits| waits.open_waitpoints.contains(&waitpoint.waitpoint_id));
                    assert_eq!(listed, waitpoint.is_open(), "{waitpoint:?}");
                }
                _ => {}
            }
        }
        for record in self.world.records.values() {
            if let Record::Execution(execution) = record {
                let waits = self.find_waits(execution.id);
                check_waits_of(execution, waits.as_deref()).unwrap();
            }
        }
    }

    pub fn execution(&self, id: ExecutionId) -> Arc<Execution> {
        self.world.execution(id)
    }

    pub fn find_waits(&self, id: ExecutionId) -> Option<Arc<Waits>> {
        match self.waits.get(&WaitKey::Waits(id.uuid())) {
            Some(WaitRecord::Waits(waits)) => Some(waits.clone()),
            _ => None,
        }
    }

    pub fn suspension(&self, id: ExecutionId) -> Suspension {
        self.find_waits(id).expect("waits").current.clone().expect("a suspension")
    }

    pub fn waitpoint(&self, id: WaitpointId) -> Arc<Waitpoint> {
        match self.waits.get(&WaitKey::Waitpoint(id)) {
            Some(WaitRecord::Waitpoint(waitpoint)) => waitpoint.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn signal(&self, key: SignalKey) -> Arc<Signal> {
        match self.waits.get(&WaitKey::Signal(key)) {
            Some(WaitRecord::Signal(signal)) => signal.clone(),
            other => panic!("{key:?} is {other:?}"),
        }
    }

    pub fn waitpoint_id(&mut self) -> WaitpointId {
        WaitpointId::from_uuid(self.world.mint())
    }

    pub fn signal_id(&mut self) -> SignalId {
        SignalId::from_uuid(self.world.mint())
    }

    pub fn fresh(&mut self, key: &str) -> WaitpointBinding {
        WaitpointBinding::Fresh { waitpoint_id: self.waitpoint_id(), waitpoint_key: key.into() }
    }

    /// Arguments that suspend until any signal comes to `a`.
    pub fn suspend_args(&mut self, id: ExecutionId) -> Suspend {
        let lease = self.execution(id).lease.as_ref().map(leasehold_core::record::Lease::fence);
        Suspend {
            execution_id: id,
            fence: lease.map_or(FenceTriple::NONE, FenceTriple::from),
            handle_kind: None,
            attempt_index: None,
            suspension_id: SuspensionId::from_uuid(self.world.mint()),
            waitpoints: vec![self.fresh("a")],
            resume_condition: single("a", None),
            resume_policy: ResumePolicy::default(),
            reason_code: SuspensionReason::WaitingForSignal,
            requested_by: Requester::Worker,
            timeout_at: None,
            timeout_behavior: TimeoutBehavior::Fail,
            continuation_metadata_pointer: None,
            now: self.world.now,
            idempotency_key: None,
        }
    }

    /// Suspends until the conditions at these keys hold.
    pub fn suspend(&mut self, id: ExecutionId, change: impl FnOnce(&mut Suspend)) -> SuspendDetails {
        let mut args = self.suspend_args(id);
        change(&mut args);
        match self.run(&args) {
            Ok(SuspendOutcome::Suspended { details, .. }) => details,
            other => panic!("suspend answered {other:?}"),
        }
    }

    /// Suspends with one fresh waitpoint per key.
    pub fn suspend_on(&mut self, id: ExecutionId, keys: &[&str], condition: ResumeCondition) -> Vec<IssuedWaitpoint> {
        let waitpoints = keys.iter().map(|key| self.fresh(key)).collect();
        let details = self.suspend(id, |args| {
            args.waitpoints = waitpoints;
            args.resume_condition = condition;
        });
        std::iter::once(details.primary).chain(details.additional_waitpoints).collect()
    }

    pub fn create_waitpoint_args(&mut self, id: ExecutionId, key: &str) -> CreateWaitpoint {
        CreateWaitpoint {
            execution_id: id,
            fence: self.world.fence(id),
            attempt_index: None,
            waitpoint_id: self.waitpoint_id(),
            waitpoint_key: key.into(),
            expires_in_ms: 1_000,
        }
    }

    pub fn create_waitpoint(&mut self, id: ExecutionId, key: &str) -> PendingWaitpoint {
        let args = self.create_waitpoint_args(id, key);
        self.run(&args).expect("a pending waitpoint")
    }

    pub fn signal_args(&mut self, id: ExecutionId, to: WaitpointId, token: &WaitpointToken) -> DeliverSignal {
        DeliverSignal {
            execution_id: id,
            waitpoint_id: to,
            signal_id: self.signal_id(),
            signal_name: "approved".into(),
            signal_category: "approval".into(),
            source_type: "user".into(),
            source_identity: "ann".into(),
            payload: Some(Bytes::from_static(b"{}")),
            payload_encoding: "json".into(),
            correlation_id: None,
            idempotency_key: None,
            target_scope: "waitpoint".into(),
            created_at: None,
            dedup_ttl_ms: DEFAULT_SIGNAL_DEDUP_TTL_MS,
            resume_delay_ms: 0,
            max_signals_per_execution: DEFAULT_MAX_SIGNALS_PER_EXECUTION,
            waitpoint_token: token.clone(),
        }
    }

    /// Sends a signal with the token of its waitpoint; answers its id and
    /// effect.
    #[track_caller]
    pub fn deliver(
        &mut self,
        id: ExecutionId,
        to: WaitpointId,
        change: impl FnOnce(&mut DeliverSignal),
    ) -> (SignalId, &'static str) {
        let token = self.waitpoint(to).token.clone().expect("a token");
        let mut args = self.signal_args(id, to, &token);
        change(&mut args);
        match self.run(&args) {
            Ok(SignalOutcome::Accepted { signal_id, effect }) => (signal_id, effect.as_str()),
            other => panic!("deliver_signal answered {other:?}"),
        }
    }

    pub fn approval_args(&mut self, id: ExecutionId, to: WaitpointId, name: &str) -> DeliverApprovalSignal {
        DeliverApprovalSignal {
            execution_id: id,
            lane_id: lane(),
            waitpoint_id: to,
            signal_id: self.signal_id(),
            signal_name: name.into(),
            idempotency_suffix: "ann".into(),
            signal_dedup_ttl_ms: DEFAULT_SIGNAL_DEDUP_TTL_MS,
            max_signals_per_execution: DEFAULT_MAX_SIGNALS_PER_EXECUTION,
        }
    }

    pub fn expire(&mut self, id: ExecutionId) -> ExpireSuspensionOutcome {
        let timeout_signal_id = self.signal_id();
        self.run(&ExpireSuspension { execution_id: id, timeout_signal_id }).expect("never refused")
    }

    pub fn resume_args(&mut self, id: ExecutionId) -> ClaimResumedExecution {
        ClaimResumedExecution {
            execution_id: id,
            worker_id: worker(),
            worker_instance_id: instance(),
            lane_id: lane(),
            lease_id: self.world.lease_id(),
            lease_ttl_ms: crate::fixture::TTL_MS,
            current_attempt_index: None,
            remaining_attempt_timeout_ms: None,
        }
    }

    /// The vector of an execution, joined, and its public state.
    pub fn vector(&self, id: ExecutionId) -> (String, &'static str) {
        let execution = self.execution(id);
        let v = execution.vector();
        let parts = [
            v.lifecycle_phase().as_str(),
            v.ownership_state().as_str(),
            v.eligibility_state().as_str(),
            v.blocking_reason().as_str(),
            v.terminal_outcome().as_str(),
            v.attempt_state().as_str(),
        ];
        (parts.join(" "), v.public_state().as_str())
    }
}

/// A refused operation marks a lapsed lease or a refused token, and does
/// nothing else.
fn assert_only_marks(changes: &WaitChanges) {
    assert!(changes.payloads.is_empty() && changes.delivered.is_empty());
    if changes.is_empty() {
        return;
    }
    if let [change] = &changes.base.changes[..] {
        let Some(Record::Execution(new)) = &change.new else { panic!("{change:?}") };
        assert!(new.lease_expired_at.is_some() && changes.waits.is_empty());
        return;
    }
    let [change] = &changes.waits[..] else { panic!("a refusal writes {changes:#?}") };
    let WaitRecord::Waits(new) = &change.new else { panic!("a refusal writes {change:?}") };
    let mut expected = match &change.old {
        Some(WaitRecord::Waits(old)) => (**old).clone(),
        _ => Waits::new(new.execution_id),
    };
    expected.token_refused_at = new.token_refused_at;
    assert_eq!(expected, **new, "a refusal leaves a mark and nothing else");
}

pub fn single(key: &str, name: Option<&str>) -> ResumeCondition {
    let matcher = name.map_or(SignalMatcher::Wildcard, |name| SignalMatcher::ByName(name.into()));
    ResumeCondition::Single { waitpoint_key: key.into(), matcher }
}

pub fn count(n: u32, count_kind: CountKind, keys: &[&str]) -> ResumeCondition {
    let waitpoints = keys.iter().map(|key| (*key).to_owned()).collect();
    ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher: None, waitpoints })
}

pub fn at(ms: i64) -> Option<TimestampMs> {
    Some(TimestampMs(crate::fixture::START.0 + ms))
}
