//! Keeping an execution back because of its dependencies, and letting it go.

use super::view::FlowView;
use crate::decision::Context;
use crate::record::Execution;
use crate::record::flow::Beneath;
use crate::state::{BlockedBy, BlockingReason, DelayReason, EligibilityState, Park};
use std::sync::Arc;

/// Makes a runnable execution wait for its dependencies. Gives what kept it
/// back before and must do so again.
pub(super) fn block(
    view: &mut FlowView<'_>,
    execution: &Execution,
    detail: String,
    context: &Context,
) -> Option<Beneath> {
    let vector = execution.vector();
    let beneath = match (vector.eligibility_state(), execution.delay_until) {
        (EligibilityState::NotEligibleUntilTime, Some(at)) => Some(match vector.blocking_reason() {
            BlockingReason::WaitingForRetryBackoff => Beneath::RetryBackoff(at),
            BlockingReason::WaitingForResumeDelay => Beneath::ResumeDelay(at),
            _ => Beneath::Delay(at),
        }),
        (EligibilityState::BlockedByOperator, _) => Some(Beneath::Hold(execution.blocking_detail.clone())),
        _ => None,
    };
    let mut next = execution.clone();
    next.grant = None;
    next.delay_until = None;
    next.blocked_at = execution
        .blocked_at
        .filter(|_| vector.eligibility_state() == EligibilityState::BlockedByDependencies)
        .or(Some(context.now));
    next.blocking_detail = Some(detail);
    let vector = next.vector().parked(Park::Blocked(BlockedBy::Dependencies));
    next.transition(vector, context.now);
    view.view.put_execution(Arc::new(next));
    beneath
}

/// Lets an execution that waits for its dependencies go: into the queue, or
/// back to what kept it back before.
pub(super) fn unblock(view: &mut FlowView<'_>, execution: &Execution, beneath: Option<Beneath>, context: &Context) {
    let waits = execution.vector().eligibility_state() == EligibilityState::BlockedByDependencies;
    if !(execution.vector().is_runnable() && waits) {
        return;
    }
    let mut next = execution.clone();
    next.blocked_at = None;
    next.blocking_detail = None;
    let later = |at| (at > context.now).then_some(at);
    let (until, reason) = match &beneath {
        Some(Beneath::Delay(at)) => (later(*at), DelayReason::Requested),
        Some(Beneath::RetryBackoff(at)) => (later(*at), DelayReason::RetryBackoff),
        Some(Beneath::ResumeDelay(at)) => (later(*at), DelayReason::ResumeDelay),
        Some(Beneath::Hold(_)) | None => (None, DelayReason::Requested),
    };
    next.delay_until = until;
    let park = match beneath {
        Some(Beneath::Hold(detail)) => {
            next.blocked_at = Some(context.now);
            next.blocking_detail = detail;
            Park::Blocked(BlockedBy::Operator)
        }
        _ if until.is_some() => Park::Until(reason),
        _ => Park::Eligible,
    };
    let vector = next.vector().parked(park);
    next.transition(vector, context.now);
    view.view.put_execution(Arc::new(next));
}
