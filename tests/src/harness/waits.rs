//! Suspended executions, their waitpoints and signals: arguments, scenes, and
//! what is stored of them.

use super::Harness;
use leasehold_contract::{
    Claimed, DeliverSignal, GiveUp, PendingWaitpoint, ResumeExecution, SeedHmacSecret, SignalOutcome, SuspendArgs,
    SuspendOutcome,
};
use leasehold_core::command::{
    CloseWaitpoint, DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS, DEFAULT_SIGNAL_ENCODING,
};
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::{
    IssuedWaitpoint, KeptKind, Record, RecordKey, ResumeTrigger, Signal, SignalBytes, SignalKey, SuspendDetails,
    Suspended, Suspension, SuspensionReason, WaitKey, WaitRecord, Waitpoint, Waits,
};
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::token::{Keyring, SecretHex, WaitpointToken};
use std::sync::Arc;

/// A suspended execution, and what its worker was given.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which execution.
    pub id: ExecutionId,
    /// The lease that was given back.
    pub held: Claimed,
    /// Its waitpoints.
    pub details: SuspendDetails,
}

impl Waiting {
    /// The first of its waitpoints.
    pub const fn primary(&self) -> &IssuedWaitpoint {
        &self.details.primary
    }

    /// All of its waitpoints, the first one first.
    pub fn waitpoints(&self) -> Vec<&IssuedWaitpoint> {
        std::iter::once(&self.details.primary).chain(&self.details.additional_waitpoints).collect()
    }
}

/// The condition of one signal of a name at the waitpoint of a key.
pub fn by_name(waitpoint_key: &str, name: &str) -> ResumeCondition {
    ResumeCondition::Single { waitpoint_key: waitpoint_key.into(), matcher: SignalMatcher::ByName(name.into()) }
}

/// The condition of any signal at the waitpoint of a key.
pub fn keyed(waitpoint_key: &str) -> ResumeCondition {
    ResumeCondition::Single { waitpoint_key: waitpoint_key.into(), matcher: SignalMatcher::Wildcard }
}

/// Arguments that install the first key.
pub fn seed(kid: &str, secret_hex: &str) -> SeedHmacSecret {
    SeedHmacSecret { kid: kid.to_owned(), secret_hex: SecretHex::new(secret_hex) }
}

impl Harness {
    /// A new waitpoint id; they ascend.
    pub fn waitpoint_id(&self) -> WaitpointId {
        self.mint(5).into()
    }

    /// A new suspension id.
    pub fn suspension_id(&self) -> SuspensionId {
        self.mint(6).into()
    }

    /// A new signal id.
    pub fn signal_id(&self) -> SignalId {
        self.mint(7).into()
    }

    /// A waitpoint that is made with the suspension.
    pub fn fresh(&self, key: &str) -> WaitpointBinding {
        WaitpointBinding::Fresh { waitpoint_id: self.waitpoint_id(), waitpoint_key: key.into() }
    }

    /// Arguments that suspend until any signal comes to a new waitpoint `a`.
    pub fn suspension(&self) -> SuspendArgs {
        self.suspension_on(&["a"], keyed("a"))
    }

    /// Arguments that suspend on new waitpoints of these keys.
    pub fn suspension_on(&self, keys: &[&str], condition: ResumeCondition) -> SuspendArgs {
        let reason = SuspensionReason::WaitingForSignal;
        let bindings = keys.iter().map(|key| self.fresh(key)).collect();
        SuspendArgs::new(self.suspension_id(), self.fresh(""), condition, reason, self.now()).with_waitpoints(bindings)
    }

    /// Arguments that suspend until any signal comes to a pending waitpoint.
    pub fn suspension_at(&self, pending: &PendingWaitpoint, condition: ResumeCondition) -> SuspendArgs {
        let binding = WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint_id };
        self.suspension_on(&[], condition).with_waitpoint(binding)
    }

    /// Suspends a leased execution.
    pub async fn suspend(&self, held: Claimed, args: SuspendArgs) -> Waiting {
        match self.engine.suspend(&held.handle, args).await {
            Ok(SuspendOutcome::Suspended { details, .. }) => Waiting { id: held.execution.execution_id, held, details },
            other => panic!("not suspended: {other:?}"),
        }
    }

    /// Suspended until any signal comes to its waitpoint `a`.
    pub async fn waiting_for_signal(&self) -> Waiting {
        self.suspended(|_| ()).await
    }

    /// Suspended, with arguments of the caller's.
    pub async fn suspended(&self, change: impl FnOnce(&mut SuspendArgs)) -> Waiting {
        let held = self.leased().await;
        let mut args = self.suspension();
        change(&mut args);
        self.suspend(held, args).await
    }

    /// Suspended on new waitpoints of these keys.
    pub async fn suspended_on(&self, keys: &[&str], condition: ResumeCondition) -> Waiting {
        let args = self.suspension_on(keys, condition);
        self.suspend(self.leased().await, args).await
    }

    /// Makes a waitpoint `a` that stays pending for so many milliseconds.
    pub async fn pending(&self, held: &Claimed, ms: u64) -> PendingWaitpoint {
        self.engine.create_waitpoint(&held.handle, "a".to_owned(), ms).await.expect("it can be made")
    }

    /// Arguments of a signal that proves itself.
    pub fn signal(&self, execution_id: ExecutionId, to: WaitpointId, token: &WaitpointToken) -> DeliverSignal {
        DeliverSignal {
            execution_id,
            waitpoint_id: to,
            signal_id: self.signal_id(),
            signal_name: "go".to_owned(),
            signal_category: "callback".to_owned(),
            source_type: "service".to_owned(),
            source_identity: "billing".to_owned(),
            payload: None,
            payload_encoding: DEFAULT_SIGNAL_ENCODING.to_owned(),
            correlation_id: None,
            idempotency_key: None,
            target_scope: "waitpoint".to_owned(),
            created_at: None,
            dedup_ttl_ms: DEFAULT_SIGNAL_DEDUP_TTL_MS,
            resume_delay_ms: 0,
            max_signals_per_execution: DEFAULT_MAX_SIGNALS_PER_EXECUTION,
            waitpoint_token: token.clone(),
        }
    }

    /// Arguments of a signal to a waitpoint of a suspension.
    pub fn signal_to(&self, execution_id: ExecutionId, to: &IssuedWaitpoint) -> DeliverSignal {
        self.signal(execution_id, to.waitpoint_id, &to.waitpoint_token)
    }

    /// Arguments of a signal to a pending waitpoint.
    pub fn signal_early(&self, execution_id: ExecutionId, to: &PendingWaitpoint) -> DeliverSignal {
        self.signal(execution_id, to.waitpoint_id, &to.hmac_token)
    }

    /// Sends a signal that is accepted; what it did.
    pub async fn deliver(&self, args: DeliverSignal) -> &'static str {
        let sent = args.signal_id;
        match self.engine.deliver_signal(args).await {
            Ok(SignalOutcome::Accepted { signal_id, effect }) => {
                assert_eq!(signal_id, sent);
                effect.as_str()
            }
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Lets the worker take its resumed execution again.
    pub async fn take_again(&self, id: ExecutionId) -> Claimed {
        self.engine.issue_claim_grant(self.grant(id)).await.expect("it can be promised");
        self.engine.claim_resumed_execution(self.resume(id)).await.expect("it can be claimed")
    }

    /// Suspended, resumed and taken again.
    pub async fn resumed(&self) -> Claimed {
        let waiting = self.waiting_for_signal().await;
        self.deliver(self.signal_to(waiting.id, waiting.primary())).await;
        self.take_again(waiting.id).await
    }

    async fn kept(&self, partition: u16, key: WaitKey) -> Option<WaitRecord> {
        let loaded = self.backend.load(partition, &[RecordKey::Wait(key)], &[]).await.expect("the store can be read");
        match loaded.records.into_iter().next().flatten() {
            Some(Record::Wait(record)) => Some(record),
            None => None,
            Some(other) => panic!("{other:?} is stored there"),
        }
    }

    /// What an execution waits for, as stored.
    pub async fn find_waits(&self, id: ExecutionId) -> Option<Arc<Waits>> {
        match self.kept(id.partition(), WaitKey::Waits(id.uuid())).await {
            Some(WaitRecord::Waits(waits)) => Some(waits),
            _ => None,
        }
    }

    /// What an execution waits for, or has waited for.
    pub async fn waits(&self, id: ExecutionId) -> Arc<Waits> {
        self.find_waits(id).await.unwrap_or_else(|| panic!("{id} never waited"))
    }

    /// The last suspension of an execution.
    pub async fn last_suspension(&self, id: ExecutionId) -> Suspension {
        self.waits(id).await.current.clone().unwrap_or_else(|| panic!("{id} was never suspended"))
    }

    /// A waitpoint as stored in the partition of an execution.
    pub async fn waitpoint(&self, id: ExecutionId, waitpoint: WaitpointId) -> Arc<Waitpoint> {
        match self.kept(id.partition(), WaitKey::Waitpoint(waitpoint)).await {
            Some(WaitRecord::Waitpoint(waitpoint)) => waitpoint,
            other => panic!("{waitpoint} is stored as {other:?}"),
        }
    }

    /// What is stored of an execution's open waitpoints.
    pub async fn open_waitpoints(&self, id: ExecutionId) -> Vec<Option<Record>> {
        let open = self.find_waits(id).await.map(|waits| waits.open_waitpoints.clone()).unwrap_or_default();
        let keys: Vec<RecordKey> = open.into_iter().map(|id| WaitKey::Waitpoint(id).into()).collect();
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(256) {
            records.extend(self.backend.load(id.partition(), keys, &[]).await.expect("the store can be read").records);
        }
        records
    }

    /// A signal as stored.
    pub async fn find_signal(&self, id: ExecutionId, key: SignalKey) -> Option<Arc<Signal>> {
        match self.kept(id.partition(), WaitKey::Signal(key)).await {
            Some(WaitRecord::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// The bytes stored beside a signal.
    pub async fn find_signal_bytes(&self, id: ExecutionId, key: SignalKey) -> Option<Arc<SignalBytes>> {
        match self.kept(id.partition(), WaitKey::SignalBytes(key)).await {
            Some(WaitRecord::SignalBytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The key ring of a partition.
    pub async fn keyring(&self, partition: u16) -> Option<Arc<Keyring>> {
        match self.kept(partition, WaitKey::Keyring).await {
            Some(WaitRecord::Keyring(ring)) => Some(ring),
            _ => None,
        }
    }

    /// The list of suspended executions of a partition, as stored.
    pub async fn suspended_list(&self, partition: u16) -> Vec<Arc<Suspended>> {
        let listed = self.backend.scan_kept(partition, KeptKind::Suspended, None, 1000).await;
        let entry = |record| match record {
            Record::Wait(WaitRecord::Suspended(entry)) => entry,
            other => panic!("{other:?} is listed as suspended"),
        };
        listed.expect("the store can be read").into_iter().map(entry).collect()
    }
}

/// Arguments with which an operator lets a suspended execution go on.
pub const fn resumption(execution_id: ExecutionId) -> ResumeExecution {
    ResumeExecution { execution_id, trigger: ResumeTrigger::Operator, resume_delay_ms: 0 }
}

/// Arguments that give a pending waitpoint up.
pub const fn abandonment(execution_id: ExecutionId, waitpoint_id: WaitpointId) -> CloseWaitpoint {
    CloseWaitpoint { execution_id, waitpoint_id, because: GiveUp::Abandonment }
}
