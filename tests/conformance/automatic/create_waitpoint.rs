//! Pending waitpoints that nobody uses.

use crate::case::Case;
use crate::states::{LEASED, suspended};
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::{CloseReason, WaitpointState};
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::renewal;
use leasehold_tests::harness::{TTL_MS, keyed};

const SHORT_MS: u64 = 5000;

async fn closed_at(case: &Case, id: ExecutionId, waitpoint: WaitpointId) -> Option<TimestampMs> {
    let waitpoint = case.waitpoint(id, waitpoint).await;
    assert_eq!(waitpoint.close_reason.is_some(), waitpoint.state == WaitpointState::Closed);
    assert!(waitpoint.close_reason.is_none_or(|reason| reason == CloseReason::NeverCommitted), "{waitpoint:?}");
    waitpoint.closed_at
}

pub async fn an_unused_waitpoint_closes_by_itself_at_its_time(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let first = case.pending(&held, SHORT_MS).await.waitpoint_id;
    let second = case.pending(&held, 2 * SHORT_MS).await;
    let start = case.now();
    case.pass(SHORT_MS - 1).await;
    assert_eq!(closed_at(case, id, first).await, None);
    case.pass(1).await;
    assert_eq!(closed_at(case, id, first).await, Some(start.plus(SHORT_MS)));
    assert_eq!(closed_at(case, id, second.waitpoint_id).await, None);
    assert_eq!(case.waits(id).await.open_waitpoints, [second.waitpoint_id]);
    assert_eq!(case.vector(id).await, LEASED, "the execution goes on");
    assert_eq!(case.story(id).await, ["acquired 1"]);
    case.pass(SHORT_MS).await;
    assert_eq!(closed_at(case, id, second.waitpoint_id).await, Some(start.plus(2 * SHORT_MS)));
    let late = case.engine.deliver_signal(case.signal_early(id, &second));
    case.other_refused(id, late, "target_not_signalable").await;
    case.engine.complete(&held.handle, None).await.unwrap();
}

pub async fn one_that_is_used_does_not_run_out(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, SHORT_MS).await;
    case.pass(SHORT_MS - 1).await;
    let args = case.suspension_at(&pending, keyed("a"));
    case.suspend(held, args).await;
    case.pass(100 * SHORT_MS).await;
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await.state, WaitpointState::Active);
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "resume_condition_satisfied");
}

pub async fn it_runs_out_beside_a_suspension_and_after_a_lost_lease(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let beside = case.pending(&held, SHORT_MS).await.waitpoint_id;
    let args = case.suspension();
    case.suspend(held, args).await;
    case.pass(SHORT_MS).await;
    assert!(closed_at(case, id, beside).await.is_some());
    assert_eq!(case.vector(id).await, suspended("waiting_for_signal"));
    let lost = case.leased().await;
    let pending = case.pending(&lost, 2 * TTL_MS).await.waitpoint_id;
    case.pass(2 * TTL_MS - 1).await;
    assert_eq!(closed_at(case, lost.execution.execution_id, pending).await, None);
    case.pass(1).await;
    assert!(closed_at(case, lost.execution.execution_id, pending).await.is_some());
}

pub async fn it_runs_out_while_the_lease_is_renewed_from_memory(case: &mut Case) {
    let held = case.leased().await;
    let pending = case.pending(&held, 2 * TTL_MS).await.waitpoint_id;
    let due = case.now().plus(2 * TTL_MS);
    for _ in 0..6 {
        case.pass(TTL_MS / 3).await;
        case.engine.renew_lease(renewal(&held.execution)).await.unwrap();
    }
    assert_eq!(closed_at(case, held.execution.execution_id, pending).await, Some(due));
}

pub async fn a_waitpoint_that_ran_out_while_no_engine_ran_is_closed(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let out = case.pending(&held, SHORT_MS).await.waitpoint_id;
    let still = case.pending(&held, 3 * SHORT_MS).await.waitpoint_id;
    case.kill_for(2 * SHORT_MS).await;
    case.pass(5).await;
    assert!(closed_at(case, id, out).await.is_some());
    assert_eq!(closed_at(case, id, still).await, None);
    case.pass(SHORT_MS).await;
    assert!(closed_at(case, id, still).await.is_some());
}

pub async fn many_run_out_at_once(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    for _ in 0..100 {
        case.pending(&held, SHORT_MS).await;
    }
    case.pass(SHORT_MS).await;
    let waits = case.waits(id).await;
    assert_eq!((waits.open_waitpoints.len(), waits.expiries.len()), (0, 0));
}
