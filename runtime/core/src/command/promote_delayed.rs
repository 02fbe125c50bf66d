//! `promote_delayed`: a delayed execution whose time has come becomes
//! eligible.

use super::Decide;
use crate::decision::{Context, Rejection};
use crate::ids::ExecutionId;
use crate::record::Execution;
use crate::state::{EligibilityState, Park};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `promote_delayed`. Never refused: what does not apply is an
/// outcome.
#[derive(Clone, Debug)]
pub struct PromoteDelayed {
    /// Which execution.
    pub execution_id: ExecutionId,
}

/// Answer of `promote_delayed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromoteOutcome {
    /// It is eligible now.
    Promoted,
    /// Its time has not come.
    NotYetDue,
    /// There is no such execution.
    NotFoundCleaned,
    /// It is not runnable.
    NotRunnableCleaned,
    /// It waits for no time.
    NotDelayedCleaned,
}

impl PromoteOutcome {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::NotYetDue => "not_yet_due",
            Self::NotFoundCleaned => "not_found_cleaned",
            Self::NotRunnableCleaned => "not_runnable_cleaned",
            Self::NotDelayedCleaned => "not_delayed_cleaned",
        }
    }
}

impl Decide for PromoteDelayed {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<PromoteOutcome, Rejection> {
        let Some(execution) = view.find_execution(self.execution_id) else {
            return Ok(PromoteOutcome::NotFoundCleaned);
        };
        if !execution.vector().is_runnable() {
            return Ok(PromoteOutcome::NotRunnableCleaned);
        }
        if execution.vector().eligibility_state() != EligibilityState::NotEligibleUntilTime {
            return Ok(PromoteOutcome::NotDelayedCleaned);
        }
        if execution.delay_until.is_some_and(|until| until > context.now) {
            return Ok(PromoteOutcome::NotYetDue);
        }
        promote(view, &execution, context.now);
        Ok(PromoteOutcome::Promoted)
    }
}

/// Makes a delayed execution eligible. Which attempt comes next stays, since
/// it decides how the execution is claimed.
pub(super) fn promote(view: &mut View<'_>, execution: &Execution, now: TimestampMs) {
    let mut next = execution.clone();
    next.delay_until = None;
    next.blocking_detail = None;
    let vector = next.vector().parked(Park::Eligible);
    next.transition(vector, now);
    view.put_execution(Arc::new(next));
}
