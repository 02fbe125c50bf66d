//! `claim_from_resume_grant`: as `claim_resumed_execution` with minted ids;
//! none when the execution is no longer claimable.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{ResumeGrant, ResumeToken};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{ExecutionId, LaneId, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::partition::Partition;
use leasehold_core::state::TerminalOutcome;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::{INSTANCE, LANE, TTL_MS, WORKER};

fn token(case: &Case, execution_id: ExecutionId) -> ResumeToken {
    ResumeToken {
        grant: ResumeGrant {
            execution_id,
            partition_key: execution_id.home().into(),
            grant_key: format!("{execution_id}:claim"),
            expires_at_ms: case.now().plus(TTL_MS),
            lane_id: LaneId::new(LANE),
        },
        worker_id: WorkerId::new(WORKER),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        lease_ttl_ms: TTL_MS,
    }
}

pub async fn the_worker_goes_on_with_its_attempt(case: &mut Case) {
    let held = case.resumable().await.execution;
    let id = held.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let handle = case.engine.claim_from_resume_grant(token(case, id)).await.unwrap().expect("claimed");
    assert_eq!(handle.kind, HandleKind::Resumed);
    let payload = handle.decode(case.backend.tag()).unwrap();
    assert_eq!((payload.execution_id, payload.attempt_id), (id, held.attempt_id));
    assert_eq!((payload.lease_epoch, payload.lease_ttl_ms), (LeaseEpoch(2), TTL_MS));
    assert_ne!(payload.lease_id, held.lease_id);
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 worker_delay", "acquired 2 claim_resumed"]);
    case.engine.complete(&handle, None).await.expect("the handle is good");
}

pub async fn a_grant_of_claim_for_worker_serves(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    let grant = case.engine.claim_for_worker(case.for_worker()).await.unwrap().expect("promised");
    assert_eq!(grant.execution_id, id);
    let resume = ResumeGrant {
        execution_id: grant.execution_id,
        partition_key: grant.partition_key,
        grant_key: grant.grant_key,
        expires_at_ms: grant.expires_at_ms,
        lane_id: LaneId::new(LANE),
    };
    let handle = case.engine.claim_from_resume_grant(ResumeToken { grant: resume, ..token(case, id) }).await.unwrap();
    assert_eq!(handle.map(|handle| handle.kind), Some(HandleKind::Resumed));
}

pub async fn what_is_no_longer_claimable_gives_none(case: &mut Case) {
    let leased = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(leased)).await.unwrap();
    case.engine.claim_resumed_execution(case.resume(leased)).await.unwrap();
    for id in [
        leased,
        case.granted().await,
        case.parked(1000).await.execution.execution_id,
        case.ended(TerminalOutcome::Success).await.execution.execution_id,
    ] {
        let none = case.changes_nothing(id, case.engine.claim_from_resume_grant(token(case, id))).await;
        assert_eq!(none, None);
    }
}

pub async fn an_ended_execution_is_not_revived(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    let none = case.changes_nothing(id, case.engine.claim_from_resume_grant(token(case, id))).await;
    assert_eq!(none, None);
}

pub async fn a_grant_that_is_not_the_workers_is_refused(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    let call = case.engine.claim_from_resume_grant(token(case, id));
    case.refused(id, call, "invalid_claim_grant").await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    for stranger in [
        ResumeToken { worker_id: WorkerId::new("other"), ..token(case, id) },
        ResumeToken { worker_instance_id: WorkerInstanceId::new("worker-2"), ..token(case, id) },
    ] {
        case.refused(id, case.engine.claim_from_resume_grant(stranger), "invalid_claim_grant").await;
    }
}

pub async fn a_grant_that_ran_out_is_reported_and_removed(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.advance(TTL_MS + 1);
    case.code(case.engine.claim_from_resume_grant(token(case, id)).await, "claim_grant_expired");
    assert_eq!(case.record(id).await.grant, None);
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.claim_from_resume_grant(token(case, id)), "execution_not_found").await;
}

pub async fn a_token_that_contradicts_itself_is_refused(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let mut elsewhere = token(case, id);
    elsewhere.grant.partition_key = Partition::flow(id.partition() + 1).into();
    case.refused(id, case.engine.claim_from_resume_grant(elsewhere), "invalid_input").await;
    let endless = ResumeToken { lease_ttl_ms: u64::MAX, ..token(case, id) };
    case.refused(id, case.engine.claim_from_resume_grant(endless), "invalid_input").await;
}
