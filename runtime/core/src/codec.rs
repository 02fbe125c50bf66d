//! The one place that turns records and events into bytes and back.
//!
//! A version byte opens every encoding; the rest is bincode with a fixed
//! configuration and a size limit, since its decoder allocates what a hostile
//! length asks for.

use crate::error::EngineError;
use crate::event::Event;
use crate::record::{
    Attempt, Execution, Idempotency, Lane, Signal, SignalBytes, SignalDedup, SuspendDedup, Suspended, Waitpoint, Waits,
};
use crate::token::Keyring;

/// The version this build writes.
pub const RECORD_VERSION: u8 = 1;

/// The most one record may take, in bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// A record kind that has an encoding.
pub trait Stored: bincode::Encode + bincode::Decode<()> {
    /// The name used in errors.
    const KIND: &'static str;
}

impl Stored for Execution {
    const KIND: &'static str = "execution";
}
impl Stored for Attempt {
    const KIND: &'static str = "attempt";
}
impl Stored for Idempotency {
    const KIND: &'static str = "idempotency";
}
impl Stored for Lane {
    const KIND: &'static str = "lane";
}
impl Stored for Waits {
    const KIND: &'static str = "waits";
}
impl Stored for Waitpoint {
    const KIND: &'static str = "waitpoint";
}
impl Stored for Signal {
    const KIND: &'static str = "signal";
}
impl Stored for SignalBytes {
    const KIND: &'static str = "signal_bytes";
}
impl Stored for Suspended {
    const KIND: &'static str = "suspended";
}
impl Stored for SignalDedup {
    const KIND: &'static str = "signal_dedup";
}
impl Stored for SuspendDedup {
    const KIND: &'static str = "suspend_dedup";
}
impl Stored for Keyring {
    const KIND: &'static str = "keyring";
}
impl Stored for Event {
    const KIND: &'static str = "event";
}

const fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<RECORD_BYTES_MAX>()
}

/// Encodes a record.
///
/// # Errors
///
/// `corruption` when the value cannot be written, which only a record over
/// the size limit does.
pub fn encode<T: Stored>(value: &T) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::with_capacity(512);
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// Encodes a record behind what `bytes` holds, for those who write many.
///
/// # Errors
///
/// As [`encode`]; what was appended until then stays.
pub fn encode_into<T: Stored>(value: &T, bytes: &mut Vec<u8>) -> Result<(), EngineError> {
    let begin = bytes.len();
    bytes.push(RECORD_VERSION);
    bincode::encode_into_std_write(value, bytes, config())
        .map_err(|error| EngineError::corruption(T::KIND, "record", &error.to_string()))?;
    if bytes.len() - begin > RECORD_BYTES_MAX {
        return Err(EngineError::corruption(T::KIND, "record", "larger than the limit"));
    }
    Ok(())
}

/// Decodes a record.
///
/// # Errors
///
/// `corruption` naming the kind and what is wrong: an unknown version, bytes
/// that do not parse, bytes left over, or a state vector that contradicts
/// itself.
pub fn decode<T: Stored>(bytes: &[u8]) -> Result<T, EngineError> {
    let corrupt = |field: &str, value: &str| EngineError::corruption(T::KIND, field, value);
    let Some((&version, rest)) = bytes.split_first() else {
        return Err(corrupt("record", "empty"));
    };
    if version != RECORD_VERSION {
        return Err(corrupt("version", &version.to_string()));
    }
    let (value, read) =
        bincode::decode_from_slice(rest, config()).map_err(|error| corrupt("record", &error.to_string()))?;
    if read != rest.len() {
        return Err(corrupt("record", "bytes left over"));
    }
    Ok(value)
}
