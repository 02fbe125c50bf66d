//! `renew_lease`: move the expiry of a live lease.

use super::Decide;
use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::leasing;
use crate::decision::{Context, Rejection};
use crate::event::LeaseFact;
use crate::ids::{AttemptIndex, ExecutionId, LeaseEpoch};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `renew_lease`.
#[derive(Clone, Debug)]
pub struct RenewLease {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The attempt the lease drives.
    pub attempt_index: AttemptIndex,
    /// Proof of the lease; nobody renews without one.
    pub fence: FenceTriple,
    /// From now on, this long; may shorten the lease.
    pub lease_ttl_ms: u64,
}

/// Answer of `renew_lease`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The new expiry.
    pub expires_at: TimestampMs,
    /// The unchanged epoch.
    pub lease_epoch: LeaseEpoch,
}

impl Decide for RenewLease {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Renewed, Rejection> {
        leasing::check_ttl(self.lease_ttl_ms)?;
        let held = fencing::validate_indexed(
            view,
            context,
            self.execution_id,
            &self.fence,
            Some(self.attempt_index),
            &Source::LeaseHolder,
            Override::Nobody,
            OnLapse::Mark,
        )?;
        let mut next = (*held.execution).clone();
        let mut lease = held.lease;
        lease.renew(context.now, self.lease_ttl_ms);
        let renewed = Renewed { expires_at: lease.expires_at, lease_epoch: lease.lease_epoch };
        next.lease = Some(lease);
        next.last_mutation_at = context.now;
        leasing::tell_lease(view, &next, LeaseFact::Renewed, context.now);
        view.put_execution(Arc::new(next));
        Ok(renewed)
    }
}
