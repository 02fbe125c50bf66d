//! `resolve_dependency` and `cascade_completion`: what the end of an upstream
//! does to those that wait for it.
//!
//! The commit that ends an execution has done both already, so here they
//! mostly find nothing left to do. They remain for callers that drive a flow
//! by hand, and they repeat safely.

use super::cascade::Cascade;
use super::view::{FlowView, Halt};
use super::{DecideFlow, On, cancel_flow};
use crate::error::{EngineError, ValidationKind};
use crate::flow::{Bucket, Resolution, SlotState};
use crate::ids::{EdgeId, ExecutionId, FlowId};
use crate::record::flow::{FlowKey, OutEdge, Work};
use crate::state::TerminalOutcome;

/// Arguments of `resolve_dependency`. Refused with `invalid_input` (an
/// outcome that is none) and `invalid_dependency` (not applied), in this
/// order.
#[derive(Clone, Debug)]
pub struct ResolveDependency {
    /// Which flow.
    pub flow_id: FlowId,
    /// Which dependency.
    pub edge_id: EdgeId,
    /// What waits for it.
    pub downstream_execution_id: ExecutionId,
    /// What ended.
    pub upstream_execution_id: ExecutionId,
    /// How it ended.
    pub upstream_outcome: TerminalOutcome,
}

impl DecideFlow for ResolveDependency {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Resolution, Halt> {
        let bucket = Bucket::of(self.upstream_outcome)
            .ok_or_else(|| EngineError::invalid_input("upstream_outcome: none, which is no end"))?;
        let invalid = || EngineError::validation(ValidationKind::InvalidDependency, "not applied");
        let edge = view
            .find_edge(FlowKey::Edge(self.flow_id, self.edge_id))?
            .filter(|edge| {
                edge.downstream == self.downstream_execution_id && edge.upstream == self.upstream_execution_id
            })
            .ok_or_else(invalid)?;
        match view.member(self.flow_id, edge.downstream)?.inbound.slot(edge.slot) {
            None | Some(SlotState::Staged) => return Err(invalid().into()),
            Some(SlotState::Satisfied | SlotState::Impossible) => return Ok(Resolution::AlreadyResolved),
            Some(SlotState::Unsatisfied) => {}
        }
        let out = OutEdge {
            edge_id: edge.edge_id,
            downstream: edge.downstream,
            slot: edge.slot,
            passes_data: edge.passes_data(),
        };
        let mut cascade = Cascade::open(view, on.context, on.limits, self.flow_id, Vec::new())?;
        let resolution = cascade.resolve(edge.upstream, &out, bucket)?;
        cascade.run()?;
        Ok(resolution)
    }
}

/// Arguments of `cascade_completion`. Never refused.
#[derive(Clone, Debug)]
pub struct CascadeCompletion {
    /// The flow the completion names.
    pub flow_id: FlowId,
    /// What ended.
    pub execution_id: ExecutionId,
}

/// Answer of `cascade_completion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CascadeOutcome {
    /// Dependencies acted on by this call.
    pub resolved: u32,
    /// Members skipped by this call.
    pub cascaded_children: u32,
    /// Always true: what was left is done when the call returns, up to the
    /// size of a change set.
    pub synchronous: bool,
}

impl DecideFlow for CascadeCompletion {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<CascadeOutcome, Halt> {
        let nothing = CascadeOutcome { resolved: 0, cascaded_children: 0, synchronous: true };
        let Some(execution) = view.find_execution(self.execution_id)? else { return Ok(nothing) };
        if !execution.vector().is_terminal() || execution.flow_id != Some(self.flow_id) {
            return Ok(nothing);
        }
        let outcome = execution.vector().terminal_outcome();
        let work = vec![Work::Resolve { upstream: self.execution_id, next: 0, outcome }];
        let tally = Cascade::open(view, on.context, on.limits, self.flow_id, work)?.run()?;
        Ok(CascadeOutcome { resolved: tally.resolved, cascaded_children: tally.skipped, synchronous: true })
    }
}

/// Arguments of `advance_flow`: one bounded turn of what is left to do.
/// Never refused. The owner's own.
#[derive(Clone, Debug)]
pub struct AdvanceFlow {
    /// Which flow.
    pub flow_id: FlowId,
}

/// Answer of `advance_flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// Whether another turn is due now.
    pub more: bool,
}

impl DecideFlow for AdvanceFlow {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Advanced, Halt> {
        let Some(flow) = view.find_flow(FlowKey::Flow(self.flow_id))? else { return Ok(Advanced { more: false }) };
        if !flow.sealed
            && flow.cancelled.is_none()
            && view.find_build(FlowKey::Build(self.flow_id))?.is_some_and(|build| build.expires_at <= on.context.now)
        {
            cancel_flow::give_up(view, self.flow_id, on.context.now)?;
        }
        Cascade::open(view, on.context, on.limits, self.flow_id, Vec::new())?.run()?;
        let summary = view.summary(self.flow_id)?;
        let cancels_due = summary.cancels_pending
            && view
                .find_pending_cancels(FlowKey::PendingCancels(self.flow_id))?
                .is_some_and(|pending| pending.due_at <= on.context.now);
        Ok(Advanced { more: summary.work_left || cancels_due })
    }
}
