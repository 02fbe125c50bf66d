//! `deliver_signal`: something reaches a waitpoint.

mod buffered;
mod conditions;
mod repeats;
mod tokens;

pub use buffered::*;
pub use conditions::*;
pub use repeats::*;
pub use tokens::*;

use crate::case::Case;
use crate::states::{LEASED, delayed, eligible, suspended};
use crate::suspension::detail;
use bytes::Bytes;
use leasehold_contract::{Claimed, DeliverSignal};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{CloseReason, ResumePolicy, SignalKey, SignalPayload, WaitpointState, WaitsMark};
use leasehold_core::state::PublicState;
use leasehold_core::suspension::{ResumeCondition, SignalEffect};
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::{Waiting, by_name};

const SATISFIED: &str = "resume_condition_satisfied";

fn key(args: &DeliverSignal) -> SignalKey {
    SignalKey { waitpoint_id: args.waitpoint_id, signal_id: args.signal_id }
}

pub async fn what_it_waits_for_lets_the_execution_go_on(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let id = waiting.id;
    let created_at = case.record(id).await.spec.created_at;
    case.advance(5);
    let args = case.signal_to(id, waiting.primary());
    assert_eq!(case.deliver(args.clone()).await, SATISFIED);

    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Resumable)));
    let story = ["acquired 1", "released 1 suspend", "signal_delivered resume_condition_satisfied from billing"];
    assert_eq!(case.story(id).await, story, "no completion is told");
    let record = case.record(id).await;
    assert_eq!((record.blocking_detail.as_ref(), record.delay_until), (None, None));
    assert_eq!(record.waits, Some(WaitsMark { due_at: None }));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", created_at.0, None));
    assert!(case.suspended_list(id.partition()).await.is_empty());

    let waitpoint = case.waitpoint(id, args.waitpoint_id).await;
    assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
    let at = Some(case.now());
    assert_eq!((waitpoint.satisfied_at, waitpoint.closed_at, waitpoint.last_signal_at), (at, at, at));
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 1));
    let suspension = case.last_suspension(id).await;
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.closer_signal_id), (CloseReason::Resumed, Some(args.signal_id)));
    assert_eq!((closed.resume_trigger, closed.timeout_signal_id), (None, None));
    assert_eq!((closed.at, suspension.satisfied_at, suspension.last_signal_at), (case.now(), at, None));
    assert_eq!(suspension.observed(), [key(&args)]);
    let waits = case.waits(id).await;
    assert_eq!((waits.open_waitpoints.len(), waits.signal_count), (0, 1));
}

pub async fn the_signal_is_kept_as_it_was_sent(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.advance(5);
    let args = DeliverSignal {
        payload: Some(Bytes::from_static(b"\0\xff opaque")),
        payload_encoding: "msgpack".to_owned(),
        correlation_id: Some("c-1".to_owned()),
        idempotency_key: Some("once".to_owned()),
        target_scope: "execution".to_owned(),
        created_at: Some(TimestampMs(-7)),
        ..case.signal_to(waiting.id, waiting.primary())
    };
    case.deliver(args.clone()).await;
    case.kill().await;
    let signal = case.find_signal(waiting.id, key(&args)).await.expect("it is stored");
    assert_eq!((signal.execution_id, signal.key), (waiting.id, key(&args)));
    assert_eq!((signal.signal_name.as_str(), signal.signal_category.as_str()), ("go", "callback"));
    assert_eq!((signal.source_type.as_str(), signal.source_identity.as_str()), ("service", "billing"));
    assert_eq!((signal.target_scope.as_str(), signal.payload_encoding.as_str()), ("execution", "msgpack"));
    assert_eq!((signal.correlation_id.as_deref(), signal.idempotency_key.as_deref()), (Some("c-1"), Some("once")));
    assert_eq!((signal.created_at, signal.accepted_at), (TimestampMs(-7), case.now()));
    assert_eq!(signal.payload, Some(SignalPayload::Inline(b"\0\xff opaque".to_vec())));
    assert_eq!(signal.observed_effect, SignalEffect::ResumeConditionSatisfied);
    let text = format!("{args:?}");
    assert!(!text.contains(args.waitpoint_token.reveal()), "a token is not shown: {text}");
}

pub async fn what_does_not_resume_is_kept_and_counted(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = by_name("a", "done")).await;
    let args = case.signal_to(waiting.id, waiting.primary());
    case.advance(5);
    assert_eq!(case.deliver(args.clone()).await, "no_op");
    assert_eq!(case.vector(waiting.id).await, suspended("waiting_for_signal"));
    let waitpoint = case.waitpoint(waiting.id, args.waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 0));
    assert_eq!((waitpoint.last_signal_at, waitpoint.satisfied_at), (Some(case.now()), None));
    assert_eq!(case.last_suspension(waiting.id).await.last_signal_at, Some(case.now()));
    assert_eq!(case.waits(waiting.id).await.signal_count, 1);
    assert_eq!(case.story(waiting.id).await[2], "signal_delivered no_op from billing");
    assert!(case.find_signal(waiting.id, key(&args)).await.is_some());
    let done = DeliverSignal { signal_name: "done".to_owned(), ..case.signal_to(waiting.id, waiting.primary()) };
    assert_eq!(case.deliver(done).await, SATISFIED);
}

pub async fn every_waitpoint_of_the_suspension_closes(case: &mut Case) {
    let keys = ["a", "b", "c"];
    let any = conditions::count(1, leasehold_core::suspension::CountKind::DistinctWaitpoints, None, &keys);
    let waiting = case.suspended_on(&keys, any).await;
    let issued = waiting.waitpoints();
    assert_eq!(case.deliver(case.signal_to(waiting.id, issued[1])).await, SATISFIED);
    for (at, issued) in issued.iter().enumerate() {
        let waitpoint = case.waitpoint(waiting.id, issued.waitpoint_id).await;
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
        assert_eq!((waitpoint.closed_at, waitpoint.satisfied_at), (Some(case.now()), (at == 1).then(|| case.now())));
    }
}

pub async fn the_delay_is_the_signals_or_else_the_policys(case: &mut Case) {
    for (of_signal, of_policy, expected) in
        [(0, None, 0), (0, Some(0), 0), (70, None, 70), (0, Some(30), 30), (70, Some(30), 70)]
    {
        let policy = ResumePolicy { resume_delay_ms: of_policy, ..ResumePolicy::default() };
        let waiting = case.suspended(|args| args.resume_policy = policy).await;
        let id = waiting.id;
        case.advance(5);
        let args = DeliverSignal { resume_delay_ms: of_signal, ..case.signal_to(id, waiting.primary()) };
        assert_eq!(case.deliver(args).await, SATISFIED);
        if expected == 0 {
            assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
            continue;
        }
        let until = case.now().plus(expected);
        assert_eq!(case.vector(id).await, delayed("waiting_for_resume_delay", "attempt_interrupted"));
        assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Delayed)));
        let record = case.record(id).await;
        assert_eq!(record.delay_until, Some(until));
        assert_eq!(record.blocking_detail, Some(format!("resume delay {expected}ms after signal go")));
        let entry = case.entry(id).await;
        assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("delayed", until.0, Some(until)));
        case.kill_for(expected - 1).await;
        let early = case.engine.claim_resumed_execution(case.resume(id));
        case.other_refused(id, early, "execution_not_leaseable").await;
        case.advance(1);
        case.promote(id).await;
        assert_eq!(case.record(id).await.blocking_detail, None);
        case.take_again(id).await;
    }
}

pub async fn a_delay_beyond_time_is_for_ever(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let args = DeliverSignal { resume_delay_ms: u64::MAX, ..case.signal_to(waiting.id, waiting.primary()) };
    case.deliver(args).await;
    assert_eq!(case.record(waiting.id).await.delay_until, Some(TimestampMs(i64::MAX)));
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
}

pub async fn a_resume_cancels_the_deadline(case: &mut Case) {
    let at = case.now().plus(1000);
    let waiting = case.suspended(|args| args.timeout_at = Some(at)).await;
    case.advance(999);
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    assert_eq!(case.entry(waiting.id).await.due_at, None);
    let again = case.take_again(waiting.id).await;
    case.advance(10_000);
    let late = case.engine.expire_suspension(waiting.id);
    let outcome = case.changes_nothing(waiting.id, late).await;
    assert_eq!(outcome.as_str(), "not_suspended_cleaned");
    assert_eq!(case.vector(waiting.id).await, LEASED);
    case.engine.complete(&again.handle, None).await.unwrap();
}

pub async fn the_same_attempt_goes_on_once_under_the_next_epoch(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    let by_worker = case.engine.claim_execution(case.claim(waiting.id));
    case.other_refused(waiting.id, by_worker, "use_claim_resumed_execution").await;
    case.kill().await;
    let Claimed { execution: again, handle } = case.take_again(waiting.id).await;
    let held = &waiting.held.execution;
    assert_eq!((again.attempt_id, again.attempt_index), (held.attempt_id, held.attempt_index));
    assert_eq!(again.lease_epoch.0, held.lease_epoch.0 + 1);
    let attempt = case.record(waiting.id).await.attempt.clone().unwrap();
    assert_eq!((attempt.suspension_id, attempt.suspended_at), (None, None));
    let stale = case.engine.complete(&waiting.held.handle, None);
    case.other_refused(waiting.id, stale, "stale_lease").await;
    case.engine.complete(&handle, None).await.unwrap();
}

pub async fn a_poll_takes_the_resumed_execution(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.claimed.lease_epoch.0), (waiting.id, 2));
    assert_eq!(task.claimed.attempt_id, waiting.held.execution.attempt_id);
    let handle = task.claimed.handle(case.backend.tag());
    assert_eq!(case.engine.observe_signals(&handle).await.unwrap().len(), 1);
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    for id in [case.id(), case.id_in(case.partitions())] {
        let args = case.signal_to(id, waiting.primary());
        case.refused(id, case.engine.deliver_signal(args), "execution_not_found").await;
    }
}

pub async fn who_takes_no_signals_says_so(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let id = waiting.id;
    case.deliver(case.signal_to(id, waiting.primary())).await;
    let late = || case.engine.deliver_signal(case.signal_to(id, waiting.primary()));
    case.refused(id, late(), "target_not_signalable").await;
    let held = case.take_again(id).await;
    case.refused(id, late(), "target_not_signalable").await;
    let args = case.suspension();
    let second = case.suspend(held, args).await;
    case.refused(id, late(), "waitpoint_closed").await;
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    case.refused(id, late(), "target_not_signalable").await;
    let to_second = case.engine.deliver_signal(case.signal_to(id, second.primary()));
    case.refused(id, to_second, "target_not_signalable").await;
    assert!(case.waits(id).await.open_waitpoints.is_empty());
}

pub async fn an_execution_accepts_so_many_signals_in_its_life(case: &mut Case) {
    let Waiting { id, details, .. } =
        case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    let limited = |max| DeliverSignal { max_signals_per_execution: max, ..case.signal_to(id, &details.primary) };
    assert_eq!(case.deliver(limited(2)).await, "no_op");
    assert_eq!(case.deliver(limited(2)).await, "no_op");
    let error = case.refused(id, case.engine.deliver_signal(limited(2)), "signal_limit_exceeded").await;
    assert_eq!(detail(&error), "the execution takes at most 2");
    assert_eq!(case.deliver(limited(3)).await, "no_op");
    assert_eq!(case.deliver(limited(0)).await, "no_op", "0 is no limit");
    case.engine.resume_execution(leasehold_tests::harness::resumption(id)).await.unwrap();
    case.kill().await;
    // Signals to an earlier suspension count, and so do kept ones.
    let held = case.take_again(id).await;
    let pending = case.pending(&held, 60_000).await;
    let early = |max| DeliverSignal { max_signals_per_execution: max, ..case.signal_early(id, &pending) };
    case.refused(id, case.engine.deliver_signal(early(4)), "signal_limit_exceeded").await;
    assert_eq!(case.deliver(early(5)).await, "buffered_for_pending_waitpoint");
    assert_eq!(case.waits(id).await.signal_count, 5);
}

pub async fn payloads_are_opaque_bytes_up_to_64_kib(case: &mut Case) {
    for size in [0, 1, 256, 257, 4096, 65_536] {
        let waiting = case.waiting_for_signal().await;
        let bytes: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        let args = DeliverSignal { payload: Some(bytes.clone()), ..case.signal_to(waiting.id, waiting.primary()) };
        assert_eq!(case.deliver(args.clone()).await, SATISFIED);
        let beside = case.find_signal_bytes(waiting.id, key(&args)).await;
        assert_eq!(beside.is_some(), size > 256, "{size}");
        let held = case.take_again(waiting.id).await;
        let seen = case.engine.observe_signals(&held.handle).await.unwrap();
        assert_eq!(seen[0].payload.as_ref(), Some(&bytes), "{size}");
    }
    let waiting = case.waiting_for_signal().await;
    let oversized =
        DeliverSignal { payload: Some(Bytes::from(vec![0; 65_537])), ..case.signal_to(waiting.id, waiting.primary()) };
    let error = case.refused(waiting.id, case.engine.deliver_signal(oversized.clone()), "payload_too_large").await;
    assert_eq!(detail(&error), "65537 bytes, at most 65536");
    assert!(case.find_signal(waiting.id, key(&oversized)).await.is_none());
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    type Field = fn(&mut DeliverSignal, String);
    let fields: [(&str, Field); 8] = [
        ("signal_name", |args, text| args.signal_name = text),
        ("signal_category", |args, text| args.signal_category = text),
        ("source_type", |args, text| args.source_type = text),
        ("source_identity", |args, text| args.source_identity = text),
        ("payload_encoding", |args, text| args.payload_encoding = text),
        ("target_scope", |args, text| args.target_scope = text),
        ("correlation_id", |args, text| args.correlation_id = Some(text)),
        ("idempotency_key", |args, text| args.idempotency_key = Some(text)),
    ];
    for (field, set) in fields {
        for (text, words) in [("x".repeat(257), "257 bytes, at most 256"), ("a\0b".to_owned(), "NUL byte")] {
            let mut args = case.signal_to(waiting.id, waiting.primary());
            set(&mut args, text);
            let error = case.refused(waiting.id, case.engine.deliver_signal(args), "invalid_input").await;
            assert_eq!(detail(&error), format!("{field}: {words}"));
        }
    }
    let mut longest = case.signal_to(waiting.id, waiting.primary());
    for (_, set) in fields {
        set(&mut longest, "x".repeat(256));
    }
    assert_eq!(case.deliver(longest).await, SATISFIED);
}

pub async fn names_of_the_engines_own_are_refused(case: &mut Case) {
    let at = case.now().plus(60_000);
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let args = case.suspension_on(&["a"], condition);
        let args = args.with_timeout(at, leasehold_core::record::TimeoutBehavior::Fail);
        let held = case.leased().await;
        let waiting = case.suspend(held, args).await;
        for name in ["__operator_only__", "__timeout_only__", "__timeout__"] {
            let args = DeliverSignal { signal_name: name.to_owned(), ..case.signal_to(waiting.id, waiting.primary()) };
            let error = case.refused(waiting.id, case.engine.deliver_signal(args), "invalid_input").await;
            assert_eq!(detail(&error), format!("reserved_signal_name: {name}"));
        }
        assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "no_op");
    }
}

pub async fn a_pending_waitpoint_beside_an_open_suspension_keeps_signals(case: &mut Case) {
    let held = case.leased().await;
    let id: ExecutionId = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    let args = case.suspension();
    case.suspend(held, args).await;
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "buffered_for_pending_waitpoint");
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 suspend"], "a kept signal is not told");
}
