//! Deadlines of suspensions.

use crate::case::Case;
use crate::signals::{listen, soon, told};
use crate::states::{eligible, ended, suspended};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{CloseReason, TimeoutBehavior};
use leasehold_core::state::PublicState;
use leasehold_tests::harness::Waiting;
use leasehold_tests::harness::act::completion;
use std::time::Duration;

const MINUTE_MS: u64 = 60_000;

async fn for_a_minute(case: &Case, behavior: TimeoutBehavior) -> Waiting {
    let at = case.now().plus(MINUTE_MS);
    case.suspended(|args| *args = args.clone().with_timeout(at, behavior)).await
}

async fn ends_as(case: &Case, id: ExecutionId, ms: u64, expected: PublicState) {
    let wait = case.engine.wait_terminal(id, Duration::from_secs(86_400));
    let (state, ()) = tokio::join!(wait, case.pass(ms));
    assert_eq!(state, Ok(Some(expected)));
}

async fn reason(case: &Case, id: ExecutionId) -> Option<CloseReason> {
    case.last_suspension(id).await.closed.map(|closed| closed.reason)
}

pub async fn the_deadline_ends_the_execution_at_its_time(case: &mut Case) {
    for (behavior, state, outcome, closed) in [
        (TimeoutBehavior::Fail, PublicState::Failed, "failed", CloseReason::TimedOutFail),
        (TimeoutBehavior::Cancel, PublicState::Cancelled, "cancelled", CloseReason::TimedOutCancel),
        (TimeoutBehavior::Expire, PublicState::Expired, "expired", CloseReason::TimedOutExpire),
    ] {
        let waiting = for_a_minute(case, behavior).await;
        let due = case.now().plus(MINUTE_MS);
        case.pass(MINUTE_MS - 1).await;
        assert_eq!(case.vector(waiting.id).await, suspended("waiting_for_signal"));
        ends_as(case, waiting.id, 1, state).await;
        assert_eq!(case.vector(waiting.id).await, ended(outcome));
        let completed = format!("completed {outcome}");
        assert_eq!(case.story(waiting.id).await, ["acquired 1", "released 1 suspend", &completed]);
        assert_eq!(
            (case.record(waiting.id).await.completed_at, reason(case, waiting.id).await),
            (Some(due), Some(closed))
        );
        assert_eq!(case.entry(waiting.id).await.due_at, None);
    }
}

pub async fn the_deadline_lets_it_go_on_and_leaves_a_signal(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::AutoResumeWithTimeoutSignal).await;
    let due = case.now().plus(MINUTE_MS);
    case.pass(MINUTE_MS - 1).await;
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(1));
    let task = tasks.unwrap().remove(0).claimed;
    assert_eq!((task.execution_id, task.attempt_id), (waiting.id, waiting.held.execution.attempt_id));
    assert_eq!(reason(case, waiting.id).await, Some(CloseReason::TimedOutAutoResume));
    let seen = case.engine.observe_signals(&task.handle(case.backend.tag())).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|signal| (signal.signal_name.as_str(), signal.accepted_at)).collect();
    assert_eq!(seen, [("__timeout__", due)]);
    // The deadline is over: it does not meet the running execution.
    case.pass(MINUTE_MS / 4).await;
    case.engine.complete_execution(completion(&task)).await.unwrap();
}

pub async fn the_deadline_hands_it_to_an_operator_once(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::Escalate).await;
    let due = case.now().plus(MINUTE_MS);
    case.pass(MINUTE_MS).await;
    assert_eq!(case.vector(waiting.id).await, suspended("paused_by_operator"));
    assert_eq!(case.record(waiting.id).await.last_transition_at, due);
    let before = case.record(waiting.id).await;
    case.pass(100 * MINUTE_MS).await;
    assert_eq!(case.record(waiting.id).await, before);
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn a_signal_in_time_stops_the_deadline(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::Fail).await;
    case.pass(MINUTE_MS - 1).await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    case.pass(MINUTE_MS).await;
    assert_eq!(case.vector(waiting.id).await, eligible("attempt_interrupted"));
    assert_eq!(reason(case, waiting.id).await, Some(CloseReason::Resumed));
}

pub async fn the_deadline_of_the_next_suspension_is_its_own(case: &mut Case) {
    let first = for_a_minute(case, TimeoutBehavior::Fail).await;
    case.deliver(case.signal_to(first.id, first.primary())).await;
    let held = case.take_again(first.id).await;
    let args = case.suspension().with_timeout(case.now().plus(2 * MINUTE_MS), TimeoutBehavior::Cancel);
    case.suspend(held, args).await;
    case.pass(2 * MINUTE_MS - 1).await;
    assert_eq!(case.vector(first.id).await, suspended("waiting_for_signal"));
    ends_as(case, first.id, 1, PublicState::Cancelled).await;
}

pub async fn a_deadline_in_the_past_acts_at_once(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let args = case.suspension().with_timeout(case.now().minus(5), TimeoutBehavior::Expire);
    case.suspend(held, args).await;
    let state = soon(case, case.engine.wait_terminal(id, Duration::from_secs(60))).await;
    assert_eq!(state, Ok(Some(PublicState::Expired)));
}

pub async fn a_deadline_that_passes_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let failing = for_a_minute(case, TimeoutBehavior::Fail).await.id;
    let resuming = for_a_minute(case, TimeoutBehavior::AutoResumeWithTimeoutSignal).await.id;
    let escalating = for_a_minute(case, TimeoutBehavior::Escalate).await.id;
    case.kill_for(10 * MINUTE_MS).await;
    case.pass(5).await;
    assert_eq!(case.vector(failing).await, ended("failed"));
    assert_eq!(case.vector(resuming).await, eligible("attempt_interrupted"));
    assert_eq!(case.vector(escalating).await, suspended("paused_by_operator"));
}

pub async fn a_deadline_goes_on_under_the_next_engine(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::Fail).await;
    case.pass(MINUTE_MS / 2).await;
    case.kill().await;
    let mut listener = listen(case);
    let due = case.now().plus(MINUTE_MS / 2);
    case.pass(MINUTE_MS / 2).await;
    assert_eq!(told(&mut listener, waiting.id, "completed failed").await, due);
}

pub async fn the_executions_deadline_ends_it_while_it_is_suspended(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":10000}}"#).await;
    let args = case.suspension().with_timeout(case.now().plus(MINUTE_MS), TimeoutBehavior::Cancel);
    let waiting = case.suspend(held, args).await;
    ends_as(case, waiting.id, 10_000, PublicState::Expired).await;
    assert_eq!(reason(case, waiting.id).await, Some(CloseReason::ExecutionDeadline));
    case.pass(MINUTE_MS).await;
    assert_eq!(case.vector(waiting.id).await, ended("expired"));
}

pub async fn the_attempts_time_stands_still_while_it_is_suspended(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await;
    case.pass(4000).await;
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    case.pass(100 * MINUTE_MS).await;
    assert_eq!(case.vector(waiting.id).await, suspended("waiting_for_signal"));
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    case.take_again(waiting.id).await;
    case.pass(5999).await;
    assert_eq!(case.engine.read_execution_state(waiting.id).await, Ok(Some(PublicState::Active)));
    ends_as(case, waiting.id, 1, PublicState::Expired).await;
}

pub async fn a_storm_of_deadlines_leaves_nobody_behind(case: &mut Case) {
    let mut ids = Vec::new();
    for at in 0..150 {
        let behavior = [TimeoutBehavior::Fail, TimeoutBehavior::Escalate][at % 2];
        ids.push((for_a_minute(case, behavior).await.id, behavior));
    }
    case.pass(MINUTE_MS + 5).await;
    for (id, behavior) in ids {
        let expected =
            if behavior == TimeoutBehavior::Fail { ended("failed") } else { suspended("paused_by_operator") };
        assert_eq!(case.vector(id).await, expected);
    }
}

pub async fn nothing_happens_while_nothing_is_due(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let before = case.record(waiting.id).await;
    case.pass(1000 * 86_400_000).await;
    assert_eq!(case.record(waiting.id).await, before);
}
