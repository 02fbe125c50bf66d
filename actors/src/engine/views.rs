//! Records as readers see them.

use leasehold_contract::{AttemptView, CurrentAttempt, CurrentLease, ExecutionInfo, ExecutionSnapshot};
use leasehold_core::record::{Attempt, Execution};
use leasehold_core::state::BlockingReason;
use leasehold_core::time::TimestampMs;

/// An execution as `describe_execution` shows it. `lease_expires_at` is what
/// the owner of its lease promised.
pub(super) fn snapshot(execution: &Execution, lease_expires_at: Option<TimestampMs>) -> ExecutionSnapshot {
    let vector = execution.vector();
    ExecutionSnapshot {
        execution_id: execution.id,
        flow_id: execution.flow_id,
        lane_id: execution.lane_id.clone(),
        namespace: execution.spec.namespace.clone(),
        public_state: vector.public_state(),
        blocking_reason: Some(vector.blocking_reason()).filter(|reason| *reason != BlockingReason::None),
        blocking_detail: execution.blocking_detail.clone().filter(|detail| !detail.is_empty()),
        current_attempt: execution
            .current_attempt_id()
            .map(|attempt_id| CurrentAttempt { attempt_id, attempt_index: execution.current_attempt_index() }),
        current_lease: execution.lease.as_ref().filter(|_| vector.is_active()).map(|lease| CurrentLease {
            lease_epoch: lease.lease_epoch,
            worker_instance_id: lease.worker_instance_id.clone(),
            expires_at: lease_expires_at.unwrap_or(lease.expires_at),
            lease_id: lease.lease_id,
            attempt_index: execution.current_attempt_index(),
            last_heartbeat_at: Some(lease.last_renewed_at),
        }),
        current_waitpoint: None,
        created_at: execution.spec.created_at,
        last_mutation_at: execution.last_mutation_at,
        total_attempt_count: execution.total_attempt_count,
        tags: (*execution.tags).clone(),
    }
}

/// An execution as `read_execution_info` shows it.
pub(super) fn info(execution: &Execution) -> ExecutionInfo {
    ExecutionInfo {
        execution_id: execution.id,
        namespace: execution.spec.namespace.clone(),
        lane_id: execution.lane_id.clone(),
        priority: execution.priority,
        execution_kind: execution.spec.kind.to_string(),
        state_vector: *execution.vector(),
        public_state: execution.vector().public_state(),
        created_at: execution.spec.created_at.to_string(),
        started_at: execution.started_at.map(|at| at.to_string()),
        completed_at: execution.completed_at.map(|at| at.to_string()),
        current_attempt_index: execution.current_attempt_index(),
        flow_id: execution.flow_id,
        blocking_detail: execution.blocking_detail.clone().unwrap_or_default(),
    }
}

/// An attempt as `list_attempts` shows it.
pub(super) fn attempt_view(attempt: &Attempt) -> AttemptView {
    AttemptView {
        attempt_id: attempt.attempt_id,
        attempt_index: attempt.index,
        attempt_type: attempt.lineage.attempt_type(),
        lifecycle: attempt.lifecycle,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        resumed_at: attempt.resumed_at,
        suspended_at: attempt.suspended_at,
        lease_id: attempt.lease_id,
        lease_epoch: attempt.lease_epoch,
        worker_id: attempt.worker_id.clone(),
        worker_instance_id: attempt.worker_instance_id.clone(),
        failure_reason: attempt.failure_reason.clone(),
        failure_category: attempt.failure_category.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use leasehold_core::ids::{AttemptIndex, LeaseEpoch};
    use leasehold_core::state::PublicState;

    #[test]
    fn a_waiting_execution_has_neither_attempt_nor_lease() {
        let shown = snapshot(&fixture::created(), None);
        assert_eq!(shown.public_state, PublicState::Waiting);
        assert_eq!(shown.blocking_reason, Some(BlockingReason::WaitingForWorker));
        assert_eq!((shown.blocking_detail, shown.current_attempt, shown.current_lease), (None, None, None));
        assert_eq!(shown.tags.get("team.owner").map(String::as_str), Some("mail"));
    }

    #[test]
    fn an_active_execution_shows_the_promised_expiry_of_its_lease() {
        let execution = fixture::claimed();
        let lease = snapshot(&execution, Some(TimestampMs(45_000))).current_lease.unwrap();
        assert_eq!((lease.lease_epoch, lease.attempt_index), (LeaseEpoch(1), AttemptIndex(0)));
        assert_eq!(lease.expires_at, TimestampMs(45_000));
        assert_eq!(lease.last_heartbeat_at, Some(TimestampMs(2000)));
        assert_eq!(snapshot(&execution, None).current_lease.unwrap().expires_at, TimestampMs(32_000));
        assert_eq!(snapshot(&execution, None).blocking_reason, None);
    }

    #[test]
    fn between_a_failure_and_its_retry_there_is_no_current_attempt() {
        let shown = snapshot(&fixture::retry_scheduled(), None);
        assert_eq!(shown.public_state, PublicState::Delayed);
        assert_eq!((shown.current_attempt, shown.current_lease), (None, None));
        assert_eq!(shown.total_attempt_count, 1);
    }

    #[test]
    fn info_spells_times_as_text_and_an_absent_detail_as_empty() {
        let shown = info(&fixture::claimed());
        assert_eq!(shown.created_at, "1000");
        assert_eq!(shown.started_at.as_deref(), Some("2000"));
        assert_eq!(shown.completed_at, None);
        assert_eq!(shown.blocking_detail, "");
        assert_eq!(shown.current_attempt_index, AttemptIndex(0));
    }
}
