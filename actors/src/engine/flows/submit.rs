//! `submit_flow`: a declared flow, part by part.
//!
//! The parts are cut the same way each time, so a repeat finds those that are
//! there and goes on with the first that is not.

use super::super::EngineHandle;
use leasehold_contract::{EngineResult, FlowSpec, SubmitFlowOutcome};
use leasehold_core::command::flow::{BuildFlow, BuildOutcome, NewEdge, NewNode};
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::flow::Shape;

/// Nodes and dependencies of one part at most: about as many rows as one
/// change set takes.
const PART_ITEMS: usize = 96;

/// Bytes of payloads of one part at most, unless its first node alone has
/// more.
const PART_BYTES: usize = 2 << 20;

/// What one part adds.
#[derive(Debug, Default)]
struct Part {
    nodes: Vec<NewNode>,
    edges: Vec<NewEdge>,
    bytes: usize,
}

impl Part {
    const fn items(&self) -> usize {
        self.nodes.len() + self.edges.len()
    }

    const fn has_room_for(&self, bytes: usize) -> bool {
        self.items() == 0 || (self.items() < PART_ITEMS && self.bytes + bytes <= PART_BYTES)
    }
}

/// Cuts a declaration into parts: first all nodes, then all dependencies. An
/// empty flow is one empty part.
fn parts(spec: FlowSpec, shape: &Shape) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = Part::default();
    let mut room = |open: &mut Part, bytes: usize| {
        if !open.has_room_for(bytes) {
            parts.push(std::mem::take(open));
        }
        open.bytes += bytes;
    };
    let ids: Vec<_> = spec.nodes.iter().map(|node| node.execution.execution_id).collect();
    for (node, policy) in spec.nodes.into_iter().zip(&shape.policies) {
        room(&mut open, node.execution.input_payload.len());
        let policy = node.policy.is_some().then_some(*policy);
        open.nodes.push(NewNode { name: node.name, create: node.execution, policy });
    }
    for (edge, ends) in spec.edges.into_iter().zip(&shape.edges) {
        room(&mut open, 0);
        open.edges.push(NewEdge {
            edge_id: edge.edge_id,
            upstream: ids[ends.upstream as usize],
            downstream: ids[ends.downstream as usize],
            data_passing_ref: edge.data_passing_ref,
        });
    }
    parts.push(open);
    parts
}

impl EngineHandle {
    /// Submits a flow whose id and whose nodes' ids were minted for this call:
    /// nothing can be stored under them, and nothing is looked for.
    ///
    /// # Errors
    ///
    /// As [`Flows::submit_flow`](leasehold_contract::Flows::submit_flow).
    pub async fn submit_new_flow(&self, spec: FlowSpec) -> EngineResult<SubmitFlowOutcome> {
        self.build(spec, true).await
    }

    pub(super) async fn build(&self, spec: FlowSpec, minted: bool) -> EngineResult<SubmitFlowOutcome> {
        let partition = self.flow_home(spec.flow_id);
        let (shape, _) = spec.check(partition)?;
        let (flow_id, digest) = (spec.flow_id, spec.digest());
        let (flow_kind, namespace) = (spec.flow_kind.clone(), spec.namespace.clone());
        let parts = parts(spec, &shape);
        let last = parts.len() - 1;
        let mut built = None;
        for (number, part) in parts.into_iter().enumerate() {
            let build = BuildFlow {
                flow_id,
                partition,
                flow_kind: flow_kind.clone(),
                namespace: namespace.clone(),
                digest,
                part: number as u32,
                last: number == last,
                nodes: part.nodes,
                edges: part.edges,
            };
            let outcome: BuildOutcome = self.submit_to_flow_as(flow_id, build, minted).await?;
            built = Some(outcome);
            if outcome.sealed {
                break;
            }
        }
        let built = built.ok_or_else(|| EngineError::bug(BugKind::Panic, "a declared flow has no part"))?;
        let BuildOutcome { node_count, edge_count, repeated, .. } = built;
        Ok(if repeated {
            SubmitFlowOutcome::AlreadySatisfied { node_count, edge_count }
        } else {
            SubmitFlowOutcome::Submitted { node_count, edge_count }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use leasehold_contract::{CreateExecution, FlowEdgeSpec, FlowNodeSpec};
    use leasehold_core::ids::{ExecutionId, LaneId, Namespace};
    use std::collections::BTreeMap;
    use uuid::Uuid;

    fn spec(nodes: usize, edges: usize, payload: usize) -> FlowSpec {
        let node = |number: usize| FlowNodeSpec {
            name: number.to_string(),
            execution: CreateExecution {
                execution_id: ExecutionId::from_parts(0, Uuid::from_u128(number as u128)),
                namespace: Namespace::new("tenant"),
                lane_id: LaneId::new("mail"),
                execution_kind: "send".into(),
                input_payload: Bytes::from(vec![0; payload]),
                payload_encoding: None,
                priority: 0,
                creator_identity: "".into(),
                idempotency_key: None,
                tags: BTreeMap::new(),
                policy_json: None,
                delay_until: None,
                execution_deadline_at: None,
            },
            policy: None,
        };
        let edge = |number: usize| FlowEdgeSpec {
            edge_id: Uuid::from_u128(number as u128).into(),
            upstream: "0".to_owned(),
            downstream: "1".to_owned(),
            data_passing_ref: None,
        };
        FlowSpec {
            flow_id: Uuid::from_u128(9).into(),
            flow_kind: "deploy".to_owned(),
            namespace: Namespace::new("tenant"),
            nodes: (0..nodes).map(node).collect(),
            edges: (0..edges).map(edge).collect(),
        }
    }

    fn cut(spec: FlowSpec) -> Vec<(usize, usize)> {
        let (shape, _) = spec.check(0).unwrap();
        parts(spec, &shape).iter().map(|part| (part.nodes.len(), part.edges.len())).collect()
    }

    #[test]
    fn a_small_flow_is_one_part_and_so_is_an_empty_one() {
        assert_eq!(cut(spec(0, 0, 0)), [(0, 0)]);
        assert_eq!(cut(spec(2, 94, 10)), [(2, 94)]);
    }

    #[test]
    fn a_large_flow_is_cut_by_items_and_by_bytes() {
        assert_eq!(cut(spec(100, 100, 0)), [(96, 0), (4, 92), (0, 8)]);
        assert_eq!(cut(spec(5, 1, 1 << 20)), [(2, 0), (2, 0), (1, 1)]);
        assert_eq!(cut(spec(2, 0, 3 << 20)), [(1, 0), (1, 0)]);
    }
}
