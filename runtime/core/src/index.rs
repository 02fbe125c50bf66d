//! Index entries, derived from records.
//!
//! [`index_entries`] is the only place that says where a record is found.
//! Stores keep what it returns (as columns or sorted sets) and the checker
//! compares both, so `index = f(record)` holds by construction.

use crate::capability::CapabilitySet;
use crate::ids::{LaneId, WorkerInstanceId};
use crate::record::Execution;
use crate::state::{EligibilityState, LifecyclePhase};
use crate::time::TimestampMs;

/// The one queue an execution stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// May be claimed; ordered by rank, then id.
    Ready {
        /// Lower is served first.
        rank: i64,
    },
    /// Waits for a time.
    Delayed {
        /// When it wakes.
        wake_at: TimestampMs,
    },
    /// Waits for a condition.
    Blocked {
        /// Which one.
        by: EligibilityState,
        /// Since when.
        since: TimestampMs,
    },
    /// Claimed, whatever became of the lease.
    Active {
        /// When the stored lease lapses or lapsed; none after a revocation.
        lease_expires_at: Option<TimestampMs>,
    },
    /// Waits for a signal.
    Suspended,
    /// Ended.
    Terminal {
        /// When.
        completed_at: TimestampMs,
    },
}

impl Queue {
    /// The name of the queue, as stores and the checker spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Delayed { .. } => "delayed",
            Self::Blocked { .. } => "blocked",
            Self::Active { .. } => "active",
            Self::Suspended => "suspended",
            Self::Terminal { .. } => "terminal",
        }
    }

    /// The number the queue is ordered by.
    pub const fn score(&self) -> i64 {
        match self {
            Self::Ready { rank } => *rank,
            Self::Delayed { wake_at } => wake_at.0,
            Self::Blocked { since, .. } => since.0,
            Self::Active { lease_expires_at: Some(at) } => at.0,
            Self::Active { lease_expires_at: None } | Self::Suspended => 0,
            Self::Terminal { completed_at } => completed_at.0,
        }
    }
}

/// What a timer will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DueKind {
    /// Promote a delayed execution.
    Delay,
    /// Expire the running attempt.
    AttemptTimeout,
    /// Expire the execution.
    Deadline,
    /// Forget a grant nobody used.
    Grant,
    /// A suspension or a pending waitpoint is out of time.
    Waits,
}

/// Everything an execution is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntries {
    /// The lane it stands in.
    pub lane_id: LaneId,
    /// What a worker must offer.
    pub requirements: CapabilitySet,
    /// Its queue.
    pub queue: Queue,
    /// The earliest of its timers, where the store has to find it.
    pub due_at: Option<TimestampMs>,
    /// The process holding its lease.
    pub held_by: Option<WorkerInstanceId>,
}

/// Derives every index entry of an execution.
pub fn index_entries(execution: &Execution) -> IndexEntries {
    IndexEntries {
        lane_id: execution.lane_id.clone(),
        requirements: execution.spec.requirements.clone(),
        queue: queue(execution),
        due_at: stored_due(execution),
        held_by: execution
            .lease
            .as_ref()
            .filter(|_| execution.vector().is_active() && execution.lease_revoked_at.is_none())
            .map(|lease| lease.worker_instance_id.clone()),
    }
}

/// The queue an execution stands in.
pub fn queue(execution: &Execution) -> Queue {
    let vector = execution.vector();
    match vector.lifecycle_phase() {
        LifecyclePhase::Terminal => {
            Queue::Terminal { completed_at: execution.completed_at.unwrap_or(execution.last_transition_at) }
        }
        LifecyclePhase::Active => Queue::Active {
            lease_expires_at: execution
                .lease
                .as_ref()
                .filter(|_| execution.lease_revoked_at.is_none())
                .map(|lease| lease.expires_at),
        },
        LifecyclePhase::Suspended => Queue::Suspended,
        LifecyclePhase::Submitted | LifecyclePhase::Runnable => match vector.eligibility_state() {
            EligibilityState::EligibleNow => Queue::Ready { rank: execution.rank() },
            EligibilityState::NotEligibleUntilTime => {
                Queue::Delayed { wake_at: execution.delay_until.unwrap_or(execution.last_transition_at) }
            }
            by => Queue::Blocked { by, since: execution.blocked_at.unwrap_or(execution.last_transition_at) },
        },
    }
}

/// The earliest timer of an execution that nobody has claimed. What is claimed
/// is loaded whole by who takes over its partition, and its timers with it, so
/// that a claim and its completion write no entry for them.
pub fn stored_due(execution: &Execution) -> Option<TimestampMs> {
    next_due(execution).filter(|_| !execution.vector().is_active()).map(|(at, _)| at)
}

/// The earliest timer of an execution, other than its lease's.
pub fn next_due(execution: &Execution) -> Option<(TimestampMs, DueKind)> {
    let vector = execution.vector();
    if vector.is_terminal() {
        return None;
    }
    let delay = (vector.eligibility_state() == EligibilityState::NotEligibleUntilTime)
        .then_some(execution.delay_until)
        .flatten()
        .map(|at| (at, DueKind::Delay));
    let attempt = execution.attempt_timeout_at().map(|at| (at, DueKind::AttemptTimeout));
    let deadline = execution.deadline_at.map(|at| (at, DueKind::Deadline));
    // A grant is void only after its last millisecond.
    let grant = execution.grant.as_ref().map(|grant| (grant.expires_at.plus(1), DueKind::Grant));
    let waits = execution.waits.and_then(|mark| mark.due_at).map(|at| (at, DueKind::Waits));
    [delay, attempt, deadline, grant, waits].into_iter().flatten().min()
}
