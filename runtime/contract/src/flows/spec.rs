//! A whole flow as its author declares it, before anything of it exists.
//!
//! Nodes have names of the author's own, so that dependencies can be written
//! down before an execution has an id. What can be judged without a store is
//! judged by [`FlowSpec::check`]: sizes, names, ends, cycles and joins.

use leasehold_core::command::{CreateExecution, KIND_BYTES_MAX};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{PolicySpec, Shape, ShapeEdge, check_edges, check_nodes};
use leasehold_core::ids::{EdgeId, FlowId, Namespace};
use std::collections::HashMap;

/// One node.
#[derive(Clone, Debug)]
pub struct FlowNodeSpec {
    /// What dependencies call it; 1 to 256 bytes, unlike all others.
    pub name: String,
    /// What is created for it. Its id lies in the flow's partition, its
    /// namespace is the flow's, and it has no idempotency key: the flow's id
    /// makes a repeat safe.
    pub execution: CreateExecution,
    /// How many of its dependencies it needs; all without one.
    pub policy: Option<PolicySpec>,
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowEdgeSpec {
    /// Minted by the author.
    pub edge_id: EdgeId,
    /// The name of what must succeed.
    pub upstream: String,
    /// The name of what waits for it.
    pub downstream: String,
    /// Not empty: the upstream's result becomes the downstream's payload.
    pub data_passing_ref: Option<String>,
}

/// A whole flow.
#[derive(Clone, Debug)]
pub struct FlowSpec {
    /// The flow.
    pub flow_id: FlowId,
    /// What the author calls this kind of flow.
    pub flow_kind: String,
    /// Of the flow and of every node.
    pub namespace: Namespace,
    /// At most 10,000.
    pub nodes: Vec<FlowNodeSpec>,
    /// At most 50,000; two may have the same ends.
    pub edges: Vec<FlowEdgeSpec>,
}

impl FlowSpec {
    /// Checks everything that does not depend on what exists, for a flow whose
    /// id hashes to `partition`, and gives the graph with its nodes numbered
    /// as they are listed, and an order in which every node follows all it
    /// depends on.
    ///
    /// # Errors
    ///
    /// In this order: `invalid_input` for a size, for a node's name, for a node
    /// outside the flow's partition or namespace or with an idempotency key,
    /// for a join, for an end that is no node; then `self_referencing_edge` and
    /// `cycle_detected`.
    pub fn check(&self, partition: u16) -> Result<(Shape, Vec<u32>), EngineError> {
        check_nodes(self.nodes.len())?;
        check_edges(self.edges.len())?;
        let refuse = |index: usize, what: &str| EngineError::invalid_input(format!("nodes[{index}]: {what}"));
        let mut numbers: HashMap<&str, u32> = HashMap::with_capacity(self.nodes.len());
        let mut policies = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            if node.name.is_empty() || node.name.len() > KIND_BYTES_MAX || node.name.contains('\0') {
                return Err(refuse(index, "name: 1 to 256 bytes without NUL"));
            }
            if numbers.insert(&node.name, index as u32).is_some() {
                return Err(refuse(index, &format!("name: {} is taken", node.name)));
            }
            if node.execution.execution_id.partition() != partition {
                return Err(refuse(index, "execution_id: not in the flow's partition"));
            }
            if node.execution.namespace != self.namespace {
                return Err(refuse(index, "namespace: not the flow's"));
            }
            if node.execution.idempotency_key.is_some() {
                return Err(refuse(index, "idempotency_key: the flow's id makes a repeat safe"));
            }
            policies.push(node.policy.as_ref().map(PolicySpec::check).transpose()?.unwrap_or_default());
        }
        let mut edges = Vec::with_capacity(self.edges.len());
        for (index, edge) in self.edges.iter().enumerate() {
            let number = |name: &str| {
                let missing = || EngineError::invalid_input(format!("edges[{index}]: there is no node {name}"));
                numbers.get(name).copied().ok_or_else(missing)
            };
            edges.push(ShapeEdge { upstream: number(&edge.upstream)?, downstream: number(&edge.downstream)? });
        }
        let shape = Shape { policies, edges };
        let order = shape.check()?;
        Ok((shape, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::ids::{ExecutionId, LaneId};
    use uuid::Uuid;

    fn node(name: &str, number: u128) -> FlowNodeSpec {
        FlowNodeSpec {
            name: name.to_owned(),
            execution: CreateExecution {
                execution_id: ExecutionId::from_parts(3, Uuid::from_u128(number)),
                namespace: Namespace::new("tenant"),
                lane_id: LaneId::new("mail"),
                execution_kind: "send".into(),
                input_payload: bytes::Bytes::new(),
                payload_encoding: None,
                priority: 0,
                creator_identity: "".into(),
                idempotency_key: None,
                tags: std::collections::BTreeMap::new(),
                policy_json: None,
                delay_until: None,
                execution_deadline_at: None,
            },
            policy: None,
        }
    }

    fn spec(names: &[&str], edges: &[(&str, &str)]) -> FlowSpec {
        let edge = |(number, (upstream, downstream)): (usize, &(&str, &str))| FlowEdgeSpec {
            edge_id: Uuid::from_u128(number as u128).into(),
            upstream: (*upstream).to_owned(),
            downstream: (*downstream).to_owned(),
            data_passing_ref: None,
        };
        FlowSpec {
            flow_id: Uuid::from_u128(1).into(),
            flow_kind: "deploy".to_owned(),
            namespace: Namespace::new("tenant"),
            nodes: names.iter().zip(1..).map(|(name, number)| node(name, number)).collect(),
            edges: edges.iter().enumerate().map(edge).collect(),
        }
    }

    fn refusal(spec: &FlowSpec) -> String {
        spec.check(3).unwrap_err().to_string()
    }

    #[test]
    fn nodes_are_numbered_as_listed_and_ordered_by_what_they_need() {
        let (shape, order) = spec(&["c", "a", "b"], &[("a", "b"), ("b", "c")]).check(3).unwrap();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(shape.edges[0], ShapeEdge { upstream: 1, downstream: 2 });
        assert!(spec(&[], &[]).check(3).is_ok());
    }

    #[test]
    fn what_cannot_become_a_flow_says_why() {
        let mut elsewhere = spec(&["a"], &[]);
        elsewhere.nodes[0].execution.execution_id = ExecutionId::from_parts(4, Uuid::from_u128(1));
        let mut foreign = spec(&["a"], &[]);
        foreign.namespace = Namespace::new("other");
        let mut keyed = spec(&["a"], &[]);
        keyed.nodes[0].execution.idempotency_key = Some("k".into());
        let mut quorum = spec(&["a"], &[]);
        quorum.nodes[0].policy = Some(PolicySpec { kind: "quorum".into(), on_satisfied: None, k: None });
        for (spec, expected) in [
            (spec(&["a", "a"], &[]), "nodes[1]: name: a is taken"),
            (spec(&[""], &[]), "nodes[0]: name: 1 to 256 bytes"),
            (spec(&[&"x".repeat(257)], &[]), "nodes[0]: name: 1 to 256 bytes"),
            (spec(&["a"], &[("a", "b")]), "edges[0]: there is no node b"),
            (spec(&["a"], &[("a", "a")]), "self_referencing_edge"),
            (spec(&["a", "b"], &[("a", "b"), ("b", "a")]), "cycle_detected"),
            (elsewhere, "nodes[0]: execution_id: not in the flow's partition"),
            (foreign, "nodes[0]: namespace: not the flow's"),
            (keyed, "nodes[0]: idempotency_key: "),
            (quorum, "quorum k must be >= 1"),
        ] {
            let refused = refusal(&spec);
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
