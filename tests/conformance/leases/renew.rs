//! `renew`: as `renew_lease`, for the time the handle says.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use leasehold_contract::Handle;
use leasehold_core::command::ClaimedExecution;
use leasehold_tests::harness::TTL_MS;

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.renew(handle).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.renew(&held.handle(case.backend.tag())).await) })
}

under_lease!(marks);
handle_form!();

pub async fn the_handle_says_for_how_long(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let mut claim = case.claim(id);
    claim.lease_ttl_ms = 1000;
    let held = case.engine.claim_execution(claim).await.unwrap();
    case.advance(700);
    let renewed = case.engine.renew(&held.handle).await.unwrap();
    assert_eq!((renewed.expires_at, renewed.lease_epoch), (case.now().plus(1000), held.execution.lease_epoch));
    assert_eq!(case.story(id).await, ["acquired 1", "renewed 1"]);
}

pub async fn the_same_handle_renews_again_and_again(case: &mut Case) {
    let held = case.leased().await;
    for _ in 0..10 {
        case.advance(TTL_MS - 1);
        let renewed = case.engine.renew(&held.handle).await.unwrap();
        assert_eq!(renewed.expires_at, case.now().plus(TTL_MS));
    }
}

pub async fn a_handle_that_asks_for_no_time_or_for_ever_is_refused(case: &mut Case) {
    let held = case.leased().await.execution;
    for lease_ttl_ms in [0, 24 * 86_400_000 + 1] {
        let odd = ClaimedExecution { lease_ttl_ms, ..held.clone() };
        case.refused(held.execution_id, call(case, &odd), "invalid_input").await;
    }
}
