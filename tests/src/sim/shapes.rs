//! Whole flows of random shape, for generated commands here and in the
//! [differential](crate::differential) programs.

use super::arguments::create;
use leasehold_backend::Entropy;
use leasehold_contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec};
use leasehold_core::flow::PolicySpec;
use leasehold_core::ids::{FlowId, Namespace};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use std::fmt;

/// A declaration that shows itself in one line.
#[derive(Clone)]
pub struct Declared(pub FlowSpec);

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(spec) = self;
        write!(f, "flow {} of {} nodes, digest {:016x}:", spec.flow_id, spec.nodes.len(), spec.digest())?;
        for node in spec.nodes.iter().filter(|node| node.policy.is_some()) {
            let policy = node.policy.as_ref().expect("it has one");
            write!(f, " {}={}/{:?}/{:?}", node.name, policy.kind, policy.k, policy.on_satisfied)?;
        }
        for edge in &spec.edges {
            write!(f, " {}>{}", edge.upstream, edge.downstream)?;
        }
        Ok(())
    }
}

/// How large a flow may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A handful of members.
    Small,
    /// Some dozens; seldom so many that the flow is built in several parts.
    Any,
}

fn below(entropy: &dyn Entropy, count: u64) -> u64 {
    entropy.next_u64() % count.max(1)
}

/// A join's policy, as a caller writes it; none most of the time.
pub fn policy(entropy: &dyn Entropy, upstreams: u64) -> Option<PolicySpec> {
    let on_satisfied = ["cancel_remaining", "let_run"][below(entropy, 2) as usize];
    let of = |kind: &str, k| PolicySpec { kind: kind.to_owned(), on_satisfied: Some(on_satisfied.to_owned()), k };
    match below(entropy, 6) {
        0 | 1 => Some(of("any_of", None)),
        // At times one more than there are.
        2 | 3 => Some(of("quorum", Some(1 + below(entropy, upstreams + 1)))),
        4 => Some(PolicySpec { kind: "all_of".to_owned(), on_satisfied: None, k: None }),
        _ => None,
    }
}

/// A flow of random shape.
pub fn flow(entropy: &dyn Entropy, now: TimestampMs, config: &PartitionConfig, size: Size) -> FlowSpec {
    let flow_id = FlowId::from_uuid(entropy.uuid());
    let partition = config.of_flow(flow_id);
    let count = match (size, below(entropy, 12)) {
        (Size::Any, 0) => 40 + below(entropy, 70),
        (Size::Any, 1..=3) => 8 + below(entropy, 20),
        _ => 1 + below(entropy, 7),
    };
    let name = |number: u64| format!("n{number}");
    let mut edges = Vec::new();
    let mut nodes = Vec::new();
    for number in 0..count {
        let upstreams: Vec<u64> = match below(entropy, 8) {
            _ if number == 0 => Vec::new(),
            0 => Vec::new(),
            // Everything before it, or the last few.
            1 => (number.saturating_sub(12)..number).collect(),
            2 | 3 => vec![number - 1],
            _ => (0..=below(entropy, 3)).map(|_| below(entropy, number)).collect(),
        };
        for upstream in &upstreams {
            edges.push(FlowEdgeSpec {
                edge_id: FlowSpec::edge_id(flow_id, edges.len()),
                upstream: name(*upstream),
                downstream: name(number),
                data_passing_ref: below(entropy, 3).eq(&0).then(|| "result".to_owned()),
            });
        }
        let mut execution = create(entropy, now, config);
        execution.execution_id = FlowSpec::node_id(flow_id, partition, &name(number));
        execution.idempotency_key = None;
        execution.input_payload.truncate(64);
        let policy = policy(entropy, upstreams.len() as u64);
        nodes.push(FlowNodeSpec { name: name(number), execution, policy });
    }
    if below(entropy, 2) == 0 {
        // The order of listing says nothing.
        nodes.reverse();
    }
    FlowSpec { flow_id, flow_kind: "sim".to_owned(), namespace: Namespace::new("sim"), nodes, edges }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::SeededEntropy;

    #[test]
    fn every_shape_is_a_flow_and_the_same_seed_gives_the_same_one() {
        let config = PartitionConfig { num_flow_partitions: 3, num_budget_partitions: 1, num_quota_partitions: 1 };
        let of = |seed: u64| flow(&SeededEntropy::new(seed), TimestampMs(1000), &config, Size::Any);
        let mut parts = 0;
        for seed in 0..200 {
            let spec = of(seed);
            let partition = config.of_flow(spec.flow_id);
            let checked = spec.check(partition);
            assert!(checked.is_ok(), "{seed}: {:?}", checked.err());
            assert_eq!(spec.digest(), of(seed).digest());
            parts += usize::from(spec.nodes.len() + spec.edges.len() > 96);
        }
        assert!(parts > 5, "some are built in several parts");
    }
}
