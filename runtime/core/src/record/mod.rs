//! The records a partition owns, and the keys that name them.
//!
//! Records are what stores load and save. Big bytes (payload, large result)
//! live beside their execution as a [`Blob`], so that a state change never
//! rewrites them.

mod attempt;
mod execution;
pub mod flow;
mod grant;
mod idempotency;
mod kept;
mod lane;
mod lease;
mod signal;
mod suspend_dedup;
mod suspension;
mod wait;
mod waitpoint;

pub use attempt::{Attempt, AttemptKey, Lineage};
pub use execution::{AttemptTimeout, Execution, ExecutionSpec, Pending, Progress, ResultRef};
pub use grant::{Grant, GrantPurpose};
pub use idempotency::{Idempotency, IdempotencyKey};
pub use kept::KeptKind;
pub use lane::Lane;
pub use lease::{Holder, Lease, renewal_advice_ms};
pub use signal::{
    INLINE_PAYLOAD_BYTES_MAX, Signal, SignalBytes, SignalDedup, SignalDedupKey, SignalKey, SignalPayload,
};
pub use suspend_dedup::{IssuedWaitpoint, SuspendDedup, SuspendDedupKey, SuspendDetails, SuspendOutcome};
pub use suspension::{
    BoundWaitpoint, BufferedSummary, CloseReason, Closed, Requester, ResumePolicy, ResumeTarget, ResumeTrigger,
    Suspended, Suspension, SuspensionReason, SuspensionTimeout, TimeoutBehavior, Waits, WaitsMark,
};
pub use wait::{WaitKey, WaitRecord};
pub use waitpoint::{Waitpoint, WaitpointState};

use crate::ids::LaneId;
use flow::{FlowKey, FlowRecord};
use std::sync::Arc;
use uuid::Uuid;

/// Results up to this many bytes live inside the execution's record.
///
/// A small result is written once, by the change that ends the execution;
/// a row of its own would cost more than its bytes.
pub const INLINE_RESULT_BYTES_MAX: usize = 256;

/// Names a record within its partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// An execution, by its uuid.
    Execution(Uuid),
    /// An attempt that another one followed.
    Attempt(AttemptKey),
    /// What an idempotency key stands for.
    Idempotency(IdempotencyKey),
    /// A lane seen by this partition.
    Lane(LaneId),
    /// A record of suspension.
    Wait(WaitKey),
    /// A record of a flow.
    Flow(FlowKey),
}

impl From<WaitKey> for RecordKey {
    fn from(key: WaitKey) -> Self {
        Self::Wait(key)
    }
}

impl From<FlowKey> for RecordKey {
    fn from(key: FlowKey) -> Self {
        Self::Flow(key)
    }
}

impl RecordKey {
    /// The kind of record, as stores and errors name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Execution(_) => "execution",
            Self::Attempt(_) => "attempt",
            Self::Idempotency(_) => "idempotency",
            Self::Lane(_) => "lane",
            Self::Wait(key) => key.kind(),
            Self::Flow(key) => key.kind(),
        }
    }
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An execution.
    Execution(Arc<Execution>),
    /// An attempt that another one followed.
    Attempt(Arc<Attempt>),
    /// What an idempotency key stands for.
    Idempotency(Arc<Idempotency>),
    /// A lane.
    Lane(Arc<Lane>),
    /// A record of suspension.
    Wait(WaitRecord),
    /// A record of a flow.
    Flow(FlowRecord),
}

impl Record {
    /// The key of the record.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Execution(execution) => RecordKey::Execution(execution.id.uuid()),
            Self::Attempt(attempt) => RecordKey::Attempt(attempt.key()),
            Self::Idempotency(idempotency) => RecordKey::Idempotency(idempotency.key.clone()),
            Self::Lane(lane) => RecordKey::Lane(lane.lane_id.clone()),
            Self::Wait(record) => RecordKey::Wait(record.key()),
            Self::Flow(record) => RecordKey::Flow(record.key()),
        }
    }

    /// The execution, if the record is one.
    pub const fn as_execution(&self) -> Option<&Arc<Execution>> {
        match self {
            Self::Execution(execution) => Some(execution),
            _ => None,
        }
    }
}

/// Which bytes of an execution a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobKind {
    /// What it was created with.
    Payload,
    /// What it completed with.
    Result,
}

impl BlobKind {
    /// The name stores use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Result => "result",
        }
    }
}

/// Names a blob within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    /// The execution's uuid.
    pub execution: Uuid,
    /// Which bytes.
    pub kind: BlobKind,
}

/// Bytes that live beside a record.
pub type Blob = bytes::Bytes;
