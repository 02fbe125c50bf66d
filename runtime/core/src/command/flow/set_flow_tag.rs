//! `set_flow_tag`: set one label of a flow, cancelled or not.

use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::ids::FlowId;
use crate::tags::validate_tags;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arguments of `set_flow_tag`.
///
/// Refused, in this order, with `invalid_tag_key`, `invalid_input` (value),
/// `flow_not_found` and `invalid_input` (too many tags).
#[derive(Clone, Debug)]
pub struct SetFlowTag {
    /// Which flow.
    pub flow_id: FlowId,
    /// The tag, in the tag grammar.
    pub key: String,
    /// What it becomes.
    pub value: String,
}

/// Answer of `set_flow_tag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTagSet {
    /// The flow.
    pub flow_id: FlowId,
}

impl DecideFlow for SetFlowTag {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<FlowTagSet, Halt> {
        validate_tags(&BTreeMap::from([(self.key.clone(), self.value.clone())]))?;
        let flow = view.flow(self.flow_id)?;
        let done = FlowTagSet { flow_id: self.flow_id };
        if flow.tags.get(&self.key) == Some(&self.value) {
            return Ok(done);
        }
        let mut tags = (*flow.tags).clone();
        tags.insert(self.key.clone(), self.value.clone());
        validate_tags(&tags)?;
        let mut next = (*flow).clone();
        next.tags = Arc::new(tags);
        next.last_mutation_at = on.context.now;
        view.put(next);
        Ok(done)
    }
}
