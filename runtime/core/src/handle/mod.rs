//! Handles: what a worker carries to prove and name its lease.
//!
//! The bytes are opaque to workers, neither secret nor signed; having them is
//! having the fence. The outer kind is informational and carries no authority.
//!
//! Version 2, integers little-endian, `str` = u32 length and UTF-8:
//!
//! ```text
//! 02 01 backend:u8
//! execution_id:str attempt_index:u32 attempt_id:str lease_id:str
//! lease_epoch:u64 lease_ttl_ms:u64 lane_id:str worker_instance_id:str
//! ```
//!
//! Version 1, decoded only, has `01` in place of the first three bytes and
//! comes from Valkey.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::{EngineError, ValidationKind};
use crate::ids::{AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, WorkerInstanceId};

const MAGIC_V2: u8 = 0x02;
const WIRE_VERSION: u8 = 0x01;
const MAGIC_V1: u8 = 0x01;

/// Which kind of store issued a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum BackendTag {
    /// Valkey.
    Valkey = 1,
    /// Postgres.
    Postgres = 2,
    /// SQLite.
    Sqlite = 3,
    /// Memory.
    Memory = 4,
}

impl BackendTag {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Valkey),
            2 => Some(Self::Postgres),
            3 => Some(Self::Sqlite),
            4 => Some(Self::Memory),
            _ => None,
        }
    }
}

/// How the lease of a handle came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "snake_case")]
pub enum HandleKind {
    /// A new attempt.
    Fresh,
    /// An interrupted attempt goes on.
    Resumed,
    /// The lease was given back by a suspension.
    Suspended,
    /// A new attempt after another worker's lease was lost.
    Reclaimed,
}

/// What a worker carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Handle {
    /// Who issued it.
    pub backend: BackendTag,
    /// How its lease came about.
    pub kind: HandleKind,
    /// The encoded payload; hexadecimal in text formats.
    #[serde(with = "hex")]
    pub opaque: Vec<u8>,
}

/// What a handle says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub struct HandlePayload {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The attempt, by its number.
    pub attempt_index: AttemptIndex,
    /// The attempt, by its id.
    pub attempt_id: AttemptId,
    /// The lease.
    pub lease_id: LeaseId,
    /// The place of the lease in the execution's sequence of leases.
    pub lease_epoch: LeaseEpoch,
    /// How long one renewal lasts.
    pub lease_ttl_ms: u64,
    /// The lane the execution was claimed from.
    pub lane_id: LaneId,
    /// The process it was issued to.
    pub worker_instance_id: WorkerInstanceId,
}

/// Why bytes are not a handle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HandleCodecError {
    /// They end too early.
    #[error("Truncated in {0}")]
    Truncated(&'static str),
    /// They go on after the last field.
    #[error("TrailingBytes, {0} of them")]
    TrailingBytes(usize),
    /// The version is not one this program writes.
    #[error("BadWireVersion {0}")]
    BadWireVersion(u8),
    /// The first byte opens no known version.
    #[error("BadV1Version {0}")]
    BadV1Version(u8),
    /// No backend has this tag.
    #[error("BadBackendTag {0}")]
    BadBackendTag(u8),
    /// A text is not UTF-8.
    #[error("InvalidUtf8 in {0}")]
    InvalidUtf8(&'static str),
    /// A text is not what its field holds.
    #[error("ParseField {0}")]
    ParseField(&'static str),
}

impl From<HandleCodecError> for EngineError {
    fn from(error: HandleCodecError) -> Self {
        Self::validation(ValidationKind::Corruption, format!("handle_codec: {error}"))
    }
}

impl Handle {
    /// Makes the handle of a lease.
    pub fn encode(backend: BackendTag, kind: HandleKind, payload: &HandlePayload) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[MAGIC_V2, WIRE_VERSION, backend as u8]);
        payload.write(&mut bytes);
        Self { backend, kind, opaque: bytes }
    }

    /// Reads the handle, if `expected` issued it.
    ///
    /// # Errors
    ///
    /// `handle_from_other_backend` when the outer or the embedded tag is
    /// another one, `corruption` when the bytes are no handle.
    pub fn decode(&self, expected: BackendTag) -> Result<HandlePayload, EngineError> {
        require(expected, self.backend)?;
        let mut reader = Reader { rest: &self.opaque };
        let issuer = match reader.byte("version")? {
            MAGIC_V2 => {
                let version = reader.byte("version")?;
                if version != WIRE_VERSION {
                    return Err(HandleCodecError::BadWireVersion(version).into());
                }
                let tag = reader.byte("backend")?;
                BackendTag::from_byte(tag).ok_or(HandleCodecError::BadBackendTag(tag))?
            }
            MAGIC_V1 => BackendTag::Valkey,
            other => return Err(HandleCodecError::BadV1Version(other).into()),
        };
        require(expected, issuer)?;
        Ok(HandlePayload::read(reader)?)
    }
}

fn require(expected: BackendTag, issuer: BackendTag) -> Result<(), EngineError> {
    if issuer == expected {
        return Ok(());
    }
    let detail = format!("issued by {}, given to {}", issuer.as_str(), expected.as_str());
    Err(EngineError::validation(ValidationKind::HandleFromOtherBackend, detail))
}

impl HandlePayload {
    /// The triple that proves the lease.
    pub const fn fence(&self) -> LeaseFence {
        LeaseFence { lease_id: self.lease_id, lease_epoch: self.lease_epoch, attempt_id: self.attempt_id }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        write_text(bytes, &self.execution_id.to_string());
        bytes.extend_from_slice(&self.attempt_index.0.to_le_bytes());
        write_text(bytes, &self.attempt_id.to_string());
        write_text(bytes, &self.lease_id.to_string());
        bytes.extend_from_slice(&self.lease_epoch.0.to_le_bytes());
        bytes.extend_from_slice(&self.lease_ttl_ms.to_le_bytes());
        write_text(bytes, self.lane_id.as_str());
        write_text(bytes, self.worker_instance_id.as_str());
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, HandleCodecError> {
        let payload = Self {
            execution_id: reader.parse("execution_id")?,
            attempt_index: AttemptIndex(u32::from_le_bytes(reader.array("attempt_index")?)),
            attempt_id: reader.parse("attempt_id")?,
            lease_id: reader.parse("lease_id")?,
            lease_epoch: LeaseEpoch(u64::from_le_bytes(reader.array("lease_epoch")?)),
            lease_ttl_ms: u64::from_le_bytes(reader.array("lease_ttl_ms")?),
            lane_id: reader.parse("lane_id")?,
            worker_instance_id: reader.parse("worker_instance_id")?,
        };
        match reader.rest.len() {
            0 => Ok(payload),
            left => Err(HandleCodecError::TrailingBytes(left)),
        }
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    // Every text here is an identifier of a few hundred bytes at most.
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], HandleCodecError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(HandleCodecError::Truncated(field))?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, HandleCodecError> {
        let [byte] = self.array(field)?;
        Ok(byte)
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, HandleCodecError> {
        let length = u32::from_le_bytes(self.array(field)?) as usize;
        let (head, rest) = self.rest.split_at_checked(length).ok_or(HandleCodecError::Truncated(field))?;
        self.rest = rest;
        std::str::from_utf8(head).map_err(|_| HandleCodecError::InvalidUtf8(field))
    }

    fn parse<T: FromStr>(&mut self, field: &'static str) -> Result<T, HandleCodecError> {
        self.text(field)?.parse().map_err(|_| HandleCodecError::ParseField(field))
    }
}

/// Bytes as lower-case hexadecimal text.
mod hex {
    use super::fmt;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_str(HexText)
    }

    struct HexText;

    impl Visitor<'_> for HexText {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("lower-case hexadecimal text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            let value = |digit: &u8| DIGITS.iter().position(|known| known == digit).map(|value| value as u8);
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let bytes: Option<Vec<u8>> =
                pairs.iter().map(|[high, low]| Some(value(high)? << 4 | value(low)?)).collect();
            match bytes {
                Some(bytes) if rest.is_empty() => Ok(bytes),
                _ => Err(E::custom("not lower-case hexadecimal text")),
            }
        }
    }
}

#[cfg(test)]
mod tests;
