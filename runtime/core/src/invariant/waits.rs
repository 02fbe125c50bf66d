//! What holds of suspensions, waitpoints and signals, at rest and over one
//! change.

use super::Violation;
use crate::command::{BUFFERED_SIGNALS_MAX, OPEN_WAITPOINTS_MAX};
use crate::decision::ChangeSet;
use crate::event::Fact;
use crate::ids::ExecutionId;
use crate::record::{
    CloseReason, Execution, Record, RecordKey, Suspension, WaitKey, WaitRecord, Waitpoint, WaitpointState, Waits,
    WaitsMark,
};
use crate::state::LifecyclePhase;
use crate::suspension::{BINDINGS_MAX, SignalEffect};
use std::fmt::Debug;

fn ensure(id: ExecutionId, holds: bool, rule: &'static str, found: &dyn Debug) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { execution_id: id, rule, detail: format!("{found:?}") }) }
}

/// Checks what an execution waits for against every rule that needs nothing
/// but its record.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_waits(waits: &Waits) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(waits.execution_id, holds, rule, waits);
    let open = &waits.open_waitpoints;
    rule(open.iter().enumerate().all(|(at, id)| !open[..at].contains(id)), "an open waitpoint is listed once")?;
    rule(open.len() <= OPEN_WAITPOINTS_MAX, "open waitpoints are bounded")?;
    let expiries = &waits.expiries;
    rule(expiries.iter().all(|(id, _)| open.contains(id)), "only an open waitpoint runs out")?;
    let Some(suspension) = &waits.current else { return Ok(()) };
    let listed = |id| open.contains(id);
    let fits = suspension.waitpoints.iter().all(|bound| listed(&bound.waitpoint_id) == suspension.is_open());
    rule(fits, "the waitpoints of a suspension are open as long as it is")?;
    check_suspension(waits.execution_id, suspension)
}

fn check_suspension(id: ExecutionId, suspension: &Suspension) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(id, holds, rule, suspension);
    rule((1..=BINDINGS_MAX).contains(&suspension.waitpoints.len()), "a suspension has waitpoints, and not too many")?;
    rule(suspension.progress.fits(&suspension.condition), "progress is that of the condition")?;
    let known = |key| suspension.waitpoints.iter().any(|bound| Some(&*bound.waitpoint_key) == key);
    let satisfiers = suspension.progress.satisfiers();
    rule(
        satisfiers.iter().all(|satisfier| known(satisfier.waitpoint_key(&suspension.condition))),
        "a satisfier came to a waitpoint of the suspension",
    )?;
    rule(
        suspension.satisfied_at.is_some() == suspension.progress.is_satisfied(&suspension.condition),
        "satisfaction is dated exactly when the condition holds",
    )?;
    rule(suspension.buffered.matched <= suspension.buffered.signals, "what matched was heard")?;
    let Some(closed) = &suspension.closed else {
        return rule(suspension.satisfied_at.is_none(), "a satisfied suspension is closed");
    };
    rule(closed.at >= suspension.created_at, "a suspension is closed after it was made")?;
    rule(
        closed.closer_signal_id.is_some() == suspension.satisfied_at.is_some(),
        "a satisfied suspension has a closer",
    )?;
    rule(
        closed.closer_signal_id
            == suspension
                .satisfied_at
                .and_then(|_| suspension.progress.satisfiers().last())
                .map(|satisfier| satisfier.signal_id),
        "the closer is the last satisfier",
    )?;
    rule(closed.closer_signal_id.is_none() || closed.reason == CloseReason::Resumed, "a satisfied suspension resumes")?;
    rule(
        closed.timeout_signal_id.is_some() == (closed.reason == CloseReason::TimedOutAutoResume),
        "a deadline that resumes leaves a signal, and no other close does",
    )?;
    rule(closed.resume_trigger.is_none() || closed.reason == CloseReason::Resumed, "only a resume has a trigger")?;
    rule(
        !matches!(closed.reason, CloseReason::NeverCommitted | CloseReason::ProactiveClose),
        "only a pending waitpoint is given up",
    )
}

/// Checks a waitpoint against every rule that needs nothing but its record.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_waitpoint(waitpoint: &Waitpoint) -> Result<(), Violation> {
    use WaitpointState as S;
    let rule = |holds, rule| ensure(waitpoint.execution_id, holds, rule, waitpoint);
    let state = waitpoint.state;
    rule(
        waitpoint.closed_at.is_some() == (state == S::Closed)
            && waitpoint.close_reason.is_some() == (state == S::Closed),
        "a close is dated and says why, exactly when closed",
    )?;
    rule(
        waitpoint.suspension_id.is_some() == waitpoint.activated_at.is_some(),
        "a waitpoint is activated by a suspension",
    )?;
    rule(
        state == S::Closed || waitpoint.activated_at.is_some() == (state == S::Active),
        "an active waitpoint belongs to a suspension, a pending one to none",
    )?;
    rule(state == S::Pending || waitpoint.buffered.is_empty(), "only a pending waitpoint keeps signals")?;
    rule(waitpoint.buffered.len() <= BUFFERED_SIGNALS_MAX, "kept signals are bounded")?;
    rule(waitpoint.matched_signal_count <= waitpoint.signal_count, "what matched was heard")?;
    rule(state != S::Pending || waitpoint.signal_count == 0, "a pending waitpoint evaluates nothing")?;
    rule(
        waitpoint.satisfied_at.is_none() || waitpoint.close_reason == Some(CloseReason::Resumed),
        "a satisfied waitpoint is closed as resumed",
    )?;
    let never_used = matches!(waitpoint.close_reason, Some(CloseReason::NeverCommitted | CloseReason::ProactiveClose));
    rule(!never_used || waitpoint.suspension_id.is_none(), "only a pending waitpoint is given up")
}

/// Checks what an execution waits for against the execution itself.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_waits_of(execution: &Execution, waits: Option<&Waits>) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(execution.id, holds, rule, &(execution.vector(), waits));
    let vector = execution.vector();
    let mark = waits.map(|waits| WaitsMark { due_at: waits.due_at() });
    rule(execution.waits == mark, "an execution carries the next deadline of its waits")?;
    let open = waits.and_then(Waits::open);
    let suspended = vector.lifecycle_phase() == LifecyclePhase::Suspended;
    rule(open.is_some() == suspended, "a suspension is open exactly while suspended")?;
    rule(
        !vector.is_terminal() || waits.is_none_or(|waits| waits.open_waitpoints.is_empty()),
        "an ended execution has no open waitpoint",
    )?;
    let Some(suspension) = open else { return Ok(()) };
    rule(suspension.attempt_index == execution.current_attempt_index(), "a suspension pauses the current attempt")?;
    let named = execution.attempt.as_ref().and_then(|attempt| attempt.suspension_id.as_deref());
    rule(named == Some(suspension.suspension_id.to_string().as_str()), "a paused attempt names its suspension")?;
    rule(
        vector.blocking_reason()
            == crate::state::StateVector::created(crate::state::Park::Eligible)
                .suspended(suspension.reason.suspended_for())
                .blocking_reason(),
        "the state vector says what the suspension waits for",
    )
}

/// Checks everything one decision writes about suspensions: each record at
/// rest, and each step from one version to the next.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_wait_changes(set: &ChangeSet) -> Result<(), Violation> {
    for change in &set.changes {
        match (&change.old, &change.new) {
            (old, Some(Record::Wait(WaitRecord::Waits(new)))) => {
                check_waits(new)?;
                if let Some(Record::Wait(WaitRecord::Waits(old))) = old {
                    waits_step(old, new)?;
                }
                listed(set, old.as_ref(), new)?;
            }
            (old, Some(Record::Wait(WaitRecord::Waitpoint(new)))) => {
                check_waitpoint(new)?;
                if let Some(Record::Wait(WaitRecord::Waitpoint(old))) = old {
                    waitpoint_step(old, new)?;
                }
            }
            (old, Some(Record::Wait(WaitRecord::Signal(new)))) => {
                ensure(new.execution_id, old.is_none(), "a signal never changes", old)?;
            }
            _ => {}
        }
    }
    told(set)?;
    ended(set)
}

/// The entry in the list of suspended executions moves with the suspension.
fn listed(set: &ChangeSet, old: Option<&Record>, new: &Waits) -> Result<(), Violation> {
    let old = match old {
        Some(Record::Wait(WaitRecord::Waits(old))) => old.open().map(|suspension| suspension.created_at),
        _ => None,
    };
    let new_entry = new.open().map(|suspension| suspension.created_at);
    let entry = |since| RecordKey::from(WaitKey::Suspended(since, new.execution_id.uuid()));
    let written = |since, present: bool| {
        set.changes.iter().any(|change| change.key == entry(since) && change.new.is_some() == present)
    };
    let holds = match (old, new_entry) {
        (None, None) => true,
        (Some(before), Some(after)) if before == after => true,
        (before, after) => {
            before.is_none_or(|since| written(since, false)) && after.is_none_or(|since| written(since, true))
        }
    };
    ensure(new.execution_id, holds, "a suspended execution is listed exactly while it is suspended", new)
}

fn waits_step(old: &Waits, new: &Waits) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new.execution_id, holds, rule, &(old, new));
    rule(old.execution_id == new.execution_id, "what an execution waits for stays its own")?;
    rule(old.signal_count <= new.signal_count, "accepted signals are only added")?;
    let (Some(before), Some(after)) = (&old.current, &new.current) else {
        return rule(old.current.is_none(), "a suspension is replaced, never dropped");
    };
    if before.suspension_id != after.suspension_id {
        return rule(!before.is_open(), "only a closed suspension is replaced");
    }
    rule(before.is_open() || before == after, "a closed suspension never changes")?;
    rule(
        before.waitpoints == after.waitpoints
            && before.condition == after.condition
            && before.created_at == after.created_at
            && before.attempt_index == after.attempt_index,
        "what a suspension was made with never changes",
    )?;
    rule(after.progress.satisfiers().starts_with(before.progress.satisfiers()), "progress is only added to")
}

fn waitpoint_step(old: &Waitpoint, new: &Waitpoint) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new.execution_id, holds, rule, &(old, new));
    rule(
        old.waitpoint_key == new.waitpoint_key
            && old.token == new.token
            && old.created_at == new.created_at
            && old.execution_id == new.execution_id,
        "key, token and creation of a waitpoint never change",
    )?;
    rule(old.is_open() || old == new, "closed is final")?;
    rule(
        old.state != WaitpointState::Active || new.state != WaitpointState::Pending,
        "an active waitpoint is never pending again",
    )?;
    rule(old.signal_count <= new.signal_count, "evaluated signals are only added")
}

/// Every accepted signal that was evaluated is told once, with its effect.
fn told(set: &ChangeSet) -> Result<(), Violation> {
    let accepted = set.changes.iter().filter_map(|change| match &change.new {
        Some(Record::Wait(WaitRecord::Signal(signal)))
            if signal.signal_name != crate::suspension::TIMEOUT_SIGNAL_NAME =>
        {
            Some(signal)
        }
        _ => None,
    });
    let mut expected = accepted.filter(|signal| signal.observed_effect != SignalEffect::BufferedForPendingWaitpoint);
    let mut delivered = set.events.iter().flat_map(|event| {
        event.facts.iter().filter_map(|fact| match fact {
            Fact::SignalDelivered { signal_id, effect, .. } => Some((event.execution_id, *signal_id, *effect)),
            _ => None,
        })
    });
    loop {
        match (expected.next(), delivered.next()) {
            (None, None) => return Ok(()),
            (Some(signal), Some(told)) => ensure(
                signal.execution_id,
                told == (signal.execution_id, signal.key.signal_id, signal.observed_effect),
                "a delivery is told as it was",
                &told,
            )?,
            (Some(signal), None) => ensure(signal.execution_id, false, "a delivery is told", signal)?,
            (None, Some(told)) => ensure(told.0, false, "only a delivery is told", &told)?,
        }
    }
}

/// What ends an execution, or suspends it, leaves its waits in the same state.
fn ended(set: &ChangeSet) -> Result<(), Violation> {
    let waits_of = |id: ExecutionId| {
        set.changes.iter().find_map(|change| match &change.new {
            Some(Record::Wait(WaitRecord::Waits(waits))) if waits.execution_id == id => Some(&**waits),
            _ => None,
        })
    };
    for change in &set.changes {
        let Some(Record::Execution(execution)) = &change.new else { continue };
        if let Some(waits) = waits_of(execution.id) {
            check_waits_of(execution, Some(waits))?;
        }
    }
    Ok(())
}
