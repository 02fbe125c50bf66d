//! `cancel_flow`, `cancel_flow_header` and `ack_cancel_member`: no further
//! member or dependency joins, and the members that the policy selects end
//! cancelled.
//!
//! Which members are selected is settled when the flow is cancelled. The list
//! is a record, worked off in bounded turns; a selected member that moves
//! before its turn comes is cancelled before it moves. A flow that is still
//! being built is cancelled as a whole, whatever the policy.

use super::cascade::{Cascade, members_at};
use super::view::{FlowView, Halt};
use super::{DecideFlow, On};
use crate::command::text;
use crate::error::{EngineError, ValidationKind};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::{CancellationPolicy, FlowCancellation, FlowKey, Ordinals, PendingCancels};
use crate::state::{LifecyclePhase, StateVector};
use crate::time::TimestampMs;
use crate::view::Need;

/// How long others may take to end the members of a flow cancelled by
/// `cancel_flow_header` before the engine does.
pub const CANCEL_GRACE_MS: u64 = 30_000;

/// The longest grace that every store and client can carry exactly.
pub const GRACE_MS_MAX: u64 = (1 << 53) - 1;

/// How many members a repeated cancellation names at most.
pub const ALREADY_TERMINAL_MEMBER_CAP: usize = 1000;

/// How long an indefinite wait lasts.
pub const CANCEL_WAIT_MS_MAX: u64 = 300_000;

/// Arguments of `cancel_flow_header`. Refused, in this order, with
/// `invalid_input` (reason), `invalid_grace_ms` and `flow_not_found`.
#[derive(Clone, Debug)]
pub struct CancelFlowHeader {
    /// Which flow.
    pub flow_id: FlowId,
    /// For people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub reason: String,
    /// Whom it ends; all, where the flow is not sealed.
    pub cancellation_policy: CancellationPolicy,
    /// When the engine ends members by itself; usually [`CANCEL_GRACE_MS`].
    pub grace_ms: u64,
}

/// Arguments of `cancel_flow`. Refused, in this order, with `invalid_input`
/// (reason) and `flow_not_found`.
#[derive(Clone, Debug)]
pub struct CancelFlow {
    /// Which flow.
    pub flow_id: FlowId,
    /// For people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub reason: String,
    /// Whom it ends; all, where the flow is not sealed.
    pub cancellation_policy: CancellationPolicy,
}

/// Answer of `cancel_flow_header` and of the step behind `cancel_flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelHeaderOutcome {
    /// The flow is cancelled now.
    Cancelled {
        /// Whom it ends.
        cancellation_policy: CancellationPolicy,
        /// All members, in the order in which they joined.
        members: Vec<ExecutionId>,
        /// Those the policy selects, in the same order.
        selected: Vec<ExecutionId>,
    },
    /// It was cancelled before, and stays cancelled as it was.
    AlreadyTerminal {
        /// Whom that cancellation ends.
        stored_cancellation_policy: Option<CancellationPolicy>,
        /// Why it was cancelled.
        stored_cancel_reason: Option<String>,
        /// Members, at most [`ALREADY_TERMINAL_MEMBER_CAP`].
        members: Vec<ExecutionId>,
    },
}

const fn selects(policy: CancellationPolicy, vector: &StateVector) -> bool {
    match policy {
        CancellationPolicy::CancelAll => !vector.is_terminal(),
        CancellationPolicy::CancelPending => {
            matches!(vector.lifecycle_phase(), LifecyclePhase::Submitted | LifecyclePhase::Runnable)
        }
        CancellationPolicy::FlowOnly => false,
    }
}

fn cancel(
    view: &mut FlowView<'_>,
    flow_id: FlowId,
    reason: &str,
    policy: CancellationPolicy,
    now: TimestampMs,
    due_at: TimestampMs,
) -> Result<CancelHeaderOutcome, Halt> {
    let flow = view.flow(flow_id)?;
    if let Some(stored) = &flow.cancelled {
        let named = flow.node_count.min(ALREADY_TERMINAL_MEMBER_CAP as u32);
        return Ok(CancelHeaderOutcome::AlreadyTerminal {
            stored_cancellation_policy: Some(stored.policy),
            stored_cancel_reason: Some(stored.reason.clone()),
            members: members_at(view, flow_id, &(0..named).collect::<Vec<_>>())?,
        });
    }
    // Nobody but the sealing lets members of an unsealed flow go, so they end
    // with it whatever the policy.
    let policy = if flow.sealed { policy } else { CancellationPolicy::CancelAll };
    let members = members_at(view, flow_id, &(0..flow.node_count).collect::<Vec<_>>())?;
    let mut selected = Vec::new();
    let mut ordinals = Ordinals::default();
    if policy != CancellationPolicy::FlowOnly {
        view.need(members.iter().map(|id| Need::execution(*id)))?;
        for (ordinal, id) in members.iter().enumerate() {
            if view.find_execution(*id)?.is_some_and(|execution| selects(policy, execution.vector())) {
                ordinals.insert(ordinal as u32);
                selected.push(*id);
            }
        }
    }
    let mut next = (*flow).clone();
    next.cancelled = Some(FlowCancellation { at: now, reason: reason.to_owned(), policy });
    next.last_mutation_at = now;
    view.put(next);
    if !flow.sealed && view.find_build(FlowKey::Build(flow_id))?.is_some() {
        view.delete(FlowKey::Build(flow_id));
    }
    if !selected.is_empty() {
        view.put(PendingCancels { flow_id, members: ordinals, due_at });
        let mut summary = (*view.summary(flow_id)?).clone();
        summary.cancels_pending = true;
        summary.last_summary_update_at = now;
        view.put(summary);
    }
    Ok(CancelHeaderOutcome::Cancelled { cancellation_policy: policy, members, selected })
}

/// Cancels a flow whose building was not finished in time.
pub(super) fn give_up(view: &mut FlowView<'_>, flow_id: FlowId, now: TimestampMs) -> Result<(), Halt> {
    cancel(view, flow_id, "not_sealed", CancellationPolicy::CancelAll, now, now).map(drop)
}

impl DecideFlow for CancelFlowHeader {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<CancelHeaderOutcome, Halt> {
        text::reason("reason", &self.reason)?;
        if self.grace_ms > GRACE_MS_MAX {
            return Err(EngineError::validation(
                ValidationKind::InvalidGraceMs,
                format!("{} ms, at most {GRACE_MS_MAX}", self.grace_ms),
            )
            .into());
        }
        let now = on.context.now;
        cancel(view, self.flow_id, &self.reason, self.cancellation_policy, now, now.plus(self.grace_ms))
    }
}

impl DecideFlow for CancelFlow {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<CancelHeaderOutcome, Halt> {
        text::reason("reason", &self.reason)?;
        let now = on.context.now;
        let outcome = cancel(view, self.flow_id, &self.reason, self.cancellation_policy, now, now)?;
        Cascade::open(view, on.context, on.limits, self.flow_id, Vec::new())?.run()?;
        Ok(outcome)
    }
}

/// Arguments of `ack_cancel_member`: somebody ended a member, or found that
/// there is nothing to end. A member that has not ended stays selected all the
/// same. Never refused.
#[derive(Clone, Debug)]
pub struct AckCancelMember {
    /// Which flow.
    pub flow_id: FlowId,
    /// Which member.
    pub execution_id: ExecutionId,
}

impl DecideFlow for AckCancelMember {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<(), Halt> {
        if view.find_flow(FlowKey::Flow(self.flow_id))?.is_some()
            && let Some(member) = view.find_member(self.flow_id, self.execution_id)?
            // Joins pass over members that are about to be cancelled, so one
            // that left the list alive would wait for ever or go on in a
            // cancelled flow.
            && view.find_execution(self.execution_id)?.is_none_or(|execution| execution.vector().is_terminal())
        {
            let mut cascade = Cascade::open(view, on.context, on.limits, self.flow_id, Vec::new())?;
            cascade.acknowledge(member.ordinal);
            cascade.close()?;
        }
        Ok(())
    }
}

/// How long a caller of `cancel_flow` wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelWait {
    /// Not at all.
    NoWait,
    /// At most so many milliseconds.
    Timeout(u64),
    /// As long as it takes, up to [`CANCEL_WAIT_MS_MAX`].
    Indefinite,
}

impl CancelWait {
    /// After how long the wait is over; none when there is none.
    pub const fn deadline_ms(self) -> Option<u64> {
        match self {
            Self::NoWait => None,
            Self::Timeout(ms) => Some(ms),
            Self::Indefinite => Some(CANCEL_WAIT_MS_MAX),
        }
    }
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelWaited {
    /// Nobody waited.
    NotAtAll,
    /// Every selected member has ended; these could not be cancelled.
    Settled {
        /// In any order.
        failed: Vec<ExecutionId>,
    },
    /// Time was up first.
    Overran,
}

/// Answer of `cancel_flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelFlowOutcome {
    /// Nothing is left to do.
    Cancelled {
        /// Whom the flow's cancellation ends.
        cancellation_policy: CancellationPolicy,
        /// Members.
        members: Vec<ExecutionId>,
    },
    /// Members are being ended.
    CancellationScheduled {
        /// Whom the flow's cancellation ends.
        cancellation_policy: CancellationPolicy,
        /// How many members.
        member_count: u32,
        /// Members.
        members: Vec<ExecutionId>,
    },
    /// Some could not be ended.
    PartiallyCancelled {
        /// Whom the flow's cancellation ends.
        cancellation_policy: CancellationPolicy,
        /// Members.
        members: Vec<ExecutionId>,
        /// Those, in the order of the members.
        failed_members: Vec<ExecutionId>,
    },
}

/// What a caller of `cancel_flow` is told, once it has waited.
///
/// # Errors
///
/// `timeout` when the wait ended first. The cancellation stands all the same.
pub fn cancel_flow_outcome(
    requested: CancellationPolicy,
    header: CancelHeaderOutcome,
    wait: CancelWait,
    waited: CancelWaited,
) -> Result<CancelFlowOutcome, EngineError> {
    let (cancellation_policy, members, selected) = match header {
        CancelHeaderOutcome::AlreadyTerminal { stored_cancellation_policy, members, .. } => {
            let cancellation_policy = stored_cancellation_policy.unwrap_or(requested);
            return Ok(CancelFlowOutcome::Cancelled { cancellation_policy, members });
        }
        CancelHeaderOutcome::Cancelled { cancellation_policy, members, selected } => {
            (cancellation_policy, members, selected)
        }
    };
    if selected.is_empty() {
        return Ok(CancelFlowOutcome::Cancelled { cancellation_policy, members });
    }
    match waited {
        CancelWaited::NotAtAll => {
            let member_count = members.len() as u32;
            Ok(CancelFlowOutcome::CancellationScheduled { cancellation_policy, member_count, members })
        }
        CancelWaited::Settled { failed } if failed.is_empty() => {
            Ok(CancelFlowOutcome::Cancelled { cancellation_policy, members })
        }
        CancelWaited::Settled { failed } => {
            let failed_members = members.iter().filter(|id| failed.contains(id)).copied().collect();
            Ok(CancelFlowOutcome::PartiallyCancelled { cancellation_policy, members, failed_members })
        }
        CancelWaited::Overran => {
            Err(EngineError::Timeout { op: "cancel_flow", elapsed_ms: wait.deadline_ms().unwrap_or(0) })
        }
    }
}
