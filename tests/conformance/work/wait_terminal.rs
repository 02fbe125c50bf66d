//! `wait_terminal`: a client waits until an execution has ended.

use crate::case::Case;
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act::{cancellation, completion, failure};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(60);

pub async fn what_has_ended_is_told_at_once(case: &mut Case) {
    for (outcome, label) in [
        (TerminalOutcome::Success, PublicState::Completed),
        (TerminalOutcome::Failed, PublicState::Failed),
        (TerminalOutcome::Cancelled, PublicState::Cancelled),
        (TerminalOutcome::Expired, PublicState::Expired),
    ] {
        let id = case.ended(outcome).await.execution.execution_id;
        assert_eq!(case.engine.wait_terminal(id, Duration::ZERO).await, Ok(Some(label)));
        case.restart().await;
        assert_eq!(case.engine.wait_terminal(id, WAIT).await, Ok(Some(label)));
    }
}

pub async fn the_end_wakes_everybody_who_waits(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let engine = &case.engine;
    let (first, second, done) = tokio::join!(
        engine.wait_terminal(id, WAIT),
        engine.wait_terminal(id, WAIT),
        engine.complete_execution(completion(&held))
    );
    done.unwrap();
    assert_eq!((first, second), (Ok(Some(PublicState::Completed)), Ok(Some(PublicState::Completed))));
}

pub async fn a_retry_is_no_end(case: &mut Case) {
    let held = case.leased_under(r#"{"retry_policy":{"max_retries":1}}"#).await.execution;
    let id = held.execution_id;
    let (state, ()) = tokio::join!(case.engine.wait_terminal(id, WAIT), async {
        case.engine.fail_execution(failure(&held)).await.unwrap();
        case.pass(60_000).await;
    });
    assert_eq!(state, Ok(None));
}

pub async fn a_wait_in_vain_ends_when_its_time_is_up(case: &mut Case) {
    let id = case.waiting().await;
    let (state, ()) = tokio::join!(case.engine.wait_terminal(id, WAIT), case.pass(60_000));
    assert_eq!(state, Ok(None));
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(case.engine.wait_terminal(id, WAIT).await, Ok(Some(PublicState::Cancelled)));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    case.code(case.engine.wait_terminal(case.id(), WAIT).await, "execution_not_found");
    case.code(case.engine.wait_terminal(case.id_in(case.partitions()), WAIT).await, "execution_not_found");
}
