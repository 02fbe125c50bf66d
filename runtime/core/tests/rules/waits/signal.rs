//! Delivering signals: what is checked first, what they do, and repeats.

use super::fixture::{count, single};
use crate::fixture::{World, detail, operator, refused};
use bytes::Bytes;
use leasehold_core::command::{CancelExecution, FenceTriple, SIGNAL_PAYLOAD_BYTES_MAX, SignalOutcome};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{CloseReason, ResumePolicy, SignalKey, SignalPayload, WaitKey, WaitpointState};
use leasehold_core::suspension::{COUNTED_IDS_MAX, CountKind, ResumeCondition};
use leasehold_core::token::WaitpointToken;

#[test]
fn a_satisfying_signal_resumes_and_closes_everything_at_once() {
    let (mut w, id, to) = World::suspended();
    let (signal_id, effect) = w.deliver(id, to.waitpoint_id, |args| args.correlation_id = Some("c-1".into()));
    assert_eq!(effect, "resume_condition_satisfied");
    let (vector, public) = w.vector(id);
    assert_eq!(vector, "runnable unowned eligible_now waiting_for_worker none attempt_interrupted");
    assert_eq!(public, "resumable");
    let execution = w.execution(id);
    assert_eq!((&execution.blocking_detail, execution.delay_until), (&None, None));
    let suspension = w.suspension(id);
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.closer_signal_id, closed.at), (CloseReason::Resumed, Some(signal_id), w.now));
    assert_eq!((suspension.satisfied_at, suspension.last_signal_at), (Some(w.now), None));
    let waitpoint = w.waitpoint(to.waitpoint_id);
    assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
    assert_eq!((waitpoint.satisfied_at, waitpoint.last_signal_at), (Some(w.now), Some(w.now)));
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 1));
    let key = SignalKey { waitpoint_id: to.waitpoint_id, signal_id };
    assert_eq!(suspension.observed(), [key]);
    let signal = w.signal(key);
    assert_eq!((signal.accepted_at, signal.created_at), (w.now, w.now));
    assert_eq!(signal.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(w.told(), ["signal_delivered: resume_condition_satisfied"], "a resume is no completion");
    let [told] = &w.delivered()[..] else { panic!() };
    assert_eq!((told.signal_id, told.execution_id, told.waitpoint_id), (signal_id, id, to.waitpoint_id));
    assert_eq!((told.source_identity.as_str(), told.effect.as_str()), ("ann", effect));
    assert_eq!(told.at, w.now);
}

#[test]
fn a_delay_comes_from_the_signal_or_else_the_policy() {
    for (of_signal, of_policy, expected) in
        [(0, None, None), (0, Some(0), None), (70, None, Some(70)), (0, Some(30), Some(30)), (70, Some(30), Some(70))]
    {
        let (mut w, id, _) = World::leased();
        let details = w.suspend(id, |args| {
            args.resume_policy = ResumePolicy { resume_delay_ms: of_policy, ..ResumePolicy::default() };
        });
        w.deliver(id, details.primary.waitpoint_id, |args| args.resume_delay_ms = of_signal);
        let execution = w.execution(id);
        assert_eq!(execution.delay_until, expected.map(|ms| w.now.plus(ms)));
        let text = expected.map(|ms| format!("resume delay {ms}ms after signal approved"));
        assert_eq!(execution.blocking_detail, text);
        if let Some(ms) = expected {
            let (vector, public) = w.vector(id);
            assert_eq!(
                vector,
                "runnable unowned not_eligible_until_time waiting_for_resume_delay none attempt_interrupted"
            );
            assert_eq!(public, "delayed");
            w.pass(ms);
            w.run(leasehold_core::command::PromoteDelayed { execution_id: id }).unwrap();
            assert_eq!(w.execution(id).blocking_detail, None);
        }
        assert_eq!(w.vector(id).1, "resumable");
    }
}

#[test]
fn what_does_not_resume_is_counted_and_kept() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.resume_condition = single("a", Some("done")));
    let to = details.primary.waitpoint_id;
    assert_eq!(w.deliver(id, to, |_| {}).1, "no_op");
    assert_eq!(w.told(), ["signal_delivered: no_op"]);
    let waitpoint = w.waitpoint(to);
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 0));
    assert_eq!(w.suspension(id).last_signal_at, Some(w.now));
    assert_eq!(w.vector(id).1, "suspended");
    assert_eq!(w.find_waits(id).unwrap().signal_count, 1);
    assert_eq!(w.deliver(id, to, |args| args.signal_name = "done".into()).1, "resume_condition_satisfied");
}

#[test]
fn two_of_three_approvers_resume_and_every_waitpoint_closes() {
    let (mut w, id, _) = World::leased();
    let keys = ["ann", "bob", "eve"];
    let issued = w.suspend_on(id, &keys, count(2, CountKind::DistinctWaitpoints, &keys));
    let [ann, bob, eve] = [0, 1, 2].map(|at| issued[at].waitpoint_id);
    assert_eq!(w.deliver(id, ann, |_| {}).1, "appended_to_waitpoint");
    assert_eq!(w.deliver(id, ann, |_| {}).1, "appended_to_waitpoint_duplicate");
    let (_, effect) = w.deliver(id, eve, |_| {});
    assert_eq!(effect, "resume_condition_satisfied");
    for waitpoint in [ann, bob, eve].map(|id| w.waitpoint(id)) {
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
    }
    assert_eq!(w.waitpoint(bob).satisfied_at, None);
    assert_eq!(w.suspension(id).observed().iter().map(|key| key.waitpoint_id).collect::<Vec<_>>(), [ann, eve]);
    assert_eq!(w.find_waits(id).unwrap().open_waitpoints, []);
}

#[test]
fn operators_and_deadlines_are_waited_for_without_signals() {
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let (mut w, id, _) = World::leased();
        let details = w.suspend(id, |args| {
            args.resume_condition = condition;
            args.timeout_at = super::fixture::at(1_000);
        });
        assert_eq!(w.deliver(id, details.primary.waitpoint_id, |_| {}).1, "no_op");
        let token = details.primary.waitpoint_token;
        for name in ["__operator_only__", "__timeout_only__", "__timeout__"] {
            let mut args = w.signal_args(id, details.primary.waitpoint_id, &token);
            args.signal_name = name.into();
            let error = refused(w.run(args.clone()), "invalid_input");
            assert_eq!(detail(&error), format!("reserved_signal_name: {name}"));
        }
        assert_eq!(w.vector(id).1, "suspended");
    }
}

#[test]
fn a_repeat_is_a_duplicate_also_after_the_resume() {
    let (mut w, id, to) = World::suspended();
    let mut args = w.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    args.idempotency_key = Some("once".into());
    w.run(args.clone()).unwrap();
    let first = args.signal_id;
    for _ in 0..2 {
        args.signal_id = w.signal_id();
        assert_eq!(w.run(args.clone()).unwrap(), SignalOutcome::Duplicate { existing_signal_id: first });
        assert!(w.last.is_empty());
    }
    args.waitpoint_token = WaitpointToken::new("wrong");
    refused(w.run(args.clone()), "invalid_token");
    args.waitpoint_token = to.waitpoint_token;
    w.pass(args.dedup_ttl_ms);
    refused(w.run(args.clone()), "target_not_signalable");
}

#[test]
fn without_a_key_the_id_makes_a_duplicate() {
    let (mut w, id, _) = World::leased();
    let issued = w.suspend_on(id, &["a", "b"], ResumeCondition::all_of_waitpoints(["a", "b"]));
    let [a, b] = [0, 1].map(|at| issued[at].clone());
    let mut args = w.signal_args(id, a.waitpoint_id, &a.waitpoint_token);
    w.run(args.clone()).unwrap();
    let duplicate = SignalOutcome::Duplicate { existing_signal_id: args.signal_id };
    for (key, ttl) in [(None, 5), (Some(""), 5), (Some("k"), 0), (Some("k"), 5)] {
        args.idempotency_key = key.map(str::to_owned);
        args.dedup_ttl_ms = ttl;
        assert_eq!(w.run(args.clone()).unwrap(), duplicate, "a signal that is stored is never written over");
    }
    args.waitpoint_id = b.waitpoint_id;
    args.waitpoint_token = b.waitpoint_token;
    assert!(
        matches!(w.run(args.clone()).unwrap(), SignalOutcome::Accepted { .. }),
        "another waitpoint, another signal"
    );
}

#[test]
fn a_key_without_time_to_live_is_ignored() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.resume_condition = ResumeCondition::OperatorOnly);
    let to = details.primary.waitpoint_id;
    for _ in 0..2 {
        w.deliver(id, to, |args| {
            args.idempotency_key = Some("k".into());
            args.dedup_ttl_ms = 0;
        });
    }
    assert!(w.wait_records().all(|record| !matches!(record.key(), WaitKey::SignalDedup(_))));
    assert_eq!(w.waitpoint(to).signal_count, 2);
}

#[test]
fn who_takes_no_signals_says_so() {
    let (mut w, id, to) = World::suspended();
    w.deliver(id, to.waitpoint_id, |_| {});
    let args = w.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    refused(w.run(args.clone()), "target_not_signalable");
    w.grant(id);
    let resume = w.resume_args(id);
    w.run(resume).unwrap();
    refused(w.run(args.clone()), "target_not_signalable");
    w.suspend(id, |_| {});
    refused(w.run(args.clone()), "waitpoint_closed");
    let cancel =
        CancelExecution { execution_id: id, reason: String::new(), source: operator(), fence: FenceTriple::NONE };
    w.run(cancel).unwrap();
    refused(w.run(args.clone()), "target_not_signalable");
}

#[test]
fn an_execution_accepts_only_so_many_signals() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.resume_condition = ResumeCondition::OperatorOnly);
    let to = details.primary.waitpoint_id;
    for _ in 0..3 {
        w.deliver(id, to, |args| args.max_signals_per_execution = 3);
    }
    let mut args = w.signal_args(id, to, &details.primary.waitpoint_token);
    args.max_signals_per_execution = 3;
    refused(w.run(args.clone()), "signal_limit_exceeded");
    args.max_signals_per_execution = 4;
    w.run(args.clone()).unwrap();
    args.max_signals_per_execution = 0;
    args.signal_id = w.signal_id();
    w.run(args.clone()).unwrap();
    assert_eq!(w.find_waits(id).unwrap().signal_count, 5);
}

#[test]
fn what_a_suspension_counts_is_bounded() {
    let (mut w, id, _) = World::leased();
    let issued = w.suspend_on(id, &["a"], count(u32::MAX, CountKind::DistinctSignals, &["a"]));
    let to = &issued[0];
    let mut args = w.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    args.max_signals_per_execution = 0;
    // Straight into the record: as many signals as are remembered, less one.
    let mut waits = (*w.find_waits(id).unwrap()).clone();
    let suspension = waits.current.as_mut().unwrap();
    for n in 1..COUNTED_IDS_MAX {
        let heard = leasehold_core::suspension::Heard {
            signal_id: uuid::Uuid::from_u128(u128::MAX - n as u128).into(),
            waitpoint_key: "a",
            signal_name: "x",
            source_type: "",
            source_identity: "",
        };
        suspension.progress.hear(&suspension.condition, &heard);
    }
    w.plant(leasehold_core::record::WaitRecord::Waits(std::sync::Arc::new(waits)));
    w.run(args.clone()).unwrap();
    let full = w.find_waits(id).unwrap();
    let bytes = leasehold_core::codec::encode(&*full).unwrap();
    assert!(bytes.len() < leasehold_core::codec::RECORD_BYTES_MAX, "{} bytes", bytes.len());
    args.signal_id = w.signal_id();
    refused(w.run(args.clone()), "signal_limit_exceeded");
}

#[test]
fn texts_and_payload_are_bounded_before_anything_is_read() {
    let (mut w, id, to) = World::suspended();
    let mut args = w.signal_args(id, to.waitpoint_id, &WaitpointToken::new("wrong"));
    args.execution_id = ExecutionId::from_parts(7, w.mint());
    args.payload = Some(Bytes::from(vec![0; SIGNAL_PAYLOAD_BYTES_MAX + 1]));
    let error = refused(w.run(args.clone()), "payload_too_large");
    assert_eq!(detail(&error), "65537 bytes, at most 65536");
    args.payload = None;
    let long = || "x".repeat(257);
    type Spoil = fn(&mut leasehold_core::command::DeliverSignal, String);
    let spoils: [Spoil; 8] = [
        |args, text| args.signal_name = text,
        |args, text| args.signal_category = text,
        |args, text| args.source_type = text,
        |args, text| args.source_identity = text,
        |args, text| args.payload_encoding = text,
        |args, text| args.target_scope = text,
        |args, text| args.correlation_id = Some(text),
        |args, text| args.idempotency_key = Some(text),
    ];
    for spoil in spoils {
        for text in [long(), "a\0b".to_owned()] {
            let mut args = args.clone();
            spoil(&mut args, text);
            refused(w.run(args.clone()), "invalid_input");
        }
    }
    refused(w.run(args.clone()), "execution_not_found");
}

#[test]
fn payloads_are_kept_byte_for_byte() {
    for size in [0, 1, 256, 257, SIGNAL_PAYLOAD_BYTES_MAX] {
        let (mut w, id, to) = World::suspended();
        let bytes: Vec<u8> = (0..size).map(|n| (n * 7 + 0xF0) as u8).collect();
        let (signal_id, _) = w.deliver(id, to.waitpoint_id, |args| args.payload = Some(bytes.clone().into()));
        let key = SignalKey { waitpoint_id: to.waitpoint_id, signal_id };
        match &w.signal(key).payload {
            Some(SignalPayload::Inline(inline)) => assert_eq!((size <= 256, inline), (true, &bytes)),
            Some(SignalPayload::Stored(length)) => {
                assert_eq!((size > 256, *length as usize, w.signal_bytes(key)), (true, size, Some(&bytes[..])));
            }
            None => panic!("{size}"),
        }
    }
    let (mut w, id, to) = World::suspended();
    let (signal_id, _) = w.deliver(id, to.waitpoint_id, |args| args.payload = None);
    assert_eq!(w.signal(SignalKey { waitpoint_id: to.waitpoint_id, signal_id }).payload, None);
}

#[test]
fn an_approval_needs_no_token_and_is_deduplicated_by_its_suffix() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.resume_condition = single("a", Some("approved")));
    let to = details.primary.waitpoint_id;
    let rejected = w.approval_args(id, to, "rejected");
    assert!(matches!(w.run(rejected.clone()).unwrap(), SignalOutcome::Accepted { .. }));
    let approved = w.approval_args(id, to, "approved");
    let SignalOutcome::Accepted { signal_id, effect } = w.run(approved.clone()).unwrap() else { panic!() };
    assert_eq!(effect.as_str(), "resume_condition_satisfied");
    let signal = w.signal(SignalKey { waitpoint_id: to, signal_id });
    assert_eq!((signal.signal_category.as_str(), signal.source_type.as_str()), ("approval", "operator"));
    assert_eq!((signal.source_identity.as_str(), signal.target_scope.as_str()), ("", "execution"));
    assert_eq!(signal.idempotency_key.as_deref(), Some("approval:approved:ann"));
    assert_eq!(signal.payload, None);
    let again = w.approval_args(id, to, "approved");
    assert_eq!(w.run(again.clone()).unwrap(), SignalOutcome::Duplicate { existing_signal_id: signal_id });
}

#[test]
fn an_approval_checks_execution_waitpoint_and_lane_in_this_order() {
    let (mut w, id, to) = World::suspended();
    let mut args = w.approval_args(id, to.waitpoint_id, "__timeout__");
    refused(w.run(args.clone()), "invalid_input");
    args.signal_name = "approved".into();
    args.idempotency_suffix = "s".repeat(257);
    refused(w.run(args.clone()), "invalid_input");
    args.idempotency_suffix = "s".repeat(256);
    args.lane_id = LaneId::new("other");
    let missing = w.waitpoint_id();
    let mut nowhere = args.clone();
    nowhere.waitpoint_id = missing;
    refused(w.run(nowhere.clone()), "waitpoint_not_found");
    nowhere.execution_id = ExecutionId::from_parts(7, w.mint());
    refused(w.run(nowhere.clone()), "execution_not_found");
    let error = refused(w.run(args.clone()), "invalid_input");
    assert_eq!(detail(&error), "lane_mismatch: args.lane_id=other exec_core.lane_id=default");
    let other = w.create();
    let mut foreign = args.clone();
    foreign.lane_id = crate::fixture::lane();
    foreign.execution_id = other;
    refused(w.run(foreign.clone()), "invalid_token");
}
