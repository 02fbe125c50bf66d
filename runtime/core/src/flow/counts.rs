//! How many members of a flow stand where, and what that makes of the flow.

use crate::state::PublicState;

/// What a flow is doing, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicFlowState {
    /// Nothing runs, nothing is blocked, not everything has ended.
    Open,
    /// A member runs.
    Running,
    /// Nothing runs, and a member waits for something else than a worker.
    Blocked,
    /// Every member ended, none badly.
    Completed,
    /// Every member ended, some badly.
    Failed,
    /// The flow was cancelled.
    Cancelled,
}

impl PublicFlowState {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The coarser label lists show.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Open | Self::Running | Self::Blocked => "Active",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// How many members stand in each public state. Kept by the commits that move
/// members, never by looking at members.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct StateCounts {
    counts: [u32; 12],
}

const _: () = assert!(PublicState::ALL.len() == 12, "one counter per public state");

impl StateCounts {
    /// How many stand in one state.
    pub const fn of(&self, state: PublicState) -> u32 {
        self.counts[state as usize]
    }

    /// How many wait for a worker, fresh or to go on.
    pub const fn waiting(&self) -> u32 {
        self.of(PublicState::Waiting) + self.of(PublicState::Resumable)
    }

    /// All members.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Members that have ended.
    pub const fn ended(&self) -> u32 {
        self.of(PublicState::Completed) + self.of(PublicState::Skipped) + self.ended_badly()
    }

    const fn ended_badly(&self) -> u32 {
        self.of(PublicState::Failed) + self.of(PublicState::Cancelled) + self.of(PublicState::Expired)
    }

    /// Counts a member that moved; none is outside the flow.
    pub fn moved(&mut self, from: Option<PublicState>, to: Option<PublicState>) {
        if let Some(from) = from {
            self.counts[from as usize] = self.counts[from as usize].saturating_sub(1);
        }
        if let Some(to) = to {
            self.counts[to as usize] += 1;
        }
    }

    /// What the flow is doing, unless it was cancelled. A flow without
    /// members is open.
    pub fn public_flow_state(&self) -> PublicFlowState {
        let blocked = self.of(PublicState::Suspended)
            + self.of(PublicState::Delayed)
            + self.of(PublicState::RateLimited)
            + self.of(PublicState::WaitingChildren);
        let total = self.total();
        if total > 0 && self.ended() == total {
            return if self.ended_badly() > 0 { PublicFlowState::Failed } else { PublicFlowState::Completed };
        }
        if self.of(PublicState::Active) > 0 {
            PublicFlowState::Running
        } else if blocked > 0 {
            PublicFlowState::Blocked
        } else {
            PublicFlowState::Open
        }
    }
}
