//! `resolve_execution_flow_id`: the flow of an execution.

use super::graph::{cancelling, flow, home, member, neighbour, succeed, unheard};
use crate::case::Case;
use leasehold_contract::CancelWait;
use leasehold_core::record::flow::CancellationPolicy;

pub async fn a_member_names_its_flow_for_life(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    let named = unheard(case, flow, case.engine.resolve_execution_flow_id(id)).await;
    assert_eq!(named, Ok(Some(flow)));
    succeed(case, id).await;
    let cancel = cancelling(flow, CancellationPolicy::CancelAll);
    case.engine.cancel_flow(cancel, CancelWait::Indefinite).await.unwrap();
    case.kill().await;
    assert_eq!(case.engine.resolve_execution_flow_id(id).await, Ok(Some(flow)));
}

pub async fn without_a_flow_or_an_execution_there_is_none(case: &mut Case) {
    let flow = flow(case).await;
    for id in [neighbour(case, flow).await, case.id_in(home(case, flow)), case.id_in(case.partitions())] {
        assert_eq!(case.engine.resolve_execution_flow_id(id).await, Ok(None));
    }
}
