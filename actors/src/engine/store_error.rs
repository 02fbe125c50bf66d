//! What callers are told when the store fails.

use leasehold_backend::StoreError;
use leasehold_core::error::{BackendErrorKind, ContentionKind, EngineError};
use leasehold_core::handle::BackendTag;

/// When to ask a full store again.
const FULL_RETRY_MS: u64 = 1000;

/// What a create is told while the store has no room.
pub(crate) const fn full() -> EngineError {
    EngineError::ResourceExhausted { pool: "store", max: 0, retry_after_ms: Some(FULL_RETRY_MS) }
}

/// Names the operation and the store in a failed store call.
///
/// A busy store has already been asked again by the time this is called, so
/// the caller is told to come back later.
pub(crate) fn engine_error(op: &'static str, backend: BackendTag, error: StoreError) -> EngineError {
    match error {
        StoreError::Busy { .. } => ContentionKind::RetryExhausted.into(),
        StoreError::Unknown { .. } => EngineError::OutcomeUnknown { op },
        StoreError::Full { .. } => full(),
        StoreError::Corrupt(error) => error,
        StoreError::Permanent { message } | StoreError::Refused { message } => {
            EngineError::Transport { backend: backend.as_str(), kind: BackendErrorKind::Other, message }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::error::ErrorClass;

    #[test]
    fn each_failure_says_what_the_caller_can_do() {
        let corrupt = EngineError::corruption("execution", "priority", "x");
        for (error, code, class) in [
            (StoreError::busy("locked"), "retry_exhausted", ErrorClass::Retryable),
            (StoreError::unknown("reset"), "outcome_unknown", ErrorClass::Retryable),
            (StoreError::full("disk"), "resource_exhausted", ErrorClass::Retryable),
            (StoreError::permanent("full"), "transport", ErrorClass::Terminal),
            (StoreError::refused("newer schema"), "transport", ErrorClass::Terminal),
            (StoreError::Corrupt(corrupt), "corruption", ErrorClass::Terminal),
        ] {
            let told = engine_error("ping", BackendTag::Sqlite, error);
            assert_eq!((told.code(), told.class()), (code, class));
        }
    }

    #[test]
    fn the_operation_and_the_store_are_named() {
        let unknown = engine_error("ping", BackendTag::Sqlite, StoreError::unknown("reset"));
        assert_eq!(unknown, EngineError::OutcomeUnknown { op: "ping" });
        let refused = engine_error("prepare", BackendTag::Postgres, StoreError::refused("newer schema"));
        assert_eq!(refused.to_string(), "transport: postgres reports other: newer schema");
    }
}
