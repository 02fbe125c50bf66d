//! `revoke_lease`: a lease is taken away from its worker.

use crate::case::Case;
use crate::fencing::not_active;
use crate::states::REVOKED;
use leasehold_contract::{RevokeLease, RevokeOutcome};
use leasehold_core::ids::{LeaseEpoch, LeaseId, WorkerInstanceId};
use leasehold_core::state::{LifecyclePhase, TerminalOutcome};
use leasehold_tests::harness::INSTANCE;
use leasehold_tests::harness::act::revocation;
use uuid::Uuid;

pub async fn the_worker_loses_its_lease_and_the_execution_can_be_reclaimed(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let before = case.record(id).await;
    case.advance(5);
    let outcome = case.engine.revoke_lease(revocation(id)).await.unwrap();
    assert_eq!(outcome, RevokeOutcome::Revoked { lease_id: held.lease_id, lease_epoch: LeaseEpoch(1) });
    assert_eq!(case.vector(id).await, REVOKED);
    assert_eq!(case.story(id).await, ["acquired 1", "revoked 1 drained"]);
    let after = case.record(id).await;
    assert_eq!(after.lease_revoked_at, Some(case.now()));
    assert_eq!(after.lease_revoke_reason.as_deref(), Some("drained"));
    assert_eq!((after.lease_epoch, after.last_mutation_at), (LeaseEpoch(1), case.now()));
    assert_eq!(after.last_transition_at, before.last_transition_at);
    assert_eq!(after.attempt_timeout, None);
    assert_eq!(case.entry(id).await.queue, "active");
    case.reclaim_lost(id).await;
}

pub async fn a_lease_that_is_lost_already_needs_no_revoking(case: &mut Case) {
    for (held, reason) in [(case.revoked().await, "already_revoked"), (case.lapsed().await, "already_expired")] {
        let id = held.execution.execution_id;
        let outcome = case.changes_nothing(id, case.engine.revoke_lease(revocation(id))).await;
        assert_eq!(outcome, RevokeOutcome::AlreadySatisfied { reason });
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.revoke_lease(revocation(id)), "execution_not_found").await;
}

pub async fn what_is_not_active_has_no_lease_to_revoke(case: &mut Case) {
    for (id, phase) in [
        (case.waiting().await, LifecyclePhase::Runnable),
        (case.parked(10).await.execution.execution_id, LifecyclePhase::Runnable),
        (case.ended(TerminalOutcome::Success).await.execution.execution_id, LifecyclePhase::Terminal),
    ] {
        let error = case.refused(id, case.engine.revoke_lease(revocation(id)), "execution_not_active").await;
        assert_eq!(not_active(&error).lifecycle_phase, phase);
    }
}

pub async fn another_lease_than_expected_is_stale(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let wrong = LeaseId::from_uuid(Uuid::from_u128(0xbad));
    let other = RevokeLease { expected_lease_id: Some(wrong), ..revocation(id) };
    case.refused(id, case.engine.revoke_lease(other), "stale_lease").await;
    let right = RevokeLease { expected_lease_id: Some(held.lease_id), ..revocation(id) };
    case.engine.revoke_lease(right).await.unwrap();
}

pub async fn another_process_than_named_keeps_its_lease(case: &mut Case) {
    let id = case.leased().await.execution.execution_id;
    let of = |instance| RevokeLease { worker_instance_id: Some(WorkerInstanceId::new(instance)), ..revocation(id) };
    let outcome = case.changes_nothing(id, case.engine.revoke_lease(of("worker-2"))).await;
    assert_eq!(outcome, RevokeOutcome::AlreadySatisfied { reason: "different_worker_instance_id" });
    let outcome = case.engine.revoke_lease(of(INSTANCE)).await.unwrap();
    assert!(matches!(outcome, RevokeOutcome::Revoked { .. }));
}

pub async fn a_reason_no_store_can_keep_is_refused(case: &mut Case) {
    let id = case.leased().await.execution.execution_id;
    for reason in ["r".repeat(4097), "a\0b".to_owned()] {
        case.refused(id, case.engine.revoke_lease(RevokeLease { reason, ..revocation(id) }), "invalid_input").await;
    }
}

pub async fn the_new_lease_after_a_reclaim_can_be_revoked_too(case: &mut Case) {
    let again = case.reclaimed().await.execution;
    let outcome = case.engine.revoke_lease(revocation(again.execution_id)).await.unwrap();
    assert_eq!(outcome, RevokeOutcome::Revoked { lease_id: again.lease_id, lease_epoch: LeaseEpoch(2) });
}
