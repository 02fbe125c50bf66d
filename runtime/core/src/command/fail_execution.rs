//! `fail_execution`: end the attempt in failure; retry later or end the
//! execution.

use super::complete_execution::check_index;
use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::{Decide, leasing, text};
use crate::backoff::{self, FailureClass};
use crate::decision::{Context, Rejection};
use crate::error::EngineError;
use crate::ids::{AttemptIndex, ExecutionId};
use crate::policy::RetryPolicy;
use crate::record::{Execution, Pending};
use crate::state::{AttemptLifecycle, AttemptState, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `fail_execution`.
#[derive(Clone, Debug)]
pub struct FailExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease; an operator may do without.
    pub fence: FenceTriple,
    /// The attempt that ends, if the caller names it.
    pub attempt_index: Option<AttemptIndex>,
    /// For people; at most [`text::REASON_BYTES_MAX`] bytes.
    pub failure_reason: String,
    /// For the retry rule; at most 256 bytes.
    pub failure_category: String,
    /// What kind of failure, where the caller knows.
    pub failure_class: Option<FailureClass>,
    /// Overrides the stored retry policy; empty does not.
    pub retry_policy_json: Option<String>,
    /// Who asks.
    pub source: Source,
}

/// Answer of `fail_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOutcome {
    /// Another attempt follows.
    RetryScheduled {
        /// Not before this time.
        delay_until: TimestampMs,
        /// The index it will have.
        next_attempt_index: AttemptIndex,
    },
    /// The execution failed for good.
    TerminalFailed,
}

impl FailExecution {
    fn repeat(&self, execution: &Execution) -> Option<FailOutcome> {
        if execution.vector().terminal_outcome() == TerminalOutcome::Failed
            && fencing::ended_under(execution, &self.fence)
        {
            return Some(FailOutcome::TerminalFailed);
        }
        let Some(Pending::Retry { lease_epoch, attempt_id, .. }) = &execution.pending else {
            return None;
        };
        let Ok(Some(fence)) = self.fence.shape() else { return None };
        (execution.vector().attempt_state() == AttemptState::PendingRetryAttempt
            && fence.lease_epoch == *lease_epoch
            && fence.attempt_id == *attempt_id)
            .then(|| FailOutcome::RetryScheduled {
                delay_until: execution.delay_until.unwrap_or(execution.last_transition_at),
                next_attempt_index: AttemptIndex(execution.total_attempt_count),
            })
    }

    fn validate(&self) -> Result<(), EngineError> {
        text::reason("failure_reason", &self.failure_reason)?;
        text::label("failure_category", &self.failure_category)
    }
}

impl Decide for FailExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<FailOutcome, Rejection> {
        self.validate()?;
        if let Some(outcome) = view.find_execution(self.execution_id).and_then(|execution| self.repeat(&execution)) {
            return Ok(outcome);
        }
        let held = fencing::validate(
            view,
            context,
            self.execution_id,
            &self.fence,
            &self.source,
            Override::Operator,
            OnLapse::Mark,
        )?;
        check_index(&held.execution, self.attempt_index)?;
        let now = context.now;
        let mut next = (*held.execution).clone();
        let given =
            self.retry_policy_json.as_deref().filter(|json| !json.is_empty()).map(RetryPolicy::from_json_lenient);
        let stored = next.spec.policy.as_ref().and_then(|policy| policy.retry_policy.clone());
        let policy = given.or(stored);
        let retries = next.retry_count;
        leasing::end_attempt(
            &mut next,
            AttemptLifecycle::EndedFailure,
            Some(&self.failure_reason),
            Some(&self.failure_category),
            now,
        );
        next.failure_reason = Some(self.failure_reason.clone());
        let retry = policy
            .filter(|policy| backoff::should_retry(Some(policy), retries, self.failure_class, &self.failure_category));
        let outcome = if let Some(policy) = retry {
            let delay_until = now.plus(backoff::delay_ms(&policy.backoff, retries, context.random));
            leasing::release(view, &mut next, "failed_retry_scheduled", now);
            next.retry_count += 1;
            next.pending = Some(Pending::Retry {
                reason: self.failure_reason.clone(),
                previous_attempt_index: next.current_attempt_index(),
                lease_epoch: held.lease.lease_epoch,
                attempt_id: held.lease.attempt_id,
            });
            next.delay_until = Some(delay_until);
            next.attempt_timeout = None;
            let vector = next.vector().retry_scheduled();
            next.transition(vector, now);
            FailOutcome::RetryScheduled { delay_until, next_attempt_index: AttemptIndex(next.total_attempt_count) }
        } else {
            leasing::release(view, &mut next, "failed_terminal", now);
            leasing::terminate(view, &mut next, TerminalOutcome::Failed, false, now);
            FailOutcome::TerminalFailed
        };
        view.put_execution(Arc::new(next));
        Ok(outcome)
    }
}
