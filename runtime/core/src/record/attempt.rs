//! One try at an execution.

use crate::ids::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId, WorkerId, WorkerInstanceId};
use crate::state::{AttemptLifecycle, AttemptType};
use crate::time::TimestampMs;
use uuid::Uuid;

/// Names an attempt within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The execution's uuid.
    pub execution: Uuid,
    /// Its zero-based index.
    pub index: AttemptIndex,
}

/// What came before an attempt.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Lineage {
    /// Nothing.
    Initial,
    /// A failed attempt.
    Retry {
        /// Why it failed.
        retry_reason: String,
        /// Which one.
        previous_attempt_index: AttemptIndex,
    },
    /// The execution had ended.
    Replay {
        /// Why it is run again.
        replay_reason: String,
        /// Who asked.
        replay_requested_by: String,
        /// The last attempt before, if one ever ran.
        replayed_from_attempt_index: Option<AttemptIndex>,
    },
    /// A lost lease.
    Reclaim {
        /// How it was lost.
        reclaim_reason: String,
        /// Which attempt lost it.
        previous_attempt_index: AttemptIndex,
    },
}

impl Lineage {
    /// The type of attempt this makes.
    pub const fn attempt_type(&self) -> AttemptType {
        match self {
            Self::Initial => AttemptType::Initial,
            Self::Retry { .. } => AttemptType::Retry,
            Self::Replay { .. } => AttemptType::Replay,
            Self::Reclaim { .. } => AttemptType::Reclaim,
        }
    }
}

/// One try at an execution.
///
/// The current attempt is part of its execution's record; it becomes a record
/// of its own only when another attempt follows.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Attempt {
    /// New for every attempt, kept by a resume.
    pub attempt_id: AttemptId,
    /// The execution's uuid, as its 128-bit value.
    pub execution: u128,
    /// Zero-based.
    pub index: AttemptIndex,
    /// What came before.
    pub lineage: Lineage,
    /// Where it stands.
    pub lifecycle: AttemptLifecycle,
    /// When the record was made.
    pub created_at: TimestampMs,
    /// When it first ran.
    pub started_at: TimestampMs,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// When it went on after an interruption.
    pub resumed_at: Option<TimestampMs>,
    /// When it gave its lease back to go on later.
    pub suspended_at: Option<TimestampMs>,
    /// What it waits for: a suspension's id or one of the literals
    /// `worker_delay` and `waiting_children`.
    pub suspension_id: Option<String>,
    /// The last lease it ran under.
    pub lease_id: LeaseId,
    /// That lease's epoch.
    pub lease_epoch: LeaseEpoch,
    /// The last worker.
    pub worker_id: WorkerId,
    /// The last worker's process.
    pub worker_instance_id: WorkerInstanceId,
    /// Why it failed or was cancelled.
    pub failure_reason: Option<String>,
    /// The class of the failure.
    pub failure_category: Option<String>,
    /// The policy it was claimed with, as the caller gave it.
    pub policy_json: Option<String>,
}

impl Attempt {
    /// The key under which it is stored once another attempt follows.
    pub const fn key(&self) -> AttemptKey {
        AttemptKey { execution: Uuid::from_u128(self.execution), index: self.index }
    }

    /// Ends the attempt.
    pub fn end(&mut self, lifecycle: AttemptLifecycle, now: TimestampMs) {
        self.lifecycle = lifecycle;
        self.ended_at = Some(now);
    }
}
