//! What tests of suspensions need besides the world: its records of
//! suspension by kind, and operations with their usual arguments.

use crate::fixture::{World, lane};
use bytes::Bytes;
use leasehold_core::command::{
    CreateWaitpoint, DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS, DeliverApprovalSignal,
    DeliverSignal, ExpireSuspension, ExpireSuspensionOutcome, FenceTriple, PendingWaitpoint, SignalOutcome, Suspend,
};
use leasehold_core::event::Fact;
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::{
    IssuedWaitpoint, Record, RecordKey, Requester, ResumePolicy, Signal, SignalKey, SuspendDetails, SuspendOutcome,
    Suspended, Suspension, SuspensionReason, TimeoutBehavior, WaitKey, WaitRecord, Waitpoint, Waits,
};
use leasehold_core::suspension::{
    CompositeBody, CountKind, ResumeCondition, SignalEffect, SignalMatcher, WaitpointBinding,
};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::{Keyring, WaitpointToken};
use std::sync::Arc;

pub const K1: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub const K2: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// What was told about a signal.
#[derive(Debug)]
pub struct Told {
    pub execution_id: ExecutionId,
    pub at: TimestampMs,
    pub signal_id: SignalId,
    pub waitpoint_id: WaitpointId,
    pub source_identity: String,
    pub effect: SignalEffect,
}

impl World {
    /// A world that has a key to mint tokens with.
    pub fn keyed() -> Self {
        let mut world = Self::new();
        world.install(Keyring::default().seed("k1", K1).unwrap().0.unwrap());
        world
    }

    /// Puts a record there, past all rules.
    pub fn plant(&mut self, record: WaitRecord) {
        self.records.insert(record.key().into(), Record::Wait(record));
    }

    pub fn install(&mut self, ring: Keyring) {
        self.plant(WaitRecord::Keyring(Arc::new(ring)));
    }

    pub fn keyring(&self) -> Arc<Keyring> {
        match self.wait_record(WaitKey::Keyring) {
            Some(WaitRecord::Keyring(ring)) => ring.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// A world with one execution that a worker holds.
    pub fn leased() -> (Self, ExecutionId, FenceTriple) {
        let mut world = Self::keyed();
        let id = world.create();
        let fence = world.claim(id).fence().into();
        world.pass(1);
        (world, id, fence)
    }

    /// A world with one execution that waits for any signal at `a`.
    pub fn suspended() -> (Self, ExecutionId, IssuedWaitpoint) {
        let (mut world, id, _) = Self::leased();
        let details = world.suspend(id, |_| {});
        world.pass(1);
        (world, id, details.primary)
    }

    pub fn wait_record(&self, key: WaitKey) -> Option<&WaitRecord> {
        match self.records.get(&RecordKey::Wait(key)) {
            Some(Record::Wait(record)) => Some(record),
            _ => None,
        }
    }

    /// Every record of suspension.
    pub fn wait_records(&self) -> impl Iterator<Item = &WaitRecord> {
        self.records.values().filter_map(|record| match record {
            Record::Wait(record) => Some(record),
            _ => None,
        })
    }

    /// Every waitpoint, by id.
    pub fn waitpoints(&self) -> Vec<Arc<Waitpoint>> {
        let of = |record: &WaitRecord| match record {
            WaitRecord::Waitpoint(waitpoint) => Some(waitpoint.clone()),
            _ => None,
        };
        let mut all: Vec<_> = self.wait_records().filter_map(of).collect();
        all.sort_by_key(|waitpoint| waitpoint.waitpoint_id);
        all
    }

    /// The list of suspended executions, as a store would walk it.
    pub fn suspended_list(&self) -> Vec<Arc<Suspended>> {
        let of = |record: &WaitRecord| match record {
            WaitRecord::Suspended(entry) => Some(entry.clone()),
            _ => None,
        };
        let mut all: Vec<_> = self.wait_records().filter_map(of).collect();
        all.sort_by_key(|entry| (entry.since, entry.execution_id));
        all
    }

    pub fn find_waits(&self, id: ExecutionId) -> Option<Arc<Waits>> {
        match self.wait_record(WaitKey::Waits(id.uuid())) {
            Some(WaitRecord::Waits(waits)) => Some(waits.clone()),
            _ => None,
        }
    }

    pub fn suspension(&self, id: ExecutionId) -> Suspension {
        self.find_waits(id).expect("waits").current.clone().expect("a suspension")
    }

    pub fn waitpoint(&self, id: WaitpointId) -> Arc<Waitpoint> {
        match self.wait_record(WaitKey::Waitpoint(id)) {
            Some(WaitRecord::Waitpoint(waitpoint)) => waitpoint.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn signal(&self, key: SignalKey) -> Arc<Signal> {
        match self.wait_record(WaitKey::Signal(key)) {
            Some(WaitRecord::Signal(signal)) => signal.clone(),
            other => panic!("{key:?} is {other:?}"),
        }
    }

    /// The bytes beside a signal.
    pub fn signal_bytes(&self, key: SignalKey) -> Option<&[u8]> {
        match self.wait_record(WaitKey::SignalBytes(key)) {
            Some(WaitRecord::SignalBytes(stored)) => Some(&stored.bytes),
            _ => None,
        }
    }

    /// The signals that the last command told of.
    pub fn delivered(&self) -> Vec<Told> {
        let facts = self.last.events.iter().flat_map(|event| event.facts.iter().map(move |fact| (event, fact)));
        facts
            .filter_map(|(event, fact)| match fact {
                Fact::SignalDelivered { signal_id, waitpoint_id, source_identity, effect } => Some(Told {
                    execution_id: event.execution_id,
                    at: event.at,
                    signal_id: *signal_id,
                    waitpoint_id: *waitpoint_id,
                    source_identity: source_identity.clone(),
                    effect: *effect,
                }),
                _ => None,
            })
            .collect()
    }

    pub fn waitpoint_id(&mut self) -> WaitpointId {
        WaitpointId::from_uuid(self.mint())
    }

    pub fn signal_id(&mut self) -> SignalId {
        SignalId::from_uuid(self.mint())
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
            suspension_id: SuspensionId::from_uuid(self.mint()),
            waitpoints: vec![self.fresh("a")],
            resume_condition: single("a", None),
            resume_policy: ResumePolicy::default(),
            reason_code: SuspensionReason::WaitingForSignal,
            requested_by: Requester::Worker,
            timeout_at: None,
            timeout_behavior: TimeoutBehavior::Fail,
            continuation_metadata_pointer: None,
            now: self.now,
            idempotency_key: None,
        }
    }

    /// Suspends until the conditions at these keys hold.
    pub fn suspend(&mut self, id: ExecutionId, change: impl FnOnce(&mut Suspend)) -> SuspendDetails {
        let mut args = self.suspend_args(id);
        change(&mut args);
        match self.run(args).map(|outcome| *outcome) {
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
            fence: self.fence(id),
            attempt_index: None,
            waitpoint_id: self.waitpoint_id(),
            waitpoint_key: key.into(),
            expires_in_ms: 1_000,
        }
    }

    pub fn create_waitpoint(&mut self, id: ExecutionId, key: &str) -> PendingWaitpoint {
        let args = self.create_waitpoint_args(id, key);
        self.run(args).expect("a pending waitpoint")
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
        match self.run(args) {
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
        self.run(ExpireSuspension { execution_id: id, timeout_signal_id }).expect("never refused")
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
