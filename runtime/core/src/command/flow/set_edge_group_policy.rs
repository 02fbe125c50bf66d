//! `set_edge_group_policy`: how many upstreams of a member must succeed.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::error::{EngineError, StateKind};
use crate::flow::PolicySpec;
use crate::ids::{ExecutionId, FlowId};

/// Arguments of `set_edge_group_policy`.
///
/// Refused, in this order, with `flow_not_found`, `invalid_input` (the
/// policy), `execution_not_in_flow` and `invalid_input` (dependencies are
/// staged).
#[derive(Clone, Debug)]
pub struct SetEdgeGroupPolicy {
    /// Which flow.
    pub flow_id: FlowId,
    /// Whose join.
    pub downstream_execution_id: ExecutionId,
    /// The policy, as the caller writes it.
    pub policy: PolicySpec,
}

/// Answer of `set_edge_group_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPolicyOutcome {
    /// It is in force.
    Set,
    /// It was in force before.
    AlreadySet,
}

impl DecideFlow for SetEdgeGroupPolicy {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<SetPolicyOutcome, Halt> {
        view.flow(self.flow_id)?;
        let policy = self.policy.check()?;
        let member =
            view.find_member(self.flow_id, self.downstream_execution_id)?.ok_or(StateKind::ExecutionNotInFlow)?;
        if member.inbound.staged() > 0 {
            return Err(
                EngineError::invalid_input("edge_group_policy_already_fixed: dependencies already staged").into()
            );
        }
        if member.inbound.policy == Some(policy) {
            return Ok(SetPolicyOutcome::AlreadySet);
        }
        let mut next = (*member).clone();
        next.inbound.policy = Some(policy);
        next.last_dependency_update_at = on.context.now;
        view.put(next);
        Ok(SetPolicyOutcome::Set)
    }
}
