//! `mark_lease_expired_if_due`: note that a lease ran out, so that the
//! execution can be reclaimed.

use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::ids::ExecutionId;
use crate::state::OwnershipState;
use crate::view::View;

/// Arguments of `mark_lease_expired_if_due`. Never refused: what does not
/// apply is an outcome.
#[derive(Clone, Debug)]
pub struct MarkLeaseExpired {
    /// Which execution.
    pub execution_id: ExecutionId,
}

/// Answer of `mark_lease_expired_if_due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkExpiredOutcome {
    /// The lease is marked now.
    MarkedExpired,
    /// There is nothing to mark.
    AlreadySatisfied {
        /// Why: `execution_not_found`, `not_active`, `already_expired`,
        /// `already_revoked` or `not_yet_expired`.
        reason: &'static str,
    },
}

impl Decide for MarkLeaseExpired {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<MarkExpiredOutcome, Rejection> {
        let satisfied = |reason| Ok(MarkExpiredOutcome::AlreadySatisfied { reason });
        let Some(execution) = view.find_execution(self.execution_id) else {
            return satisfied("execution_not_found");
        };
        match execution.vector().ownership_state() {
            // Only an active execution is owned.
            OwnershipState::Unowned => satisfied("not_active"),
            OwnershipState::LeaseExpiredReclaimable => satisfied("already_expired"),
            OwnershipState::LeaseRevoked => satisfied("already_revoked"),
            OwnershipState::Leased if execution.lease.as_ref().is_some_and(|lease| context.lease_is_live(lease)) => {
                satisfied("not_yet_expired")
            }
            OwnershipState::Leased => {
                leasing::mark_expired(view, &execution, context.now);
                Ok(MarkExpiredOutcome::MarkedExpired)
            }
        }
    }
}
