//! `cancel`: a worker cancels what it holds.

use crate::case::Case;
use crate::fencing::{Answer, forgeries, told};
use crate::handles::handle_form;
use crate::states::ended;
use leasehold_contract::{Cancelled, Handle};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::state::{PublicState, TerminalOutcome};

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.cancel(handle, "wrong input".to_owned()).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.cancel(&held.handle(case.backend.tag()), "wrong input".to_owned()).await) })
}

handle_form!();

pub async fn the_execution_ends_as_cancelled_by_its_worker(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let outcome = case.engine.cancel(&held.handle, "wrong input".to_owned()).await.unwrap();
    assert_eq!(outcome, Cancelled { execution_id: id, public_state: PublicState::Cancelled });
    assert_eq!(case.vector(id).await, ended("cancelled"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 cancelled", "completed cancelled"]);
    let record = case.record(id).await;
    assert_eq!(record.cancellation_reason.as_deref(), Some("wrong input"));
    assert_eq!(record.cancelled_by.as_deref(), Some("worker"));
}

pub async fn a_repeat_finds_it_cancelled(case: &mut Case) {
    let held = case.ended(TerminalOutcome::Cancelled).await;
    let again = case.engine.cancel(&held.handle, "once more".to_owned());
    let outcome = case.changes_nothing(held.execution.execution_id, again).await;
    assert_eq!(outcome.public_state, PublicState::Cancelled);
}

pub async fn a_lapse_is_no_obstacle_until_somebody_reclaims(case: &mut Case) {
    for held in [case.overdue().await, case.lapsed().await] {
        case.engine.cancel(&held.handle, String::new()).await.unwrap();
    }
    let lost = case.lapsed().await;
    case.reclaim_lost(lost.execution.execution_id).await;
    case.refused(lost.execution.execution_id, call(case, &lost.execution), "stale_lease").await;
}

pub async fn every_part_of_the_fence_counts(case: &mut Case) {
    let held = case.leased().await.execution;
    for forged in forgeries(&held) {
        case.refused(held.execution_id, call(case, &forged), "stale_lease").await;
    }
}

pub async fn a_revoked_lease_is_refused(case: &mut Case) {
    let held = case.revoked().await.execution;
    case.refused(held.execution_id, call(case, &held), "lease_revoked").await;
}

pub async fn what_ended_or_was_given_back_is_not_active(case: &mut Case) {
    for held in [
        case.ended(TerminalOutcome::Success).await,
        case.ended(TerminalOutcome::Expired).await,
        case.parked(1000).await,
        case.retrying().await,
    ] {
        case.refused(held.execution.execution_id, call(case, &held.execution), "execution_not_active").await;
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let held = case.leased().await.execution;
    let stranger = ClaimedExecution { execution_id: case.id(), ..held };
    case.refused(stranger.execution_id, call(case, &stranger), "execution_not_found").await;
}

pub async fn a_reason_no_store_can_keep_is_refused(case: &mut Case) {
    let held = case.leased().await;
    for reason in ["r".repeat(4097), "a\0b".to_owned()] {
        let call = case.engine.cancel(&held.handle, reason);
        case.refused(held.execution.execution_id, call, "invalid_input").await;
    }
}
