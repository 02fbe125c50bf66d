//! A signal that was accepted, and what keeps it from being accepted twice.

use crate::ids::{ExecutionId, SignalId, WaitpointId};
use crate::suspension::{Heard, SignalEffect};
use crate::time::TimestampMs;
use std::sync::Arc;

/// Payloads up to this many bytes live inside the signal's record.
pub const INLINE_PAYLOAD_BYTES_MAX: usize = 256;

/// Names a signal within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub struct SignalKey {
    /// The waitpoint it was sent to.
    pub waitpoint_id: WaitpointId,
    /// The signal.
    pub signal_id: SignalId,
}

/// Where the payload of a signal is.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum SignalPayload {
    /// In the record.
    Inline(Vec<u8>),
    /// In the bytes beside it, so many of them.
    Stored(u32),
}

/// A payload too large to live inside its signal's record; never changes.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SignalBytes {
    /// Whose it is.
    pub key: SignalKey,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// A signal that was accepted; never changes.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Signal {
    /// The waitpoint it was sent to, and its identity.
    pub key: SignalKey,
    /// The execution it was sent to.
    pub execution_id: ExecutionId,
    /// What the sender aimed at, opaque here.
    pub target_scope: String,
    /// Its name.
    pub signal_name: String,
    /// Its category.
    pub signal_category: String,
    /// The kind of sender.
    pub source_type: String,
    /// The sender.
    pub source_identity: String,
    /// The sender's own reference.
    pub correlation_id: Option<String>,
    /// What makes it the same signal when sent again.
    pub idempotency_key: Option<Arc<str>>,
    /// When it was made, as the sender says.
    pub created_at: TimestampMs,
    /// When it was accepted.
    pub accepted_at: TimestampMs,
    /// Where its payload is.
    pub payload: Option<SignalPayload>,
    /// How the sender encoded the payload, opaque here.
    pub payload_encoding: String,
    /// What it did.
    pub observed_effect: SignalEffect,
}

impl Signal {
    /// What a condition looks at, for a waitpoint of this key.
    pub fn heard<'a>(&'a self, waitpoint_key: &'a str) -> Heard<'a> {
        Heard {
            signal_id: self.key.signal_id,
            waitpoint_key,
            signal_name: &self.signal_name,
            source_type: &self.source_type,
            source_identity: &self.source_identity,
        }
    }
}

/// Names what an idempotency key of signals stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub struct SignalDedupKey {
    /// Keys of different waitpoints do not meet.
    pub waitpoint_id: WaitpointId,
    /// The sender's key, not empty.
    pub key: Arc<str>,
}

/// The signal an idempotency key stands for, until it lapses.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SignalDedup {
    /// The key.
    pub key: SignalDedupKey,
    /// The signal that was accepted under it.
    pub signal_id: SignalId,
    /// From then on the key is free again.
    pub expires_at: TimestampMs,
}
