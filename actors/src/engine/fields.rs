//! `read_exec_core_fields`: an execution's record as named texts.

use leasehold_core::record::{Execution, Lease, Pending};
use leasehold_core::time::TimestampMs;

/// Whether a field shows when a lease lapses, which its owner must be asked.
pub(super) fn shows_lease_expiry(name: &str) -> bool {
    name == "lease_expires_at"
}

/// A field by its name; none when it is unset, empty or unknown.
///
/// `lease_expires_at` is what the owner of the lease promised.
pub(super) fn field(execution: &Execution, name: &str, lease_expires_at: Option<TimestampMs>) -> Option<String> {
    let text = identity(execution, name)
        .or_else(|| state(execution, name))
        .or_else(|| attempts(execution, name))
        .or_else(|| lease(execution, name, lease_expires_at))
        .or_else(|| history(execution, name));
    text.filter(|text| !text.is_empty())
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// What it was created with.
fn identity(execution: &Execution, name: &str) -> Option<String> {
    let spec = &execution.spec;
    match name {
        "execution_id" => Some(execution.id.to_string()),
        "namespace" => Some(spec.namespace.to_string()),
        "lane_id" | "current_lane" => Some(execution.lane_id.to_string()),
        "execution_kind" => Some(spec.kind.to_string()),
        "partition_id" => Some(execution.id.partition().to_string()),
        "priority" => Some(execution.priority.to_string()),
        "creator_identity" => Some(spec.creator_identity.to_string()),
        "required_capabilities" => Some(spec.requirements.to_csv()),
        "created_at" => Some(spec.created_at.to_string()),
        "flow_id" => text(execution.flow_id),
        _ => None,
    }
}

/// The state vector and what stands beside it.
fn state(execution: &Execution, name: &str) -> Option<String> {
    let vector = execution.vector();
    let wire = match name {
        "lifecycle_phase" => vector.lifecycle_phase().as_str(),
        "ownership_state" => vector.ownership_state().as_str(),
        "eligibility_state" => vector.eligibility_state().as_str(),
        "blocking_reason" => vector.blocking_reason().as_str(),
        "terminal_outcome" => vector.terminal_outcome().as_str(),
        "attempt_state" => vector.attempt_state().as_str(),
        "public_state" => vector.public_state().as_str(),
        "blocking_detail" => return execution.blocking_detail.clone(),
        "delay_until" => return text(execution.delay_until),
        "last_transition_at" => return text(Some(execution.last_transition_at)),
        "last_mutation_at" => return text(Some(execution.last_mutation_at)),
        _ => return None,
    };
    Some(wire.to_owned())
}

/// The attempt that runs or ran, and the one to come.
fn attempts(execution: &Execution, name: &str) -> Option<String> {
    match name {
        "total_attempt_count" => Some(execution.total_attempt_count.to_string()),
        "current_attempt_index" => text(execution.attempt.as_ref().map(|attempt| attempt.index)),
        "current_attempt_id" => text(execution.current_attempt_id()),
        "retry_count" => Some(execution.retry_count.to_string()),
        "replay_count" => Some(execution.replay_count.to_string()),
        "lease_reclaim_count" => Some(execution.lease_reclaim_count.to_string()),
        _ => execution.pending.as_ref().and_then(|pending| to_come(pending, name)),
    }
}

fn to_come(pending: &Pending, name: &str) -> Option<String> {
    match (pending, name) {
        (Pending::Retry { reason, .. }, "pending_retry_reason")
        | (Pending::Replay { reason, .. }, "pending_replay_reason") => Some(reason.clone()),
        (Pending::Replay { requested_by, .. }, "pending_replay_requested_by") => Some(requested_by.clone()),
        (Pending::Retry { previous_attempt_index, .. }, "pending_previous_attempt_index") => {
            text(Some(*previous_attempt_index))
        }
        (Pending::Replay { previous_attempt_index, .. }, "pending_previous_attempt_index") => {
            text(*previous_attempt_index)
        }
        _ => None,
    }
}

/// The lease in force, or the one that was lost and not yet replaced.
fn lease(execution: &Execution, name: &str, expires_at: Option<TimestampMs>) -> Option<String> {
    match name {
        "current_lease_epoch" => Some(execution.lease_epoch.to_string()),
        "lease_expired_at" => text(execution.lease_expired_at),
        "lease_revoked_at" => text(execution.lease_revoked_at),
        "lease_revoke_reason" => execution.lease_revoke_reason.clone(),
        _ => execution.lease.as_ref().and_then(|lease| held(lease, name, expires_at)),
    }
}

fn held(lease: &Lease, name: &str, expires_at: Option<TimestampMs>) -> Option<String> {
    match name {
        "current_lease_id" => Some(lease.lease_id.to_string()),
        "current_worker_id" => Some(lease.worker_id.to_string()),
        "current_worker_instance_id" => Some(lease.worker_instance_id.to_string()),
        "lease_acquired_at" => Some(lease.acquired_at.to_string()),
        "lease_expires_at" => Some(expires_at.unwrap_or(lease.expires_at).to_string()),
        "lease_last_renewed_at" => Some(lease.last_renewed_at.to_string()),
        "lease_renewal_deadline" => Some(lease.renewal_deadline.to_string()),
        _ => None,
    }
}

/// How it went.
fn history(execution: &Execution, name: &str) -> Option<String> {
    match name {
        "started_at" => text(execution.started_at),
        "completed_at" => text(execution.completed_at),
        "progress_pct" => text(execution.progress.percent),
        "progress_message" => execution.progress.message.clone(),
        "progress_updated_at" => text(execution.progress.updated_at),
        "failure_reason" => execution.failure_reason.clone(),
        "cancellation_reason" => execution.cancellation_reason.clone(),
        "cancelled_by" => execution.cancelled_by.clone(),
        "last_capability_mismatch_at" => text(execution.last_capability_mismatch_at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn check(execution: &Execution, expected: &[(&str, Option<&str>)]) {
        for (name, value) in expected {
            assert_eq!(field(execution, name, None).as_deref(), *value, "{name}");
        }
    }

    #[test]
    fn a_new_execution_shows_what_it_was_created_with() {
        let execution = fixture::created();
        check(
            &execution,
            &[
                ("execution_id", Some(&execution.id.to_string())),
                ("namespace", Some("tenant")),
                ("lane_id", Some("mail")),
                ("current_lane", Some("mail")),
                ("execution_kind", Some("send")),
                ("partition_id", Some("7")),
                ("priority", Some("5")),
                ("creator_identity", Some("tests")),
                ("required_capabilities", Some("cuda,gpu")),
                ("created_at", Some("1000")),
                ("last_transition_at", Some("1000")),
                ("last_mutation_at", Some("1000")),
                ("lifecycle_phase", Some("runnable")),
                ("ownership_state", Some("unowned")),
                ("eligibility_state", Some("eligible_now")),
                ("blocking_reason", Some("waiting_for_worker")),
                ("terminal_outcome", Some("none")),
                ("attempt_state", Some("pending_first_attempt")),
                ("public_state", Some("waiting")),
                ("total_attempt_count", Some("0")),
                ("retry_count", Some("0")),
                ("replay_count", Some("0")),
                ("lease_reclaim_count", Some("0")),
                ("current_lease_epoch", Some("0")),
            ],
        );
    }

    #[test]
    fn what_is_unset_or_unknown_is_none() {
        let execution = fixture::created();
        for name in [
            "blocking_detail",
            "current_attempt_index",
            "current_attempt_id",
            "current_lease_id",
            "current_worker_id",
            "current_worker_instance_id",
            "started_at",
            "completed_at",
            "lease_acquired_at",
            "lease_expires_at",
            "lease_last_renewed_at",
            "lease_renewal_deadline",
            "lease_expired_at",
            "lease_revoked_at",
            "lease_revoke_reason",
            "delay_until",
            "current_suspension_id",
            "current_waitpoint_id",
            "pending_retry_reason",
            "pending_replay_reason",
            "pending_replay_requested_by",
            "pending_previous_attempt_index",
            "progress_pct",
            "progress_message",
            "progress_updated_at",
            "flow_id",
            "failure_reason",
            "cancellation_reason",
            "cancelled_by",
            "last_capability_mismatch_at",
            "no_such_field",
            "",
        ] {
            assert_eq!(field(&execution, name, None), None, "{name}");
        }
    }

    #[test]
    fn a_claimed_execution_shows_its_attempt_and_its_lease() {
        let execution = fixture::claimed();
        let lease = execution.lease.clone().unwrap();
        check(
            &execution,
            &[
                ("public_state", Some("active")),
                ("current_attempt_index", Some("0")),
                ("current_attempt_id", Some(&lease.attempt_id.to_string())),
                ("total_attempt_count", Some("1")),
                ("current_lease_epoch", Some("1")),
                ("current_lease_id", Some(&lease.lease_id.to_string())),
                ("current_worker_id", Some("worker")),
                ("current_worker_instance_id", Some("worker-1")),
                ("lease_acquired_at", Some("2000")),
                ("lease_expires_at", Some("32000")),
                ("lease_last_renewed_at", Some("2000")),
                ("lease_renewal_deadline", Some("22000")),
                ("started_at", Some("2000")),
                ("last_transition_at", Some("2000")),
            ],
        );
        assert_eq!(field(&execution, "lease_expires_at", Some(TimestampMs(40_000))).as_deref(), Some("40000"));
    }

    #[test]
    fn a_scheduled_retry_shows_why_and_when() {
        let execution = fixture::retry_scheduled();
        check(
            &execution,
            &[
                ("public_state", Some("delayed")),
                ("blocking_reason", Some("waiting_for_retry_backoff")),
                ("pending_retry_reason", Some("broken pipe")),
                ("pending_previous_attempt_index", Some("0")),
                ("pending_replay_reason", None),
                ("failure_reason", Some("broken pipe")),
                ("retry_count", Some("1")),
                ("delay_until", Some("3500")),
                ("current_attempt_index", Some("0")),
                ("current_attempt_id", None),
                ("current_lease_id", None),
                ("current_lease_epoch", Some("1")),
            ],
        );
    }
}
