//! Events: what a change has to tell the outside.
//!
//! One event row carries everything one change has to tell, so that a
//! completion and the release of its lease cost one row together.

use crate::ids::{
    AttemptId, AttemptIndex, ExecutionId, FlowId, LeaseEpoch, LeaseId, SignalId, WaitpointId, WorkerInstanceId,
};
use crate::state::TerminalOutcome;
use crate::suspension::SignalEffect;
use crate::time::TimestampMs;

/// What happened to a lease.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum LeaseFact {
    /// It was issued.
    Acquired {
        /// Why, where it is not an ordinary claim: `claim_resumed`,
        /// `issue_grant_and_claim` or `issue_grant_and_claim_resumed`.
        reason: Option<String>,
    },
    /// Its expiry was moved.
    Renewed,
    /// It lapsed.
    Expired,
    /// Another lease took its place.
    Reclaimed {
        /// The epoch of the lease that was lost.
        old_lease_epoch: LeaseEpoch,
    },
    /// It was taken away.
    Revoked {
        /// Why.
        reason: String,
    },
    /// It was given back.
    Released {
        /// Why: `completed`, `failed_retry_scheduled`, `failed_terminal`,
        /// `cancelled`, `worker_delay`, `waiting_children`, `suspend`,
        /// `expired:<phase>` or `max_reclaims_exceeded`.
        reason: String,
    },
}

impl LeaseFact {
    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Acquired { .. } => "acquired",
            Self::Renewed => "renewed",
            Self::Expired => "expired",
            Self::Reclaimed { .. } => "reclaimed",
            Self::Revoked { .. } => "revoked",
            Self::Released { .. } => "released",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Fact {
    /// Something about a lease.
    Lease {
        /// What.
        what: LeaseFact,
        /// Which lease.
        lease_id: LeaseId,
        /// Its epoch.
        lease_epoch: LeaseEpoch,
        /// The attempt it drives.
        attempt_index: AttemptIndex,
        /// The same attempt's id.
        attempt_id: AttemptId,
        /// The worker's process.
        worker_instance_id: WorkerInstanceId,
    },
    /// The execution entered a terminal state.
    Completed {
        /// How it ended.
        outcome: TerminalOutcome,
        /// The flow it belongs to.
        flow_id: Option<FlowId>,
        /// Whether the cancellation of its flow ended it.
        cascade: bool,
    },
    /// An operator changed the priority.
    PriorityChanged {
        /// Before.
        old: i32,
        /// After.
        new: i32,
    },
    /// A terminal execution is run again.
    Replayed {
        /// How often so far.
        replay_count: u32,
        /// `normal` or `skipped_flow_member`.
        replay_type: String,
    },
    /// A create that an outside writer left in the inbox was refused; no
    /// execution came of it.
    CreateRefused {
        /// The error's code.
        code: String,
        /// The error in words.
        message: String,
    },
    /// A signal was accepted and looked at by the open suspension. One that is
    /// merely kept for later is not told.
    SignalDelivered {
        /// The signal.
        signal_id: SignalId,
        /// Where it was sent.
        waitpoint_id: WaitpointId,
        /// The sender.
        source_identity: String,
        /// What it did.
        effect: SignalEffect,
    },
}

impl Fact {
    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Lease { what, .. } => what.kind(),
            Self::Completed { .. } => "completed",
            Self::PriorityChanged { .. } => "priority_changed",
            Self::Replayed { .. } => "replay_initiated",
            Self::SignalDelivered { .. } => "signal_delivered",
            Self::CreateRefused { .. } => "create_refused",
        }
    }
}

/// What one change tells about one execution.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Event {
    /// The execution.
    pub execution_id: ExecutionId,
    /// When, in partition time.
    pub at: TimestampMs,
    /// What happened, in order.
    pub facts: Vec<Fact>,
}

/// An event's place in its partition's log. Ownership epochs make it unique
/// even where a store lost its last writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct EventId {
    /// The ownership epoch of the partition that wrote it.
    pub epoch: u64,
    /// Its number within that epoch, from 1.
    pub number: u64,
}
