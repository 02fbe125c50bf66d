//! Refusals: the one envelope and the status that goes with each error.
//!
//! `error` is what the wire protocol calls the error; several of the engine's
//! kinds share a name there. `code` is always the engine's own, `message` says
//! it for people. `kind` and `retryable` stand where a caller may come back:
//! on contention, on 429 and on 5xx.
//!
//! | Error | Status | `error` |
//! |---|---|---|
//! | `NotFound` | 404 | its code |
//! | `Validation` | 400 | `code: detail` |
//! | `Conflict` | 409 | its code |
//! | `Contention` | 409; 429 for a reached limit, 500 for exhausted retries | its code |
//! | `State` | 409 | [`state_name`] |
//! | `ResourceExhausted` | 429 | the message |
//! | `Unavailable`, `OutcomeUnknown`, `PartitionUnavailable` | 503 | the message |
//! | anything else | 500 | the message |

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use leasehold_core::error::{ConflictKind, ContentionKind, EngineError, NotActive, StateKind, ValidationKind};
use leasehold_core::ids::{AttemptId, LeaseEpoch};
use leasehold_core::state::{LifecyclePhase, TerminalOutcome};
use serde::Serialize;

/// The envelope.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Envelope {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<NotActiveDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
}

/// What a worker needs to tell its own finished call from somebody else's.
#[derive(Clone, Debug, Serialize)]
struct NotActiveDetails {
    terminal_outcome: TerminalOutcome,
    lease_epoch: LeaseEpoch,
    lifecycle_phase: LifecyclePhase,
    attempt_id: Option<AttemptId>,
}

impl From<&NotActive> for NotActiveDetails {
    fn from(at: &NotActive) -> Self {
        Self {
            terminal_outcome: at.terminal_outcome,
            lease_epoch: at.lease_epoch,
            lifecycle_phase: at.lifecycle_phase,
            attempt_id: at.attempt_id,
        }
    }
}

/// Why a request was not carried out, or why its outcome is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    envelope: Envelope,
}

impl Refusal {
    /// A refusal of the HTTP face itself.
    pub fn plain(status: StatusCode, error: impl Into<String>) -> Self {
        Self::new(status, Envelope { error: error.into(), ..Envelope::default() })
    }

    fn new(status: StatusCode, envelope: Envelope) -> Self {
        Self(Box::new(Told { status, envelope }))
    }

    /// A refused argument.
    pub fn invalid_input(detail: impl Into<String>) -> Self {
        EngineError::invalid_input(detail).into()
    }

    /// A field that is missing.
    pub fn missing(field: &str) -> Self {
        Self::invalid_input(format!("{field}: missing"))
    }

    /// A body over its limit.
    pub fn too_large(limit_bytes: usize, route: String) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Envelope {
                error: "payload_too_large".to_owned(),
                limit_bytes: Some(limit_bytes),
                route: Some(route),
                ..Envelope::default()
            },
        )
    }

    /// A caller without the token.
    pub fn unauthorized() -> Self {
        Self::plain(StatusCode::UNAUTHORIZED, "missing or invalid Authorization header")
    }

    /// The node is not well.
    pub fn unhealthy(reason: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Envelope {
                error: format!("unhealthy: {reason}"),
                kind: Some("unhealthy"),
                retryable: Some(true),
                ..Envelope::default()
            },
        )
    }

    /// What was asked for took too long.
    pub fn late(reason: &str) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            Envelope { error: reason.to_owned(), kind: Some("timeout"), retryable: Some(true), ..Envelope::default() },
        )
    }

    /// The same refusal under another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The envelope, to stand in a list.
    pub fn into_envelope(self) -> Envelope {
        self.0.envelope
    }

    /// The envelope's first word to programs.
    #[cfg(test)]
    pub fn error(&self) -> &str {
        &self.0.envelope.error
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let root = error.root();
        let status = status(root);
        let comes_back = matches!(root, EngineError::Contention { .. })
            || status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error();
        let details = match root {
            EngineError::Contention { kind: ContentionKind::ExecutionNotActive(at) } => Some((&**at).into()),
            _ => None,
        };
        let envelope = Envelope {
            error: name(root, status),
            code: Some(error.code()),
            message: Some(error.to_string()),
            kind: comes_back.then(|| kind(root)),
            retryable: comes_back.then(|| error.is_retryable()),
            retry_after_ms: error.retry_after_ms(),
            details,
            ..Envelope::default()
        };
        Self::new(status, envelope)
    }
}

const fn status(error: &EngineError) -> StatusCode {
    match error {
        EngineError::NotFound { .. } => StatusCode::NOT_FOUND,
        EngineError::Validation { .. } => StatusCode::BAD_REQUEST,
        EngineError::Contention {
            kind: ContentionKind::RateLimitExceeded | ContentionKind::ConcurrencyLimitExceeded,
        }
        | EngineError::ResourceExhausted { .. } => StatusCode::TOO_MANY_REQUESTS,
        EngineError::Contention { kind: ContentionKind::RetryExhausted } => StatusCode::INTERNAL_SERVER_ERROR,
        EngineError::Contention { .. } | EngineError::Conflict { .. } | EngineError::State { .. } => {
            StatusCode::CONFLICT
        }
        EngineError::Unavailable { .. }
        | EngineError::OutcomeUnknown { .. }
        | EngineError::PartitionUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn name(error: &EngineError, status: StatusCode) -> String {
    match error {
        EngineError::Validation { kind, detail } => {
            let code = match kind {
                ValidationKind::Corruption | ValidationKind::HandleFromOtherBackend => "validation_error",
                other => other.code(),
            };
            let detail = if detail.is_empty() { kind.meaning() } else { detail };
            format!("{code}: {detail}")
        }
        EngineError::State { kind } => state_name(*kind).to_owned(),
        EngineError::Conflict { kind: ConflictKind::AlreadyMemberOfDifferentFlow(_) } => "conflict".to_owned(),
        other if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => other.to_string(),
        other => other.code().to_owned(),
    }
}

/// What the wire protocol calls a state that stands against a call. Whoever
/// finds its wish fulfilled, or its lease gone, is told the same.
const fn state_name(kind: StateKind) -> &'static str {
    match kind {
        StateKind::ExecutionNotTerminal
        | StateKind::MaxReplaysExhausted
        | StateKind::ReplayNotAllowed
        | StateKind::NotRunnable
        | StateKind::Terminal
        | StateKind::FlowAlreadyTerminal
        | StateKind::BudgetExceeded
        | StateKind::BudgetSoftExceeded => kind.code(),
        StateKind::StaleLease
        | StateKind::LeaseExpired
        | StateKind::LeaseRevoked
        | StateKind::StaleOwnerCannotAppend
        | StateKind::AlreadySuspended
        | StateKind::WaitpointClosed
        | StateKind::DuplicateSignal
        | StateKind::GrantAlreadyExists
        | StateKind::OkAlreadyApplied
        | StateKind::AttemptAlreadyTerminal
        | StateKind::StreamClosed
        | StateKind::StreamAlreadyClosed
        | StateKind::AlreadySatisfied => "already_satisfied",
        StateKind::TargetNotSignalable
        | StateKind::ResumeConditionNotMet
        | StateKind::ExecutionNotInFlow
        | StateKind::AttemptNotStarted
        | StateKind::ExecutionNotEligibleForAttempt
        | StateKind::MaxRetriesExhausted
        | StateKind::ExecutionNotSuspended
        | StateKind::WaitpointNotOpen
        | StateKind::WaitpointNotPending
        | StateKind::PendingWaitpointExpired
        | StateKind::NotBlockedByDeps
        | StateKind::DepsNotSatisfied => "state_conflict",
    }
}

const fn kind(error: &EngineError) -> &'static str {
    match error {
        EngineError::Contention { .. } => "contention",
        EngineError::Transport { kind, .. } => kind.as_str(),
        EngineError::Bug { .. } => "bug",
        EngineError::ResourceExhausted { .. } => "resource_exhausted",
        EngineError::Unavailable { .. } => "unavailable",
        EngineError::Timeout { .. } => "timeout",
        EngineError::OutcomeUnknown { .. } => "outcome_unknown",
        EngineError::PartitionUnavailable { .. } => "partition_unavailable",
        EngineError::StreamDisconnected { .. } => "stream_disconnected",
        EngineError::StreamBackpressure => "stream_backpressure",
        _ => "other",
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Told { status, envelope } = *self.0;
        if status.is_server_error() {
            tracing::warn!(%status, error = %envelope.error, "a request failed");
        }
        let retry_after_ms = envelope.retry_after_ms;
        let mut response = (status, Json(envelope)).into_response();
        if let Some(ms) = retry_after_ms {
            // The header counts in whole seconds, and 0 would mean at once.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests;
