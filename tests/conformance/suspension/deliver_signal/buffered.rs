//! Signals to waitpoints that are pending.

use super::key;
use crate::case::Case;
use crate::states::LEASED;
use crate::suspension::detail;
use bytes::Bytes;
use futures::future::join_all;
use leasehold_contract::{DeliverSignal, SignalOutcome, SuspendOutcome};
use leasehold_core::record::WaitpointState;
use leasehold_core::suspension::SignalEffect;
use leasehold_tests::harness::{abandonment, keyed};

const MINUTE_MS: u64 = 60_000;
const BUFFERED: &str = "buffered_for_pending_waitpoint";

pub async fn a_pending_waitpoint_keeps_it_for_later(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let before = case.waitpoint(id, pending.waitpoint_id).await;
    case.advance(5);
    let large = Bytes::from(vec![7; 5000]);
    let args = DeliverSignal { payload: Some(large.clone()), ..case.signal_early(id, &pending) };
    assert_eq!(case.deliver(args.clone()).await, BUFFERED);
    let after = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!(after.buffered, [args.signal_id]);
    assert_eq!((after.signal_count, after.matched_signal_count, after.last_signal_at), (0, 0, None));
    assert_eq!((after.state, after.expires_at), (WaitpointState::Pending, before.expires_at));
    let signal = case.find_signal(id, key(&args)).await.unwrap();
    assert_eq!((signal.observed_effect, signal.accepted_at), (SignalEffect::BufferedForPendingWaitpoint, case.now()));
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1"], "a kept signal is not told");
    assert_eq!(case.waits(id).await.signal_count, 1);
    case.kill().await;
    let suspend = case.suspension_at(&pending, keyed("a"));
    let outcome = case.engine.suspend(&held.handle, suspend).await.unwrap();
    assert!(matches!(outcome, SuspendOutcome::AlreadySatisfied { .. }), "{outcome:?}");
    let seen = case.engine.observe_signals(&held.handle).await.unwrap();
    assert_eq!((seen[0].signal_id, seen[0].payload.as_ref()), (args.signal_id, Some(&large)));
}

pub async fn a_repeat_to_a_pending_waitpoint_is_a_duplicate(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let first = DeliverSignal { idempotency_key: Some("once".into()), ..case.signal_early(id, &pending) };
    case.deliver(first.clone()).await;
    let known = SignalOutcome::Duplicate { existing_signal_id: first.signal_id };
    let again = DeliverSignal { signal_id: case.signal_id(), ..first.clone() };
    assert_eq!(case.changes_nothing(id, case.engine.deliver_signal(again.clone())).await, known);
    assert_eq!(case.changes_nothing(id, case.engine.deliver_signal(first)).await, known);
    // It is known once the waitpoint is part of a suspension, and after that.
    let suspend = case.suspension_at(&pending, leasehold_core::suspension::ResumeCondition::OperatorOnly);
    case.suspend(held, suspend).await;
    assert_eq!(case.changes_nothing(id, case.engine.deliver_signal(again)).await, known);
}

pub async fn a_closed_one_keeps_nothing(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    case.deliver(case.signal_early(id, &pending)).await;
    case.engine.close_waitpoint(abandonment(id, pending.waitpoint_id)).await.unwrap();
    assert!(case.waitpoint(id, pending.waitpoint_id).await.buffered.is_empty());
    let late = case.engine.deliver_signal(case.signal_early(id, &pending));
    case.refused(id, late, "target_not_signalable").await;
    let args = case.suspension();
    case.suspend(held, args).await;
    let late = case.engine.deliver_signal(case.signal_early(id, &pending));
    case.refused(id, late, "waitpoint_closed").await;
}

pub async fn a_pending_waitpoint_keeps_a_thousand_and_24(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let mut sent = Vec::new();
    for effects in [512, 512] {
        let signals: Vec<_> = (0..effects).map(|_| case.signal_early(id, &pending)).collect();
        sent.extend(signals.iter().map(|signal| signal.signal_id));
        join_all(signals.into_iter().map(|signal| case.deliver(signal))).await;
    }
    let one_more = case.engine.deliver_signal(case.signal_early(id, &pending));
    let error = case.refused(id, one_more, "signal_limit_exceeded").await;
    assert_eq!(detail(&error), "the pending waitpoint takes at most 1024");
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await.buffered, sent);
    let suspend = case.suspension_at(&pending, leasehold_tests::harness::by_name("a", "never"));
    case.suspend(held, suspend).await;
    assert_eq!(case.last_suspension(id).await.buffered.signals, 1024);
}
