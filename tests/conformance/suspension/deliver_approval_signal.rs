//! `deliver_approval_signal`: a signal for somebody whom the caller has
//! authenticated.

use crate::case::Case;
use crate::states::eligible;
use crate::suspension::detail;
use leasehold_contract::{DeliverApprovalSignal, RotateHmacSecret, SecretHex, SignalOutcome};
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::ids::{ExecutionId, LaneId, WaitpointId};
use leasehold_core::record::SignalKey;
use leasehold_core::suspension::ResumeCondition;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::{LANE, Waiting, by_name, resumption};

const DAY_MS: u64 = 86_400_000;

fn approval(case: &Case, execution_id: ExecutionId, waitpoint_id: WaitpointId) -> DeliverApprovalSignal {
    DeliverApprovalSignal {
        execution_id,
        lane_id: LaneId::new(LANE),
        waitpoint_id,
        signal_id: case.signal_id(),
        signal_name: "approved".to_owned(),
        idempotency_suffix: "step-1".to_owned(),
        signal_dedup_ttl_ms: DAY_MS,
        max_signals_per_execution: 10_000,
    }
}

fn of(case: &Case, waiting: &Waiting) -> DeliverApprovalSignal {
    approval(case, waiting.id, waiting.primary().waitpoint_id)
}

async fn accepted(case: &Case, args: DeliverApprovalSignal) -> &'static str {
    match case.engine.deliver_approval_signal(args).await {
        Ok(SignalOutcome::Accepted { effect, .. }) => effect.as_str(),
        other => panic!("not accepted: {other:?}"),
    }
}

pub async fn it_resumes_without_the_caller_knowing_the_token(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = by_name("a", "approved")).await;
    let args = of(case, &waiting);
    assert_eq!(accepted(case, args.clone()).await, "resume_condition_satisfied");
    assert_eq!(case.vector(waiting.id).await, eligible("attempt_interrupted"));
    let told = "signal_delivered resume_condition_satisfied from ";
    assert_eq!(case.story(waiting.id).await, ["acquired 1", "released 1 suspend", told]);
    case.kill().await;
    let key = SignalKey { waitpoint_id: args.waitpoint_id, signal_id: args.signal_id };
    let signal = case.find_signal(waiting.id, key).await.unwrap();
    assert_eq!((signal.signal_name.as_str(), signal.signal_category.as_str()), ("approved", "approval"));
    assert_eq!((signal.source_type.as_str(), signal.source_identity.as_str()), ("operator", ""));
    assert_eq!(signal.idempotency_key.as_deref(), Some("approval:approved:step-1"));
    assert_eq!((signal.target_scope.as_str(), &signal.payload, &signal.correlation_id), ("execution", &None, &None));
    let held = case.take_again(waiting.id).await;
    let seen = case.engine.observe_signals(&held.handle).await.unwrap();
    assert_eq!((seen[0].signal_category.as_str(), seen[0].source_type.as_str()), ("approval", "operator"));
}

pub async fn each_answer_is_a_key_of_its_own(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    let approved = of(case, &waiting);
    assert_eq!(accepted(case, approved.clone()).await, "no_op");
    let again = of(case, &waiting);
    let outcome = case.changes_nothing(waiting.id, case.engine.deliver_approval_signal(again)).await;
    assert_eq!(outcome, SignalOutcome::Duplicate { existing_signal_id: approved.signal_id });
    let rejected = DeliverApprovalSignal { signal_name: "rejected".into(), ..of(case, &waiting) };
    assert_eq!(accepted(case, rejected).await, "no_op");
    let next_step = DeliverApprovalSignal { idempotency_suffix: "step-2".into(), ..of(case, &waiting) };
    assert_eq!(accepted(case, next_step).await, "no_op");
    let unkeyed = || DeliverApprovalSignal { signal_dedup_ttl_ms: 0, ..of(case, &waiting) };
    assert_eq!(accepted(case, unkeyed()).await, "no_op");
    assert_eq!(accepted(case, unkeyed()).await, "no_op");
    case.advance(DAY_MS);
    assert_eq!(accepted(case, of(case, &waiting)).await, "no_op");
    assert_eq!(case.waits(waiting.id).await.signal_count, 6);
}

pub async fn it_stays_a_duplicate_after_the_resume(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let first = of(case, &waiting);
    assert_eq!(accepted(case, first.clone()).await, "resume_condition_satisfied");
    case.kill().await;
    let again = case.engine.deliver_approval_signal(of(case, &waiting));
    let outcome = case.changes_nothing(waiting.id, again).await;
    assert_eq!(outcome, SignalOutcome::Duplicate { existing_signal_id: first.signal_id });
}

pub async fn a_pending_waitpoint_keeps_it(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    let args = approval(case, id, pending.waitpoint_id);
    assert_eq!(accepted(case, args).await, "buffered_for_pending_waitpoint");
}

pub async fn the_resume_delay_is_the_policys(case: &mut Case) {
    let policy = leasehold_core::record::ResumePolicy { resume_delay_ms: Some(30), ..Default::default() };
    let waiting = case.suspended(|args| args.resume_policy = policy).await;
    accepted(case, of(case, &waiting)).await;
    let record = case.record(waiting.id).await;
    assert_eq!(record.delay_until, Some(case.now().plus(30)));
    assert_eq!(record.blocking_detail.as_deref(), Some("resume delay 30ms after signal approved"));
}

pub async fn checks_run_in_their_order(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let elsewhere = || LaneId::new("elsewhere");
    for id in [case.id(), case.id_in(case.partitions())] {
        let nowhere = DeliverApprovalSignal { lane_id: elsewhere(), ..approval(case, id, case.waitpoint_id()) };
        case.refused(id, case.engine.deliver_approval_signal(nowhere), "execution_not_found").await;
    }
    let no_waitpoint =
        DeliverApprovalSignal { lane_id: elsewhere(), ..approval(case, waiting.id, case.waitpoint_id()) };
    let call = case.engine.deliver_approval_signal(no_waitpoint);
    let error = case.refused(waiting.id, call, "waitpoint_not_found").await;
    assert_eq!(error, EngineError::not_found(Entity::Waitpoint));
    let wrong_lane = DeliverApprovalSignal { lane_id: elsewhere(), ..of(case, &waiting) };
    let error = case.refused(waiting.id, case.engine.deliver_approval_signal(wrong_lane), "invalid_input").await;
    assert_eq!(detail(&error), "lane_mismatch: args.lane_id=elsewhere exec_core.lane_id=mail");
}

pub async fn the_waitpoint_of_another_execution_is_refused(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let other = case.waiting_for_signal().await;
    let args = approval(case, waiting.id, other.primary().waitpoint_id);
    case.code(case.engine.deliver_approval_signal(args).await, "invalid_token");
    assert_eq!(case.waits(other.id).await.signal_count, 0);
}

pub async fn who_takes_no_signals_says_so(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let late = || case.engine.deliver_approval_signal(of(case, &waiting));
    case.engine.resume_execution(resumption(waiting.id)).await.unwrap();
    case.refused(waiting.id, late(), "target_not_signalable").await;
    let held = case.take_again(waiting.id).await;
    let args = case.suspension();
    let second = case.suspend(held, args).await;
    case.refused(waiting.id, late(), "waitpoint_closed").await;
    let limited = DeliverApprovalSignal { max_signals_per_execution: 1, ..of(case, &second) };
    let held = case.engine.deliver_approval_signal(limited.clone()).await.unwrap();
    assert!(matches!(held, SignalOutcome::Accepted { .. }), "{held:?}");
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
    case.refused(waiting.id, late(), "target_not_signalable").await;
}

pub async fn an_execution_accepts_so_many_signals_in_its_life(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    accepted(case, of(case, &waiting)).await;
    let args = DeliverApprovalSignal {
        max_signals_per_execution: 1,
        idempotency_suffix: "step-2".into(),
        ..of(case, &waiting)
    };
    case.refused(waiting.id, case.engine.deliver_approval_signal(args), "signal_limit_exceeded").await;
}

pub async fn a_key_that_verifies_no_more_closes_this_door_too(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    let rotate =
        RotateHmacSecret { new_kid: "k2".into(), new_secret_hex: SecretHex::new("08".repeat(32)), grace_ms: 5 };
    for rotation in case.engine.rotate_waitpoint_hmac_secret_all(rotate).await.unwrap() {
        rotation.result.unwrap();
    }
    case.advance(5);
    accepted(case, of(case, &waiting)).await;
    case.advance(1);
    let unkeyed = DeliverApprovalSignal { signal_dedup_ttl_ms: 0, ..of(case, &waiting) };
    case.code(case.engine.deliver_approval_signal(unkeyed).await, "token_expired");
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let long = "x".repeat(257);
    for (args, words) in [
        (
            DeliverApprovalSignal { signal_name: long.clone(), ..of(case, &waiting) },
            "signal_name: 257 bytes, at most 256",
        ),
        (DeliverApprovalSignal { signal_name: "\0".into(), ..of(case, &waiting) }, "signal_name: NUL byte"),
        (
            DeliverApprovalSignal { signal_name: "__timeout__".into(), ..of(case, &waiting) },
            "reserved_signal_name: __timeout__",
        ),
        (
            DeliverApprovalSignal { idempotency_suffix: long.clone(), ..of(case, &waiting) },
            "idempotency_suffix: 257 bytes, at most 256",
        ),
        (
            DeliverApprovalSignal { idempotency_suffix: "\0".into(), ..of(case, &waiting) },
            "idempotency_suffix: NUL byte",
        ),
    ] {
        let error = case.refused(waiting.id, case.engine.deliver_approval_signal(args), "invalid_input").await;
        assert_eq!(detail(&error), words);
    }
    let longest = "x".repeat(256);
    let args =
        DeliverApprovalSignal { signal_name: longest.clone(), idempotency_suffix: longest, ..of(case, &waiting) };
    assert_eq!(accepted(case, args).await, "resume_condition_satisfied");
}
