//! Whole flows as their authors declare them.

use super::graph::{all_of, edge_id, flow_id, home};
use crate::case::Case;
use leasehold_contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec, SubmitFlowOutcome};
use leasehold_core::flow::PolicySpec;
use leasehold_core::ids::{ExecutionId, FlowId, Namespace};
use leasehold_tests::harness::act::NAMESPACE;

/// Nodes named by their numbers, and dependencies between those.
pub fn spec(case: &Case, nodes: usize, edges: &[(usize, usize)]) -> FlowSpec {
    let flow_id = flow_id(case);
    let home = home(case, flow_id);
    let node = |number: usize| FlowNodeSpec {
        name: number.to_string(),
        execution: case.create(case.id_in(home)),
        policy: None,
    };
    let edge = |(upstream, downstream): &(usize, usize)| FlowEdgeSpec {
        edge_id: edge_id(case),
        upstream: upstream.to_string(),
        downstream: downstream.to_string(),
        data_passing_ref: None,
    };
    FlowSpec {
        flow_id,
        flow_kind: "deploy".to_owned(),
        namespace: Namespace::new(NAMESPACE),
        nodes: (0..nodes).map(node).collect(),
        edges: edges.iter().map(edge).collect(),
    }
}

/// A root, and so many that wait for it alone.
pub fn fan_out(case: &Case, leaves: usize) -> FlowSpec {
    let edges: Vec<_> = (1..=leaves).map(|leaf| (0, leaf)).collect();
    spec(case, leaves + 1, &edges)
}

/// So many, and a last one whose join needs them by a policy.
pub fn fan_in(case: &Case, upstreams: usize, policy: PolicySpec) -> FlowSpec {
    let edges: Vec<_> = (0..upstreams).map(|upstream| (upstream, upstreams)).collect();
    let mut spec = spec(case, upstreams + 1, &edges);
    spec.nodes[upstreams].policy = (policy != all_of()).then_some(policy);
    spec
}

/// So many, each waiting for the one before.
pub fn line(case: &Case, nodes: usize) -> FlowSpec {
    let edges: Vec<_> = (1..nodes).map(|node| (node - 1, node)).collect();
    spec(case, nodes, &edges)
}

/// The executions of a declaration.
pub fn ids(spec: &FlowSpec) -> Vec<ExecutionId> {
    spec.nodes.iter().map(|node| node.execution.execution_id).collect()
}

/// Builds a declared flow.
pub async fn submit(case: &Case, spec: FlowSpec) -> (FlowId, Vec<ExecutionId>) {
    let (flow, nodes) = (spec.flow_id, ids(&spec));
    let outcome = case.engine.submit_flow(spec).await;
    assert!(matches!(outcome, Ok(SubmitFlowOutcome::Submitted { .. })), "{outcome:?}");
    (flow, nodes)
}
