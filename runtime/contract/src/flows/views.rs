//! Flows as readers see them.

use leasehold_core::flow::{EdgeGroupPolicy, GroupState, PublicFlowState, SlotState, StateCounts};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, LaneId, Namespace};
use leasehold_core::record::flow::FlowCancellation;
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;

/// Answer of `describe_flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSnapshot {
    /// The flow.
    pub flow_id: FlowId,
    /// What its creator calls this kind of flow.
    pub flow_kind: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// What it is doing.
    pub public_flow_state: PublicFlowState,
    /// Grows by one with every member and every dependency.
    pub graph_revision: u64,
    /// How many members.
    pub node_count: u32,
    /// How many dependencies.
    pub edge_count: u32,
    /// When it was created.
    pub created_at: TimestampMs,
    /// When the header last changed.
    pub last_mutation_at: TimestampMs,
    /// When, why and how it was cancelled, if it was.
    pub cancelled: Option<FlowCancellation>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many members stand in which state.
    pub counts: StateCounts,
    /// When a member last moved.
    pub last_summary_update_at: TimestampMs,
    /// The joins: one per member that waits or waited for others, in the order
    /// in which the members joined.
    pub edge_groups: Vec<EdgeGroupSnapshot>,
}

/// The join of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeGroupSnapshot {
    /// Whose.
    pub downstream_execution_id: ExecutionId,
    /// How many must succeed.
    pub policy: EdgeGroupPolicy,
    /// Dependencies the member waits for, resolved ones included.
    pub total_deps: u32,
    /// Upstreams that succeeded.
    pub satisfied_count: u32,
    /// Upstreams that failed, were cancelled or expired.
    pub failed_count: u32,
    /// Upstreams that were skipped.
    pub skipped_count: u32,
    /// Upstreams that have not ended.
    pub running_count: u32,
    /// Whether it fired, and how.
    pub group_state: GroupState,
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSnapshot {
    /// The dependency.
    pub edge_id: EdgeId,
    /// The flow.
    pub flow_id: FlowId,
    /// What must succeed.
    pub upstream_execution_id: ExecutionId,
    /// What waits for it.
    pub downstream_execution_id: ExecutionId,
    /// `success_only`.
    pub dependency_kind: &'static str,
    /// `all_required`.
    pub satisfaction_condition: &'static str,
    /// Present: the upstream's result becomes the downstream's payload.
    pub data_passing_ref: Option<String>,
    /// `pending`; where it really stands, [`InboundEdge::state`] says.
    pub edge_state: &'static str,
    /// When it was staged.
    pub created_at: TimestampMs,
    /// `engine`.
    pub created_by: &'static str,
}

/// Which dependencies of a member are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeDirection {
    /// Those that leave it.
    Outgoing(ExecutionId),
    /// Those that enter it.
    Incoming(ExecutionId),
}

/// What a flow is doing, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowStatus {
    /// It has members at work or to come.
    Active,
    /// Every member ended, none badly.
    Completed,
    /// Every member ended, some badly.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its counts are missing.
    Unknown,
}

impl FlowStatus {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<PublicFlowState> for FlowStatus {
    fn from(state: PublicFlowState) -> Self {
        match state {
            PublicFlowState::Open | PublicFlowState::Running | PublicFlowState::Blocked => Self::Active,
            PublicFlowState::Completed => Self::Completed,
            PublicFlowState::Failed => Self::Failed,
            PublicFlowState::Cancelled => Self::Cancelled,
        }
    }
}

/// A flow in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowEntry {
    /// The flow.
    pub flow_id: FlowId,
    /// When it was created.
    pub created_at: TimestampMs,
    /// What it is doing.
    pub status: FlowStatus,
}

/// A page of flows of one partition, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowPage {
    /// The flows.
    pub flows: Vec<FlowEntry>,
    /// Where to go on; none at the end.
    pub next_cursor: Option<FlowId>,
}

/// A dependency as its downstream sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundEdge {
    /// The dependency.
    pub edge_id: EdgeId,
    /// What must succeed.
    pub upstream_execution_id: ExecutionId,
    /// Where it stands.
    pub state: SlotState,
    /// Whether the upstream's result becomes the payload.
    pub passes_data: bool,
}

/// A member of a flow with the dependencies it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowMember {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its place in the order of joining, from 0.
    pub ordinal: u32,
    /// What its author calls it, where the flow was declared as a whole.
    pub name: Option<String>,
    /// Which handler runs it.
    pub execution_kind: String,
    /// Its lane.
    pub lane_id: LaneId,
    /// The label shown to people.
    pub public_state: PublicState,
    /// Its join; none when nothing was ever to come before it.
    pub edge_group: Option<EdgeGroupSnapshot>,
    /// What comes before it, in the order of staging.
    pub inbound: Vec<InboundEdge>,
}

/// A page of members, in the order in which they joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowMemberPage {
    /// The members.
    pub members: Vec<FlowMember>,
    /// Where to go on; none at the end.
    pub next_cursor: Option<u32>,
}
