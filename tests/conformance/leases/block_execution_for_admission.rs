//! `block_execution_for_admission`: an eligible execution is put aside for a
//! reason other than time.

use crate::case::Case;
use crate::fencing::not_active;
use crate::states::runnable;
use leasehold_contract::{AdmissionBlock, BlockExecution, BlockOutcome};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::TTL_MS;

fn block(execution_id: ExecutionId, reason: AdmissionBlock) -> BlockExecution {
    BlockExecution { execution_id, reason, detail: Some("held".to_owned()) }
}

pub async fn each_reason_has_its_state_its_queue_and_its_label(case: &mut Case) {
    use AdmissionBlock as B;
    use PublicState as P;
    for (reason, eligibility, blocking, label) in [
        (B::WaitingForBudget, "blocked_by_budget", "waiting_for_budget", P::RateLimited),
        (B::WaitingForQuota, "blocked_by_quota", "waiting_for_quota", P::RateLimited),
        (B::WaitingForCapableWorker, "blocked_by_route", "waiting_for_capable_worker", P::Waiting),
        (B::PausedByOperator, "blocked_by_operator", "paused_by_operator", P::Waiting),
        (B::PausedByPolicy, "blocked_by_lane_state", "paused_by_policy", P::Waiting),
    ] {
        let id = case.waiting().await;
        case.advance(5);
        let outcome = case.engine.block_execution_for_admission(block(id, reason)).await.unwrap();
        assert_eq!(outcome, BlockOutcome::Blocked { execution_id: id, reason });
        assert_eq!(case.vector(id).await, runnable(eligibility, blocking, "pending_first_attempt"));
        assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(label)));
        let record = case.record(id).await;
        assert_eq!((record.blocking_detail.as_deref(), record.blocked_at), (Some("held"), Some(case.now())));
        assert_eq!((record.last_transition_at, record.last_mutation_at), (case.now(), case.now()));
        let entry = case.entry(id).await;
        assert_eq!((entry.score, entry.due_at), (case.now().0, None));
        assert!(entry.queue.starts_with("blocked"), "{}", entry.queue);
        assert!(case.story(id).await.is_empty());
    }
}

pub async fn which_attempt_comes_next_is_kept(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForQuota)).await.unwrap();
    assert_eq!(case.vector(id).await, runnable("blocked_by_quota", "waiting_for_quota", "attempt_interrupted"));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    let call = case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForBudget));
    case.refused(id, call, "execution_not_found").await;
}

pub async fn an_ended_execution_is_not_active(case: &mut Case) {
    for outcome in [TerminalOutcome::Success, TerminalOutcome::Cancelled] {
        let id = case.ended(outcome).await.execution.execution_id;
        let call = case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForBudget));
        let error = case.refused(id, call, "execution_not_active").await;
        assert_eq!(not_active(&error).terminal_outcome, outcome);
    }
}

pub async fn only_the_eligible_are_blocked(case: &mut Case) {
    for id in [
        case.delayed(10).await,
        case.blocked(AdmissionBlock::WaitingForBudget).await,
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.retrying().await.execution.execution_id,
    ] {
        let call = case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForBudget));
        case.refused(id, call, "execution_not_eligible").await;
    }
}

pub async fn a_promise_to_a_worker_is_kept(case: &mut Case) {
    let id = case.granted().await;
    let call = case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForBudget));
    case.refused(id, call, "grant_already_exists").await;
    case.advance(TTL_MS + 1);
    case.engine.block_execution_for_admission(block(id, AdmissionBlock::WaitingForBudget)).await.unwrap();
    assert_eq!(case.record(id).await.grant, None);
}

pub async fn a_detail_no_store_can_keep_is_refused(case: &mut Case) {
    let id = case.waiting().await;
    for detail in ["d".repeat(4097), "a\0b".to_owned()] {
        let odd = BlockExecution { detail: Some(detail), ..block(id, AdmissionBlock::WaitingForBudget) };
        case.refused(id, case.engine.block_execution_for_admission(odd), "invalid_input").await;
    }
}
