//! The records of suspension, and the keys that name them.

use super::signal::{Signal, SignalBytes, SignalDedup, SignalDedupKey, SignalKey};
use super::suspend_dedup::{SuspendDedup, SuspendDedupKey};
use super::suspension::{Suspended, Waits};
use super::waitpoint::Waitpoint;
use crate::ids::WaitpointId;
use crate::time::TimestampMs;
use crate::token::Keyring;
use std::sync::Arc;
use uuid::Uuid;

/// Names a record of suspension within its partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitKey {
    /// What an execution waits for, by the execution's uuid.
    Waits(Uuid),
    /// A waitpoint.
    Waitpoint(WaitpointId),
    /// A signal.
    Signal(SignalKey),
    /// The bytes of a signal's payload.
    SignalBytes(SignalKey),
    /// What an idempotency key of signals stands for.
    SignalDedup(SignalDedupKey),
    /// What an idempotency key of suspends stands for.
    SuspendDedup(SuspendDedupKey),
    /// The entry of a suspended execution in the list of them.
    Suspended(TimestampMs, Uuid),
    /// The partition's key ring.
    Keyring,
}

impl WaitKey {
    /// The kind of record, as stores and errors name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Waits(_) => "waits",
            Self::Waitpoint(_) => "waitpoint",
            Self::Signal(_) => "signal",
            Self::SignalBytes(_) => "signal_bytes",
            Self::Suspended(..) => "suspended",
            Self::SignalDedup(_) => "signal_dedup",
            Self::SuspendDedup(_) => "suspend_dedup",
            Self::Keyring => "keyring",
        }
    }
}

/// A record of suspension.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitRecord {
    /// What an execution waits for.
    Waits(Arc<Waits>),
    /// A waitpoint.
    Waitpoint(Arc<Waitpoint>),
    /// A signal.
    Signal(Arc<Signal>),
    /// The bytes of a signal's payload.
    SignalBytes(Arc<SignalBytes>),
    /// What an idempotency key of signals stands for.
    SignalDedup(Arc<SignalDedup>),
    /// What an idempotency key of suspends stands for.
    SuspendDedup(Arc<SuspendDedup>),
    /// The entry of a suspended execution in the list of them.
    Suspended(Arc<Suspended>),
    /// The key ring.
    Keyring(Arc<Keyring>),
}

impl WaitRecord {
    /// The key of the record.
    pub fn key(&self) -> WaitKey {
        match self {
            Self::Waits(waits) => WaitKey::Waits(waits.execution_id.uuid()),
            Self::Waitpoint(waitpoint) => WaitKey::Waitpoint(waitpoint.waitpoint_id),
            Self::Signal(signal) => WaitKey::Signal(signal.key),
            Self::SignalBytes(bytes) => WaitKey::SignalBytes(bytes.key),
            Self::Suspended(entry) => WaitKey::Suspended(entry.since, entry.execution_id.uuid()),
            Self::SignalDedup(dedup) => WaitKey::SignalDedup(dedup.key.clone()),
            Self::SuspendDedup(dedup) => WaitKey::SuspendDedup(dedup.key()),
            Self::Keyring(_) => WaitKey::Keyring,
        }
    }
}
