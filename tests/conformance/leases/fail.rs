//! `fail`: as `fail_execution`, under a handle and by the stored policy.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::{delayed, ended};
use bytes::Bytes;
use leasehold_contract::{FailOutcome, FailureReason, Handle};
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;

fn because(message: &str) -> FailureReason {
    FailureReason { message: message.to_owned(), detail: None }
}

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.fail(handle, because("broken pipe"), FailureClass::Transient).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async {
        let handle = held.handle(case.backend.tag());
        told(case.engine.fail(&handle, because("broken pipe"), FailureClass::Transient).await)
    })
}

under_lease!(marks);
handle_form!();

const ONE_RETRY: &str = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":500}}}"#;

pub async fn the_stored_policy_grants_a_retry(case: &mut Case) {
    let held = case.leased_under(ONE_RETRY).await;
    let id = held.execution.execution_id;
    let outcome = case.engine.fail(&held.handle, because("broken pipe"), FailureClass::Transient).await.unwrap();
    let delay_until = case.now().plus(500);
    assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until, next_attempt_index: AttemptIndex(1) });
    assert_eq!(case.vector(id).await, delayed("waiting_for_retry_backoff", "pending_retry_attempt"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 failed_retry_scheduled"]);
}

pub async fn without_a_policy_it_fails_for_good(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let outcome = case.engine.fail(&held.handle, because("broken pipe"), FailureClass::Transient).await;
    assert_eq!(outcome, Ok(FailOutcome::TerminalFailed));
    assert_eq!(case.vector(id).await, ended("failed"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 failed_terminal", "completed failed"]);
}

pub async fn permanent_and_cancelled_failures_are_final(case: &mut Case) {
    for (class, retried) in [
        (FailureClass::Transient, true),
        (FailureClass::InfraCrash, true),
        (FailureClass::Timeout, true),
        (FailureClass::Permanent, false),
        (FailureClass::Cancelled, false),
    ] {
        let held = case.leased_under(ONE_RETRY).await;
        let outcome = case.engine.fail(&held.handle, because("x"), class).await.unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{class:?}");
    }
}

pub async fn a_readable_detail_is_the_category_and_else_the_class(case: &mut Case) {
    for (detail, class, category) in [
        (None, FailureClass::InfraCrash, "infra_crash"),
        (None, FailureClass::Timeout, "timeout"),
        (Some(&b"net"[..]), FailureClass::Transient, "net"),
        (Some(&b"\xff\xfe"[..]), FailureClass::Transient, "transient"),
    ] {
        let held = case.leased().await;
        let reason = FailureReason { message: "m".to_owned(), detail: detail.map(Bytes::from_static) };
        case.engine.fail(&held.handle, reason, class).await.unwrap();
        let record = case.record(held.execution.execution_id).await;
        assert_eq!(record.attempt.as_ref().unwrap().failure_category.as_deref(), Some(category));
        assert_eq!(record.failure_reason.as_deref(), Some("m"));
    }
}

pub async fn categories_of_the_policy_are_compared_with_it(case: &mut Case) {
    const POLICY: &str = r#"{"retry_policy":{"max_retries":1,"retryable_categories":["net","timeout"]}}"#;
    for (detail, class, retried) in [
        (Some(&b"net"[..]), FailureClass::Transient, true),
        (None, FailureClass::Timeout, true),
        (None, FailureClass::Transient, false),
    ] {
        let held = case.leased_under(POLICY).await;
        let reason = FailureReason { message: String::new(), detail: detail.map(Bytes::from_static) };
        let outcome = case.engine.fail(&held.handle, reason, class).await.unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{detail:?} {class:?}");
    }
}

pub async fn a_repeat_is_told_the_same(case: &mut Case) {
    for policy in ["{}", ONE_RETRY] {
        let held = case.leased_under(policy).await;
        let id = held.execution.execution_id;
        let outcome = case.engine.fail(&held.handle, because("first"), FailureClass::Transient).await.unwrap();
        case.advance(10);
        let again = case.engine.fail(&held.handle, because("second"), FailureClass::Permanent);
        assert_eq!(case.changes_nothing(id, again).await, outcome);
    }
}

pub async fn a_reason_no_store_can_keep_is_refused(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    for message in ["r".repeat(4097), "a\0b".to_owned()] {
        let call = case.engine.fail(&held.handle, because(&message), FailureClass::Transient);
        case.refused(id, call, "invalid_input").await;
    }
    let detail = Some(Bytes::from(vec![b'd'; 257]));
    let reason = FailureReason { message: String::new(), detail };
    case.refused(id, case.engine.fail(&held.handle, reason, FailureClass::Transient), "invalid_input").await;
}
