//! Flows: executions that depend on one another.

pub(crate) mod ack_cancel_member;
pub(crate) mod add_execution_to_flow;
pub(crate) mod apply_dependency_to_child;
pub(crate) mod cancel_flow;
pub(crate) mod cancel_flow_header;
pub(crate) mod cascade_completion;
pub(crate) mod create_flow;
pub(crate) mod describe_edge;
pub(crate) mod describe_flow;
pub(crate) mod drain_sibling_cancel_group;
pub(crate) mod evaluate_flow_eligibility;
pub(crate) mod get_flow_tag;
pub(crate) mod list_edges;
pub(crate) mod list_flow_members;
pub(crate) mod list_flows;
pub(crate) mod project_flow_summary;
pub(crate) mod reconcile_sibling_cancel_group;
pub(crate) mod resolve_dependency;
pub(crate) mod resolve_execution_flow_id;
pub(crate) mod set_edge_group_policy;
pub(crate) mod set_flow_tag;
pub(crate) mod stage_dependency_edge;
mod submit_flow;
mod views;

use leasehold_core::flow::SUCCESS_ONLY;

/// The kind of a dependency, unless a request says.
fn dependency_kind(given: Option<String>) -> String {
    given.unwrap_or_else(|| SUCCESS_ONLY.to_owned())
}
