//! What an idempotency key of a suspend stands for.

use crate::handle::HandlePayload;
use crate::ids::{SuspensionId, WaitpointId};
use crate::time::TimestampMs;
use crate::token::WaitpointToken;
use std::sync::Arc;
use uuid::Uuid;

/// A waitpoint of a suspension with its token, for whoever may hand it out.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct IssuedWaitpoint {
    /// Which one.
    pub waitpoint_id: WaitpointId,
    /// What the condition calls it.
    pub waitpoint_key: Arc<str>,
    /// What its senders prove themselves with.
    pub waitpoint_token: WaitpointToken,
}

/// What a suspend gives its worker.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SuspendDetails {
    /// The suspension.
    pub suspension_id: SuspensionId,
    /// The first waitpoint.
    pub primary: IssuedWaitpoint,
    /// The others.
    pub additional_waitpoints: Vec<IssuedWaitpoint>,
}

/// Answer of `suspend` and `suspend_by_triple`.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum SuspendOutcome {
    /// The lease was given back; the execution waits.
    Suspended {
        /// Its waitpoints.
        details: SuspendDetails,
        /// What the worker held: the triple of the lease that is gone.
        held: HandlePayload,
    },
    /// Signals that came before satisfy the condition; the lease is kept.
    AlreadySatisfied {
        /// Its waitpoints.
        details: SuspendDetails,
    },
}

impl SuspendOutcome {
    /// The waitpoints, however it went.
    pub const fn details(&self) -> &SuspendDetails {
        match self {
            Self::Suspended { details, .. } | Self::AlreadySatisfied { details } => details,
        }
    }
}

/// Names what an idempotency key of suspends stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuspendDedupKey {
    /// Keys of different executions do not meet.
    pub execution: Uuid,
    /// The caller's key, not empty.
    pub key: Arc<str>,
}

/// The outcome an idempotency key stands for, until it lapses.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SuspendDedup {
    /// The execution's uuid, as its 128-bit value.
    pub execution: u128,
    /// The caller's key.
    pub key: Arc<str>,
    /// What the first call answered.
    pub outcome: SuspendOutcome,
    /// From then on the key is free again.
    pub expires_at: TimestampMs,
}

impl SuspendDedup {
    /// The key under which it is stored.
    pub fn key(&self) -> SuspendDedupKey {
        SuspendDedupKey { execution: Uuid::from_u128(self.execution), key: self.key.clone() }
    }
}
