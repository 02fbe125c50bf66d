//! Closing suspensions and waitpoints, and letting a suspended execution go
//! on. Every door out of a suspension goes through here.

use crate::ids::WaitpointId;
use crate::record::{CloseReason, Closed, Execution, Record, Waits};
use crate::state::{DelayReason, Park, PublicState, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// How many waitpoints of one execution may be open at the same time.
pub const OPEN_WAITPOINTS_MAX: usize = 1024;

/// How many signals a pending waitpoint keeps.
pub const BUFFERED_SIGNALS_MAX: usize = 1024;

/// Closes the open suspension with all its waitpoints.
pub(super) fn close_suspension(view: &mut View<'_>, waits: &mut Waits, closed: Closed) {
    let (reason, now) = (closed.reason, closed.at);
    let Some(suspension) = waits.current.as_mut().filter(|suspension| suspension.is_open()) else { return };
    suspension.closed = Some(closed);
    let bound: Vec<WaitpointId> = suspension.waitpoints.iter().map(|bound| bound.waitpoint_id).collect();
    close_waitpoints(view, waits, &bound, reason, now);
}

/// Closes waitpoints that are open and strikes them off the list.
pub(super) fn close_waitpoints(
    view: &mut View<'_>,
    waits: &mut Waits,
    ids: &[WaitpointId],
    reason: CloseReason,
    now: TimestampMs,
) {
    for &id in ids {
        if let Some(waitpoint) = view.waitpoint(id).filter(|waitpoint| waitpoint.is_open()) {
            let mut next = (*waitpoint).clone();
            next.close(reason, now);
            view.put_waitpoint(next);
        }
    }
    waits.open_waitpoints.retain(|open| !ids.contains(open));
    waits.expiries.retain(|(id, _)| !ids.contains(id));
}

/// Lets a suspended execution go on, at once or after a delay. `after` is
/// what the delay follows, for people.
pub(super) fn let_go_on(
    view: &mut View<'_>,
    execution: &Execution,
    delay_ms: u64,
    after: &str,
    now: TimestampMs,
) -> PublicState {
    let mut next = execution.clone();
    let park = if delay_ms == 0 {
        next.blocking_detail = None;
        Park::Eligible
    } else {
        next.blocking_detail = Some(format!("resume delay {delay_ms}ms{after}"));
        next.delay_until = Some(now.plus(delay_ms));
        Park::Until(DelayReason::ResumeDelay)
    };
    let vector = next.vector().interrupted(park);
    next.transition(vector, now);
    let public_state = next.vector().public_state();
    view.put_execution(Arc::new(next));
    public_state
}

/// Closes what the executions waited for that the staged changes end,
/// whichever door they ended by.
pub(super) fn close_what_ended(view: &mut View<'_>, now: TimestampMs) {
    let ended: Vec<Arc<Execution>> = view
        .staged()
        .filter_map(|change| match (&change.old, &change.new) {
            (Some(Record::Execution(old)), Some(Record::Execution(new)))
                if !old.vector().is_terminal() && new.vector().is_terminal() =>
            {
                Some(new.clone())
            }
            _ => None,
        })
        .collect();
    for execution in ended {
        // One that never waited is spared the look.
        if execution.waits.is_none() {
            continue;
        }
        let Some(waits) = view.find_waits(execution.id).filter(|waits| !waits.open_waitpoints.is_empty()) else {
            continue;
        };
        let mut waits = (*waits).clone();
        let reason = close_reason(&execution);
        let closed = Closed { at: now, reason, closer_signal_id: None, timeout_signal_id: None, resume_trigger: None };
        close_suspension(view, &mut waits, closed);
        let pending = std::mem::take(&mut waits.open_waitpoints);
        close_waitpoints(view, &mut waits, &pending, reason, now);
        view.put_waits(waits);
    }
}

/// Why what an ended execution waited for is closed. One that ended by itself
/// gives up the waitpoints it made and never used.
fn close_reason(execution: &Execution) -> CloseReason {
    match execution.vector().terminal_outcome() {
        TerminalOutcome::Success | TerminalOutcome::Failed | TerminalOutcome::None => CloseReason::ProactiveClose,
        TerminalOutcome::Cancelled | TerminalOutcome::Skipped => CloseReason::Cancelled,
        TerminalOutcome::Expired
            if execution.failure_reason.as_deref() == Some(super::ExpirePhase::AttemptTimeout.as_str()) =>
        {
            CloseReason::AttemptTimeout
        }
        TerminalOutcome::Expired => CloseReason::ExecutionDeadline,
    }
}
