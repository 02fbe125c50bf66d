//! `reclaim_execution`: a worker uses its grant and starts a new attempt in
//! the place of one whose lease was lost.

use crate::case::Case;
use crate::states::{LEASED, ended};
use leasehold_contract::{ReclaimClaim, ReclaimExecution, ReclaimGrantOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::record::{AttemptTimeout, Lineage};
use leasehold_core::state::{AttemptLifecycle, AttemptType, TerminalOutcome};
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::revocation;

async fn promise(case: &Case, id: ExecutionId) {
    let granted = case.engine.issue_reclaim_grant(case.reclaim_grant(id)).await;
    assert!(matches!(granted, Ok(ReclaimGrantOutcome::Granted(_))), "{granted:?}");
}

pub async fn a_new_attempt_takes_the_place_of_the_lost_one(case: &mut Case) {
    let held = case.lapsed().await.execution;
    let id = held.execution_id;
    promise(case, id).await;
    case.advance(5);
    let args = ReclaimExecution { attempt_policy_json: Some("{}".to_owned()), ..case.reclaim(id) };
    let ReclaimClaim::Claimed(claimed) = case.engine.reclaim_execution(args.clone()).await.unwrap() else {
        panic!("not claimed")
    };
    let again = claimed.execution;
    assert_eq!((again.kind, claimed.handle.kind), (HandleKind::Reclaimed, HandleKind::Reclaimed));
    assert_eq!((again.lease_id, again.attempt_id), (args.lease_id, args.attempt_id));
    assert_eq!((again.lease_epoch, again.attempt_index), (LeaseEpoch(2), AttemptIndex(1)));
    assert_eq!((again.attempt_type, again.lease_expires_at), (AttemptType::Reclaim, case.now().plus(TTL_MS)));
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1", "expired 1", "reclaimed 2 after 1"]);
    let record = case.record(id).await;
    assert_eq!((record.total_attempt_count, record.lease_reclaim_count, record.retry_count), (2, 1, 0));
    assert_eq!((record.grant.as_ref(), record.lease_expired_at, record.lease_revoked_at), (None, None, None));
    let lease = record.lease.as_ref().unwrap();
    assert_eq!((lease.worker_id.as_str(), lease.worker_instance_id.as_str()), ("rescuer", "rescuer-1"));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.policy_json.as_deref()), (AttemptLifecycle::Started, Some("{}")));
    case.engine.complete(&claimed.handle, None).await.expect("the handle is good");
}

pub async fn the_lost_attempt_ends_as_interrupted(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    case.advance(5);
    case.reclaim_lost(id).await;
    let attempts = case.engine.list_attempts(id, None, 10).await.unwrap().attempts;
    assert_eq!(attempts[0].lifecycle, AttemptLifecycle::InterruptedReclaimed);
    assert_eq!(attempts[0].ended_at, Some(case.now()));
    assert_eq!((attempts[1].lifecycle, attempts[1].ended_at), (AttemptLifecycle::Started, None));
}

pub async fn the_new_attempt_knows_how_the_lease_was_lost(case: &mut Case) {
    for (held, reason) in [(case.lapsed().await, "lease_expired_reclaimable"), (case.revoked().await, "lease_revoked")]
    {
        let id = held.execution.execution_id;
        case.reclaim_lost(id).await;
        let lineage = Lineage::Reclaim { reclaim_reason: reason.to_owned(), previous_attempt_index: AttemptIndex(0) };
        assert_eq!(case.record(id).await.attempt.as_ref().unwrap().lineage, lineage);
    }
}

pub async fn a_revoked_execution_forgets_its_revocation(case: &mut Case) {
    let id = case.revoked().await.execution.execution_id;
    let again = case.reclaim_lost(id).await;
    let record = case.record(id).await;
    assert_eq!((record.lease_revoked_at, record.lease_revoke_reason.as_deref()), (None, None));
    assert_eq!(case.story(id).await, ["acquired 1", "revoked 1 drained", "reclaimed 2 after 1"]);
    case.engine.renew(&again.handle).await.expect("the new lease is in force");
}

pub async fn the_attempts_limit_is_armed_anew(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":70000}}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    case.reclaim_lost(id).await;
    assert_eq!(case.record(id).await.attempt_timeout, Some(AttemptTimeout::At(case.now().plus(70_000))));
}

pub async fn what_has_not_lost_its_lease_is_not_reclaimable(case: &mut Case) {
    for id in [
        case.waiting().await,
        case.leased().await.execution.execution_id,
        case.parked(10).await.execution.execution_id,
        case.ended(TerminalOutcome::Cancelled).await.execution.execution_id,
        case.overdue().await.execution.execution_id,
    ] {
        let outcome = case.changes_nothing(id, case.engine.reclaim_execution(case.reclaim(id))).await;
        let detail = "execution_not_reclaimable".to_owned();
        assert_eq!(outcome, ReclaimClaim::NotReclaimable { execution_id: id, detail });
    }
}

pub async fn a_repeat_finds_it_leased(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    promise(case, id).await;
    let args = case.reclaim(id);
    assert!(matches!(case.engine.reclaim_execution(args.clone()).await, Ok(ReclaimClaim::Claimed(_))));
    let outcome = case.changes_nothing(id, case.engine.reclaim_execution(args)).await;
    assert!(matches!(outcome, ReclaimClaim::NotReclaimable { .. }), "{outcome:?}");
}

pub async fn without_a_grant_of_its_own_nobody_reclaims(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    let outcome = case.changes_nothing(id, case.engine.reclaim_execution(case.reclaim(id))).await;
    assert_eq!(outcome, ReclaimClaim::GrantNotFound);
    promise(case, id).await;
    for stranger in [
        ReclaimExecution { worker_id: WorkerId::new("other"), ..case.reclaim(id) },
        ReclaimExecution { worker_instance_id: WorkerInstanceId::new("rescuer-2"), ..case.reclaim(id) },
    ] {
        let outcome = case.changes_nothing(id, case.engine.reclaim_execution(stranger)).await;
        assert_eq!(outcome, ReclaimClaim::GrantNotFound);
    }
}

pub async fn a_grant_that_ran_out_is_removed(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    promise(case, id).await;
    case.advance(TTL_MS + 1);
    assert_eq!(case.engine.reclaim_execution(case.reclaim(id)).await, Ok(ReclaimClaim::GrantNotFound));
    assert_eq!(case.record(id).await.grant, None);
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.reclaim_execution(case.reclaim(id)), "execution_not_found").await;
}

pub async fn a_cap_of_the_call_ends_the_execution_when_it_is_reached(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    promise(case, id).await;
    let capped = ReclaimExecution { max_reclaim_count: Some(0), ..case.reclaim(id) };
    let outcome = case.engine.reclaim_execution(capped).await.unwrap();
    assert_eq!(outcome, ReclaimClaim::ReclaimCapExceeded { execution_id: id, reclaim_count: 0 });
    assert_eq!(case.vector(id).await, ended("failed"));
    let story = ["acquired 1", "expired 1", "released 1 max_reclaims_exceeded", "completed failed"];
    assert_eq!(case.story(id).await, story);
    let record = case.record(id).await;
    assert_eq!(record.failure_reason.as_deref(), Some("max_reclaims_exceeded"));
    assert_eq!((record.grant.as_ref(), record.lease_reclaim_count), (None, 0));
    assert_eq!(record.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::InterruptedReclaimed);
}

pub async fn the_policys_cap_goes_before_that_of_the_call(case: &mut Case) {
    let held = case.leased_under(r#"{"max_reclaim_count":2}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    promise(case, id).await;
    let stricter = ReclaimExecution { max_reclaim_count: Some(0), ..case.reclaim(id) };
    assert!(matches!(case.engine.reclaim_execution(stricter).await, Ok(ReclaimClaim::Claimed(_))));
}

pub async fn the_copy_of_the_cap_in_the_timeout_policy_is_not_looked_at(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"max_reclaim_count":0}}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    case.reclaim_lost(id).await;
}

pub async fn a_missing_grant_goes_before_the_cap(case: &mut Case) {
    let held = case.leased_under(r#"{"max_reclaim_count":0}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    let outcome = case.changes_nothing(id, case.engine.reclaim_execution(case.reclaim(id))).await;
    assert_eq!(outcome, ReclaimClaim::GrantNotFound);
}

pub async fn an_execution_is_reclaimed_as_often_as_it_is_lost(case: &mut Case) {
    let mut held = case.lapsed().await;
    let id = held.execution.execution_id;
    for number in 1..=4 {
        held = case.reclaim_lost(id).await;
        assert_eq!((held.execution.lease_epoch.0, held.execution.attempt_index.0), (number + 1, number as u32));
        assert_eq!(case.record(id).await.lease_reclaim_count, number as u32);
        case.engine.revoke_lease(revocation(id)).await.unwrap();
    }
    assert_eq!(case.engine.read_total_attempt_count(id).await, Ok(5));
}

pub async fn arguments_out_of_bounds_are_refused(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    promise(case, id).await;
    for odd in [
        ReclaimExecution { lease_ttl_ms: 0, ..case.reclaim(id) },
        ReclaimExecution { lease_ttl_ms: 24 * 86_400_000 + 1, ..case.reclaim(id) },
        ReclaimExecution { attempt_policy_json: Some("a\0b".to_owned()), ..case.reclaim(id) },
    ] {
        case.refused(id, case.engine.reclaim_execution(odd), "invalid_input").await;
    }
}
