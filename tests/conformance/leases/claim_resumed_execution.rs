//! `claim_resumed_execution`: a worker uses its grant and continues an
//! interrupted attempt.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{AdmissionBlock, BlockExecution, ClaimResumedExecution, PromoteDelayed, PromoteOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::record::AttemptTimeout;
use leasehold_core::state::{AttemptLifecycle, AttemptType, TerminalOutcome};
use leasehold_tests::harness::TTL_MS;

pub async fn the_same_attempt_goes_on_under_a_new_lease(case: &mut Case) {
    let held = case.resumable().await.execution;
    let id = held.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.advance(5);
    let args = case.resume(id);
    let again = case.engine.claim_resumed_execution(args.clone()).await.unwrap();
    assert_eq!((again.execution.kind, again.handle.kind), (HandleKind::Resumed, HandleKind::Resumed));
    assert_eq!((again.execution.attempt_id, again.execution.attempt_index), (held.attempt_id, AttemptIndex(0)));
    assert_eq!((again.execution.lease_id, again.execution.lease_epoch), (args.lease_id, LeaseEpoch(2)));
    assert_eq!(again.execution.attempt_type, AttemptType::Initial);
    assert_eq!(again.execution.lease_expires_at, case.now().plus(TTL_MS));
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 worker_delay", "acquired 2 claim_resumed"]);
    let record = case.record(id).await;
    assert_eq!((record.total_attempt_count, record.grant.as_ref()), (1, None));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.resumed_at), (AttemptLifecycle::Started, Some(case.now())));
    assert_eq!((attempt.suspended_at, attempt.suspension_id.as_deref()), (None, None));
    assert_eq!((attempt.lease_id, attempt.lease_epoch), (args.lease_id, LeaseEpoch(2)));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score), ("active", case.now().plus(TTL_MS).0));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "execution_not_found").await;
}

pub async fn what_is_not_runnable_cannot_be_leased(case: &mut Case) {
    for id in [
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.revoked().await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "execution_not_leaseable").await;
    }
}

pub async fn an_attempt_that_never_ran_is_not_continued(case: &mut Case) {
    for id in [case.waiting().await, case.granted().await, case.retrying().await.execution.execution_id] {
        case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "not_a_resumed_execution").await;
    }
}

pub async fn an_attempt_whose_time_has_not_come_stays_where_it_is(case: &mut Case) {
    let id = case.parked(1000).await.execution.execution_id;
    case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "execution_not_leaseable").await;
    let held = case.resumable().await.execution.execution_id;
    let reason = AdmissionBlock::WaitingForQuota;
    let block = BlockExecution { execution_id: held, reason, detail: None };
    case.engine.block_execution_for_admission(block).await.unwrap();
    case.refused(held, case.engine.claim_resumed_execution(case.resume(held)), "execution_not_leaseable").await;
}

pub async fn another_attempt_than_expected_is_refused(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let wrong = ClaimResumedExecution { current_attempt_index: Some(AttemptIndex(1)), ..case.resume(id) };
    case.refused(id, case.engine.claim_resumed_execution(wrong), "execution_not_leaseable").await;
    let right = ClaimResumedExecution { current_attempt_index: Some(AttemptIndex(0)), ..case.resume(id) };
    case.engine.claim_resumed_execution(right).await.unwrap();
}

pub async fn without_a_grant_of_its_own_nobody_claims(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "invalid_claim_grant").await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let other_worker = ClaimResumedExecution { worker_id: WorkerId::new("other"), ..case.resume(id) };
    case.refused(id, case.engine.claim_resumed_execution(other_worker), "invalid_claim_grant").await;
    let other_process =
        ClaimResumedExecution { worker_instance_id: WorkerInstanceId::new("worker-2"), ..case.resume(id) };
    case.refused(id, case.engine.claim_resumed_execution(other_process), "invalid_claim_grant").await;
}

pub async fn a_grant_that_ran_out_is_reported_and_removed(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.advance(TTL_MS + 1);
    case.code(case.engine.claim_resumed_execution(case.resume(id)).await, "claim_grant_expired");
    assert_eq!(case.record(id).await.grant, None);
    case.refused(id, case.engine.claim_resumed_execution(case.resume(id)), "invalid_claim_grant").await;
}

pub async fn a_repeat_finds_it_leased(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let args = case.resume(id);
    case.engine.claim_resumed_execution(args.clone()).await.unwrap();
    case.refused(id, case.engine.claim_resumed_execution(args), "execution_not_leaseable").await;
}

pub async fn a_limit_of_the_claim_goes_before_what_was_left(case: &mut Case) {
    for (argument, ms) in [(None, 9000), (Some(0), 9000), (Some(70), 70)] {
        let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await;
        let id = held.execution.execution_id;
        case.advance(1000);
        case.engine.delay(&held.handle, case.now()).await.unwrap();
        case.advance(50_000);
        let promoted = case.engine.promote_delayed(PromoteDelayed { execution_id: id }).await;
        assert_eq!(promoted, Ok(PromoteOutcome::Promoted));
        case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
        let args = ClaimResumedExecution { remaining_attempt_timeout_ms: argument, ..case.resume(id) };
        case.engine.claim_resumed_execution(args).await.unwrap();
        let limit = AttemptTimeout::At(case.now().plus(ms));
        assert_eq!(case.record(id).await.attempt_timeout, Some(limit), "{argument:?}");
    }
}

pub async fn the_deadline_stays(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":90000}}"#).await;
    let id = held.execution.execution_id;
    let deadline = case.record(id).await.deadline_at;
    case.engine.delay(&held.handle, case.now()).await.unwrap();
    case.promote(id).await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.engine.claim_resumed_execution(case.resume(id)).await.unwrap();
    assert_eq!(case.record(id).await.deadline_at, deadline);
}

pub async fn a_lease_lasts_from_a_millisecond_to_24_days(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    for lease_ttl_ms in [0, 24 * 86_400_000 + 1] {
        let odd = ClaimResumedExecution { lease_ttl_ms, ..case.resume(id) };
        case.refused(id, case.engine.claim_resumed_execution(odd), "invalid_input").await;
    }
}
