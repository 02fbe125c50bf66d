//! `list_executions`: the executions of a partition, by id.

use crate::case::Case;
use leasehold_contract::ExecutionPage;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::{Partition, PartitionFamily};
use uuid::Uuid;

/// Creates executions in no order; their ids in order.
async fn scattered(case: &Case, count: u128) -> Vec<ExecutionId> {
    let mut ids = Vec::new();
    for number in 0..count {
        let uuid = Uuid::from_u128((number * 7919 % 1009) << 64 | number);
        ids.push(case.created(|args| args.execution_id = ExecutionId::from_parts(1, uuid)).await);
    }
    ids.sort();
    ids
}

pub async fn all_of_a_partition_are_listed_whatever_their_state(case: &mut Case) {
    let ids = [
        case.waiting().await,
        case.delayed(10).await,
        case.leased().await.execution.execution_id,
        case.completed().await.execution.execution_id,
    ];
    case.created(|args| args.execution_id = ExecutionId::from_parts(2, args.execution_id.uuid())).await;
    let page = case.engine.list_executions(Partition::flow(1), None, 100).await.unwrap();
    assert_eq!(page, ExecutionPage { executions: ids.to_vec(), next_cursor: None });
    let empty = case.engine.list_executions(Partition::flow(0), None, 100).await.unwrap();
    assert_eq!(empty, ExecutionPage::default());
}

pub async fn pages_follow_each_other_without_gap_or_repeat(case: &mut Case) {
    let ids = scattered(case, 12).await;
    for limit in [1, 5, 6, 11, 12, 13] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = case.engine.list_executions(Partition::flow(1), cursor, limit).await.unwrap();
            assert!(page.executions.len() <= limit);
            seen.extend(page.executions.iter().copied());
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
            assert_eq!(cursor, page.executions.last().copied());
        }
        assert_eq!(seen, ids, "pages of {limit}");
    }
}

pub async fn a_cursor_needs_no_execution_behind_it(case: &mut Case) {
    let ids = scattered(case, 3).await;
    let between = ExecutionId::from_parts(1, Uuid::from_u128(ids[1].uuid().as_u128() - 1));
    let page = case.engine.list_executions(Partition::flow(1), Some(between), 100).await.unwrap();
    assert_eq!(page.executions, ids[1..]);
    let beyond = ExecutionId::from_parts(1, Uuid::max());
    let page = case.engine.list_executions(Partition::flow(1), Some(beyond), 100).await.unwrap();
    assert_eq!(page, ExecutionPage::default());
}

pub async fn a_limit_of_zero_gives_an_empty_page(case: &mut Case) {
    case.waiting().await;
    assert_eq!(case.engine.list_executions(Partition::flow(1), None, 0).await, Ok(ExecutionPage::default()));
}

pub async fn a_page_holds_a_thousand_at_most(case: &mut Case) {
    let items: Vec<_> = (0..1000).map(|_| case.create(case.id())).collect();
    case.engine.create_executions(items).await.unwrap();
    let page = case.engine.list_executions(Partition::flow(1), None, usize::MAX).await.unwrap();
    assert_eq!((page.executions.len(), page.next_cursor), (1000, None));
    let last = case.waiting().await;
    let page = case.engine.list_executions(Partition::flow(1), None, usize::MAX).await.unwrap();
    assert_eq!(page.executions.len(), 1000);
    let rest = case.engine.list_executions(Partition::flow(1), page.next_cursor, usize::MAX).await.unwrap();
    assert_eq!(rest, ExecutionPage { executions: vec![last], next_cursor: None });
}

pub async fn a_place_outside_the_partition_is_refused(case: &mut Case) {
    let stranger = case.id_in(2);
    case.code(case.engine.list_executions(Partition::flow(1), Some(stranger), 10).await, "invalid_input");
    for partition in
        [Partition::flow(case.partitions()), Partition::SYSTEM, Partition { family: PartitionFamily::Quota, index: 0 }]
    {
        case.code(case.engine.list_executions(partition, None, 10).await, "invalid_input");
    }
}
