//! `change_priority`: move an eligible execution within its queue.

use super::Decide;
use super::create_execution::PRIORITY_MAX;
use crate::decision::{Context, Rejection};
use crate::error::ContentionKind;
use crate::event::Fact;
use crate::ids::ExecutionId;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `change_priority`.
///
/// Refused with `execution_not_found` and `execution_not_eligible` (anything
/// but eligible now), in this order.
#[derive(Clone, Debug)]
pub struct ChangePriority {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Higher first; clamped to 0..=9000.
    pub new_priority: i32,
}

/// Answer of `change_priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The priority as stored.
    pub priority: i32,
}

impl Decide for ChangePriority {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Changed, Rejection> {
        let execution = view.execution(self.execution_id)?;
        if !execution.vector().is_eligible() {
            return Err(ContentionKind::ExecutionNotEligible.into());
        }
        let old = execution.priority;
        let new = self.new_priority.clamp(0, PRIORITY_MAX);
        if old != new {
            let mut next = (*execution).clone();
            next.priority = new;
            next.last_mutation_at = context.now;
            view.tell(next.id, context.now, Fact::PriorityChanged { old, new });
            view.put_execution(Arc::new(next));
        }
        Ok(Changed { execution_id: self.execution_id, priority: new })
    }
}
