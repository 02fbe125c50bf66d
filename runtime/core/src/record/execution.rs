//! The execution: the durable unit of work with one state vector.

use super::attempt::Attempt;
use super::grant::Grant;
use super::lease::Lease;
use super::suspension::WaitsMark;
use crate::capability::CapabilitySet;
use crate::ids::{AttemptId, AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, Namespace};
use crate::policy::ExecutionPolicy;
use crate::state::{AttemptState, StateVector};
use crate::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an execution was created with; never changes, except its priority,
/// which stands in [`Execution`].
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub struct ExecutionSpec {
    /// Keeps tenants apart.
    pub namespace: Namespace,
    /// Which handler runs it.
    pub kind: Arc<str>,
    /// Who created it, as the caller says.
    pub creator_identity: Arc<str>,
    /// How the caller encoded the payload, opaque here.
    pub payload_encoding: Option<Arc<str>>,
    /// Retry, timeout and routing rules.
    pub policy: Option<ExecutionPolicy>,
    /// Capabilities a worker must have.
    pub requirements: CapabilitySet,
    /// When it was created.
    pub created_at: TimestampMs,
}

/// How far a worker says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// Free text.
    pub message: Option<String>,
    /// When it was last said.
    pub updated_at: Option<TimestampMs>,
}

/// Why the next attempt will exist.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Pending {
    /// A retry after a failure.
    Retry {
        /// Why the attempt failed.
        reason: String,
        /// Which one.
        previous_attempt_index: AttemptIndex,
        /// The fence epoch under which it failed, to recognise a repeat.
        lease_epoch: LeaseEpoch,
        /// The attempt that failed.
        attempt_id: AttemptId,
    },
    /// A replay of an ended execution.
    Replay {
        /// Why.
        reason: String,
        /// Who asked.
        requested_by: String,
        /// The last attempt before, if one ever ran.
        previous_attempt_index: Option<AttemptIndex>,
    },
}

/// When the running attempt is out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum AttemptTimeout {
    /// The clock runs.
    At(TimestampMs),
    /// The attempt is interrupted; so much is left when it goes on.
    Remaining(u64),
}

/// Where the result is.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum ResultRef {
    /// In the record.
    Inline(Vec<u8>),
    /// In the blob beside it, of so many bytes.
    Stored(u32),
}

/// The durable unit of work.
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub struct Execution {
    /// Its identity; the partition is part of it for life.
    pub id: ExecutionId,
    /// What it was created with, shared between versions of the record.
    pub spec: Arc<ExecutionSpec>,
    /// Caller's labels, shared between versions of the record.
    pub tags: Arc<BTreeMap<String, String>>,
    /// The queue it stands in.
    pub lane_id: LaneId,
    /// 0 to 9000, higher first.
    pub priority: i32,
    /// The state vector.
    pub(crate) vector: StateVector,
    /// The flow it belongs to.
    pub flow_id: Option<FlowId>,
    /// What a block says beyond its reason.
    pub blocking_detail: Option<String>,
    /// Attempts ever; the index of the next one.
    pub total_attempt_count: u32,
    /// The live or last attempt.
    pub attempt: Option<Attempt>,
    /// Why the next attempt will exist.
    pub pending: Option<Pending>,
    /// The epoch of the last lease ever issued; 0 when none was.
    pub lease_epoch: LeaseEpoch,
    /// The lease while the execution is active; kept after it lapsed or was
    /// revoked, since it names who had it.
    pub lease: Option<Lease>,
    /// When the lease was marked as lapsed.
    pub lease_expired_at: Option<TimestampMs>,
    /// When the lease was revoked.
    pub lease_revoked_at: Option<TimestampMs>,
    /// Why the lease was revoked.
    pub lease_revoke_reason: Option<String>,
    /// Permission waiting to be used.
    pub grant: Option<Grant>,
    /// Retries so far.
    pub retry_count: u32,
    /// Replays so far.
    pub replay_count: u32,
    /// Reclaims so far.
    pub lease_reclaim_count: u32,
    /// When the vector last changed.
    pub last_transition_at: TimestampMs,
    /// When anything last changed.
    pub last_mutation_at: TimestampMs,
    /// When it was first claimed.
    pub started_at: Option<TimestampMs>,
    /// When it ended.
    pub completed_at: Option<TimestampMs>,
    /// When a delayed execution wakes.
    pub delay_until: Option<TimestampMs>,
    /// When a blocked execution was blocked.
    pub blocked_at: Option<TimestampMs>,
    /// When it expires whatever it does; kept after the end, for a replay.
    pub deadline_at: Option<TimestampMs>,
    /// When the running attempt expires.
    pub attempt_timeout: Option<AttemptTimeout>,
    /// What the worker said of its progress.
    pub progress: Progress,
    /// Why it failed or expired.
    pub failure_reason: Option<String>,
    /// Why it was cancelled.
    pub cancellation_reason: Option<String>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// When a worker was last refused for its capabilities.
    pub last_capability_mismatch_at: Option<TimestampMs>,
    /// Where the result is.
    pub result: Option<ResultRef>,
    /// How the worker encoded the result, opaque here.
    pub result_encoding: Option<String>,
    /// What its waits say to whoever looks at the execution only; none until
    /// it has waits.
    pub waits: Option<WaitsMark>,
}

impl Execution {
    /// The state vector.
    pub const fn vector(&self) -> &StateVector {
        &self.vector
    }

    /// Puts the execution into another state and notes when.
    pub(crate) fn transition(&mut self, vector: StateVector, now: TimestampMs) {
        self.vector = vector;
        self.last_transition_at = now;
        self.last_mutation_at = now;
    }

    /// Notes that the lease was lost. Losing a lease is no step of the
    /// execution itself, so only the mutation time moves.
    pub(crate) fn transition_of_lease(&mut self, vector: StateVector, now: TimestampMs) {
        self.vector = vector;
        self.last_mutation_at = now;
    }

    /// The pointer to the live or last attempt; 0 before the first claim.
    pub fn current_attempt_index(&self) -> AttemptIndex {
        self.attempt.as_ref().map_or(AttemptIndex(0), |attempt| attempt.index)
    }

    /// The id of the live attempt, or of the last one of an ended execution.
    /// Between a failure and its retry there is none.
    pub fn current_attempt_id(&self) -> Option<AttemptId> {
        match self.vector.attempt_state() {
            AttemptState::PendingRetryAttempt | AttemptState::PendingReplayAttempt => None,
            _ => self.attempt.as_ref().map(|attempt| attempt.attempt_id),
        }
    }

    /// The place in the eligible order: higher priority first, then older.
    ///
    /// One step of priority outweighs any age; the clamp of the priority
    /// keeps the number exact.
    pub fn rank(&self) -> i64 {
        self.spec.created_at.0 - i64::from(self.priority) * RANK_PER_PRIORITY
    }

    /// Whether a lease may be issued through the ordinary claim at `now`:
    /// eligible and not promised to another worker.
    pub fn is_claimable(&self, now: TimestampMs) -> bool {
        self.vector.is_eligible() && self.live_grant(now).is_none()
    }

    /// The grant, if it may still be used. A void one counts as absent.
    pub fn live_grant(&self, now: TimestampMs) -> Option<&Grant> {
        self.grant.as_ref().filter(|grant| grant.is_live(now))
    }

    /// How often the execution may be reclaimed.
    pub fn reclaim_cap(&self, argument: Option<u32>) -> u32 {
        self.spec
            .policy
            .as_ref()
            .map(|policy| policy.max_reclaim_count)
            .or(argument)
            .unwrap_or(crate::policy::DEFAULT_MAX_RECLAIM_COUNT)
    }

    /// When the running attempt expires, if the clock runs.
    pub const fn attempt_timeout_at(&self) -> Option<TimestampMs> {
        match self.attempt_timeout {
            Some(AttemptTimeout::At(at)) => Some(at),
            _ => None,
        }
    }
}

/// How far apart two priorities stand in the eligible order.
pub const RANK_PER_PRIORITY: i64 = 1_000_000_000_000;
