//! `close_waitpoint`: give up a pending waitpoint, because it ran out or will
//! not be used.

use super::Decide;
use super::waiting::close_waitpoints;
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, StateKind};
use crate::ids::{ExecutionId, WaitpointId};
use crate::record::{CloseReason, WaitKey, WaitpointState};
use crate::view::View;

/// Why a pending waitpoint is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUp {
    /// Its time is out; it closes only then.
    Expiry,
    /// It will not be used.
    Abandonment,
}

/// Arguments of `close_waitpoint`.
///
/// Refused with `waitpoint_not_found` (missing, or of another execution) and
/// `waitpoint_not_pending` (part of an open suspension).
#[derive(Clone, Debug)]
pub struct CloseWaitpoint {
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// Which one.
    pub waitpoint_id: WaitpointId,
    /// Why.
    pub because: GiveUp,
}

/// Answer of `close_waitpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseWaitpointOutcome {
    /// It is closed now.
    Closed,
    /// It was closed before.
    AlreadyClosed,
    /// Its time is not out.
    NotYetDue,
}

impl Decide for CloseWaitpoint {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        vec![WaitKey::Waits(self.execution_id.uuid()), WaitKey::Waitpoint(self.waitpoint_id)]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<CloseWaitpointOutcome, Rejection> {
        let waitpoint = view
            .waitpoint(self.waitpoint_id)
            .filter(|waitpoint| waitpoint.execution_id == self.execution_id)
            .ok_or(ContentionKind::WaitpointNotFound)?;
        match waitpoint.state {
            WaitpointState::Closed => return Ok(CloseWaitpointOutcome::AlreadyClosed),
            WaitpointState::Active => return Err(StateKind::WaitpointNotPending.into()),
            WaitpointState::Pending => {}
        }
        let reason = match self.because {
            GiveUp::Expiry if waitpoint.expires_at.is_none_or(|at| at > context.now) => {
                return Ok(CloseWaitpointOutcome::NotYetDue);
            }
            GiveUp::Expiry => CloseReason::NeverCommitted,
            GiveUp::Abandonment => CloseReason::ProactiveClose,
        };
        let mut waits = view.waits(self.execution_id);
        close_waitpoints(view, &mut waits, &[self.waitpoint_id], reason, context.now);
        view.put_waits(waits);
        Ok(CloseWaitpointOutcome::Closed)
    }
}
