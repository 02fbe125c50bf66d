//! What callers are told.

use bytes::Bytes;
use leasehold_core::error::EngineError;
use leasehold_core::handle::Handle;
use leasehold_core::ids::{AttemptIndex, ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::{
    CloseReason, Requester, ResumeTrigger, SuspendDetails, SuspensionReason, SuspensionTimeout,
};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::{Rotated, WaitpointToken};
use leasehold_core::wait_lists::{Page, PendingWaitpointInfo, SuspendedCursor, SuspendedInfo};

/// Answer of `suspend` and `suspend_by_triple`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuspendOutcome {
    /// The lease was given back; the execution waits.
    Suspended {
        /// Its waitpoints with their tokens.
        details: SuspendDetails,
        /// Names the lease that is gone; its kind is `suspended`.
        handle: Handle,
    },
    /// Signals that came before satisfy the condition; the lease is kept.
    AlreadySatisfied {
        /// Its waitpoints with their tokens.
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

/// A signal as a resumed worker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeSignal {
    /// The signal.
    pub signal_id: SignalId,
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
    /// When it was accepted.
    pub accepted_at: TimestampMs,
    /// What it carries, as it was sent.
    pub payload: Option<Bytes>,
}

/// Answer of `read_suspension`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspensionView {
    /// Its identity.
    pub suspension_id: SuspensionId,
    /// The attempt that was suspended.
    pub attempt_index: AttemptIndex,
    /// Why.
    pub reason: SuspensionReason,
    /// Who asked.
    pub requested_by: Requester,
    /// Since when.
    pub created_at: TimestampMs,
    /// Its deadline.
    pub timeout: Option<SuspensionTimeout>,
    /// The worker's note on where to go on.
    pub continuation_metadata_pointer: Option<String>,
    /// When its condition was satisfied.
    pub satisfied_at: Option<TimestampMs>,
    /// How it ended; none while it is open.
    pub closed: Option<ClosedView>,
    /// What resumed it, in order: as `observe_signals` shows it, whichever
    /// attempt asks.
    pub signals: Vec<KeyedSignal>,
}

/// How a suspension ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedView {
    /// When.
    pub at: TimestampMs,
    /// Why.
    pub reason: CloseReason,
    /// What resumed it without its condition.
    pub resume_trigger: Option<ResumeTrigger>,
}

/// A signal and the waitpoint it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedSignal {
    /// What the condition calls the waitpoint.
    pub waitpoint_key: String,
    /// The signal.
    pub signal: ResumeSignal,
}

/// Answer of `read_waitpoint_token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitpointTokenRead {
    /// Whose the waitpoint is.
    pub execution_id: ExecutionId,
    /// The whole token, which `Debug` does not show.
    pub token: WaitpointToken,
}

/// A page of waitpoints, by id.
pub type PendingWaitpointPage = Page<PendingWaitpointInfo, WaitpointId>;

/// A page of suspended executions, by time and id.
pub type SuspendedPage = Page<SuspendedInfo, SuspendedCursor>;

/// What became of a rotation in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRotation {
    /// The partition's number.
    pub partition: u16,
    /// What became of it.
    pub result: Result<Rotated, EngineError>,
}
