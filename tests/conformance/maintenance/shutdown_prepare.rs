//! `shutdown_prepare`: no new work is taken, and what is under way ends.

use crate::case::Case;
use crate::states::ended;
use bytes::Bytes;
use leasehold_contract::ClaimPolicy;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::error::EngineError;
use leasehold_core::ids::LaneId;
use leasehold_tests::harness::LANE;
use leasehold_tests::harness::act::cancellation;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(5);

pub async fn an_idle_engine_is_ready_at_once(case: &mut Case) {
    assert_eq!(case.engine.shutdown_prepare(GRACE).await, Ok(()));
    assert_eq!(case.engine.shutdown_prepare(Duration::ZERO).await, Ok(()));
}

pub async fn holders_end_their_work_and_nobody_begins_any(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let waiting = case.waiting().await;
    case.engine.shutdown_prepare(GRACE).await.unwrap();
    let new = case.create(case.id());
    case.other_refused(new.execution_id, case.engine.create_execution(new.clone()), "partition_unavailable").await;
    case.other_refused(waiting, case.engine.cancel_execution(cancellation(waiting)), "partition_unavailable").await;
    case.other_refused(waiting, case.engine.poll_tasks(case.poll()), "resource_exhausted").await;
    let policy = ClaimPolicy { request_id: Some(case.request_id()), ..case.policy() };
    let (lane, nothing) = (LaneId::new(LANE), CapabilitySet::EMPTY);
    let claim = case.engine.claim(&lane, &nothing, &policy);
    let error = case.other_refused(waiting, claim, "resource_exhausted").await;
    assert!(error.is_retryable(), "another node may take it");
    case.engine.renew(&held.handle).await.unwrap();
    case.engine.progress(&held.handle, Some(99), None).await.unwrap();
    case.engine.complete(&held.handle, Some(Bytes::from_static(b"done"))).await.unwrap();
    assert_eq!(case.vector(id).await, ended("success"));
    assert!(case.engine.read_execution_state(id).await.unwrap().is_some());
}

pub async fn what_is_under_way_is_waited_for(case: &mut Case) {
    let args = case.create(case.id());
    let engine = &case.engine;
    let (created, drained) = tokio::join!(engine.create_execution(args), engine.shutdown_prepare(GRACE));
    assert_eq!((created.is_ok(), drained), (true, Ok(())));
}

pub async fn beyond_its_grace_nothing_is_waited_for(case: &mut Case) {
    let args = case.create(case.id());
    let engine = &case.engine;
    let (created, drained) = tokio::join!(engine.create_execution(args), engine.shutdown_prepare(Duration::ZERO));
    assert!(created.is_ok(), "what was begun still ends");
    let error = case.code(drained, "timeout");
    assert_eq!(error, EngineError::Timeout { op: "shutdown_prepare", elapsed_ms: 0 });
}

pub async fn an_engine_started_anew_takes_work(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.shutdown_prepare(GRACE).await.unwrap();
    case.restart().await;
    case.lease(id).await;
}
