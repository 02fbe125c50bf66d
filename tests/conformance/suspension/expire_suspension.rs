//! `expire_suspension`: the deadline of a suspension acts. What does not
//! apply is an answer.

use crate::case::Case;
use crate::states::{eligible, ended, suspended};
use leasehold_contract::ExpireSuspensionOutcome;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{CloseReason, SuspensionReason, TimeoutBehavior, WaitpointState, WaitsMark};
use leasehold_core::state::{AttemptLifecycle, PublicState, TerminalOutcome};
use leasehold_core::suspension::{ResumeCondition, SignalEffect};
use leasehold_tests::harness::act::{cancellation, replay};
use leasehold_tests::harness::{Waiting, resumption};

const MINUTE_MS: u64 = 60_000;

/// Suspended on `a` and `b`, one of which was signalled, for a minute.
async fn for_a_minute(case: &Case, behavior: TimeoutBehavior) -> Waiting {
    let keys = ["a", "b"];
    let args = case.suspension_on(&keys, ResumeCondition::all_of_waitpoints(keys));
    let args = args.with_timeout(case.now().plus(MINUTE_MS), behavior);
    let held = case.leased().await;
    let waiting = case.suspend(held, args).await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    waiting
}

async fn left_alone(case: &Case, id: ExecutionId) -> ExpireSuspensionOutcome {
    case.changes_nothing(id, case.engine.expire_suspension(id)).await
}

async fn expired(case: &Case, waiting: &Waiting, behavior: TimeoutBehavior) {
    case.advance(MINUTE_MS);
    let outcome = case.engine.expire_suspension(waiting.id).await;
    assert_eq!(outcome, Ok(ExpireSuspensionOutcome::Expired { behavior }));
    assert_eq!(outcome.unwrap().as_str(), behavior.as_str());
}

/// Everything the suspension waited for is closed for this reason, and the
/// deadline is gone.
async fn closed_as(case: &Case, waiting: &Waiting, reason: CloseReason) {
    for issued in waiting.waitpoints() {
        let waitpoint = case.waitpoint(waiting.id, issued.waitpoint_id).await;
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(reason)));
        assert_eq!((waitpoint.closed_at, waitpoint.satisfied_at), (Some(case.now()), None));
    }
    let suspension = case.last_suspension(waiting.id).await;
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.at), (reason, case.now()));
    assert_eq!((closed.closer_signal_id, closed.resume_trigger), (None, None));
    assert!(case.waits(waiting.id).await.open_waitpoints.is_empty());
    assert_eq!(case.record(waiting.id).await.waits, Some(WaitsMark { due_at: None }));
    assert!(case.suspended_list(waiting.id.partition()).await.is_empty());
    assert_eq!(case.entry(waiting.id).await.due_at, None);
    case.engine
        .list_pending_waitpoints(super::list(waiting.id))
        .await
        .map(|page| assert!(page.entries.is_empty()))
        .unwrap();
}

async fn ends(
    case: &mut Case,
    behavior: TimeoutBehavior,
    outcome: TerminalOutcome,
    lifecycle: AttemptLifecycle,
    reason: CloseReason,
) {
    let waiting = for_a_minute(case, behavior).await;
    let id = waiting.id;
    expired(case, &waiting, behavior).await;
    assert_eq!(case.vector(id).await, ended(outcome.as_str()));
    let record = case.record(id).await;
    let why = format!("suspension_timeout:{}", behavior.as_str());
    assert_eq!((record.failure_reason.as_ref(), record.completed_at), (Some(&why), Some(case.now())));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.failure_reason.as_ref()), (lifecycle, Some(&why)));
    assert_eq!(attempt.ended_at, Some(case.now()));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score), ("terminal", case.now().0));
    let completed = format!("completed {}", outcome.as_str());
    let story = ["acquired 1", "released 1 suspend", "signal_delivered appended_to_waitpoint from billing", &completed];
    assert_eq!(case.story(id).await, story);
    closed_as(case, &waiting, reason).await;
    case.kill().await;
    assert_eq!(left_alone(case, id).await, ExpireSuspensionOutcome::NotSuspendedCleaned);
    let late = case.engine.deliver_signal(case.signal_to(id, waiting.waitpoints()[1]));
    case.other_refused(id, late, "target_not_signalable").await;
    case.engine.replay_execution(replay(id)).await.expect("it can be replayed");
}

pub async fn it_may_fail_the_execution(case: &mut Case) {
    let failed = AttemptLifecycle::EndedFailure;
    ends(case, TimeoutBehavior::Fail, TerminalOutcome::Failed, failed, CloseReason::TimedOutFail).await;
}

pub async fn it_may_cancel_the_execution(case: &mut Case) {
    let cancelled = AttemptLifecycle::EndedCancelled;
    ends(case, TimeoutBehavior::Cancel, TerminalOutcome::Cancelled, cancelled, CloseReason::TimedOutCancel).await;
}

pub async fn it_may_expire_the_execution(case: &mut Case) {
    let failed = AttemptLifecycle::EndedFailure;
    ends(case, TimeoutBehavior::Expire, TerminalOutcome::Expired, failed, CloseReason::TimedOutExpire).await;
}

pub async fn no_retry_follows_a_suspension_that_failed(case: &mut Case) {
    let held = case.leased_under(r#"{"retry_policy":{"max_retries":9}}"#).await;
    let args = case.suspension().with_timeout(case.now().plus(MINUTE_MS), TimeoutBehavior::Fail);
    let waiting = case.suspend(held, args).await;
    expired(case, &waiting, TimeoutBehavior::Fail).await;
    assert_eq!(case.vector(waiting.id).await, ended("failed"));
}

pub async fn it_may_let_the_execution_go_on_and_says_so_by_a_signal(case: &mut Case) {
    let behavior = TimeoutBehavior::AutoResumeWithTimeoutSignal;
    let waiting = for_a_minute(case, behavior).await;
    let id = waiting.id;
    expired(case, &waiting, behavior).await;
    assert_eq!(case.vector(id).await, eligible("attempt_interrupted"));
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Resumable)));
    assert_eq!(case.entry(id).await.queue, "ready");
    let story = ["acquired 1", "released 1 suspend", "signal_delivered appended_to_waitpoint from billing"];
    assert_eq!(case.story(id).await, story, "no delivery and no completion is told");
    closed_as(case, &waiting, CloseReason::TimedOutAutoResume).await;
    let suspension = case.last_suspension(id).await;
    assert_eq!((suspension.satisfied_at, suspension.progress.satisfiers().len()), (None, 1));
    let observed = suspension.observed();
    let left = *observed.last().unwrap();
    assert_eq!(left.waitpoint_id, waiting.primary().waitpoint_id);
    assert_eq!(suspension.closed.unwrap().timeout_signal_id, Some(left.signal_id));
    let signal = case.find_signal(id, left).await.unwrap();
    assert_eq!((signal.signal_name.as_str(), signal.signal_category.as_str()), ("__timeout__", "system"));
    assert_eq!((signal.source_type.as_str(), signal.accepted_at), ("system_timeout_policy", case.now()));
    assert_eq!(signal.observed_effect, SignalEffect::NoOp);
    let waitpoint = case.waitpoint(id, left.waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (2, 1), "it matches nothing");
    case.kill().await;
    let held = case.take_again(id).await;
    let seen = case.engine.observe_signals(&held.handle).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|signal| (signal.signal_name.as_str(), signal.source_type.as_str())).collect();
    assert_eq!(seen, [("go", "service"), ("__timeout__", "system_timeout_policy")]);
}

pub async fn an_automatic_resume_knows_no_delay(case: &mut Case) {
    let policy = leasehold_core::record::ResumePolicy { resume_delay_ms: Some(500), ..Default::default() };
    let behavior = TimeoutBehavior::AutoResumeWithTimeoutSignal;
    let at = case.now().plus(MINUTE_MS);
    let waiting = case
        .suspended(|args| {
            args.resume_policy = policy;
            *args = args.clone().with_timeout(at, behavior);
        })
        .await;
    expired(case, &waiting, behavior).await;
    assert_eq!(case.vector(waiting.id).await, eligible("attempt_interrupted"));
}

pub async fn it_may_hand_the_execution_to_an_operator(case: &mut Case) {
    let behavior = TimeoutBehavior::Escalate;
    let waiting = for_a_minute(case, behavior).await;
    let id = waiting.id;
    let (at, since) = (case.now().plus(MINUTE_MS), case.now());
    expired(case, &waiting, behavior).await;
    assert_eq!(case.vector(id).await, suspended("paused_by_operator"));
    let record = case.record(id).await;
    assert_eq!(record.blocking_detail, Some(format!("suspension escalated: timeout at {at}")));
    assert_eq!(record.waits, Some(WaitsMark { due_at: None }));
    assert_eq!(record.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::Suspended);
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.due_at), ("suspended", None));
    let suspension = case.last_suspension(id).await;
    assert_eq!(suspension.reason, SuspensionReason::WaitingForOperatorReview);
    assert_eq!((suspension.timeout, suspension.closed, suspension.created_at), (None, None, since));
    let listed = case.suspended_list(id.partition()).await;
    assert_eq!((listed.len(), &listed[0].reason), (1, &SuspensionReason::WaitingForOperatorReview));
    assert_eq!(listed[0].since, since);
    // It acts once; the execution can still be signalled.
    case.advance(MINUTE_MS);
    case.kill().await;
    assert_eq!(left_alone(case, id).await, ExpireSuspensionOutcome::NotYetDue);
    let last = case.signal_to(id, waiting.waitpoints()[1]);
    assert_eq!(case.deliver(last).await, "resume_condition_satisfied");
}

pub async fn a_deadline_is_due_when_its_time_is_reached_and_not_before(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::Fail).await;
    case.advance(MINUTE_MS - 1);
    assert_eq!(left_alone(case, waiting.id).await, ExpireSuspensionOutcome::NotYetDue);
    case.advance(1);
    let outcome = case.engine.expire_suspension(waiting.id).await;
    assert_eq!(outcome, Ok(ExpireSuspensionOutcome::Expired { behavior: TimeoutBehavior::Fail }));
}

pub async fn without_a_deadline_nothing_is_due(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.advance(1000 * 86_400_000);
    assert_eq!(left_alone(case, waiting.id).await, ExpireSuspensionOutcome::NotYetDue);
}

pub async fn what_is_not_suspended_is_left_alone(case: &mut Case) {
    let signalled = for_a_minute(case, TimeoutBehavior::Fail).await;
    case.deliver(case.signal_to(signalled.id, signalled.waitpoints()[1])).await;
    let running = for_a_minute(case, TimeoutBehavior::Fail).await.id;
    case.engine.resume_execution(resumption(running)).await.unwrap();
    case.take_again(running).await;
    let cancelled = for_a_minute(case, TimeoutBehavior::Fail).await.id;
    case.engine.cancel_execution(cancellation(cancelled)).await.unwrap();
    let waiting = case.waiting().await;
    case.advance(MINUTE_MS);
    for id in [signalled.id, running, cancelled, waiting] {
        assert_eq!(left_alone(case, id).await, ExpireSuspensionOutcome::NotSuspendedCleaned);
    }
}

pub async fn an_unknown_execution_is_an_answer(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        assert_eq!(left_alone(case, id).await, ExpireSuspensionOutcome::NotFoundCleaned);
    }
}

pub async fn of_two_at_once_one_acts(case: &mut Case) {
    let waiting = for_a_minute(case, TimeoutBehavior::AutoResumeWithTimeoutSignal).await;
    case.advance(MINUTE_MS);
    let both = tokio::join!(case.engine.expire_suspension(waiting.id), case.engine.expire_suspension(waiting.id));
    let acted = ExpireSuspensionOutcome::Expired { behavior: TimeoutBehavior::AutoResumeWithTimeoutSignal };
    assert_eq!(both, (Ok(acted), Ok(ExpireSuspensionOutcome::NotSuspendedCleaned)));
}

pub async fn a_pending_waitpoint_goes_with_the_execution_and_stays_with_the_living(case: &mut Case) {
    for (behavior, state) in [
        (TimeoutBehavior::Fail, WaitpointState::Closed),
        (TimeoutBehavior::Escalate, WaitpointState::Pending),
        (TimeoutBehavior::AutoResumeWithTimeoutSignal, WaitpointState::Pending),
    ] {
        let held = case.leased().await;
        let pending = case.pending(&held, 10 * MINUTE_MS).await;
        let args = case.suspension().with_timeout(case.now().plus(MINUTE_MS), behavior);
        let waiting = case.suspend(held, args).await;
        expired(case, &waiting, behavior).await;
        assert_eq!(case.waitpoint(waiting.id, pending.waitpoint_id).await.state, state, "{behavior}");
    }
}
