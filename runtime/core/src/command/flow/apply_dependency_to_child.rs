//! `apply_dependency_to_child`: make an execution wait for a staged
//! dependency.
//!
//! An upstream that has ended already resolves the dependency in the same
//! step, and the apply that completes the group lets it be judged.

use super::cascade::Cascade;
use super::parking;
use super::stage_dependency_edge::data_ref;
use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::command::text;
use crate::error::{ConflictKind, EngineError, ValidationKind};
use crate::flow::{Bucket, GroupState, SlotState, check_dependency_kind};
use crate::ids::{EdgeId, ExecutionId, FlowId};
use crate::record::flow::{Edge, FlowKey, OutEdge};
use crate::state::EligibilityState;

/// Arguments of `apply_dependency_to_child`.
///
/// Refused, in this order, with `execution_not_found`,
/// `execution_already_in_flow` (another one), `invalid_dependency` (not
/// staged, or staged otherwise), `flow_already_terminal` and
/// `edge_group_already_fired`. A dependency that is applied already is
/// recognised before all but the first two.
#[derive(Clone, Debug)]
pub struct ApplyDependencyToChild {
    /// Which flow.
    pub flow_id: FlowId,
    /// Which dependency.
    pub edge_id: EdgeId,
    /// What waits for it, as staged.
    pub downstream_execution_id: ExecutionId,
    /// What must succeed, as staged.
    pub upstream_execution_id: ExecutionId,
    /// The revision the caller knows; noted, not compared.
    pub graph_revision: u64,
    /// As staged.
    pub dependency_kind: String,
    /// As staged.
    pub data_passing_ref: Option<String>,
}

/// Answer of `apply_dependency_to_child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// It waits.
    Applied {
        /// For so many dependencies.
        unsatisfied_count: u32,
    },
    /// It waited before.
    AlreadyApplied,
}

fn invalid(detail: &str) -> Halt {
    EngineError::validation(ValidationKind::InvalidDependency, detail).into()
}

impl ApplyDependencyToChild {
    fn check_staged(&self, edge: &Edge) -> Result<(), Halt> {
        check_dependency_kind(&self.dependency_kind).map_err(|_| invalid("dependency_kind differs"))?;
        if edge.upstream != self.upstream_execution_id {
            return Err(invalid("upstream_execution_id differs"));
        }
        if edge.downstream != self.downstream_execution_id {
            return Err(invalid("downstream_execution_id differs"));
        }
        if edge.data_passing_ref != data_ref(self.data_passing_ref.as_deref()) {
            return Err(invalid("data_passing_ref differs"));
        }
        Ok(())
    }
}

impl DecideFlow for ApplyDependencyToChild {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<ApplyOutcome, Halt> {
        text::optional(text::label, "data_passing_ref", self.data_passing_ref.as_deref())?;
        let (flow_id, child) = (self.flow_id, self.downstream_execution_id);
        let execution = view.execution(child)?;
        if execution.flow_id.is_some_and(|other| other != flow_id) {
            return Err(ConflictKind::ExecutionAlreadyInFlow.into());
        }
        let edge = view.find_edge(FlowKey::Edge(flow_id, self.edge_id))?.ok_or_else(|| invalid("not staged"))?;
        if edge.downstream == child && view.member(flow_id, child)?.inbound.slot(edge.slot) != Some(SlotState::Staged) {
            return Ok(ApplyOutcome::AlreadyApplied);
        }
        self.check_staged(&edge)?;
        view.growing_flow(flow_id)?;
        let mut member = (*view.member(flow_id, child)?).clone();
        if member.inbound.state != GroupState::Pending {
            return Err(ConflictKind::EdgeGroupAlreadyFired.into());
        }
        member.inbound.apply(edge.slot)?;
        member.last_flow_graph_revision = self.graph_revision;
        if execution.vector().is_runnable() {
            let detail = format!("{} dep(s) unresolved incl {}", member.inbound.running(), self.edge_id);
            let before = parking::block(view, &execution, detail, on.context);
            if execution.vector().eligibility_state() != EligibilityState::BlockedByDependencies {
                member.beneath = before;
            }
        }
        let outcome = view.execution(edge.upstream)?.vector().terminal_outcome();
        let resolution = member.inbound.evaluate(on.context.now);
        let mut cascade = Cascade::open(view, on.context, on.limits, flow_id, Vec::new())?;
        cascade.settle(member, resolution)?;
        if let Some(bucket) = Bucket::of(outcome) {
            let out =
                OutEdge { edge_id: edge.edge_id, downstream: child, slot: edge.slot, passes_data: edge.passes_data() };
            cascade.resolve(edge.upstream, &out, bucket)?;
        }
        cascade.run()?;
        Ok(ApplyOutcome::Applied { unsatisfied_count: view.member(flow_id, child)?.inbound.running() })
    }
}
