//! `stage_dependency_edge`: one more dependency of the graph, which holds
//! nothing back before it is applied.

use super::graph::{
    cancelling, chain, contents, counts, flow, flow_id, header, kept, lease, link, member, member_record, members,
    neighbour, refused, refused_as, stage, staging, succeed,
};
use super::shapes::{fan_out, submit};
use crate::case::Case;
use crate::states::WAITING;
use leasehold_contract::{CancelWait, StageDependencyEdge, Staged};
use leasehold_core::flow::GroupState;
use leasehold_core::record::flow::{CancellationPolicy, Edge, FlowKey, FlowRecord};
use leasehold_core::state::PublicState;

pub async fn it_is_in_the_graph_and_holds_nothing_back(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    case.advance(5);
    let args = staging(case, flow, up, down).await;
    let edge_id = args.edge_id;
    let outcome = case.engine.stage_dependency_edge(args).await;
    assert_eq!(outcome, Ok(Staged { edge_id, new_graph_revision: 3 }));
    let header = header(case, flow).await;
    assert_eq!((header.graph_revision, header.node_count, header.edge_count), (3, 2, 1));
    assert_eq!(header.last_mutation_at, case.now());
    let (from, to) = (member_record(case, flow, up).await, member_record(case, flow, down).await);
    assert_eq!((from.out_edges, to.inbound.staged(), to.inbound.applied), (1, 1, 0));
    assert_eq!(to.inbound.state, GroupState::Pending);
    let Some(FlowRecord::Edge(edge)) = kept(case, FlowKey::Edge(flow, edge_id)).await else { panic!("no edge") };
    let created_at = case.now();
    let expected =
        Edge { edge_id, flow_id: flow, upstream: up, downstream: down, slot: 0, data_passing_ref: None, created_at };
    assert_eq!(*edge, expected);
    assert_eq!(case.vector(down).await, WAITING);
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 2)]);
    lease(case, down).await;
}

pub async fn two_may_have_the_same_ends(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    stage(case, flow, up, down).await;
    stage(case, flow, up, down).await;
    assert_eq!((header(case, flow).await.edge_count, contents(case, flow).await.edges.len()), (2, 2));
    assert_eq!(member_record(case, flow, down).await.inbound.staged(), 2);
}

pub async fn an_empty_reference_is_none(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let args = StageDependencyEdge { data_passing_ref: Some(String::new()), ..staging(case, flow, up, down).await };
    case.engine.stage_dependency_edge(args.clone()).await.unwrap();
    let edge = case.engine.describe_edge(flow, args.edge_id).await.unwrap().unwrap();
    assert_eq!(edge.data_passing_ref, None);
}

pub async fn texts_and_kinds_come_before_everything(case: &mut Case) {
    let flow = flow_id(case);
    let id = neighbour(case, flow).await;
    let args = staging(case, flow, id, id).await;
    for kind in ["always", ""] {
        let odd = StageDependencyEdge { dependency_kind: kind.to_owned(), ..args.clone() };
        let detail = format!("unsupported dependency_kind: {kind}");
        refused_as(case, flow, case.engine.stage_dependency_edge(odd), "invalid_input", &detail).await;
    }
    for reference in ["a\0b".to_owned(), "r".repeat(257)] {
        let odd = StageDependencyEdge { data_passing_ref: Some(reference), ..args.clone() };
        refused(case, flow, case.engine.stage_dependency_edge(odd), "invalid_input").await;
    }
}

pub async fn checks_come_in_their_order(case: &mut Case) {
    let unknown = flow_id(case);
    let [one, other] = [neighbour(case, unknown).await, neighbour(case, unknown).await];
    let args = staging(case, unknown, one, one).await;
    refused(case, unknown, case.engine.stage_dependency_edge(args), "self_referencing_edge").await;
    let args = staging(case, unknown, one, other).await;
    refused(case, unknown, case.engine.stage_dependency_edge(args), "flow_not_found").await;

    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let (first, second) = (neighbour(case, flow).await, neighbour(case, flow).await);
    let args = StageDependencyEdge { expected_graph_revision: 1, ..staging(case, flow, first, second).await };
    refused(case, flow, case.engine.stage_dependency_edge(args), "stale_graph_revision").await;
    for (up, down) in [(first, second), (first, down), (up, second)] {
        let args = staging(case, flow, up, down).await;
        refused(case, flow, case.engine.stage_dependency_edge(args), "execution_not_in_flow").await;
    }
    let there = stage(case, flow, up, down).await;
    let back = StageDependencyEdge { edge_id: there.edge_id, ..staging(case, flow, down, up).await };
    refused(case, flow, case.engine.stage_dependency_edge(back), "cycle_detected").await;
    succeed(case, down).await;
    let again = StageDependencyEdge { edge_id: there.edge_id, ..staging(case, flow, up, down).await };
    let error = refused(case, flow, case.engine.stage_dependency_edge(again), "dependency_already_exists").await;
    assert!(error.to_string().contains(&there.edge_id.to_string()), "{error}");
    let late = staging(case, flow, up, down).await;
    refused(case, flow, case.engine.stage_dependency_edge(late), "not_runnable").await;

    let cancel = cancelling(flow, CancellationPolicy::FlowOnly);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    let args = StageDependencyEdge { expected_graph_revision: 1, ..staging(case, flow, first, second).await };
    refused(case, flow, case.engine.stage_dependency_edge(args), "flow_already_terminal").await;
}

pub async fn a_repeat_finds_the_revision_stale(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let args = stage(case, flow, up, down).await;
    refused(case, flow, case.engine.stage_dependency_edge(args.clone()), "stale_graph_revision").await;
    assert!(case.engine.describe_edge(flow, args.edge_id).await.unwrap().is_some());
}

pub async fn of_two_at_the_same_revision_one_is_staged(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let (one, other) = (staging(case, flow, up, down).await, staging(case, flow, up, down).await);
    let (engine, again) = (&case.engine, &case.engine);
    let (first, second) = tokio::join!(engine.stage_dependency_edge(one), again.stage_dependency_edge(other));
    let won = [&first, &second].iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1, "{first:?} {second:?}");
    let lost = if first.is_ok() { second } else { first };
    case.code(lost, "stale_graph_revision");
    assert_eq!(header(case, flow).await.edge_count, 1);
}

pub async fn no_path_may_lead_back(case: &mut Case) {
    let flow = flow(case).await;
    let chain: [_; 5] = chain(case, flow).await;
    for (up, down) in [(1, 0), (2, 0), (4, 0), (3, 1)] {
        let args = staging(case, flow, chain[up], chain[down]).await;
        refused(case, flow, case.engine.stage_dependency_edge(args), "cycle_detected").await;
    }
    // A second way in the same direction leads nowhere back.
    link(case, flow, chain[0], chain[4]).await;
    link(case, flow, chain[1], chain[3]).await;
}

pub async fn a_staged_dependency_counts_as_a_path(case: &mut Case) {
    let flow = flow(case).await;
    let [a, b, c] = members(case, flow).await;
    stage(case, flow, a, b).await;
    stage(case, flow, b, c).await;
    let args = staging(case, flow, c, a).await;
    refused(case, flow, case.engine.stage_dependency_edge(args), "cycle_detected").await;
}

pub async fn a_search_that_finds_no_end_counts_as_a_cycle(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 1000)).await;
    let newcomer = member(case, flow).await;
    // From the root 1001 members are reached, the root included.
    let args = staging(case, flow, newcomer, nodes[0]).await;
    refused(case, flow, case.engine.stage_dependency_edge(args), "cycle_detected").await;
    stage(case, flow, newcomer, nodes[1]).await;
}

pub async fn a_member_may_have_more_than_a_page_on_either_side(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 130)).await;
    let [hub] = members(case, flow).await;
    for leaf in &nodes[1..=130] {
        stage(case, flow, *leaf, hub).await;
    }
    let found = contents(case, flow).await;
    assert_eq!((found.edges.len(), found.out_edges.len(), found.in_edges.len()), (260, 260, 260));
    assert_eq!(member_record(case, flow, hub).await.inbound.staged(), 130);
    assert_eq!(member_record(case, flow, nodes[0]).await.out_edges, 130);
}

pub async fn an_ended_upstream_is_fine(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    succeed(case, up).await;
    stage(case, flow, up, down).await;
    assert_eq!(case.vector(down).await, WAITING);
}

pub async fn it_outlives_a_crash(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let first = stage(case, flow, up, down).await;
    case.kill().await;
    let back = staging(case, flow, down, up).await;
    refused(case, flow, case.engine.stage_dependency_edge(back), "cycle_detected").await;
    let second = stage(case, flow, up, down).await;
    let edges = contents(case, flow).await.edges;
    assert!(edges.contains_key(&first.edge_id) && edges.contains_key(&second.edge_id));
}
