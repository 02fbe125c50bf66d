//! A whole flow as its author declares it, before anything of it exists.
//!
//! Nodes have names of the author's own, so that dependencies can be written
//! down before an execution has an id. What can be judged without a store is
//! judged by [`FlowSpec::check`]: sizes, names, ends, cycles and joins.

use leasehold_core::command::{CreateExecution, KIND_BYTES_MAX};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{PolicySpec, Shape, ShapeEdge, check_edges, check_nodes};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::partition::fnv1a64;
use std::collections::HashMap;
use uuid::Uuid;

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

/// What became of a submitted flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitFlowOutcome {
    /// It exists now and runs.
    Submitted {
        /// How many members.
        node_count: u32,
        /// How many dependencies.
        edge_count: u32,
    },
    /// It was submitted before, exactly so.
    AlreadySatisfied {
        /// How many members.
        node_count: u32,
        /// How many dependencies.
        edge_count: u32,
    },
}

/// A uuid that a flow and some words stand for, always the same one.
fn derived(flow_id: FlowId, words: &[&[u8]]) -> Uuid {
    let mut text = flow_id.as_uuid().as_bytes().to_vec();
    for word in words {
        text.extend_from_slice(&(word.len() as u64).to_be_bytes());
        text.extend_from_slice(word);
    }
    let half = |salt: u8| {
        let salted: Vec<u8> = std::iter::once(salt).chain(text.iter().copied()).collect();
        fnv1a64(&salted)
    };
    let bits = u128::from(half(1)) << 64 | u128::from(half(2));
    uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid()
}

impl FlowSpec {
    /// The execution of a node whose author names none: the same one each time
    /// the flow is submitted, so that a repeat is recognised.
    pub fn node_id(flow_id: FlowId, partition: u16, name: &str) -> ExecutionId {
        ExecutionId::from_parts(partition, derived(flow_id, &[b"node", name.as_bytes()]))
    }

    /// The id of a dependency whose author names none, by its place in the
    /// declaration.
    pub fn edge_id(flow_id: FlowId, index: usize) -> EdgeId {
        derived(flow_id, &[b"edge", &(index as u64).to_be_bytes()]).into()
    }

    /// Tells this declaration from others under the same id.
    pub fn digest(&self) -> u64 {
        let mut text = Vec::new();
        let mut word = |bytes: &[u8]| {
            text.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            text.extend_from_slice(bytes);
        };
        word(self.flow_kind.as_bytes());
        word(self.namespace.as_str().as_bytes());
        for node in &self.nodes {
            let create = &node.execution;
            word(node.name.as_bytes());
            word(create.execution_id.uuid().as_bytes());
            word(create.lane_id.as_str().as_bytes());
            word(create.execution_kind.as_bytes());
            word(&create.input_payload);
            word(create.payload_encoding.as_deref().unwrap_or_default().as_bytes());
            word(&create.priority.to_be_bytes());
            word(create.policy_json.as_deref().unwrap_or_default());
            for at in [create.delay_until, create.execution_deadline_at] {
                word(&at.map_or(i64::MIN, |at| at.0).to_be_bytes());
            }
            for (key, value) in &create.tags {
                word(key.as_bytes());
                word(value.as_bytes());
            }
            if let Some(policy) = &node.policy {
                word(policy.kind.as_bytes());
                word(policy.on_satisfied.as_deref().unwrap_or_default().as_bytes());
                word(&policy.k.unwrap_or_default().to_be_bytes());
            }
        }
        for edge in &self.edges {
            word(edge.edge_id.as_uuid().as_bytes());
            word(edge.upstream.as_bytes());
            word(edge.downstream.as_bytes());
            word(edge.data_passing_ref.as_deref().unwrap_or_default().as_bytes());
        }
        fnv1a64(&text)
    }

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
    fn what_an_author_leaves_unnamed_is_named_the_same_each_time() {
        let flow: FlowId = Uuid::from_u128(1).into();
        let other: FlowId = Uuid::from_u128(2).into();
        assert_eq!(FlowSpec::node_id(flow, 3, "a"), FlowSpec::node_id(flow, 3, "a"));
        let ids = [
            FlowSpec::node_id(flow, 3, "a").uuid(),
            FlowSpec::node_id(flow, 3, "b").uuid(),
            FlowSpec::node_id(other, 3, "a").uuid(),
            FlowSpec::edge_id(flow, 0).as_uuid(),
            FlowSpec::edge_id(flow, 1).as_uuid(),
        ];
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn a_digest_tells_declarations_apart() {
        let plain = spec(&["a", "b"], &[("a", "b")]);
        assert_eq!(plain.digest(), plain.clone().digest());
        let mut changed = vec![plain.digest()];
        for change in [
            |spec: &mut FlowSpec| spec.flow_kind = "other".to_owned(),
            |spec: &mut FlowSpec| spec.nodes[1].execution.input_payload = bytes::Bytes::from_static(b"x"),
            |spec: &mut FlowSpec| spec.nodes[0].execution.priority = 1,
            |spec: &mut FlowSpec| spec.edges[0].data_passing_ref = Some("all".to_owned()),
            |spec: &mut FlowSpec| spec.edges.clear(),
            |spec: &mut FlowSpec| {
                spec.nodes[1].policy = Some(PolicySpec { kind: "all_of".into(), on_satisfied: None, k: None });
            },
        ] {
            let mut spec = plain.clone();
            change(&mut spec);
            changed.push(spec.digest());
        }
        assert_eq!(changed.iter().collect::<std::collections::BTreeSet<_>>().len(), changed.len());
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
