//! `read_exec_core_fields`: an execution's record as named texts.

use crate::case::Case;
use leasehold_contract::AdmissionBlock;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::{renewal, revocation};

async fn check(case: &Case, id: ExecutionId, expected: &[(&str, Option<&str>)]) {
    let names: Vec<String> = expected.iter().map(|(name, _)| (*name).to_owned()).collect();
    let fields = case.engine.read_exec_core_fields(id.home(), id, &names).await.unwrap();
    assert_eq!(fields.len(), names.len());
    for (name, value) in expected {
        assert_eq!(fields[*name].as_deref(), *value, "{name}");
    }
}

pub async fn a_new_execution_shows_what_it_was_created_with(case: &mut Case) {
    let id = case.created(|args| {
        args.priority = 5;
        args.policy_json =
            leasehold_tests::harness::act::policy(r#"{"routing_requirements":{"required_capabilities":["b","a"]}}"#);
    });
    let id = id.await;
    let (text, now) = (id.to_string(), case.now().to_string());
    check(
        case,
        id,
        &[
            ("execution_id", Some(&text)),
            ("namespace", Some("tenant")),
            ("lane_id", Some("mail")),
            ("execution_kind", Some("send")),
            ("partition_id", Some("1")),
            ("priority", Some("5")),
            ("creator_identity", Some("suite")),
            ("required_capabilities", Some("a,b")),
            ("created_at", Some(&now)),
            ("last_transition_at", Some(&now)),
            ("last_mutation_at", Some(&now)),
            ("lifecycle_phase", Some("runnable")),
            ("ownership_state", Some("unowned")),
            ("eligibility_state", Some("eligible_now")),
            ("blocking_reason", Some("waiting_for_worker")),
            ("terminal_outcome", Some("none")),
            ("attempt_state", Some("pending_first_attempt")),
            ("public_state", Some("waiting")),
            ("total_attempt_count", Some("0")),
            ("current_lease_epoch", Some("0")),
            ("current_lane", Some("mail")),
            ("retry_count", Some("0")),
            ("replay_count", Some("0")),
            ("lease_reclaim_count", Some("0")),
        ],
    )
    .await;
}

pub async fn what_is_unset_or_unknown_is_none(case: &mut Case) {
    let id = case.waiting().await;
    let unset = [
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
        "required_capabilities",
        "failure_reason",
        "cancellation_reason",
        "cancelled_by",
        "last_capability_mismatch_at",
        "no_such_field",
        "",
    ];
    check(case, id, &unset.map(|name| (name, None))).await;
}

pub async fn a_running_execution_shows_its_attempt_and_lease(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    case.engine.progress(&held.handle, Some(40), Some("halfway".to_owned())).await.unwrap();
    let now = case.now();
    let at = |ms| now.plus(ms).to_string();
    check(
        case,
        id,
        &[
            ("current_attempt_index", Some("0")),
            ("current_attempt_id", Some(&held.execution.attempt_id.to_string())),
            ("current_lease_id", Some(&held.execution.lease_id.to_string())),
            ("current_lease_epoch", Some("1")),
            ("current_worker_id", Some("worker")),
            ("current_worker_instance_id", Some("worker-1")),
            ("started_at", Some(&at(0))),
            ("lease_acquired_at", Some(&at(0))),
            ("lease_expires_at", Some(&at(TTL_MS))),
            ("lease_last_renewed_at", Some(&at(0))),
            ("lease_renewal_deadline", Some(&at(20_000))),
            ("total_attempt_count", Some("1")),
            ("progress_pct", Some("40")),
            ("progress_message", Some("halfway")),
            ("progress_updated_at", Some(&at(0))),
        ],
    )
    .await;
}

pub async fn a_renewal_that_is_only_promised_shows(case: &mut Case) {
    let held = case.leased().await.execution;
    case.advance(TTL_MS / 3);
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    check(case, held.execution_id, &[("lease_expires_at", Some(&renewed.expires_at.to_string()))]).await;
}

pub async fn a_lost_lease_shows_how_it_was_lost(case: &mut Case) {
    let lapsed = case.lapsed().await.execution.execution_id;
    check(case, lapsed, &[("lease_expired_at", Some(&case.now().to_string())), ("lease_revoked_at", None)]).await;
    let revoked = case.leased().await.execution.execution_id;
    case.engine.revoke_lease(revocation(revoked)).await.unwrap();
    let now = case.now().to_string();
    check(
        case,
        revoked,
        &[("lease_revoked_at", Some(&now)), ("lease_revoke_reason", Some("drained")), ("lease_expired_at", None)],
    )
    .await;
}

pub async fn what_is_to_come_and_what_has_been_show(case: &mut Case) {
    let retrying = case.retrying().await.execution.execution_id;
    check(
        case,
        retrying,
        &[
            ("pending_retry_reason", Some("broken pipe")),
            ("pending_previous_attempt_index", Some("0")),
            ("failure_reason", Some("broken pipe")),
            ("retry_count", Some("1")),
            ("delay_until", Some(&case.now().plus(500).to_string())),
            ("current_attempt_id", None),
            ("current_lease_id", None),
        ],
    )
    .await;
    let blocked = case.blocked(AdmissionBlock::WaitingForQuota).await;
    check(case, blocked, &[("blocking_detail", Some("held")), ("blocking_reason", Some("waiting_for_quota"))]).await;
    let cancelled = case.waiting().await;
    case.engine.cancel_execution(leasehold_tests::harness::act::cancellation(cancelled)).await.unwrap();
    let now = case.now().to_string();
    check(
        case,
        cancelled,
        &[
            ("cancellation_reason", Some("no longer wanted")),
            ("cancelled_by", Some("operator_override")),
            ("completed_at", Some(&now)),
            ("terminal_outcome", Some("cancelled")),
        ],
    )
    .await;
}

pub async fn an_unknown_execution_has_no_fields(case: &mut Case) {
    check(case, case.id(), &[("lane_id", None), ("public_state", None)]).await;
}

pub async fn no_names_give_no_fields(case: &mut Case) {
    let id = case.waiting().await;
    assert!(case.engine.read_exec_core_fields(id.home(), id, &[]).await.unwrap().is_empty());
}

pub async fn a_partition_that_is_not_its_own_is_refused(case: &mut Case) {
    let id = case.waiting().await;
    let names = ["lane_id".to_owned()];
    for partition in [
        Partition::flow(2),
        Partition::flow(case.partitions()),
        Partition::SYSTEM,
        Partition { family: PartitionFamily::Budget, index: 1 },
    ] {
        case.code(case.engine.read_exec_core_fields(partition, id, &names).await, "invalid_input");
    }
    let alias = Partition { family: PartitionFamily::Execution, index: 1 };
    let fields = case.engine.read_exec_core_fields(alias, id, &names).await.unwrap();
    assert_eq!(fields["lane_id"].as_deref(), Some("mail"));
}

pub async fn a_read_takes_64_names_and_no_more(case: &mut Case) {
    let id = case.waiting().await;
    let names: Vec<String> = (0..65).map(|number| format!("field_{number}")).collect();
    case.code(case.engine.read_exec_core_fields(id.home(), id, &names).await, "invalid_input");
    assert_eq!(case.engine.read_exec_core_fields(id.home(), id, &names[..64]).await.unwrap().len(), 64);
}
