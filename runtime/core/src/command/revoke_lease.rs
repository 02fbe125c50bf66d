//! `revoke_lease`: take a lease away from its worker. The execution can be
//! reclaimed at once.

use super::{Decide, fencing, leasing, text};
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, StateKind};
use crate::event::LeaseFact;
use crate::ids::{ExecutionId, LeaseEpoch, LeaseId, WorkerInstanceId};
use crate::state::OwnershipState;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `revoke_lease`.
///
/// Refused, in this order, with `invalid_input` (reason),
/// `execution_not_found`, `execution_not_active` and `stale_lease` (another
/// lease than expected). A lease that is lost already, or held by another
/// process than the one named, is an outcome.
#[derive(Clone, Debug)]
pub struct RevokeLease {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Refused when another lease is in force.
    pub expected_lease_id: Option<LeaseId>,
    /// Nothing is done when another process holds the lease; none means any.
    pub worker_instance_id: Option<WorkerInstanceId>,
    /// For people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub reason: String,
}

/// Answer of `revoke_lease`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// The lease is revoked now.
    Revoked {
        /// The lease.
        lease_id: LeaseId,
        /// Its epoch, which does not change.
        lease_epoch: LeaseEpoch,
    },
    /// There is nothing to revoke.
    AlreadySatisfied {
        /// Why: `already_revoked`, `already_expired` or
        /// `different_worker_instance_id`.
        reason: &'static str,
    },
}

impl Decide for RevokeLease {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<RevokeOutcome, Rejection> {
        text::reason("reason", &self.reason)?;
        let execution = view.execution(self.execution_id)?;
        if !execution.vector().is_active() {
            return Err(fencing::not_active(&execution).into());
        }
        match execution.vector().ownership_state() {
            OwnershipState::LeaseRevoked => {
                return Ok(RevokeOutcome::AlreadySatisfied { reason: "already_revoked" });
            }
            OwnershipState::LeaseExpiredReclaimable => {
                return Ok(RevokeOutcome::AlreadySatisfied { reason: "already_expired" });
            }
            OwnershipState::Leased | OwnershipState::Unowned => {}
        }
        let Some(lease) = &execution.lease else {
            return Err(ContentionKind::NoActiveLease.into());
        };
        if self.expected_lease_id.is_some_and(|expected| expected != lease.lease_id) {
            return Err(StateKind::StaleLease.into());
        }
        if self.worker_instance_id.as_ref().is_some_and(|instance| *instance != lease.worker_instance_id) {
            return Ok(RevokeOutcome::AlreadySatisfied { reason: "different_worker_instance_id" });
        }
        let revoked = RevokeOutcome::Revoked { lease_id: lease.lease_id, lease_epoch: lease.lease_epoch };
        let mut next = (*execution).clone();
        next.lease_revoked_at = Some(context.now);
        next.lease_revoke_reason = Some(self.reason.clone());
        next.attempt_timeout = None;
        let vector = next.vector().lease_revoked();
        next.transition_of_lease(vector, context.now);
        leasing::tell_lease(view, &next, LeaseFact::Revoked { reason: self.reason.clone() }, context.now);
        view.put_execution(Arc::new(next));
        Ok(revoked)
    }
}
