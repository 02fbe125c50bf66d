//! Completing and failing.

use crate::fixture::{START, TTL_MS, World, holder, operator, refused};
use crate::situation::{BACKOFF_MS, Situation as S, Staged, complete_args, fail_args};
use bytes::Bytes;
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::{
    FailOutcome, FenceTriple, KIND_BYTES_MAX, PAYLOAD_BYTES_MAX, PromoteDelayed, REASON_BYTES_MAX,
};
use leasehold_core::ids::AttemptIndex;
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::{BlobKey, BlobKind, INLINE_RESULT_BYTES_MAX, ResultRef};
use leasehold_core::state::{AttemptLifecycle, BlockingReason, PublicState};

#[test]
fn completion_ends_everything_at_once() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let done = world.run(complete_args(id, fence)).unwrap();
    assert_eq!((done.execution_id, done.public_state), (id, PublicState::Completed));
    assert_eq!(world.told(), ["released: completed", "completed: success"]);
    let execution = world.execution(id);
    assert_eq!(execution.completed_at, Some(world.now));
    assert_eq!(execution.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedSuccess);
    assert_eq!(execution.current_attempt_id(), fence.attempt_id);
    assert_eq!(Some(execution.lease_epoch), fence.lease_epoch);
    let entries = index_entries(&execution);
    assert_eq!(entries.queue, Queue::Terminal { completed_at: world.now });
    assert_eq!((entries.due_at, entries.held_by), (None, None));
}

#[test]
fn a_repeat_under_the_same_fence_is_recognised_and_told_once() {
    let Staged { mut world, id, fence } = S::Completed.stage();
    assert!(world.run(complete_args(id, fence)).is_ok());
    assert!(world.last.is_empty());
    let other_attempt = FenceTriple { attempt_id: Some(world.attempt_id()), ..fence };
    refused(world.run(complete_args(id, other_attempt)), "execution_not_active");
    refused(world.run(fail_args(id, fence)), "execution_not_active");
    let mut part = complete_args(id, FenceTriple { lease_id: None, ..fence });
    refused(world.run(part.clone()), "partial_fence_triple");
    part.fence = FenceTriple::NONE;
    part.source = operator();
    refused(world.run(part), "execution_not_active");
}

#[test]
fn results_are_absent_empty_inline_or_beside_the_record() {
    for (bytes, stored) in [
        (None, None),
        (Some(0), Some(ResultRef::Inline(Vec::new()))),
        (Some(INLINE_RESULT_BYTES_MAX), Some(ResultRef::Inline(vec![7; INLINE_RESULT_BYTES_MAX]))),
        (Some(INLINE_RESULT_BYTES_MAX + 1), Some(ResultRef::Stored(257))),
        (Some(PAYLOAD_BYTES_MAX), Some(ResultRef::Stored(1 << 20))),
    ] {
        let Staged { mut world, id, fence } = S::Leased.stage();
        let mut args = complete_args(id, fence);
        args.result_payload = bytes.map(|bytes| Bytes::from(vec![7; bytes]));
        args.result_encoding = Some("raw".into());
        world.run(args).unwrap();
        assert_eq!(world.execution(id).result, stored);
        assert_eq!(world.execution(id).result_encoding.as_deref(), Some("raw"));
        let blob = world.blobs.get(&BlobKey { execution: id.uuid(), kind: BlobKind::Result });
        let beside = matches!(stored, Some(ResultRef::Stored(_)));
        assert_eq!(blob.map(Bytes::len), bytes.filter(|_| beside));
    }
}

#[test]
fn a_result_over_the_limit_is_refused_first_of_all() {
    let Staged { mut world, id, .. } = S::Missing.stage();
    let mut args = complete_args(id, FenceTriple::NONE);
    args.result_payload = Some(vec![0; PAYLOAD_BYTES_MAX + 1].into());
    refused(world.run(args), "payload_too_large");
    let mut args = complete_args(id, FenceTriple::NONE);
    args.result_encoding = Some("e".repeat(KIND_BYTES_MAX + 1));
    refused(world.run(args), "invalid_input");
}

#[test]
fn a_failure_with_retries_left_is_delayed_by_the_backoff() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let delay_until = world.now.plus(BACKOFF_MS);
    let expected = FailOutcome::RetryScheduled { delay_until, next_attempt_index: AttemptIndex(1) };
    assert_eq!(world.run(fail_args(id, fence)).unwrap(), expected);
    assert_eq!(world.told(), ["released: failed_retry_scheduled"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().blocking_reason(), BlockingReason::WaitingForRetryBackoff);
    assert_eq!((execution.retry_count, execution.current_attempt_id()), (1, None));
    assert_eq!(execution.current_attempt_index(), AttemptIndex(0));
    assert_eq!(execution.failure_reason.as_deref(), Some("it broke"));
    let attempt = execution.attempt.as_ref().unwrap();
    assert_eq!(attempt.failure_category.as_deref(), Some("transient"));
    let entries = index_entries(&execution);
    assert_eq!(entries.queue, Queue::Delayed { wake_at: delay_until });
    assert_eq!((entries.due_at, entries.held_by), (Some(delay_until), None));

    world.pass(10);
    assert_eq!(world.run(fail_args(id, fence)).unwrap(), expected, "a repeat tells the stored time");
    assert!(world.last.is_empty());
}

#[test]
fn a_repeat_is_recognised_only_for_the_attempt_that_failed() {
    let Staged { mut world, id, fence } = S::RetryEligible.stage();
    let stranger = FenceTriple { attempt_id: Some(world.attempt_id()), ..fence };
    refused(world.run(fail_args(id, stranger)), "execution_not_active");
    for situation in [S::Resumable, S::InterruptedDelayed] {
        let Staged { mut world, id, fence } = situation.stage();
        refused(world.run(fail_args(id, fence)), "execution_not_active");
    }
    let claimed = world.claim(id);
    refused(world.run(fail_args(id, fence)), "stale_lease");
    let last = claimed.fence().into();
    assert_eq!(world.run(fail_args(id, last)).unwrap(), FailOutcome::TerminalFailed);
    assert_eq!(world.run(fail_args(id, last)).unwrap(), FailOutcome::TerminalFailed);
    assert!(world.last.is_empty());
    refused(world.run(fail_args(id, fence)), "execution_not_active");
}

#[test]
fn the_last_failure_ends_the_execution() {
    let Staged { mut world, id, .. } = S::RetryEligible.stage();
    let fence = world.claim(id).fence().into();
    assert_eq!(world.run(fail_args(id, fence)).unwrap(), FailOutcome::TerminalFailed);
    assert_eq!(world.told(), ["released: failed_terminal", "completed: failed"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Failed);
    assert_eq!((execution.retry_count, execution.total_attempt_count), (1, 2));
    assert_eq!(execution.completed_at, Some(world.now));
}

#[test]
fn class_category_and_policy_decide_over_a_retry() {
    const SOME: &str = r#"{"max_retries":5,"retryable_categories":["timeout"]}"#;
    let cases: [(Option<FailureClass>, &str, Option<&str>, bool); 13] = [
        (None, "x", None, true),
        (Some(FailureClass::Transient), "x", None, true),
        (Some(FailureClass::InfraCrash), "x", None, true),
        (Some(FailureClass::Timeout), "x", None, true),
        (Some(FailureClass::Permanent), "x", None, false),
        (Some(FailureClass::Cancelled), "x", None, false),
        (None, "x", Some(""), true),
        (None, "x", Some(r#"{"max_retries":0}"#), false),
        (None, "x", Some("[]"), false),
        (None, "x", Some("nonsense"), false),
        (None, "x", Some("{}"), true),
        (None, "timeout", Some(SOME), true),
        (None, "other", Some(SOME), false),
    ];
    for (class, category, policy, retried) in cases {
        let Staged { mut world, id, fence } = S::Leased.stage();
        let mut args = fail_args(id, fence);
        args.failure_class = class;
        args.failure_category = category.into();
        args.retry_policy_json = policy.map(str::to_owned);
        let outcome = world.run(args).unwrap();
        assert_eq!(matches!(outcome, FailOutcome::RetryScheduled { .. }), retried, "{class:?} {category} {policy:?}");
    }
    let mut world = World::new();
    let id = world.create();
    let fence = world.claim(id).fence().into();
    assert_eq!(world.run(fail_args(id, fence)).unwrap(), FailOutcome::TerminalFailed, "no policy, no retry");
}

#[test]
fn backoff_grows_with_the_retries_and_jitter_draws_from_the_context() {
    let mut world = World::new();
    let id = world.create_with_policy(
        r#"{"retry_policy":{"max_retries":9,"backoff":{"type":"exponential","initial_delay_ms":100,"max_delay_ms":300,"multiplier":2.0,"jitter":true}}}"#,
    );
    for (random, waited) in [(0.0, 0), (0.999_999, 200), (0.5, 150), (0.999_999, 300)] {
        let fence = world.claim(id).fence().into();
        world.random = random;
        let FailOutcome::RetryScheduled { delay_until, .. } = world.run(fail_args(id, fence)).unwrap() else {
            panic!("a retry")
        };
        assert_eq!(delay_until, world.now.plus(waited));
        world.now = delay_until;
        world.run(PromoteDelayed { execution_id: id }).unwrap();
    }
}

#[test]
fn a_failure_keeps_the_deadline_and_drops_the_attempt_timeout() {
    let mut world = World::new();
    let id = world.create_with(|args| {
        args.policy_json = Some(r#"{"retry_policy":{}}"#.into());
        args.execution_deadline_at = Some(START.plus(TTL_MS));
    });
    let fence = world.claim(id).fence().into();
    world.run(fail_args(id, fence)).unwrap();
    let execution = world.execution(id);
    assert_eq!((execution.deadline_at, execution.attempt_timeout), (Some(START.plus(TTL_MS)), None));
}

#[test]
fn failure_texts_are_bounded() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let mut args = fail_args(id, fence);
    args.failure_reason = "r".repeat(REASON_BYTES_MAX + 1);
    refused(world.run(args), "invalid_input");
    let mut args = fail_args(id, fence);
    args.failure_category = "c".repeat(KIND_BYTES_MAX + 1);
    refused(world.run(args), "invalid_input");
    let mut args = fail_args(id, fence);
    args.failure_reason = "\0".into();
    args.source = holder();
    refused(world.run(args), "invalid_input");
}
