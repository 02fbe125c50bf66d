//! Commands of flows: choosing one.

use super::known::{Known, KnownFlow};
use super::shapes::{self, Declared, Size};
use super::world::PARTITION_CONFIG;
use leasehold_backend::Entropy;
use leasehold_contract::{
    ApplyDependencyToChild, CancelFlow, CancelFlowHeader, CancelWait, ResolveDependency, SetEdgeGroupPolicy,
    SetFlowTag, StageDependencyEdge,
};
use leasehold_core::flow::SUCCESS_ONLY;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::TerminalOutcome;
use leasehold_core::time::TimestampMs;

/// A command of flows with its arguments.
#[derive(Clone, Debug)]
pub enum FlowOp {
    /// Build a whole flow.
    Submit(Box<Declared>),
    /// Build the same with the operations one by one.
    ByHand(Box<Declared>),
    /// An empty flow.
    Create(FlowId),
    /// One more member.
    Add(FlowId, ExecutionId),
    /// One more dependency.
    Stage(Box<StageDependencyEdge>),
    /// Let it count.
    Apply(Box<ApplyDependencyToChild>),
    /// How many are needed.
    Policy(SetEdgeGroupPolicy),
    /// Resolve one dependency.
    Resolve(ResolveDependency),
    /// Resolve what depends on a member.
    Cascade(ExecutionId, FlowId),
    /// Cancel it.
    Cancel(CancelFlow, CancelWait),
    /// Cancel it and end the members oneself.
    CancelHeader(CancelFlowHeader),
    /// A member needs no ending.
    Ack(FlowId, ExecutionId),
    /// Drop the list of what a join cancels.
    Drain(FlowId, ExecutionId),
    /// Drop it if it is done with.
    Reconcile(FlowId, ExecutionId),
    /// Set a tag.
    Tag(SetFlowTag),
    /// Whether a member may run.
    Evaluate(ExecutionId),
    /// Whether there is anything to sum up.
    Project(FlowId),
    /// Look.
    Describe(FlowId),
    /// Look at the members.
    Members(FlowId),
}

/// A dependency of a flow that is built by hand.
pub fn stage(
    flow_id: FlowId,
    edge_id: EdgeId,
    ends: (ExecutionId, ExecutionId),
    data_passing_ref: Option<String>,
    expected_graph_revision: u64,
) -> StageDependencyEdge {
    StageDependencyEdge {
        flow_id,
        edge_id,
        upstream_execution_id: ends.0,
        downstream_execution_id: ends.1,
        dependency_kind: SUCCESS_ONLY.to_owned(),
        data_passing_ref,
        expected_graph_revision,
    }
}

/// What makes a staged dependency count.
pub fn apply(staged: &StageDependencyEdge, graph_revision: u64) -> ApplyDependencyToChild {
    ApplyDependencyToChild {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        downstream_execution_id: staged.downstream_execution_id,
        upstream_execution_id: staged.upstream_execution_id,
        graph_revision,
        dependency_kind: staged.dependency_kind.clone(),
        data_passing_ref: staged.data_passing_ref.clone(),
    }
}

impl FlowOp {
    /// Chooses a command, if there is anything to choose from. `known` are
    /// executions.
    pub fn choose(entropy: &dyn Entropy, executions: &[ExecutionId], known: &Known, now: TimestampMs) -> Option<Self> {
        let below = |count: u64| entropy.next_u64() % count.max(1);
        let declare = |size| Box::new(Declared(shapes::flow(entropy, now, &PARTITION_CONFIG, size)));
        let flow = || -> Option<&KnownFlow> {
            let back = below(below(known.flows.len() as u64) + 1);
            known.flows.iter().rev().nth(back as usize)
        };
        let member = |flow: &KnownFlow| {
            (!flow.members.is_empty()).then(|| flow.members[below(flow.members.len() as u64) as usize])
        };
        let by_hand = || known.flows.iter().rev().find(|flow| flow.revision.is_some());
        let policies = [CancellationPolicy::CancelAll, CancellationPolicy::CancelPending, CancellationPolicy::FlowOnly];
        Some(match below(100) {
            0..=19 => Self::Submit(declare(Size::Any)),
            20..=25 => {
                let count = known.declared.len() as u64;
                Self::Submit(Box::new(known.declared.get(below(count) as usize)?.clone()))
            }
            26..=36 => Self::ByHand(declare(Size::Small)),
            37..=39 => Self::Create(FlowId::from_uuid(entropy.uuid())),
            40..=45 => {
                let flow = by_hand()?;
                let home = PARTITION_CONFIG.of_flow(flow.flow_id);
                let neighbours: Vec<_> =
                    executions.iter().filter(|id| id.partition() == home || below(20) == 0).collect();
                Self::Add(flow.flow_id, **neighbours.get(below(neighbours.len() as u64) as usize)?)
            }
            46..=53 => {
                let flow = by_hand()?;
                let (one, two) = (below(flow.members.len() as u64) as usize, below(flow.members.len() as u64) as usize);
                // Mostly from an older member to a younger one, so that there is no cycle.
                let (from, to) = if below(8) == 0 { (one, two) } else { (one.min(two), one.max(two)) };
                let ends = (*flow.members.get(from)?, *flow.members.get(to)?);
                let revision = flow.revision? + u64::from(below(10) == 0);
                let data = (below(3) == 0).then(|| "result".to_owned());
                Self::Stage(Box::new(stage(flow.flow_id, entropy.uuid().into(), ends, data, revision)))
            }
            54..=61 => Self::Apply(Box::new(known.flows.iter().rev().find_map(|flow| flow.staged.last())?.clone())),
            62..=63 => {
                let flow = by_hand()?;
                let downstream_execution_id = member(flow)?;
                let policy = shapes::policy(entropy, 2)?;
                Self::Policy(SetEdgeGroupPolicy { flow_id: flow.flow_id, downstream_execution_id, policy })
            }
            64..=66 => {
                let flow = flow()?;
                Self::Cascade(member(flow)?, flow.flow_id)
            }
            67 => {
                let staged = known.flows.iter().rev().find_map(|flow| flow.staged.last())?;
                Self::Resolve(ResolveDependency {
                    flow_id: staged.flow_id,
                    edge_id: staged.edge_id,
                    downstream_execution_id: staged.downstream_execution_id,
                    upstream_execution_id: staged.upstream_execution_id,
                    upstream_outcome: TerminalOutcome::Success,
                })
            }
            68..=71 => {
                let cancel = CancelFlow {
                    flow_id: flow()?.flow_id,
                    reason: "asked to".to_owned(),
                    cancellation_policy: policies[below(3) as usize],
                };
                Self::Cancel(cancel, if below(2) == 0 { CancelWait::NoWait } else { CancelWait::Timeout(3000) })
            }
            72..=73 => Self::CancelHeader(CancelFlowHeader {
                flow_id: flow()?.flow_id,
                reason: "asked to".to_owned(),
                cancellation_policy: policies[below(3) as usize],
                grace_ms: [0, 3000, 30_000][below(3) as usize],
            }),
            74..=76 => {
                let flow = flow()?;
                Self::Ack(flow.flow_id, member(flow)?)
            }
            77 => {
                let flow = flow()?;
                Self::Drain(flow.flow_id, member(flow)?)
            }
            78..=79 => {
                let flow = flow()?;
                Self::Reconcile(flow.flow_id, member(flow)?)
            }
            80..=82 => {
                let value = format!("value-{}", below(9));
                Self::Tag(SetFlowTag { flow_id: flow()?.flow_id, key: "sim.tag".to_owned(), value })
            }
            83..=87 => Self::Evaluate(member(flow()?)?),
            88..=89 => Self::Project(flow()?.flow_id),
            90..=94 => Self::Describe(flow()?.flow_id),
            _ => Self::Members(flow()?.flow_id),
        })
    }

    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit_flow",
            Self::ByHand(_) => "a flow by hand",
            Self::Create(_) => "create_flow",
            Self::Add(..) => "add_execution_to_flow",
            Self::Stage(_) => "stage_dependency_edge",
            Self::Apply(_) => "apply_dependency_to_child",
            Self::Policy(_) => "set_edge_group_policy",
            Self::Resolve(_) => "resolve_dependency",
            Self::Cascade(..) => "cascade_completion",
            Self::Cancel(..) => "cancel_flow",
            Self::CancelHeader(_) => "cancel_flow_header",
            Self::Ack(..) => "ack_cancel_member",
            Self::Drain(..) => "drain_sibling_cancel_group",
            Self::Reconcile(..) => "reconcile_sibling_cancel_group",
            Self::Tag(_) => "set_flow_tag",
            Self::Evaluate(_) => "evaluate_flow_eligibility",
            Self::Project(_) => "project_flow_summary",
            Self::Describe(_) => "describe_flow",
            Self::Members(_) => "list_flow_members",
        }
    }
}
