//! Pending waitpoints: made ahead, kept signals, used, given up.

use super::fixture::{K2, at, count, single};
use crate::fixture::{TTL_MS, World, code, refused};
use leasehold_core::command::{
    BUFFERED_SIGNALS_MAX, CloseWaitpoint, CloseWaitpointOutcome, FenceTriple, GiveUp, SignalOutcome,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId, SignalId, WaitpointId};
use leasehold_core::record::{CloseReason, SuspendOutcome, WaitKey, WaitRecord, WaitpointState, WaitsMark};
use leasehold_core::suspension::{CountKind, ResumeCondition, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

fn use_pending(
    w: &mut World,
    id: ExecutionId,
    waitpoint_id: WaitpointId,
    condition: ResumeCondition,
) -> SuspendOutcome {
    let mut args = w.suspend_args(id);
    args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id }];
    args.resume_condition = condition;
    *w.run(args.clone()).unwrap()
}

#[test]
fn a_token_can_be_handed_out_before_suspending() {
    let (mut w, id, _) = World::leased();
    let before = w.execution(id);
    let pending = w.create_waitpoint(id, "a");
    let mut marked = (*before).clone();
    marked.waits = Some(WaitsMark { due_at: Some(w.now.plus(1_000)) });
    assert_eq!(*w.execution(id), marked, "the execution says when to look, and is not touched otherwise");
    let waitpoint = w.waitpoint(pending.waitpoint_id);
    assert_eq!((waitpoint.state, waitpoint.suspension_id), (WaitpointState::Pending, None));
    assert_eq!((waitpoint.created_at, waitpoint.due_at()), (w.now, Some(w.now.plus(1_000))));
    assert_eq!(waitpoint.token, Some(pending.hmac_token.clone()));
    let ring = w.keyring().rotate("k2", K2, 1_000_000, w.now).unwrap().0.unwrap();
    w.install(ring);
    w.pass(7);

    let outcome = use_pending(&mut w, id, pending.waitpoint_id, single("a", None));
    assert_eq!(outcome.details().primary.waitpoint_token, pending.hmac_token, "the token is not signed again");
    let used = w.waitpoint(pending.waitpoint_id);
    assert_eq!((used.state, used.created_at, used.due_at()), (WaitpointState::Active, waitpoint.created_at, None));
    assert_eq!((used.activated_at, used.expires_at), (Some(w.now), None));
    let args = w.signal_args(id, pending.waitpoint_id, &pending.hmac_token);
    w.run(args.clone()).unwrap();
    assert_eq!(w.vector(id).1, "resumable");
}

#[test]
fn making_one_twice_makes_two() {
    let (mut w, id, _) = World::leased();
    let [one, two] = [0, 1].map(|_| w.create_waitpoint(id, "a"));
    assert_ne!(one.waitpoint_id, two.waitpoint_id);
    let mut args = w.create_waitpoint_args(id, "a");
    args.waitpoint_id = one.waitpoint_id;
    refused(w.run(args.clone()), "waitpoint_already_exists");
    assert_eq!(w.find_waits(id).unwrap().open_waitpoints, [one.waitpoint_id, two.waitpoint_id]);
    args.waitpoint_id = w.waitpoint_id();
    args.expires_in_ms = u64::MAX;
    w.run(args.clone()).unwrap();
    assert_eq!(w.waitpoint(args.waitpoint_id).due_at(), Some(TimestampMs(i64::MAX)));
}

#[test]
fn making_one_needs_the_lease() {
    let (mut w, id, fence) = World::leased();
    let args = w.create_waitpoint_args(id, "a");
    let mut bad = args.clone();
    bad.waitpoint_key = String::new();
    refused(w.run(bad.clone()), "invalid_input");
    bad.waitpoint_key = "k".repeat(257);
    refused(w.run(bad.clone()), "invalid_input");
    let mut bad = args.clone();
    bad.fence = FenceTriple::NONE;
    refused(w.run(bad.clone()), "fence_required");
    bad.fence = FenceTriple { lease_id: Some(w.lease_id()), ..fence };
    refused(w.run(bad.clone()), "stale_lease");
    bad.fence = fence;
    bad.attempt_index = Some(AttemptIndex(3));
    refused(w.run(bad.clone()), "stale_lease");
    bad.execution_id = ExecutionId::from_parts(7, w.mint());
    refused(w.run(bad.clone()), "execution_not_found");
    let mut lapsed = w.clone();
    lapsed.pass(TTL_MS);
    refused(lapsed.run(args.clone()), "lease_expired");
    let mut secretless = w.clone();
    secretless.records.remove(&WaitKey::Keyring.into());
    refused(secretless.run(args.clone()), "hmac_secret_not_initialized");
    w.suspend(id, |_| {});
    refused(w.run(args.clone()), "execution_not_active");
}

#[test]
fn signals_that_come_early_are_kept_and_satisfy_at_once() {
    let (mut w, id, fence) = World::leased();
    let pending = w.create_waitpoint(id, "a").waitpoint_id;
    let (early, effect) = w.deliver(id, pending, |args| args.signal_name = "no".into());
    assert_eq!(effect, "buffered_for_pending_waitpoint");
    assert!(w.told().is_empty(), "what is kept is not delivered yet");
    let waitpoint = w.waitpoint(pending);
    assert_eq!((waitpoint.signal_count, waitpoint.last_signal_at, &waitpoint.buffered[..]), (0, None, &[early][..]));
    let (closer, _) = w.deliver(id, pending, |_| {});
    w.deliver(id, pending, |_| {});
    w.pass(5);

    let before = w.execution(id);
    let mut args = w.suspend_args(id);
    args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: pending }];
    args.resume_condition = single("a", Some("approved"));
    args.idempotency_key = Some("k".into());
    let outcome = w.run(args.clone()).unwrap();
    assert!(matches!(*outcome, SuspendOutcome::AlreadySatisfied { .. }));
    let mut marked = (*before).clone();
    marked.waits = Some(WaitsMark { due_at: None });
    assert_eq!(*w.execution(id), marked, "the worker keeps its lease");
    assert_eq!(w.fence(id), fence);
    let suspension = w.suspension(id);
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.closer_signal_id), (CloseReason::Resumed, Some(closer)));
    assert_eq!((suspension.buffered.signals, suspension.buffered.matched), (2, 1));
    assert_eq!(suspension.observed().iter().map(|key| key.signal_id).collect::<Vec<_>>(), [closer]);
    let waitpoint = w.waitpoint(pending);
    assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (2, 1));
    assert_eq!(w.run(args.clone()).unwrap(), outcome, "the outcome is remembered");
    let mut other = w.suspend_args(id);
    other.idempotency_key = None;
    w.run(other.clone()).unwrap();
}

#[test]
fn kept_signals_count_for_every_kind_of_condition() {
    for (condition, satisfied) in [
        (count(2, CountKind::DistinctSources, &["a"]), true),
        (count(3, CountKind::DistinctSignals, &["a"]), false),
        (ResumeCondition::all_of_waitpoints(["a"]), true),
        (ResumeCondition::all_of_waitpoints(["a", "b"]), false),
        (ResumeCondition::OperatorOnly, false),
        (single("b", None), false),
    ] {
        let (mut w, id, _) = World::leased();
        let pending = w.create_waitpoint(id, "a").waitpoint_id;
        for who in ["ann", "bob"] {
            w.deliver(id, pending, |args| args.source_identity = who.into());
        }
        let outcome = use_pending(&mut w, id, pending, condition.clone());
        assert_eq!(matches!(outcome, SuspendOutcome::AlreadySatisfied { .. }), satisfied, "{condition:?}");
        assert!(w.waitpoint(pending).buffered.is_empty());
    }
}

#[test]
fn kept_signals_are_deduplicated_and_bounded() {
    let (mut w, id, _) = World::leased();
    let pending = w.create_waitpoint(id, "a");
    let mut args = w.signal_args(id, pending.waitpoint_id, &pending.hmac_token);
    args.idempotency_key = Some("k".into());
    args.max_signals_per_execution = 1;
    w.run(args.clone()).unwrap();
    let first = args.signal_id;
    args.signal_id = w.signal_id();
    assert_eq!(w.run(args.clone()).unwrap(), SignalOutcome::Duplicate { existing_signal_id: first });
    args.idempotency_key = None;
    refused(w.run(args.clone()), "signal_limit_exceeded");
    args.max_signals_per_execution = 0;
    let mut full = (*w.waitpoint(pending.waitpoint_id)).clone();
    full.buffered.extend((1..BUFFERED_SIGNALS_MAX as u128).map(|n| SignalId::from(uuid::Uuid::from_u128(n << 64))));
    w.plant(WaitRecord::Waitpoint(Arc::new(full)));
    refused(w.run(args.clone()), "signal_limit_exceeded");
}

#[test]
fn a_pending_waitpoint_takes_signals_whatever_the_execution_does() {
    let (mut w, id, _) = World::leased();
    let pending = w.create_waitpoint(id, "later").waitpoint_id;
    w.suspend(id, |_| {});
    assert_eq!(w.deliver(id, pending, |_| {}).1, "buffered_for_pending_waitpoint");
    assert_eq!(w.vector(id).1, "suspended", "and it stays as it is");
}

#[test]
fn only_a_fitting_pending_waitpoint_is_used() {
    let (mut w, id, _) = World::leased();
    let pending = w.create_waitpoint(id, "a").waitpoint_id;
    let other = w.create();
    w.claim(other);
    let foreign = w.create_waitpoint(other, "a").waitpoint_id;
    let mut args = w.suspend_args(id);
    let mut ask = |w: &mut World, waitpoint_id| {
        args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id }];
        code(&w.run(args.clone()))
    };
    let missing = w.waitpoint_id();
    assert_eq!(ask(&mut w, missing), "waitpoint_not_found");
    assert_eq!(ask(&mut w, foreign), "invalid_waitpoint_for_execution");
    let good = w.wait_record(WaitKey::Waitpoint(pending)).unwrap().clone();
    let WaitRecord::Waitpoint(stored) = &good else { panic!() };
    let mut of_attempt = (**stored).clone();
    of_attempt.attempt_index = AttemptIndex(9);
    w.plant(WaitRecord::Waitpoint(Arc::new(of_attempt)));
    assert_eq!(ask(&mut w, pending), "invalid_waitpoint_for_execution");
    let mut tokenless = (**stored).clone();
    tokenless.token = None;
    w.plant(WaitRecord::Waitpoint(Arc::new(tokenless)));
    assert_eq!(ask(&mut w, pending), "waitpoint_not_token_bound");
    w.plant(good);
    let mut late = w.clone();
    late.pass(1_000);
    assert_eq!(ask(&mut late, pending), "pending_waitpoint_expired");
    w.pass(999);
    assert_eq!(ask(&mut w, pending), "ok");
    let mut again = w.clone();
    again.deliver(id, pending, |_| {});
    again.grant(id);
    let resume = again.resume_args(id);
    again.run(resume).unwrap();
    let mut args = again.suspend_args(id);
    args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: pending }];
    refused(again.run(args.clone()), "waitpoint_not_pending");
}

#[test]
fn a_pending_waitpoint_is_given_up_when_it_runs_out_or_is_not_wanted() {
    use CloseWaitpointOutcome::{AlreadyClosed, Closed, NotYetDue};
    let (mut w, id, _) = World::leased();
    let [expiring, unwanted] = [0, 1].map(|_| w.create_waitpoint(id, "a"));
    let close = |waitpoint_id, because| CloseWaitpoint { execution_id: id, waitpoint_id, because };
    assert_eq!(w.run(close(expiring.waitpoint_id, GiveUp::Expiry)).unwrap(), NotYetDue);
    assert!(w.last.is_empty());
    w.pass(1_000);
    assert_eq!(w.run(close(expiring.waitpoint_id, GiveUp::Expiry)).unwrap(), Closed);
    assert_eq!(w.waitpoint(expiring.waitpoint_id).close_reason, Some(CloseReason::NeverCommitted));
    assert_eq!(w.run(close(unwanted.waitpoint_id, GiveUp::Abandonment)).unwrap(), Closed);
    assert_eq!(w.waitpoint(unwanted.waitpoint_id).close_reason, Some(CloseReason::ProactiveClose));
    assert_eq!(w.run(close(unwanted.waitpoint_id, GiveUp::Expiry)).unwrap(), AlreadyClosed);
    assert!(w.last.is_empty());
    assert_eq!(w.vector(id).1, "active");
    let args = w.signal_args(id, expiring.waitpoint_id, &expiring.hmac_token);
    refused(w.run(args.clone()), "target_not_signalable");
    let missing = w.waitpoint_id();
    refused(w.run(close(missing, GiveUp::Abandonment)), "waitpoint_not_found");
    let other = w.create();
    let foreign = CloseWaitpoint { execution_id: other, waitpoint_id: expiring.waitpoint_id, because: GiveUp::Expiry };
    refused(w.run(foreign.clone()), "waitpoint_not_found");
    let active = w.suspend(id, |args| args.timeout_at = at(0)).primary.waitpoint_id;
    refused(w.run(close(active, GiveUp::Expiry)), "waitpoint_not_pending");
    refused(w.run(args.clone()), "waitpoint_closed");
}
