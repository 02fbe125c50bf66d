//! Attempts that go on at the time their worker gave.

use crate::case::Case;
use crate::signals::soon;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::LeaseEpoch;
use leasehold_core::state::PublicState;

pub async fn the_attempt_goes_on_when_its_time_has_come(case: &mut Case) {
    let held = case.parked(5000).await.execution;
    let id = held.execution_id;
    case.pass(4999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Delayed)));
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(1));
    let again = tasks.unwrap().remove(0).claimed;
    assert_eq!((again.execution_id, again.kind, again.lease_epoch), (id, HandleKind::Resumed, LeaseEpoch(2)));
    assert_eq!(again.attempt_id, held.attempt_id);
}

pub async fn a_time_that_has_passed_wakes_it_at_once(case: &mut Case) {
    let held = case.leased().await;
    case.engine.delay(&held.handle, case.now().minus(1000)).await.unwrap();
    let tasks = soon(case, case.engine.poll_tasks(case.poll())).await;
    assert_eq!(tasks.unwrap()[0].claimed.execution_id, held.execution.execution_id);
}
