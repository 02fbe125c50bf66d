//! The engine as a whole.

use super::EngineHandle;
use async_trait::async_trait;
use leasehold_contract::{Capabilities, EngineResult, Identity, Maintenance, Prepared, Version};
use leasehold_core::time::TimestampMs;
use std::time::Duration;
use tracing::instrument;

/// Every operation this engine carries out, on every store.
const OPERATIONS: &[&str] = &[
    // Executions.
    "create_execution",
    "create_executions",
    "cancel_execution",
    "cancel",
    "replay_execution",
    "change_priority",
    "progress",
    "expire_execution",
    "promote_delayed",
    "set_execution_tag",
    "get_execution_tag",
    // Leases.
    "claim",
    "scan_eligible_executions",
    "issue_claim_grant",
    "claim_execution",
    "claim_for_worker",
    "issue_grant_and_claim",
    "claim_resumed_execution",
    "claim_from_resume_grant",
    "renew",
    "renew_lease",
    "complete",
    "complete_execution",
    "fail",
    "fail_execution",
    "delay",
    "wait_children",
    "revoke_lease",
    "mark_lease_expired_if_due",
    "issue_reclaim_grant",
    "reclaim_execution",
    "list_expired_leases",
    "block_route",
    "block_execution_for_admission",
    "unblock_execution",
    // Suspension.
    "create_waitpoint",
    "suspend",
    "suspend_by_triple",
    "observe_signals",
    "read_suspension",
    "deliver_signal",
    "deliver_approval_signal",
    "resume_execution",
    "read_waitpoint_token",
    "list_pending_waitpoints",
    "list_suspended",
    "close_waitpoint",
    "expire_suspension",
    "seed_waitpoint_hmac_secret",
    "rotate_waitpoint_hmac_secret_all",
    "list_waitpoint_hmac_kids",
    // Flows.
    "create_flow",
    "submit_flow",
    "add_execution_to_flow",
    "stage_dependency_edge",
    "apply_dependency_to_child",
    "set_edge_group_policy",
    "resolve_dependency",
    "cascade_completion",
    "evaluate_flow_eligibility",
    "cancel_flow",
    "cancel_flow_header",
    "ack_cancel_member",
    "drain_sibling_cancel_group",
    "reconcile_sibling_cancel_group",
    "project_flow_summary",
    "describe_flow",
    "describe_edge",
    "list_edges",
    "list_flows",
    "list_flow_members",
    "resolve_execution_flow_id",
    "set_flow_tag",
    "get_flow_tag",
    // Reads.
    "describe_execution",
    "read_execution_context",
    "read_execution_info",
    "read_execution_state",
    "get_execution_result",
    "get_execution_namespace",
    "read_exec_core_fields",
    "read_current_attempt_index",
    "read_total_attempt_count",
    "list_executions",
    "list_lanes",
    "list_attempts",
    // Work.
    "poll_tasks",
    "wait_terminal",
    // Maintenance.
    "prepare",
    "ping",
    "shutdown_prepare",
    "server_time_ms",
    "capabilities",
    "backend_label",
];

/// The version of this build.
const VERSION: Version = Version {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
};

const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the package version is not a number"),
    }
}

#[async_trait]
impl Maintenance for EngineHandle {
    /// An engine runs only on a store its node has prepared, so a repeat finds
    /// nothing to do; it still checks that the store is the one it was.
    #[instrument(level = "debug", skip_all)]
    async fn prepare(&self) -> EngineResult<Prepared> {
        let prepared = self.env.backend.prepare(&self.env.options.partitions).await;
        prepared.map_err(self.store_failed("prepare"))?;
        Ok(Prepared::NoOp)
    }

    #[instrument(level = "debug", skip_all)]
    async fn ping(&self) -> EngineResult<()> {
        self.env.backend.ping().await.map_err(self.store_failed("ping"))
    }

    #[instrument(level = "debug", skip_all)]
    async fn shutdown_prepare(&self, grace: Duration) -> EngineResult<()> {
        self.router.drain(grace).await
    }

    async fn server_time_ms(&self) -> EngineResult<TimestampMs> {
        Ok(self.router.partition_time())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            identity: Identity { family: self.backend_label(), version: VERSION },
            supports: OPERATIONS.iter().map(|operation| (*operation, true)).collect(),
        }
    }

    fn backend_label(&self) -> &'static str {
        self.tag().as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::command::Command;
    use std::collections::BTreeSet;

    #[test]
    fn every_operation_is_named_once() {
        let names: BTreeSet<_> = OPERATIONS.iter().collect();
        assert_eq!(names.len(), OPERATIONS.len());
    }

    #[test]
    fn every_command_is_an_operation_except_those_of_timers_and_the_inbox() {
        let missing: Vec<_> = Command::NAMES.iter().filter(|name| !OPERATIONS.contains(name)).collect();
        assert_eq!(missing, [&"settle", &"store_renewal", &"admit"]);
    }

    #[test]
    fn the_version_is_that_of_the_build() {
        assert_eq!(format!("{}.{}.{}", VERSION.major, VERSION.minor, VERSION.patch), env!("CARGO_PKG_VERSION"));
    }
}
