//! What holds of one execution at rest.

use super::{Violation, ensure};
use crate::command::PRIORITY_MAX;
use crate::policy::DEFAULT_MAX_REPLAY_COUNT;
use crate::record::{
    AttemptTimeout, Execution, GrantPurpose, INLINE_RESULT_BYTES_MAX, Pending, ResultRef, renewal_advice_ms,
};
use crate::state::{
    AttemptLifecycle, AttemptState, BlockingReason, EligibilityState, LifecyclePhase, OwnershipState, StateVector,
    TerminalOutcome,
};

/// Checks an execution against every rule that needs nothing but its record.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_execution(execution: &Execution) -> Result<(), Violation> {
    vector(execution)?;
    lease(execution)?;
    attempt(execution)?;
    pending(execution)?;
    counters(execution)?;
    queue(execution)?;
    timers(execution)?;
    ending(execution)
}

fn vector(execution: &Execution) -> Result<(), Violation> {
    let vector = execution.vector();
    StateVector::from_parts(
        vector.lifecycle_phase(),
        vector.ownership_state(),
        vector.eligibility_state(),
        vector.blocking_reason(),
        vector.terminal_outcome(),
        vector.attempt_state(),
    )
    .map(|_| ())
    .map_err(|error| Violation {
        execution_id: execution.id,
        rule: "the dimensions of the state vector agree",
        detail: error.to_string(),
    })
}

fn lease(execution: &Execution) -> Result<(), Violation> {
    let vector = execution.vector();
    let ownership = vector.ownership_state();
    let rule = |holds, rule| ensure(execution, holds, rule);
    rule(execution.lease.is_some() == vector.is_active(), "a lease is kept exactly while active")?;
    rule(
        execution.lease_expired_at.is_some() == (ownership == OwnershipState::LeaseExpiredReclaimable),
        "the lapse is dated exactly while lapsed",
    )?;
    rule(
        execution.lease_revoked_at.is_some() == (ownership == OwnershipState::LeaseRevoked),
        "the revocation is dated exactly while revoked",
    )?;
    rule(execution.lease_revoke_reason.is_some() == execution.lease_revoked_at.is_some(), "a revocation has a reason")?;
    let Some(lease) = &execution.lease else { return Ok(()) };
    rule(lease.lease_epoch == execution.lease_epoch, "the lease has the last epoch issued")?;
    rule(
        lease.expires_at == lease.last_renewed_at.plus(lease.ttl_ms) && lease.expires_at > lease.last_renewed_at,
        "a lease expires its time after the last renewal",
    )?;
    rule(
        lease.renewal_deadline == lease.last_renewed_at.plus(renewal_advice_ms(lease.ttl_ms)),
        "renewal is advised at two thirds",
    )?;
    rule(lease.acquired_at <= lease.last_renewed_at, "a lease is renewed after it was issued")
}

fn attempt(execution: &Execution) -> Result<(), Violation> {
    use AttemptLifecycle as L;
    use AttemptState as S;
    let vector = execution.vector();
    let state = vector.attempt_state();
    let rule = |holds, rule| ensure(execution, holds, rule);
    rule(
        (execution.total_attempt_count > 0) == execution.attempt.is_some()
            && execution.attempt.is_some() == execution.started_at.is_some()
            && execution.attempt.is_some() == (execution.lease_epoch.0 > 0),
        "the first claim starts the execution, its first attempt and its epochs",
    )?;
    rule(execution.lease_epoch.0 >= u64::from(execution.total_attempt_count), "every attempt had a lease")?;
    let Some(attempt) = &execution.attempt else {
        return rule(
            matches!(state, S::PendingFirstAttempt | S::PendingReplayAttempt),
            "without an attempt the first one is pending, or a replay",
        );
    };
    rule(attempt.execution == execution.id.uuid().as_u128(), "the attempt belongs to the execution")?;
    rule(
        attempt.index.0.checked_add(1) == Some(execution.total_attempt_count),
        "the current attempt is the last of all",
    )?;
    rule(attempt.lease_epoch == execution.lease_epoch, "the last lease drove the last attempt")?;
    if let Some(lease) = &execution.lease {
        rule(
            lease.attempt_id == attempt.attempt_id
                && lease.lease_id == attempt.lease_id
                && lease.worker_id == attempt.worker_id
                && lease.worker_instance_id == attempt.worker_instance_id,
            "lease and attempt agree on each other and on the worker",
        )?;
    }
    rule(attempt.ended_at.is_some() == attempt.lifecycle.is_terminal(), "an attempt is dated when it ends")?;
    let fits = match state {
        S::RunningAttempt => attempt.lifecycle == L::Started,
        S::AttemptInterrupted if vector.is_active() => attempt.lifecycle == L::Started,
        S::AttemptInterrupted => attempt.lifecycle == L::Suspended,
        S::PendingRetryAttempt => attempt.lifecycle == L::EndedFailure,
        S::PendingReplayAttempt | S::AttemptTerminal => attempt.lifecycle.is_terminal(),
        S::PendingFirstAttempt | S::None => false,
    };
    rule(fits, "the attempt stands where the state vector says")?;
    rule(
        attempt.lifecycle != L::Suspended || (attempt.suspended_at.is_some() && attempt.suspension_id.is_some()),
        "a suspended attempt says since when and for what",
    )?;
    rule(
        attempt.lifecycle != L::Started || (attempt.suspended_at.is_none() && attempt.suspension_id.is_none()),
        "a started attempt waits for nothing",
    )
}

fn pending(execution: &Execution) -> Result<(), Violation> {
    let state = execution.vector().attempt_state();
    let fits = match &execution.pending {
        _ if execution.vector().is_terminal() => execution.pending.is_none(),
        Some(Pending::Retry { .. }) => state == AttemptState::PendingRetryAttempt,
        Some(Pending::Replay { .. }) => state == AttemptState::PendingReplayAttempt,
        None => !matches!(state, AttemptState::PendingRetryAttempt | AttemptState::PendingReplayAttempt),
    };
    ensure(execution, fits, "a pending retry or replay says why, and nothing else does")
}

fn counters(execution: &Execution) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(execution, holds, rule);
    let policy = execution.spec.policy.as_ref();
    let replays = policy.map_or(DEFAULT_MAX_REPLAY_COUNT, |policy| policy.max_replay_count);
    rule((0..=PRIORITY_MAX).contains(&execution.priority), "a priority lies between 0 and 9000")?;
    rule(execution.replay_count <= replays, "replays stay within their limit")?;
    rule(
        policy.is_none_or(|policy| execution.lease_reclaim_count <= policy.max_reclaim_count),
        "reclaims stay within their cap",
    )?;
    rule(execution.lease_reclaim_count <= execution.total_attempt_count, "every reclaim started an attempt")?;
    rule(
        execution.spec.created_at <= execution.last_transition_at
            && execution.last_transition_at <= execution.last_mutation_at,
        "creation, transition and mutation follow in this order",
    )
}

fn queue(execution: &Execution) -> Result<(), Violation> {
    use EligibilityState as E;
    let vector = execution.vector();
    let rule = |holds, rule| ensure(execution, holds, rule);
    let delayed = vector.eligibility_state() == E::NotEligibleUntilTime;
    let blocked = vector.is_runnable() && !delayed && !vector.is_eligible();
    rule(delayed == execution.delay_until.is_some(), "a wake time is kept exactly while delayed")?;
    rule(blocked == execution.blocked_at.is_some(), "the block is dated exactly while blocked")?;
    let suspended = vector.lifecycle_phase() == LifecyclePhase::Suspended;
    let resuming = vector.blocking_reason() == BlockingReason::WaitingForResumeDelay;
    rule(
        blocked || suspended || resuming || execution.blocking_detail.is_none(),
        "only a block, a suspension or the delay after one has a detail",
    )?;
    let fits = match execution.grant.as_ref().map(|grant| grant.purpose) {
        None => true,
        Some(GrantPurpose::Claim) => vector.is_eligible(),
        Some(GrantPurpose::Reclaim) => vector.is_reclaimable(),
    };
    rule(fits, "a grant is kept only where it can be used")
}

fn timers(execution: &Execution) -> Result<(), Violation> {
    let vector = execution.vector();
    let interrupted = matches!(vector.lifecycle_phase(), LifecyclePhase::Runnable | LifecyclePhase::Suspended)
        && vector.attempt_state() == AttemptState::AttemptInterrupted;
    let fits = match execution.attempt_timeout {
        Some(AttemptTimeout::At(_)) => vector.is_active() && vector.ownership_state() != OwnershipState::LeaseRevoked,
        Some(AttemptTimeout::Remaining(_)) => interrupted,
        None => vector.ownership_state() != OwnershipState::Leased,
    };
    ensure(execution, fits, "a running attempt has a time limit, an interrupted one remembers it")
}

fn ending(execution: &Execution) -> Result<(), Violation> {
    let vector = execution.vector();
    let outcome = vector.terminal_outcome();
    let rule = |holds, rule| ensure(execution, holds, rule);
    rule(execution.completed_at.is_some() == vector.is_terminal(), "the end is dated exactly when terminal")?;
    rule(
        !vector.is_terminal()
            || (vector.attempt_state() == AttemptState::AttemptTerminal) == execution.attempt.is_some(),
        "an ended execution that ran has an ended attempt",
    )?;
    let cancelled = outcome == TerminalOutcome::Cancelled;
    rule(
        execution.cancellation_reason.is_some() == cancelled && execution.cancelled_by.is_some() == cancelled,
        "a cancellation says why and by whom, and nothing else does",
    )?;
    rule(
        !matches!(outcome, TerminalOutcome::Failed | TerminalOutcome::Expired) || execution.failure_reason.is_some(),
        "a failure says why",
    )?;
    rule(execution.result.is_none() || outcome == TerminalOutcome::Success, "only success has a result")?;
    let fits = match &execution.result {
        Some(ResultRef::Inline(bytes)) => bytes.len() <= INLINE_RESULT_BYTES_MAX,
        Some(ResultRef::Stored(bytes)) => *bytes as usize > INLINE_RESULT_BYTES_MAX,
        None => true,
    };
    rule(fits, "a small result is in the record, a large one beside it")
}
