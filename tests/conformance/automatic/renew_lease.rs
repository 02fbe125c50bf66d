//! Leases that live by their renewals, also over the end of an engine.

use crate::case::Case;
use crate::signals::{listen, soon, told};
use crate::states::LEASED;
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::{completion, renewal};

pub async fn renewals_keep_a_lease_alive(case: &mut Case) {
    let held = case.leased().await.execution;
    for _ in 0..12 {
        case.pass(TTL_MS / 3).await;
        case.engine.renew_lease(renewal(&held)).await.unwrap();
    }
    assert_eq!(case.vector(held.execution_id).await, LEASED);
    assert!(!case.story(held.execution_id).await.contains(&"expired 1".to_owned()));
    case.engine.complete_execution(completion(&held)).await.unwrap();
}

pub async fn without_more_renewals_it_lapses_when_the_last_one_ends(case: &mut Case) {
    let held = case.leased().await.execution;
    let mut listener = listen(case);
    case.pass(TTL_MS / 3).await;
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    case.pass(TTL_MS).await;
    assert_eq!(told(&mut listener, held.execution_id, "expired 1").await, renewed.expires_at);
}

pub async fn an_early_renewal_is_stored_by_half_its_time(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let mut listener = listen(case);
    case.pass(TTL_MS / 3).await;
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    assert_eq!(case.record(id).await.lease.as_ref().unwrap().expires_at, held.lease_expires_at);
    case.pass(TTL_MS / 2 - TTL_MS / 3).await;
    let stored_at = told(&mut listener, id, "renewed 1").await;
    assert_eq!(stored_at, held.lease_expires_at.minus(TTL_MS / 2));
    assert_eq!(case.record(id).await.lease.as_ref().unwrap().expires_at, renewed.expires_at);
}

pub async fn a_promise_outlives_the_engine_that_gave_it(case: &mut Case) {
    let held = case.leased().await.execution;
    case.pass(TTL_MS / 3).await;
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    case.kill().await;
    case.pass(renewed.expires_at.since(case.now()) - 1).await;
    assert_eq!(case.vector(held.execution_id).await, LEASED);
    case.engine.complete_execution(completion(&held)).await.expect("the lease was promised to this moment");
}

pub async fn an_inherited_lease_lapses_one_time_to_live_after_what_was_stored(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let due = held.lease_expires_at.plus(TTL_MS);
    case.pass(TTL_MS / 4).await;
    case.kill().await;
    let mut listener = listen(case);
    case.pass(due.since(case.now()) - 1).await;
    assert_eq!(case.vector(id).await, LEASED);
    case.pass(1).await;
    assert_eq!(told(&mut listener, id, "expired 1").await, due);
}

pub async fn takeover_after_takeover_keeps_nobody_alive(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let due = held.lease_expires_at.plus(TTL_MS);
    for _ in 0..5 {
        case.pass(TTL_MS / 3).await;
        case.kill().await;
    }
    let mut listener = listen(case);
    case.pass(due.since(case.now())).await;
    assert_eq!(told(&mut listener, id, "expired 1").await, due);
}

pub async fn a_lease_that_ended_while_no_engine_ran_is_found_lapsed(case: &mut Case) {
    let held = case.leased().await.execution;
    case.kill_for(2 * TTL_MS).await;
    let tasks = soon(case, case.engine.poll_tasks(case.poll())).await.unwrap();
    assert_eq!((tasks[0].claimed.execution_id, tasks[0].lease_reclaim_count), (held.execution_id, 1));
}

pub async fn a_holder_goes_on_renewing_with_the_next_engine(case: &mut Case) {
    let held = case.leased().await.execution;
    for _ in 0..6 {
        case.pass(TTL_MS / 3).await;
        case.engine.renew_lease(renewal(&held)).await.unwrap();
        case.kill().await;
    }
    assert_eq!(case.vector(held.execution_id).await, LEASED);
    case.engine.complete_execution(completion(&held)).await.unwrap();
}
