//! `wait_children`: a worker gives its lease back until the executions it
//! depends on have ended. One that depends on none goes on at once.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::eligible;
use leasehold_contract::{Delayed, Handle};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::record::AttemptTimeout;
use leasehold_core::state::{AttemptLifecycle, PublicState};

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.wait_children(handle).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.wait_children(&held.handle(case.backend.tag())).await) })
}

under_lease!(marks);
handle_form!();

pub async fn without_children_the_attempt_is_due_to_go_on_at_once(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let created_at = case.now();
    case.advance(5);
    let outcome = case.engine.wait_children(&held.handle).await.unwrap();
    assert_eq!(outcome, Delayed { execution_id: id, public_state: PublicState::Resumable });
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 waiting_children"]);
    let record = case.record(id).await;
    assert_eq!((record.lease.as_ref(), record.current_attempt_id()), (None, Some(held.execution.attempt_id)));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.suspended_at), (AttemptLifecycle::Suspended, Some(case.now())));
    assert_eq!(attempt.suspension_id.as_deref(), Some("waiting_children"));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", created_at.0, None));
}

pub async fn what_is_left_of_the_attempts_time_is_kept(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await;
    case.advance(1000);
    case.engine.wait_children(&held.handle).await.unwrap();
    let record = case.record(held.execution.execution_id).await;
    assert_eq!(record.attempt_timeout, Some(AttemptTimeout::Remaining(9000)));
}

pub async fn a_repeat_finds_the_lease_gone(case: &mut Case) {
    let held = case.leased().await;
    case.engine.wait_children(&held.handle).await.unwrap();
    let again = case.engine.wait_children(&held.handle);
    case.refused(held.execution.execution_id, again, "execution_not_active").await;
}
