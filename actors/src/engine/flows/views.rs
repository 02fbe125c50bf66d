//! Records of flows as readers see them.

use leasehold_contract::{EdgeGroupSnapshot, EdgeSnapshot, FlowSnapshot, InboundEdge};
use leasehold_core::error::EngineError;
use leasehold_core::record::flow::{Edge, Flow, FlowSummary, InEdge, Member};

/// A flow as `describe_flow` shows it.
pub(super) fn flow_snapshot(flow: &Flow, summary: &FlowSummary, edge_groups: Vec<EdgeGroupSnapshot>) -> FlowSnapshot {
    FlowSnapshot {
        flow_id: flow.flow_id,
        flow_kind: flow.flow_kind.clone(),
        namespace: flow.namespace.clone(),
        public_flow_state: flow.public_flow_state(summary),
        graph_revision: flow.graph_revision,
        node_count: flow.node_count,
        edge_count: flow.edge_count,
        created_at: flow.created_at,
        last_mutation_at: flow.last_mutation_at,
        cancelled: flow.cancelled.clone(),
        tags: (*flow.tags).clone(),
        counts: summary.counts.clone(),
        last_summary_update_at: summary.last_summary_update_at,
        edge_groups,
    }
}

/// The join of a member; none when nothing was ever to come before it.
pub(super) fn group(member: &Member) -> Option<EdgeGroupSnapshot> {
    let group = &member.inbound;
    (group.staged() > 0).then(|| EdgeGroupSnapshot {
        downstream_execution_id: member.execution_id,
        policy: group.policy(),
        total_deps: group.applied,
        satisfied_count: group.succeeded,
        failed_count: group.failed,
        skipped_count: group.skipped,
        running_count: group.running(),
        group_state: group.state,
    })
}

/// A dependency as `describe_edge` and `list_edges` show it.
pub(super) fn edge(edge: &Edge) -> EdgeSnapshot {
    EdgeSnapshot {
        edge_id: edge.edge_id,
        flow_id: edge.flow_id,
        upstream_execution_id: edge.upstream,
        downstream_execution_id: edge.downstream,
        dependency_kind: Edge::DEPENDENCY_KIND,
        satisfaction_condition: Edge::SATISFACTION_CONDITION,
        data_passing_ref: edge.data_passing_ref.clone(),
        edge_state: Edge::EDGE_STATE,
        created_at: edge.created_at,
        created_by: Edge::CREATED_BY,
    }
}

/// A dependency as its downstream sees it. `slot` is its place there.
pub(super) fn inbound(member: &Member, slot: u32, edge: &InEdge) -> Result<InboundEdge, EngineError> {
    let no_place = || EngineError::corruption("flow_member", "inbound", &format!("no place {slot}"));
    Ok(InboundEdge {
        edge_id: edge.edge_id,
        upstream_execution_id: edge.upstream,
        state: member.inbound.slot(slot).ok_or_else(no_place)?,
        passes_data: edge.passes_data,
    })
}
