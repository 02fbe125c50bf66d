//! `replay_execution`: an ended execution runs once more, whatever its
//! outcome.

use crate::case::Case;
use crate::states::{WAITING, eligible};
use bytes::Bytes;
use leasehold_contract::{CompleteExecution, FailOutcome, ReplayExecution, Replayed};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::{BlobKind, Pending};
use leasehold_core::state::{AttemptType, PublicState, TerminalOutcome};
use leasehold_tests::harness::act::{cancellation, completion, failure, replay};

const OUTCOMES: [TerminalOutcome; 4] =
    [TerminalOutcome::Success, TerminalOutcome::Failed, TerminalOutcome::Cancelled, TerminalOutcome::Expired];

pub async fn it_is_eligible_again_whatever_its_outcome(case: &mut Case) {
    for outcome in OUTCOMES {
        let created_at = case.now();
        let held = case.ended(outcome).await.execution;
        let id = held.execution_id;
        case.advance(5);
        let replayed = case.engine.replay_execution(replay(id)).await.unwrap();
        assert_eq!(replayed, Replayed { execution_id: id, public_state: PublicState::Waiting });
        assert_eq!(case.vector(id).await, eligible("pending_replay_attempt"));
        let record = case.record(id).await;
        assert_eq!((record.replay_count, record.completed_at), (1, None));
        assert_eq!((record.failure_reason.as_ref(), record.cancellation_reason.as_ref()), (None, None));
        assert_eq!((record.cancelled_by.as_ref(), record.result.as_ref()), (None, None));
        assert_eq!((record.total_attempt_count, record.lease_epoch), (1, held.lease_epoch));
        assert_eq!(record.last_transition_at, case.now());
        let entry = case.entry(id).await;
        assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", created_at.0, None));
        let story = case.story(id).await;
        assert_eq!(story.last().map(String::as_str), Some("replay_initiated 1 normal"));
        assert_eq!(story[story.len() - 2], format!("completed {outcome}"));
    }
}

pub async fn who_asks_and_why_is_kept_for_the_next_attempt(case: &mut Case) {
    let id = case.completed().await.execution.execution_id;
    let args =
        ReplayExecution { requested_by: Some("anna".to_owned()), reason: Some("wrong rate".to_owned()), ..replay(id) };
    case.engine.replay_execution(args).await.unwrap();
    let expected = Pending::Replay {
        reason: "wrong rate".to_owned(),
        requested_by: "anna".to_owned(),
        previous_attempt_index: Some(AttemptIndex(0)),
    };
    assert_eq!(case.record(id).await.pending, Some(expected));
}

pub async fn the_next_attempt_is_a_new_one(case: &mut Case) {
    let first = case.completed().await.execution;
    let id = first.execution_id;
    case.engine.replay_execution(replay(id)).await.unwrap();
    let second = case.lease(id).await.execution;
    assert_eq!((second.attempt_type, second.kind), (AttemptType::Replay, HandleKind::Fresh));
    assert_eq!((second.attempt_index, second.lease_epoch.0), (AttemptIndex(1), 2));
    assert_ne!(second.attempt_id, first.attempt_id);
    case.engine.complete_execution(completion(&second)).await.unwrap();
    let story = [
        "acquired 1",
        "released 1 completed",
        "completed success",
        "replay_initiated 1 normal",
        "acquired 2",
        "released 2 completed",
        "completed success",
    ];
    assert_eq!(case.story(id).await, story);
}

pub async fn what_never_ran_is_replayed_too(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    case.engine.replay_execution(replay(id)).await.unwrap();
    assert_eq!(case.vector(id).await, eligible("pending_replay_attempt"));
    let held = case.lease(id).await.execution;
    assert_eq!((held.attempt_type, held.attempt_index), (AttemptType::Replay, AttemptIndex(0)));
}

pub async fn the_old_result_is_gone_large_or_small(case: &mut Case) {
    for size in [0, 10, 100_000] {
        let held = case.leased().await.execution;
        let id = held.execution_id;
        let result_payload = Some(Bytes::from(vec![7; size]));
        let done = CompleteExecution { result_payload, result_encoding: Some("raw".to_owned()), ..completion(&held) };
        case.engine.complete_execution(done).await.unwrap();
        case.engine.replay_execution(replay(id)).await.unwrap();
        assert_eq!(case.engine.get_execution_result(id).await, Ok(None));
        assert_eq!(case.blob(id, BlobKind::Result).await, None);
        assert_eq!(case.record(id).await.result_encoding, None);
        let again = case.lease(id).await;
        case.engine.complete(&again.handle, Some(Bytes::from_static(b"new"))).await.unwrap();
        assert_eq!(case.engine.get_execution_result(id).await.unwrap().as_deref(), Some(&b"new"[..]));
    }
}

pub async fn retries_begin_anew_and_reclaims_count_on(case: &mut Case) {
    const POLICY: &str = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":10}}}"#;
    let held = case.leased_under(POLICY).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    let mut held = case.reclaim_lost(id).await.execution;
    for round in 1..=2 {
        let retried = case.engine.fail_execution(failure(&held)).await.unwrap();
        assert!(matches!(retried, FailOutcome::RetryScheduled { .. }), "round {round}");
        case.advance(10);
        case.promote(id).await;
        held = case.lease(id).await.execution;
        assert_eq!(case.engine.fail_execution(failure(&held)).await, Ok(FailOutcome::TerminalFailed));
        case.engine.replay_execution(replay(id)).await.unwrap();
        let record = case.record(id).await;
        assert_eq!((record.retry_count, record.lease_reclaim_count, record.replay_count), (0, 1, round));
        held = case.lease(id).await.execution;
    }
}

pub async fn only_a_deadline_to_come_is_armed_again(case: &mut Case) {
    for (wait, kept) in [(100, true), (5000, false)] {
        let deadline = case.now().plus(5000);
        let id = case.created(|args| args.execution_deadline_at = Some(deadline)).await;
        let held = case.lease(id).await.execution;
        case.engine.complete_execution(completion(&held)).await.unwrap();
        case.advance(wait);
        case.engine.replay_execution(replay(id)).await.unwrap();
        let expected = Some(deadline).filter(|_| kept);
        assert_eq!(case.record(id).await.deadline_at, expected);
        assert_eq!(case.entry(id).await.due_at, expected);
    }
}

pub async fn what_has_not_ended_is_not_replayed(case: &mut Case) {
    for id in [
        case.waiting().await,
        case.delayed(10).await,
        case.leased().await.execution.execution_id,
        case.revoked().await.execution.execution_id,
        case.parked(10).await.execution.execution_id,
        case.retrying().await.execution.execution_id,
    ] {
        case.refused(id, case.engine.replay_execution(replay(id)), "execution_not_terminal").await;
    }
}

pub async fn a_repeat_finds_it_not_terminal(case: &mut Case) {
    let id = case.completed().await.execution.execution_id;
    case.engine.replay_execution(replay(id)).await.unwrap();
    case.refused(id, case.engine.replay_execution(replay(id)), "execution_not_terminal").await;
}

pub async fn replays_are_limited_by_the_policy_or_to_ten(case: &mut Case) {
    for (policy, most) in [("{}", 10), (r#"{"max_replay_count":2}"#, 2), (r#"{"max_replay_count":0}"#, 0)] {
        let id = case.created_under(policy).await;
        case.engine.cancel_execution(cancellation(id)).await.unwrap();
        for _ in 0..most {
            case.engine.replay_execution(replay(id)).await.unwrap();
            case.engine.cancel_execution(cancellation(id)).await.unwrap();
        }
        case.refused(id, case.engine.replay_execution(replay(id)), "max_replays_exhausted").await;
        assert_eq!(case.record(id).await.replay_count, most, "{policy}");
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.replay_execution(replay(id)), "execution_not_found").await;
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let id = case.completed().await.execution.execution_id;
    for odd in [
        ReplayExecution { requested_by: Some("r".repeat(257)), ..replay(id) },
        ReplayExecution { requested_by: Some("a\0b".to_owned()), ..replay(id) },
        ReplayExecution { reason: Some("r".repeat(4097)), ..replay(id) },
        ReplayExecution { reason: Some("a\0b".to_owned()), ..replay(id) },
    ] {
        case.refused(id, case.engine.replay_execution(odd), "invalid_input").await;
    }
}

pub async fn waiting_after_a_replay_is_not_waiting_for_the_first_time(case: &mut Case) {
    let id = case.completed().await.execution.execution_id;
    case.engine.replay_execution(replay(id)).await.unwrap();
    assert_ne!(case.vector(id).await, WAITING);
    let record = case.record(id).await;
    assert!(record.started_at.is_some(), "it started once and for all");
}
