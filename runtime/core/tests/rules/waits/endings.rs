//! Whatever ends an execution closes what it waits for in the same change.

use super::fixture::at;
use crate::fixture::{TTL_MS, World, operator, reclaim_grant_args};
use crate::situation::{complete_args, fail_args};
use leasehold_core::command::{
    CancelExecution, CommandSource, ExpireExecution, ExpirePhase, FenceTriple, ReclaimOutcome, ReplayExecution, Settle,
};
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::{CloseReason, WaitpointState};

fn cancel(id: ExecutionId, source: CommandSource) -> CancelExecution {
    CancelExecution { execution_id: id, reason: "enough".into(), source, fence: FenceTriple::NONE }
}

/// A suspended execution with a deadline of its own and a pending waitpoint.
fn suspended() -> (World, ExecutionId, [WaitpointId; 2]) {
    let mut w = World::keyed();
    let id = w.create_with(|args| args.execution_deadline_at = at(90_000));
    w.claim(id);
    let mut args = w.create_waitpoint_args(id, "later");
    args.expires_in_ms = 1_000_000;
    let pending = w.run(args).unwrap().waitpoint_id;
    let bound = w.suspend(id, |_| {}).primary.waitpoint_id;
    (w, id, [pending, bound])
}

/// An execution under a lease with a pending waitpoint.
fn active() -> (World, ExecutionId, [WaitpointId; 1], FenceTriple) {
    let (mut w, id, fence) = World::leased();
    let mut args = w.create_waitpoint_args(id, "later");
    args.expires_in_ms = u64::MAX;
    let pending = w.run(args).unwrap().waitpoint_id;
    (w, id, [pending], fence)
}

#[track_caller]
fn closed(w: &World, id: ExecutionId, waitpoints: &[WaitpointId], reason: CloseReason) {
    assert!(w.execution(id).vector().is_terminal());
    for waitpoint in waitpoints {
        let waitpoint = w.waitpoint(*waitpoint);
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(reason)));
        assert_eq!(waitpoint.closed_at, Some(w.now));
    }
    let waits = w.find_waits(id).unwrap();
    assert!(waits.open_waitpoints.is_empty() && waits.expiries.is_empty() && waits.open().is_none());
    assert!(w.suspended_list().is_empty());
    assert_eq!(w.execution(id).waits.unwrap().due_at, None);
    assert_eq!(w.last.events.len(), 1, "one end, one event");
}

#[test]
fn every_way_to_end_a_suspended_execution_closes_its_waits() {
    for source in [operator(), CommandSource::FlowCascade] {
        let (mut w, id, waitpoints) = suspended();
        w.run(cancel(id, source)).unwrap();
        closed(&w, id, &waitpoints, CloseReason::Cancelled);
    }
    for by_timer in [false, true] {
        let (mut w, id, waitpoints) = suspended();
        w.now = at(90_000).unwrap();
        if by_timer {
            w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
        } else {
            let phase = ExpirePhase::ExecutionDeadline;
            w.run(ExpireExecution { execution_id: id, phase, attempt_index: None }).unwrap();
        }
        closed(&w, id, &waitpoints, CloseReason::ExecutionDeadline);
    }
}

#[test]
fn every_way_to_end_an_active_execution_closes_its_pending_waitpoints() {
    let (mut w, id, pending, fence) = active();
    w.run(complete_args(id, fence)).unwrap();
    closed(&w, id, &pending, CloseReason::ProactiveClose);

    let (mut w, id, pending, fence) = active();
    w.run(fail_args(id, fence)).unwrap();
    closed(&w, id, &pending, CloseReason::ProactiveClose);

    let (mut w, id, pending, _) = active();
    w.run(cancel(id, operator())).unwrap();
    closed(&w, id, &pending, CloseReason::Cancelled);

    let (mut w, id, pending, _) = active();
    w.now = w.execution(id).attempt_timeout_at().unwrap();
    let phase = ExpirePhase::AttemptTimeout;
    w.run(ExpireExecution { execution_id: id, phase, attempt_index: None }).unwrap();
    closed(&w, id, &pending, CloseReason::AttemptTimeout);
}

#[test]
fn the_last_reclaim_closes_what_the_execution_waited_for() {
    let (mut w, id, pending, _) = active();
    w.pass(TTL_MS);
    w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
    w.run(reclaim_grant_args(id)).unwrap();
    let mut args = w.reclaim_args(id);
    args.max_reclaim_count = Some(0);
    assert!(!matches!(w.run(args), Ok(ReclaimOutcome::Claimed(_)) | Err(_)));
    closed(&w, id, &pending, CloseReason::ProactiveClose);
}

#[test]
fn a_retry_keeps_what_was_made_ahead() {
    let mut w = World::keyed();
    let id = w.create_with_policy(r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":1}}}"#);
    let fence = w.claim(id).fence().into();
    let pending = w.create_waitpoint(id, "later").waitpoint_id;
    w.run(fail_args(id, fence)).unwrap();
    assert!(!w.execution(id).vector().is_terminal() && w.waitpoint(pending).is_open());
}

#[test]
fn a_replay_begins_without_waits() {
    let (mut w, id, waitpoints) = suspended();
    w.run(cancel(id, operator())).unwrap();
    w.pass(1);
    w.run(ReplayExecution { execution_id: id, requested_by: None, reason: None }).unwrap();
    assert!(w.waitpoints().iter().all(|waitpoint| !waitpoint.is_open()));
    w.claim(id);
    let fresh = w.suspend(id, |_| {}).primary.waitpoint_id;
    assert!(!waitpoints.contains(&fresh));
    assert_eq!(w.find_waits(id).unwrap().open_waitpoints, [fresh]);
}
