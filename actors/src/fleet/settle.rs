//! A handler's last word to the engine.
//!
//! It is said again while the engine cannot tell whether it was heard, until
//! the lease has lapsed. The engine recognises a repeat, so that it is never
//! carried out twice.

use super::HandlerOutcome;
use super::lease::{Lease, means_lost};
use super::pool::Pool;
use bytes::Bytes;
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::{
    CancelExecution, Command, CommandSource, CompleteExecution, Delay, FailExecution, KIND_BYTES_MAX, Operation,
    REASON_BYTES_MAX,
};
use leasehold_core::error::{ContentionKind, EngineError};
use leasehold_core::time::TimestampMs;
use std::time::Duration;

/// The category of an attempt whose handler panicked.
pub const CATEGORY_PANIC: &str = "handler_panic";

/// The category of an attempt whose handler's result the engine refuses.
pub const CATEGORY_RESULT: &str = "handler_result";

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
            Self::Cancel(reason) => {
                CancelExecution { execution_id, reason: reason.clone(), source, fence }.into_command()
            }
        }
    }
}

/// Tells the engine, and returns when it has answered or the lease is gone.
pub(super) async fn settle(pool: &Pool, lease: &Lease, verdict: Verdict) {
    let mut verdict = verdict;
    let mut pause = PAUSE_MIN;
    let mut last = lease.is_lost();
    loop {
        let Err(error) = pool.engine.router().submit_command(verdict.command(pool, lease), false).await else {
            if matches!(verdict, Verdict::GiveBack) {
                pool.gave_back();
            }
            return;
        };
        let id = lease.claimed.execution_id;
        if means_lost(&error) {
            lease.learn(&error);
            tracing::debug!(execution = %id, %error, "a handler ended after its lease had");
            return;
        }
        if matches!(error, EngineError::Validation { .. }) && !matches!(verdict, Verdict::Fail { .. }) {
            // The handler said what the engine never takes; hearing it again
            // changes nothing, and saying nothing would hold the lease.
            let reason = cut(error.to_string(), REASON_BYTES_MAX);
            verdict = Verdict::Fail { reason, category: CATEGORY_RESULT.to_owned(), class: FailureClass::Permanent };
            continue;
        }
        if !may_be_repeated(&error) || last || pool.is_over() {
            tracing::warn!(execution = %id, %error, "how an attempt ended could not be told; its lease lapses");
            return;
        }
        tracing::debug!(execution = %id, %error, "how an attempt ended is told again");
        let hint = error.retry_after_ms().map_or(Duration::ZERO, Duration::from_millis);
        let spread = pause.mul_f64(0.5 + pool.engine.env().entropy.unit() / 2.0);
        pool.sleep(spread.max(hint.min(PAUSE_MAX))).await;
        pause = (pause * 2).min(PAUSE_MAX);
        // Once more after the lease is gone: if an earlier try was carried
        // out, that is what ended the lease, and this one is recognised.
        last = lease.is_lost() || pool.now() >= lease.expires_at();
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
