//! `fail_execution`: a holder ends its attempt in failure, and the rule says
//! whether another one follows.

use crate::case::Case;
use crate::fencing::{Answer, forgeries, not_active, told, under_lease};
use crate::states::{delayed, ended};
use leasehold_contract::{CommandSource, FailExecution, FailOutcome, FenceTriple};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::Pending;
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_tests::harness::act::failure;

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.fail_execution(failure(held)).await) })
}

under_lease!(marks);

const ONE_RETRY: &str = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":500}}}"#;

fn unfenced(held: &ClaimedExecution) -> FailExecution {
    FailExecution { fence: FenceTriple::NONE, source: CommandSource::OperatorOverride, ..failure(held) }
}

pub async fn a_retry_is_scheduled_behind_its_backoff(case: &mut Case) {
    let held = case.leased_under(ONE_RETRY).await.execution;
    let id = held.execution_id;
    case.advance(5);
    let outcome = case.engine.fail_execution(failure(&held)).await.unwrap();
    let delay_until = case.now().plus(500);
    assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until, next_attempt_index: AttemptIndex(1) });
    assert_eq!(case.vector(id).await, delayed("waiting_for_retry_backoff", "pending_retry_attempt"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 failed_retry_scheduled"]);
    let record = case.record(id).await;
    assert_eq!((record.retry_count, record.total_attempt_count), (1, 1));
    assert_eq!((record.delay_until, record.failure_reason.as_deref()), (Some(delay_until), Some("broken pipe")));
    assert_eq!((record.current_attempt_id(), record.current_attempt_index()), (None, AttemptIndex(0)));
    assert_eq!((record.lease.as_ref(), record.lease_epoch, record.completed_at), (None, held.lease_epoch, None));
    let Some(Pending::Retry { reason, previous_attempt_index, .. }) = &record.pending else {
        panic!("no retry pending: {:?}", record.pending);
    };
    assert_eq!((reason.as_str(), *previous_attempt_index), ("broken pipe", AttemptIndex(0)));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.ended_at), (AttemptLifecycle::EndedFailure, Some(case.now())));
    assert_eq!(attempt.failure_reason.as_deref(), Some("broken pipe"));
    assert_eq!(attempt.failure_category.as_deref(), Some("net"));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("delayed", delay_until.0, Some(delay_until)));
}

pub async fn without_a_policy_the_execution_fails_for_good(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    case.advance(5);
    assert_eq!(case.engine.fail_execution(failure(&held)).await, Ok(FailOutcome::TerminalFailed));
    assert_eq!(case.vector(id).await, ended("failed"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 failed_terminal", "completed failed"]);
    let record = case.record(id).await;
    assert_eq!((record.completed_at, record.failure_reason.as_deref()), (Some(case.now()), Some("broken pipe")));
    assert_eq!((record.retry_count, record.lease.as_ref()), (0, None));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("terminal", case.now().0, None));
}

pub async fn retries_end_when_they_are_used_up(case: &mut Case) {
    let held = case.leased_under(ONE_RETRY).await.execution;
    let id = held.execution_id;
    case.engine.fail_execution(failure(&held)).await.unwrap();
    case.advance(500);
    case.promote(id).await;
    let again = case.lease(id).await.execution;
    assert_eq!(again.attempt_index, AttemptIndex(1));
    assert_eq!(case.engine.fail_execution(failure(&again)).await, Ok(FailOutcome::TerminalFailed));
    let record = case.record(id).await;
    assert_eq!((record.retry_count, record.total_attempt_count), (1, 2));
    let attempts = case.engine.list_attempts(id, None, 10).await.unwrap().attempts;
    let ends: Vec<_> = attempts.iter().map(|attempt| attempt.lifecycle).collect();
    assert_eq!(ends, [AttemptLifecycle::EndedFailure, AttemptLifecycle::EndedFailure]);
}

/// When each of the failures of a row goes on, in ms after it.
async fn delays(case: &Case, policy: &'static str, failures: usize) -> Vec<u64> {
    let mut held = case.leased_under(policy).await.execution;
    let mut delays = Vec::new();
    loop {
        let FailOutcome::RetryScheduled { delay_until, .. } = case.engine.fail_execution(failure(&held)).await.unwrap()
        else {
            panic!("no retry after {delays:?}");
        };
        let delay = delay_until.since(case.now());
        assert!(delay_until >= case.now(), "a delay into the past");
        delays.push(delay);
        if delays.len() == failures {
            return delays;
        }
        case.advance(delay);
        case.promote(held.execution_id).await;
        held = case.lease(held.execution_id).await.execution;
    }
}

pub async fn backoff_follows_the_policy(case: &mut Case) {
    for (policy, expected) in [
        (r#"{"retry_policy":{"max_retries":9,"backoff":{"type":"fixed","delay_ms":7}}}"#, vec![7, 7, 7]),
        (r#"{"retry_policy":{"max_retries":9,"backoff":{"type":"fixed"}}}"#, vec![1000]),
        (r#"{"retry_policy":{"max_retries":9,"backoff":{"type":"fixed","delay_ms":0}}}"#, vec![0]),
        (r#"{"retry_policy":{"max_retries":9}}"#, vec![1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]),
        (
            r#"{"retry_policy":{"max_retries":9,"backoff":
                {"type":"exponential","initial_delay_ms":100,"max_delay_ms":1000,"multiplier":3.0}}}"#,
            vec![100, 300, 900, 1000],
        ),
        (
            r#"{"retry_policy":{"max_retries":9,"backoff":
                {"type":"exponential","initial_delay_ms":3,"max_delay_ms":1000,"multiplier":1.5}}}"#,
            vec![3, 4, 6, 10],
        ),
        (
            r#"{"retry_policy":{"max_retries":9,"backoff":
                {"type":"exponential","initial_delay_ms":10,"max_delay_ms":50,"multiplier":1e300}}}"#,
            vec![10, 50, 50],
        ),
        (r#"{"retry_policy":{"max_retries":9,"backoff":{"type":"fibonacci","delay_ms":5}}}"#, vec![1000]),
        (r#"{"retry_policy":{"max_retries":9,"backoff":{}}}"#, vec![1000]),
    ] {
        assert_eq!(delays(case, policy, expected.len()).await, expected, "{policy}");
    }
}

pub async fn jitter_shortens_and_varies(case: &mut Case) {
    const POLICY: &str = r#"{"retry_policy":{"max_retries":9,"backoff":
        {"type":"exponential","initial_delay_ms":1000000,"max_delay_ms":1000000,"multiplier":1,"jitter":true}}}"#;
    let drawn = delays(case, POLICY, 6).await;
    assert!(drawn.iter().all(|delay| *delay <= 1_000_000), "{drawn:?}");
    assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "{drawn:?}");
}

pub async fn the_class_may_rule_a_retry_out(case: &mut Case) {
    use leasehold_core::backoff::FailureClass::{Cancelled, InfraCrash, Permanent, Timeout, Transient};
    for (class, retried) in [
        (None, true),
        (Some(Transient), true),
        (Some(InfraCrash), true),
        (Some(Timeout), true),
        (Some(Permanent), false),
        (Some(Cancelled), false),
    ] {
        let held = case.leased_under(ONE_RETRY).await.execution;
        let fail = FailExecution { failure_class: class, ..failure(&held) };
        let outcome = case.engine.fail_execution(fail).await.unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{class:?}");
    }
}

pub async fn only_named_categories_are_retried(case: &mut Case) {
    const POLICY: &str = r#"{"retry_policy":{"max_retries":1,"retryable_categories":["net","disk"]}}"#;
    for (category, retried) in [("net", true), ("disk", true), ("Net", false), ("", false), ("net.dns", false)] {
        let held = case.leased_under(POLICY).await.execution;
        let fail = FailExecution { failure_category: category.to_owned(), ..failure(&held) };
        let outcome = case.engine.fail_execution(fail).await.unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{category}");
    }
}

pub async fn a_policy_of_the_call_goes_before_the_stored_one(case: &mut Case) {
    case.assumptions.stored_retry_policy_binds = false;
    for (stored, given, retried) in [
        (ONE_RETRY, r#"{"max_retries":0}"#, false),
        ("{}", r#"{"max_retries":1}"#, true),
        (ONE_RETRY, "", true),
        (ONE_RETRY, "not json", false),
        (ONE_RETRY, "[]", false),
        (ONE_RETRY, "null", false),
        (r#"{"retry_policy":{"max_retries":0}}"#, r#"{"backoff":{"type":"fixed","delay_ms":1}}"#, true),
    ] {
        let held = case.leased_under(stored).await.execution;
        let fail = FailExecution { retry_policy_json: Some(given.to_owned()), ..failure(&held) };
        let outcome = case.engine.fail_execution(fail).await.unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{stored} with {given}");
    }
}

pub async fn the_deadline_outlives_the_attempt_and_its_timeout_does_not(case: &mut Case) {
    let held = case
        .leased_under(
            r#"{"retry_policy":{"max_retries":1},
                "timeout_policy":{"attempt_timeout_ms":100,"execution_deadline_ms":500}}"#,
        )
        .await
        .execution;
    let created_at = case.now();
    case.engine.fail_execution(failure(&held)).await.unwrap();
    let record = case.record(held.execution_id).await;
    assert_eq!((record.deadline_at, record.attempt_timeout), (Some(created_at.plus(500)), None));
    assert_eq!(case.entry(held.execution_id).await.due_at, Some(created_at.plus(500)));
}

pub async fn a_repeat_is_told_the_scheduled_retry(case: &mut Case) {
    let held = case.leased_under(ONE_RETRY).await.execution;
    let outcome = case.engine.fail_execution(failure(&held)).await.unwrap();
    case.advance(100);
    let other = FailExecution { failure_reason: "other".to_owned(), ..failure(&held) };
    assert_eq!(case.changes_nothing(held.execution_id, case.engine.fail_execution(other)).await, outcome);
    case.kill().await;
    assert_eq!(case.changes_nothing(held.execution_id, case.engine.fail_execution(failure(&held))).await, outcome);
    for forged in forgeries(&held).into_iter().skip(1) {
        let call = case.engine.fail_execution(failure(&forged));
        case.refused(held.execution_id, call, "execution_not_active").await;
    }
}

pub async fn a_repeat_is_told_the_final_failure(case: &mut Case) {
    let held = case.ended(TerminalOutcome::Failed).await.execution;
    let again = case.changes_nothing(held.execution_id, case.engine.fail_execution(failure(&held))).await;
    assert_eq!(again, FailOutcome::TerminalFailed);
    for forged in forgeries(&held).into_iter().skip(1) {
        let call = case.engine.fail_execution(failure(&forged));
        let error = case.refused(held.execution_id, call, "execution_not_active").await;
        assert_eq!(not_active(&error).terminal_outcome, TerminalOutcome::Failed);
    }
}

pub async fn the_next_attempt_ends_the_memory_of_the_last(case: &mut Case) {
    let held = case.retrying().await.execution;
    let id = held.execution_id;
    case.advance(500);
    case.promote(id).await;
    case.lease(id).await;
    case.refused(id, case.engine.fail_execution(failure(&held)), "stale_lease").await;
}

pub async fn giving_the_lease_back_is_not_taken_for_a_failure(case: &mut Case) {
    let delayed = case.parked(1000).await.execution;
    case.refused(delayed.execution_id, case.engine.fail_execution(failure(&delayed)), "execution_not_active").await;
    let held = case.leased().await;
    case.engine.wait_children(&held.handle).await.unwrap();
    let id = held.execution.execution_id;
    case.refused(id, case.engine.fail_execution(failure(&held.execution)), "execution_not_active").await;
}

pub async fn an_operator_fails_it_without_a_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    assert_eq!(case.engine.fail_execution(unfenced(&held)).await, Ok(FailOutcome::TerminalFailed));
}

pub async fn only_an_operator_does_without_a_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    for source in [CommandSource::LeaseHolder, CommandSource::SystemTimeout, CommandSource::FlowCascade] {
        let bare = FailExecution { source, ..unfenced(&held) };
        case.refused(held.execution_id, case.engine.fail_execution(bare), "fence_required").await;
    }
    let partial = FenceTriple { lease_epoch: Some(held.lease_epoch), ..FenceTriple::NONE };
    let partial = FailExecution { fence: partial, ..unfenced(&held) };
    case.refused(held.execution_id, case.engine.fail_execution(partial), "partial_fence_triple").await;
}

pub async fn another_attempt_index_is_stale(case: &mut Case) {
    let held = case.leased().await.execution;
    let other = FailExecution { attempt_index: Some(AttemptIndex(7)), ..failure(&held) };
    case.refused(held.execution_id, case.engine.fail_execution(other), "stale_lease").await;
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let held = case.leased().await.execution;
    for (reason, category) in
        [("r".repeat(4097), "net".to_owned()), ("a\0b".to_owned(), String::new()), (String::new(), "c".repeat(257))]
    {
        let odd = FailExecution { failure_reason: reason, failure_category: category, ..failure(&held) };
        case.refused(held.execution_id, case.engine.fail_execution(odd), "invalid_input").await;
    }
    let longest = FailExecution { failure_reason: "r".repeat(4096), ..failure(&held) };
    case.engine.fail_execution(longest).await.unwrap();
}
