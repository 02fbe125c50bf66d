//! `list_lanes`: every lane that was ever used, by name.

use crate::case::Case;
use leasehold_contract::LanePage;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_tests::harness::act::cancellation;

async fn used_in(case: &Case, partition: u16, lane: &'static str) -> ExecutionId {
    case.created(|args| {
        args.execution_id = ExecutionId::from_parts(partition, args.execution_id.uuid());
        args.lane_id = LaneId::new(lane);
    })
    .await
}

pub async fn a_lane_is_listed_from_its_first_submission_on(case: &mut Case) {
    assert_eq!(case.engine.list_lanes(None, 10).await, Ok(LanePage::default()));
    let id = used_in(case, 1, "mail").await;
    let page = LanePage { lanes: vec![LaneId::new("mail")], next_cursor: None };
    assert_eq!(case.engine.list_lanes(None, 10).await.as_ref(), Ok(&page));
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    case.restart().await;
    assert_eq!(case.engine.list_lanes(None, 10).await, Ok(page));
}

pub async fn a_lane_of_many_partitions_is_listed_once(case: &mut Case) {
    for partition in 0..case.partitions() {
        used_in(case, partition, "mail").await;
        used_in(case, partition, "Mail").await;
    }
    let lanes = case.engine.list_lanes(None, 10).await.unwrap().lanes;
    assert_eq!(lanes, [LaneId::new("Mail"), LaneId::new("mail")]);
}

pub async fn pages_follow_each_other_byte_by_byte(case: &mut Case) {
    let names = [" ", "A", "Z", "a", "a b", "a1", "aa", "b", "~"];
    for (number, name) in names.iter().enumerate().rev() {
        used_in(case, number as u16 % 4, name).await;
    }
    for limit in [1, 2, 4, 9, 10] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = case.engine.list_lanes(cursor, limit).await.unwrap();
            assert!(page.lanes.len() <= limit);
            seen.extend(page.lanes.iter().map(|lane| lane.as_str().to_owned()));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, names, "pages of {limit}");
    }
}

pub async fn a_limit_of_zero_gives_an_empty_page(case: &mut Case) {
    used_in(case, 1, "mail").await;
    assert_eq!(case.engine.list_lanes(None, 0).await, Ok(LanePage::default()));
}
