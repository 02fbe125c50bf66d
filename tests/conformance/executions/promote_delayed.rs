//! `promote_delayed`: a delayed execution whose time has come becomes
//! eligible. Nothing is an error here; what does not apply is an answer.

use crate::case::Case;
use crate::states::{WAITING, eligible};
use leasehold_contract::{AdmissionBlock, PromoteDelayed, PromoteOutcome};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::TerminalOutcome;

async fn left_alone(case: &Case, execution_id: ExecutionId) -> PromoteOutcome {
    case.changes_nothing(execution_id, case.engine.promote_delayed(PromoteDelayed { execution_id })).await
}

pub async fn it_goes_where_its_creation_puts_it(case: &mut Case) {
    let created_at = case.now();
    let until = created_at.plus(1000);
    let id = case.created(|args| {
        args.delay_until = Some(until);
        args.priority = 2;
    });
    let id = id.await;
    case.advance(1500);
    let outcome = case.engine.promote_delayed(PromoteDelayed { execution_id: id }).await;
    assert_eq!(outcome, Ok(PromoteOutcome::Promoted));
    assert_eq!(case.vector(id).await, WAITING);
    let record = case.record(id).await;
    assert_eq!((record.delay_until, record.last_transition_at), (None, case.now()));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", created_at.0 - 2_000_000_000_000, None));
    assert!(case.story(id).await.is_empty());
    case.lease(id).await;
}

pub async fn which_attempt_comes_next_is_kept(case: &mut Case) {
    let retrying = case.retrying().await.execution.execution_id;
    let parked = case.parked(500).await.execution.execution_id;
    case.advance(500);
    case.promote(retrying).await;
    assert_eq!(case.vector(retrying).await, eligible("pending_retry_attempt"));
    case.promote(parked).await;
    assert_eq!(case.vector(parked).await, eligible("attempt_interrupted"));
}

pub async fn it_is_due_when_its_time_is_reached_and_not_before(case: &mut Case) {
    let id = case.delayed(1000).await;
    assert_eq!(left_alone(case, id).await, PromoteOutcome::NotYetDue);
    case.advance(999);
    assert_eq!(left_alone(case, id).await, PromoteOutcome::NotYetDue);
    case.advance(1);
    case.promote(id).await;
}

pub async fn a_repeat_finds_it_not_delayed(case: &mut Case) {
    let id = case.delayed(10).await;
    case.advance(10);
    case.promote(id).await;
    assert_eq!(left_alone(case, id).await, PromoteOutcome::NotDelayedCleaned);
}

pub async fn what_is_not_delayed_is_left_alone(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        assert_eq!(left_alone(case, id).await, PromoteOutcome::NotFoundCleaned);
    }
    for id in [case.waiting().await, case.blocked(AdmissionBlock::WaitingForQuota).await] {
        assert_eq!(left_alone(case, id).await, PromoteOutcome::NotDelayedCleaned);
    }
    for id in [
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.ended(TerminalOutcome::Cancelled).await.execution.execution_id,
    ] {
        assert_eq!(left_alone(case, id).await, PromoteOutcome::NotRunnableCleaned);
    }
}

pub async fn a_delay_outlives_the_engine(case: &mut Case) {
    let id = case.delayed(1000).await;
    case.kill().await;
    assert_eq!(left_alone(case, id).await, PromoteOutcome::NotYetDue);
    case.advance(1000);
    case.promote(id).await;
}
