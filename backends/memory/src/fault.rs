//! What can go wrong, call by call.

use leasehold_backend::StoreError;
use leasehold_core::ids::NodeId;

/// How a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is written and the caller is told that the store is busy.
    Busy,
    /// It is applied, and the caller is told that nobody knows.
    Lost,
    /// The caller is told that nobody knows, and it arrives later. Whether it
    /// is applied is then for the heads to say.
    Late(LateAfter),
    /// Nothing is written and the same batch would fail again.
    Permanent,
    /// Nothing is written: there is no room for it.
    Full,
    /// The part of one partition goes wrong and the others are applied, as on
    /// a store that applies parts each for itself.
    Part {
        /// Whose part.
        partition: u16,
        /// How it goes wrong.
        fault: PartFault,
    },
    /// It is applied after so many milliseconds.
    DelayBefore(u64),
    /// It is applied at once and answered after so many milliseconds.
    DelayAfter(u64),
    /// The node dies with the commit in flight; the call never returns.
    Crash(CrashPoint),
}

impl CommitFault {
    /// The name it is counted under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "commit_busy",
            Self::Lost => "commit_lost",
            Self::Late(_) => "commit_late",
            Self::Permanent => "commit_permanent",
            Self::Full => "commit_full",
            Self::Part { .. } => "commit_part",
            Self::DelayBefore(_) => "commit_delay_before",
            Self::DelayAfter(_) => "commit_delay_after",
            Self::Crash(CrashPoint::BeforeCommit) => "crash_before_commit",
            Self::Crash(CrashPoint::AfterCommit) => "crash_after_commit",
        }
    }
}

/// How one part of a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartFault {
    /// It is not written and the caller is told that the store is busy.
    Busy,
    /// It is not written: there is no room for it.
    Full,
    /// It is not written and would fail again.
    Permanent,
    /// It is written, and the caller is told that nobody knows.
    Lost,
    /// It is not written, and the caller is told that nobody knows.
    Unsent,
}

impl PartFault {
    /// What the caller is told.
    pub fn error(self) -> StoreError {
        match self {
            Self::Busy => StoreError::busy("injected"),
            Self::Full => StoreError::full("injected"),
            Self::Permanent => StoreError::permanent("injected"),
            Self::Lost | Self::Unsent => StoreError::unknown("injected"),
        }
    }
}

/// When a late commit arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateAfter {
    /// After so many further calls have overtaken it.
    Calls(u32),
    /// After so many milliseconds of the clock.
    Ms(u64),
}

/// On which side of a commit a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The commit is not applied.
    BeforeCommit,
    /// The commit is applied and nobody was told.
    AfterCommit,
}

/// A node that died of the plan. Its backend answers no call any more; what
/// is left is for the driver to drop the node's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The node.
    pub node: NodeId,
    /// Where it died.
    pub point: CrashPoint,
}

/// How a heartbeat goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatFault {
    /// The node's lease is lost: it is buried and told so.
    Lost,
    /// The lease is not renewed and the caller is told that the store is busy.
    Busy,
    /// It is carried out after so many milliseconds.
    Delay(u64),
}

impl HeartbeatFault {
    /// The name it is counted under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "heartbeat_lost",
            Self::Busy => "heartbeat_busy",
            Self::Delay(_) => "heartbeat_delay",
        }
    }
}

/// How a load, a scan or a call about ownership goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// Nothing happens and the caller is told that the store is busy.
    Busy,
    /// It is carried out, and the caller is told that nobody knows.
    Lost,
    /// It is carried out after so many milliseconds.
    Delay(u64),
}

/// How often things go wrong by chance. Every rate is a probability per call;
/// those of one kind of call add up to 1 at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of [`CommitFault::Busy`].
    pub commit_busy: f64,
    /// Of [`CommitFault::Lost`].
    pub commit_lost: f64,
    /// Of [`CommitFault::Late`], half of them counted in calls.
    pub commit_late: f64,
    /// Of a commit that is slow, half of them before it is applied.
    pub commit_delay: f64,
    /// Of [`CommitFault::Crash`], half of them before the commit is applied.
    pub commit_crash: f64,
    /// Of [`HeartbeatFault::Lost`].
    pub heartbeat_lost: f64,
    /// Of [`HeartbeatFault::Busy`].
    pub heartbeat_busy: f64,
    /// Of [`CallFault::Busy`] for loads and scans.
    pub read_busy: f64,
    /// Of [`CallFault::Delay`] for loads and scans.
    pub read_delay: f64,
    /// Of [`CallFault::Busy`] for calls about nodes and ownership.
    pub ownership_busy: f64,
    /// Of [`CallFault::Lost`] for calls about nodes and ownership.
    pub ownership_lost: f64,
    /// The longest delay, and the latest that a late commit arrives.
    pub delay_ms_max: u64,
    /// The most calls that overtake a late commit.
    pub late_calls_max: u32,
}

impl Rates {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        commit_busy: 0.0,
        commit_lost: 0.0,
        commit_late: 0.0,
        commit_delay: 0.0,
        commit_crash: 0.0,
        heartbeat_lost: 0.0,
        heartbeat_busy: 0.0,
        read_busy: 0.0,
        read_delay: 0.0,
        ownership_busy: 0.0,
        ownership_lost: 0.0,
        delay_ms_max: 1000,
        late_calls_max: 8,
    };
}

impl Default for Rates {
    fn default() -> Self {
        Self::NONE
    }
}
