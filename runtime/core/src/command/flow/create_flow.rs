//! `create_flow`: an empty flow.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::command::text;
use crate::ids::{FlowId, Namespace};
use crate::record::flow::{Flow, FlowKey, FlowSummary};

/// Arguments of `create_flow`. Refused with `invalid_input` (texts).
#[derive(Clone, Debug)]
pub struct CreateFlow {
    /// Which flow.
    pub flow_id: FlowId,
    /// The partition it hashes to.
    pub partition: u16,
    /// What the caller calls this kind of flow; at most
    /// [`text::KIND_BYTES_MAX`] bytes.
    pub flow_kind: String,
    /// Keeps tenants apart.
    pub namespace: Namespace,
}

/// Answer of `create_flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateFlowOutcome {
    /// It exists now.
    Created {
        /// The flow.
        flow_id: FlowId,
    },
    /// It existed before; what it was created with is not compared.
    AlreadySatisfied {
        /// The flow.
        flow_id: FlowId,
    },
}

impl DecideFlow for CreateFlow {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<CreateFlowOutcome, Halt> {
        text::label("flow_kind", &self.flow_kind)?;
        let flow_id = self.flow_id;
        if view.find_flow(FlowKey::Flow(flow_id))?.is_some() {
            return Ok(CreateFlowOutcome::AlreadySatisfied { flow_id });
        }
        let now = on.context.now;
        view.put(Flow::new(flow_id, self.partition, self.flow_kind.clone(), self.namespace.clone(), now));
        view.put(FlowSummary::new(flow_id, now));
        Ok(CreateFlowOutcome::Created { flow_id })
    }
}
