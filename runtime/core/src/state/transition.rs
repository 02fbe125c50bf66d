//! The legal state vectors and the transitions between them.

use super::dimension::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, OwnershipState, PublicState, TerminalOutcome,
};
use serde::Serialize;

/// What keeps a runnable execution from being claimed, other than time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockedBy {
    /// Other executions.
    Dependencies,
    /// A budget.
    Budget,
    /// A quota.
    Quota,
    /// No worker with the capabilities.
    Route,
    /// An operator.
    Operator,
    /// The state of the lane.
    LaneState,
}

impl BlockedBy {
    const fn dimensions(self) -> (EligibilityState, BlockingReason) {
        match self {
            Self::Dependencies => (EligibilityState::BlockedByDependencies, BlockingReason::WaitingForChildren),
            Self::Budget => (EligibilityState::BlockedByBudget, BlockingReason::WaitingForBudget),
            Self::Quota => (EligibilityState::BlockedByQuota, BlockingReason::WaitingForQuota),
            Self::Route => (EligibilityState::BlockedByRoute, BlockingReason::WaitingForCapableWorker),
            Self::Operator => (EligibilityState::BlockedByOperator, BlockingReason::PausedByOperator),
            Self::LaneState => (EligibilityState::BlockedByLaneState, BlockingReason::PausedByPolicy),
        }
    }
}

/// Why an execution waits for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelayReason {
    /// A start or continue time was asked for.
    Requested,
    /// A failed attempt is retried later.
    RetryBackoff,
    /// A resume was given a delay.
    ResumeDelay,
}

impl DelayReason {
    const fn blocking(self) -> BlockingReason {
        match self {
            Self::Requested => BlockingReason::WaitingForDelay,
            Self::RetryBackoff => BlockingReason::WaitingForRetryBackoff,
            Self::ResumeDelay => BlockingReason::WaitingForResumeDelay,
        }
    }
}

/// What a suspended execution waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuspendedFor {
    /// A signal.
    Signal,
    /// An approval.
    Approval,
    /// A callback.
    Callback,
    /// A tool's result.
    ToolResult,
    /// An operator.
    Operator,
    /// A policy.
    Policy,
    /// A budget.
    Budget,
}

impl SuspendedFor {
    const fn blocking(self) -> BlockingReason {
        match self {
            Self::Signal => BlockingReason::WaitingForSignal,
            Self::Approval => BlockingReason::WaitingForApproval,
            Self::Callback => BlockingReason::WaitingForCallback,
            Self::ToolResult => BlockingReason::WaitingForToolResult,
            Self::Operator => BlockingReason::PausedByOperator,
            Self::Policy => BlockingReason::PausedByPolicy,
            Self::Budget => BlockingReason::WaitingForBudget,
        }
    }
}

/// Where a runnable execution is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Park {
    /// It may be claimed.
    Eligible,
    /// It waits for a time.
    Until(DelayReason),
    /// It waits for a condition.
    Blocked(BlockedBy),
}

/// Six dimensions that agree with each other.
///
/// Every value of this type satisfies the constraints of the specification;
/// the public label is computed from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, bincode::Encode)]
pub struct StateVector {
    lifecycle_phase: LifecyclePhase,
    ownership_state: OwnershipState,
    eligibility_state: EligibilityState,
    blocking_reason: BlockingReason,
    terminal_outcome: TerminalOutcome,
    attempt_state: AttemptState,
}

/// A stored vector whose dimensions contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, which contradicts {because}")]
pub struct VectorError {
    /// The dimension that is wrong.
    pub field: &'static str,
    /// Its value.
    pub value: &'static str,
    /// What it contradicts.
    pub because: &'static str,
}

impl StateVector {
    /// The vector of an execution that was just created.
    pub const fn created(park: Park) -> Self {
        Self::runnable(park, AttemptState::PendingFirstAttempt)
    }

    const fn runnable(park: Park, attempt_state: AttemptState) -> Self {
        let (eligibility_state, blocking_reason) = match park {
            Park::Eligible => (EligibilityState::EligibleNow, BlockingReason::WaitingForWorker),
            Park::Until(reason) => (EligibilityState::NotEligibleUntilTime, reason.blocking()),
            Park::Blocked(by) => by.dimensions(),
        };
        Self {
            lifecycle_phase: LifecyclePhase::Runnable,
            ownership_state: OwnershipState::Unowned,
            eligibility_state,
            blocking_reason,
            terminal_outcome: TerminalOutcome::None,
            attempt_state,
        }
    }

    /// A lease was issued.
    pub const fn leased(self) -> Self {
        Self {
            lifecycle_phase: LifecyclePhase::Active,
            ownership_state: OwnershipState::Leased,
            eligibility_state: EligibilityState::NotApplicable,
            blocking_reason: BlockingReason::None,
            terminal_outcome: TerminalOutcome::None,
            attempt_state: AttemptState::RunningAttempt,
        }
    }

    /// The lease of an active execution ran out.
    pub const fn lease_expired(self) -> Self {
        Self::lost(OwnershipState::LeaseExpiredReclaimable)
    }

    /// The lease of an active execution was taken away.
    pub const fn lease_revoked(self) -> Self {
        Self::lost(OwnershipState::LeaseRevoked)
    }

    const fn lost(ownership_state: OwnershipState) -> Self {
        Self {
            lifecycle_phase: LifecyclePhase::Active,
            ownership_state,
            eligibility_state: EligibilityState::NotApplicable,
            blocking_reason: BlockingReason::WaitingForWorker,
            terminal_outcome: TerminalOutcome::None,
            attempt_state: AttemptState::AttemptInterrupted,
        }
    }

    /// The attempt gave its lease back and goes on later.
    pub const fn interrupted(self, park: Park) -> Self {
        Self::runnable(park, AttemptState::AttemptInterrupted)
    }

    /// The attempt gave its lease back and waits for signals, or goes on
    /// waiting for another reason.
    pub const fn suspended(self, by: SuspendedFor) -> Self {
        Self {
            lifecycle_phase: LifecyclePhase::Suspended,
            ownership_state: OwnershipState::Unowned,
            eligibility_state: EligibilityState::NotApplicable,
            blocking_reason: by.blocking(),
            terminal_outcome: TerminalOutcome::None,
            attempt_state: AttemptState::AttemptInterrupted,
        }
    }

    /// The attempt failed and another follows after the backoff.
    pub const fn retry_scheduled(self) -> Self {
        Self::runnable(Park::Until(DelayReason::RetryBackoff), AttemptState::PendingRetryAttempt)
    }

    /// A terminal execution is run once more.
    pub const fn replayed(self, park: Park) -> Self {
        Self::runnable(park, AttemptState::PendingReplayAttempt)
    }

    /// A runnable execution is put elsewhere; which attempt comes next stays.
    pub const fn parked(self, park: Park) -> Self {
        Self::runnable(park, self.attempt_state)
    }

    /// The execution ended. `had_attempt` tells whether one ever ran.
    pub const fn ended(self, outcome: TerminalOutcome, had_attempt: bool) -> Self {
        Self {
            lifecycle_phase: LifecyclePhase::Terminal,
            ownership_state: OwnershipState::Unowned,
            eligibility_state: EligibilityState::NotApplicable,
            blocking_reason: BlockingReason::None,
            terminal_outcome: outcome,
            attempt_state: if had_attempt { AttemptState::AttemptTerminal } else { self.attempt_state },
        }
    }

    /// The lifecycle phase.
    pub const fn lifecycle_phase(&self) -> LifecyclePhase {
        self.lifecycle_phase
    }

    /// The ownership state.
    pub const fn ownership_state(&self) -> OwnershipState {
        self.ownership_state
    }

    /// The eligibility state.
    pub const fn eligibility_state(&self) -> EligibilityState {
        self.eligibility_state
    }

    /// The blocking reason.
    pub const fn blocking_reason(&self) -> BlockingReason {
        self.blocking_reason
    }

    /// The terminal outcome.
    pub const fn terminal_outcome(&self) -> TerminalOutcome {
        self.terminal_outcome
    }

    /// The attempt state.
    pub const fn attempt_state(&self) -> AttemptState {
        self.attempt_state
    }

    /// Whether the phase is terminal.
    pub const fn is_terminal(&self) -> bool {
        matches!(self.lifecycle_phase, LifecyclePhase::Terminal)
    }

    /// Whether the phase is active.
    pub const fn is_active(&self) -> bool {
        matches!(self.lifecycle_phase, LifecyclePhase::Active)
    }

    /// Whether the phase is runnable.
    pub const fn is_runnable(&self) -> bool {
        matches!(self.lifecycle_phase, LifecyclePhase::Runnable)
    }

    /// Whether a worker may claim it now.
    pub const fn is_eligible(&self) -> bool {
        self.is_runnable() && matches!(self.eligibility_state, EligibilityState::EligibleNow)
    }

    /// Whether its lease lapsed or was revoked and nobody reclaimed it yet.
    pub const fn is_reclaimable(&self) -> bool {
        matches!(self.ownership_state, OwnershipState::LeaseExpiredReclaimable | OwnershipState::LeaseRevoked)
    }

    /// The label shown to people, derived from the dimensions.
    pub const fn public_state(&self) -> PublicState {
        match self.lifecycle_phase {
            LifecyclePhase::Terminal => match self.terminal_outcome {
                TerminalOutcome::Success => PublicState::Completed,
                TerminalOutcome::Cancelled => PublicState::Cancelled,
                TerminalOutcome::Expired => PublicState::Expired,
                TerminalOutcome::Skipped => PublicState::Skipped,
                TerminalOutcome::Failed | TerminalOutcome::None => PublicState::Failed,
            },
            LifecyclePhase::Suspended => PublicState::Suspended,
            LifecyclePhase::Active => PublicState::Active,
            LifecyclePhase::Submitted => PublicState::Waiting,
            LifecyclePhase::Runnable => match self.eligibility_state {
                EligibilityState::EligibleNow => match self.attempt_state {
                    AttemptState::AttemptInterrupted => PublicState::Resumable,
                    _ => PublicState::Waiting,
                },
                EligibilityState::NotEligibleUntilTime => PublicState::Delayed,
                EligibilityState::BlockedByDependencies => PublicState::WaitingChildren,
                EligibilityState::BlockedByBudget | EligibilityState::BlockedByQuota => PublicState::RateLimited,
                EligibilityState::BlockedByRoute
                | EligibilityState::BlockedByLaneState
                | EligibilityState::BlockedByOperator
                | EligibilityState::NotApplicable => PublicState::Waiting,
            },
        }
    }

    /// Builds a vector from stored dimensions.
    ///
    /// # Errors
    ///
    /// The first dimension that contradicts the others.
    pub fn from_parts(
        lifecycle_phase: LifecyclePhase,
        ownership_state: OwnershipState,
        eligibility_state: EligibilityState,
        blocking_reason: BlockingReason,
        terminal_outcome: TerminalOutcome,
        attempt_state: AttemptState,
    ) -> Result<Self, VectorError> {
        let vector = Self {
            lifecycle_phase,
            ownership_state,
            eligibility_state,
            blocking_reason,
            terminal_outcome,
            attempt_state,
        };
        vector.check()?;
        Ok(vector)
    }

    fn check(self) -> Result<(), VectorError> {
        let because = self.lifecycle_phase.as_str();
        let ensure = |ok: bool, field: &'static str, value: &'static str| {
            if ok { Ok(()) } else { Err(VectorError { field, value, because }) }
        };
        let ownership = |ok| ensure(ok, "ownership_state", self.ownership_state.as_str());
        let eligibility = |ok| ensure(ok, "eligibility_state", self.eligibility_state.as_str());
        let blocking = |ok| ensure(ok, "blocking_reason", self.blocking_reason.as_str());
        let outcome = |ok| ensure(ok, "terminal_outcome", self.terminal_outcome.as_str());
        let attempt = |ok| ensure(ok, "attempt_state", self.attempt_state.as_str());
        let no_outcome = self.terminal_outcome == TerminalOutcome::None;
        let not_applicable = self.eligibility_state == EligibilityState::NotApplicable;
        let unowned = self.ownership_state == OwnershipState::Unowned;
        match self.lifecycle_phase {
            LifecyclePhase::Submitted => ensure(false, "lifecycle_phase", because),
            LifecyclePhase::Active => {
                ownership(!unowned)?;
                eligibility(not_applicable)?;
                outcome(no_outcome)?;
                if self.ownership_state == OwnershipState::Leased {
                    blocking(self.blocking_reason == BlockingReason::None)?;
                    attempt(self.attempt_state == AttemptState::RunningAttempt)
                } else {
                    blocking(self.blocking_reason == BlockingReason::WaitingForWorker)?;
                    attempt(self.attempt_state == AttemptState::AttemptInterrupted)
                }
            }
            LifecyclePhase::Runnable => {
                ownership(unowned)?;
                eligibility(!not_applicable)?;
                outcome(no_outcome)?;
                blocking(self.reason_fits())?;
                attempt(matches!(
                    self.attempt_state,
                    AttemptState::PendingFirstAttempt
                        | AttemptState::PendingRetryAttempt
                        | AttemptState::PendingReplayAttempt
                        | AttemptState::AttemptInterrupted
                ))
            }
            LifecyclePhase::Suspended => {
                ownership(unowned)?;
                eligibility(not_applicable)?;
                blocking(self.reason_suspends())?;
                outcome(no_outcome)?;
                attempt(self.attempt_state == AttemptState::AttemptInterrupted)
            }
            LifecyclePhase::Terminal => {
                ownership(unowned)?;
                eligibility(not_applicable)?;
                blocking(self.blocking_reason == BlockingReason::None)?;
                outcome(!no_outcome)?;
                attempt(matches!(
                    self.attempt_state,
                    AttemptState::AttemptTerminal
                        | AttemptState::PendingFirstAttempt
                        | AttemptState::PendingRetryAttempt
                        | AttemptState::PendingReplayAttempt
                ))
            }
        }
    }

    const fn reason_suspends(self) -> bool {
        use BlockingReason as B;
        matches!(
            self.blocking_reason,
            B::WaitingForSignal
                | B::WaitingForApproval
                | B::WaitingForCallback
                | B::WaitingForToolResult
                | B::PausedByOperator
                | B::PausedByPolicy
                | B::WaitingForBudget
        )
    }

    const fn reason_fits(self) -> bool {
        use BlockingReason as B;
        matches!(
            (self.eligibility_state, self.blocking_reason),
            (EligibilityState::EligibleNow, B::WaitingForWorker)
                | (
                    EligibilityState::NotEligibleUntilTime,
                    B::WaitingForDelay | B::WaitingForRetryBackoff | B::WaitingForResumeDelay
                )
                | (EligibilityState::BlockedByDependencies, B::WaitingForChildren)
                | (EligibilityState::BlockedByBudget, B::WaitingForBudget)
                | (EligibilityState::BlockedByQuota, B::WaitingForQuota)
                | (EligibilityState::BlockedByRoute, B::WaitingForCapableWorker | B::WaitingForLocalityMatch)
                | (EligibilityState::BlockedByOperator, B::PausedByOperator)
                | (EligibilityState::BlockedByLaneState, B::PausedByPolicy)
        )
    }
}

impl<Context> bincode::Decode<Context> for StateVector {
    fn decode<D: bincode::de::Decoder<Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        use bincode::Decode;
        Self::from_parts(
            Decode::decode(decoder)?,
            Decode::decode(decoder)?,
            Decode::decode(decoder)?,
            Decode::decode(decoder)?,
            Decode::decode(decoder)?,
            Decode::decode(decoder)?,
        )
        .map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
    }
}
bincode::impl_borrow_decode!(StateVector);

#[cfg(test)]
mod tests;
