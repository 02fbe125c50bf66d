//! `resume_execution`: let a suspended execution go on, whatever its
//! condition says.

use super::Decide;
use super::waiting::{close_suspension, let_go_on};
use crate::decision::{Context, Rejection};
use crate::error::StateKind;
use crate::ids::ExecutionId;
use crate::record::{CloseReason, Closed, ResumeTrigger, WaitKey};
use crate::state::{LifecyclePhase, PublicState};
use crate::view::View;

/// Arguments of `resume_execution`.
///
/// Refused with `execution_not_found` and `execution_not_suspended`, which a
/// repeat gets as well.
#[derive(Clone, Debug)]
pub struct ResumeExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// What makes it go on.
    pub trigger: ResumeTrigger,
    /// How long it waits before it may be claimed.
    pub resume_delay_ms: u64,
}

/// Answer of `resume_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Resumable, or delayed.
    pub public_state: PublicState,
}

impl Decide for ResumeExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        vec![WaitKey::Waits(self.execution_id.uuid())]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Resumed, Rejection> {
        let execution = view.execution(self.execution_id)?;
        let mut waits = view.waits(self.execution_id);
        if execution.vector().lifecycle_phase() != LifecyclePhase::Suspended || waits.open().is_none() {
            return Err(StateKind::ExecutionNotSuspended.into());
        }
        let closed = Closed {
            at: context.now,
            reason: CloseReason::Resumed,
            closer_signal_id: None,
            timeout_signal_id: None,
            resume_trigger: Some(self.trigger),
        };
        close_suspension(view, &mut waits, closed);
        view.put_waits(waits);
        let public_state = let_go_on(view, &execution, self.resume_delay_ms, "", context.now);
        Ok(Resumed { public_state })
    }
}
