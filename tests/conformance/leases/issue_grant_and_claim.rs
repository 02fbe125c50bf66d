//! `issue_grant_and_claim`: an operator takes one execution, whatever it
//! requires.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{AdmissionBlock, IssueGrantAndClaim};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, LaneId, LeaseEpoch};
use leasehold_core::state::{AttemptType, TerminalOutcome};
use leasehold_tests::harness::TTL_MS;

pub async fn an_operator_starts_a_fresh_attempt(case: &mut Case) {
    let id = case.waiting().await;
    let args = case.seize(id);
    let claimed = case.engine.issue_grant_and_claim(args.clone()).await.unwrap();
    assert_eq!((claimed.execution.lease_id, claimed.execution.attempt_id), (args.lease_id, args.attempt_id));
    assert_eq!((claimed.execution.lease_epoch, claimed.execution.attempt_index), (LeaseEpoch(1), AttemptIndex(0)));
    assert_eq!(claimed.handle.kind, HandleKind::Fresh);
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1 issue_grant_and_claim"]);
    let record = case.record(id).await;
    let lease = record.lease.as_ref().unwrap();
    assert_eq!((lease.worker_id.as_str(), lease.worker_instance_id.as_str()), ("operator", "operator"));
    assert_eq!((lease.expires_at, record.grant.as_ref()), (case.now().plus(TTL_MS), None));
    assert_eq!((record.total_attempt_count, record.started_at), (1, Some(case.now())));
    case.engine.complete(&claimed.handle, None).await.expect("the handle is good");
}

pub async fn an_operator_continues_an_interrupted_attempt(case: &mut Case) {
    let held = case.resumable().await.execution;
    let id = held.execution_id;
    let claimed = case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    assert_eq!((claimed.execution.attempt_id, claimed.execution.attempt_index), (held.attempt_id, AttemptIndex(0)));
    assert_eq!((claimed.execution.lease_epoch, claimed.handle.kind), (LeaseEpoch(2), HandleKind::Resumed));
    let story = ["acquired 1", "released 1 worker_delay", "acquired 2 issue_grant_and_claim_resumed"];
    assert_eq!(case.story(id).await, story);
    assert_eq!(case.record(id).await.total_attempt_count, 1);
}

pub async fn capabilities_are_not_asked_for(case: &mut Case) {
    let id = case.created_under(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#).await;
    case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    assert_eq!(case.record(id).await.last_capability_mismatch_at, None);
}

pub async fn retries_and_replays_start_their_kind_of_attempt(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.advance(500);
    case.promote(id).await;
    let claimed = case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    assert_eq!(
        (claimed.execution.attempt_type, claimed.execution.attempt_index),
        (AttemptType::Retry, AttemptIndex(1))
    );
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.issue_grant_and_claim(case.seize(id)), "execution_not_found").await;
}

pub async fn what_is_not_runnable_is_not_eligible(case: &mut Case) {
    for id in [
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.revoked().await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
        case.ended(TerminalOutcome::Expired).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.issue_grant_and_claim(case.seize(id)), "execution_not_eligible").await;
    }
}

pub async fn a_promise_to_a_worker_is_kept(case: &mut Case) {
    let fresh = case.granted().await;
    case.refused(fresh, case.engine.issue_grant_and_claim(case.seize(fresh)), "grant_already_exists").await;
    let interrupted = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(interrupted)).await.unwrap();
    let call = case.engine.issue_grant_and_claim(case.seize(interrupted));
    case.refused(interrupted, call, "grant_already_exists").await;
}

pub async fn a_promise_that_ran_out_counts_as_none(case: &mut Case) {
    let id = case.granted().await;
    case.advance(TTL_MS + 1);
    case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    assert_eq!(case.record(id).await.grant, None);
}

pub async fn an_interrupted_attempt_is_not_seized_before_its_time(case: &mut Case) {
    let id = case.parked(1000).await.execution.execution_id;
    case.refused(id, case.engine.issue_grant_and_claim(case.seize(id)), "execution_not_eligible").await;
}

pub async fn what_stands_in_no_queue_of_the_lane_is_not_taken(case: &mut Case) {
    for id in [
        case.delayed(1000).await,
        case.blocked(AdmissionBlock::PausedByOperator).await,
        case.retrying().await.execution.execution_id,
    ] {
        case.refused(id, case.engine.issue_grant_and_claim(case.seize(id)), "execution_not_in_eligible_set").await;
    }
    let id = case.waiting().await;
    let elsewhere = IssueGrantAndClaim { lane_id: LaneId::new("other"), ..case.seize(id) };
    case.refused(id, case.engine.issue_grant_and_claim(elsewhere), "execution_not_in_eligible_set").await;
}

pub async fn a_repeat_finds_it_leased(case: &mut Case) {
    let id = case.waiting().await;
    let args = case.seize(id);
    case.engine.issue_grant_and_claim(args.clone()).await.unwrap();
    case.refused(id, case.engine.issue_grant_and_claim(args), "execution_not_eligible").await;
}

pub async fn a_lease_lasts_from_a_millisecond_to_24_days(case: &mut Case) {
    let id = case.waiting().await;
    for lease_duration_ms in [0, 24 * 86_400_000 + 1] {
        let odd = IssueGrantAndClaim { lease_duration_ms, ..case.seize(id) };
        case.refused(id, case.engine.issue_grant_and_claim(odd), "invalid_input").await;
    }
}
