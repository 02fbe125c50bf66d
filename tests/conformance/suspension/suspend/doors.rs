//! What else can happen to an execution while it is suspended.

use crate::case::Case;
use crate::states::{ended, suspended};
use leasehold_contract::{
    AdmissionBlock, BlockExecution, ChangePriority, ExpireExecution, ExpireOutcome, ExpirePhase, MarkExpiredOutcome,
    MarkLeaseExpired, PromoteDelayed, PromoteOutcome, ReclaimGrantOutcome,
};
use leasehold_core::record::{CloseReason, WaitpointState, WaitsMark};
use leasehold_core::suspension::ResumeCondition;
use leasehold_tests::harness::act::{cancellation, completion, failure, renewal, replay, revocation};

const DEADLINE: &str = r#"{"timeout_policy":{"execution_deadline_ms":60000,"attempt_timeout_ms":1000}}"#;

pub async fn an_end_by_another_door_closes_everything(case: &mut Case) {
    for (outcome, reason) in [("cancelled", CloseReason::Cancelled), ("expired", CloseReason::ExecutionDeadline)] {
        let held = case.leased_under(DEADLINE).await;
        let pending = case.pending(&held, 600_000).await.waitpoint_id;
        let keys = ["b", "c"];
        let args = case.suspension_on(&keys, ResumeCondition::all_of_waitpoints(keys));
        let waiting = case.suspend(held, args).await;
        let id = waiting.id;
        case.deliver(case.signal_to(id, waiting.primary())).await;
        case.advance(60_000);
        if reason == CloseReason::Cancelled {
            case.engine.cancel_execution(cancellation(id)).await.unwrap();
        } else {
            let phase = ExpirePhase::ExecutionDeadline;
            let args = ExpireExecution { execution_id: id, phase, attempt_index: None };
            assert_eq!(case.engine.expire_execution(args).await, Ok(ExpireOutcome::Expired));
        }
        assert_eq!(case.vector(id).await, ended(outcome));
        let completed = format!("completed {outcome}");
        assert_eq!(case.story(id).await.last(), Some(&completed));
        case.kill().await;
        let ids: Vec<_> = waiting.waitpoints().iter().map(|issued| issued.waitpoint_id).chain([pending]).collect();
        for waitpoint in ids {
            let waitpoint = case.waitpoint(id, waitpoint).await;
            assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(reason)));
            assert_eq!(waitpoint.closed_at, Some(case.now()));
        }
        let suspension = case.last_suspension(id).await;
        assert_eq!(suspension.closed.as_ref().map(|closed| (closed.reason, closed.at)), Some((reason, case.now())));
        assert_eq!(case.record(id).await.waits, Some(WaitsMark { due_at: None }));
        assert!(case.suspended_list(id.partition()).await.is_empty());
        assert_eq!(case.entry(id).await.due_at, None);
        assert!(case.engine.observe_signals(&waiting.held.handle).await.unwrap().is_empty());
    }
}

pub async fn the_attempts_time_stands_still(case: &mut Case) {
    let held = case.leased_under(DEADLINE).await;
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    case.advance(2000);
    let args = ExpireExecution { execution_id: waiting.id, phase: ExpirePhase::AttemptTimeout, attempt_index: None };
    let outcome = case.changes_nothing(waiting.id, case.engine.expire_execution(args)).await;
    assert_ne!(outcome, ExpireOutcome::Expired);
    assert_eq!(case.vector(waiting.id).await, suspended("waiting_for_signal"));
}

pub async fn nobody_holds_or_takes_a_suspended_execution(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let (id, held, engine) = (waiting.id, &waiting.held, case.engine.clone());
    case.other_refused(id, engine.complete_execution(completion(&held.execution)), "execution_not_active").await;
    case.other_refused(id, engine.fail_execution(failure(&held.execution)), "execution_not_active").await;
    case.other_refused(id, engine.renew_lease(renewal(&held.execution)), "execution_not_active").await;
    case.other_refused(id, engine.cancel(&held.handle, "no".into()), "execution_not_active").await;
    case.other_refused(id, engine.delay(&held.handle, case.now()), "execution_not_active").await;
    case.other_refused(id, engine.wait_children(&held.handle), "execution_not_active").await;
    case.other_refused(id, engine.create_waitpoint(&held.handle, "a".into(), 5), "execution_not_active").await;
    case.other_refused(id, engine.revoke_lease(revocation(id)), "execution_not_active").await;
    case.other_refused(id, engine.issue_claim_grant(case.grant(id)), "execution_not_eligible").await;
    case.other_refused(id, engine.claim_execution(case.claim(id)), "execution_not_leaseable").await;
    case.other_refused(id, engine.claim_resumed_execution(case.resume(id)), "execution_not_leaseable").await;
    case.other_refused(id, engine.issue_grant_and_claim(case.seize(id)), "execution_not_eligible").await;
    let change = ChangePriority { execution_id: id, new_priority: 7 };
    case.other_refused(id, engine.change_priority(change), "execution_not_eligible").await;
    let block = BlockExecution { execution_id: id, reason: AdmissionBlock::WaitingForQuota, detail: None };
    case.other_refused(id, engine.block_execution_for_admission(block), "execution_not_eligible").await;
    case.other_refused(id, engine.replay_execution(replay(id)), "execution_not_terminal").await;
    let grant = case.changes_nothing(id, engine.issue_reclaim_grant(case.reclaim_grant(id))).await;
    assert!(!matches!(grant, ReclaimGrantOutcome::Granted(_)), "{grant:?}");
    let marked =
        case.changes_nothing(id, engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id: id })).await;
    assert_ne!(marked, MarkExpiredOutcome::MarkedExpired);
    let promoted = case.changes_nothing(id, engine.promote_delayed(PromoteDelayed { execution_id: id })).await;
    assert_ne!(promoted, PromoteOutcome::Promoted);
    assert_eq!(engine.claim_for_worker(case.for_worker()).await.unwrap(), None);
    let listed = engine.list_expired_leases(leasehold_contract::ListExpiredLeases {
        as_of: Some(case.now().plus(1_000_000)),
        ..Default::default()
    });
    assert!(listed.await.unwrap().entries.is_empty());
}

pub async fn a_replay_after_a_suspension_starts_afresh(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let id = waiting.id;
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    case.engine.replay_execution(replay(id)).await.unwrap();
    let held = case.lease(id).await;
    assert_eq!(held.execution.attempt_index.0, 1);
    let late = case.engine.deliver_signal(case.signal_to(id, waiting.primary()));
    case.other_refused(id, late, "target_not_signalable").await;
    let args = case.suspension();
    let again = case.suspend(held, args).await;
    assert_eq!(case.last_suspension(id).await.attempt_index.0, 1);
    assert_eq!(case.deliver(case.signal_to(id, again.primary())).await, "resume_condition_satisfied");
    case.take_again(id).await;
}
