//! `describe_execution`: a snapshot for people.

use crate::case::Case;
use leasehold_contract::{AdmissionBlock, CurrentAttempt, CurrentLease, ExecutionSnapshot};
use leasehold_core::ids::{AttemptIndex, LaneId, LeaseEpoch, Namespace, WorkerInstanceId};
use leasehold_core::state::{BlockingReason, PublicState};
use leasehold_tests::harness::act::{renewal, revocation};
use leasehold_tests::harness::{INSTANCE, LANE, NAMESPACE, TTL_MS};

pub async fn a_waiting_execution_has_neither_attempt_nor_lease(case: &mut Case) {
    let id = case.created(|args| args.tags = [("a.b".to_owned(), "v".to_owned())].into()).await;
    let expected = ExecutionSnapshot {
        execution_id: id,
        flow_id: None,
        lane_id: LaneId::new(LANE),
        namespace: Namespace::new(NAMESPACE),
        public_state: PublicState::Waiting,
        blocking_reason: Some(BlockingReason::WaitingForWorker),
        blocking_detail: None,
        current_attempt: None,
        current_lease: None,
        current_waitpoint: None,
        created_at: case.now(),
        last_mutation_at: case.now(),
        total_attempt_count: 0,
        tags: [("a.b".to_owned(), "v".to_owned())].into(),
    };
    assert_eq!(case.engine.describe_execution(id).await, Ok(Some(expected)));
}

pub async fn a_running_execution_shows_its_attempt_and_lease(case: &mut Case) {
    let id = case.waiting().await;
    case.advance(5);
    let held = case.lease(id).await.execution;
    let shown = case.engine.describe_execution(id).await.unwrap().unwrap();
    assert_eq!((shown.public_state, shown.blocking_reason), (PublicState::Active, None));
    let attempt = CurrentAttempt { attempt_id: held.attempt_id, attempt_index: AttemptIndex(0) };
    assert_eq!(shown.current_attempt, Some(attempt));
    let lease = CurrentLease {
        lease_epoch: LeaseEpoch(1),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        expires_at: case.now().plus(TTL_MS),
        lease_id: held.lease_id,
        attempt_index: AttemptIndex(0),
        last_heartbeat_at: Some(case.now()),
    };
    assert_eq!(shown.current_lease, Some(lease));
    assert_eq!((shown.total_attempt_count, shown.last_mutation_at), (1, case.now()));
}

pub async fn a_renewal_shows_at_once_stored_or_not(case: &mut Case) {
    let held = case.leased().await.execution;
    for ms in [TTL_MS / 3, TTL_MS / 3, TTL_MS / 3] {
        case.advance(ms);
        let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
        let shown = case.engine.describe_execution(held.execution_id).await.unwrap().unwrap();
        assert_eq!(shown.current_lease.map(|lease| lease.expires_at), Some(renewed.expires_at));
    }
}

pub async fn a_lost_lease_shows_until_it_is_replaced(case: &mut Case) {
    let lost = case.leased().await.execution;
    case.engine.revoke_lease(revocation(lost.execution_id)).await.unwrap();
    let shown = case.engine.describe_execution(lost.execution_id).await.unwrap().unwrap();
    assert_eq!(
        (shown.public_state, shown.blocking_reason),
        (PublicState::Active, Some(BlockingReason::WaitingForWorker))
    );
    assert_eq!(shown.current_lease.map(|lease| lease.lease_id), Some(lost.lease_id));
    let again = case.reclaim_lost(lost.execution_id).await.execution;
    let shown = case.engine.describe_execution(lost.execution_id).await.unwrap().unwrap();
    assert_eq!(shown.current_lease.map(|lease| lease.lease_id), Some(again.lease_id));
    assert_eq!((shown.current_attempt.map(|attempt| attempt.attempt_index.0), shown.total_attempt_count), (Some(1), 2));
}

pub async fn a_block_shows_its_reason_and_detail(case: &mut Case) {
    let id = case.blocked(AdmissionBlock::WaitingForBudget).await;
    let shown = case.engine.describe_execution(id).await.unwrap().unwrap();
    assert_eq!(
        (shown.public_state, shown.blocking_reason),
        (PublicState::RateLimited, Some(BlockingReason::WaitingForBudget))
    );
    assert_eq!(shown.blocking_detail.as_deref(), Some("held"));
}

pub async fn an_empty_detail_shows_as_none(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.block_route(id, Some(String::new())).await.unwrap();
    assert_eq!(case.engine.describe_execution(id).await.unwrap().unwrap().blocking_detail, None);
}

pub async fn an_ended_execution_shows_its_last_attempt_and_no_lease(case: &mut Case) {
    let held = case.completed().await.execution;
    let shown = case.engine.describe_execution(held.execution_id).await.unwrap().unwrap();
    assert_eq!((shown.public_state, shown.blocking_reason, shown.current_lease), (PublicState::Completed, None, None));
    assert_eq!(shown.current_attempt.map(|attempt| attempt.attempt_id), Some(held.attempt_id));
}

pub async fn before_a_retry_there_is_no_current_attempt(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    let shown = case.engine.describe_execution(id).await.unwrap().unwrap();
    assert_eq!((shown.public_state, shown.current_attempt), (PublicState::Delayed, None));
    assert_eq!(shown.blocking_reason, Some(BlockingReason::WaitingForRetryBackoff));
}

pub async fn an_unknown_execution_gives_none(case: &mut Case) {
    assert_eq!(case.engine.describe_execution(case.id()).await, Ok(None));
    assert_eq!(case.engine.describe_execution(case.id_in(case.partitions())).await, Ok(None));
}
