//! Flows to be measured, declared.

use super::options::Shape;
use super::rig::{self, KIND};
use leasehold_backend::Entropy;
use leasehold_contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec};
use leasehold_core::command::CreateExecution;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, LaneId, Namespace};
use leasehold_core::partition::PartitionConfig;
use std::collections::BTreeMap;

/// The kind of the nodes that nothing waits for; a flow has ended when each
/// of them has.
pub(super) const SINK: &str = "sink";

/// Mints flows and their members.
pub(super) struct Declarer<'a> {
    pub(super) entropy: &'a dyn Entropy,
    pub(super) config: &'a PartitionConfig,
}

impl Shape {
    /// How many nodes.
    pub(super) const fn nodes(self) -> usize {
        match self {
            Self::Linear10 => 10,
            Self::Fan100 => 101,
            Self::Race3 => 4,
            Self::Layered10x10 => 100,
        }
    }

    /// How many nodes nothing waits for.
    pub(super) const fn sinks(self) -> usize {
        match self {
            Self::Layered10x10 => 10,
            Self::Linear10 | Self::Fan100 | Self::Race3 => 1,
        }
    }

    /// The dependencies, by the numbers of the nodes. The sinks come last.
    fn edges(self) -> Vec<(usize, usize)> {
        match self {
            Self::Linear10 => (0..9).map(|node| (node, node + 1)).collect(),
            Self::Fan100 => (0..100).map(|node| (node, 100)).collect(),
            Self::Race3 => (0..3).map(|node| (node, 3)).collect(),
            Self::Layered10x10 => {
                let layer =
                    |from: usize| (0..10).flat_map(move |up| (0..10).map(move |down| (from + up, from + 10 + down)));
                (0..90).step_by(10).flat_map(layer).collect()
            }
        }
    }
}

impl Declarer<'_> {
    /// A flow of this shape, every node with a payload of the benches.
    pub(super) fn flow(&self, shape: Shape) -> FlowSpec {
        let first_sink = shape.nodes() - shape.sinks();
        let kind = |node| if node >= first_sink { SINK } else { KIND };
        let mut spec = self.nodes(shape.nodes(), kind);
        if shape == Shape::Race3 {
            let race = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining };
            spec.nodes[3].policy = Some(race.spec());
        }
        spec.edges = shape
            .edges()
            .into_iter()
            .map(|(upstream, downstream)| FlowEdgeSpec {
                edge_id: EdgeId::from_uuid(self.entropy.uuid()),
                upstream: upstream.to_string(),
                downstream: downstream.to_string(),
                data_passing_ref: None,
            })
            .collect();
        spec
    }

    /// A flow of so many nodes without a dependency.
    pub(super) fn nodes(&self, count: usize, kind: impl Fn(usize) -> &'static str) -> FlowSpec {
        let flow_id = FlowId::from_uuid(self.entropy.uuid());
        let namespace = Namespace::new("bench");
        let node = |number: usize| FlowNodeSpec {
            name: number.to_string(),
            execution: CreateExecution {
                execution_id: ExecutionId::deterministic_for_flow(flow_id, self.config, self.entropy.uuid()),
                namespace: namespace.clone(),
                lane_id: LaneId::new("default"),
                execution_kind: kind(number).into(),
                input_payload: rig::payload(self.entropy),
                payload_encoding: None,
                priority: 0,
                creator_identity: "bench".into(),
                idempotency_key: None,
                tags: BTreeMap::new(),
                policy_json: None,
                delay_until: None,
                execution_deadline_at: None,
            },
            policy: None,
        };
        let nodes = (0..count).map(node).collect();
        FlowSpec { flow_id, flow_kind: "bench".to_owned(), namespace: namespace.clone(), nodes, edges: Vec::new() }
    }
}
