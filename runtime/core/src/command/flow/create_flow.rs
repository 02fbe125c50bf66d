//! `create_flow`: an empty flow.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::command::text;
use crate::ids::{FlowId, Namespace};
use crate::record::flow::{Flow, FlowKey, FlowSummary};
use std::sync::Arc;

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
        view.put(Flow {
            flow_id,
            partition: self.partition,
            flow_kind: self.flow_kind.clone(),
            namespace: self.namespace.clone(),
            graph_revision: 0,
            node_count: 0,
            edge_count: 0,
            created_at: now,
            last_mutation_at: now,
            cancelled: None,
            tags: Arc::default(),
            sealed: true,
            digest: None,
        });
        view.put(FlowSummary {
            flow_id,
            counts: crate::flow::StateCounts::default(),
            cancels_pending: false,
            work_left: false,
            last_summary_update_at: now,
        });
        Ok(CreateFlowOutcome::Created { flow_id })
    }
}
