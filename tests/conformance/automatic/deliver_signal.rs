//! Executions that go on after a signal.

use crate::case::Case;
use leasehold_contract::{DeliverSignal, PollTasks, ResumeExecution, Task};
use leasehold_core::handle::HandleKind;
use leasehold_core::state::PublicState;
use leasehold_tests::harness::resumption;
use std::time::Duration;

async fn next_task(case: &Case, happens: impl Future<Output = ()>) -> Task {
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), happens);
    tasks.unwrap().remove(0)
}

pub async fn whoever_polls_is_given_the_resumed_execution(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let signal = case.signal_to(waiting.id, waiting.primary());
    let task = next_task(case, async {
        assert_eq!(case.deliver(signal.clone()).await, "resume_condition_satisfied");
    });
    let task = task.await.claimed;
    assert_eq!((task.execution_id, task.kind), (waiting.id, HandleKind::Resumed));
    assert_eq!((task.attempt_id, task.lease_epoch.0), (waiting.held.execution.attempt_id, 2));
    let handle = task.handle(case.backend.tag());
    assert_eq!(case.engine.observe_signals(&handle).await.unwrap()[0].signal_id, signal.signal_id);
    case.engine.complete(&handle, None).await.unwrap();
}

pub async fn a_resume_delay_ends_by_itself_and_not_before(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let args = DeliverSignal { resume_delay_ms: 5000, ..case.signal_to(waiting.id, waiting.primary()) };
    case.deliver(args).await;
    case.pass(4999).await;
    assert_eq!(case.engine.read_execution_state(waiting.id).await, Ok(Some(PublicState::Delayed)));
    let task = next_task(case, case.pass(1)).await.claimed;
    assert_eq!((task.execution_id, task.attempt_index.0), (waiting.id, 0));
}

pub async fn a_resume_delay_goes_on_under_the_next_engine(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.engine.resume_execution(ResumeExecution { resume_delay_ms: 5000, ..resumption(waiting.id) }).await.unwrap();
    case.kill_for(2000).await;
    case.pass(2999).await;
    assert_eq!(case.engine.read_execution_state(waiting.id).await, Ok(Some(PublicState::Delayed)));
    case.pass(1).await;
    assert_eq!(case.engine.read_execution_state(waiting.id).await, Ok(Some(PublicState::Resumable)));
    let task = next_task(case, async {}).await.claimed;
    assert_eq!(task.execution_id, waiting.id);
}

pub async fn a_suspended_execution_is_offered_to_nobody(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let poll = PollTasks { max_wait: Duration::from_secs(10), ..case.poll() };
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(poll), case.pass(10_000));
    assert!(tasks.unwrap().is_empty());
    case.kill().await;
    let poll = PollTasks { max_wait: Duration::from_secs(10), ..case.poll() };
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(poll), case.pass(10_000));
    assert!(tasks.unwrap().is_empty());
    assert_eq!(case.engine.read_execution_state(waiting.id).await, Ok(Some(PublicState::Suspended)));
}
