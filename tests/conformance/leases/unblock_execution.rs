//! `unblock_execution`: a blocked execution becomes eligible again.

use crate::case::Case;
use crate::states::{WAITING, eligible};
use leasehold_contract::{AdmissionBlock, BlockExecution, UnblockExecution, Unblocked};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::{BlockingReason, PublicState, TerminalOutcome};

fn unblock(execution_id: ExecutionId) -> UnblockExecution {
    UnblockExecution { execution_id, expected_reason: None }
}

pub async fn it_goes_back_to_its_old_place_whatever_the_reason(case: &mut Case) {
    for reason in AdmissionBlock::ALL {
        let id = case.created(|args| args.priority = 2).await;
        let before = case.entry(id).await;
        case.advance(5);
        let block = BlockExecution { execution_id: id, reason: *reason, detail: Some("held".to_owned()) };
        case.engine.block_execution_for_admission(block).await.unwrap();
        case.advance(5);
        let outcome = case.engine.unblock_execution(unblock(id)).await.unwrap();
        assert_eq!(outcome, Unblocked { execution_id: id, public_state: PublicState::Waiting });
        assert_eq!(case.vector(id).await, WAITING);
        assert_eq!(case.entry(id).await, before);
        let record = case.record(id).await;
        assert_eq!((record.blocking_detail.as_deref(), record.blocked_at), (None, None));
        assert_eq!(record.last_transition_at, case.now());
        assert!(case.story(id).await.is_empty());
    }
}

pub async fn an_interrupted_attempt_is_due_to_go_on(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.block_route(id, None).await.unwrap();
    let outcome = case.engine.unblock_execution(unblock(id)).await.unwrap();
    assert_eq!(outcome.public_state, PublicState::Resumable);
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
}

pub async fn another_reason_than_expected_is_refused(case: &mut Case) {
    let id = case.blocked(AdmissionBlock::WaitingForBudget).await;
    let expecting = |reason| UnblockExecution { expected_reason: Some(reason), ..unblock(id) };
    let call = case.engine.unblock_execution(expecting(BlockingReason::WaitingForQuota));
    case.refused(id, call, "execution_not_eligible").await;
    case.engine.unblock_execution(expecting(BlockingReason::WaitingForBudget)).await.unwrap();
}

pub async fn what_admission_does_not_block_is_not_unblocked(case: &mut Case) {
    for id in [
        case.waiting().await,
        case.delayed(10).await,
        case.leased().await.execution.execution_id,
        case.retrying().await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.unblock_execution(unblock(id)), "execution_not_eligible").await;
    }
}

pub async fn a_repeat_finds_it_eligible(case: &mut Case) {
    let id = case.blocked(AdmissionBlock::PausedByOperator).await;
    case.engine.unblock_execution(unblock(id)).await.unwrap();
    case.refused(id, case.engine.unblock_execution(unblock(id)), "execution_not_eligible").await;
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.unblock_execution(unblock(id)), "execution_not_found").await;
}

pub async fn what_was_unblocked_can_be_claimed(case: &mut Case) {
    let id = case.blocked(AdmissionBlock::WaitingForQuota).await;
    case.restart().await;
    case.engine.unblock_execution(unblock(id)).await.unwrap();
    case.lease(id).await;
}
