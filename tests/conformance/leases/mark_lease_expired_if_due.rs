//! `mark_lease_expired_if_due`: a lease that has run out is marked. Nothing
//! is an error here; what does not apply is an answer.

use crate::case::Case;
use crate::states::LAPSED;
use leasehold_contract::{MarkExpiredOutcome, MarkLeaseExpired};
use leasehold_core::ids::{ExecutionId, LeaseEpoch};
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::renewal;

async fn satisfied(case: &Case, execution_id: ExecutionId) -> &'static str {
    let call = case.engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id });
    match case.changes_nothing(execution_id, call).await {
        MarkExpiredOutcome::AlreadySatisfied { reason } => reason,
        MarkExpiredOutcome::MarkedExpired => panic!("it was marked"),
    }
}

pub async fn a_lease_that_ran_out_is_marked_and_can_be_reclaimed(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let before = case.record(id).await;
    case.advance(TTL_MS);
    let outcome = case.engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id: id }).await;
    assert_eq!(outcome, Ok(MarkExpiredOutcome::MarkedExpired));
    assert_eq!(case.vector(id).await, LAPSED);
    assert_eq!(case.story(id).await, ["acquired 1", "expired 1"]);
    let after = case.record(id).await;
    assert_eq!((after.lease_expired_at, after.lease_epoch), (Some(case.now()), LeaseEpoch(1)));
    assert_eq!((after.last_mutation_at, after.last_transition_at), (case.now(), before.last_transition_at));
    assert_eq!(after.lease.as_ref().map(leasehold_core::record::Lease::fence), Some(held.fence()));
    assert_eq!(after.attempt, before.attempt);
    assert_eq!(after.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::Started);
    assert_eq!(case.entry(id).await.queue, "active");
    case.reclaim_lost(id).await;
}

pub async fn a_lease_is_due_when_its_time_is_reached_and_not_before(case: &mut Case) {
    let id = case.leased().await.execution.execution_id;
    assert_eq!(satisfied(case, id).await, "not_yet_expired");
    case.advance(TTL_MS - 1);
    assert_eq!(satisfied(case, id).await, "not_yet_expired");
    case.advance(1);
    let outcome = case.engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id: id }).await;
    assert_eq!(outcome, Ok(MarkExpiredOutcome::MarkedExpired));
}

pub async fn a_renewal_that_is_only_promised_counts(case: &mut Case) {
    let held = case.leased().await.execution;
    case.advance(TTL_MS / 3);
    case.engine.renew_lease(renewal(&held)).await.unwrap();
    case.advance(TTL_MS - 1);
    assert_eq!(satisfied(case, held.execution_id).await, "not_yet_expired");
}

pub async fn a_repeat_finds_it_marked(case: &mut Case) {
    let id = case.lapsed().await.execution.execution_id;
    assert_eq!(satisfied(case, id).await, "already_expired");
    case.advance(1000);
    assert_eq!(satisfied(case, id).await, "already_expired");
}

pub async fn what_has_no_lease_to_mark_is_left_alone(case: &mut Case) {
    assert_eq!(satisfied(case, case.id()).await, "execution_not_found");
    assert_eq!(satisfied(case, case.id_in(case.partitions())).await, "execution_not_found");
    assert_eq!(satisfied(case, case.waiting().await).await, "not_active");
    assert_eq!(satisfied(case, case.parked(10).await.execution.execution_id).await, "not_active");
    let ended = case.ended(TerminalOutcome::Success).await.execution.execution_id;
    assert_eq!(satisfied(case, ended).await, "not_active");
    assert_eq!(satisfied(case, case.revoked().await.execution.execution_id).await, "already_revoked");
}
