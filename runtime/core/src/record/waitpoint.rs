//! A waitpoint: a place where an execution receives signals.

use super::suspension::CloseReason;
use crate::ids::{AttemptIndex, ExecutionId, SignalId, SuspensionId, WaitpointId};
use crate::state::wire_enum;
use crate::time::TimestampMs;
use crate::token::{Bound, WaitpointToken};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

wire_enum!(
    /// Where a waitpoint stands. Closed is final.
    WaitpointState {
        /// Made, and not part of a suspension yet; signals are kept for it.
        Pending = "pending",
        /// Part of an open suspension.
        Active = "active",
        /// Takes nothing any more.
        Closed = "closed",
    }
);

/// A place where an execution receives signals.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Waitpoint {
    /// Its identity.
    pub waitpoint_id: WaitpointId,
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// The attempt that made it.
    pub attempt_index: AttemptIndex,
    /// The suspension it is or was part of.
    pub suspension_id: Option<SuspensionId>,
    /// What conditions call it; never changes.
    pub waitpoint_key: Arc<str>,
    /// What senders prove themselves with; never changes.
    pub token: Option<WaitpointToken>,
    /// Where it stands.
    pub state: WaitpointState,
    /// When it was made; never changes, since the token rests on it.
    pub created_at: TimestampMs,
    /// When it became part of a suspension.
    pub activated_at: Option<TimestampMs>,
    /// When a signal here satisfied the condition.
    pub satisfied_at: Option<TimestampMs>,
    /// When it was closed.
    pub closed_at: Option<TimestampMs>,
    /// When it runs out: a pending one by itself, an active one with its
    /// suspension.
    pub expires_at: Option<TimestampMs>,
    /// Why it was closed.
    pub close_reason: Option<CloseReason>,
    /// Signals that were evaluated here.
    pub signal_count: u64,
    /// Those of them that matched.
    pub matched_signal_count: u64,
    /// When the last signal came.
    pub last_signal_at: Option<TimestampMs>,
    /// Signals kept while it is pending, in the order in which they came.
    pub buffered: Vec<SignalId>,
}

impl Waitpoint {
    /// What its token is minted over.
    pub fn bound(&self) -> Bound<'_> {
        Bound { waitpoint_id: self.waitpoint_id, waitpoint_key: &self.waitpoint_key, created_at: self.created_at }
    }

    /// Whether it takes signals.
    pub fn is_open(&self) -> bool {
        self.state != WaitpointState::Closed
    }

    /// When the expiry of a pending one acts; its due index entry.
    pub fn due_at(&self) -> Option<TimestampMs> {
        self.expires_at.filter(|_| self.state == WaitpointState::Pending)
    }

    /// Closes it.
    pub(crate) fn close(&mut self, reason: CloseReason, now: TimestampMs) {
        self.state = WaitpointState::Closed;
        self.closed_at = Some(now);
        self.close_reason = Some(reason);
        self.buffered = Vec::new();
    }
}
