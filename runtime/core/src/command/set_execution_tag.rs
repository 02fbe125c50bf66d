//! `set_execution_tag`: set one label of an execution, ended or not.

use super::Decide;
use crate::decision::{Context, Rejection};
use crate::ids::ExecutionId;
use crate::tags::validate_tags;
use crate::view::View;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arguments of `set_execution_tag`.
///
/// Refused, in this order, with `invalid_tag_key`, `invalid_input` (value),
/// `execution_not_found` and `invalid_input` (too many tags).
#[derive(Clone, Debug)]
pub struct SetExecutionTag {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The tag, in the tag grammar.
    pub key: String,
    /// What it becomes.
    pub value: String,
}

/// Answer of `set_execution_tag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagSet {
    /// The execution.
    pub execution_id: ExecutionId,
}

impl Decide for SetExecutionTag {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<TagSet, Rejection> {
        validate_tags(&BTreeMap::from([(self.key.clone(), self.value.clone())]))?;
        let execution = view.execution(self.execution_id)?;
        if execution.tags.get(&self.key) != Some(&self.value) {
            let mut tags = (*execution.tags).clone();
            tags.insert(self.key.clone(), self.value.clone());
            validate_tags(&tags)?;
            let mut next = (*execution).clone();
            next.tags = Arc::new(tags);
            next.last_mutation_at = context.now;
            view.put_execution(Arc::new(next));
        }
        Ok(TagSet { execution_id: self.execution_id })
    }
}
