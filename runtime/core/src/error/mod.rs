//! The one error type of the engine.
//!
//! A variant says what a caller can do, a kind says what exactly happened, and
//! a code names the kind on the wire. The table of all codes is in `kinds`.

mod class;
mod kinds;

pub use class::{BackendErrorKind, ErrorClass};
pub use kinds::{ALL_CODES, BugKind, ConflictKind, ContentionKind, Entity, NotActive, StateKind, ValidationKind};

use thiserror::Error;

use crate::state::LifecyclePhase;

/// Why an operation had no effect, or why its effect is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// What the call names does not exist.
    #[error("{}: {}", .entity.code(), .entity.meaning())]
    NotFound {
        /// What.
        entity: Entity,
    },
    /// An argument or a stored value was refused.
    #[error("{}", labelled(.kind.code(), .kind.meaning(), .detail))]
    Validation {
        /// Why.
        kind: ValidationKind,
        /// Where, in words or in the terms of the code.
        detail: String,
    },
    /// Something was in the way.
    #[error("{}", contention(.kind))]
    Contention {
        /// What.
        kind: ContentionKind,
    },
    /// The call contradicts what exists.
    #[error("{}", conflict(.kind))]
    Conflict {
        /// How.
        kind: ConflictKind,
    },
    /// The state does not allow the call.
    #[error("{}: {}", .kind.code(), .kind.meaning())]
    State {
        /// Which state.
        kind: StateKind,
    },
    /// The engine contradicts itself.
    #[error("{}", labelled(.kind.code(), .kind.meaning(), .detail))]
    Bug {
        /// How.
        kind: BugKind,
        /// What was seen.
        detail: String,
    },
    /// The store could not be reached or understood.
    #[error("transport: {backend} reports {}: {message}", .kind.as_str())]
    Transport {
        /// Which store.
        backend: &'static str,
        /// What went wrong.
        kind: BackendErrorKind,
        /// The store's own words.
        message: String,
    },
    /// This configuration does not offer the operation.
    #[error("unavailable: {op} is not offered here")]
    Unavailable {
        /// Which operation.
        op: &'static str,
    },
    /// A bounded resource is used up.
    #[error("resource_exhausted: {pool} is full, its limit is {max}")]
    ResourceExhausted {
        /// Which resource.
        pool: &'static str,
        /// How much of it there is.
        max: u64,
        /// When to come back, if known.
        retry_after_ms: Option<u64>,
    },
    /// The call was not answered in time.
    #[error("timeout: {op} gave up after {elapsed_ms} ms")]
    Timeout {
        /// Which operation.
        op: &'static str,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// A subscription ended; it can go on behind the cursor.
    #[error("stream_disconnected: the subscription ended and can be resumed at its cursor")]
    StreamDisconnected {
        /// Where to resume.
        cursor: Vec<u8>,
    },
    /// A subscriber reads too slowly.
    #[error("stream_backpressure: the subscriber reads too slowly")]
    StreamBackpressure,
    /// Another error, with what was being done.
    #[error("{}: {context}", .source.code())]
    Contextual {
        /// The other error.
        source: Box<EngineError>,
        /// What was being done.
        context: String,
    },
    /// The operation may or may not have had its effect. Every operation can
    /// be repeated safely with the same arguments.
    #[error("outcome_unknown: {op} may or may not have taken effect")]
    OutcomeUnknown {
        /// Which operation.
        op: &'static str,
    },
    /// No node owns the partition at the moment.
    #[error("partition_unavailable: partition {partition} has no owner now")]
    PartitionUnavailable {
        /// Which partition.
        partition: u16,
        /// When to come back.
        retry_after_ms: u64,
    },
}

impl EngineError {
    /// What a caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { entity } => entity.class(),
            Self::Validation { kind, .. } => kind.class(),
            Self::Contention { kind } => kind.class(),
            Self::Conflict { kind } => kind.class(),
            Self::State { kind } => kind.class(),
            Self::Bug { kind, .. } => kind.class(),
            Self::Transport { kind, .. } if kind.retryable() => ErrorClass::Retryable,
            Self::Transport { .. }
            | Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::StreamDisconnected { .. } => ErrorClass::Terminal,
            Self::ResourceExhausted { .. } | Self::OutcomeUnknown { .. } | Self::PartitionUnavailable { .. } => {
                ErrorClass::Retryable
            }
            Self::StreamBackpressure => ErrorClass::Informational,
            Self::Contextual { source, .. } => source.class(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.class() == ErrorClass::Retryable
    }

    /// The code, snake_case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { entity } => entity.code(),
            Self::Validation { kind, .. } => kind.code(),
            Self::Contention { kind } => kind.code(),
            Self::Conflict { kind } => kind.code(),
            Self::State { kind } => kind.code(),
            Self::Bug { kind, .. } => kind.code(),
            Self::Transport { .. } => "transport",
            Self::Unavailable { .. } => "unavailable",
            Self::ResourceExhausted { .. } => "resource_exhausted",
            Self::Timeout { .. } => "timeout",
            Self::StreamDisconnected { .. } => "stream_disconnected",
            Self::StreamBackpressure => "stream_backpressure",
            Self::Contextual { source, .. } => source.code(),
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::PartitionUnavailable { .. } => "partition_unavailable",
        }
    }

    /// Every code of the wire protocol with its class.
    pub const ALL_CODES: &'static [(&'static str, ErrorClass)] = ALL_CODES;

    /// When to come back, where the error knows it.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::ResourceExhausted { retry_after_ms, .. } => *retry_after_ms,
            Self::PartitionUnavailable { retry_after_ms, .. } => Some(*retry_after_ms),
            Self::Contextual { source, .. } => source.retry_after_ms(),
            _ => None,
        }
    }

    /// The error below all context.
    pub fn root(&self) -> &Self {
        match self {
            Self::Contextual { source, .. } => source.root(),
            other => other,
        }
    }

    /// Says what was being done. Only errors of the machinery gain by it; the
    /// engine's own refusals stay as they are, so that callers can match them.
    pub fn with_context(self, context: impl Into<String>) -> Self {
        match self {
            Self::Transport { .. }
            | Self::Unavailable { .. }
            | Self::ResourceExhausted { .. }
            | Self::Timeout { .. }
            | Self::Contextual { .. } => Self::Contextual { source: Box::new(self), context: context.into() },
            other => other,
        }
    }

    /// A refused argument or value.
    pub fn validation(kind: ValidationKind, detail: impl Into<String>) -> Self {
        Self::Validation { kind, detail: detail.into() }
    }

    /// A refused argument.
    pub fn invalid_input(detail: impl Into<String>) -> Self {
        Self::validation(ValidationKind::InvalidInput, detail)
    }

    /// A stored value that cannot be read.
    pub fn corruption(record: &str, field: &str, value: &str) -> Self {
        Self::validation(ValidationKind::Corruption, format!("{record}.{field}: {}", value.escape_debug()))
    }

    /// Something does not exist.
    pub const fn not_found(entity: Entity) -> Self {
        Self::NotFound { entity }
    }

    /// The execution does not exist.
    pub const fn execution_not_found() -> Self {
        Self::not_found(Entity::Execution)
    }

    /// The engine contradicts itself.
    pub fn bug(kind: BugKind, detail: impl Into<String>) -> Self {
        Self::Bug { kind, detail: detail.into() }
    }
}

impl From<ContentionKind> for EngineError {
    fn from(kind: ContentionKind) -> Self {
        Self::Contention { kind }
    }
}

impl From<ConflictKind> for EngineError {
    fn from(kind: ConflictKind) -> Self {
        Self::Conflict { kind }
    }
}

impl From<StateKind> for EngineError {
    fn from(kind: StateKind) -> Self {
        Self::State { kind }
    }
}

fn labelled(code: &str, meaning: &str, detail: &str) -> String {
    if detail.is_empty() { format!("{code}: {meaning}") } else { format!("{code}: {meaning}: {detail}") }
}

fn contention(kind: &ContentionKind) -> String {
    let detail = match kind {
        ContentionKind::ExecutionNotActive(at) if at.lifecycle_phase == LifecyclePhase::Terminal => {
            format!("it ended as {} under lease epoch {}", at.terminal_outcome.as_str(), at.lease_epoch)
        }
        ContentionKind::ExecutionNotActive(at) => {
            format!("it is {}, its last lease epoch is {}", at.lifecycle_phase.as_str(), at.lease_epoch)
        }
        _ => String::new(),
    };
    labelled(kind.code(), kind.meaning(), &detail)
}

fn conflict(kind: &ConflictKind) -> String {
    let detail = match kind {
        ConflictKind::AlreadyMemberOfDifferentFlow(flow) => &flow.to_string(),
        ConflictKind::RotationConflict(kid) => kid,
        ConflictKind::DependencyAlreadyExists(edge) => edge,
        _ => "",
    };
    labelled(kind.code(), kind.meaning(), detail)
}

#[cfg(test)]
mod tests;
