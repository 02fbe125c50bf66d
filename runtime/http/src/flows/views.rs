//! Flows, joins and dependencies as answers show them.

use leasehold_contract::{EdgeGroupSnapshot, EdgeSnapshot};
use leasehold_core::flow::{PolicySpec, SlotState, StateCounts};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use serde::Serialize;
use std::collections::BTreeMap;

/// A join.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Group {
    downstream_execution_id: ExecutionId,
    policy: PolicySpec,
    total_deps: u32,
    satisfied_count: u32,
    failed_count: u32,
    skipped_count: u32,
    running_count: u32,
    group_state: &'static str,
}

impl From<EdgeGroupSnapshot> for Group {
    fn from(group: EdgeGroupSnapshot) -> Self {
        Self {
            downstream_execution_id: group.downstream_execution_id,
            policy: group.policy.spec(),
            total_deps: group.total_deps,
            satisfied_count: group.satisfied_count,
            failed_count: group.failed_count,
            skipped_count: group.skipped_count,
            running_count: group.running_count,
            group_state: group.group_state.as_str(),
        }
    }
}

/// A dependency.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Edge {
    edge_id: EdgeId,
    flow_id: FlowId,
    upstream_execution_id: ExecutionId,
    downstream_execution_id: ExecutionId,
    dependency_kind: &'static str,
    satisfaction_condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_passing_ref: Option<String>,
    edge_state: &'static str,
    created_at: TimestampMs,
    created_by: &'static str,
}

impl From<EdgeSnapshot> for Edge {
    fn from(edge: EdgeSnapshot) -> Self {
        Self {
            edge_id: edge.edge_id,
            flow_id: edge.flow_id,
            upstream_execution_id: edge.upstream_execution_id,
            downstream_execution_id: edge.downstream_execution_id,
            dependency_kind: edge.dependency_kind,
            satisfaction_condition: edge.satisfaction_condition,
            data_passing_ref: edge.data_passing_ref,
            edge_state: edge.edge_state,
            created_at: edge.created_at,
            created_by: edge.created_by,
        }
    }
}

/// How many members stand in which state. Those that wait to go on count as
/// waiting.
pub(super) fn counts(counts: &StateCounts) -> BTreeMap<&'static str, u32> {
    let shown = [
        ("members_completed", PublicState::Completed),
        ("members_failed", PublicState::Failed),
        ("members_cancelled", PublicState::Cancelled),
        ("members_expired", PublicState::Expired),
        ("members_skipped", PublicState::Skipped),
        ("members_active", PublicState::Active),
        ("members_suspended", PublicState::Suspended),
        ("members_delayed", PublicState::Delayed),
        ("members_rate_limited", PublicState::RateLimited),
        ("members_waiting_children", PublicState::WaitingChildren),
    ];
    let mut all: BTreeMap<_, _> = shown.into_iter().map(|(name, state)| (name, counts.of(state))).collect();
    all.insert("members_waiting", counts.waiting());
    all.insert("total_members", counts.total());
    all
}

/// Where one dependency stands.
pub(super) const fn slot(state: SlotState) -> &'static str {
    match state {
        SlotState::Staged => "staged",
        SlotState::Unsatisfied => "unsatisfied",
        SlotState::Satisfied => "satisfied",
        SlotState::Impossible => "impossible",
    }
}
