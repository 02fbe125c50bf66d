//! `resume_execution`: a suspended execution goes on, whatever its condition
//! says.

use crate::case::Case;
use crate::states::{delayed, eligible};
use leasehold_contract::{ResumeExecution, Resumed};
use leasehold_core::record::{CloseReason, ResumePolicy, ResumeTrigger, WaitpointState, WaitsMark};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_core::suspension::ResumeCondition;
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::resumption;

pub async fn it_goes_on_and_everything_it_waited_for_is_closed(case: &mut Case) {
    let keys = ["a", "b"];
    let waiting = case.suspended_on(&keys, ResumeCondition::all_of_waitpoints(keys)).await;
    let id = waiting.id;
    let created_at = case.record(id).await.spec.created_at;
    case.deliver(case.signal_to(id, waiting.primary())).await;
    case.advance(5);
    let outcome = case.engine.resume_execution(resumption(id)).await.unwrap();
    assert_eq!(outcome, Resumed { public_state: PublicState::Resumable });
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
    let story = ["acquired 1", "released 1 suspend", "signal_delivered appended_to_waitpoint from billing"];
    assert_eq!(case.story(id).await, story, "nothing is told of it");
    let record = case.record(id).await;
    assert_eq!((record.blocking_detail.as_ref(), record.delay_until), (None, None));
    assert_eq!(record.waits, Some(WaitsMark { due_at: None }));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", created_at.0, None));
    assert!(case.suspended_list(id.partition()).await.is_empty());
    for issued in waiting.waitpoints() {
        let waitpoint = case.waitpoint(id, issued.waitpoint_id).await;
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(CloseReason::Resumed)));
        assert_eq!((waitpoint.closed_at, waitpoint.satisfied_at), (Some(case.now()), None));
    }
    let suspension = case.last_suspension(id).await;
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.at), (CloseReason::Resumed, case.now()));
    assert_eq!((closed.closer_signal_id, suspension.satisfied_at), (None, None));
    case.take_again(id).await;
}

pub async fn who_let_it_go_on_is_kept(case: &mut Case) {
    for trigger in [ResumeTrigger::Signal, ResumeTrigger::Operator, ResumeTrigger::AutoResume] {
        let waiting = case.waiting_for_signal().await;
        case.engine.resume_execution(ResumeExecution { trigger, ..resumption(waiting.id) }).await.unwrap();
        case.kill().await;
        let closed = case.last_suspension(waiting.id).await.closed.unwrap();
        assert_eq!(closed.resume_trigger, Some(trigger));
    }
}

pub async fn every_condition_gives_way(case: &mut Case) {
    let at = case.now().plus(60_000);
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let held = case.leased().await;
        let args = case.suspension_on(&["a"], condition);
        let args = args.with_timeout(at, leasehold_core::record::TimeoutBehavior::Fail);
        let waiting = case.suspend(held, args).await;
        case.engine.resume_execution(resumption(waiting.id)).await.unwrap();
        assert_eq!(case.entry(waiting.id).await.due_at, None, "the deadline goes with the suspension");
        let held = case.take_again(waiting.id).await;
        assert!(case.engine.observe_signals(&held.handle).await.unwrap().is_empty());
    }
}

pub async fn a_delay_keeps_it_from_being_claimed(case: &mut Case) {
    let policy = ResumePolicy { resume_delay_ms: Some(7), ..ResumePolicy::default() };
    let waiting = case.suspended(|args| args.resume_policy = policy).await;
    let id = waiting.id;
    let args = ResumeExecution { resume_delay_ms: 70, ..resumption(id) };
    let outcome = case.engine.resume_execution(args).await.unwrap();
    assert_eq!(outcome, Resumed { public_state: PublicState::Delayed });
    assert_eq!(case.vector(id).await, delayed("waiting_for_resume_delay", "attempt_interrupted"));
    let until = case.now().plus(70);
    let record = case.record(id).await;
    assert_eq!((record.delay_until, record.blocking_detail.as_deref()), (Some(until), Some("resume delay 70ms")));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("delayed", until.0, Some(until)));
    let early = case.engine.claim_resumed_execution(case.resume(id));
    case.other_refused(id, early, "execution_not_leaseable").await;
    case.advance(70);
    case.promote(id).await;
    case.take_again(id).await;
}

pub async fn a_delay_beyond_time_is_for_ever(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let args = ResumeExecution { resume_delay_ms: u64::MAX, ..resumption(waiting.id) };
    case.engine.resume_execution(args).await.unwrap();
    assert_eq!(case.entry(waiting.id).await.due_at, Some(TimestampMs(i64::MAX)));
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
}

pub async fn a_pending_waitpoint_beside_stays_pending(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    let args = case.suspension();
    case.suspend(held, args).await;
    case.engine.resume_execution(resumption(id)).await.unwrap();
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await.state, WaitpointState::Pending);
    assert_eq!(case.waits(id).await.open_waitpoints, [pending.waitpoint_id]);
}

pub async fn a_repeat_finds_it_not_suspended(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.engine.resume_execution(resumption(waiting.id)).await.unwrap();
    let again = case.engine.resume_execution(resumption(waiting.id));
    case.refused(waiting.id, again, "execution_not_suspended").await;
}

pub async fn what_is_not_suspended_is_left_alone(case: &mut Case) {
    let resumed = case.resumed().await.execution.execution_id;
    for id in [
        case.waiting().await,
        case.leased().await.execution.execution_id,
        case.parked(1000).await.execution.execution_id,
        case.ended(TerminalOutcome::Cancelled).await.execution.execution_id,
        resumed,
    ] {
        case.refused(id, case.engine.resume_execution(resumption(id)), "execution_not_suspended").await;
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        case.refused(id, case.engine.resume_execution(resumption(id)), "execution_not_found").await;
    }
}
