//! `change_priority`: an eligible execution moves within its queue.

use crate::case::Case;
use leasehold_contract::{AdmissionBlock, ChangePriority, Changed};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::partition::Partition;
use leasehold_core::state::TerminalOutcome;
use leasehold_tests::harness::LANE;

fn to(execution_id: ExecutionId, new_priority: i32) -> ChangePriority {
    ChangePriority { execution_id, new_priority }
}

pub async fn it_is_scored_anew_and_told(case: &mut Case) {
    let id = case.created(|args| args.priority = 2).await;
    let created_at = case.now();
    case.advance(5);
    let changed = case.engine.change_priority(to(id, 7)).await.unwrap();
    assert_eq!(changed, Changed { execution_id: id, priority: 7 });
    let record = case.record(id).await;
    assert_eq!((record.priority, record.last_mutation_at), (7, case.now()));
    assert_eq!(record.last_transition_at, created_at);
    assert_eq!(case.entry(id).await.score, created_at.0 - 7_000_000_000_000);
    assert_eq!(case.story(id).await, ["priority_changed 2 7"]);
}

pub async fn the_queue_follows(case: &mut Case) {
    let first = case.waiting().await;
    let second = case.waiting().await;
    let lane = LaneId::new(LANE);
    let queue = async |case: &Case| case.engine.scan_eligible_executions(&lane, Partition::flow(1), 10).await.unwrap();
    assert_eq!(queue(case).await, [first, second]);
    case.engine.change_priority(to(second, 1)).await.unwrap();
    assert_eq!(queue(case).await, [second, first]);
    let grant = case.engine.claim_for_worker(case.for_worker()).await.unwrap();
    assert_eq!(grant.map(|grant| grant.execution_id), Some(second));
}

pub async fn priorities_are_clamped(case: &mut Case) {
    let id = case.waiting().await;
    for (given, kept) in [(i32::MAX, 9000), (9001, 9000), (-1, 0), (9000, 9000), (i32::MIN, 0)] {
        let changed = case.engine.change_priority(to(id, given)).await.unwrap();
        assert_eq!((changed.priority, case.record(id).await.priority), (kept, kept), "{given}");
    }
}

pub async fn the_same_priority_is_fine_and_nothing_changes(case: &mut Case) {
    let id = case.created(|args| args.priority = 7).await;
    case.advance(5);
    let changed = case.changes_nothing(id, case.engine.change_priority(to(id, 7))).await;
    assert_eq!(changed.priority, 7);
}

pub async fn an_interrupted_execution_that_is_eligible_moves_too(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.change_priority(to(id, 7)).await.unwrap();
    assert_eq!(case.record(id).await.priority, 7);
}

pub async fn what_is_not_eligible_keeps_its_priority(case: &mut Case) {
    for id in [
        case.delayed(10).await,
        case.blocked(AdmissionBlock::WaitingForBudget).await,
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.parked(10).await.execution.execution_id,
        case.retrying().await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.change_priority(to(id, 7)), "execution_not_eligible").await;
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.change_priority(to(id, 7)), "execution_not_found").await;
}
