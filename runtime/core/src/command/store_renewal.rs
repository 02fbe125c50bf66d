//! `store_renewal`: write down what the owner promised.
//!
//! Renewals are answered from memory; within half a ttl the promise is
//! stored. It is stored as it was given: a worker that stopped renewing is
//! not kept alive by the owner's bookkeeping.

use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::event::LeaseFact;
use crate::ids::{ExecutionId, LeaseEpoch};
use crate::state::OwnershipState;
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `store_renewal`. The promise itself comes with the context.
#[derive(Clone, Debug)]
pub struct StoreRenewal {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The lease that was promised to live longer.
    pub lease_epoch: LeaseEpoch,
}

/// Answer of `store_renewal`: the stored expiry, or none where the lease has
/// ended meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalStored {
    /// When the lease lapses, as stored now.
    pub expires_at: Option<TimestampMs>,
}

impl Decide for StoreRenewal {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<RenewalStored, Rejection> {
        let Some(execution) = view.find_execution(self.execution_id) else {
            return Ok(RenewalStored { expires_at: None });
        };
        let promised = context.promised_until.filter(|until| *until > context.now);
        let lease = execution.lease.clone().filter(|lease| {
            execution.vector().ownership_state() == OwnershipState::Leased && lease.lease_epoch == self.lease_epoch
        });
        let (Some(mut lease), Some(promised)) = (lease, promised) else {
            return Ok(RenewalStored { expires_at: None });
        };
        if promised <= lease.expires_at {
            return Ok(RenewalStored { expires_at: Some(lease.expires_at) });
        }
        lease.renew(promised.minus(lease.ttl_ms), lease.ttl_ms);
        let mut next = (*execution).clone();
        next.lease = Some(lease);
        next.last_mutation_at = context.now;
        leasing::tell_lease(view, &next, LeaseFact::Renewed, context.now);
        view.put_execution(Arc::new(next));
        Ok(RenewalStored { expires_at: Some(promised) })
    }
}
