//! `complete_execution`: end the execution well.

use super::create_execution::PAYLOAD_BYTES_MAX;
use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::{Decide, leasing, text};
use crate::decision::{Context, Rejection};
use crate::error::{EngineError, StateKind, ValidationKind};
use crate::ids::{AttemptIndex, ExecutionId};
use crate::record::{BlobKey, BlobKind, Execution, INLINE_RESULT_BYTES_MAX, ResultRef};
use crate::state::{AttemptLifecycle, PublicState, TerminalOutcome};
use crate::view::View;
use bytes::Bytes;
use std::sync::Arc;

/// Arguments of `complete_execution`.
#[derive(Clone, Debug)]
pub struct CompleteExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease; an operator may do without.
    pub fence: FenceTriple,
    /// The attempt that ends, if the caller names it.
    pub attempt_index: Option<AttemptIndex>,
    /// The result; empty is present and empty, other than none. At most
    /// [`PAYLOAD_BYTES_MAX`].
    pub result_payload: Option<Bytes>,
    /// How the caller encoded the result, opaque here.
    pub result_encoding: Option<String>,
    /// Who asks.
    pub source: Source,
}

/// Answer of `complete_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Always completed.
    pub public_state: PublicState,
}

impl Decide for CompleteExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Completed, Rejection> {
        if self.result_payload.as_ref().is_some_and(|bytes| bytes.len() > PAYLOAD_BYTES_MAX) {
            return Err(EngineError::validation(
                ValidationKind::PayloadTooLarge,
                format!("result over {PAYLOAD_BYTES_MAX} bytes"),
            )
            .into());
        }
        text::optional(text::label, "result_encoding", self.result_encoding.as_deref())?;
        let done = Completed { execution_id: self.execution_id, public_state: PublicState::Completed };
        if let Some(execution) = view.find_execution(self.execution_id)
            && execution.vector().terminal_outcome() == TerminalOutcome::Success
            && fencing::ended_under(&execution, &self.fence)
        {
            return Ok(done);
        }
        let held = fencing::validate(
            view,
            context,
            self.execution_id,
            &self.fence,
            &self.source,
            Override::Operator,
            OnLapse::Mark,
        )?;
        check_index(&held.execution, self.attempt_index)?;
        let now = context.now;
        let mut next = (*held.execution).clone();
        leasing::end_attempt(&mut next, AttemptLifecycle::EndedSuccess, None, None, now);
        self.store_result(view, &mut next);
        leasing::release(view, &mut next, "completed", now);
        leasing::terminate(view, &mut next, TerminalOutcome::Success, false, now);
        view.put_execution(Arc::new(next));
        Ok(done)
    }
}

impl CompleteExecution {
    fn store_result(&self, view: &mut View<'_>, next: &mut Execution) {
        next.result_encoding.clone_from(&self.result_encoding);
        next.result = self.result_payload.as_ref().map(|bytes| {
            if bytes.len() <= INLINE_RESULT_BYTES_MAX {
                return ResultRef::Inline(bytes.to_vec());
            }
            view.put_blob(BlobKey { execution: self.execution_id.uuid(), kind: BlobKind::Result }, Some(bytes.clone()));
            ResultRef::Stored(bytes.len() as u32)
        });
    }
}

/// Refuses a caller that names another attempt than the live one.
pub(super) fn check_index(execution: &Execution, index: Option<AttemptIndex>) -> Result<(), Rejection> {
    if index.is_some_and(|index| index != execution.current_attempt_index()) {
        return Err(StateKind::StaleLease.into());
    }
    Ok(())
}
