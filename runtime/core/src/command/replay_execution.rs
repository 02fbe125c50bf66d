//! `replay_execution`: run an ended execution once more, whatever its
//! outcome.

use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::error::StateKind;
use crate::event::Fact;
use crate::ids::ExecutionId;
use crate::policy::DEFAULT_MAX_REPLAY_COUNT;
use crate::record::{BlobKey, BlobKind, Pending, ResultRef};
use crate::state::{Park, PublicState, TerminalOutcome};
use crate::view::View;
use std::sync::Arc;

/// Arguments of `replay_execution`.
///
/// Refused, in this order, with `invalid_input` (texts),
/// `execution_not_found`, `execution_not_terminal` and
/// `max_replays_exhausted`.
#[derive(Clone, Debug)]
pub struct ReplayExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Who asks; at most [`text::KIND_BYTES_MAX`] bytes.
    pub requested_by: Option<String>,
    /// Why; at most [`text::REASON_BYTES_MAX`] bytes.
    pub reason: Option<String>,
}

/// Answer of `replay_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Where it stands now.
    pub public_state: PublicState,
}

impl Decide for ReplayExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Replayed, Rejection> {
        text::optional(text::label, "requested_by", self.requested_by.as_deref())?;
        text::optional(text::reason, "reason", self.reason.as_deref())?;
        let execution = view.execution(self.execution_id)?;
        if !execution.vector().is_terminal() {
            return Err(StateKind::ExecutionNotTerminal.into());
        }
        let limit = execution.spec.policy.as_ref().map_or(DEFAULT_MAX_REPLAY_COUNT, |policy| policy.max_replay_count);
        if execution.replay_count >= limit {
            return Err(StateKind::MaxReplaysExhausted.into());
        }
        let now = context.now;
        let mut next = (*execution).clone();
        next.replay_count += 1;
        next.retry_count = 0;
        next.completed_at = None;
        next.failure_reason = None;
        next.cancellation_reason = None;
        next.cancelled_by = None;
        next.result_encoding = None;
        if let Some(ResultRef::Stored(_)) = next.result.take() {
            view.put_blob(BlobKey { execution: self.execution_id.uuid(), kind: BlobKind::Result }, None);
        }
        // A deadline that has passed would end the replay before it begins.
        next.deadline_at = next.deadline_at.filter(|at| *at > now);
        next.pending = Some(Pending::Replay {
            reason: self.reason.clone().unwrap_or_default(),
            requested_by: self.requested_by.clone().unwrap_or_default(),
            previous_attempt_index: next.attempt.as_ref().map(|attempt| attempt.index),
        });
        let vector = next.vector().replayed(Park::Eligible);
        next.transition(vector, now);
        let public_state = next.vector().public_state();
        let skipped = execution.vector().terminal_outcome() == TerminalOutcome::Skipped;
        let replay_type = if skipped && next.flow_id.is_some() { "skipped_flow_member" } else { "normal" };
        let replay_type = replay_type.to_owned();
        view.tell(next.id, now, Fact::Replayed { replay_count: next.replay_count, replay_type });
        view.put_execution(Arc::new(next));
        Ok(Replayed { execution_id: self.execution_id, public_state })
    }
}
