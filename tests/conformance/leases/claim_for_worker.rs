//! `claim_for_worker`: the scheduler finds work for a worker and promises it.

use crate::case::Case;
use crate::states::runnable;
use leasehold_contract::{ClaimForWorker, ClaimGrant};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::GrantPurpose;
use leasehold_tests::harness::TTL_MS;

const GPU: &str = r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#;

async fn promised(case: &Case) -> Option<ExecutionId> {
    case.engine.claim_for_worker(case.for_worker()).await.unwrap().map(|grant| grant.execution_id)
}

pub async fn the_best_execution_is_promised_to_the_worker(case: &mut Case) {
    case.waiting().await;
    let urgent = case.created(|args| args.priority = 3).await;
    let grant = case.engine.claim_for_worker(case.for_worker()).await.unwrap().expect("there is work");
    let expected = ClaimGrant {
        execution_id: urgent,
        partition_key: urgent.home().into(),
        grant_key: grant.grant_key.clone(),
        expires_at_ms: case.now().plus(TTL_MS),
    };
    assert_eq!(grant, expected);
    assert!(!grant.grant_key.is_empty());
    let stored = case.record(urgent).await.grant.clone().unwrap();
    assert_eq!((stored.purpose, stored.expires_at), (GrantPurpose::Claim, grant.expires_at_ms));
    assert_eq!(case.entry(urgent).await.queue, "ready");
    case.engine.claim_execution(case.claim(urgent)).await.expect("the grant is good");
}

pub async fn without_work_nothing_is_promised(case: &mut Case) {
    assert_eq!(promised(case).await, None);
    case.created(|args| args.lane_id = LaneId::new("other")).await;
    case.delayed(1000).await;
    case.leased().await;
    assert_eq!(promised(case).await, None);
}

pub async fn each_call_promises_another_execution(case: &mut Case) {
    let first = case.waiting().await;
    let second = case.waiting().await;
    assert_eq!(promised(case).await, Some(first));
    assert_eq!(promised(case).await, Some(second));
    assert_eq!(promised(case).await, None);
    case.advance(TTL_MS + 1);
    assert_eq!(promised(case).await, Some(first));
}

pub async fn work_is_found_in_every_partition(case: &mut Case) {
    for partition in 0..case.partitions() {
        let id = case.created(|args| args.execution_id = ExecutionId::from_parts(partition, args.execution_id.uuid()));
        let id = id.await;
        case.advance(250);
        assert_eq!(promised(case).await, Some(id));
    }
}

pub async fn what_the_worker_cannot_do_is_put_aside_and_the_next_promised(case: &mut Case) {
    let choosy = case.created_under(GPU).await;
    case.advance(1);
    let plain = case.waiting().await;
    assert_eq!(promised(case).await, Some(plain));
    let blocked = runnable("blocked_by_route", "waiting_for_capable_worker", "pending_first_attempt");
    assert_eq!(case.vector(choosy).await, blocked);
    let detail = case.record(choosy).await.blocking_detail.clone();
    assert_eq!(detail.as_deref(), Some("no connected worker satisfies required_capabilities"));
}

pub async fn a_worker_that_offers_enough_is_promised_it(case: &mut Case) {
    let choosy = case.created_under(GPU).await;
    let able = ClaimForWorker {
        worker_capabilities: CapabilitySet::parse_offered(["gpu", "eu"]).unwrap(),
        ..case.for_worker()
    };
    let grant = case.engine.claim_for_worker(able).await.unwrap();
    assert_eq!(grant.map(|grant| grant.execution_id), Some(choosy));
}

pub async fn several_unclaimable_heads_are_looked_past(case: &mut Case) {
    for _ in 0..9 {
        case.created_under(GPU).await;
        case.advance(1);
    }
    let plain = case.waiting().await;
    assert_eq!(promised(case).await, Some(plain));
}

pub async fn promised_heads_are_looked_past_however_many(case: &mut Case) {
    for _ in 0..25 {
        let id = case.waiting().await;
        case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    }
    case.advance(1);
    let free = case.waiting().await;
    assert_eq!(promised(case).await, Some(free));
}

pub async fn an_interrupted_execution_is_promised_alike(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    assert_eq!(promised(case).await, Some(id));
    case.engine.claim_resumed_execution(case.resume(id)).await.expect("the grant is good");
}

pub async fn workers_at_once_are_promised_different_work(case: &mut Case) {
    let ids = [case.waiting().await, case.waiting().await];
    let (first, second) = tokio::join!(promised(case), promised(case));
    let mut found = [first.unwrap(), second.unwrap()];
    found.sort();
    assert_eq!(found, ids);
}

pub async fn arguments_out_of_bounds_are_refused(case: &mut Case) {
    let id = case.waiting().await;
    let void = ClaimForWorker { grant_ttl_ms: 0, ..case.for_worker() };
    case.refused(id, case.engine.claim_for_worker(void), "invalid_input").await;
    // A requirement may hold what no worker may offer.
    let exotic = CapabilitySet::parse_required(["a\u{a0}b"]).unwrap();
    let odd = ClaimForWorker { worker_capabilities: exotic, ..case.for_worker() };
    case.refused(id, case.engine.claim_for_worker(odd), "invalid_input").await;
}
