//! `block_route`: an eligible execution is put aside because no worker fits.

use crate::case::Case;
use crate::states::runnable;
use leasehold_contract::{AdmissionBlock, BlockOutcome};
use leasehold_core::state::TerminalOutcome;

pub async fn it_waits_for_a_capable_worker(case: &mut Case) {
    let id = case.waiting().await;
    case.advance(5);
    let outcome = case.engine.block_route(id, Some("needs gpu".to_owned())).await.unwrap();
    let reason = AdmissionBlock::WaitingForCapableWorker;
    assert_eq!(outcome, BlockOutcome::Blocked { execution_id: id, reason });
    let blocked = runnable("blocked_by_route", "waiting_for_capable_worker", "pending_first_attempt");
    assert_eq!(case.vector(id).await, blocked);
    assert_eq!(case.record(id).await.blocking_detail.as_deref(), Some("needs gpu"));
    assert_eq!(case.entry(id).await.score, case.now().0);
    assert!(case.story(id).await.is_empty());
}

pub async fn a_detail_may_be_missing(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.block_route(id, None).await.unwrap();
    assert_eq!(case.record(id).await.blocking_detail, None);
}

pub async fn a_repeat_finds_it_blocked(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.block_route(id, None).await.unwrap();
    case.refused(id, case.engine.block_route(id, None), "execution_not_eligible").await;
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.block_route(id, None), "execution_not_found").await;
}

pub async fn what_ended_runs_or_is_promised_stays_where_it_is(case: &mut Case) {
    let ended = case.ended(TerminalOutcome::Failed).await.execution.execution_id;
    case.refused(ended, case.engine.block_route(ended, None), "execution_not_active").await;
    let leased = case.leased().await.execution.execution_id;
    case.refused(leased, case.engine.block_route(leased, None), "execution_not_eligible").await;
    let granted = case.granted().await;
    case.refused(granted, case.engine.block_route(granted, None), "grant_already_exists").await;
}

pub async fn a_detail_no_store_can_keep_is_refused(case: &mut Case) {
    let id = case.waiting().await;
    for detail in ["d".repeat(4097), "a\0b".to_owned()] {
        case.refused(id, case.engine.block_route(id, Some(detail)), "invalid_input").await;
    }
}
