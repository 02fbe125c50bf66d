//! `scan_eligible_executions`: the queue of a lane in its order.

use crate::case::Case;
use leasehold_contract::AdmissionBlock;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_tests::harness::LANE;

async fn scan(case: &Case, limit: usize) -> Vec<ExecutionId> {
    let lane = LaneId::new(LANE);
    case.engine.scan_eligible_executions(&lane, Partition::flow(1), limit).await.unwrap()
}

pub async fn higher_priorities_first_then_the_older_then_by_id(case: &mut Case) {
    let with_priority = async |priority: i32| case.created(|args| args.priority = priority).await;
    let low = with_priority(0).await;
    let high = with_priority(5).await;
    let twin = with_priority(5).await;
    case.advance(1000);
    let later = with_priority(5).await;
    let highest = with_priority(9000).await;
    let last = with_priority(0).await;
    assert_eq!(scan(case, 10).await, [highest, high, twin, later, low, last]);
}

pub async fn no_age_outweighs_a_step_of_priority(case: &mut Case) {
    let old = case.waiting().await;
    case.advance(30 * 365 * 86_400_000);
    let urgent = case.created(|args| args.priority = 1).await;
    assert_eq!(scan(case, 10).await, [urgent, old]);
}

pub async fn a_limit_cuts_and_zero_gives_nothing(case: &mut Case) {
    let ids = [case.waiting().await, case.waiting().await, case.waiting().await];
    assert_eq!(scan(case, 2).await, ids[..2]);
    assert_eq!(scan(case, 0).await, []);
    assert_eq!(scan(case, usize::MAX).await, ids);
}

pub async fn only_the_eligible_of_the_lane_and_partition_are_listed(case: &mut Case) {
    let waiting = case.waiting().await;
    let granted = case.granted().await;
    let choosy = case.created_under(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#).await;
    let resumable = case.resumable().await.execution.execution_id;
    case.created(|args| args.lane_id = LaneId::new("other")).await;
    case.created(|args| args.execution_id = ExecutionId::from_parts(2, args.execution_id.uuid())).await;
    case.delayed(1000).await;
    case.blocked(AdmissionBlock::WaitingForBudget).await;
    case.leased().await;
    case.completed().await;
    assert_eq!(scan(case, 10).await, [waiting, granted, choosy, resumable]);
    let nothing = LaneId::new("nothing was ever submitted here");
    let none = case.engine.scan_eligible_executions(&nothing, Partition::flow(1), 10).await;
    assert_eq!(none, Ok(Vec::new()));
}

pub async fn what_was_acknowledged_is_seen(case: &mut Case) {
    let id = case.waiting().await;
    assert_eq!(scan(case, 10).await, [id]);
    case.lease(id).await;
    assert_eq!(scan(case, 10).await, []);
    case.restart().await;
    assert_eq!(scan(case, 10).await, []);
}

pub async fn a_partition_that_holds_no_executions_is_refused(case: &mut Case) {
    let lane = LaneId::new(LANE);
    for partition in [
        Partition::flow(case.partitions()),
        Partition::SYSTEM,
        Partition { family: PartitionFamily::Budget, index: 0 },
        Partition { family: PartitionFamily::Quota, index: 0 },
    ] {
        case.code(case.engine.scan_eligible_executions(&lane, partition, 10).await, "invalid_input");
    }
    let alias = Partition { family: PartitionFamily::Execution, index: 1 };
    let id = case.waiting().await;
    assert_eq!(case.engine.scan_eligible_executions(&lane, alias, 10).await, Ok(vec![id]));
}
