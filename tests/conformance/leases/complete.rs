//! `complete`: as `complete_execution`, under a handle.

use crate::case::Case;
use crate::fencing::{Answer, not_active, told, under_lease};
use crate::handles::handle_form;
use crate::states::ended;
use bytes::Bytes;
use leasehold_contract::{Completed, Handle};
use leasehold_core::command::{ClaimedExecution, PAYLOAD_BYTES_MAX};
use leasehold_core::handle::HandleKind;
use leasehold_core::state::{PublicState, TerminalOutcome};

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.complete(handle, None).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.complete(&held.handle(case.backend.tag()), None).await) })
}

under_lease!(marks);
handle_form!();

pub async fn a_worker_ends_its_execution_with_a_result(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let done = case.engine.complete(&held.handle, Some(Bytes::from_static(b"result"))).await.unwrap();
    assert_eq!(done, Completed { execution_id: id, public_state: PublicState::Completed });
    assert_eq!(case.vector(id).await, ended("success"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 completed", "completed success"]);
    assert_eq!(case.engine.get_execution_result(id).await.unwrap().as_deref(), Some(&b"result"[..]));
}

pub async fn an_empty_result_is_not_none(case: &mut Case) {
    for result in [None, Some(Bytes::new())] {
        let held = case.leased().await;
        case.engine.complete(&held.handle, result.clone()).await.unwrap();
        assert_eq!(case.engine.get_execution_result(held.execution.execution_id).await.unwrap(), result);
    }
}

pub async fn a_repeat_is_recognised_and_changes_nothing(case: &mut Case) {
    let held = case.leased().await;
    let done = case.engine.complete(&held.handle, Some(Bytes::from_static(b"first"))).await.unwrap();
    let repeat = case.engine.complete(&held.handle, Some(Bytes::from_static(b"second")));
    assert_eq!(case.changes_nothing(held.execution.execution_id, repeat).await, done);
}

pub async fn an_execution_that_ended_otherwise_is_not_active(case: &mut Case) {
    for outcome in [TerminalOutcome::Failed, TerminalOutcome::Cancelled] {
        let held = case.ended(outcome).await;
        let id = held.execution.execution_id;
        let error = case.refused(id, case.engine.complete(&held.handle, None), "execution_not_active").await;
        assert_eq!(not_active(&error).terminal_outcome, outcome);
    }
}

pub async fn a_result_over_the_limit_is_refused(case: &mut Case) {
    let held = case.leased().await;
    let large = Some(Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1]));
    let call = case.engine.complete(&held.handle, large);
    case.refused(held.execution.execution_id, call, "payload_too_large").await;
}

pub async fn the_kind_of_a_handle_carries_no_authority(case: &mut Case) {
    for kind in [HandleKind::Fresh, HandleKind::Resumed, HandleKind::Suspended, HandleKind::Reclaimed] {
        let held = case.leased().await;
        let handle = Handle { kind, ..held.handle };
        case.engine.complete(&handle, None).await.unwrap();
    }
}
