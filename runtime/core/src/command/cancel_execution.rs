//! `cancel_execution`: end an execution that has not ended, whatever it does.
//!
//! Cancelling has no expiry check: a worker whose lease lapsed may still
//! cancel, as long as nobody reclaimed the execution.

use super::fencing::{self, FenceTriple, Source};
use super::{Decide, leasing, text};
use crate::decision::{Context, Rejection};
use crate::error::{EngineError, StateKind, ValidationKind};
use crate::ids::ExecutionId;
use crate::record::Execution;
use crate::state::{AttemptLifecycle, OwnershipState, PublicState, TerminalOutcome};
use crate::view::View;
use std::sync::Arc;

/// Arguments of `cancel_execution`.
///
/// Refused, in this order, with `invalid_input` (texts),
/// `execution_not_found`, `execution_not_active` (ended otherwise than
/// cancelled), `partial_fence_triple`; a worker moreover with
/// `fence_required`, `execution_not_active` (it holds nothing any more) and
/// `lease_revoked`; whoever gives a fence and is no operator with
/// `stale_lease`.
#[derive(Clone, Debug)]
pub struct CancelExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// For people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub reason: String,
    /// Who asks; a custom name takes at most [`text::KIND_BYTES_MAX`] bytes.
    pub source: Source,
    /// Proof of the lease. A worker needs it; from others it restricts the
    /// cancellation to that lease; an operator's is not looked at.
    pub fence: FenceTriple,
}

/// Answer of `cancel_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Always cancelled.
    pub public_state: PublicState,
}

impl CancelExecution {
    fn require_authority(&self, execution: &Execution) -> Result<(), Rejection> {
        let fence = self.fence.shape()?;
        let vector = execution.vector();
        if self.source.is_worker() {
            if fence.is_none() {
                return Err(EngineError::validation(
                    ValidationKind::FenceRequired,
                    "a worker cancels only what it holds",
                )
                .into());
            }
            if !vector.is_active() {
                return Err(fencing::not_active(execution).into());
            }
            if vector.ownership_state() == OwnershipState::LeaseRevoked {
                return Err(StateKind::LeaseRevoked.into());
            }
        }
        let current = execution.lease.as_ref().filter(|_| vector.is_active()).map(crate::record::Lease::fence);
        let stale = current.is_some() && fence.is_some() && current != fence;
        if stale && self.source != Source::OperatorOverride {
            return Err(StateKind::StaleLease.into());
        }
        Ok(())
    }
}

impl Decide for CancelExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Cancelled, Rejection> {
        text::reason("reason", &self.reason)?;
        text::label("source", self.source.as_str())?;
        let execution = view.execution(self.execution_id)?;
        let done = Cancelled { execution_id: self.execution_id, public_state: PublicState::Cancelled };
        if execution.vector().terminal_outcome() == TerminalOutcome::Cancelled {
            return Ok(done);
        }
        if execution.vector().is_terminal() {
            return Err(fencing::not_active(&execution).into());
        }
        self.require_authority(&execution)?;
        let now = context.now;
        let mut next = (*execution).clone();
        let why = format!("cancelled: {}", self.reason);
        leasing::end_attempt(&mut next, AttemptLifecycle::EndedCancelled, Some(&why), None, now);
        next.cancellation_reason = Some(self.reason.clone());
        next.cancelled_by = Some(match self.source.as_str() {
            "" => self.execution_id.to_string(),
            source => source.to_owned(),
        });
        leasing::release(view, &mut next, "cancelled", now);
        leasing::terminate(view, &mut next, TerminalOutcome::Cancelled, self.source == Source::FlowCascade, now);
        view.put_execution(Arc::new(next));
        Ok(done)
    }
}
