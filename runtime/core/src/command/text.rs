//! Bounds on texts that come from outside.
//!
//! What passes here fits every store: it has a known size and carries no NUL,
//! which some stores cannot keep in text.

use crate::error::EngineError;
use std::ops::RangeInclusive;

/// The most a kind, creator, encoding, category, digest or idempotency key
/// may take, in bytes.
pub const KIND_BYTES_MAX: usize = 256;

/// The most a reason, detail or message for people may take, in bytes.
pub const REASON_BYTES_MAX: usize = 4096;

/// The most an opaque document kept for the caller may take, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024;

/// Refuses a name that is empty, too long or carries a NUL.
pub(crate) fn name(field: &str, value: &str) -> Result<(), EngineError> {
    within(field, value, 1..=KIND_BYTES_MAX)
}

/// Refuses a label that is too long or carries a NUL; empty is fine.
pub(crate) fn label(field: &str, value: &str) -> Result<(), EngineError> {
    within(field, value, 0..=KIND_BYTES_MAX)
}

/// Refuses a text for people that is too long or carries a NUL.
pub(crate) fn reason(field: &str, value: &str) -> Result<(), EngineError> {
    within(field, value, 0..=REASON_BYTES_MAX)
}

/// Refuses an opaque document that is too long or carries a NUL.
pub(crate) fn document(field: &str, value: &str) -> Result<(), EngineError> {
    within(field, value, 0..=DOCUMENT_BYTES_MAX)
}

/// Applies a check to a text that may be absent.
pub(crate) fn optional(
    check: fn(&str, &str) -> Result<(), EngineError>,
    field: &str,
    value: Option<&str>,
) -> Result<(), EngineError> {
    value.map_or(Ok(()), |value| check(field, value))
}

fn within(field: &str, value: &str, bytes: RangeInclusive<usize>) -> Result<(), EngineError> {
    if value.len() < *bytes.start() {
        return Err(EngineError::invalid_input(format!("{field}: empty")));
    }
    if value.len() > *bytes.end() {
        return Err(EngineError::invalid_input(format!("{field}: {} bytes, at most {}", value.len(), bytes.end())));
    }
    if value.contains('\0') {
        return Err(EngineError::invalid_input(format!("{field}: NUL byte")));
    }
    Ok(())
}
