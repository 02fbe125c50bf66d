//! `describe_edge`: one dependency.

use super::graph::{apply, edge_id, flow, flow_id, members, stage, stage_with, succeed, unheard};
use crate::case::Case;
use leasehold_contract::EdgeSnapshot;

pub async fn it_is_shown_as_it_was_staged(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    case.advance(5);
    let created_at = case.now();
    let (plain, passing) = (stage(case, flow, up, down).await, stage_with(case, flow, up, down, Some("all")).await);
    let expected = |edge_id, data_passing_ref: Option<&str>| EdgeSnapshot {
        edge_id,
        flow_id: flow,
        upstream_execution_id: up,
        downstream_execution_id: down,
        dependency_kind: "success_only",
        satisfaction_condition: "all_required",
        data_passing_ref: data_passing_ref.map(str::to_owned),
        edge_state: "pending",
        created_at,
        created_by: "engine",
    };
    let all = [expected(plain.edge_id, None), expected(passing.edge_id, Some("all"))];
    for expected in &all {
        let found = unheard(case, flow, case.engine.describe_edge(flow, expected.edge_id)).await;
        assert_eq!(found, Ok(Some(expected.clone())));
    }
    case.advance(5);
    apply(case, &plain).await;
    apply(case, &passing).await;
    succeed(case, up).await;
    case.kill().await;
    for expected in all {
        assert_eq!(case.engine.describe_edge(flow, expected.edge_id).await, Ok(Some(expected)));
    }
}

pub async fn what_is_not_there_is_none(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let staged = stage(case, flow, up, down).await;
    assert_eq!(case.engine.describe_edge(flow, edge_id(case)).await, Ok(None));
    assert_eq!(case.engine.describe_edge(flow_id(case), staged.edge_id).await, Ok(None));
}
