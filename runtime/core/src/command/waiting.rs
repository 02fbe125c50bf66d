//! Closing suspensions and waitpoints, and letting a suspended execution go
//! on. Every door out of a suspension goes through here.

use crate::decision::Context;
use crate::ids::{ExecutionId, WaitpointId};
use crate::record::{CloseReason, Closed, Execution, Record, WaitKey, WaitRecord, Waits};
use crate::state::{DelayReason, Park, PublicState, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::Source;
use crate::wait_view::{WaitDecision, WaitSource, WaitView};
use std::sync::Arc;

use super::{Command, Reply};

/// How many waitpoints of one execution may be open at the same time.
pub const OPEN_WAITPOINTS_MAX: usize = 1024;

/// How many signals a pending waitpoint keeps.
pub const BUFFERED_SIGNALS_MAX: usize = 1024;

/// The loaded waits of an execution.
pub(super) fn loaded_waits(loaded: &dyn WaitSource, id: ExecutionId) -> Option<Arc<Waits>> {
    match loaded.wait_record(&WaitKey::Waits(id.uuid())) {
        Some(WaitRecord::Waits(waits)) if waits.execution_id == id => Some(waits),
        _ => None,
    }
}

/// The waitpoints of the open suspension of an execution.
pub(super) fn bound_keys(loaded: &dyn WaitSource, id: ExecutionId) -> Vec<WaitKey> {
    loaded_waits(loaded, id).map_or_else(Vec::new, |waits| {
        let bound = waits.open().into_iter().flat_map(|suspension| &suspension.waitpoints);
        bound.map(|bound| WaitKey::Waitpoint(bound.waitpoint_id)).collect()
    })
}

/// Closes the open suspension with all its waitpoints.
pub(super) fn close_suspension(view: &mut WaitView<'_>, waits: &mut Waits, closed: Closed) {
    let (reason, now) = (closed.reason, closed.at);
    let Some(suspension) = waits.current.as_mut().filter(|suspension| suspension.is_open()) else { return };
    suspension.closed = Some(closed);
    let bound: Vec<WaitpointId> = suspension.waitpoints.iter().map(|bound| bound.waitpoint_id).collect();
    close_waitpoints(view, waits, &bound, reason, now);
}

/// Closes waitpoints that are open and strikes them off the list.
pub(super) fn close_waitpoints(
    view: &mut WaitView<'_>,
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
}

/// Lets a suspended execution go on, at once or after a delay. `after` is
/// what the delay follows, for people.
pub(super) fn let_go_on(
    view: &mut WaitView<'_>,
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

/// The records of suspension that a command on executions needs, should it
/// end the execution.
pub fn ending_keys(command: &Command) -> Vec<WaitKey> {
    vec![WaitKey::Waits(command.execution_id().uuid())]
}

/// The waitpoints that are open, by what was loaded first.
pub fn ending_further_keys(command: &Command, loaded: &dyn WaitSource) -> Vec<WaitKey> {
    loaded_waits(loaded, command.execution_id())
        .map_or_else(Vec::new, |waits| waits.open_waitpoints.iter().copied().map(WaitKey::Waitpoint).collect())
}

/// Decides a command on executions. Whatever ends an execution, by whichever
/// door, closes what it waits for in the same change.
pub fn decide_ending(
    command: &Command,
    records: &dyn Source,
    waits: &dyn WaitSource,
    context: &Context,
) -> WaitDecision<Reply> {
    let mut view = WaitView::new(records, waits);
    let result = command.rule(&mut view, context);
    if result.is_ok() {
        close_what_ended(&mut view, context.now);
    }
    view.finish_with(result)
}

fn close_what_ended(view: &mut WaitView<'_>, now: TimestampMs) {
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
        let Some(waits) = view.find_waits(execution.id) else { continue };
        if waits.open_waitpoints.is_empty() {
            continue;
        }
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
