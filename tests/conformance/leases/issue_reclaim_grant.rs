//! `issue_reclaim_grant`: an execution whose lease was lost is promised to
//! one worker.

use crate::case::Case;
use crate::states::{LAPSED, ended};
use leasehold_contract::{IssueReclaimGrant, ReclaimGrant, ReclaimGrantOutcome};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, WorkerInstanceId};
use leasehold_core::record::GrantPurpose;
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_tests::harness::{LANE, TTL_MS};

async fn not_reclaimable(case: &Case, args: IssueReclaimGrant) -> String {
    match case.engine.issue_reclaim_grant(args.clone()).await.unwrap() {
        ReclaimGrantOutcome::NotReclaimable { execution_id, detail } => {
            assert_eq!(execution_id, args.execution_id);
            detail
        }
        other => panic!("it is reclaimable: {other:?}"),
    }
}

async fn issued(case: &Case, id: ExecutionId) -> ReclaimGrant {
    match case.engine.issue_reclaim_grant(case.reclaim_grant(id)).await.unwrap() {
        ReclaimGrantOutcome::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

pub async fn a_lost_execution_is_promised_to_a_worker(case: &mut Case) {
    for held in [case.lapsed().await, case.revoked().await] {
        let id = held.execution.execution_id;
        let (vector, story) = (case.vector(id).await, case.story(id).await);
        let grant = issued(case, id).await;
        let expected = ReclaimGrant {
            execution_id: id,
            partition_key: id.home().into(),
            grant_key: grant.grant_key.clone(),
            expires_at_ms: case.now().plus(TTL_MS),
            lane_id: LaneId::new(LANE),
        };
        assert_eq!(grant, expected);
        assert!(!grant.grant_key.is_empty());
        let stored = case.record(id).await.grant.clone().unwrap();
        assert_eq!((stored.purpose, stored.expires_at), (GrantPurpose::Reclaim, grant.expires_at_ms));
        assert_eq!(stored.worker_instance_id.as_str(), "rescuer-1");
        assert_eq!((case.vector(id).await, case.story(id).await), (vector, story));
        assert_eq!(case.entry(id).await.queue, "active");
    }
}

pub async fn what_has_not_lost_its_lease_is_not_reclaimable(case: &mut Case) {
    for id in [
        case.waiting().await,
        case.delayed(10).await,
        case.leased().await.execution.execution_id,
        case.parked(10).await.execution.execution_id,
        case.ended(TerminalOutcome::Failed).await.execution.execution_id,
        case.overdue().await.execution.execution_id,
    ] {
        let call = not_reclaimable(case, case.reclaim_grant(id));
        let detail = case.changes_nothing(id, async { Ok(call.await) }).await;
        assert_eq!(detail, "execution_not_reclaimable");
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.issue_reclaim_grant(case.reclaim_grant(id)), "execution_not_found").await;
}

pub async fn one_promise_at_a_time(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    issued(case, id).await;
    let other = IssueReclaimGrant { worker_instance_id: WorkerInstanceId::new("rescuer-2"), ..case.reclaim_grant(id) };
    case.refused(id, case.engine.issue_reclaim_grant(other.clone()), "grant_already_exists").await;
    case.advance(TTL_MS + 1);
    case.engine.issue_reclaim_grant(other).await.unwrap();
    assert_eq!(case.record(id).await.grant.as_ref().unwrap().worker_instance_id.as_str(), "rescuer-2");
}

pub async fn a_worker_that_lacks_something_is_told_what(case: &mut Case) {
    let id = case.created_under(r#"{"routing_requirements":{"required_capabilities":["gpu","cuda"]}}"#).await;
    let held = case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    case.lapse(held).await;
    assert_eq!(not_reclaimable(case, case.reclaim_grant(id)).await, "capability_mismatch: cuda,gpu");
    let record = case.record(id).await;
    assert_eq!((record.last_capability_mismatch_at, record.grant.as_ref()), (Some(case.now()), None));
    assert_eq!(case.vector(id).await, LAPSED);
    let able = CapabilitySet::parse_offered(["cuda", "gpu"]).unwrap();
    let able = IssueReclaimGrant { capabilities: able, ..case.reclaim_grant(id) };
    assert!(matches!(case.engine.issue_reclaim_grant(able).await, Ok(ReclaimGrantOutcome::Granted(_))));
}

pub async fn at_the_cap_the_execution_ends_instead(case: &mut Case) {
    let held = case.leased_under(r#"{"max_reclaim_count":1}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    let again = case.reclaim_lost(id).await;
    case.lapse(again).await;
    let outcome = case.engine.issue_reclaim_grant(case.reclaim_grant(id)).await.unwrap();
    assert_eq!(outcome, ReclaimGrantOutcome::ReclaimCapExceeded { execution_id: id, reclaim_count: 1 });
    assert_eq!(case.vector(id).await, ended("failed"));
    let story = [
        "acquired 1",
        "expired 1",
        "reclaimed 2 after 1",
        "expired 2",
        "released 2 max_reclaims_exceeded",
        "completed failed",
    ];
    assert_eq!(case.story(id).await, story);
    let record = case.record(id).await;
    assert_eq!(record.failure_reason.as_deref(), Some("max_reclaims_exceeded"));
    assert_eq!((record.lease_reclaim_count, record.grant.as_ref()), (1, None));
    assert_eq!(record.completed_at, Some(case.now()));
    assert_eq!(record.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::InterruptedReclaimed);
    assert_eq!(case.entry(id).await.queue, "terminal");
    assert_eq!(not_reclaimable(case, case.reclaim_grant(id)).await, "execution_not_reclaimable");
}

pub async fn a_cap_of_zero_allows_no_reclaim(case: &mut Case) {
    let held = case.leased_under(r#"{"max_reclaim_count":0}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    let outcome = case.engine.issue_reclaim_grant(case.reclaim_grant(id)).await.unwrap();
    assert_eq!(outcome, ReclaimGrantOutcome::ReclaimCapExceeded { execution_id: id, reclaim_count: 0 });
}

pub async fn arguments_out_of_bounds_are_refused(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    for odd in [
        IssueReclaimGrant { grant_ttl_ms: 0, ..case.reclaim_grant(id) },
        IssueReclaimGrant { capability_hash: Some("h".repeat(257)), ..case.reclaim_grant(id) },
        IssueReclaimGrant { admission_summary: Some("a\0b".to_owned()), ..case.reclaim_grant(id) },
    ] {
        case.refused(id, case.engine.issue_reclaim_grant(odd), "invalid_input").await;
    }
}
