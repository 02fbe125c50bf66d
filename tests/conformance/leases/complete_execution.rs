//! `complete_execution`: a holder ends the execution well.

use crate::case::Case;
use crate::fencing::{Answer, forgeries, not_active, told, under_lease};
use crate::states::{LAPSED, ended};
use bytes::Bytes;
use leasehold_contract::{CommandSource, CompleteExecution, Completed, FenceTriple};
use leasehold_core::command::{ClaimedExecution, PAYLOAD_BYTES_MAX};
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::BlobKind;
use leasehold_core::state::{AttemptLifecycle, PublicState, TerminalOutcome};
use leasehold_tests::harness::act::{completion, replay, revocation};

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.complete_execution(completion(held)).await) })
}

under_lease!(marks);

fn unfenced(held: &ClaimedExecution) -> CompleteExecution {
    CompleteExecution { fence: FenceTriple::NONE, source: CommandSource::OperatorOverride, ..completion(held) }
}

pub async fn the_execution_ends_and_its_lease_with_it(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    case.advance(5);
    let done = case.engine.complete_execution(completion(&held)).await.unwrap();
    assert_eq!(done, Completed { execution_id: id, public_state: PublicState::Completed });
    assert_eq!(case.vector(id).await, ended("success"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 completed", "completed success"]);
    let record = case.record(id).await;
    assert_eq!(record.completed_at, Some(case.now()));
    assert_eq!((record.last_transition_at, record.last_mutation_at), (case.now(), case.now()));
    assert_eq!((record.lease.as_ref(), record.lease_epoch), (None, held.lease_epoch));
    assert_eq!((record.current_attempt_id(), record.current_attempt_index()), (Some(held.attempt_id), AttemptIndex(0)));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.ended_at), (AttemptLifecycle::EndedSuccess, Some(case.now())));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("terminal", case.now().0, None));
}

pub async fn the_deadline_no_longer_matters(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":1000}}"#).await.execution;
    assert_eq!(case.timer(held.execution_id).await, Some(case.now().plus(1000)));
    case.engine.complete_execution(completion(&held)).await.unwrap();
    assert_eq!(case.timer(held.execution_id).await, None);
    assert_eq!(case.entry(held.execution_id).await.due_at, None);
}

pub async fn results_are_kept_as_they_are(case: &mut Case) {
    for result in [
        None,
        Some(Bytes::new()),
        Some(Bytes::from_static(b"\xff\x00 not text")),
        Some(Bytes::from(vec![7; 256])),
        Some(Bytes::from(vec![7; 257])),
        Some(Bytes::from(vec![7; PAYLOAD_BYTES_MAX])),
    ] {
        let held = case.leased().await.execution;
        let completion = CompleteExecution { result_payload: result.clone(), ..completion(&held) };
        case.engine.complete_execution(completion).await.unwrap();
        let stored = case.engine.get_execution_result(held.execution_id).await.unwrap();
        assert_eq!(stored, result, "{:?} bytes", result.as_ref().map(Bytes::len));
    }
}

pub async fn how_a_result_is_encoded_is_kept_with_it(case: &mut Case) {
    let held = case.leased().await.execution;
    let encoding = Some("application/json".to_owned());
    let completion = CompleteExecution {
        result_payload: Some(Bytes::from_static(b"{}")),
        result_encoding: encoding.clone(),
        ..completion(&held)
    };
    case.engine.complete_execution(completion).await.unwrap();
    assert_eq!(case.record(held.execution_id).await.result_encoding, encoding);
}

pub async fn a_result_over_the_limit_is_refused(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let result_payload = Some(Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1]));
    let large = CompleteExecution { result_payload, ..completion(&held) };
    case.refused(id, case.engine.complete_execution(large), "payload_too_large").await;
    assert_eq!(case.blob(id, BlobKind::Result).await, None);
}

pub async fn an_encoding_no_store_can_keep_is_refused(case: &mut Case) {
    let held = case.leased().await.execution;
    for encoding in ["e".repeat(257), "a\0b".to_owned()] {
        let odd = CompleteExecution { result_encoding: Some(encoding), ..completion(&held) };
        case.refused(held.execution_id, case.engine.complete_execution(odd), "invalid_input").await;
    }
}

pub async fn a_repeat_by_the_same_holder_is_recognised(case: &mut Case) {
    let held = case.leased().await.execution;
    let first = CompleteExecution { result_payload: Some(Bytes::from_static(b"first")), ..completion(&held) };
    let done = case.engine.complete_execution(first).await.unwrap();
    case.advance(1000);
    let second = CompleteExecution { result_payload: Some(Bytes::from_static(b"second")), ..completion(&held) };
    let again = case.changes_nothing(held.execution_id, case.engine.complete_execution(second)).await;
    assert_eq!(again, done);
    let result = case.engine.get_execution_result(held.execution_id).await.unwrap();
    assert_eq!(result.as_deref(), Some(&b"first"[..]));
}

pub async fn a_repeat_is_recognised_after_a_restart(case: &mut Case) {
    let held = case.completed().await.execution;
    case.kill().await;
    let again = case.changes_nothing(held.execution_id, case.engine.complete_execution(completion(&held))).await;
    assert_eq!(again.public_state, PublicState::Completed);
}

pub async fn a_completed_execution_tells_others_how_it_ended(case: &mut Case) {
    let held = case.completed().await.execution;
    let id = held.execution_id;
    let [_, epoch, attempt] = forgeries(&held);
    for stranger in [completion(&epoch), completion(&attempt), unfenced(&held)] {
        let error = case.refused(id, case.engine.complete_execution(stranger), "execution_not_active").await;
        let at = not_active(&error);
        assert_eq!((at.terminal_outcome, at.lease_epoch), (TerminalOutcome::Success, held.lease_epoch));
        assert_eq!(at.attempt_id, Some(held.attempt_id));
    }
}

pub async fn a_repeat_is_not_recognised_once_a_replay_began(case: &mut Case) {
    let held = case.completed().await.execution;
    let id = held.execution_id;
    case.engine.replay_execution(replay(id)).await.unwrap();
    case.refused(id, case.engine.complete_execution(completion(&held)), "execution_not_active").await;
    let again = case.lease(id).await.execution;
    case.refused(id, case.engine.complete_execution(completion(&held)), "stale_lease").await;
    case.engine.complete_execution(completion(&again)).await.unwrap();
    case.refused(id, case.engine.complete_execution(completion(&held)), "execution_not_active").await;
}

pub async fn a_failed_execution_is_not_completed_by_a_repeat(case: &mut Case) {
    let held = case.ended(TerminalOutcome::Failed).await.execution;
    case.refused(held.execution_id, case.engine.complete_execution(completion(&held)), "execution_not_active").await;
}

pub async fn an_operator_completes_without_a_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    case.engine.complete_execution(unfenced(&held)).await.unwrap();
    assert_eq!(case.vector(held.execution_id).await, ended("success"));
}

pub async fn an_operator_gets_past_neither_revocation_nor_lapse(case: &mut Case) {
    let held = case.leased().await.execution;
    case.engine.revoke_lease(revocation(held.execution_id)).await.unwrap();
    case.refused(held.execution_id, case.engine.complete_execution(unfenced(&held)), "lease_revoked").await;
    let overdue = case.overdue().await.execution;
    case.code(case.engine.complete_execution(unfenced(&overdue)).await, "lease_expired");
    assert_eq!(case.vector(overdue.execution_id).await, LAPSED);
    let waiting = CompleteExecution { execution_id: case.waiting().await, ..unfenced(&held) };
    case.refused(waiting.execution_id, case.engine.complete_execution(waiting.clone()), "execution_not_active").await;
}

pub async fn only_an_operator_does_without_a_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    for source in [
        CommandSource::LeaseHolder,
        CommandSource::FlowCascade,
        CommandSource::SystemTimeout,
        CommandSource::Custom("night shift".to_owned()),
    ] {
        let bare = CompleteExecution { source, ..unfenced(&held) };
        case.refused(held.execution_id, case.engine.complete_execution(bare), "fence_required").await;
    }
}

pub async fn a_part_of_a_fence_is_refused_before_anything_else_is_looked_at(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let whole: FenceTriple = held.fence().into();
    let parts = [
        FenceTriple { lease_id: None, ..whole },
        FenceTriple { lease_epoch: None, ..whole },
        FenceTriple { attempt_id: None, ..whole },
        FenceTriple { attempt_id: whole.attempt_id, ..FenceTriple::NONE },
    ];
    for fence in parts {
        for source in [CommandSource::LeaseHolder, CommandSource::OperatorOverride] {
            let partial = CompleteExecution { fence, source, ..completion(&held) };
            case.refused(id, case.engine.complete_execution(partial), "partial_fence_triple").await;
        }
    }
    let nobody = CompleteExecution { execution_id: case.id(), fence: parts[0], ..completion(&held) };
    case.refused(nobody.execution_id, case.engine.complete_execution(nobody.clone()), "execution_not_found").await;
    let idle = CompleteExecution { execution_id: case.waiting().await, fence: parts[0], ..completion(&held) };
    case.refused(idle.execution_id, case.engine.complete_execution(idle.clone()), "partial_fence_triple").await;
}

pub async fn another_attempt_index_is_stale(case: &mut Case) {
    let held = case.leased().await.execution;
    let other = CompleteExecution { attempt_index: Some(AttemptIndex(1)), ..completion(&held) };
    case.refused(held.execution_id, case.engine.complete_execution(other), "stale_lease").await;
    let named = CompleteExecution { attempt_index: Some(AttemptIndex(0)), ..completion(&held) };
    case.engine.complete_execution(named).await.unwrap();
}

pub async fn of_two_at_once_the_second_is_a_repeat(case: &mut Case) {
    let held = case.leased().await.execution;
    let engine = &case.engine;
    let (first, second) =
        tokio::join!(engine.complete_execution(completion(&held)), engine.complete_execution(completion(&held)));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(case.story(held.execution_id).await, ["acquired 1", "released 1 completed", "completed success"]);
}
