//! What holds of every record and every change, whatever led to it.
//!
//! The commands keep these rules by construction; nothing here repairs. Tests
//! ask after every step, and the checker of a store asks of what it finds
//! there, so that a broken rule is named where it first shows.

mod change;
mod flow;
mod record;
mod waits;

pub use change::{check_change, check_changes};
pub use flow::{FlowViolation, check_flow, check_flow_changes, check_member};
pub use record::check_execution;
pub use waits::{check_wait_changes, check_waitpoint, check_waits, check_waits_of};

use crate::ids::ExecutionId;
use crate::record::Execution;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{execution_id}: broken rule: {rule} ({detail})")]
pub struct Violation {
    /// Where.
    pub execution_id: ExecutionId,
    /// Which rule, in words.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

/// Fails with the rule unless it holds.
fn ensure(execution: &Execution, holds: bool, rule: &'static str) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    let vector = execution.vector();
    let detail = format!(
        "{}, {}, {}, {}, {}, {}, lease epoch {}, {} attempts",
        vector.lifecycle_phase(),
        vector.ownership_state(),
        vector.eligibility_state(),
        vector.blocking_reason(),
        vector.terminal_outcome(),
        vector.attempt_state(),
        execution.lease_epoch,
        execution.total_attempt_count,
    );
    Err(Violation { execution_id: execution.id, rule, detail })
}
