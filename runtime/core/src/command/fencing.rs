//! Fencing: who may write to a leased execution.
//!
//! The order of the checks is the order of what a stale holder sees: a lapsed
//! lease is reported as lapsed even to a caller with a wrong fence.

use super::leasing;
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, EngineError, NotActive, StateKind, ValidationKind};
use crate::ids::{AttemptId, AttemptIndex, ExecutionId, LeaseEpoch, LeaseFence, LeaseId};
use crate::record::{Execution, Lease};
use crate::state::OwnershipState;
use crate::view::View;
use std::sync::Arc;

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// An operator; needs no fence.
    #[default]
    OperatorOverride,
    /// The worker that holds the lease.
    LeaseHolder,
    /// The cancellation of a flow.
    FlowCascade,
    /// A timer.
    SystemTimeout,
    /// Anything else, by its name.
    Custom(String),
}

impl Source {
    /// The wire spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::OperatorOverride => "operator_override",
            Self::LeaseHolder => "lease_holder",
            Self::FlowCascade => "flow_cascade",
            Self::SystemTimeout => "system_timeout",
            Self::Custom(name) => name,
        }
    }

    /// Reads the wire spelling; unknown names are custom, empty is the
    /// default.
    pub fn parse(text: &str) -> Self {
        match text {
            "" | "operator_override" => Self::OperatorOverride,
            "lease_holder" => Self::LeaseHolder,
            "flow_cascade" => Self::FlowCascade,
            "system_timeout" => Self::SystemTimeout,
            other => Self::Custom(other.to_owned()),
        }
    }

    /// Whether the caller claims to be the worker and so must prove it.
    pub fn is_worker(&self) -> bool {
        matches!(self, Self::LeaseHolder) || matches!(self, Self::Custom(name) if name == "worker")
    }
}

/// The fence as a caller gives it: all of it, none of it, or (a mistake) a
/// part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FenceTriple {
    /// The lease.
    pub lease_id: Option<LeaseId>,
    /// Its epoch.
    pub lease_epoch: Option<LeaseEpoch>,
    /// The attempt it drives.
    pub attempt_id: Option<AttemptId>,
}

impl From<LeaseFence> for FenceTriple {
    fn from(fence: LeaseFence) -> Self {
        Self {
            lease_id: Some(fence.lease_id),
            lease_epoch: Some(fence.lease_epoch),
            attempt_id: Some(fence.attempt_id),
        }
    }
}

impl FenceTriple {
    /// No fence.
    pub const NONE: Self = Self { lease_id: None, lease_epoch: None, attempt_id: None };

    /// The whole triple, nothing, or the refusal of a part.
    ///
    /// # Errors
    ///
    /// `partial_fence_triple`.
    pub fn shape(&self) -> Result<Option<LeaseFence>, EngineError> {
        match (self.lease_id, self.lease_epoch, self.attempt_id) {
            (Some(lease_id), Some(lease_epoch), Some(attempt_id)) => {
                Ok(Some(LeaseFence { lease_id, lease_epoch, attempt_id }))
            }
            (None, None, None) => Ok(None),
            _ => Err(EngineError::validation(
                ValidationKind::PartialFenceTriple,
                "lease_id, lease_epoch and attempt_id go together",
            )),
        }
    }
}

/// Who may act without a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Override {
    /// An operator may; the stored fence is used instead.
    Operator,
    /// Nobody.
    Nobody,
}

/// What is done about a lapsed lease that is met on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnLapse {
    /// Mark it, although the call fails.
    Mark,
    /// Only fail.
    Report,
}

/// A holder that proved its lease.
pub(super) struct Held {
    /// The execution, ready to be changed.
    pub execution: Arc<Execution>,
    /// Its live lease.
    pub lease: Lease,
}

/// The validation sequence of every write under a lease.
pub(super) fn validate(
    view: &mut View<'_>,
    context: &Context,
    id: ExecutionId,
    fence: &FenceTriple,
    source: &Source,
    may_override: Override,
    on_lapse: OnLapse,
) -> Result<Held, Rejection> {
    validate_indexed(view, context, id, fence, None, source, may_override, on_lapse)
}

/// As [`validate`], comparing the attempt index before the fence.
#[expect(clippy::too_many_arguments, reason = "the validation sequence has that many independent inputs")]
pub(super) fn validate_indexed(
    view: &mut View<'_>,
    context: &Context,
    id: ExecutionId,
    fence: &FenceTriple,
    attempt_index: Option<AttemptIndex>,
    source: &Source,
    may_override: Override,
    on_lapse: OnLapse,
) -> Result<Held, Rejection> {
    let execution = view.execution(id)?;
    let fence = match fence.shape()? {
        Some(fence) => Some(fence),
        None if may_override == Override::Operator && *source == Source::OperatorOverride => None,
        None => {
            return Err(EngineError::validation(
                ValidationKind::FenceRequired,
                "only an operator acts without a fence",
            )
            .into());
        }
    };
    if !execution.vector().is_active() {
        return Err(not_active(&execution).into());
    }
    if execution.vector().ownership_state() == OwnershipState::LeaseRevoked || execution.lease_revoked_at.is_some() {
        return Err(StateKind::LeaseRevoked.into());
    }
    let Some(lease) = execution.lease.clone() else {
        return Err(EngineError::corruption("execution", "lease", "missing on an active execution").into());
    };
    if execution.vector().ownership_state() == OwnershipState::LeaseExpiredReclaimable {
        return Err(StateKind::LeaseExpired.into());
    }
    if !context.lease_is_live(&lease) {
        if on_lapse == OnLapse::Report {
            return Err(StateKind::LeaseExpired.into());
        }
        leasing::mark_expired(view, &execution, context.now);
        return Err(Rejection::keeping(StateKind::LeaseExpired));
    }
    if attempt_index.is_some_and(|index| index != execution.current_attempt_index()) {
        return Err(StateKind::StaleLease.into());
    }
    if fence.is_some_and(|fence| fence != lease.fence()) {
        return Err(StateKind::StaleLease.into());
    }
    Ok(Held { execution, lease })
}

/// What a caller learns of an execution that is not active.
pub(super) fn not_active(execution: &Execution) -> EngineError {
    ContentionKind::ExecutionNotActive(Box::new(NotActive {
        terminal_outcome: execution.vector().terminal_outcome(),
        lease_epoch: execution.lease_epoch,
        lifecycle_phase: execution.vector().lifecycle_phase(),
        attempt_id: execution.current_attempt_id(),
    }))
    .into()
}

/// Whether a fence is the one under which the execution ended, so that a
/// repeat of the ending call is recognised.
pub(super) fn ended_under(execution: &Execution, fence: &FenceTriple) -> bool {
    let Ok(Some(fence)) = fence.shape() else { return false };
    execution.vector().is_terminal()
        && fence.lease_epoch == execution.lease_epoch
        && Some(fence.attempt_id) == execution.current_attempt_id()
}
