//! `progress`: a worker says how far it is.

use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::error::EngineError;
use crate::ids::ExecutionId;
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `progress`.
///
/// Refused with `invalid_input` (percent over 100, message) and then by the
/// validation sequence of writes under a lease; a lapsed lease is reported,
/// not marked. Nobody reports progress without a fence.
#[derive(Clone, Debug)]
pub struct UpdateProgress {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease.
    pub fence: FenceTriple,
    /// 0 to 100; none leaves it as it was.
    pub percent: Option<u8>,
    /// For people, at most [`text::REASON_BYTES_MAX`] bytes; none leaves it
    /// as it was.
    pub message: Option<String>,
}

/// Answer of `progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressUpdated {
    /// When it was noted.
    pub updated_at: TimestampMs,
}

impl Decide for UpdateProgress {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ProgressUpdated, Rejection> {
        if let Some(percent) = self.percent.filter(|percent| *percent > 100) {
            return Err(EngineError::invalid_input(format!("percent: {percent}, at most 100")).into());
        }
        text::optional(text::reason, "message", self.message.as_deref())?;
        let held = fencing::validate(
            view,
            context,
            self.execution_id,
            &self.fence,
            &Source::LeaseHolder,
            Override::Nobody,
            OnLapse::Report,
        )?;
        let mut next = (*held.execution).clone();
        next.progress.percent = self.percent.or(next.progress.percent);
        if self.message.is_some() {
            next.progress.message.clone_from(&self.message);
        }
        next.progress.updated_at = Some(context.now);
        next.last_mutation_at = context.now;
        view.put_execution(Arc::new(next));
        Ok(ProgressUpdated { updated_at: context.now })
    }
}
