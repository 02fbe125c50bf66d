//! `evaluate_flow_eligibility` and `project_flow_summary`: what a member and
//! its flow stand at. Neither writes.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::flow::GroupState;
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::FlowKey;
use crate::state::OwnershipState;

/// Arguments of `evaluate_flow_eligibility`. Never refused.
#[derive(Clone, Debug)]
pub struct EvaluateFlowEligibility {
    /// The flow the execution is thought to be in.
    pub flow_id: FlowId,
    /// Which execution.
    pub execution_id: ExecutionId,
}

/// Answer of `evaluate_flow_eligibility`: the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowEligibility {
    /// There is no such execution.
    NotFound,
    /// It runs, is suspended or has ended.
    NotRunnable,
    /// Somebody holds it.
    Owned,
    /// It has ended.
    Terminal,
    /// A dependency can no longer be satisfied.
    Impossible,
    /// Dependencies are open.
    BlockedByDependencies,
    /// Nothing of the flow keeps it back.
    Eligible,
}

impl FlowEligibility {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotRunnable => "not_runnable",
            Self::Owned => "owned",
            Self::Terminal => "terminal",
            Self::Impossible => "impossible",
            Self::BlockedByDependencies => "blocked_by_dependencies",
            Self::Eligible => "eligible",
        }
    }
}

impl DecideFlow for EvaluateFlowEligibility {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, _on: &On<'_>) -> Result<FlowEligibility, Halt> {
        let Some(execution) = view.find_execution(self.execution_id)? else { return Ok(FlowEligibility::NotFound) };
        let vector = execution.vector();
        if !vector.is_runnable() {
            return Ok(FlowEligibility::NotRunnable);
        }
        if vector.ownership_state() != OwnershipState::Unowned {
            return Ok(FlowEligibility::Owned);
        }
        if vector.is_terminal() {
            return Ok(FlowEligibility::Terminal);
        }
        let member = match execution.flow_id {
            Some(flow_id) => view.find_member(flow_id, self.execution_id)?,
            None => None,
        };
        Ok(match member.map(|member| (member.inbound.applied, member.inbound.state)) {
            None | Some((0, _) | (_, GroupState::Satisfied | GroupState::Cancelled)) => FlowEligibility::Eligible,
            Some((_, GroupState::Impossible)) => FlowEligibility::Impossible,
            Some((_, GroupState::Pending)) => FlowEligibility::BlockedByDependencies,
        })
    }
}

/// Arguments of `project_flow_summary`. Never refused.
///
/// The commits that move members keep the counts, so nothing is left to
/// project; the answer tells whether there is anything to see.
#[derive(Clone, Debug)]
pub struct ProjectFlowSummary {
    /// Which flow.
    pub flow_id: FlowId,
}

impl DecideFlow for ProjectFlowSummary {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, _on: &On<'_>) -> Result<bool, Halt> {
        let Some(flow) = view.find_flow(FlowKey::Flow(self.flow_id))? else { return Ok(false) };
        Ok(flow.node_count > 0)
    }
}
