//! Waitpoints that were made before, and the signals they kept.

use super::try_suspend;
use crate::case::Case;
use crate::states::{LEASED, suspended};
use leasehold_contract::{Claimed, SuspendOutcome};
use leasehold_core::record::{CloseReason, Requester, SignalKey, SuspensionReason, TimeoutBehavior, WaitpointState};
use leasehold_core::state::AttemptLifecycle;
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, WaitpointBinding};
use leasehold_tests::harness::{by_name, keyed};

const MINUTE_MS: u64 = 60_000;

/// The condition of several signals at the waitpoint `a`.
fn signals(n: u32) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        n,
        count_kind: CountKind::DistinctSignals,
        matcher: None,
        waitpoints: vec!["a".into()],
    })
}

async fn satisfied(case: &Case, held: &Claimed, args: &leasehold_contract::SuspendArgs) {
    let outcome = case.engine.suspend(&held.handle, args.clone()).await.unwrap();
    assert!(matches!(outcome, SuspendOutcome::AlreadySatisfied { .. }), "{outcome:?}");
}

pub async fn a_pending_waitpoint_keeps_its_token_and_its_creation(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let before = case.waitpoint(id, pending.waitpoint_id).await;
    case.advance(5);
    let at = case.now().plus(2 * MINUTE_MS);
    let args = case.suspension_at(&pending, keyed("a")).with_timeout(at, TimeoutBehavior::Fail);
    let waiting = case.suspend(held, args).await;
    assert_eq!(waiting.primary().waitpoint_token, pending.hmac_token);
    assert_eq!(&*waiting.primary().waitpoint_key, "a");
    let after = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((after.created_at, &after.token), (before.created_at, &before.token));
    assert_eq!((after.state, after.activated_at), (WaitpointState::Active, Some(case.now())));
    assert_eq!((after.suspension_id, after.expires_at), (Some(waiting.details.suspension_id), Some(at)));
    assert_eq!(case.entry(id).await.due_at, Some(at), "it does not run out by itself any more");
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "resume_condition_satisfied");
}

pub async fn what_came_before_may_satisfy_and_the_lease_is_kept(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let sent = case.signal_early(id, &pending);
    assert_eq!(case.deliver(sent.clone()).await, "buffered_for_pending_waitpoint");
    case.advance(5);
    let before = (case.record(id).await, case.story(id).await);
    let args = case.suspension_at(&pending, keyed("a")).with_requester(Requester::Operator);
    let outcome = case.engine.suspend(&held.handle, args.clone()).await.unwrap();
    let SuspendOutcome::AlreadySatisfied { details } = outcome else { panic!("{outcome:?}") };
    assert_eq!((details.suspension_id, &details.primary.waitpoint_token), (args.suspension_id, &pending.hmac_token));

    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, before.1, "nothing is told");
    let record = case.record(id).await;
    assert_eq!((&record.lease, &record.attempt), (&before.0.lease, &before.0.attempt));
    assert_eq!(record.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::Started);
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
    assert_eq!((waitpoint.satisfied_at, waitpoint.closed_at), (Some(case.now()), Some(case.now())));
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 1));
    let suspension = case.last_suspension(id).await;
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.closer_signal_id), (CloseReason::Resumed, Some(sent.signal_id)));
    assert_eq!((suspension.satisfied_at, suspension.buffered.signals), (Some(case.now()), 1));
    assert_eq!((suspension.buffered.matched, suspension.requested_by), (1, Requester::Operator));
    assert!(case.suspended_list(id.partition()).await.is_empty());
    assert_eq!(case.timer(id).await, record.attempt_timeout_at());
    // The worker reads what it need not wait for, and goes on.
    let seen = case.engine.observe_signals(&held.handle).await.unwrap();
    assert_eq!(seen.iter().map(|signal| signal.signal_id).collect::<Vec<_>>(), [sent.signal_id]);
    case.engine.complete(&held.handle, None).await.expect("the lease is kept");
}

pub async fn what_came_before_and_does_not_satisfy_counts(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let early = case.signal_early(id, &pending);
    case.deliver(early.clone()).await;
    case.advance(5);
    let args = case.suspension_at(&pending, signals(2));
    let waiting = case.suspend(held, args).await;
    assert_eq!(case.vector(id).await, suspended("waiting_for_signal"));
    let suspension = case.last_suspension(id).await;
    assert_eq!((suspension.buffered.signals, suspension.buffered.matched), (1, 1));
    assert_eq!(suspension.last_signal_at, Some(case.now().minus(5)));
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count, waitpoint.buffered.len()), (1, 1, 0));
    let late = case.signal_early(id, &pending);
    assert_eq!(case.deliver(late.clone()).await, "resume_condition_satisfied");
    let resumed = case.take_again(waiting.id).await;
    let seen = case.engine.observe_signals(&resumed.handle).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|signal| signal.signal_id).collect();
    assert_eq!(seen, [early.signal_id, late.signal_id]);
}

pub async fn kept_signals_count_in_the_order_in_which_they_came(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let mut sent = Vec::new();
    for name in ["no", "go", "no", "go", "go"] {
        let mut signal = case.signal_early(id, &pending);
        signal.signal_name = name.to_owned();
        sent.push(signal.signal_id);
        case.deliver(signal).await;
        case.advance(1);
    }
    case.kill().await;
    let mut condition = signals(2);
    if let ResumeCondition::Composite(CompositeBody::Count { matcher, .. }) = &mut condition {
        *matcher = Some(leasehold_core::suspension::SignalMatcher::ByName("go".into()));
    }
    let args = case.suspension_at(&pending, condition);
    satisfied(case, &held, &args).await;
    let suspension = case.last_suspension(id).await;
    assert_eq!(suspension.closed.as_ref().unwrap().closer_signal_id, Some(sent[3]));
    assert_eq!((suspension.buffered.signals, suspension.buffered.matched), (4, 2), "the last one comes too late");
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (4, 2));
    assert_eq!(waitpoint.last_signal_at, Some(case.now().minus(2)));
    let keys = [sent[1], sent[3]].map(|signal_id| SignalKey { waitpoint_id: pending.waitpoint_id, signal_id });
    assert_eq!(suspension.observed(), keys);
}

pub async fn kept_signals_that_do_not_match_resume_nothing(case: &mut Case) {
    for condition in [by_name("a", "come"), ResumeCondition::OperatorOnly] {
        let held = case.leased().await;
        let id = held.execution.execution_id;
        let pending = case.pending(&held, MINUTE_MS).await;
        case.deliver(case.signal_early(id, &pending)).await;
        let args = case.suspension_at(&pending, condition);
        case.suspend(held, args).await;
        let suspension = case.last_suspension(id).await;
        assert_eq!((suspension.buffered.signals, suspension.buffered.matched), (1, 0));
        assert!(suspension.progress.satisfiers().is_empty());
    }
}

pub async fn an_answer_that_was_satisfied_is_repeated_by_its_key(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    case.deliver(case.signal_early(id, &pending)).await;
    let args = case.suspension_at(&pending, keyed("a")).with_idempotency_key("once");
    let first = case.engine.suspend(&held.handle, args.clone()).await.unwrap();
    assert!(matches!(first, SuspendOutcome::AlreadySatisfied { .. }), "{first:?}");
    assert_eq!(case.changes_nothing(id, try_suspend(case, &held.handle, &args)).await, first);
    case.kill().await;
    assert_eq!(case.changes_nothing(id, try_suspend(case, &held.handle, &args)).await, first);
}

pub async fn a_satisfied_suspension_is_replaced_by_the_next(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    case.deliver(case.signal_early(id, &pending)).await;
    let args = case.suspension_at(&pending, keyed("a"));
    satisfied(case, &held, &args).await;
    case.refused(id, try_suspend(case, &held.handle, &args), "waitpoint_not_pending").await;
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    assert_eq!(case.last_suspension(id).await.suspension_id, waiting.details.suspension_id);
    assert_eq!(case.waits(id).await.open_waitpoints, [waiting.primary().waitpoint_id]);
}

pub async fn a_pending_waitpoint_beside_the_suspension_stays_pending(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let beside = case.pending(&held, MINUTE_MS).await;
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    assert_eq!(case.waitpoint(id, beside.waitpoint_id).await.state, WaitpointState::Pending);
    assert_eq!(case.entry(id).await.due_at, Some(case.now().plus(MINUTE_MS)));
    assert_eq!(case.deliver(case.signal_early(id, &beside)).await, "buffered_for_pending_waitpoint");
    case.deliver(case.signal_to(id, waiting.primary())).await;
    let again = case.take_again(id).await;
    let args = case.suspension_at(&beside, keyed("a"));
    satisfied(case, &again, &args).await;
}

pub async fn only_a_pending_waitpoint_of_this_attempt_is_taken_over(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let at = |waitpoint_id| {
        let binding = WaitpointBinding::UsePending { waitpoint_id };
        case.suspension_on(&[], keyed("a")).with_waitpoint(binding)
    };
    let unknown = case.waitpoint_id();
    case.refused(id, try_suspend(case, &held.handle, &at(unknown)), "waitpoint_not_found").await;
    let other = case.leased().await;
    let of_other = case.pending(&other, MINUTE_MS).await.waitpoint_id;
    case.refused(id, try_suspend(case, &held.handle, &at(of_other)), "invalid_waitpoint_for_execution").await;
    let closed = case.pending(&held, MINUTE_MS).await.waitpoint_id;
    case.engine.close_waitpoint(leasehold_tests::harness::abandonment(id, closed)).await.unwrap();
    case.refused(id, try_suspend(case, &held.handle, &at(closed)), "waitpoint_not_pending").await;
    let waiting = case.waiting_for_signal().await;
    let active = waiting.primary().waitpoint_id;
    case.refused(id, try_suspend(case, &held.handle, &at(active)), "waitpoint_not_pending").await;
    let short = case.pending(&held, 5).await.waitpoint_id;
    case.advance(4);
    let exact = case.pending(&held, 1).await.waitpoint_id;
    case.advance(1);
    for out in [short, exact] {
        case.refused(id, try_suspend(case, &held.handle, &at(out)), "pending_waitpoint_expired").await;
    }
}

pub async fn what_the_attempt_before_made_is_not_taken_over(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 10 * MINUTE_MS).await;
    case.lapse(held).await;
    let again = case.reclaim_lost(id).await;
    let args = case.suspension_at(&pending, keyed("a"));
    case.refused(id, try_suspend(case, &again.handle, &args), "invalid_waitpoint_for_execution").await;
    case.deliver(case.signal_early(id, &pending)).await;
    let reason = SuspensionReason::WaitingForApproval;
    let mut args = case.suspension();
    args.reason_code = reason;
    case.suspend(again, args).await;
    assert_eq!(case.vector(id).await, suspended("waiting_for_approval"));
}
