//! What holds of one decision: an execution before and after, and what was
//! told about it.

use super::{Violation, check_execution, ensure};
use crate::decision::ChangeSet;
use crate::event::{Fact, LeaseFact};
use crate::ids::LeaseId;
use crate::record::{Attempt, Execution, Record};
use crate::state::{AttemptLifecycle, AttemptState, EligibilityState, OwnershipState};
use std::sync::Arc;

/// Checks everything one decision writes: each execution at rest, its change,
/// its facts, and the attempts that became records of their own.
///
/// Holds of a single decision, not of several merged into one commit.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_changes(set: &ChangeSet) -> Result<(), Violation> {
    for change in &set.changes {
        let Some(Record::Execution(new)) = &change.new else { continue };
        check_execution(new)?;
        let mut events = set.events.iter().filter(|event| event.execution_id == new.id);
        let facts = events.next().map_or(&[][..], |event| &event.facts);
        ensure(new, events.next().is_none(), "a change tells everything in one event")?;
        match &change.old {
            None => ensure(new, facts.is_empty() && new.attempt.is_none(), "a creation tells nothing")?,
            Some(Record::Execution(old)) => {
                check_change(old, new, facts)?;
                check_followed(old, new, &attempts(set, new))?;
            }
            Some(_) => ensure(new, false, "a record keeps its kind")?,
        }
    }
    Ok(())
}

/// Checks the step from one version of an execution to the next, made by one
/// decision that told these facts about it.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_change(old: &Execution, new: &Execution, facts: &[Fact]) -> Result<(), Violation> {
    identity(old, new)?;
    times(old, new)?;
    lease(old, new, facts)?;
    attempt(old, new)?;
    counters(old, new, facts)?;
    ending(old, new, facts)?;
    queue(old, new, facts)
}

fn attempts(set: &ChangeSet, execution: &Execution) -> Vec<Arc<Attempt>> {
    let of_execution = |attempt: &&Arc<Attempt>| attempt.execution == execution.id.uuid().as_u128();
    set.changes
        .iter()
        .filter_map(|change| match (&change.old, &change.new) {
            (None, Some(Record::Attempt(attempt))) => Some(attempt),
            _ => None,
        })
        .filter(of_execution)
        .cloned()
        .collect()
}

/// An attempt that another one follows becomes an ended record of its own.
fn check_followed(old: &Execution, new: &Execution, written: &[Arc<Attempt>]) -> Result<(), Violation> {
    let followed = old.attempt.as_ref().filter(|_| new.total_attempt_count > old.total_attempt_count);
    let holds = match (followed, written) {
        (None, []) => true,
        (Some(before), [after]) if before.lifecycle.is_terminal() => **after == *before,
        (Some(before), [after]) => {
            after.attempt_id == before.attempt_id
                && after.index == before.index
                && after.lifecycle == AttemptLifecycle::InterruptedReclaimed
        }
        _ => false,
    };
    ensure(new, holds, "an attempt that another one follows is kept, ended")
}

fn identity(old: &Execution, new: &Execution) -> Result<(), Violation> {
    ensure(new, old.id == new.id && old.spec == new.spec, "what an execution was created with never changes")?;
    ensure(new, old.started_at.is_none() || old.started_at == new.started_at, "the start is dated once")
}

fn times(old: &Execution, new: &Execution) -> Result<(), Violation> {
    ensure(
        new,
        old.last_mutation_at <= new.last_mutation_at && old.last_transition_at <= new.last_transition_at,
        "time does not run backwards",
    )?;
    let lease_lost = new.vector().is_reclaimable();
    ensure(
        new,
        old.vector() == new.vector() || lease_lost || new.last_transition_at == new.last_mutation_at,
        "a transition is dated",
    )
}

/// How often a kind of lease fact was told, and of which lease last.
fn told(facts: &[Fact], wanted: fn(&LeaseFact) -> bool) -> (usize, Option<LeaseId>) {
    facts.iter().fold((0, None), |(count, lease), fact| match fact {
        Fact::Lease { what, lease_id, .. } if wanted(what) => (count + 1, Some(*lease_id)),
        _ => (count, lease),
    })
}

fn lease(old: &Execution, new: &Execution, facts: &[Fact]) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new, holds, rule);
    let before = old.lease.as_ref().map(|lease| lease.lease_id);
    let after = new.lease.as_ref().map(|lease| lease.lease_id);
    let was_live = old.vector().ownership_state() == OwnershipState::Leased;
    let opened = after.filter(|_| before != after);
    let closed = before.filter(|_| after.is_none());

    if opened.is_some() {
        rule(new.lease_epoch > old.lease_epoch, "every lease raises the epoch")?;
        rule(!was_live, "a live lease is never replaced")?;
        rule(new.vector().ownership_state() == OwnershipState::Leased, "a lease begins live")?;
    } else {
        rule(new.lease_epoch == old.lease_epoch, "the epoch moves only with a lease")?;
    }
    let reclaim = opened.is_some() && old.vector().is_reclaimable();
    let acquired = told(facts, |what| matches!(what, LeaseFact::Acquired { .. }));
    let reclaimed = told(facts, |what| matches!(what, LeaseFact::Reclaimed { .. }));
    rule(acquired == once_if(opened.filter(|_| !reclaim)), "a lease that is acquired says so once")?;
    rule(reclaimed == once_if(opened.filter(|_| reclaim)), "a lease that is reclaimed says so once")?;
    rule(
        told(facts, |what| matches!(what, LeaseFact::Released { .. })) == once_if(closed),
        "a lease that is given back says so once",
    )?;

    if let (Some(first), Some(second)) = (&old.lease, &new.lease)
        && before == after
    {
        rule(
            first.fence() == second.fence()
                && first.worker_instance_id == second.worker_instance_id
                && first.acquired_at == second.acquired_at,
            "a lease keeps its fence and its holder",
        )?;
        rule(was_live || (old.vector() == new.vector() && first == second), "a lost lease is never revived")?;
    }
    let lapses = told(facts, |what| *what == LeaseFact::Expired).0;
    let lapsed = was_live && new.vector().ownership_state() == OwnershipState::LeaseExpiredReclaimable;
    rule(
        lapses == usize::from(lapsed) || (lapses == 1 && was_live && closed.is_some()),
        "a lease that lapses says so once",
    )?;
    let revoked = was_live && new.vector().ownership_state() == OwnershipState::LeaseRevoked;
    rule(
        told(facts, |what| matches!(what, LeaseFact::Revoked { .. })).0 == usize::from(revoked),
        "a lease that is revoked says so once",
    )
}

fn once_if(lease: Option<LeaseId>) -> (usize, Option<LeaseId>) {
    (usize::from(lease.is_some()), lease)
}

fn attempt(old: &Execution, new: &Execution) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new, holds, rule);
    if new.total_attempt_count == old.total_attempt_count {
        return match (&old.attempt, &new.attempt) {
            (None, None) => Ok(()),
            (Some(before), Some(after)) => {
                rule(
                    before.attempt_id == after.attempt_id && before.index == after.index,
                    "an attempt keeps its id and index",
                )?;
                rule(!before.lifecycle.is_terminal() || before == after, "an ended attempt never changes")
            }
            _ => rule(false, "an attempt comes only by being counted"),
        };
    }
    let ids = (old.attempt.as_ref().map(|a| a.attempt_id), new.attempt.as_ref().map(|a| a.attempt_id));
    rule(
        new.total_attempt_count == old.total_attempt_count + 1 && ids.0 != ids.1,
        "attempts come one at a time, each with an id of its own",
    )?;
    rule(new.lease_epoch > old.lease_epoch, "a new attempt has a new lease")
}

fn counters(old: &Execution, new: &Execution, facts: &[Fact]) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new, holds, rule);
    let replayed = new.replay_count == old.replay_count.saturating_add(1);
    rule(replayed || new.replay_count == old.replay_count, "replays are counted one at a time")?;
    rule(
        facts.iter().filter(|fact| matches!(fact, Fact::Replayed { .. })).count() == usize::from(replayed),
        "a replay says so once",
    )?;
    let retried = new.vector().attempt_state() == AttemptState::PendingRetryAttempt
        && old.vector().attempt_state() == AttemptState::RunningAttempt;
    rule(
        new.retry_count == if replayed { 0 } else { old.retry_count + u32::from(retried) },
        "retries are counted one at a time and start over with a replay",
    )?;
    let reclaimed = told(facts, |what| matches!(what, LeaseFact::Reclaimed { .. })).0 == 1;
    rule(
        new.lease_reclaim_count == old.lease_reclaim_count + u32::from(reclaimed),
        "reclaims are counted one at a time",
    )?;
    rule(!reclaimed || new.total_attempt_count == old.total_attempt_count + 1, "a reclaim starts a new attempt")
}

fn ending(old: &Execution, new: &Execution, facts: &[Fact]) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new, holds, rule);
    let ended = !old.vector().is_terminal() && new.vector().is_terminal();
    let told = facts.iter().filter(|fact| matches!(fact, Fact::Completed { .. })).count();
    let truthful = facts.iter().all(|fact| match fact {
        Fact::Completed { outcome, .. } => *outcome == new.vector().terminal_outcome(),
        _ => true,
    });
    rule(told == usize::from(ended) && truthful, "an end is told once, with its outcome")?;
    rule(
        !old.vector().is_terminal() || old.vector() == new.vector() || new.replay_count > old.replay_count,
        "only a replay moves an ended execution",
    )?;
    rule(new.replay_count == old.replay_count || old.vector().is_terminal(), "only an ended execution is replayed")
}

fn queue(old: &Execution, new: &Execution, facts: &[Fact]) -> Result<(), Violation> {
    let rule = |holds, rule| ensure(new, holds, rule);
    let claimed = new.vector().is_active() && new.lease_epoch > old.lease_epoch;
    rule(
        !claimed || old.vector().is_eligible() || old.vector().is_reclaimable(),
        "only an eligible execution is claimed, only a lost one reclaimed",
    )?;
    rule(
        !claimed
            || old.vector().attempt_state() != AttemptState::AttemptInterrupted
            || old.vector().is_reclaimable()
            || new.total_attempt_count == old.total_attempt_count,
        "an interrupted attempt goes on, it is not replaced",
    )?;
    let woke = old.vector().eligibility_state() == EligibilityState::NotEligibleUntilTime && new.vector().is_eligible();
    rule(
        !woke || old.delay_until.is_some_and(|until| until <= new.last_transition_at),
        "nothing wakes before its time",
    )?;
    let moved = facts.iter().filter(|fact| matches!(fact, Fact::PriorityChanged { .. })).count();
    rule(moved == usize::from(old.priority != new.priority), "a change of priority is told once")
}
