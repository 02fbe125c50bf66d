//! The table of codes against the protocol's list, and the texts people see.

use std::collections::BTreeSet;
use std::error::Error as _;

use super::*;
use crate::ids::LeaseEpoch;
use crate::state::TerminalOutcome;

fn class_of(code: &str) -> ErrorClass {
    ALL_CODES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class).unwrap()
}

fn not_active(phase: LifecyclePhase, outcome: TerminalOutcome) -> EngineError {
    let state =
        NotActive { terminal_outcome: outcome, lease_epoch: LeaseEpoch(4), lifecycle_phase: phase, attempt_id: None };
    ContentionKind::ExecutionNotActive(Box::new(state)).into()
}

#[test]
fn the_protocol_has_91_distinct_codes() {
    let distinct: BTreeSet<_> = ALL_CODES.iter().map(|(code, _)| code).collect();
    assert_eq!(ALL_CODES.len(), 91);
    assert_eq!(distinct.len(), 91);
}

#[test]
fn the_table_has_so_many_codes_of_each_class() {
    let count = |class| ALL_CODES.iter().filter(|(_, of)| *of == class).count();
    assert_eq!(count(ErrorClass::Terminal), 5 + 21 + 2 + 1 + 7 + 17);
    assert_eq!(count(ErrorClass::Retryable), 2 + 12);
    assert_eq!(count(ErrorClass::Informational), 4 + 1 + 14);
    assert_eq!(count(ErrorClass::Cooperative), 1);
    assert_eq!(count(ErrorClass::Bug), 2);
    assert_eq!(count(ErrorClass::Expected), 1);
    assert_eq!(count(ErrorClass::SoftError), 1);
    assert_eq!(count(ErrorClass::Advisory), 0);
}

#[test]
fn a_bracketed_class_wins_over_the_group() {
    for (code, class) in [
        ("execution_not_found", ErrorClass::Terminal),
        ("stream_not_found", ErrorClass::Expected),
        ("capability_mismatch", ErrorClass::Retryable),
        ("invalid_offset", ErrorClass::Retryable),
        ("invalid_frame_type", ErrorClass::SoftError),
        ("fence_required", ErrorClass::Terminal),
        ("lease_conflict", ErrorClass::Retryable),
        ("execution_not_active", ErrorClass::Terminal),
        ("no_active_lease", ErrorClass::Informational),
        ("waitpoint_already_exists", ErrorClass::Informational),
        ("active_attempt_exists", ErrorClass::Bug),
        ("budget_exceeded", ErrorClass::Cooperative),
        ("grant_already_exists", ErrorClass::Informational),
        ("attempt_not_in_created_state", ErrorClass::Bug),
    ] {
        assert_eq!(class_of(code), class, "{code}");
    }
}

#[test]
fn every_error_begins_with_its_code() {
    let transport = |kind| EngineError::Transport { backend: "sqlite", kind, message: "gone".to_owned() };
    for (error, text) in [
        (EngineError::execution_not_found(), "execution_not_found: no such execution"),
        (EngineError::invalid_input("lane id is empty"), "invalid_input: an argument was refused: lane id is empty"),
        (
            EngineError::validation(ValidationKind::CapabilityMismatch, "cuda,gpu"),
            "capability_mismatch: the worker lacks required capabilities: cuda,gpu",
        ),
        (
            EngineError::validation(ValidationKind::FenceRequired, ""),
            "fence_required: the call needs the fence of the current lease",
        ),
        (
            EngineError::corruption("execution", "priority", "x\0y"),
            "corruption: a stored or encoded value cannot be read: execution.priority: x\\0y",
        ),
        (ContentionKind::RetryExhausted.into(), "retry_exhausted: the store kept refusing the commit as concurrent"),
        (
            not_active(LifecyclePhase::Terminal, TerminalOutcome::Success),
            "execution_not_active: the execution is not active: it ended as success under lease epoch 4",
        ),
        (
            not_active(LifecyclePhase::Runnable, TerminalOutcome::None),
            "execution_not_active: the execution is not active: it is runnable, its last lease epoch is 4",
        ),
        (
            ConflictKind::RotationConflict("k1".to_owned()).into(),
            "rotation_conflict: the key id is in use with another secret: k1",
        ),
        (StateKind::StaleLease.into(), "stale_lease: the lease is no longer the current one"),
        (
            EngineError::bug(BugKind::Panic, "index out of bounds"),
            "panic: a decision panicked and was discarded: index out of bounds",
        ),
        (transport(BackendErrorKind::BusyLoading), "transport: sqlite reports busy_loading: gone"),
        (EngineError::Unavailable { op: "claim" }, "unavailable: claim is not offered here"),
        (
            EngineError::ResourceExhausted { pool: "mailbox", max: 8, retry_after_ms: None },
            "resource_exhausted: mailbox is full, its limit is 8",
        ),
        (EngineError::Timeout { op: "claim", elapsed_ms: 5 }, "timeout: claim gave up after 5 ms"),
        (
            EngineError::StreamDisconnected { cursor: vec![1] },
            "stream_disconnected: the subscription ended and can be resumed at its cursor",
        ),
        (EngineError::StreamBackpressure, "stream_backpressure: the subscriber reads too slowly"),
        (EngineError::OutcomeUnknown { op: "complete" }, "outcome_unknown: complete may or may not have taken effect"),
        (
            EngineError::PartitionUnavailable { partition: 3, retry_after_ms: 50 },
            "partition_unavailable: partition 3 has no owner now",
        ),
        (transport(BackendErrorKind::Auth).with_context("opening the store"), "transport: opening the store"),
    ] {
        assert_eq!(error.to_string(), text);
        assert!(text.starts_with(error.code()));
    }
}

#[test]
fn transport_asks_the_store_whether_to_retry() {
    use BackendErrorKind as Kind;
    for (kind, retryable) in [
        (Kind::Transport, true),
        (Kind::Protocol, false),
        (Kind::Timeout, true),
        (Kind::Auth, false),
        (Kind::Cluster, true),
        (Kind::BusyLoading, true),
        (Kind::ScriptNotLoaded, false),
        (Kind::Other, false),
    ] {
        let error = EngineError::Transport { backend: "postgres", kind, message: String::new() };
        assert_eq!(error.is_retryable(), retryable, "{kind:?}");
        assert_eq!(error.with_context("loading").is_retryable(), retryable, "{kind:?}");
    }
}

#[test]
fn errors_without_a_kind_have_their_class() {
    for (error, class) in [
        (EngineError::OutcomeUnknown { op: "x" }, ErrorClass::Retryable),
        (EngineError::PartitionUnavailable { partition: 0, retry_after_ms: 1 }, ErrorClass::Retryable),
        (EngineError::ResourceExhausted { pool: "x", max: 1, retry_after_ms: None }, ErrorClass::Retryable),
        (EngineError::Timeout { op: "x", elapsed_ms: 1 }, ErrorClass::Terminal),
        (EngineError::Unavailable { op: "x" }, ErrorClass::Terminal),
        (EngineError::StreamDisconnected { cursor: Vec::new() }, ErrorClass::Terminal),
        (EngineError::StreamBackpressure, ErrorClass::Informational),
        (ContentionKind::RetryExhausted.into(), ErrorClass::Retryable),
        (StateKind::AlreadySatisfied.into(), ErrorClass::Informational),
        (EngineError::validation(ValidationKind::Corruption, ""), ErrorClass::Terminal),
        (EngineError::bug(BugKind::Panic, ""), ErrorClass::Bug),
    ] {
        assert_eq!(error.class(), class, "{error}");
    }
}

#[test]
fn context_wraps_the_machinery_only() {
    let refusal = EngineError::from(StateKind::StaleLease);
    assert_eq!(refusal.clone().with_context("completing"), refusal);
    let timeout = EngineError::Timeout { op: "claim", elapsed_ms: 9 };
    let wrapped = timeout.clone().with_context("claiming").with_context("polling");
    assert_eq!(wrapped.root(), &timeout);
    assert_eq!(wrapped.code(), "timeout");
    assert!(!wrapped.to_string().contains("9 ms"), "the source is not repeated");
    assert!(wrapped.source().and_then(|inner| inner.source()).is_some());
}

#[test]
fn classes_serialise_in_snake_case() {
    for class in [ErrorClass::Terminal, ErrorClass::SoftError, ErrorClass::Informational] {
        assert_eq!(serde_json::to_value(class).unwrap(), serde_json::json!(class.as_str()));
    }
    assert_eq!(serde_json::to_value(BackendErrorKind::ScriptNotLoaded).unwrap(), "script_not_loaded");
}
