//! `delay`: a worker gives its lease back, and the same attempt goes on at a
//! later time.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::{delayed, eligible};
use leasehold_contract::{Delayed, Handle};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::AttemptTimeout;
use leasehold_core::state::{AttemptLifecycle, PublicState};

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.delay(handle, case.now().plus(1000)).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.delay(&held.handle(case.backend.tag()), case.now().plus(1000)).await) })
}

under_lease!(marks);
handle_form!();

pub async fn the_lease_is_given_back_and_the_attempt_kept(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    case.advance(5);
    let until = case.now().plus(1000);
    let outcome = case.engine.delay(&held.handle, until).await.unwrap();
    assert_eq!(outcome, Delayed { execution_id: id, public_state: PublicState::Delayed });
    assert_eq!(case.vector(id).await, delayed("waiting_for_delay", "attempt_interrupted"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 worker_delay"]);
    let record = case.record(id).await;
    assert_eq!((record.delay_until, record.lease.as_ref()), (Some(until), None));
    assert_eq!(record.lease_epoch, held.execution.lease_epoch);
    assert_eq!(record.current_attempt_id(), Some(held.execution.attempt_id));
    assert_eq!((record.current_attempt_index(), record.total_attempt_count), (AttemptIndex(0), 1));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.suspended_at), (AttemptLifecycle::Suspended, Some(case.now())));
    assert_eq!((attempt.suspension_id.as_deref(), attempt.ended_at), (Some("worker_delay"), None));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("delayed", until.0, Some(until)));
}

pub async fn a_time_that_has_passed_is_due_at_once(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let outcome = case.engine.delay(&held.handle, case.now().minus(1)).await.unwrap();
    assert_eq!(outcome.public_state, PublicState::Delayed);
    case.promote(id).await;
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
}

pub async fn what_is_left_of_the_attempts_time_is_kept_and_the_deadline_too(case: &mut Case) {
    let held =
        case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000,"execution_deadline_ms":90000}}"#).await;
    let id = held.execution.execution_id;
    let created_at = case.now();
    case.advance(4000);
    case.engine.delay(&held.handle, case.now().plus(20_000)).await.unwrap();
    let record = case.record(id).await;
    assert_eq!(record.attempt_timeout, Some(AttemptTimeout::Remaining(6000)));
    assert_eq!(record.deadline_at, Some(created_at.plus(90_000)));
    case.advance(20_000);
    case.promote(id).await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.engine.claim_resumed_execution(case.resume(id)).await.unwrap();
    assert_eq!(case.record(id).await.attempt_timeout, Some(AttemptTimeout::At(case.now().plus(6000))));
}

pub async fn a_repeat_finds_the_lease_gone(case: &mut Case) {
    let held = case.leased().await;
    let until = case.now().plus(1000);
    case.engine.delay(&held.handle, until).await.unwrap();
    let again = case.engine.delay(&held.handle, until);
    case.refused(held.execution.execution_id, again, "execution_not_active").await;
}

pub async fn an_attempt_may_be_delayed_again_and_again(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let mut handle = held.handle;
    for epoch in 1..=4 {
        case.engine.delay(&handle, case.now().plus(10)).await.unwrap();
        case.advance(10);
        case.promote(id).await;
        case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
        let again = case.engine.claim_resumed_execution(case.resume(id)).await.unwrap();
        assert_eq!(again.execution.lease_epoch.0, epoch + 1);
        assert_eq!(again.execution.attempt_id, held.execution.attempt_id);
        handle = again.handle;
    }
    assert_eq!(case.engine.read_total_attempt_count(id).await, Ok(1));
}
