//! The envelope, row by row of its table.

use super::*;
use leasehold_core::error::{BackendErrorKind, BugKind, ConflictKind, Entity};
use serde_json::{Value, json};

fn told(error: impl Into<EngineError>) -> (u16, Value) {
    let refusal = Refusal::from(error.into());
    (refusal.status().as_u16(), serde_json::to_value(&refusal.0.envelope).unwrap())
}

#[test]
fn what_does_not_exist_is_404() {
    for (entity, code) in [
        (Entity::Execution, "execution_not_found"),
        (Entity::Flow, "flow_not_found"),
        (Entity::Attempt, "attempt_not_found"),
        (Entity::Stream, "stream_not_found"),
    ] {
        let (status, body) = told(EngineError::not_found(entity));
        let message = format!("{code}: {}", entity.meaning());
        assert_eq!((status, body), (404, json!({"error": code, "code": code, "message": message})));
    }
}

#[test]
fn a_refused_argument_is_400_with_code_and_detail() {
    for (error, text, code) in [
        (EngineError::invalid_input("lane id is empty"), "invalid_input: lane id is empty", "invalid_input"),
        (
            EngineError::validation(ValidationKind::CapabilityMismatch, "cuda,gpu"),
            "capability_mismatch: cuda,gpu",
            "capability_mismatch",
        ),
        (
            EngineError::validation(ValidationKind::FenceRequired, ""),
            "fence_required: the call needs the fence of the current lease",
            "fence_required",
        ),
        (
            EngineError::corruption("execution", "priority", "x"),
            "validation_error: execution.priority: x",
            "corruption",
        ),
        (
            EngineError::validation(ValidationKind::HandleFromOtherBackend, "issued by valkey"),
            "validation_error: issued by valkey",
            "handle_from_other_backend",
        ),
    ] {
        let (status, body) = told(error.clone());
        let expected = json!({"error": text, "code": code, "message": error.to_string()});
        assert_eq!((status, body), (400, expected));
    }
}

#[test]
fn each_conflict_is_409_under_its_own_name() {
    for (kind, code) in [
        (ConflictKind::CycleDetected, "cycle_detected"),
        (ConflictKind::SelfReferencingEdge, "self_referencing_edge"),
        (ConflictKind::ExecutionAlreadyInFlow, "execution_already_in_flow"),
        (ConflictKind::WaitpointAlreadyExists, "waitpoint_already_exists"),
        (ConflictKind::BudgetAttachConflict, "budget_attach_conflict"),
        (ConflictKind::QuotaAttachConflict, "quota_attach_conflict"),
        (ConflictKind::RotationConflict("k1".to_owned()), "rotation_conflict"),
        (ConflictKind::ActiveAttemptExists, "active_attempt_exists"),
        (ConflictKind::DependencyAlreadyExists("e".to_owned()), "dependency_already_exists"),
        (ConflictKind::AlreadyMemberOfDifferentFlow(leasehold_core::ids::FlowId::new()), "conflict"),
        (ConflictKind::EdgeGroupAlreadyFired, "edge_group_already_fired"),
    ] {
        let (status, body) = told(kind);
        assert_eq!((status, body["error"].as_str()), (409, Some(code)));
        assert!(body.get("kind").is_none() && body.get("retryable").is_none());
    }
}

#[test]
fn contention_is_409_429_or_500_and_says_whether_to_come_back() {
    for (kind, status, error, retryable) in [
        (ContentionKind::LeaseConflict, 409, "lease_conflict", true),
        (ContentionKind::InvalidClaimGrant, 409, "invalid_claim_grant", true),
        (ContentionKind::ExecutionNotEligible, 409, "execution_not_eligible", false),
        (ContentionKind::RateLimitExceeded, 429, "rate_limit_exceeded: the rate limit is reached", true),
        (
            ContentionKind::ConcurrencyLimitExceeded,
            429,
            "concurrency_limit_exceeded: the concurrency limit is reached",
            true,
        ),
        (
            ContentionKind::RetryExhausted,
            500,
            "retry_exhausted: the store kept refusing the commit as concurrent",
            true,
        ),
    ] {
        let (got, body) = told(kind);
        assert_eq!((got, body["error"].as_str()), (status, Some(error)));
        assert_eq!((&body["kind"], &body["retryable"]), (&json!("contention"), &json!(retryable)));
    }
}

#[test]
fn an_execution_that_is_not_active_says_how_it_stands() {
    let at = NotActive {
        terminal_outcome: TerminalOutcome::Success,
        lease_epoch: LeaseEpoch(4),
        lifecycle_phase: LifecyclePhase::Terminal,
        attempt_id: None,
    };
    let (status, body) = told(ContentionKind::ExecutionNotActive(Box::new(at)));
    assert_eq!((status, body["error"].as_str()), (409, Some("execution_not_active")));
    let details =
        json!({"terminal_outcome": "success", "lease_epoch": 4, "lifecycle_phase": "terminal", "attempt_id": null});
    assert_eq!(body["details"], details);
}

#[test]
fn states_share_names_on_the_wire_and_keep_their_code() {
    for (kind, name) in [
        (StateKind::ExecutionNotTerminal, "execution_not_terminal"),
        (StateKind::MaxReplaysExhausted, "max_replays_exhausted"),
        (StateKind::ReplayNotAllowed, "replay_not_allowed"),
        (StateKind::NotRunnable, "not_runnable"),
        (StateKind::Terminal, "terminal"),
        (StateKind::FlowAlreadyTerminal, "flow_already_terminal"),
        (StateKind::BudgetExceeded, "budget_exceeded"),
        (StateKind::BudgetSoftExceeded, "budget_soft_exceeded"),
        (StateKind::AlreadySatisfied, "already_satisfied"),
        (StateKind::StaleLease, "already_satisfied"),
        (StateKind::LeaseExpired, "already_satisfied"),
        (StateKind::LeaseRevoked, "already_satisfied"),
        (StateKind::GrantAlreadyExists, "already_satisfied"),
        (StateKind::OkAlreadyApplied, "already_satisfied"),
        (StateKind::TargetNotSignalable, "state_conflict"),
        (StateKind::MaxRetriesExhausted, "state_conflict"),
        (StateKind::DepsNotSatisfied, "state_conflict"),
    ] {
        let (status, body) = told(kind);
        assert_eq!((status, body["error"].as_str(), body["code"].as_str()), (409, Some(name), Some(kind.code())));
        assert!(body.get("kind").is_none());
    }
}

#[test]
fn trouble_of_the_machinery_has_a_kind_and_says_whether_to_come_back() {
    let transport = |kind| EngineError::Transport { backend: "sqlite", kind, message: "gone".to_owned() };
    for (error, status, kind, retryable) in [
        (
            EngineError::ResourceExhausted { pool: "node", max: 8, retry_after_ms: None },
            429,
            "resource_exhausted",
            true,
        ),
        (EngineError::Unavailable { op: "claim" }, 503, "unavailable", false),
        (EngineError::OutcomeUnknown { op: "complete" }, 503, "outcome_unknown", true),
        (EngineError::PartitionUnavailable { partition: 3, retry_after_ms: 50 }, 503, "partition_unavailable", true),
        (EngineError::Timeout { op: "claim", elapsed_ms: 5 }, 500, "timeout", false),
        (transport(BackendErrorKind::BusyLoading), 500, "busy_loading", true),
        (transport(BackendErrorKind::Auth), 500, "auth", false),
        (EngineError::bug(BugKind::Panic, "oops"), 500, "bug", false),
        (EngineError::StreamBackpressure, 500, "stream_backpressure", false),
        (EngineError::Unavailable { op: "claim" }.with_context("claiming"), 503, "unavailable", false),
    ] {
        let (got, body) = told(error.clone());
        assert_eq!((got, body["kind"].as_str()), (status, Some(kind)), "{error}");
        assert_eq!(body["retryable"], retryable, "{error}");
        assert_eq!(body["code"], error.code());
    }
}

#[test]
fn when_to_come_back_is_a_header_in_whole_seconds_and_exact_in_the_body() {
    for (ms, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2")] {
        let error = EngineError::PartitionUnavailable { partition: 0, retry_after_ms: ms };
        let refusal = Refusal::from(error);
        assert_eq!(refusal.0.envelope.retry_after_ms, Some(ms));
        let response = refusal.into_response();
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), seconds);
    }
    let response = Refusal::from(EngineError::OutcomeUnknown { op: "x" }).into_response();
    assert!(response.headers().get(RETRY_AFTER).is_none());
}
