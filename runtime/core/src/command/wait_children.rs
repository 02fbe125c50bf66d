//! `wait_children`: the worker gives its lease back and the attempt goes on
//! when the executions it depends on have ended.

use super::delay::Delayed;
use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::ids::ExecutionId;
use crate::state::Park;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `wait_children`.
///
/// Refused by the validation sequence of writes under a lease.
#[derive(Clone, Debug)]
pub struct WaitChildren {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease; an operator may do without.
    pub fence: FenceTriple,
    /// Who asks.
    pub source: Source,
}

impl Decide for WaitChildren {
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
        // An execution has no inbound edges, so nothing is left unsatisfied,
        // and waiting for nothing must not last for ever.
        leasing::interrupt(view, &mut next, "waiting_children", Park::Eligible, context.now);
        let public_state = next.vector().public_state();
        view.put_execution(Arc::new(next));
        Ok(Delayed { execution_id: self.execution_id, public_state })
    }
}
