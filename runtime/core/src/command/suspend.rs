//! `suspend` and `suspend_by_triple`: the worker gives its lease back and the
//! attempt goes on when signals satisfy a condition.
//!
//! A suspension whose condition is satisfied by signals that came before, to
//! its pending waitpoint, is closed at once and the worker keeps its lease.

use super::fencing::{self, FenceTriple, Held, OnLapse, Override, Source};
use super::waiting::{OPEN_WAITPOINTS_MAX, close_suspension};
use super::{Decide, leasing, text};
use crate::decision::{Context, Rejection};
use crate::error::{ConflictKind, ContentionKind, EngineError, StateKind, ValidationKind};
use crate::handle::{HandleKind, HandlePayload};
use crate::ids::{AttemptIndex, ExecutionId, SuspensionId, WaitpointId};
use crate::record::{
    BoundWaitpoint, BufferedSummary, CloseReason, Closed, Execution, IssuedWaitpoint, Lease, RecordKey, Requester,
    ResumePolicy, SignalKey, SuspendDedup, SuspendDedupKey, SuspendDetails, SuspendOutcome, Suspension,
    SuspensionReason, SuspensionTimeout, TimeoutBehavior, WaitKey, WaitRecord, Waitpoint, WaitpointState, Waits,
};
use crate::suspension::{Progress, ResumeCondition, WaitpointBinding, validate};
use crate::time::TimestampMs;
use crate::token::Bound;
use crate::view::View;
use std::sync::Arc;

/// The longest a suspend is remembered by its key: a week.
const DEDUP_MS_MAX: u64 = 604_800_000;

/// How much longer than the suspension may last it is remembered.
const DEDUP_MARGIN_MS: u64 = 60_000;

/// Arguments of `suspend` and `suspend_by_triple`.
///
/// Refused, in this order, with `invalid_input` (what [`validate`] says, then
/// texts), `already_suspended` (the handle was given by a suspend),
/// `execution_not_found`, `partial_fence_triple`, `fence_required`,
/// `execution_not_active`, `lease_revoked`, `lease_expired` (which marks the
/// lease), `stale_lease`, `invalid_lease_for_suspend` (another attempt),
/// `already_suspended`; for a fresh waitpoint `waitpoint_already_exists`,
/// `hmac_secret_not_initialized`; for a pending one `waitpoint_not_found`,
/// `waitpoint_not_pending`, `invalid_waitpoint_for_execution`,
/// `pending_waitpoint_expired` and `waitpoint_not_token_bound`.
#[derive(Clone, Debug)]
pub struct Suspend {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease.
    pub fence: FenceTriple,
    /// What the worker's handle says it is; none without a handle.
    pub handle_kind: Option<HandleKind>,
    /// The attempt the worker's handle names; none without a handle.
    pub attempt_index: Option<AttemptIndex>,
    /// Minted by the caller.
    pub suspension_id: SuspensionId,
    /// The primary waitpoint, then the others.
    pub waitpoints: Vec<WaitpointBinding>,
    /// What must come.
    pub resume_condition: ResumeCondition,
    /// How the execution goes on.
    pub resume_policy: ResumePolicy,
    /// Why; a reason of the caller's own takes at most
    /// [`text::KIND_BYTES_MAX`] bytes.
    pub reason_code: SuspensionReason,
    /// Who asks.
    pub requested_by: Requester,
    /// The deadline.
    pub timeout_at: Option<TimestampMs>,
    /// What the deadline does.
    pub timeout_behavior: TimeoutBehavior,
    /// The worker's note on where to go on; at most
    /// [`text::DOCUMENT_BYTES_MAX`] bytes.
    pub continuation_metadata_pointer: Option<String>,
    /// The caller's clock. Only judges whether the deadline is long past and
    /// how long the key is remembered.
    pub now: TimestampMs,
    /// Makes a repeat answer what the first call answered.
    pub idempotency_key: Option<String>,
}

impl Suspend {
    fn dedup_key(&self) -> Option<SuspendDedupKey> {
        let key = self.idempotency_key.as_deref().filter(|key| !key.is_empty())?;
        Some(SuspendDedupKey { execution: self.execution_id.uuid(), key: key.into() })
    }

    fn dedup_ttl_ms(&self) -> u64 {
        self.timeout_at.map_or(DEDUP_MS_MAX, |at| at.since(self.now).saturating_add(DEDUP_MARGIN_MS).min(DEDUP_MS_MAX))
    }

    fn check(&self) -> Result<(), EngineError> {
        validate(&self.waitpoints, &self.resume_condition, self.timeout_at, self.now)?;
        text::name("reason_code", self.reason_code.as_str())?;
        text::optional(text::document, "continuation_metadata_pointer", self.continuation_metadata_pointer.as_deref())?;
        text::optional(text::label, "idempotency_key", self.idempotency_key.as_deref())
    }

    /// Makes a new waitpoint that is active at once.
    fn make(
        &self,
        view: &mut View<'_>,
        execution: &Execution,
        waitpoint_id: WaitpointId,
        waitpoint_key: &str,
        now: TimestampMs,
    ) -> Result<Waitpoint, EngineError> {
        if view.waitpoint(waitpoint_id).is_some() {
            return Err(ConflictKind::WaitpointAlreadyExists.into());
        }
        let token = view.keyring().mint(&Bound { waitpoint_id, waitpoint_key, created_at: now })?;
        Ok(Waitpoint {
            waitpoint_id,
            execution_id: execution.id,
            attempt_index: execution.current_attempt_index(),
            suspension_id: Some(self.suspension_id),
            waitpoint_key: waitpoint_key.into(),
            token: Some(token),
            state: WaitpointState::Active,
            created_at: now,
            activated_at: Some(now),
            satisfied_at: None,
            closed_at: None,
            expires_at: self.timeout_at,
            close_reason: None,
            signal_count: 0,
            matched_signal_count: 0,
            last_signal_at: None,
            buffered: Vec::new(),
        })
    }

    /// Takes a pending waitpoint over. Key, token and time of creation stay,
    /// since the token may have been handed out.
    fn take_over(
        &self,
        view: &mut View<'_>,
        execution: &Execution,
        waitpoint_id: WaitpointId,
        now: TimestampMs,
    ) -> Result<Waitpoint, EngineError> {
        let pending = view.waitpoint(waitpoint_id).ok_or(ContentionKind::WaitpointNotFound)?;
        if pending.state != WaitpointState::Pending {
            return Err(StateKind::WaitpointNotPending.into());
        }
        if pending.execution_id != execution.id || pending.attempt_index != execution.current_attempt_index() {
            return Err(EngineError::validation(ValidationKind::InvalidWaitpointForExecution, ""));
        }
        if pending.expires_at.is_some_and(|at| at <= now) {
            return Err(StateKind::PendingWaitpointExpired.into());
        }
        if pending.token.is_none() {
            return Err(EngineError::validation(ValidationKind::WaitpointNotTokenBound, ""));
        }
        let mut waitpoint = (*pending).clone();
        waitpoint.suspension_id = Some(self.suspension_id);
        waitpoint.state = WaitpointState::Active;
        waitpoint.activated_at = Some(now);
        waitpoint.expires_at = self.timeout_at;
        Ok(waitpoint)
    }

    fn suspension(&self, execution: &Execution, waitpoints: &[Waitpoint], now: TimestampMs) -> Suspension {
        Suspension {
            suspension_id: self.suspension_id,
            attempt_index: execution.current_attempt_index(),
            waitpoints: waitpoints
                .iter()
                .map(|waitpoint| BoundWaitpoint {
                    waitpoint_id: waitpoint.waitpoint_id,
                    waitpoint_key: waitpoint.waitpoint_key.clone(),
                })
                .collect(),
            reason: self.reason_code.clone(),
            requested_by: self.requested_by,
            created_at: now,
            timeout: self.timeout_at.map(|at| SuspensionTimeout { at, behavior: self.timeout_behavior }),
            condition: Arc::new(self.resume_condition.clone()),
            progress: Progress::new(&self.resume_condition),
            policy: Arc::new(self.resume_policy.clone()),
            continuation_metadata_pointer: self.continuation_metadata_pointer.as_deref().map(Arc::from),
            buffered: BufferedSummary::default(),
            last_signal_at: None,
            satisfied_at: None,
            closed: None,
        }
    }

    fn stage(
        &self,
        view: &mut View<'_>,
        held: &Held,
        mut waits: Waits,
        now: TimestampMs,
    ) -> Result<SuspendOutcome, EngineError> {
        let execution = &held.execution;
        let mut waitpoints = Vec::with_capacity(self.waitpoints.len());
        for binding in &self.waitpoints {
            waitpoints.push(match binding {
                WaitpointBinding::Fresh { waitpoint_id, waitpoint_key } => {
                    self.make(view, execution, *waitpoint_id, waitpoint_key, now)?
                }
                WaitpointBinding::UsePending { waitpoint_id } => self.take_over(view, execution, *waitpoint_id, now)?,
            });
        }
        let details = details(self.suspension_id, &waitpoints)?;
        let mut suspension = self.suspension(execution, &waitpoints, now);
        let activated = |id: &WaitpointId| self.waitpoints.iter().any(|binding| binding.waitpoint_id() == *id);
        waits.expiries.retain(|(id, _)| !activated(id));
        for waitpoint in &mut waitpoints {
            replay(view, &mut suspension, waitpoint, now)?;
            if !waits.open_waitpoints.contains(&waitpoint.waitpoint_id) {
                waits.open_waitpoints.push(waitpoint.waitpoint_id);
            }
        }
        if waits.open_waitpoints.len() > OPEN_WAITPOINTS_MAX {
            let detail = format!("waitpoints: {} open, at most {OPEN_WAITPOINTS_MAX}", waits.open_waitpoints.len());
            return Err(EngineError::invalid_input(detail));
        }
        for waitpoint in waitpoints {
            view.put_waitpoint(waitpoint);
        }
        let satisfied = suspension.satisfied_at.is_some();
        let closer_signal_id = suspension.progress.satisfiers().last().map(|satisfier| satisfier.signal_id);
        waits.current = Some(suspension);
        let outcome = if satisfied {
            let reason = CloseReason::Resumed;
            let closed = Closed { at: now, reason, closer_signal_id, timeout_signal_id: None, resume_trigger: None };
            close_suspension(view, &mut waits, closed);
            SuspendOutcome::AlreadySatisfied { details }
        } else {
            let mut next = (**execution).clone();
            leasing::suspend(view, &mut next, self.suspension_id, self.reason_code.suspended_for(), now);
            next.blocking_detail =
                Some(format!("suspended: waitpoint {} awaiting {}", details.primary.waitpoint_id, self.reason_code));
            view.put_execution(Arc::new(next));
            SuspendOutcome::Suspended { details, held: what_was_held(execution, &held.lease) }
        };
        view.put_waits(waits);
        if let Some(SuspendDedupKey { execution, key }) = self.dedup_key() {
            view.put_wait(WaitRecord::SuspendDedup(Arc::new(SuspendDedup {
                execution: execution.as_u128(),
                key,
                outcome: outcome.clone(),
                expires_at: now.plus(self.dedup_ttl_ms()),
            })));
        }
        Ok(outcome)
    }
}

impl Decide for Suspend {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        let mut keys = vec![WaitKey::Waits(self.execution_id.uuid()), WaitKey::Keyring];
        keys.extend(self.dedup_key().map(WaitKey::SuspendDedup));
        keys.extend(self.waitpoints.iter().map(|binding| WaitKey::Waitpoint(binding.waitpoint_id())));
        keys
    }

    fn minted(&self) -> Vec<RecordKey> {
        let fresh = |binding: &WaitpointBinding| match binding {
            WaitpointBinding::Fresh { waitpoint_id, .. } => Some(WaitKey::Waitpoint(*waitpoint_id)),
            WaitpointBinding::UsePending { .. } => None,
        };
        let waitpoints = self.waitpoints.iter().filter_map(fresh);
        waitpoints.chain(self.dedup_key().map(WaitKey::SuspendDedup)).map(RecordKey::Wait).collect()
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Box<SuspendOutcome>, Rejection> {
        self.check()?;
        if self.handle_kind == Some(HandleKind::Suspended) {
            return Err(StateKind::AlreadySuspended.into());
        }
        let now = context.now;
        if let Some(known) = self.dedup_key().and_then(|key| view.suspend_dedup(key, now)) {
            return Ok(Box::new(known.outcome.clone()));
        }
        let held = fencing::validate(
            view,
            context,
            self.execution_id,
            &self.fence,
            &Source::LeaseHolder,
            Override::Nobody,
            OnLapse::Mark,
        )?;
        if self.attempt_index.is_some_and(|index| index != held.execution.current_attempt_index()) {
            return Err(EngineError::validation(ValidationKind::InvalidLeaseForSuspend, "another attempt").into());
        }
        let waits = view.waits(self.execution_id);
        if waits.open().is_some() {
            return Err(StateKind::AlreadySuspended.into());
        }
        Ok(Box::new(self.stage(view, &held, waits, now)?))
    }
}

/// Lets the signals that a pending waitpoint kept count, in the order in
/// which they came, as if they came now. Those behind the one that satisfies
/// the condition come too late.
fn replay(
    view: &mut View<'_>,
    suspension: &mut Suspension,
    waitpoint: &mut Waitpoint,
    now: TimestampMs,
) -> Result<(), EngineError> {
    for signal_id in std::mem::take(&mut waitpoint.buffered) {
        if suspension.satisfied_at.is_some() {
            break;
        }
        let key = SignalKey { waitpoint_id: waitpoint.waitpoint_id, signal_id };
        let signal = view
            .signal(key)
            .ok_or_else(|| EngineError::corruption("waitpoint", "buffered", &format!("{signal_id} is missing")))?;
        let effect = suspension.progress.hear(&suspension.condition, &signal.heard(&waitpoint.waitpoint_key));
        let matched = effect.is_match();
        waitpoint.signal_count += 1;
        waitpoint.matched_signal_count += u64::from(matched);
        waitpoint.last_signal_at = Some(signal.accepted_at);
        suspension.buffered.signals += 1;
        suspension.buffered.matched += u32::from(matched);
        if suspension.progress.is_satisfied(&suspension.condition) {
            suspension.satisfied_at = Some(now);
            waitpoint.satisfied_at = Some(now);
        } else {
            suspension.last_signal_at = Some(signal.accepted_at);
        }
    }
    Ok(())
}

fn details(suspension_id: SuspensionId, waitpoints: &[Waitpoint]) -> Result<SuspendDetails, EngineError> {
    let mut issued = Vec::with_capacity(waitpoints.len());
    for waitpoint in waitpoints {
        let token = waitpoint.token.clone();
        issued.push(IssuedWaitpoint {
            waitpoint_id: waitpoint.waitpoint_id,
            waitpoint_key: waitpoint.waitpoint_key.clone(),
            waitpoint_token: token
                .ok_or_else(|| EngineError::validation(ValidationKind::WaitpointNotTokenBound, ""))?,
        });
    }
    let mut issued = issued.into_iter();
    let primary = issued.next().ok_or_else(|| EngineError::invalid_input("waitpoints_empty"))?;
    Ok(SuspendDetails { suspension_id, primary, additional_waitpoints: issued.collect() })
}

/// What the worker's handle says, rebuilt from the lease, so that a worker
/// without one gets the same.
fn what_was_held(execution: &Execution, lease: &Lease) -> HandlePayload {
    HandlePayload {
        execution_id: execution.id,
        attempt_index: execution.current_attempt_index(),
        attempt_id: lease.attempt_id,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        lease_ttl_ms: lease.ttl_ms,
        lane_id: execution.lane_id.clone(),
        worker_instance_id: lease.worker_instance_id.clone(),
    }
}
