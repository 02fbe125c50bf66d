//! `progress`: a worker says how far it is.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::LEASED;
use leasehold_contract::Handle;
use leasehold_core::command::ClaimedExecution;

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.progress(handle, Some(50), None).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.progress(&held.handle(case.backend.tag()), Some(50), None).await) })
}

under_lease!(reports);
handle_form!();

pub async fn what_is_given_is_noted_and_the_rest_left(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    for (percent, message, noted) in [
        (Some(10), Some("reading"), (Some(10), Some("reading"))),
        (Some(20), None, (Some(20), Some("reading"))),
        (None, Some("writing"), (Some(20), Some("writing"))),
        (None, None, (Some(20), Some("writing"))),
        (Some(0), Some(""), (Some(0), Some(""))),
        (Some(100), None, (Some(100), Some(""))),
    ] {
        case.advance(5);
        let updated = case.engine.progress(&held.handle, percent, message.map(str::to_owned)).await.unwrap();
        assert_eq!(updated.updated_at, case.now());
        let record = case.record(id).await;
        assert_eq!((record.progress.percent, record.progress.message.as_deref()), noted);
        assert_eq!(record.progress.updated_at, Some(case.now()));
        assert_eq!(record.last_mutation_at, case.now());
    }
}

pub async fn nothing_but_the_progress_changes(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let (before, entry) = (case.record(id).await, case.entry(id).await);
    case.advance(5);
    case.engine.progress(&held.handle, Some(10), None).await.unwrap();
    let after = case.record(id).await;
    assert_eq!((case.vector(id).await, case.entry(id).await), (LEASED, entry));
    assert_eq!((&after.lease, &after.attempt), (&before.lease, &before.attempt));
    assert_eq!(after.last_transition_at, before.last_transition_at);
    assert_eq!(case.story(id).await, ["acquired 1"]);
}

pub async fn progress_may_go_back(case: &mut Case) {
    let held = case.leased().await;
    case.engine.progress(&held.handle, Some(90), None).await.unwrap();
    case.engine.progress(&held.handle, Some(10), None).await.unwrap();
    assert_eq!(case.record(held.execution.execution_id).await.progress.percent, Some(10));
}

pub async fn more_than_all_is_refused(case: &mut Case) {
    let held = case.leased().await;
    for percent in [101, 255] {
        let call = case.engine.progress(&held.handle, Some(percent), None);
        case.refused(held.execution.execution_id, call, "invalid_input").await;
    }
}

pub async fn a_message_no_store_can_keep_is_refused(case: &mut Case) {
    let held = case.leased().await;
    for message in ["m".repeat(4097), "a\0b".to_owned()] {
        let call = case.engine.progress(&held.handle, None, Some(message));
        case.refused(held.execution.execution_id, call, "invalid_input").await;
    }
}

pub async fn progress_outlives_a_crash(case: &mut Case) {
    let held = case.leased().await;
    case.engine.progress(&held.handle, Some(40), Some("halfway".to_owned())).await.unwrap();
    case.kill().await;
    let record = case.record(held.execution.execution_id).await;
    assert_eq!((record.progress.percent, record.progress.message.as_deref()), (Some(40), Some("halfway")));
    case.engine.progress(&held.handle, Some(41), None).await.expect("the lease is still in force");
}
