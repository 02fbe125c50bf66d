//! What is derived from waits: the mark on the execution, the time its index
//! names, and the list of the suspended.

use super::fixture::at;
use crate::fixture::{World, refused};
use crate::situation::complete_args;
use leasehold_core::command::{CloseWaitpoint, GiveUp, ResumeExecution};
use leasehold_core::ids::ExecutionId;
use leasehold_core::index::{DueKind, index_entries, next_due};
use leasehold_core::record::{ResumeTrigger, TimeoutBehavior, WaitsMark};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;

/// When the mark says to look; the timers must say the same while nothing else
/// is due before, and the index while nobody holds the execution.
fn due(w: &World, id: ExecutionId) -> Option<TimestampMs> {
    let execution = w.execution(id);
    let mark = execution.waits.expect("it has waits").due_at;
    if let Some(at) = mark {
        assert_eq!(next_due(&execution), Some((at, DueKind::Waits)));
        assert_eq!(index_entries(&execution).due_at, mark.filter(|_| !execution.vector().is_active()));
    }
    mark
}

#[test]
fn the_mark_follows_every_change_of_the_waits() {
    let (mut w, id, _) = World::leased();
    assert_eq!(w.execution(id).waits, None);
    let mut args = w.create_waitpoint_args(id, "a");
    args.expires_in_ms = 500;
    let first = w.run(args).unwrap().waitpoint_id;
    let first_at = w.now.plus(500);
    assert_eq!(due(&w, id), Some(first_at));
    let mut args = w.create_waitpoint_args(id, "b");
    args.expires_in_ms = 200;
    let second = w.run(args).unwrap().waitpoint_id;
    assert_eq!(due(&w, id), Some(w.now.plus(200)), "the earliest counts");
    let because = GiveUp::Abandonment;
    w.run(CloseWaitpoint { execution_id: id, waitpoint_id: second, because }).unwrap();
    assert_eq!(due(&w, id), Some(first_at));
    w.suspend(id, |args| args.timeout_at = at(300));
    assert_eq!(due(&w, id), at(300));
    w.run(ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms: 0 }).unwrap();
    assert_eq!(due(&w, id), Some(first_at));
    w.run(CloseWaitpoint { execution_id: id, waitpoint_id: first, because }).unwrap();
    assert_eq!(due(&w, id), None);
    assert_eq!(w.execution(id).waits, Some(WaitsMark { due_at: None }), "who once waited is marked for good");
    assert_eq!(next_due(&w.execution(id)), None);
}

#[test]
fn a_suspension_without_a_deadline_is_never_due() {
    let (w, id, _) = World::suspended();
    assert_eq!(due(&w, id), None);
    assert_eq!(index_entries(&w.execution(id)).due_at, None);
}

#[test]
fn a_signal_that_changes_no_deadline_writes_no_execution() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.resume_condition = super::fixture::single("a", Some("other")));
    w.deliver(id, details.primary.waitpoint_id, |_| {});
    assert!(w.last.changes.iter().all(|change| change.new.as_ref().is_some_and(|new| new.as_execution().is_none())));
}

#[test]
fn a_refused_token_marks_an_execution_that_never_waited_once() {
    let mut w = World::keyed();
    let id = w.create();
    let to = w.waitpoint_id();
    for marked in [true, false, false] {
        let args = w.signal_args(id, to, &WaitpointToken::new("x"));
        refused(w.run(args), "invalid_token");
        let touched =
            w.last.changes.iter().any(|change| change.new.as_ref().is_some_and(|new| new.as_execution().is_some()));
        assert_eq!(touched, marked);
        w.pass(1_000_000);
    }
    assert_eq!(w.execution(id).waits, Some(WaitsMark { due_at: None }));
}

/// Execution and time of everybody listed, in the order of the list.
fn listed(w: &World) -> Vec<(ExecutionId, TimestampMs, String)> {
    w.suspended_list().iter().map(|entry| (entry.execution_id, entry.since, entry.reason.to_string())).collect()
}

#[test]
fn the_list_holds_exactly_the_suspended() {
    let mut w = World::keyed();
    let ids: Vec<_> = (0..3).map(|_| w.create()).collect();
    assert!(listed(&w).is_empty());
    for id in &ids {
        w.claim(*id);
        w.pass(3);
        w.suspend(*id, |_| {});
    }
    let signal = "waiting_for_signal".to_owned();
    let since: Vec<_> = ids.iter().map(|id| w.suspension(*id).created_at).collect();
    let entry = |n: usize| (ids[n], since[n], signal.clone());
    assert_eq!(listed(&w), [entry(0), entry(1), entry(2)]);
    let to = w.suspension(ids[1]).waitpoints[0].waitpoint_id;
    w.deliver(ids[1], to, |_| {});
    assert_eq!(listed(&w), [entry(0), entry(2)]);
    w.pass(3);
    w.grant(ids[1]);
    let args = w.resume_args(ids[1]);
    w.run(args).unwrap();
    w.suspend(ids[1], |_| {});
    assert_eq!(listed(&w), [entry(0), entry(2), (ids[1], w.now, signal.clone())], "the second time is another entry");
}

#[test]
fn an_escalation_keeps_its_place_in_the_list_and_says_why() {
    let (mut w, id, _) = World::leased();
    w.suspend(id, |args| {
        args.timeout_at = at(50);
        args.timeout_behavior = TimeoutBehavior::Escalate;
    });
    let since = w.now;
    w.pass(100);
    w.expire(id);
    assert_eq!(listed(&w), [(id, since, "waiting_for_operator_review".to_owned())]);
}

#[test]
fn what_is_satisfied_at_once_is_never_listed() {
    let (mut w, id, fence) = World::leased();
    let pending = w.create_waitpoint(id, "a").waitpoint_id;
    w.deliver(id, pending, |_| {});
    let mut args = w.suspend_args(id);
    args.waitpoints = vec![leasehold_core::suspension::WaitpointBinding::UsePending { waitpoint_id: pending }];
    w.run(args).unwrap();
    assert!(listed(&w).is_empty());
    w.run(complete_args(id, fence)).unwrap();
    assert!(listed(&w).is_empty());
}
