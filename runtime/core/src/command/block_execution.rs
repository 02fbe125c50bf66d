//! `block_execution_for_admission` and `unblock_execution`: take an eligible
//! execution out of the queue for a reason other than time, and put it back.
//!
//! `block_route` is the same operation with the reason
//! [`AdmissionBlock::WaitingForCapableWorker`].

use super::{Decide, fencing, text};
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, EngineError, StateKind, ValidationKind};
use crate::ids::ExecutionId;
use crate::state::{BlockedBy, BlockingReason, EligibilityState, Park, PublicState};
use crate::view::View;
use std::sync::Arc;

/// Why admission keeps an execution back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdmissionBlock {
    /// A budget is used up.
    WaitingForBudget,
    /// A quota is used up.
    WaitingForQuota,
    /// No connected worker offers what it requires.
    WaitingForCapableWorker,
    /// An operator holds it.
    PausedByOperator,
    /// A policy of its lane holds it.
    PausedByPolicy,
}

impl AdmissionBlock {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::WaitingForBudget,
        Self::WaitingForQuota,
        Self::WaitingForCapableWorker,
        Self::PausedByOperator,
        Self::PausedByPolicy,
    ];

    /// Reads the wire spelling.
    ///
    /// # Errors
    ///
    /// `invalid_blocking_reason` for anything but the five reasons.
    pub fn parse(reason: &str) -> Result<Self, EngineError> {
        Self::ALL.iter().copied().find(|block| block.as_str() == reason).ok_or_else(|| {
            let shown: String = reason.chars().take(text::KIND_BYTES_MAX).collect();
            EngineError::validation(ValidationKind::InvalidBlockingReason, shown)
        })
    }

    /// The wire spelling, which is that of the blocking reason.
    pub const fn as_str(self) -> &'static str {
        self.blocking_reason().as_str()
    }

    /// The blocking reason it gives the execution.
    pub const fn blocking_reason(self) -> BlockingReason {
        match self {
            Self::WaitingForBudget => BlockingReason::WaitingForBudget,
            Self::WaitingForQuota => BlockingReason::WaitingForQuota,
            Self::WaitingForCapableWorker => BlockingReason::WaitingForCapableWorker,
            Self::PausedByOperator => BlockingReason::PausedByOperator,
            Self::PausedByPolicy => BlockingReason::PausedByPolicy,
        }
    }

    const fn blocked_by(self) -> BlockedBy {
        match self {
            Self::WaitingForBudget => BlockedBy::Budget,
            Self::WaitingForQuota => BlockedBy::Quota,
            Self::WaitingForCapableWorker => BlockedBy::Route,
            Self::PausedByOperator => BlockedBy::Operator,
            Self::PausedByPolicy => BlockedBy::LaneState,
        }
    }
}

/// Arguments of `block_execution_for_admission`.
///
/// Refused with `invalid_input` (detail), `execution_not_found`,
/// `execution_not_active` (ended), `execution_not_eligible` (not eligible
/// now) and `grant_already_exists` (promised to a worker), in this order.
#[derive(Clone, Debug)]
pub struct BlockExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Why it is kept back.
    pub reason: AdmissionBlock,
    /// More for people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub detail: Option<String>,
}

/// Answer of `block_execution_for_admission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOutcome {
    /// It is out of the queue.
    Blocked {
        /// The execution.
        execution_id: ExecutionId,
        /// Why.
        reason: AdmissionBlock,
    },
}

impl Decide for BlockExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<BlockOutcome, Rejection> {
        text::optional(text::reason, "detail", self.detail.as_deref())?;
        let execution = view.execution(self.execution_id)?;
        if execution.vector().is_terminal() {
            return Err(fencing::not_active(&execution).into());
        }
        if !execution.vector().is_eligible() {
            return Err(ContentionKind::ExecutionNotEligible.into());
        }
        if execution.live_grant(context.now).is_some() {
            return Err(StateKind::GrantAlreadyExists.into());
        }
        let mut next = (*execution).clone();
        next.grant = None;
        next.blocked_at = Some(context.now);
        next.blocking_detail.clone_from(&self.detail);
        let vector = next.vector().parked(Park::Blocked(self.reason.blocked_by()));
        next.transition(vector, context.now);
        view.put_execution(Arc::new(next));
        Ok(BlockOutcome::Blocked { execution_id: self.execution_id, reason: self.reason })
    }
}

/// Arguments of `unblock_execution`.
///
/// Refused with `execution_not_found` and `execution_not_eligible` (not
/// blocked by admission, or for another reason), in this order.
#[derive(Clone, Debug)]
pub struct UnblockExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Refused when it is blocked for another reason.
    pub expected_reason: Option<BlockingReason>,
}

/// Answer of `unblock_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unblocked {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Waiting, or resumable when an interrupted attempt goes on.
    pub public_state: PublicState,
}

impl Decide for UnblockExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Unblocked, Rejection> {
        let execution = view.execution(self.execution_id)?;
        let vector = execution.vector();
        let blocked = vector.is_runnable()
            && matches!(
                vector.eligibility_state(),
                EligibilityState::BlockedByBudget
                    | EligibilityState::BlockedByQuota
                    | EligibilityState::BlockedByRoute
                    | EligibilityState::BlockedByOperator
                    | EligibilityState::BlockedByLaneState
            );
        if !blocked || self.expected_reason.is_some_and(|reason| reason != vector.blocking_reason()) {
            return Err(ContentionKind::ExecutionNotEligible.into());
        }
        let mut next = (*execution).clone();
        next.blocked_at = None;
        next.blocking_detail = None;
        let vector = next.vector().parked(Park::Eligible);
        next.transition(vector, context.now);
        let public_state = next.vector().public_state();
        view.put_execution(Arc::new(next));
        Ok(Unblocked { execution_id: self.execution_id, public_state })
    }
}
