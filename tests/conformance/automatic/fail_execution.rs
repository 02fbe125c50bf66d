//! Retries that come behind their backoff.

use crate::case::Case;
use crate::signals::soon;
use leasehold_contract::{FailOutcome, Task};
use leasehold_core::state::{AttemptType, PublicState};
use leasehold_tests::harness::act::failure;
use std::time::Duration;

async fn next_task(case: &Case, ms: u64) -> Task {
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(ms));
    tasks.unwrap().remove(0)
}

pub async fn a_retry_comes_when_its_backoff_is_over(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.pass(499).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Delayed)));
    let task = next_task(case, 1).await;
    assert_eq!((task.claimed.execution_id, task.claimed.attempt_type), (id, AttemptType::Retry));
    assert_eq!((task.claimed.attempt_index.0, task.retry_count), (1, 1));
}

pub async fn every_retry_waits_longer_until_none_is_left(case: &mut Case) {
    const POLICY: &str = r#"{"retry_policy":{"max_retries":3,"backoff":
        {"type":"exponential","initial_delay_ms":100,"max_delay_ms":10000,"multiplier":2.0}}}"#;
    let mut held = case.leased_under(POLICY).await.execution;
    for delay in [100, 200, 400] {
        let failed = case.engine.fail_execution(failure(&held)).await.unwrap();
        let FailOutcome::RetryScheduled { delay_until, .. } = failed else { panic!("no retry: {failed:?}") };
        assert_eq!(delay_until, case.now().plus(delay));
        held = next_task(case, delay).await.claimed;
    }
    let id = held.execution_id;
    let wait = case.engine.wait_terminal(id, Duration::from_secs(60));
    let (state, failed) = tokio::join!(wait, case.engine.fail_execution(failure(&held)));
    assert_eq!((state, failed), (Ok(Some(PublicState::Failed)), Ok(FailOutcome::TerminalFailed)));
    assert_eq!(case.engine.read_total_attempt_count(id).await, Ok(4));
}

pub async fn a_retry_that_falls_due_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.kill_for(2000).await;
    let task = soon(case, case.engine.poll_tasks(case.poll())).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.claimed.attempt_type), (id, AttemptType::Retry));
}
