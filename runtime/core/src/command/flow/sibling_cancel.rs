//! `drain_sibling_cancel_group` and `reconcile_sibling_cancel_group`: the
//! list of upstreams that a fired join still has to cancel.
//!
//! The engine works the list off by itself; both remain for callers that
//! cancel by hand.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::FlowKey;
use crate::view::Need;

/// Arguments of `drain_sibling_cancel_group`. Never refused.
#[derive(Clone, Debug)]
pub struct DrainSiblingCancelGroup {
    /// Which flow.
    pub flow_id: FlowId,
    /// Whose join fired.
    pub downstream_execution_id: ExecutionId,
}

/// Answer of `drain_sibling_cancel_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DrainOutcome {
    /// The list is gone.
    Drained,
    /// There was none.
    AlreadyDrained,
    /// The list is gone; the member it was for does not exist.
    DrainedSansGroup,
}

impl DrainOutcome {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::AlreadyDrained => "already_drained",
            Self::DrainedSansGroup => "drained_sans_group",
        }
    }
}

impl DecideFlow for DrainSiblingCancelGroup {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, _on: &On<'_>) -> Result<DrainOutcome, Halt> {
        let key = FlowKey::SiblingCancels(self.flow_id, self.downstream_execution_id.uuid());
        if view.find_sibling_cancels(key)?.is_none() {
            return Ok(DrainOutcome::AlreadyDrained);
        }
        view.delete(key);
        Ok(match view.find_member(self.flow_id, self.downstream_execution_id)? {
            Some(_) => DrainOutcome::Drained,
            None => DrainOutcome::DrainedSansGroup,
        })
    }
}

/// Arguments of `reconcile_sibling_cancel_group`. Never refused; cancels
/// nothing.
#[derive(Clone, Debug)]
pub struct ReconcileSiblingCancelGroup {
    /// Which flow.
    pub flow_id: FlowId,
    /// Whose join fired.
    pub downstream_execution_id: ExecutionId,
}

/// Answer of `reconcile_sibling_cancel_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileOutcome {
    /// There is no list, or members on it have not ended.
    NoOp,
    /// The list was for a member that does not exist, and is gone.
    SremmedStale,
    /// All on the list have ended, and it is gone.
    CompletedDrain,
}

impl ReconcileOutcome {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoOp => "no_op",
            Self::SremmedStale => "sremmed_stale",
            Self::CompletedDrain => "completed_drain",
        }
    }
}

impl DecideFlow for ReconcileSiblingCancelGroup {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, _on: &On<'_>) -> Result<ReconcileOutcome, Halt> {
        let key = FlowKey::SiblingCancels(self.flow_id, self.downstream_execution_id.uuid());
        let Some(group) = view.find_sibling_cancels(key)? else { return Ok(ReconcileOutcome::NoOp) };
        if view.find_member(self.flow_id, self.downstream_execution_id)?.is_none() {
            view.delete(key);
            return Ok(ReconcileOutcome::SremmedStale);
        }
        view.need(group.members.iter().map(|id| Need::execution(*id)))?;
        for id in &group.members {
            if view.find_execution(*id)?.is_some_and(|execution| !execution.vector().is_terminal()) {
                return Ok(ReconcileOutcome::NoOp);
            }
        }
        view.delete(key);
        Ok(ReconcileOutcome::CompletedDrain)
    }
}
