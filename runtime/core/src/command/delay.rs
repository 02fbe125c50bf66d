//! `delay`: the worker gives its lease back and the attempt goes on at a
//! later time.

use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::ids::ExecutionId;
use crate::state::{DelayReason, Park, PublicState};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `delay`.
///
/// Refused by the validation sequence of writes under a lease.
#[derive(Clone, Debug)]
pub struct Delay {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease; an operator may do without.
    pub fence: FenceTriple,
    /// Who asks.
    pub source: Source,
    /// When the attempt may go on. A past time is accepted and wakes it at
    /// once.
    pub delay_until: TimestampMs,
}

/// Answer of `delay` and `wait_children`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delayed {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Where it stands now.
    pub public_state: PublicState,
}

impl Decide for Delay {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Delayed, Rejection> {
        let held = fencing::validate(
            view,
            context,
            self.execution_id,
            &self.fence,
            &self.source,
            Override::Operator,
            OnLapse::Mark,
        )?;
        let mut next = (*held.execution).clone();
        leasing::interrupt(view, &mut next, "worker_delay", Park::Until(DelayReason::Requested), context.now);
        next.delay_until = Some(self.delay_until);
        let public_state = next.vector().public_state();
        view.put_execution(Arc::new(next));
        Ok(Delayed { execution_id: self.execution_id, public_state })
    }
}
