//! The dimensions of the state vector and their wire names.

use serde::{Deserialize, Serialize};

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            bincode::Encode, bincode::Decode,
        )]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $wire)] $variant,)+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The wire spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// Reads the wire spelling; anything else is `None`.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($wire => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

wire_enum!(
    /// Where an execution stands in its life.
    LifecyclePhase {
        /// Declared for completeness; no transition produces it.
        Submitted = "submitted",
        /// Waiting for a worker, a time or a condition.
        Runnable = "runnable",
        /// A lease was issued and not yet given back.
        Active = "active",
        /// Waiting for a signal.
        Suspended = "suspended",
        /// Ended.
        Terminal = "terminal",
    }
);

wire_enum!(
    /// Who holds the execution.
    OwnershipState {
        /// Nobody.
        Unowned = "unowned",
        /// A worker with a lease.
        Leased = "leased",
        /// The lease ran out; the execution waits to be reclaimed.
        LeaseExpiredReclaimable = "lease_expired_reclaimable",
        /// The lease was taken away; the execution waits to be reclaimed.
        LeaseRevoked = "lease_revoked",
    }
);

wire_enum!(
    /// Whether a worker may claim the execution.
    EligibilityState {
        /// A worker may claim it.
        EligibleNow = "eligible_now",
        /// Not before its wake time.
        NotEligibleUntilTime = "not_eligible_until_time",
        /// Waiting for other executions.
        BlockedByDependencies = "blocked_by_dependencies",
        /// A budget is used up.
        BlockedByBudget = "blocked_by_budget",
        /// A quota is used up.
        BlockedByQuota = "blocked_by_quota",
        /// No worker fits.
        BlockedByRoute = "blocked_by_route",
        /// The lane gives no claims.
        BlockedByLaneState = "blocked_by_lane_state",
        /// An operator holds it.
        BlockedByOperator = "blocked_by_operator",
        /// The phase has no eligibility.
        NotApplicable = "not_applicable",
    }
);

wire_enum!(
    /// Why the execution is not running.
    BlockingReason {
        /// Nothing blocks it.
        None = "none",
        /// A worker must come.
        WaitingForWorker = "waiting_for_worker",
        /// A failed attempt is retried later.
        WaitingForRetryBackoff = "waiting_for_retry_backoff",
        /// A resume was given a delay.
        WaitingForResumeDelay = "waiting_for_resume_delay",
        /// A start time was asked for.
        WaitingForDelay = "waiting_for_delay",
        /// A signal must come.
        WaitingForSignal = "waiting_for_signal",
        /// An approval must come.
        WaitingForApproval = "waiting_for_approval",
        /// A callback must come.
        WaitingForCallback = "waiting_for_callback",
        /// A tool's result must come.
        WaitingForToolResult = "waiting_for_tool_result",
        /// Other executions must end.
        WaitingForChildren = "waiting_for_children",
        /// A budget must be refilled.
        WaitingForBudget = "waiting_for_budget",
        /// A quota must free up.
        WaitingForQuota = "waiting_for_quota",
        /// A worker with the capabilities must come.
        WaitingForCapableWorker = "waiting_for_capable_worker",
        /// A worker at the right place must come.
        WaitingForLocalityMatch = "waiting_for_locality_match",
        /// An operator holds it.
        PausedByOperator = "paused_by_operator",
        /// A policy holds it.
        PausedByPolicy = "paused_by_policy",
        /// Its flow is being cancelled.
        PausedByFlowCancel = "paused_by_flow_cancel",
    }
);

wire_enum!(
    /// How the execution ended.
    TerminalOutcome {
        /// Not ended.
        None = "none",
        /// Completed.
        Success = "success",
        /// Failed for good.
        Failed = "failed",
        /// Cancelled.
        Cancelled = "cancelled",
        /// Ran into its attempt timeout or deadline.
        Expired = "expired",
        /// Its dependencies became impossible.
        Skipped = "skipped",
    }
);

wire_enum!(
    /// Where the current attempt stands.
    AttemptState {
        /// No attempt and none pending.
        None = "none",
        /// The next claim starts the first attempt.
        PendingFirstAttempt = "pending_first_attempt",
        /// An attempt runs.
        RunningAttempt = "running_attempt",
        /// The attempt lost or gave back its lease and may go on.
        AttemptInterrupted = "attempt_interrupted",
        /// The next claim starts a retry.
        PendingRetryAttempt = "pending_retry_attempt",
        /// The next claim starts a replay.
        PendingReplayAttempt = "pending_replay_attempt",
        /// The last attempt ended with the execution.
        AttemptTerminal = "attempt_terminal",
    }
);

wire_enum!(
    /// The derived label shown to people.
    PublicState {
        /// Waiting to be claimed.
        Waiting = "waiting",
        /// Waiting for a time.
        Delayed = "delayed",
        /// Waiting for a budget or a quota.
        RateLimited = "rate_limited",
        /// Waiting for other executions.
        WaitingChildren = "waiting_children",
        /// Claimed.
        Active = "active",
        /// Waiting for a signal.
        Suspended = "suspended",
        /// An interrupted attempt waits to be claimed again.
        Resumable = "resumable",
        /// Ended well.
        Completed = "completed",
        /// Ended in failure.
        Failed = "failed",
        /// Cancelled.
        Cancelled = "cancelled",
        /// Timed out.
        Expired = "expired",
        /// Skipped.
        Skipped = "skipped",
    }
);

wire_enum!(
    /// The life of one attempt.
    AttemptLifecycle {
        /// Declared for completeness; attempts begin as started.
        Created = "created",
        /// Runs under a lease.
        Started = "started",
        /// Gave its lease back and may go on.
        Suspended = "suspended",
        /// Ended well.
        EndedSuccess = "ended_success",
        /// Ended in failure.
        EndedFailure = "ended_failure",
        /// Ended by a cancellation.
        EndedCancelled = "ended_cancelled",
        /// Ended because another worker reclaimed the execution.
        InterruptedReclaimed = "interrupted_reclaimed",
    }
);

impl AttemptLifecycle {
    /// Whether the attempt has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::EndedSuccess | Self::EndedFailure | Self::EndedCancelled | Self::InterruptedReclaimed)
    }
}

wire_enum!(
    /// Why an attempt exists.
    AttemptType {
        /// The first one.
        Initial = "initial",
        /// After a failure.
        Retry = "retry",
        /// After a lost lease.
        Reclaim = "reclaim",
        /// After the execution had ended.
        Replay = "replay",
        /// Declared for completeness; never produced.
        Fallback = "fallback",
    }
);

wire_enum!(
    /// What a lane accepts and gives out.
    LaneState {
        /// Accepts submissions and gives claims.
        Active = "active",
        /// Accepts submissions, gives no claims.
        Paused = "paused",
        /// Accepts nothing new; what is there finishes.
        Draining = "draining",
        /// Neither accepts nor gives.
        Disabled = "disabled",
    }
);

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_read_back_as_the_same_value() {
        for phase in LifecyclePhase::ALL {
            assert_eq!(LifecyclePhase::parse(phase.as_str()), Some(*phase));
        }
        for reason in BlockingReason::ALL {
            assert_eq!(BlockingReason::parse(reason.as_str()), Some(*reason));
        }
        assert_eq!(PublicState::parse("running"), None);
    }
}
