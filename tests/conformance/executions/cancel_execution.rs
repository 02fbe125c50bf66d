//! `cancel_execution`: an execution that has not ended ends, whatever it
//! does.

use crate::case::Case;
use crate::fencing::{forgeries, not_active};
use crate::states::{ended, ended_without};
use leasehold_contract::{AdmissionBlock, CancelExecution, Cancelled, CommandSource, FenceTriple};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::state::{AttemptLifecycle, PublicState, TerminalOutcome};
use leasehold_tests::harness::act::cancellation;

fn others() -> [CommandSource; 3] {
    [CommandSource::FlowCascade, CommandSource::SystemTimeout, CommandSource::Custom("night shift".to_owned())]
}

fn workers() -> [CommandSource; 2] {
    [CommandSource::LeaseHolder, CommandSource::Custom("worker".to_owned())]
}

fn by(source: CommandSource, held: &ClaimedExecution) -> CancelExecution {
    CancelExecution { source, fence: held.fence().into(), ..cancellation(held.execution_id) }
}

fn unfenced(source: CommandSource, held: &ClaimedExecution) -> CancelExecution {
    CancelExecution { fence: FenceTriple::NONE, ..by(source, held) }
}

pub async fn a_waiting_execution_ends_as_cancelled(case: &mut Case) {
    let id = case.waiting().await;
    case.advance(5);
    let outcome = case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(outcome, Cancelled { execution_id: id, public_state: PublicState::Cancelled });
    assert_eq!(case.vector(id).await, ended_without("cancelled", "pending_first_attempt"));
    assert_eq!(case.story(id).await, ["completed cancelled"]);
    let record = case.record(id).await;
    assert_eq!(record.cancellation_reason.as_deref(), Some("no longer wanted"));
    assert_eq!(record.cancelled_by.as_deref(), Some("operator_override"));
    assert_eq!((record.completed_at, record.last_transition_at), (Some(case.now()), case.now()));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("terminal", case.now().0, None));
}

pub async fn what_never_ran_ends_wherever_it_waits(case: &mut Case) {
    let delayed = case.delayed(1000).await;
    let granted = case.granted().await;
    let mut waiting = vec![delayed, granted];
    for reason in AdmissionBlock::ALL {
        waiting.push(case.blocked(*reason).await);
    }
    for id in waiting {
        case.engine.cancel_execution(cancellation(id)).await.unwrap();
        assert_eq!(case.vector(id).await, ended_without("cancelled", "pending_first_attempt"));
        assert_eq!(case.story(id).await, ["completed cancelled"]);
        let record = case.record(id).await;
        assert_eq!((record.grant.as_ref(), record.delay_until, record.blocking_detail.as_ref()), (None, None, None));
        let entry = case.entry(id).await;
        assert_eq!((entry.queue.as_str(), entry.due_at), ("terminal", None));
    }
}

pub async fn a_running_attempt_ends_with_it(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    case.advance(5);
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(case.vector(id).await, ended("cancelled"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 cancelled", "completed cancelled"]);
    let record = case.record(id).await;
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.ended_at), (AttemptLifecycle::EndedCancelled, Some(case.now())));
    assert_eq!(attempt.failure_reason.as_deref(), Some("cancelled: no longer wanted"));
    assert_eq!((record.lease.as_ref(), record.lease_epoch, record.attempt_timeout), (None, held.lease_epoch, None));
}

pub async fn a_lost_lease_is_no_obstacle(case: &mut Case) {
    for (held, lost) in [(case.lapsed().await, "expired 1"), (case.revoked().await, "revoked 1 drained")] {
        let id = held.execution.execution_id;
        case.engine.cancel_execution(cancellation(id)).await.unwrap();
        assert_eq!(case.vector(id).await, ended("cancelled"));
        assert_eq!(case.story(id).await, ["acquired 1", lost, "released 1 cancelled", "completed cancelled"]);
        let record = case.record(id).await;
        assert_eq!((record.lease_expired_at, record.lease_revoked_at), (None, None));
    }
}

pub async fn an_interrupted_attempt_ends_with_it(case: &mut Case) {
    for held in [case.parked(1000).await, case.resumable().await] {
        let id = held.execution.execution_id;
        case.engine.cancel_execution(cancellation(id)).await.unwrap();
        assert_eq!(case.vector(id).await, ended("cancelled"));
        assert_eq!(case.story(id).await, ["acquired 1", "released 1 worker_delay", "completed cancelled"]);
        assert_eq!(case.record(id).await.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedCancelled);
    }
}

pub async fn an_attempt_that_failed_stays_failed(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    let before = case.record(id).await.attempt.clone();
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(case.vector(id).await, ended("cancelled"));
    let record = case.record(id).await;
    assert_eq!((record.attempt.as_ref(), record.pending.as_ref()), (before.as_ref(), None));
    assert_eq!(record.delay_until, None);
}

pub async fn a_repeat_finds_it_cancelled(case: &mut Case) {
    let held = case.ended(TerminalOutcome::Cancelled).await.execution;
    let id = held.execution_id;
    case.advance(5);
    let mut repeats = vec![cancellation(id)];
    repeats.extend(others().into_iter().chain(workers()).map(|source| unfenced(source, &held)));
    for args in repeats {
        let outcome = case.changes_nothing(id, case.engine.cancel_execution(args)).await;
        assert_eq!(outcome.public_state, PublicState::Cancelled);
    }
}

pub async fn what_ended_otherwise_is_not_active(case: &mut Case) {
    for outcome in [TerminalOutcome::Success, TerminalOutcome::Failed, TerminalOutcome::Expired] {
        let held = case.ended(outcome).await.execution;
        let id = held.execution_id;
        let partial = FenceTriple { lease_id: Some(held.lease_id), ..FenceTriple::NONE };
        for args in [cancellation(id), CancelExecution { fence: partial, ..cancellation(id) }] {
            let error = case.refused(id, case.engine.cancel_execution(args), "execution_not_active").await;
            let at = not_active(&error);
            assert_eq!((at.terminal_outcome, at.lease_epoch), (outcome, held.lease_epoch));
            assert_eq!(at.attempt_id, Some(held.attempt_id));
        }
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.cancel_execution(cancellation(id)), "execution_not_found").await;
    let bare = CancelExecution { source: CommandSource::LeaseHolder, ..cancellation(id) };
    case.refused(id, case.engine.cancel_execution(bare), "execution_not_found").await;
}

pub async fn an_operator_is_not_held_up_by_a_wrong_fence(case: &mut Case) {
    for number in 0..3 {
        let held = case.leased().await.execution;
        let args = by(CommandSource::OperatorOverride, &forgeries(&held)[number]);
        case.engine.cancel_execution(args).await.unwrap();
    }
}

pub async fn a_worker_cancels_what_it_holds(case: &mut Case) {
    for source in workers() {
        let held = case.leased().await.execution;
        case.engine.cancel_execution(by(source.clone(), &held)).await.unwrap();
        let record = case.record(held.execution_id).await;
        assert_eq!(record.cancelled_by.as_deref(), Some(source.as_str()));
    }
}

pub async fn a_worker_cancels_even_after_a_lapse(case: &mut Case) {
    for held in [case.overdue().await, case.lapsed().await] {
        let held = held.execution;
        case.engine.cancel_execution(by(CommandSource::LeaseHolder, &held)).await.unwrap();
        assert_eq!(case.vector(held.execution_id).await, ended("cancelled"));
    }
}

pub async fn a_worker_needs_its_whole_fence(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let whole: FenceTriple = held.fence().into();
    for source in workers() {
        let bare = unfenced(source.clone(), &held);
        case.refused(id, case.engine.cancel_execution(bare), "fence_required").await;
        for fence in [
            FenceTriple { lease_id: None, ..whole },
            FenceTriple { lease_epoch: None, ..whole },
            FenceTriple { attempt_id: None, ..whole },
        ] {
            let partial = CancelExecution { fence, ..by(source.clone(), &held) };
            case.refused(id, case.engine.cancel_execution(partial), "partial_fence_triple").await;
        }
        for forged in forgeries(&held) {
            case.refused(id, case.engine.cancel_execution(by(source.clone(), &forged)), "stale_lease").await;
        }
    }
}

pub async fn a_worker_whose_lease_was_revoked_cancels_nothing(case: &mut Case) {
    let held = case.revoked().await.execution;
    for source in workers() {
        let call = case.engine.cancel_execution(by(source, &held));
        case.refused(held.execution_id, call, "lease_revoked").await;
    }
}

pub async fn a_worker_cancels_nothing_it_gave_back(case: &mut Case) {
    let held = case.parked(1000).await.execution;
    let call = case.engine.cancel_execution(by(CommandSource::LeaseHolder, &held));
    case.refused(held.execution_id, call, "execution_not_active").await;
}

pub async fn others_cancel_live_and_revoked_work_without_a_fence(case: &mut Case) {
    for source in others() {
        for held in [case.leased().await, case.revoked().await] {
            let id = held.execution.execution_id;
            case.engine.cancel_execution(unfenced(source.clone(), &held.execution)).await.unwrap();
            assert_eq!(case.vector(id).await, ended("cancelled"));
            assert_eq!(case.record(id).await.cancelled_by.as_deref(), Some(source.as_str()));
        }
    }
}

pub async fn a_fence_restricts_others_to_that_lease(case: &mut Case) {
    for source in others() {
        let held = case.leased().await.execution;
        for forged in forgeries(&held) {
            let call = case.engine.cancel_execution(by(source.clone(), &forged));
            case.refused(held.execution_id, call, "stale_lease").await;
        }
        case.engine.cancel_execution(by(source, &held)).await.unwrap();
    }
}

pub async fn a_cascade_is_told_as_one(case: &mut Case) {
    let held = case.leased().await.execution;
    case.engine.cancel_execution(unfenced(CommandSource::FlowCascade, &held)).await.unwrap();
    let story = ["acquired 1", "released 1 cancelled", "completed cancelled by cascade"];
    assert_eq!(case.story(held.execution_id).await, story);
}

pub async fn without_a_name_the_execution_itself_is_named(case: &mut Case) {
    let id = case.waiting().await;
    let nameless = CancelExecution { source: CommandSource::Custom(String::new()), ..cancellation(id) };
    case.engine.cancel_execution(nameless).await.unwrap();
    assert_eq!(case.record(id).await.cancelled_by, Some(id.to_string()));
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let id = case.waiting().await;
    for odd in [
        CancelExecution { reason: "r".repeat(4097), ..cancellation(id) },
        CancelExecution { reason: "a\0b".to_owned(), ..cancellation(id) },
        CancelExecution { source: CommandSource::Custom("s".repeat(257)), ..cancellation(id) },
        CancelExecution { source: CommandSource::Custom("a\0b".to_owned()), ..cancellation(id) },
    ] {
        case.refused(id, case.engine.cancel_execution(odd), "invalid_input").await;
    }
}
