//! Signals that are sent again.

use super::key;
use crate::case::Case;
use futures::future::join_all;
use leasehold_contract::{DeliverSignal, SignalOutcome};
use leasehold_core::suspension::ResumeCondition;
use leasehold_tests::harness::Waiting;
use leasehold_tests::harness::act::cancellation;

const DAY_MS: u64 = 86_400_000;

fn keyed(case: &Case, to: &Waiting) -> DeliverSignal {
    DeliverSignal { idempotency_key: Some("once".to_owned()), ..case.signal_to(to.id, to.primary()) }
}

async fn duplicate_of(case: &Case, args: DeliverSignal, first: &DeliverSignal) {
    let outcome = case.changes_nothing(args.execution_id, case.engine.deliver_signal(args)).await;
    assert_eq!(outcome, SignalOutcome::Duplicate { existing_signal_id: first.signal_id });
}

pub async fn a_repeat_is_a_duplicate_also_after_the_resume(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let first = keyed(case, &waiting);
    case.deliver(first.clone()).await;
    duplicate_of(case, keyed(case, &waiting), &first).await;
    duplicate_of(case, first.clone(), &first).await;
    case.kill().await;
    duplicate_of(case, keyed(case, &waiting), &first).await;
    let held = case.take_again(waiting.id).await;
    duplicate_of(case, keyed(case, &waiting), &first).await;
    let args = case.suspension();
    case.suspend(held, args).await;
    duplicate_of(case, keyed(case, &waiting), &first).await;
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
    duplicate_of(case, keyed(case, &waiting), &first).await;
    assert!(case.find_signal(waiting.id, key(&first)).await.is_some());
}

pub async fn a_key_lasts_as_long_as_the_sender_says(case: &mut Case) {
    let operator_only = |args: &mut leasehold_contract::SuspendArgs| {
        args.resume_condition = ResumeCondition::OperatorOnly;
    };
    let waiting = case.suspended(operator_only).await;
    let first = DeliverSignal { dedup_ttl_ms: 5000, ..keyed(case, &waiting) };
    case.deliver(first.clone()).await;
    case.advance(4999);
    duplicate_of(case, keyed(case, &waiting), &first).await;
    case.advance(1);
    let second = keyed(case, &waiting);
    assert_eq!(case.deliver(second.clone()).await, "no_op");
    case.advance(DAY_MS - 1);
    duplicate_of(case, keyed(case, &waiting), &second).await;
    case.advance(1);
    assert_eq!(case.deliver(keyed(case, &waiting)).await, "no_op");
}

pub async fn without_a_key_the_id_makes_a_duplicate(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    let first = case.signal_to(waiting.id, waiting.primary());
    case.deliver(first.clone()).await;
    for (key, ttl) in [(None, DAY_MS), (Some(""), DAY_MS), (Some("k"), 0), (Some("k"), DAY_MS)] {
        let again = DeliverSignal { idempotency_key: key.map(str::to_owned), dedup_ttl_ms: ttl, ..first.clone() };
        duplicate_of(case, again, &first).await;
    }
}

pub async fn a_key_without_time_to_live_is_ignored(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    for _ in 0..2 {
        let args = DeliverSignal { dedup_ttl_ms: 0, ..keyed(case, &waiting) };
        assert_eq!(case.deliver(args).await, "no_op");
    }
    let empty = || DeliverSignal { idempotency_key: Some(String::new()), ..keyed(case, &waiting) };
    assert_eq!(case.deliver(empty()).await, "no_op");
    assert_eq!(case.deliver(empty()).await, "no_op");
    assert_eq!(case.waits(waiting.id).await.signal_count, 4);
}

pub async fn keys_and_ids_belong_to_their_waitpoint(case: &mut Case) {
    let keys = ["a", "b"];
    let waiting = case.suspended_on(&keys, ResumeCondition::all_of_waitpoints(keys)).await;
    let issued = waiting.waitpoints();
    let first = DeliverSignal { idempotency_key: Some("once".into()), ..case.signal_to(waiting.id, issued[0]) };
    assert_eq!(case.deliver(first.clone()).await, "appended_to_waitpoint");
    let second = DeliverSignal {
        signal_id: first.signal_id,
        idempotency_key: Some("once".into()),
        ..case.signal_to(waiting.id, issued[1])
    };
    assert_eq!(case.deliver(second).await, "resume_condition_satisfied");
}

pub async fn a_duplicate_needs_a_token_too(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let first = keyed(case, &waiting);
    case.deliver(first.clone()).await;
    let mut forged = first;
    forged.waitpoint_token = leasehold_core::token::WaitpointToken::new(format!("k1:{}", "0".repeat(40)));
    case.code(case.engine.deliver_signal(forged).await, "invalid_token");
}

pub async fn of_many_at_once_one_resumes(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let sent = (0..8).map(|_| case.engine.deliver_signal(case.signal_to(waiting.id, waiting.primary())));
    let (mut accepted, mut late) = (0, 0);
    for outcome in join_all(sent).await {
        match outcome {
            Ok(SignalOutcome::Accepted { effect, .. }) => {
                assert_eq!(effect.as_str(), "resume_condition_satisfied");
                accepted += 1;
            }
            other => {
                case.code(other, "target_not_signalable");
                late += 1;
            }
        }
    }
    assert_eq!((accepted, late), (1, 7));
}

pub async fn of_many_with_one_key_at_once_one_is_accepted(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    let outcomes = join_all((0..8).map(|_| case.engine.deliver_signal(keyed(case, &waiting)))).await;
    let accepted: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Ok(SignalOutcome::Accepted { signal_id, .. }) => Some(*signal_id),
            _ => None,
        })
        .collect();
    assert_eq!(accepted.len(), 1, "{outcomes:?}");
    for outcome in outcomes {
        let Ok(SignalOutcome::Accepted { signal_id: id, .. } | SignalOutcome::Duplicate { existing_signal_id: id }) =
            outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(id, accepted[0]);
    }
    assert_eq!(case.waits(waiting.id).await.signal_count, 1);
}
