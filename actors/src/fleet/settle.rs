//! A handler's word to the engine that ends its run.
//!
//! It is said again while the engine cannot tell whether it was heard, until
//! the lease has lapsed. The engine recognises a repeat, so that it is never
//! carried out twice.

use super::HandlerOutcome;
use super::lease::{Lease, means_lost};
use super::pool::Pool;
use bytes::Bytes;
use leasehold_contract::{EngineResult, SuspendArgs};
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::{
    CancelExecution, Command, CommandSource, CompleteExecution, Delay, FailExecution, KIND_BYTES_MAX, Operation,
    REASON_BYTES_MAX, Reply, Suspend,
};
use leasehold_core::error::{BugKind, ContentionKind, EngineError};
use leasehold_core::record::SuspendOutcome;
use leasehold_core::time::TimestampMs;
use std::time::Duration;

/// The category of an attempt whose handler panicked.
pub const CATEGORY_PANIC: &str = "handler_panic";

/// The category of an attempt whose handler's result the engine refuses.
pub const CATEGORY_RESULT: &str = "handler_result";

/// The category of an attempt whose suspension the engine refuses.
pub const CATEGORY_SUSPEND: &str = "handler_suspend";

/// The pause before a word is said again, doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the engine is to be told.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It ended well.
    Complete(Option<Bytes>),
    /// It failed.
    Fail {
        /// For people.
        reason: String,
        /// For the retry policy.
        category: String,
        /// What kind of failure.
        class: FailureClass,
    },
    /// It goes on later.
    Delay(TimestampMs),
    /// It goes on when a condition is met.
    Suspend(Box<SuspendArgs>),
    /// It is to end as cancelled.
    Cancel(String),
    /// It was never started, or its future was dropped: whoever comes next
    /// goes on with it at once.
    GiveBack,
}

impl Verdict {
    /// What a handler says, cut to what the engine takes.
    pub(super) fn of(outcome: HandlerOutcome) -> Self {
        match outcome {
            HandlerOutcome::Complete(result) => Self::Complete(result),
            HandlerOutcome::Fail { reason, category, class } => {
                Self::Fail { reason: cut(reason, REASON_BYTES_MAX), category: cut(category, KIND_BYTES_MAX), class }
            }
            HandlerOutcome::Delay(until) => Self::Delay(until),
            HandlerOutcome::Suspend(args) => Self::Suspend(args),
            HandlerOutcome::Cancel(reason) => Self::Cancel(cut(reason, REASON_BYTES_MAX)),
        }
    }

    /// A panic.
    pub(super) fn panicked(message: &str) -> Self {
        Self::Fail {
            reason: cut(message.to_owned(), REASON_BYTES_MAX),
            category: CATEGORY_PANIC.to_owned(),
            class: FailureClass::Transient,
        }
    }

    fn command(&self, pool: &Pool, lease: &Lease) -> Command {
        let claimed = &lease.claimed;
        let (execution_id, fence) = (claimed.execution_id, claimed.fence().into());
        let attempt_index = Some(claimed.attempt_index);
        let source = CommandSource::LeaseHolder;
        match self {
            Self::Complete(result) => CompleteExecution {
                execution_id,
                fence,
                attempt_index,
                result_payload: result.clone(),
                result_encoding: None,
                source,
            }
            .into_command(),
            Self::Fail { reason, category, class } => FailExecution {
                execution_id,
                fence,
                attempt_index,
                failure_reason: reason.clone(),
                failure_category: category.clone(),
                failure_class: Some(*class),
                retry_policy_json: None,
                source,
            }
            .into_command(),
            Self::Delay(until) => Delay { execution_id, fence, source, delay_until: *until }.into_command(),
            Self::GiveBack => Delay { execution_id, fence, source, delay_until: pool.now() }.into_command(),
            Self::Suspend(args) => {
                let of_handle = Some((claimed.kind, claimed.attempt_index));
                args.as_ref().clone().into_command(execution_id, fence, of_handle).into_command()
            }
            Self::Cancel(reason) => {
                CancelExecution { execution_id, reason: reason.clone(), source, fence }.into_command()
            }
        }
    }
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The lease has ended, or is left to lapse.
    Ended,
    /// The lease is kept: what was to be waited for is there.
    Satisfied,
}

/// Says something to the engine, until it has answered or the lease is gone.
/// `minted`: its ids were minted for this call.
pub(super) async fn tell(pool: &Pool, lease: &Lease, verdict: &Verdict, minted: bool) -> EngineResult<Reply> {
    let mut pause = PAUSE_MIN;
    let mut last = lease.is_lost();
    let mut minted = minted;
    loop {
        let error = match pool.engine.router().submit_command(verdict.command(pool, lease), minted).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        // What was said before may have been carried out.
        minted = false;
        lease.learn(&error);
        if !may_be_repeated(&error) || last || pool.is_over() {
            return Err(error);
        }
        tracing::debug!(execution = %lease.claimed.execution_id, %error, "a handler's word is said again");
        let hint = error.retry_after_ms().map_or(Duration::ZERO, Duration::from_millis);
        let spread = pause.mul_f64(0.5 + pool.engine.env().entropy.unit() / 2.0);
        pool.sleep(spread.max(hint.min(PAUSE_MAX))).await;
        pause = (pause * 2).min(PAUSE_MAX);
        // Once more after the lease is gone: if an earlier try was carried
        // out, that is what ended the lease, and this one is recognised.
        last = lease.is_lost() || pool.now() >= lease.expires_at();
    }
}

/// Tells the engine how a run ended.
pub(super) async fn settle(pool: &Pool, lease: &Lease, verdict: Verdict) -> Settled {
    let mut verdict = verdict;
    loop {
        let error = match tell(pool, lease, &verdict, false).await {
            Ok(reply) => match &verdict {
                Verdict::GiveBack => {
                    pool.gave_back();
                    return Settled::Ended;
                }
                Verdict::Suspend(_) => match suspend_outcome(reply) {
                    Ok(SuspendOutcome::AlreadySatisfied { .. }) => return Settled::Satisfied,
                    Ok(SuspendOutcome::Suspended { .. }) => return Settled::Ended,
                    Err(error) => error,
                },
                _ => return Settled::Ended,
            },
            Err(error) => error,
        };
        let id = lease.claimed.execution_id;
        if means_lost(&error) {
            tracing::debug!(execution = %id, %error, "a handler ended after its lease had");
            return Settled::Ended;
        }
        let category = match &verdict {
            Verdict::Suspend(_) if !may_be_repeated(&error) => CATEGORY_SUSPEND,
            Verdict::Fail { .. } | Verdict::Suspend(_) => "",
            _ if matches!(error, EngineError::Validation { .. }) => CATEGORY_RESULT,
            _ => "",
        };
        if category.is_empty() {
            tracing::warn!(execution = %id, %error, "how an attempt ended could not be told; its lease lapses");
            return Settled::Ended;
        }
        // The handler said what the engine never takes; hearing it again
        // changes nothing, and saying nothing would hold the lease.
        let reason = cut(error.to_string(), REASON_BYTES_MAX);
        verdict = Verdict::Fail { reason, category: category.to_owned(), class: FailureClass::Permanent };
    }
}

/// The answer of a suspend.
pub(super) fn suspend_outcome(reply: Reply) -> EngineResult<SuspendOutcome> {
    match Suspend::outcome(reply) {
        Ok(outcome) => Ok(*outcome),
        Err(_) => Err(EngineError::bug(BugKind::Panic, "a reply of another operation")),
    }
}

fn may_be_repeated(error: &EngineError) -> bool {
    match error.root() {
        EngineError::Contention { kind } => matches!(kind, ContentionKind::RetryExhausted),
        other => other.is_retryable(),
    }
}

/// At most so many bytes of a text, without NUL, which stores cannot keep.
fn cut(text: String, bytes_max: usize) -> String {
    let mut text = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_freed_of_nul() {
        assert_eq!(cut("añb".to_owned(), 2), "a");
        assert_eq!(cut("añb".to_owned(), 3), "añ");
        assert_eq!(cut("a\0b".to_owned(), 9), "a\u{fffd}b");
    }

    #[test]
    fn only_errors_of_the_machinery_are_worth_a_repeat() {
        assert!(may_be_repeated(&EngineError::OutcomeUnknown { op: "complete_execution" }));
        assert!(may_be_repeated(&EngineError::PartitionUnavailable { partition: 1, retry_after_ms: 1 }));
        assert!(!may_be_repeated(&EngineError::Contention { kind: ContentionKind::LeaseConflict }));
    }
}
