//! What one commit leaves for later ones.
//!
//! A change of one member can reach every other. What does not fit into the
//! change set that began it is written down by the same commit and worked off
//! by the next ones, so a crash in between loses nothing.

use crate::ids::{ExecutionId, FlowId};
use crate::state::TerminalOutcome;
use crate::time::TimestampMs;

/// One thing that is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Work {
    /// Resolve the dependencies that leave a member that ended.
    Resolve {
        /// The member.
        upstream: ExecutionId,
        /// The first dependency that is left, in the order of staging.
        next: u32,
        /// How it ended. Kept, since the member may have been replayed before
        /// its end is worked off, and a replay reopens nothing downstream.
        outcome: TerminalOutcome,
    },
    /// Resolve dependencies of a replayed member whose upstream has ended.
    Recheck {
        /// The member.
        downstream: ExecutionId,
        /// The first dependency that is left, by its slot.
        next: u32,
    },
    /// Let the members of a flow that was just sealed run that wait for
    /// nothing, and resolve what depends on those that ended before.
    Release {
        /// The first member that is left, in the order of joining.
        next: u32,
    },
    /// Cancel what the fired join of a member leaves over.
    CancelSiblings {
        /// The member.
        downstream: ExecutionId,
    },
}

/// The work left of a flow; the last piece is done first.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Continuation {
    /// The flow.
    pub flow_id: FlowId,
    /// Not empty.
    pub work: Vec<Work>,
}

/// Upstreams that a fired join still has to cancel. The record exists exactly
/// as long as the join's flag is set.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SiblingCancels {
    /// The flow.
    pub flow_id: FlowId,
    /// The member whose join fired.
    pub downstream: ExecutionId,
    /// `sibling_quorum_satisfied` or `sibling_quorum_impossible`.
    pub reason: String,
    /// Upstreams that had not ended when it fired, each once.
    pub members: Vec<ExecutionId>,
}

/// Members that the cancellation of a flow still has to end.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct PendingCancels {
    /// The flow.
    pub flow_id: FlowId,
    /// Not empty; members by their ordinals.
    pub members: Ordinals,
    /// From then on the engine ends them, whoever else was to do it.
    pub due_at: TimestampMs,
}

/// A set of ordinals, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Ordinals {
    bits: Vec<u8>,
}

impl Ordinals {
    /// Puts one in.
    pub fn insert(&mut self, ordinal: u32) {
        let byte = ordinal as usize / 8;
        if byte >= self.bits.len() {
            self.bits.resize(byte + 1, 0);
        }
        self.bits[byte] |= 1 << (ordinal % 8);
    }

    /// Takes one out, if it is there.
    pub fn remove(&mut self, ordinal: u32) {
        if let Some(byte) = self.bits.get_mut(ordinal as usize / 8) {
            *byte &= !(1 << (ordinal % 8));
        }
    }

    /// Whether one is there.
    pub fn contains(&self, ordinal: u32) -> bool {
        self.bits.get(ordinal as usize / 8).is_some_and(|byte| byte >> (ordinal % 8) & 1 == 1)
    }

    /// Whether none is there.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|byte| *byte == 0)
    }

    /// How many are there.
    pub fn len(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Those that are there, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let bits = |(index, byte): (usize, &u8)| {
            let (index, byte) = (index as u32 * 8, *byte);
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| index + bit)
        };
        self.bits.iter().enumerate().flat_map(bits)
    }
}
