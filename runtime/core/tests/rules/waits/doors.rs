//! Every way out of a suspension, and the claim that follows.

use super::fixture::at;
use crate::fixture::{START, World, operator, refused};
use crate::situation::complete_args;
use leasehold_core::command::{
    CancelExecution, CommandSource, ExpireExecution, ExpirePhase, ExpireSuspensionOutcome, FenceTriple, RenewLease,
    ResumeExecution, Settle,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch};
use leasehold_core::record::{CloseReason, RecordKey, ResumeTrigger, SignalKey, TimeoutBehavior, WaitpointState};
use leasehold_core::state::AttemptLifecycle;
use leasehold_core::suspension::ResumeCondition;
use leasehold_core::time::TimestampMs;
use leasehold_core::wait_lists::observed_signals;

const DUE: i64 = 5_000;

/// A suspension over two waitpoints with a deadline, and a pending waitpoint
/// beside it.
fn due_with(behavior: TimeoutBehavior) -> (World, ExecutionId) {
    let (mut w, id, _) = World::leased();
    w.create_waitpoint(id, "later");
    let waitpoints = vec![w.fresh("a"), w.fresh("b")];
    w.suspend(id, |args| {
        args.waitpoints = waitpoints;
        args.resume_condition = ResumeCondition::all_of_waitpoints(["a", "b"]);
        args.timeout_at = at(DUE);
        args.timeout_behavior = behavior;
    });
    w.now = TimestampMs(START.0 + DUE);
    (w, id)
}

fn resume(id: ExecutionId, resume_delay_ms: u64) -> ResumeExecution {
    ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms }
}

fn cancel(id: ExecutionId, source: CommandSource) -> CancelExecution {
    CancelExecution { execution_id: id, reason: "enough".into(), source, fence: FenceTriple::NONE }
}

/// How the waitpoints of an execution were closed, in order of creation.
fn closed_as(w: &World, id: ExecutionId) -> Vec<&'static str> {
    w.waitpoints()
        .iter()
        .filter(|waitpoint| waitpoint.execution_id == id)
        .map(|waitpoint| waitpoint.close_reason.map_or("open", CloseReason::as_str))
        .collect()
}

#[test]
fn an_operator_resumes_whatever_the_condition_says() {
    let (mut w, id) = due_with(TimeoutBehavior::Fail);
    assert_eq!(w.run(resume(id, 0)).unwrap().public_state.as_str(), "resumable");
    let suspension = w.suspension(id);
    let closed = suspension.closed.as_ref().unwrap();
    assert_eq!((closed.reason, closed.resume_trigger), (CloseReason::Resumed, Some(ResumeTrigger::Operator)));
    assert_eq!((closed.closer_signal_id, suspension.satisfied_at), (None, None));
    assert_eq!(closed_as(&w, id), ["open", "resumed", "resumed"]);
    assert!(w.told().is_empty());
    refused(w.run(resume(id, 0)), "execution_not_suspended");
    let missing = ExecutionId::from_parts(7, w.mint());
    refused(w.run(resume(missing, 0)), "execution_not_found");
    assert_eq!(w.expire(id), ExpireSuspensionOutcome::NotSuspendedCleaned, "the deadline is gone with it");
}

#[test]
fn an_operator_may_delay_the_resume() {
    let (mut w, id) = due_with(TimeoutBehavior::Fail);
    assert_eq!(w.run(resume(id, 40)).unwrap().public_state.as_str(), "delayed");
    let execution = w.execution(id);
    assert_eq!(execution.blocking_detail.as_deref(), Some("resume delay 40ms"));
    assert_eq!(execution.delay_until, Some(w.now.plus(40)));
    let claim = w.resume_args(id);
    refused(w.run(claim.clone()), "execution_not_leaseable");
    w.pass(40);
    w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
    w.grant(id);
    w.run(claim).unwrap();
}

#[test]
fn three_deadlines_end_the_execution() {
    for (behavior, outcome, lifecycle, public) in [
        (TimeoutBehavior::Fail, "failed", AttemptLifecycle::EndedFailure, "failed"),
        (TimeoutBehavior::Cancel, "cancelled", AttemptLifecycle::EndedCancelled, "cancelled"),
        (TimeoutBehavior::Expire, "expired", AttemptLifecycle::EndedFailure, "expired"),
    ] {
        let (mut w, id) = due_with(behavior);
        assert_eq!(w.expire(id), ExpireSuspensionOutcome::Expired { behavior });
        let (vector, label) = w.vector(id);
        assert_eq!(vector, format!("terminal unowned not_applicable none {outcome} attempt_terminal"));
        assert_eq!(label, public);
        let execution = w.execution(id);
        let why = format!("suspension_timeout:{}", behavior.as_str());
        assert_eq!(execution.failure_reason.as_ref(), Some(&why));
        assert_eq!(execution.completed_at, Some(w.now));
        let attempt = execution.attempt.as_ref().unwrap();
        assert_eq!((attempt.lifecycle, attempt.failure_reason.as_ref()), (lifecycle, Some(&why)));
        assert_eq!(w.told(), [format!("completed: {outcome}")]);
        let reason = format!("timed_out_{}", behavior.as_str());
        assert_eq!(w.suspension(id).closed.unwrap().reason.as_str(), reason);
        assert_eq!(closed_as(&w, id), ["proactive_close", reason.as_str(), reason.as_str()]);
        assert!(observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0)).is_empty());
        assert_eq!(w.expire(id), ExpireSuspensionOutcome::NotSuspendedCleaned);
        assert!(w.last.is_empty(), "a deadline acts once");
    }
}

#[test]
fn a_deadline_that_resumes_leaves_a_signal() {
    let behavior = TimeoutBehavior::AutoResumeWithTimeoutSignal;
    let (mut w, id) = due_with(behavior);
    let a = w.suspension(id).waitpoints[0].waitpoint_id;
    let (before, _) = w.deliver(id, a, |_| {});
    assert_eq!(w.expire(id), ExpireSuspensionOutcome::Expired { behavior });
    let (vector, public) = w.vector(id);
    assert_eq!(vector, "runnable unowned eligible_now waiting_for_worker none attempt_interrupted");
    assert_eq!(public, "resumable");
    let reason = "timed_out_auto_resume";
    assert_eq!(closed_as(&w, id), ["open", reason, reason]);
    let observed = observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0));
    let [first, second] = observed[..] else { panic!("{observed:?}") };
    assert_eq!(first, SignalKey { waitpoint_id: a, signal_id: before });
    let left = w.signal(second);
    assert_eq!((left.signal_name.as_str(), left.signal_category.as_str()), ("__timeout__", "system"));
    assert_eq!((left.source_type.as_str(), left.observed_effect.as_str()), ("system_timeout_policy", "no_op"));
    let waitpoint = w.waitpoint(a);
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (2, 1));
    assert_eq!(w.find_waits(id).unwrap().signal_count, 1, "nobody sent it");
    assert!(w.told().is_empty());
    assert_eq!(w.suspension(id).satisfied_at, None);
}

#[test]
fn an_escalated_suspension_stays_open_for_signals_without_a_deadline() {
    let (mut w, id) = due_with(TimeoutBehavior::Escalate);
    assert_eq!(w.expire(id), ExpireSuspensionOutcome::Expired { behavior: TimeoutBehavior::Escalate });
    let (vector, public) = w.vector(id);
    assert_eq!(vector, "suspended unowned not_applicable paused_by_operator none attempt_interrupted");
    assert_eq!(public, "suspended");
    let detail = format!("suspension escalated: timeout at {}", START.0 + DUE);
    assert_eq!(w.execution(id).blocking_detail, Some(detail));
    let suspension = w.suspension(id);
    assert_eq!((suspension.reason.as_str(), suspension.timeout), ("waiting_for_operator_review", None));
    let waits = w.find_waits(id).unwrap();
    let later = w.waitpoint(waits.open_waitpoints[0]);
    assert_eq!(waits.due_at(), later.due_at(), "only the pending waitpoint still runs out");
    w.pass(1_000_000_000);
    assert_eq!(w.expire(id), ExpireSuspensionOutcome::NotYetDue);
    let [a, b] = [0, 1].map(|at| suspension.waitpoints[at].waitpoint_id);
    w.deliver(id, a, |_| {});
    assert_eq!(w.deliver(id, b, |_| {}).1, "resume_condition_satisfied");
}

#[test]
fn a_deadline_waits_for_its_time() {
    let (mut w, id) = due_with(TimeoutBehavior::Fail);
    let missing = ExecutionId::from_parts(7, w.mint());
    assert_eq!(w.expire(missing), ExpireSuspensionOutcome::NotFoundCleaned);
    w.now = w.now.minus(1);
    assert_eq!(w.expire(id), ExpireSuspensionOutcome::NotYetDue);
    let (mut timeless, id, _) = World::suspended();
    timeless.pass(u64::from(u32::MAX));
    assert_eq!(timeless.expire(id), ExpireSuspensionOutcome::NotYetDue);
    let (mut active, id, _) = World::leased();
    assert_eq!(active.expire(id), ExpireSuspensionOutcome::NotSuspendedCleaned);
    for outcome in [
        ExpireSuspensionOutcome::NotFoundCleaned,
        ExpireSuspensionOutcome::NotSuspendedCleaned,
        ExpireSuspensionOutcome::NoActiveSuspensionCleaned,
        ExpireSuspensionOutcome::NotYetDue,
    ] {
        let debug = format!("{outcome:?}").to_lowercase();
        assert_eq!(outcome.as_str().replace('_', ""), debug);
    }
}

#[test]
fn a_cancellation_closes_everything_by_whoever_asks() {
    for source in [operator(), CommandSource::FlowCascade, CommandSource::Custom("flow".into())] {
        let (mut w, id) = due_with(TimeoutBehavior::Fail);
        w.run(cancel(id, source)).unwrap();
        assert_eq!(closed_as(&w, id), ["cancelled"; 3]);
        assert_eq!(w.suspension(id).closed.unwrap().reason, CloseReason::Cancelled);
        let execution = w.execution(id);
        assert_eq!(execution.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedCancelled);
        assert_eq!(w.find_waits(id).unwrap().due_at(), None);
        let again = w.clone().run(cancel(id, operator()));
        assert!(again.is_ok());
    }
}

#[test]
fn the_deadline_of_the_execution_closes_everything() {
    let (mut w, id, _) = World::leased();
    w.create_waitpoint(id, "later");
    let deadline = TimestampMs(START.0 + 9_000);
    let other = w.create_with(|args| args.execution_deadline_at = Some(deadline));
    w.claim(other);
    w.create_waitpoint(other, "later");
    w.suspend(other, |_| {});
    w.now = deadline;
    let expire = ExpireExecution { execution_id: other, phase: ExpirePhase::ExecutionDeadline, attempt_index: None };
    w.run(expire).unwrap();
    assert_eq!(closed_as(&w, other), ["expired:execution_deadline"; 2]);
    assert_eq!(w.vector(other).1, "expired");
    assert_eq!(closed_as(&w, id), ["open"], "others are not touched");
}

#[test]
fn a_timer_that_ends_the_execution_closes_everything_too() {
    let (mut w, id, _) = World::leased();
    let mut args = w.create_waitpoint_args(id, "later");
    args.expires_in_ms = u64::MAX;
    w.run(args).unwrap();
    w.now = w.execution(id).attempt_timeout_at().unwrap();
    w.promised_until = Some(w.now.plus(1));
    w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
    assert_eq!(w.vector(id).1, "expired");
    assert_eq!(closed_as(&w, id), ["expired:attempt_timeout"]);
}

#[test]
fn a_worker_that_completes_gives_up_what_it_did_not_use() {
    let (mut w, id, fence) = World::leased();
    let pending = w.create_waitpoint(id, "later").waitpoint_id;
    w.run(complete_args(id, fence)).unwrap();
    assert_eq!(w.waitpoint(pending).state, WaitpointState::Closed);
    assert_eq!(closed_as(&w, id), ["proactive_close"]);
}

#[test]
fn what_does_not_end_an_execution_closes_nothing() {
    let (mut w, id, fence) = World::leased();
    w.create_waitpoint(id, "later");
    let attempt_index = AttemptIndex(0);
    w.run(RenewLease { execution_id: id, fence, attempt_index, lease_ttl_ms: 60_000 }).unwrap();
    assert_eq!(closed_as(&w, id), ["open"]);
    assert!(w.last.changes.iter().all(|change| !matches!(change.key, RecordKey::Wait(_))));
    let refused = w.run(cancel(id, CommandSource::LeaseHolder));
    assert!(refused.is_err());
    assert_eq!(closed_as(&w, id), ["open"]);
}

#[test]
fn the_same_attempt_goes_on_under_the_next_epoch() {
    let (mut w, id, to) = World::suspended();
    let before = w.execution(id);
    let old = before.attempt.clone().unwrap();
    w.deliver(id, to.waitpoint_id, |_| {});
    assert_eq!(w.execution(id).lease_epoch, before.lease_epoch, "the epoch rises once, with the claim");
    w.pass(10);
    w.grant(id);
    let claim = w.resume_args(id);
    let claimed = w.run(claim.clone()).unwrap();
    assert_eq!((claimed.attempt_id, claimed.attempt_index), (old.attempt_id, AttemptIndex(0)));
    assert_eq!(claimed.lease_epoch, LeaseEpoch(before.lease_epoch.0 + 1));
    assert_eq!(claimed.kind, leasehold_core::handle::HandleKind::Resumed);
    assert_eq!(w.told(), ["acquired: claim_resumed"]);
    let attempt = w.execution(id).attempt.clone().unwrap();
    assert_eq!((attempt.resumed_at, attempt.suspended_at, attempt.suspension_id), (Some(w.now), None, None));
    assert!(w.run(claim).is_err());
    let old_fence = FenceTriple {
        lease_id: Some(old.lease_id),
        lease_epoch: Some(old.lease_epoch),
        attempt_id: Some(old.attempt_id),
    };
    refused(w.run(complete_args(id, old_fence)), "stale_lease");
    let observed = observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0));
    assert_eq!(observed.len(), 1, "the closed suspension stays for its worker");
    assert!(observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(1)).is_empty());
    w.run(complete_args(id, claimed.fence().into())).unwrap();
}

#[test]
fn an_interrupted_execution_is_claimed_as_resumed_only() {
    let (mut w, id, to) = World::suspended();
    let claim = w.resume_args(id);
    refused(w.run(claim), "execution_not_leaseable");
    w.deliver(id, to.waitpoint_id, |_| {});
    w.grant(id);
    let fresh = w.claim_args(id);
    refused(w.run(fresh), "use_claim_resumed_execution");
}
