//! `expire_suspension`: the deadline of a suspension acts. Safe at any time;
//! it acts at most once, on a suspended execution only.

use super::fencing::Source;
use super::waiting::{close_suspension, close_waitpoints, let_go_on};
use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::ids::{ExecutionId, SignalId};
use crate::record::{
    CloseReason, Closed, Execution, Requester, Signal, SignalKey, SuspensionReason, TimeoutBehavior, WaitKey,
    WaitRecord, Waits,
};
use crate::state::{AttemptLifecycle, LifecyclePhase, TerminalOutcome};
use crate::suspension::{SignalEffect, TIMEOUT_SIGNAL_NAME};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `expire_suspension`. Never refused: what does not apply is an
/// outcome.
#[derive(Clone, Debug)]
pub struct ExpireSuspension {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The id of the signal that the deadline leaves, should it resume the
    /// execution; minted by the caller.
    pub timeout_signal_id: SignalId,
}

/// Answer of `expire_suspension`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireSuspensionOutcome {
    /// The deadline acted.
    Expired {
        /// What it did.
        behavior: TimeoutBehavior,
    },
    /// There is no such execution.
    NotFoundCleaned,
    /// It is not suspended.
    NotSuspendedCleaned,
    /// It has no open suspension.
    NoActiveSuspensionCleaned,
    /// There is no deadline, or it is not reached.
    NotYetDue,
}

impl ExpireSuspensionOutcome {
    /// The wire spelling; what the deadline did when it acted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired { behavior } => behavior.as_str(),
            Self::NotFoundCleaned => "not_found_cleaned",
            Self::NotSuspendedCleaned => "not_suspended_cleaned",
            Self::NoActiveSuspensionCleaned => "no_active_suspension_cleaned",
            Self::NotYetDue => "not_yet_due",
        }
    }
}

impl Decide for ExpireSuspension {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        vec![WaitKey::Waits(self.execution_id.uuid())]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ExpireSuspensionOutcome, Rejection> {
        let now = context.now;
        let Some(execution) = view.find_execution(self.execution_id) else {
            return Ok(ExpireSuspensionOutcome::NotFoundCleaned);
        };
        if execution.vector().lifecycle_phase() != LifecyclePhase::Suspended {
            return Ok(ExpireSuspensionOutcome::NotSuspendedCleaned);
        }
        let waits = view.waits(self.execution_id);
        let Some(suspension) = waits.open() else {
            return Ok(ExpireSuspensionOutcome::NoActiveSuspensionCleaned);
        };
        let Some(timeout) = suspension.timeout.filter(|timeout| timeout.at <= now) else {
            return Ok(ExpireSuspensionOutcome::NotYetDue);
        };
        match timeout.behavior {
            TimeoutBehavior::Fail => end(view, &execution, waits, TerminalOutcome::Failed, timeout.behavior, now),
            TimeoutBehavior::Cancel => end(view, &execution, waits, TerminalOutcome::Cancelled, timeout.behavior, now),
            TimeoutBehavior::Expire => end(view, &execution, waits, TerminalOutcome::Expired, timeout.behavior, now),
            TimeoutBehavior::AutoResumeWithTimeoutSignal => self.auto_resume(view, &execution, waits, now),
            TimeoutBehavior::Escalate => escalate(view, &execution, waits, timeout.at, now),
        }
        Ok(ExpireSuspensionOutcome::Expired { behavior: timeout.behavior })
    }
}

fn closed(reason: CloseReason, timeout_signal_id: Option<SignalId>, now: TimestampMs) -> Closed {
    Closed { at: now, reason, closer_signal_id: None, timeout_signal_id, resume_trigger: None }
}

/// Ends the execution, and closes everything it waits for.
fn end(
    view: &mut View<'_>,
    execution: &Execution,
    mut waits: Waits,
    outcome: TerminalOutcome,
    behavior: TimeoutBehavior,
    now: TimestampMs,
) {
    let (lifecycle, reason) = match outcome {
        TerminalOutcome::Cancelled => (AttemptLifecycle::EndedCancelled, CloseReason::TimedOutCancel),
        TerminalOutcome::Expired => (AttemptLifecycle::EndedFailure, CloseReason::TimedOutExpire),
        _ => (AttemptLifecycle::EndedFailure, CloseReason::TimedOutFail),
    };
    close_suspension(view, &mut waits, closed(reason, None, now));
    let pending = std::mem::take(&mut waits.open_waitpoints);
    close_waitpoints(view, &mut waits, &pending, CloseReason::ProactiveClose, now);
    view.put_waits(waits);
    let mut next = execution.clone();
    let why = format!("suspension_timeout:{behavior}");
    leasing::end_attempt(&mut next, lifecycle, Some(&why), None, now);
    if outcome == TerminalOutcome::Cancelled {
        next.cancellation_reason = Some(why.clone());
        next.cancelled_by = Some(Source::SystemTimeout.as_str().to_owned());
    }
    next.failure_reason = Some(why);
    leasing::terminate(view, &mut next, outcome, false, now);
    view.put_execution(Arc::new(next));
}

/// Leaves the execution suspended, for an operator. It can still be signalled.
fn escalate(view: &mut View<'_>, execution: &Execution, mut waits: Waits, timeout_at: TimestampMs, now: TimestampMs) {
    let Some(suspension) = waits.current.as_mut() else { return };
    suspension.reason = SuspensionReason::WaitingForOperatorReview;
    suspension.timeout = None;
    let mut next = execution.clone();
    next.blocking_detail = Some(format!("suspension escalated: timeout at {timeout_at}"));
    let vector = next.vector().suspended(suspension.reason.suspended_for());
    next.transition(vector, now);
    view.put_waits(waits);
    view.put_execution(Arc::new(next));
}

impl ExpireSuspension {
    /// Lets the execution go on, and leaves a signal that says why. No
    /// condition ever sees that signal.
    fn auto_resume(&self, view: &mut View<'_>, execution: &Execution, mut waits: Waits, now: TimestampMs) {
        let Some(primary) = waits.open().and_then(|suspension| suspension.primary()) else { return };
        let key = SignalKey { waitpoint_id: primary.waitpoint_id, signal_id: self.timeout_signal_id };
        view.put_wait(WaitRecord::Signal(Arc::new(Signal {
            key,
            execution_id: self.execution_id,
            target_scope: "waitpoint".to_owned(),
            signal_name: TIMEOUT_SIGNAL_NAME.to_owned(),
            signal_category: "system".to_owned(),
            source_type: Requester::SystemTimeoutPolicy.as_str().to_owned(),
            source_identity: String::new(),
            correlation_id: None,
            idempotency_key: None,
            created_at: now,
            accepted_at: now,
            payload: None,
            payload_encoding: super::deliver_signal::DEFAULT_SIGNAL_ENCODING.to_owned(),
            observed_effect: SignalEffect::NoOp,
        })));
        if let Some(waitpoint) = view.waitpoint(key.waitpoint_id) {
            let mut waitpoint = (*waitpoint).clone();
            waitpoint.signal_count += 1;
            waitpoint.last_signal_at = Some(now);
            view.put_waitpoint(waitpoint);
        }
        close_suspension(view, &mut waits, closed(CloseReason::TimedOutAutoResume, Some(key.signal_id), now));
        view.put_waits(waits);
        let_go_on(view, execution, 0, "", now);
    }
}
