//! Settling what an execution waits for: deadlines of suspensions and
//! waitpoints that were never used, each at its time and not before.

use super::fixture::at;
use crate::fixture::{START, World};
use leasehold_core::command::{CloseWaitpoint, ExpirePhase, GiveUp, Settle, SettleOutcome};
use leasehold_core::ids::{AttemptIndex, ExecutionId, WaitpointId};
use leasehold_core::index::{DueKind, next_due};
use leasehold_core::record::{CloseReason, TimeoutBehavior, WaitpointState};
use leasehold_core::suspension::ResumeCondition;
use leasehold_core::time::TimestampMs;
use leasehold_core::wait_lists::observed_signals;

const DUE: i64 = 5_000;

fn settle(w: &mut World, id: ExecutionId) -> SettleOutcome {
    w.run(Settle { execution_id: id, holder_gone: None }).unwrap()
}

fn suspended_with(behavior: TimeoutBehavior) -> (World, ExecutionId) {
    let (mut w, id, _) = World::leased();
    w.suspend(id, |args| {
        args.timeout_at = at(DUE);
        args.timeout_behavior = behavior;
    });
    (w, id)
}

#[test]
fn each_deadline_acts_at_its_time_and_once() {
    for (behavior, public) in [
        (TimeoutBehavior::Fail, "failed"),
        (TimeoutBehavior::Cancel, "cancelled"),
        (TimeoutBehavior::Expire, "expired"),
        (TimeoutBehavior::AutoResumeWithTimeoutSignal, "resumable"),
        (TimeoutBehavior::Escalate, "suspended"),
    ] {
        let (mut w, id) = suspended_with(behavior);
        w.now = TimestampMs(START.0 + DUE - 1);
        assert_eq!(settle(&mut w, id), SettleOutcome::default(), "{behavior}");
        assert!(w.last.is_empty() && w.vector(id).1 == "suspended");
        w.pass(1);
        let mut by_name = w.clone();
        let done = settle(&mut w, id);
        assert_eq!(done, SettleOutcome { suspension_expired: Some(behavior), ..SettleOutcome::default() });
        assert_eq!(w.vector(id).1, public);
        // The operation of that name comes to the same, but for the id of the
        // signal it leaves.
        by_name.expire(id);
        assert_eq!(by_name.execution(id), w.execution(id));
        assert_eq!(next_due(&w.execution(id)).filter(|(_, kind)| *kind == DueKind::Waits), None);
        assert_eq!(settle(&mut w, id), SettleOutcome::default());
        assert!(w.last.is_empty(), "a deadline acts once");
    }
}

#[test]
fn a_deadline_that_resumes_leaves_its_signal() {
    let (mut w, id) = suspended_with(TimeoutBehavior::AutoResumeWithTimeoutSignal);
    w.now = TimestampMs(START.0 + DUE);
    settle(&mut w, id);
    let observed = observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0));
    let [left] = observed[..] else { panic!("{observed:?}") };
    assert_eq!(left.signal_id.as_uuid(), w.suspension(id).suspension_id.as_uuid());
    assert_eq!(w.signal(left).signal_name, "__timeout__");
    assert!(w.told().is_empty());
}

#[test]
fn a_deadline_long_past_acts_with_the_first_settle() {
    let (mut w, id) = suspended_with(TimeoutBehavior::Fail);
    w.now = TimestampMs(START.0 + 100 * DUE);
    assert_eq!(settle(&mut w, id).suspension_expired, Some(TimeoutBehavior::Fail));
}

#[test]
fn a_waitpoint_that_was_never_used_closes_at_its_time() {
    let (mut w, id, _) = World::leased();
    let make = |w: &mut World, expires_in_ms| -> WaitpointId {
        let mut args = w.create_waitpoint_args(id, "later");
        args.expires_in_ms = expires_in_ms;
        w.run(args).unwrap().waitpoint_id
    };
    let [late, early, same] = [300, 100, 100].map(|ms| make(&mut w, ms));
    let began = w.now;
    assert_eq!(next_due(&w.execution(id)), Some((began.plus(100), DueKind::Waits)));
    w.pass(99);
    assert_eq!(settle(&mut w, id), SettleOutcome::default());
    w.pass(1);
    let done = settle(&mut w, id);
    assert_eq!(done, SettleOutcome { waitpoints_closed: 2, ..SettleOutcome::default() });
    for closed in [early, same] {
        let waitpoint = w.waitpoint(closed);
        assert_eq!((waitpoint.state, waitpoint.closed_at), (WaitpointState::Closed, Some(w.now)));
        assert_eq!(waitpoint.close_reason, Some(CloseReason::NeverCommitted));
    }
    assert!(w.waitpoint(late).is_open());
    assert_eq!(next_due(&w.execution(id)), Some((began.plus(300), DueKind::Waits)));
    assert_eq!(w.vector(id).1, "active", "the worker is not disturbed");
    assert!(w.told().is_empty());
    w.now = began.plus(300);
    assert_eq!(settle(&mut w, id).waitpoints_closed, 1);
    assert_eq!(w.find_waits(id).unwrap().due_at(), None);
}

#[test]
fn what_is_used_or_given_up_runs_out_no_more() {
    let (mut w, id, _) = World::leased();
    let [used, given_up] = [0, 1].map(|_| w.create_waitpoint(id, "a").waitpoint_id);
    let because = GiveUp::Abandonment;
    w.run(CloseWaitpoint { execution_id: id, waitpoint_id: given_up, because }).unwrap();
    w.suspend(id, |args| {
        args.waitpoints = vec![leasehold_core::suspension::WaitpointBinding::UsePending { waitpoint_id: used }];
    });
    w.pass(1_000_000);
    assert_eq!(settle(&mut w, id), SettleOutcome::default());
    assert_eq!(w.waitpoint(used).state, WaitpointState::Active);
    assert_eq!(w.vector(id).1, "suspended");
}

#[test]
fn a_waitpoint_and_a_suspension_due_together_are_both_settled() {
    let (mut w, id, _) = World::leased();
    let pending = w.create_waitpoint(id, "later").waitpoint_id;
    w.suspend(id, |args| {
        args.timeout_at = at(DUE);
        args.timeout_behavior = TimeoutBehavior::Cancel;
    });
    w.now = TimestampMs(START.0 + DUE);
    let done = settle(&mut w, id);
    assert_eq!((done.waitpoints_closed, done.suspension_expired), (1, Some(TimeoutBehavior::Cancel)));
    assert_eq!(w.waitpoint(pending).close_reason, Some(CloseReason::NeverCommitted), "it ran out before the end");
    assert_eq!(w.told(), ["completed: cancelled"]);
}

/// The earlier of two timers acts, and what the execution waited for says
/// which of them it was.
#[test]
fn a_suspension_and_a_deadline_act_in_their_order() {
    for (deadline, done, reason) in [
        (DUE - 1, (None, Some(ExpirePhase::ExecutionDeadline)), CloseReason::ExecutionDeadline),
        (DUE, (None, Some(ExpirePhase::ExecutionDeadline)), CloseReason::ExecutionDeadline),
        (DUE + 1, (Some(TimeoutBehavior::Fail), None), CloseReason::TimedOutFail),
    ] {
        let mut w = World::keyed();
        let id = w.create_with(|args| args.execution_deadline_at = at(deadline));
        w.claim(id);
        w.suspend(id, |args| args.timeout_at = at(DUE));
        w.now = TimestampMs(START.0 + 2 * DUE);
        let settled = settle(&mut w, id);
        assert_eq!((settled.suspension_expired, settled.expired), done);
        assert_eq!(w.suspension(id).closed.unwrap().reason, reason);
        assert_eq!(w.told().len(), 1, "it ends once: {:?}", w.told());
    }
}

/// The clock of an attempt stands still while it is suspended, so a resume by
/// a deadline is followed by nothing else that was due meanwhile.
#[test]
fn a_lease_that_was_given_back_does_not_lapse() {
    let (mut w, id) = suspended_with(TimeoutBehavior::AutoResumeWithTimeoutSignal);
    w.now = TimestampMs(START.0 + 1_000_000);
    let done = settle(&mut w, id);
    assert!(!done.lease_expired && done.expired.is_none());
    assert_eq!(w.vector(id).1, "resumable");
}

#[test]
fn signals_that_come_too_late_find_it_settled() {
    let (mut w, id, _) = World::leased();
    let issued = w.suspend_on(id, &["a", "b"], ResumeCondition::all_of_waitpoints(["a", "b"]));
    let pending = issued[0].clone();
    w.deliver(id, pending.waitpoint_id, |_| {});
    w.run(leasehold_core::command::CancelExecution {
        execution_id: id,
        reason: "enough".into(),
        source: crate::fixture::operator(),
        fence: leasehold_core::command::FenceTriple::NONE,
    })
    .unwrap();
    assert_eq!(settle(&mut w, id), SettleOutcome::default());
    let args = w.signal_args(id, pending.waitpoint_id, &pending.waitpoint_token);
    crate::fixture::refused(w.run(args), "target_not_signalable");
}
