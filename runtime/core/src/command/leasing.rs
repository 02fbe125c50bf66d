//! Issuing, losing and giving back leases, and the attempts they drive.
//!
//! Every door into and out of the active phase goes through here, so that a
//! lease, its attempt, its events and its timers change together.

use crate::error::EngineError;
use crate::event::{Fact, LeaseFact};
use crate::handle::{BackendTag, Handle, HandleKind, HandlePayload};
use crate::ids::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, RequestId, SuspensionId, WorkerId,
    WorkerInstanceId,
};
use crate::record::{Attempt, AttemptTimeout, Execution, Holder, Lease, Lineage, Pending, Record};
use crate::state::{AttemptLifecycle, AttemptType, Park, SuspendedFor, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// A lease that was issued, as its worker needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedExecution {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Its epoch.
    pub lease_epoch: LeaseEpoch,
    /// The attempt it drives.
    pub attempt_index: AttemptIndex,
    /// The same attempt's id.
    pub attempt_id: AttemptId,
    /// Why the attempt exists.
    pub attempt_type: AttemptType,
    /// When the lease lapses unless renewed.
    pub lease_expires_at: TimestampMs,
    /// How long one renewal lasts.
    pub lease_ttl_ms: u64,
    /// The lane it was claimed from.
    pub lane_id: LaneId,
    /// The process it was issued to.
    pub worker_instance_id: WorkerInstanceId,
    /// How the lease came about.
    pub kind: HandleKind,
}

impl ClaimedExecution {
    /// The triple that proves the lease.
    pub const fn fence(&self) -> LeaseFence {
        LeaseFence { lease_id: self.lease_id, lease_epoch: self.lease_epoch, attempt_id: self.attempt_id }
    }

    /// The handle a worker carries.
    pub fn handle(&self, backend: BackendTag) -> Handle {
        Handle::encode(
            backend,
            self.kind,
            &HandlePayload {
                execution_id: self.execution_id,
                attempt_index: self.attempt_index,
                attempt_id: self.attempt_id,
                lease_id: self.lease_id,
                lease_epoch: self.lease_epoch,
                lease_ttl_ms: self.lease_ttl_ms,
                lane_id: self.lane_id.clone(),
                worker_instance_id: self.worker_instance_id.clone(),
            },
        )
    }
}

/// To whom a lease is issued, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Grantee {
    pub worker_id: WorkerId,
    pub worker_instance_id: WorkerInstanceId,
    pub holder: Holder,
    pub request_id: Option<RequestId>,
    pub lease_id: LeaseId,
    pub lease_ttl_ms: u64,
}

/// What a fresh attempt starts with.
#[derive(Clone, Debug)]
pub(super) struct FreshAttempt {
    pub attempt_id: AttemptId,
    pub policy_json: Option<String>,
    pub attempt_timeout_ms: Option<u64>,
    pub execution_deadline_at: Option<TimestampMs>,
}

/// A running attempt of a worker that sets no limit ends after this long, so
/// that a handler that hangs is not immortal. One day.
pub const DEFAULT_ATTEMPT_TIMEOUT_MS: u64 = 86_400_000;

/// Refuses a lease that would have lapsed when it is issued.
pub(super) fn check_ttl(lease_ttl_ms: u64) -> Result<(), EngineError> {
    if lease_ttl_ms == 0 {
        return Err(EngineError::invalid_input("lease_ttl_ms: 0, at least 1"));
    }
    Ok(())
}

/// Starts a new attempt under a new lease: the first one, a retry, a replay
/// or a reclaim.
pub(super) fn start_attempt(
    view: &mut View<'_>,
    execution: &Execution,
    grantee: &Grantee,
    fresh: FreshAttempt,
    kind: HandleKind,
    reason: Option<&str>,
    now: TimestampMs,
) -> ClaimedExecution {
    let mut next = execution.clone();
    let index = AttemptIndex(execution.total_attempt_count);
    let old_lease_epoch = execution.lease_epoch;
    if let Some(mut previous) = next.attempt.take() {
        if !previous.lifecycle.is_terminal() {
            previous.end(AttemptLifecycle::InterruptedReclaimed, now);
        }
        // Indices are used once, so there is nothing to look for.
        view.put_new(Record::Attempt(Arc::new(previous)));
    }
    let lineage = lineage(execution, kind);
    let lease = lease(execution, grantee, fresh.attempt_id, now);
    next.attempt = Some(Attempt {
        attempt_id: fresh.attempt_id,
        execution: execution.id.uuid().as_u128(),
        index,
        lineage,
        lifecycle: AttemptLifecycle::Started,
        created_at: now,
        started_at: now,
        ended_at: None,
        resumed_at: None,
        suspended_at: None,
        suspension_id: None,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        worker_id: lease.worker_id.clone(),
        worker_instance_id: lease.worker_instance_id.clone(),
        failure_reason: None,
        failure_category: None,
        policy_json: fresh.policy_json,
    });
    next.total_attempt_count += 1;
    next.pending = None;
    if next.started_at.is_none() {
        next.started_at = Some(now);
    }
    let timeout_ms = fresh
        .attempt_timeout_ms
        .filter(|ms| *ms != 0)
        .or_else(|| policy_attempt_timeout_ms(execution))
        .unwrap_or(DEFAULT_ATTEMPT_TIMEOUT_MS);
    next.attempt_timeout = Some(AttemptTimeout::At(now.plus(timeout_ms)));
    if let Some(deadline) = fresh.execution_deadline_at.filter(|at| at.0 != 0) {
        next.deadline_at = Some(deadline);
    }
    if kind == HandleKind::Reclaimed {
        next.lease_reclaim_count += 1;
    }
    let what = if kind == HandleKind::Reclaimed {
        LeaseFact::Reclaimed { old_lease_epoch }
    } else {
        LeaseFact::Acquired { reason: reason.map(str::to_owned) }
    };
    activate(view, next, lease, kind, what, now)
}

/// Continues an interrupted attempt under a new lease.
pub(super) fn resume_attempt(
    view: &mut View<'_>,
    execution: &Execution,
    grantee: &Grantee,
    remaining_attempt_timeout_ms: Option<u64>,
    reason: &str,
    now: TimestampMs,
) -> Option<ClaimedExecution> {
    let mut next = execution.clone();
    let attempt = next.attempt.as_mut()?;
    let lease = lease(execution, grantee, attempt.attempt_id, now);
    attempt.lifecycle = AttemptLifecycle::Started;
    attempt.resumed_at = Some(now);
    attempt.suspended_at = None;
    attempt.suspension_id = None;
    attempt.lease_id = lease.lease_id;
    attempt.lease_epoch = lease.lease_epoch;
    attempt.worker_id = lease.worker_id.clone();
    attempt.worker_instance_id = lease.worker_instance_id.clone();
    let remembered = match execution.attempt_timeout {
        Some(AttemptTimeout::Remaining(ms)) => Some(ms),
        _ => None,
    };
    next.attempt_timeout =
        remaining_attempt_timeout_ms.filter(|ms| *ms > 0).or(remembered).map(|ms| AttemptTimeout::At(now.plus(ms)));
    let what = LeaseFact::Acquired { reason: Some(reason.to_owned()) };
    Some(activate(view, next, lease, HandleKind::Resumed, what, now))
}

fn policy_attempt_timeout_ms(execution: &Execution) -> Option<u64> {
    execution
        .spec
        .policy
        .as_ref()
        .and_then(|policy| policy.timeout_policy.as_ref())
        .and_then(|timeout| timeout.attempt_timeout_ms)
        .filter(|ms| *ms != 0)
}

fn lineage(execution: &Execution, kind: HandleKind) -> Lineage {
    if kind == HandleKind::Reclaimed {
        return Lineage::Reclaim {
            reclaim_reason: execution.vector().ownership_state().as_str().to_owned(),
            previous_attempt_index: execution.current_attempt_index(),
        };
    }
    match &execution.pending {
        None => Lineage::Initial,
        Some(Pending::Retry { reason, previous_attempt_index, .. }) => {
            Lineage::Retry { retry_reason: reason.clone(), previous_attempt_index: *previous_attempt_index }
        }
        Some(Pending::Replay { reason, requested_by, previous_attempt_index }) => Lineage::Replay {
            replay_reason: reason.clone(),
            replay_requested_by: requested_by.clone(),
            replayed_from_attempt_index: *previous_attempt_index,
        },
    }
}

fn lease(execution: &Execution, grantee: &Grantee, attempt_id: AttemptId, now: TimestampMs) -> Lease {
    let mut lease = Lease {
        lease_id: grantee.lease_id,
        lease_epoch: execution.lease_epoch.next(),
        attempt_id,
        worker_id: grantee.worker_id.clone(),
        worker_instance_id: grantee.worker_instance_id.clone(),
        holder: grantee.holder,
        request_id: grantee.request_id,
        acquired_at: now,
        expires_at: now,
        last_renewed_at: now,
        renewal_deadline: now,
        ttl_ms: grantee.lease_ttl_ms,
    };
    lease.renew(now, grantee.lease_ttl_ms);
    lease
}

fn activate(
    view: &mut View<'_>,
    mut next: Execution,
    lease: Lease,
    kind: HandleKind,
    what: LeaseFact,
    now: TimestampMs,
) -> ClaimedExecution {
    next.grant = None;
    next.lease_epoch = lease.lease_epoch;
    next.lease_expired_at = None;
    next.lease_revoked_at = None;
    next.lease_revoke_reason = None;
    next.blocking_detail = None;
    let attempt_type = next.attempt.as_ref().map_or(AttemptType::Initial, |attempt| attempt.lineage.attempt_type());
    let claimed = ClaimedExecution {
        execution_id: next.id,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        attempt_index: next.current_attempt_index(),
        attempt_id: lease.attempt_id,
        attempt_type,
        lease_expires_at: lease.expires_at,
        lease_ttl_ms: lease.ttl_ms,
        lane_id: next.lane_id.clone(),
        worker_instance_id: lease.worker_instance_id.clone(),
        kind,
    };
    next.lease = Some(lease);
    let vector = next.vector().leased();
    next.transition(vector, now);
    tell_lease(view, &next, what, now);
    view.put_execution(Arc::new(next));
    claimed
}

/// Tells something about the execution's current or last lease.
pub(super) fn tell_lease(view: &mut View<'_>, execution: &Execution, what: LeaseFact, now: TimestampMs) {
    if let Some(lease) = &execution.lease {
        view.tell(
            execution.id,
            now,
            Fact::Lease {
                what,
                lease_id: lease.lease_id,
                lease_epoch: lease.lease_epoch,
                attempt_index: execution.current_attempt_index(),
                attempt_id: lease.attempt_id,
                worker_instance_id: lease.worker_instance_id.clone(),
            },
        );
    }
}

/// Marks a lapsed lease. The execution stays active and can be reclaimed.
pub(super) fn mark_expired(view: &mut View<'_>, execution: &Execution, now: TimestampMs) {
    let mut next = execution.clone();
    let vector = next.vector().lease_expired();
    next.transition_of_lease(vector, now);
    next.lease_expired_at = Some(now);
    tell_lease(view, &next, LeaseFact::Expired, now);
    view.put_execution(Arc::new(next));
}

/// Takes the lease off an execution that leaves the active phase and tells
/// why. The epoch survives.
pub(super) fn release(view: &mut View<'_>, next: &mut Execution, reason: &str, now: TimestampMs) {
    tell_lease(view, next, LeaseFact::Released { reason: reason.to_owned() }, now);
    next.lease = None;
    next.lease_expired_at = None;
    next.lease_revoked_at = None;
    next.lease_revoke_reason = None;
}

/// Ends the current attempt, if it has not ended yet.
pub(super) fn end_attempt(
    next: &mut Execution,
    lifecycle: AttemptLifecycle,
    reason: Option<&str>,
    category: Option<&str>,
    now: TimestampMs,
) {
    if let Some(attempt) = next.attempt.as_mut().filter(|attempt| !attempt.lifecycle.is_terminal()) {
        attempt.end(lifecycle, now);
        attempt.failure_reason = reason.map(str::to_owned);
        attempt.failure_category = category.map(str::to_owned);
    }
}

/// Interrupts the current attempt: it gives its lease back and goes on later,
/// with what is left of its time.
pub(super) fn interrupt(view: &mut View<'_>, next: &mut Execution, suspension_id: &str, park: Park, now: TimestampMs) {
    pause(view, next, suspension_id, suspension_id, now);
    let vector = next.vector().interrupted(park);
    next.transition(vector, now);
}

/// Suspends the current attempt: it gives its lease back and goes on when its
/// suspension ends, with what is left of its time.
pub(super) fn suspend(
    view: &mut View<'_>,
    next: &mut Execution,
    suspension_id: SuspensionId,
    by: SuspendedFor,
    now: TimestampMs,
) {
    pause(view, next, &suspension_id.to_string(), "suspend", now);
    let vector = next.vector().suspended(by);
    next.transition(vector, now);
}

fn pause(view: &mut View<'_>, next: &mut Execution, suspension_id: &str, released: &str, now: TimestampMs) {
    if let Some(attempt) = next.attempt.as_mut() {
        attempt.lifecycle = AttemptLifecycle::Suspended;
        attempt.suspended_at = Some(now);
        attempt.suspension_id = Some(suspension_id.to_owned());
    }
    release(view, next, released, now);
    if let Some(AttemptTimeout::At(at)) = next.attempt_timeout {
        // One millisecond at least: an attempt that used its time up is
        // still owed the timer that ends it.
        next.attempt_timeout = Some(AttemptTimeout::Remaining(at.since(now).max(1)));
    }
}

/// Puts an execution into its terminal state and tells everybody.
pub(super) fn terminate(
    view: &mut View<'_>,
    next: &mut Execution,
    outcome: TerminalOutcome,
    cascade: bool,
    now: TimestampMs,
) {
    next.completed_at = Some(now);
    next.delay_until = None;
    next.blocked_at = None;
    next.blocking_detail = None;
    next.attempt_timeout = None;
    next.grant = None;
    next.pending = None;
    let vector = next.vector().ended(outcome, next.attempt.is_some());
    next.transition(vector, now);
    view.tell(next.id, now, Fact::Completed { outcome, flow_id: next.flow_id, cascade });
}
