//! `claim`: a worker takes the next execution of a lane.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{ClaimPolicy, EngineResult, Handle};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::handle::{HandleKind, HandlePayload};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch, WorkerInstanceId};
use leasehold_core::state::AttemptType;
use leasehold_tests::harness::{INSTANCE, LANE, TTL_MS, WORKER};
use std::time::Duration;

const GPU: &str = r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#;

async fn claim(case: &Case, policy: &ClaimPolicy) -> EngineResult<Option<Handle>> {
    case.engine.claim(&LaneId::new(LANE), &CapabilitySet::EMPTY, policy).await
}

fn open(case: &Case, handle: &Handle) -> HandlePayload {
    handle.decode(case.backend.tag()).unwrap()
}

/// Takes whatever comes next; which execution it was.
async fn next(case: &Case) -> Option<ExecutionId> {
    claim(case, &case.policy()).await.unwrap().map(|handle| open(case, &handle).execution_id)
}

pub async fn the_best_execution_is_leased_to_the_worker(case: &mut Case) {
    case.waiting().await;
    let urgent = case.created(|args| args.priority = 3).await;
    case.advance(5);
    let handle = claim(case, &case.policy()).await.unwrap().expect("there is work");
    assert_eq!(handle.kind, HandleKind::Fresh);
    let held = open(case, &handle);
    assert_eq!((held.execution_id, held.attempt_index, held.lease_epoch), (urgent, AttemptIndex(0), LeaseEpoch(1)));
    assert_eq!((held.lease_ttl_ms, held.lane_id.as_str(), held.worker_instance_id.as_str()), (TTL_MS, LANE, INSTANCE));
    assert_eq!(case.vector(urgent).await, LEASED);
    assert_eq!(case.story(urgent).await, ["acquired 1"]);
    let record = case.record(urgent).await;
    let lease = record.lease.as_ref().unwrap();
    assert_eq!((lease.fence(), lease.worker_id.as_str()), (held.fence(), WORKER));
    assert_eq!(lease.expires_at, case.now().plus(TTL_MS));
    assert_eq!((record.total_attempt_count, record.started_at, record.grant.as_ref()), (1, Some(case.now()), None));
    case.engine.complete(&handle, None).await.expect("the handle is good");
}

pub async fn without_work_none_is_given(case: &mut Case) {
    assert_eq!(next(case).await, None);
    case.created(|args| args.lane_id = LaneId::new("other")).await;
    case.delayed(1000).await;
    case.granted().await;
    case.leased().await;
    case.completed().await;
    assert_eq!(next(case).await, None);
}

pub async fn priority_goes_before_age(case: &mut Case) {
    let low = case.waiting().await;
    case.advance(1);
    let first = case.created(|args| args.priority = 2).await;
    case.advance(1);
    let second = case.created(|args| args.priority = 2).await;
    assert_eq!([next(case).await, next(case).await, next(case).await], [Some(first), Some(second), Some(low)]);
}

pub async fn work_is_found_in_every_partition(case: &mut Case) {
    let mut ids = Vec::new();
    for partition in 0..case.partitions() {
        let at = |uuid| ExecutionId::from_parts(partition, uuid);
        ids.push(case.created(|args| args.execution_id = at(args.execution_id.uuid())).await);
    }
    let mut found = Vec::new();
    while let Some(id) = next(case).await {
        found.push(id);
    }
    found.sort();
    assert_eq!(found, ids);
}

pub async fn heads_the_worker_cannot_do_block_nothing(case: &mut Case) {
    for _ in 0..40 {
        case.created_under(GPU).await;
    }
    case.advance(1);
    let plain = case.waiting().await;
    assert_eq!(next(case).await, Some(plain));
    assert_eq!(next(case).await, None);
    let gpu = CapabilitySet::parse_offered(["gpu"]).unwrap();
    let taken = case.engine.claim(&LaneId::new(LANE), &gpu, &case.policy()).await.unwrap();
    assert!(taken.is_some());
}

pub async fn an_interrupted_attempt_is_continued(case: &mut Case) {
    let held = case.resumable().await.execution;
    let handle = claim(case, &case.policy()).await.unwrap().expect("there is work");
    assert_eq!(handle.kind, HandleKind::Resumed);
    let again = open(case, &handle);
    assert_eq!((again.execution_id, again.attempt_id), (held.execution_id, held.attempt_id));
    assert_eq!(again.lease_epoch, LeaseEpoch(2));
    let story = ["acquired 1", "released 1 worker_delay", "acquired 2 claim_resumed"];
    assert_eq!(case.story(held.execution_id).await, story);
}

pub async fn a_retry_starts_a_new_attempt(case: &mut Case) {
    let first = case.retrying().await.execution;
    case.advance(500);
    case.promote(first.execution_id).await;
    let handle = claim(case, &case.policy()).await.unwrap().expect("there is work");
    let second = open(case, &handle);
    assert_eq!((handle.kind, second.attempt_index), (HandleKind::Fresh, AttemptIndex(1)));
    let attempts = case.engine.list_attempts(first.execution_id, None, 10).await.unwrap().attempts;
    assert_eq!(attempts[1].attempt_type, AttemptType::Retry);
}

pub async fn workers_at_once_get_different_work(case: &mut Case) {
    let ids = [case.waiting().await, case.waiting().await, case.waiting().await];
    let (first, second, third, fourth) = tokio::join!(next(case), next(case), next(case), next(case));
    let mut found: Vec<_> = [first, second, third, fourth].into_iter().flatten().collect();
    found.sort();
    assert_eq!(found, ids);
}

pub async fn a_repeated_request_is_given_the_same_lease(case: &mut Case) {
    let id = case.waiting().await;
    case.waiting().await;
    let policy = ClaimPolicy { request_id: Some(case.request_id()), ..case.policy() };
    let first = claim(case, &policy).await.unwrap().expect("there is work");
    assert_eq!(open(case, &first).execution_id, id);
    let again = case.changes_nothing(id, claim(case, &policy)).await;
    assert_eq!(again, Some(first.clone()));
    case.kill().await;
    let again = case.changes_nothing(id, claim(case, &policy)).await;
    assert_eq!(again, Some(first));
}

pub async fn a_request_is_its_workers_own(case: &mut Case) {
    let first = case.waiting().await;
    let second = case.waiting().await;
    let policy = ClaimPolicy { request_id: Some(case.request_id()), ..case.policy() };
    let other = ClaimPolicy { worker_instance_id: WorkerInstanceId::new("worker-2"), ..policy.clone() };
    let mine = claim(case, &policy).await.unwrap().expect("there is work");
    let theirs = claim(case, &other).await.unwrap().expect("there is work");
    assert_eq!([open(case, &mine).execution_id, open(case, &theirs).execution_id], [first, second]);
}

pub async fn a_request_whose_lease_has_ended_takes_new_work(case: &mut Case) {
    let policy = ClaimPolicy { request_id: Some(case.request_id()), ..case.policy() };
    case.waiting().await;
    let first = claim(case, &policy).await.unwrap().expect("there is work");
    case.engine.complete(&first, None).await.unwrap();
    let second = case.waiting().await;
    let handle = claim(case, &policy).await.unwrap().expect("there is work");
    assert_eq!(open(case, &handle).execution_id, second);
}

pub async fn one_who_waits_is_given_what_comes(case: &mut Case) {
    let policy = ClaimPolicy { max_wait_ms: Some(60_000), ..case.policy() };
    let (handle, id) = tokio::join!(claim(case, &policy), case.waiting());
    let held = open(case, &handle.unwrap().expect("there is work"));
    assert_eq!(held.execution_id, id);
}

pub async fn one_who_waits_in_vain_is_told_so(case: &mut Case) {
    let policy = ClaimPolicy { max_wait_ms: Some(60_000), ..case.policy() };
    let (handle, ()) = tokio::join!(claim(case, &policy), case.pass(60_000));
    assert_eq!(handle, Ok(None));
}

pub async fn arguments_out_of_bounds_are_refused(case: &mut Case) {
    let id = case.waiting().await;
    for policy in [
        ClaimPolicy { lease_ttl_ms: 0, ..case.policy() },
        ClaimPolicy { lease_ttl_ms: 24 * 86_400_000 + 1, ..case.policy() },
    ] {
        case.refused(id, claim(case, &policy), "invalid_input").await;
    }
    // A requirement may hold what no worker may offer.
    let exotic = CapabilitySet::parse_required(["a\u{a0}b"]).unwrap();
    let (lane, policy) = (LaneId::new(LANE), case.policy());
    case.refused(id, case.engine.claim(&lane, &exotic, &policy), "invalid_input").await;
}

pub async fn an_engine_that_is_going_down_gives_none(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.shutdown_prepare(Duration::ZERO).await.unwrap();
    case.refused(id, claim(case, &case.policy()), "resource_exhausted").await;
    let waiting = ClaimPolicy { max_wait_ms: Some(60_000), ..case.policy() };
    case.refused(id, claim(case, &waiting), "resource_exhausted").await;
}
