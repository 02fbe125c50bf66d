//! `renew_lease`: a holder moves the expiry of its live lease.
//!
//! A renewal early in a lease's life is answered from memory and stored
//! later, so what it writes is looked at in the second half.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::states::LEASED;
use leasehold_contract::{FenceTriple, RenewLease};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::renewal;

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.renew_lease(renewal(held)).await) })
}

under_lease!(marks);

pub async fn the_expiry_moves_and_ids_and_epoch_stay(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let before = case.record(id).await;
    case.advance(20_000);
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    assert_eq!((renewed.expires_at, renewed.lease_epoch), (case.now().plus(TTL_MS), held.lease_epoch));
    let after = case.record(id).await;
    let lease = after.lease.as_ref().unwrap();
    assert_eq!(lease.fence(), held.fence());
    assert_eq!(lease.expires_at, case.now().plus(TTL_MS));
    assert_eq!(lease.renewal_deadline, case.now().plus(20_000));
    assert_eq!(lease.last_renewed_at, case.now());
    assert_eq!(after.last_mutation_at, case.now());
    assert_eq!(after.last_transition_at, before.last_transition_at);
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.entry(id).await.score, case.now().plus(TTL_MS).0);
    assert_eq!(case.story(id).await, ["acquired 1", "renewed 1"]);
}

pub async fn a_renewal_may_shorten_the_lease(case: &mut Case) {
    let held = case.leased().await.execution;
    let renewed = case.engine.renew_lease(RenewLease { lease_ttl_ms: 10, ..renewal(&held) }).await.unwrap();
    assert_eq!(renewed.expires_at, case.now().plus(10));
    case.advance(10);
    case.code(case.engine.renew_lease(renewal(&held)).await, "lease_expired");
}

pub async fn a_changed_time_to_live_is_stored_at_once(case: &mut Case) {
    let held = case.leased().await.execution;
    for lease_ttl_ms in [TTL_MS * 2, 1] {
        case.engine.renew_lease(RenewLease { lease_ttl_ms, ..renewal(&held) }).await.unwrap();
        let lease = case.record(held.execution_id).await.lease.clone().unwrap();
        assert_eq!((lease.ttl_ms, lease.expires_at), (lease_ttl_ms, case.now().plus(lease_ttl_ms)));
        assert_eq!(lease.renewal_deadline, case.now().plus(lease_ttl_ms * 2 / 3));
    }
}

pub async fn renewals_repeat(case: &mut Case) {
    let held = case.leased().await.execution;
    for _ in 0..20 {
        case.advance(TTL_MS / 3);
        let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
        assert_eq!(renewed.expires_at, case.now().plus(TTL_MS));
    }
    assert_eq!(case.vector(held.execution_id).await, LEASED);
}

pub async fn an_early_renewal_is_answered_before_it_is_stored(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    case.advance(TTL_MS / 3);
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    assert_eq!(renewed.expires_at, case.now().plus(TTL_MS));
    assert_eq!(case.record(id).await.lease.as_ref().unwrap().expires_at, held.lease_expires_at);
    let shown = case.engine.describe_execution(id).await.unwrap().unwrap();
    assert_eq!(shown.current_lease.unwrap().expires_at, renewed.expires_at);
    case.advance(TTL_MS / 3 * 2);
    let renewed = case.engine.renew_lease(renewal(&held)).await.expect("the promise holds beyond the stored expiry");
    assert_eq!(case.record(id).await.lease.as_ref().unwrap().expires_at, renewed.expires_at);
}

pub async fn early_renewals_promise_one_time_to_live_beyond_what_is_stored(case: &mut Case) {
    let held = case.leased().await.execution;
    case.advance(TTL_MS / 2 - 1);
    let renewed = case.engine.renew_lease(renewal(&held)).await.unwrap();
    assert_eq!(renewed.expires_at, case.now().plus(TTL_MS));
    assert!(renewed.expires_at <= held.lease_expires_at.plus(TTL_MS));
    case.advance(TTL_MS);
    case.code(case.engine.renew_lease(renewal(&held)).await, "lease_expired");
    assert_eq!(case.story(held.execution_id).await, ["acquired 1", "expired 1"]);
}

pub async fn another_attempt_index_is_stale(case: &mut Case) {
    let held = case.leased().await.execution;
    let other = RenewLease { attempt_index: AttemptIndex(1), ..renewal(&held) };
    case.refused(held.execution_id, case.engine.renew_lease(other), "stale_lease").await;
}

pub async fn nobody_renews_without_a_whole_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let none = RenewLease { fence: FenceTriple::NONE, ..renewal(&held) };
    case.refused(id, case.engine.renew_lease(none), "fence_required").await;
    let whole: FenceTriple = held.fence().into();
    for fence in [
        FenceTriple { lease_id: None, ..whole },
        FenceTriple { lease_epoch: None, ..whole },
        FenceTriple { attempt_id: None, ..whole },
    ] {
        let partial = RenewLease { fence, ..renewal(&held) };
        case.refused(id, case.engine.renew_lease(partial), "partial_fence_triple").await;
    }
}

pub async fn a_lease_lasts_from_a_millisecond_to_24_days(case: &mut Case) {
    let held = case.leased().await.execution;
    for lease_ttl_ms in [0, 24 * 86_400_000 + 1, u64::MAX] {
        let odd = RenewLease { lease_ttl_ms, ..renewal(&held) };
        case.refused(held.execution_id, case.engine.renew_lease(odd), "invalid_input").await;
    }
}
