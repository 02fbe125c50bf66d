//! `issue_claim_grant`: an eligible execution is promised to one worker for a
//! short time.

use crate::case::Case;
use crate::states::{WAITING, eligible};
use leasehold_contract::{AdmissionBlock, GrantIssued, IssueClaimGrant};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::error::{EngineError, ValidationKind};
use leasehold_core::ids::{LaneId, WorkerId, WorkerInstanceId};
use leasehold_core::record::{Grant, GrantPurpose};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::{INSTANCE, TTL_MS, WORKER};

const GPU: &str = r#"{"routing_requirements":{"required_capabilities":["gpu","cuda"]}}"#;

fn offering(grant: IssueClaimGrant, tokens: &[&str]) -> IssueClaimGrant {
    IssueClaimGrant { capabilities: CapabilitySet::parse_offered(tokens.iter().copied()).unwrap(), ..grant }
}

pub async fn the_promise_is_kept_beside_an_execution_that_stays_in_its_queue(case: &mut Case) {
    let id = case.waiting().await;
    let created_at = case.now();
    case.advance(5);
    let args = IssueClaimGrant {
        capability_hash: Some("abcd0123".to_owned()),
        route_snapshot_json: Some("{}".to_owned()),
        admission_summary: Some("fits".to_owned()),
        ..case.grant(id)
    };
    let issued = case.engine.issue_claim_grant(args).await.unwrap();
    let expires_at = case.now().plus(TTL_MS);
    assert_eq!(issued, GrantIssued { execution_id: id, expires_at });
    let record = case.record(id).await;
    let expected = Grant {
        purpose: GrantPurpose::Claim,
        worker_id: WorkerId::new(WORKER),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        capability_hash: Some("abcd0123".to_owned()),
        route_snapshot_json: Some("{}".to_owned()),
        admission_summary: Some("fits".to_owned()),
        created_at: case.now(),
        expires_at,
    };
    assert_eq!(record.grant, Some(expected));
    assert_eq!((record.last_mutation_at, record.last_transition_at), (case.now(), created_at));
    assert_eq!(case.vector(id).await, WAITING);
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score), ("ready", created_at.0));
    assert!(case.story(id).await.is_empty());
}

pub async fn an_interrupted_execution_is_promised_alike(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
    assert!(case.record(id).await.grant.is_some());
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.issue_claim_grant(case.grant(id)), "execution_not_found").await;
}

pub async fn what_is_not_eligible_is_promised_to_nobody(case: &mut Case) {
    for id in [
        case.delayed(1000).await,
        case.blocked(AdmissionBlock::WaitingForBudget).await,
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.parked(1000).await.execution.execution_id,
        case.retrying().await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
        case.ended(TerminalOutcome::Cancelled).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.issue_claim_grant(case.grant(id)), "execution_not_eligible").await;
    }
}

pub async fn one_promise_at_a_time(case: &mut Case) {
    let id = case.granted().await;
    case.refused(id, case.engine.issue_claim_grant(case.grant(id)), "grant_already_exists").await;
    let other = IssueClaimGrant { worker_instance_id: WorkerInstanceId::new("worker-2"), ..case.grant(id) };
    case.refused(id, case.engine.issue_claim_grant(other), "grant_already_exists").await;
    case.advance(TTL_MS);
    case.refused(id, case.engine.issue_claim_grant(case.grant(id)), "grant_already_exists").await;
}

pub async fn a_promise_that_ran_out_counts_as_none(case: &mut Case) {
    let id = case.granted().await;
    case.advance(TTL_MS + 1);
    let other = IssueClaimGrant { worker_instance_id: WorkerInstanceId::new("worker-2"), ..case.grant(id) };
    let issued = case.engine.issue_claim_grant(other).await.unwrap();
    let grant = case.record(id).await.grant.clone().unwrap();
    assert_eq!((grant.worker_instance_id.as_str(), grant.expires_at), ("worker-2", issued.expires_at));
}

pub async fn the_queue_of_another_lane_does_not_hold_it(case: &mut Case) {
    let id = case.waiting().await;
    let other = IssueClaimGrant { lane_id: LaneId::new("other"), ..case.grant(id) };
    case.refused(id, case.engine.issue_claim_grant(other), "execution_not_in_eligible_set").await;
}

pub async fn a_worker_that_lacks_something_is_told_what(case: &mut Case) {
    let id = case.created_under(GPU).await;
    for (offered, missing) in [(&[][..], "cuda,gpu"), (&["gpu"], "cuda"), (&["GPU", "cuda"], "gpu")] {
        case.advance(2000);
        let error =
            case.code(case.engine.issue_claim_grant(offering(case.grant(id), offered)).await, "capability_mismatch");
        assert_eq!(error, EngineError::validation(ValidationKind::CapabilityMismatch, missing));
        assert!(error.is_retryable(), "another worker may fit");
        let record = case.record(id).await;
        assert_eq!((record.last_capability_mismatch_at, record.grant.as_ref()), (Some(case.now()), None));
        assert_eq!(case.vector(id).await, WAITING);
    }
    assert!(case.story(id).await.is_empty());
}

pub async fn a_flood_of_mismatches_leaves_one_mark(case: &mut Case) {
    let id = case.created_under(GPU).await;
    case.code(case.engine.issue_claim_grant(case.grant(id)).await, "capability_mismatch");
    let marked_at = case.now();
    case.advance(10);
    case.refused(id, case.engine.issue_claim_grant(case.grant(id)), "capability_mismatch").await;
    assert_eq!(case.record(id).await.last_capability_mismatch_at, Some(marked_at));
}

pub async fn a_worker_that_offers_enough_is_promised_it(case: &mut Case) {
    let id = case.created_under(GPU).await;
    let offer = offering(case.grant(id), &["cuda", "gpu", "eu-west"]);
    case.engine.issue_claim_grant(offer).await.unwrap();
    assert!(case.record(id).await.grant.is_some());
}

pub async fn checks_run_in_their_order(case: &mut Case) {
    let elsewhere = |grant: IssueClaimGrant| IssueClaimGrant { lane_id: LaneId::new("other"), ..grant };
    let delayed = case.created(|args| {
        args.delay_until = Some(TimestampMs(i64::MAX));
        args.policy_json = leasehold_tests::harness::act::policy(GPU);
    });
    let delayed = delayed.await;
    let call = case.engine.issue_claim_grant(elsewhere(case.grant(delayed)));
    case.refused(delayed, call, "execution_not_eligible").await;
    let granted = case.created_under(GPU).await;
    case.engine.issue_claim_grant(offering(case.grant(granted), &["gpu", "cuda"])).await.unwrap();
    let call = case.engine.issue_claim_grant(elsewhere(case.grant(granted)));
    case.refused(granted, call, "grant_already_exists").await;
    let choosy = case.created_under(GPU).await;
    let call = case.engine.issue_claim_grant(elsewhere(case.grant(choosy)));
    case.refused(choosy, call, "execution_not_in_eligible_set").await;
}

pub async fn a_promise_lasts_at_least_a_millisecond(case: &mut Case) {
    let id = case.waiting().await;
    let void = IssueClaimGrant { grant_ttl_ms: 0, ..case.grant(id) };
    case.refused(id, case.engine.issue_claim_grant(void), "invalid_input").await;
    let endless = IssueClaimGrant { grant_ttl_ms: u64::MAX, ..case.grant(id) };
    let issued = case.engine.issue_claim_grant(endless).await.unwrap();
    assert_eq!(issued.expires_at, TimestampMs(i64::MAX));
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let id = case.waiting().await;
    for odd in [
        IssueClaimGrant { capability_hash: Some("h".repeat(257)), ..case.grant(id) },
        IssueClaimGrant { route_snapshot_json: Some("r".repeat(16 * 1024 + 1)), ..case.grant(id) },
        IssueClaimGrant { admission_summary: Some("a\0b".to_owned()), ..case.grant(id) },
    ] {
        case.refused(id, case.engine.issue_claim_grant(odd), "invalid_input").await;
    }
}
