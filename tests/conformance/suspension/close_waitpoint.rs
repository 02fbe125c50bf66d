//! `close_waitpoint`: a pending waitpoint is given up.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{CloseWaitpoint, CloseWaitpointOutcome, GiveUp};
use leasehold_core::error::{ContentionKind, EngineError};
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::{CloseReason, WaitpointState, WaitsMark};
use leasehold_tests::harness::{abandonment, keyed};

const MINUTE_MS: u64 = 60_000;

fn expiry(execution_id: ExecutionId, waitpoint_id: WaitpointId) -> CloseWaitpoint {
    CloseWaitpoint { execution_id, waitpoint_id, because: GiveUp::Expiry }
}

async fn left_alone(case: &Case, args: CloseWaitpoint) -> CloseWaitpointOutcome {
    case.changes_nothing(args.execution_id, case.engine.close_waitpoint(args)).await
}

pub async fn an_abandoned_waitpoint_takes_nothing_any_more(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let first = case.pending(&held, MINUTE_MS).await.waitpoint_id;
    let second = case.pending(&held, 2 * MINUTE_MS).await.waitpoint_id;
    let before = (case.story(id).await, case.record(id).await.last_transition_at);
    case.advance(5);
    assert_eq!(case.engine.close_waitpoint(abandonment(id, first)).await, Ok(CloseWaitpointOutcome::Closed));
    let waitpoint = case.waitpoint(id, first).await;
    assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::ProactiveClose)));
    assert_eq!((waitpoint.closed_at, waitpoint.suspension_id), (Some(case.now()), None));
    assert_eq!(case.waits(id).await.open_waitpoints, [second]);
    let due = case.now().plus(2 * MINUTE_MS - 5);
    assert_eq!(case.record(id).await.waits, Some(WaitsMark { due_at: Some(due) }));
    assert_eq!(case.timer(id).await, Some(due));
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!((case.story(id).await, case.record(id).await.last_transition_at), before, "the execution goes on");
    case.kill().await;
    assert_eq!(left_alone(case, abandonment(id, first)).await, CloseWaitpointOutcome::AlreadyClosed);
    assert_eq!(left_alone(case, expiry(id, first)).await, CloseWaitpointOutcome::AlreadyClosed);
    case.engine.complete(&held.handle, None).await.unwrap();
}

pub async fn one_whose_time_is_out_closes_and_not_before(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 5000).await.waitpoint_id;
    case.advance(4999);
    assert_eq!(left_alone(case, expiry(id, pending)).await, CloseWaitpointOutcome::NotYetDue);
    case.advance(1);
    assert_eq!(case.engine.close_waitpoint(expiry(id, pending)).await, Ok(CloseWaitpointOutcome::Closed));
    let waitpoint = case.waitpoint(id, pending).await;
    assert_eq!((waitpoint.close_reason, waitpoint.closed_at), (Some(CloseReason::NeverCommitted), Some(case.now())));
    assert_eq!(case.record(id).await.waits, Some(WaitsMark { due_at: None }));
}

pub async fn one_that_is_part_of_a_suspension_stays_open(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 5000).await;
    let args = case.suspension_at(&pending, keyed("a"));
    case.suspend(held, args).await;
    case.advance(5000);
    for args in [abandonment(id, pending.waitpoint_id), expiry(id, pending.waitpoint_id)] {
        case.refused(id, case.engine.close_waitpoint(args), "waitpoint_not_pending").await;
    }
    case.deliver(case.signal_early(id, &pending)).await;
    assert_eq!(left_alone(case, abandonment(id, pending.waitpoint_id)).await, CloseWaitpointOutcome::AlreadyClosed);
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!(waitpoint.close_reason, Some(CloseReason::Resumed), "the first reason stays");
}

pub async fn a_missing_waitpoint_is_not_found(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let other = case.leased().await;
    let of_other = case.pending(&other, MINUTE_MS).await.waitpoint_id;
    for args in [
        abandonment(id, case.waitpoint_id()),
        expiry(id, case.waitpoint_id()),
        abandonment(id, of_other),
        abandonment(case.id(), case.waitpoint_id()),
    ] {
        let error = case.refused(args.execution_id, case.engine.close_waitpoint(args), "waitpoint_not_found").await;
        assert_eq!(error, EngineError::from(ContentionKind::WaitpointNotFound));
    }
    assert!(case.waitpoint(id, of_other).await.is_open());
}

pub async fn of_two_at_once_one_closes(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await.waitpoint_id;
    let close = || case.engine.close_waitpoint(abandonment(id, pending));
    let both = tokio::join!(close(), close());
    assert_eq!(both, (Ok(CloseWaitpointOutcome::Closed), Ok(CloseWaitpointOutcome::AlreadyClosed)));
}
