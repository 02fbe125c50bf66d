//! The checks of what holds always: each notices what it is there for.

use super::fixture::{at, count};
use crate::fixture::World;
use leasehold_core::command::BUFFERED_SIGNALS_MAX;
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::event::Fact;
use leasehold_core::ids::{AttemptIndex, ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::invariant::{check_wait_changes, check_waitpoint, check_waits, check_waits_of};
use leasehold_core::record::{
    BoundWaitpoint, CloseReason, Closed, Execution, Record, RecordKey, Suspension, SuspensionReason, TimeoutBehavior,
    WaitKey, WaitRecord, Waitpoint, WaitpointState, Waits, WaitsMark,
};
use leasehold_core::suspension::{CountKind, Progress, SignalEffect};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;
use std::sync::Arc;
use uuid::Uuid;

/// An open suspension that has heard one of two signals, with a pending
/// waitpoint beside it.
fn open() -> (World, ExecutionId) {
    let (mut w, id, _) = World::leased();
    w.create_waitpoint(id, "later");
    let issued = w.suspend_on(id, &["a", "b"], count(2, CountKind::DistinctWaitpoints, &["a", "b"]));
    w.deliver(id, issued[0].waitpoint_id, |_| {});
    (w, id)
}

fn satisfied() -> (World, ExecutionId) {
    let (mut w, id) = open();
    let b = w.suspension(id).waitpoints[1].waitpoint_id;
    w.deliver(id, b, |_| {});
    (w, id)
}

fn timed_out() -> (World, ExecutionId) {
    let (mut w, id, _) = World::leased();
    w.suspend(id, |args| {
        args.timeout_at = at(1);
        args.timeout_behavior = TimeoutBehavior::AutoResumeWithTimeoutSignal;
    });
    w.pass(10);
    w.expire(id);
    (w, id)
}

fn waits_of(staged: (World, ExecutionId)) -> Waits {
    (*staged.0.find_waits(staged.1).unwrap()).clone()
}

fn current(waits: &mut Waits) -> &mut Suspension {
    waits.current.as_mut().unwrap()
}

fn closed(waits: &mut Waits) -> &mut Closed {
    current(waits).closed.as_mut().unwrap()
}

fn signal_id(n: u128) -> SignalId {
    Uuid::from_u128(n).into()
}

type Stage = fn() -> (World, ExecutionId);

#[test]
fn broken_waits_are_noticed_by_their_rule() {
    type Spoil = fn(&mut Waits);
    let cases: [(Stage, &str, Spoil); 17] = [
        (open, "an open waitpoint is listed once", |w| w.open_waitpoints.push(w.open_waitpoints[0])),
        (open, "open waitpoints are bounded", |w| {
            w.open_waitpoints.extend((1..1025_u128).map(|n| WaitpointId::from(Uuid::from_u128(n << 64))));
        }),
        (open, "only an open waitpoint runs out", |w| w.expiries[0].0 = WaitpointId::from(Uuid::nil())),
        (open, "the waitpoints of a suspension are open as long as it is", |w| {
            w.open_waitpoints.clear();
            w.expiries.clear();
        }),
        (satisfied, "the waitpoints of a suspension are open as long as it is", |w| {
            let bound = current(w).waitpoints[0].waitpoint_id;
            w.open_waitpoints.push(bound);
        }),
        (open, "a suspension has waitpoints, and not too many", |w| current(w).waitpoints.clear()),
        (open, "progress is that of the condition", |w| current(w).progress = Progress::default()),
        (open, "a satisfier came to a waitpoint of the suspension", |w| {
            current(w).waitpoints[0].waitpoint_key = "z".into();
        }),
        (satisfied, "satisfaction is dated exactly when the condition holds", |w| current(w).satisfied_at = None),
        (open, "what matched was heard", |w| current(w).buffered.matched = 1),
        (satisfied, "a satisfied suspension is closed", |w| {
            let bound: Vec<_> = current(w).waitpoints.iter().map(|b| b.waitpoint_id).collect();
            current(w).closed = None;
            w.open_waitpoints.extend(bound);
        }),
        (satisfied, "a suspension is closed after it was made", |w| closed(w).at = TimestampMs(0)),
        (satisfied, "a satisfied suspension has a closer", |w| closed(w).closer_signal_id = None),
        (satisfied, "the closer is the last satisfier", |w| closed(w).closer_signal_id = Some(signal_id(1))),
        (satisfied, "a satisfied suspension resumes", |w| closed(w).reason = CloseReason::Cancelled),
        (timed_out, "a deadline that resumes leaves a signal, and no other close does", |w| {
            closed(w).timeout_signal_id = None;
        }),
        (timed_out, "only a resume has a trigger", |w| {
            closed(w).resume_trigger = Some(leasehold_core::record::ResumeTrigger::Operator);
        }),
    ];
    for (stage, rule, spoil) in cases {
        let mut waits = waits_of(stage());
        check_waits(&waits).unwrap();
        spoil(&mut waits);
        assert_eq!(check_waits(&waits).unwrap_err().rule, rule);
    }
    let mut waits = waits_of(timed_out());
    closed(&mut waits).timeout_signal_id = None;
    closed(&mut waits).reason = CloseReason::NeverCommitted;
    assert_eq!(check_waits(&waits).unwrap_err().rule, "only a pending waitpoint is given up");
}

#[test]
fn a_broken_waitpoint_is_noticed_by_its_rule() {
    type Spoil = fn(&mut Waitpoint);
    let pick = |state: &str| -> Waitpoint {
        let (w, id) = if state == "closed" { satisfied() } else { open() };
        let waits = w.find_waits(id).unwrap();
        let at = match state {
            "pending" => waits.open_waitpoints[0],
            "active" => waits.open_waitpoints[1],
            _ => waits.current.as_ref().unwrap().waitpoints[1].waitpoint_id,
        };
        (*w.waitpoint(at)).clone()
    };
    let cases: [(&str, &str, Spoil); 12] = [
        ("closed", "a close is dated and says why, exactly when closed", |w| w.close_reason = None),
        ("closed", "a close is dated and says why, exactly when closed", |w| w.closed_at = None),
        ("active", "a close is dated and says why, exactly when closed", |w| w.closed_at = Some(TimestampMs(0))),
        ("active", "a waitpoint is activated by a suspension", |w| w.suspension_id = None),
        ("active", "an active waitpoint belongs to a suspension, a pending one to none", |w| {
            w.state = WaitpointState::Pending;
        }),
        ("pending", "an active waitpoint belongs to a suspension, a pending one to none", |w| {
            w.state = WaitpointState::Active;
        }),
        ("active", "only a pending waitpoint keeps signals", |w| w.buffered.push(signal_id(1))),
        ("pending", "kept signals are bounded", |w| w.buffered = vec![signal_id(1); BUFFERED_SIGNALS_MAX + 1]),
        ("active", "what matched was heard", |w| w.matched_signal_count = 9),
        ("pending", "a pending waitpoint evaluates nothing", |w| w.signal_count = 1),
        ("closed", "a satisfied waitpoint is closed as resumed", |w| w.close_reason = Some(CloseReason::Cancelled)),
        ("closed", "only a pending waitpoint is given up", |w| {
            w.satisfied_at = None;
            w.close_reason = Some(CloseReason::NeverCommitted);
        }),
    ];
    for (state, rule, spoil) in cases {
        let mut waitpoint = pick(state);
        check_waitpoint(&waitpoint).unwrap();
        spoil(&mut waitpoint);
        assert_eq!(check_waitpoint(&waitpoint).unwrap_err().rule, rule, "{state}");
    }
}

#[test]
fn waits_and_execution_agree() {
    type Spoil = fn(&mut Execution, &mut Waits);
    let cases: [(&str, Spoil); 6] = [
        ("an execution carries the next deadline of its waits", |e, _| e.waits = None),
        ("an execution carries the next deadline of its waits", |_, w| w.expiries.clear()),
        ("a suspension is open exactly while suspended", |_, w| w.current = None),
        ("a suspension pauses the current attempt", |_, w| current(w).attempt_index = AttemptIndex(4)),
        ("a paused attempt names its suspension", |e, _| e.attempt.as_mut().unwrap().suspension_id = None),
        ("the state vector says what the suspension waits for", |_, w| {
            current(w).reason = SuspensionReason::ManualPause;
        }),
    ];
    for (rule, spoil) in cases {
        let (w, id) = open();
        let (mut execution, mut waits) = ((*w.execution(id)).clone(), waits_of((w, id)));
        check_waits_of(&execution, Some(&waits)).unwrap();
        spoil(&mut execution, &mut waits);
        assert_eq!(check_waits_of(&execution, Some(&waits)).unwrap_err().rule, rule);
    }
    let (w, id) = open();
    assert!(check_waits_of(&w.execution(id), None).is_err());
    let (mut ended, ended_id, _) = World::leased();
    let fence = ended.fence(ended_id);
    ended.run(crate::situation::complete_args(ended_id, fence)).unwrap();
    let mut waits = Waits::new(ended_id);
    let mut execution = (*ended.execution(ended_id)).clone();
    execution.waits = Some(WaitsMark { due_at: None });
    check_waits_of(&execution, Some(&waits)).unwrap();
    waits.open_waitpoints.push(Uuid::nil().into());
    let violation = check_waits_of(&execution, Some(&waits)).unwrap_err();
    assert_eq!(violation.rule, "an ended execution has no open waitpoint");
}

/// The rule that a step from one version to the next breaks.
fn step(old: WaitRecord, new: WaitRecord) -> &'static str {
    let change = Change { key: new.key().into(), old: Some(Record::Wait(old)), new: Some(Record::Wait(new)) };
    let changes = ChangeSet { changes: vec![change], ..ChangeSet::default() };
    check_wait_changes(&changes).map_or_else(|violation| violation.rule, |()| "none")
}

#[test]
fn broken_steps_of_waits_are_noticed() {
    type Spoil = fn(&mut Waits);
    let fresh = |w: &mut Waits| current(w).suspension_id = SuspensionId::from(Uuid::from_u128(77));
    let cases: [(Stage, &str, Spoil); 9] = [
        (open, "what an execution waits for stays its own", |w| {
            w.execution_id = ExecutionId::from_parts(8, w.execution_id.uuid());
        }),
        (open, "accepted signals are only added", |w| w.signal_count = 0),
        (open, "a suspension is replaced, never dropped", |w| w.current = None),
        (open, "only a closed suspension is replaced", fresh),
        (satisfied, "none", fresh),
        (satisfied, "a closed suspension never changes", |w| current(w).last_signal_at = None),
        (open, "what a suspension was made with never changes", |w| current(w).created_at = TimestampMs(3)),
        (open, "what a suspension was made with never changes", |w| {
            let id: WaitpointId = Uuid::from_u128(9).into();
            current(w).waitpoints.push(BoundWaitpoint { waitpoint_id: id, waitpoint_key: "c".into() });
            w.open_waitpoints.push(id);
        }),
        (open, "progress is only added to", |w| {
            let suspension = current(w);
            suspension.progress = Progress::new(&suspension.condition);
        }),
    ];
    for (stage, rule, spoil) in cases {
        let old = waits_of(stage());
        let mut new = old.clone();
        spoil(&mut new);
        assert_eq!(step(WaitRecord::Waits(Arc::new(old)), WaitRecord::Waits(Arc::new(new))), rule);
    }
}

#[test]
fn broken_steps_of_a_waitpoint_are_noticed() {
    type Spoil = fn(&mut Waitpoint);
    let cases: [(Stage, &str, Spoil); 7] = [
        (open, "key, token and creation of a waitpoint never change", |w| w.waitpoint_key = "z".into()),
        (open, "key, token and creation of a waitpoint never change", |w| w.token = Some(WaitpointToken::new("z"))),
        (open, "key, token and creation of a waitpoint never change", |w| w.created_at = TimestampMs(1)),
        (satisfied, "closed is final", |w| w.signal_count += 1),
        (satisfied, "closed is final", |w| {
            (w.state, w.closed_at, w.close_reason, w.satisfied_at) = (WaitpointState::Active, None, None, None);
        }),
        (open, "evaluated signals are only added", |w| (w.signal_count, w.matched_signal_count) = (0, 0)),
        (open, "an active waitpoint is never pending again", |w| {
            (w.state, w.suspension_id, w.activated_at) = (WaitpointState::Pending, None, None);
            (w.signal_count, w.matched_signal_count) = (0, 0);
        }),
    ];
    for (stage, rule, spoil) in cases {
        let (w, id) = stage();
        let old = (*w.waitpoint(w.suspension(id).waitpoints[0].waitpoint_id)).clone();
        let mut new = old.clone();
        spoil(&mut new);
        assert_eq!(step(WaitRecord::Waitpoint(Arc::new(old)), WaitRecord::Waitpoint(Arc::new(new))), rule);
    }
}

/// Who is suspended is listed by the same change, and struck off by the one
/// that ends it.
#[test]
fn a_suspension_without_its_entry_in_the_list_is_noticed() {
    for (w, _) in [open(), satisfied()] {
        let listed = |change: &Change| matches!(change.key, RecordKey::Wait(WaitKey::Suspended(..)));
        let Some(at) = w.last.changes.iter().position(listed) else { continue };
        let mut set = w.last.clone();
        check_wait_changes(&set).unwrap();
        set.changes.remove(at);
        let rule = "a suspended execution is listed exactly while it is suspended";
        assert_eq!(check_wait_changes(&set).unwrap_err().rule, rule);
    }
    let (suspended, ..) = World::suspended();
    let mut set = suspended.last.clone();
    set.changes.retain(|change| !matches!(change.key, RecordKey::Wait(WaitKey::Suspended(..))));
    assert!(check_wait_changes(&set).is_err());
    assert!(set.changes.len() < suspended.last.changes.len());
}

#[test]
fn a_signal_is_written_once_and_told_as_it_was() {
    let (w, id) = open();
    let good = w.last.clone();
    check_wait_changes(&good).unwrap();
    let broken = |spoil: fn(&mut ChangeSet)| {
        let mut changes = good.clone();
        spoil(&mut changes);
        check_wait_changes(&changes).map_or_else(|violation| violation.rule, |()| "none")
    };
    assert_eq!(broken(|changes| changes.events.clear()), "a delivery is told");
    assert_eq!(broken(|changes| changes.events.push(changes.events[0].clone())), "only a delivery is told");
    assert_eq!(
        broken(|changes| match &mut changes.events[0].facts[0] {
            Fact::SignalDelivered { effect, .. } => *effect = SignalEffect::ResumeConditionSatisfied,
            other => panic!("{other:?}"),
        }),
        "a delivery is told as it was"
    );
    let rewritten = broken(|changes| {
        for change in &mut changes.changes {
            if matches!(change.new, Some(Record::Wait(WaitRecord::Signal(_)))) {
                change.old.clone_from(&change.new);
            }
        }
    });
    assert_eq!(rewritten, "a signal never changes");
    assert_eq!(w.delivered()[0].execution_id, id);
}
