//! `list_flows`: the flows of a partition, by id.

use super::graph::{cancelling, fail, flow, home, lease, member, succeed, unheard};
use crate::case::{Case, meets};
use leasehold_contract::{CancelWait, FlowEntry, FlowStatus};
use leasehold_core::ids::FlowId;
use leasehold_core::partition::Partition;
use leasehold_core::record::flow::CancellationPolicy;

/// Flows that share a partition.
async fn flows_at(case: &Case, partition: u16, count: usize) -> Vec<FlowId> {
    let mut flows = Vec::new();
    while flows.len() < count {
        let id = flow(case).await;
        if home(case, id) == partition {
            flows.push(id);
        }
    }
    flows.sort_unstable();
    flows
}

pub async fn each_says_what_it_is_doing(case: &mut Case) {
    let flows = flows_at(case, 1, 5).await;
    let created_at = case.now();
    for (number, flow) in flows.iter().enumerate().take(4) {
        let id = member(case, *flow).await;
        match number {
            0 => drop(lease(case, id).await),
            1 => succeed(case, id).await,
            2 => fail(case, id).await,
            _ => {
                let cancel = cancelling(*flow, CancellationPolicy::CancelAll);
                case.engine.cancel_flow(cancel, CancelWait::Indefinite).await.unwrap();
            }
        }
    }
    let statuses =
        [FlowStatus::Active, FlowStatus::Completed, FlowStatus::Failed, FlowStatus::Cancelled, FlowStatus::Active];
    let expected: Vec<FlowEntry> = flows
        .iter()
        .zip(statuses)
        .map(|(flow_id, status)| FlowEntry { flow_id: *flow_id, created_at, status })
        .collect();
    let page = unheard(case, flows[0], case.engine.list_flows(Partition::flow(1), None, 100)).await.unwrap();
    assert_eq!((page.flows, page.next_cursor), (expected, None));
}

pub async fn pages_follow_one_another(case: &mut Case) {
    let flows = flows_at(case, 2, 7).await;
    case.kill().await;
    for limit in [1, 3, 6, 7, 8] {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = case.engine.list_flows(Partition::flow(2), cursor, limit).await.unwrap();
            assert!(page.flows.len() <= limit);
            found.extend(page.flows.iter().map(|entry| entry.flow_id));
            cursor = page.next_cursor;
            assert_eq!(cursor.is_some(), found.len() < flows.len(), "limit {limit}");
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, flows);
    }
    let none = case.engine.list_flows(Partition::flow(2), None, 0).await.unwrap();
    assert_eq!((none.flows, none.next_cursor), (vec![], None));
}

pub async fn each_partition_lists_its_own(case: &mut Case) {
    flows_at(case, 3, 1).await;
    let mut listed = 0;
    for partition in 0..case.partitions() {
        let page = case.engine.list_flows(Partition::flow(partition), None, 1000).await.unwrap();
        for entry in &page.flows {
            assert_eq!(home(case, entry.flow_id), partition);
        }
        listed += page.flows.len();
    }
    assert!(listed >= 1);
}

pub async fn strange_places_are_refused(case: &mut Case) {
    let here = flows_at(case, 1, 1).await[0];
    case.code(case.engine.list_flows(Partition::flow(2), Some(here), 10).await, "invalid_input");
    let page = case.engine.list_flows(Partition::flow(1), Some(here), 10).await.unwrap();
    assert_eq!(page.flows, []);
    meets(case.engine.list_flows(Partition::flow(4), None, 10).await, "invalid_input");
}
