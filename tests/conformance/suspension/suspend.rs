//! `suspend`: a worker gives its lease back until something comes.

mod doors;
mod keys;
mod pending;
mod refusals;

pub use doors::*;
pub use keys::*;
pub use pending::*;
pub use refusals::*;

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::suspended;
use leasehold_contract::{Handle, SuspendArgs, SuspendOutcome};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::{
    AttemptTimeout, Requester, ResumePolicy, SuspensionReason, SuspensionTimeout, TimeoutBehavior, WaitpointState,
    WaitsMark,
};
use leasehold_core::state::{AttemptLifecycle, PublicState};
use leasehold_core::suspension::ResumeCondition;
use leasehold_tests::harness::{Waiting, keyed};
use std::collections::BTreeSet;

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.suspend(handle, case.suspension()).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async { told(case.engine.suspend(&held.handle(case.backend.tag()), case.suspension()).await) })
}

under_lease!(marks);
handle_form!();

pub async fn the_lease_is_given_back_and_the_attempt_kept(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    case.advance(5);
    let args = case.suspension();
    let suspension_id = args.suspension_id;
    let outcome = case.engine.suspend(&held.handle, args).await.unwrap();
    let SuspendOutcome::Suspended { details, handle } = outcome else { panic!("{outcome:?}") };
    assert_eq!((details.suspension_id, details.additional_waitpoints.len()), (suspension_id, 0));
    assert_eq!(handle.kind, HandleKind::Suspended);
    let (before, after) = (held.handle.decode(held.handle.backend).unwrap(), handle.decode(handle.backend).unwrap());
    assert_eq!(before, after, "it names the lease that was given back");

    assert_eq!(case.vector(id).await, suspended("waiting_for_signal"));
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Suspended)));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 suspend"]);
    let record = case.record(id).await;
    assert_eq!((record.lease.as_ref(), record.lease_epoch), (None, held.execution.lease_epoch));
    assert_eq!(record.current_attempt_id(), Some(held.execution.attempt_id));
    assert_eq!(record.waits, Some(WaitsMark { due_at: None }));
    let waitpoint_id = details.primary.waitpoint_id;
    let told = format!("suspended: waitpoint {waitpoint_id} awaiting waiting_for_signal");
    assert_eq!(record.blocking_detail.as_deref(), Some(told.as_str()));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.suspended_at), (AttemptLifecycle::Suspended, Some(case.now())));
    assert_eq!(attempt.suspension_id, Some(suspension_id.to_string()));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.due_at), ("suspended", None));
    let listed = case.suspended_list(id.partition()).await;
    assert_eq!((listed.len(), listed[0].execution_id, listed[0].since), (1, id, case.now()));
}

pub async fn the_waitpoint_is_open_to_whoever_has_its_token(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let waitpoint = case.waitpoint(waiting.id, waiting.primary().waitpoint_id).await;
    assert_eq!((waitpoint.execution_id, waitpoint.attempt_index), (waiting.id, AttemptIndex(0)));
    assert_eq!(waitpoint.suspension_id, Some(waiting.details.suspension_id));
    assert_eq!((&*waitpoint.waitpoint_key, waitpoint.state), ("a", WaitpointState::Active));
    assert_eq!(waitpoint.token.as_ref(), Some(&waiting.primary().waitpoint_token));
    assert_eq!((waitpoint.created_at, waitpoint.activated_at), (case.now(), Some(case.now())));
    assert_eq!((waitpoint.expires_at, waitpoint.closed_at, waitpoint.close_reason), (None, None, None));
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (0, 0));
    let waits = case.waits(waiting.id).await;
    assert_eq!(waits.open_waitpoints, [waitpoint.waitpoint_id]);
    assert_eq!((waits.expiries.len(), waits.signal_count, waits.token_refused_at), (0, 0, None));
    let token = &waiting.primary().waitpoint_token;
    assert_eq!(token.kid(), "k1");
    assert!(!format!("{waiting:?}").contains(token.reveal()), "a token is not shown");
}

pub async fn what_is_asked_for_is_kept(case: &mut Case) {
    let at = case.now().plus(60_000);
    let policy = ResumePolicy {
        consume_matched_signals: false,
        retain_signal_buffer_until_closed: true,
        resume_delay_ms: Some(7),
        close_waitpoint_on_resume: false,
        ..ResumePolicy::default()
    };
    let waiting = case
        .suspended(|args| {
            args.resume_policy = policy.clone();
            args.reason_code = SuspensionReason::Other("for the moon".into());
            *args = args
                .clone()
                .with_timeout(at, TimeoutBehavior::Escalate)
                .with_requester(Requester::Policy)
                .with_continuation_metadata_pointer("step-2");
        })
        .await;
    case.kill().await;
    let suspension = case.last_suspension(waiting.id).await;
    assert_eq!(suspension.suspension_id, waiting.details.suspension_id);
    assert_eq!((suspension.attempt_index, suspension.created_at), (AttemptIndex(0), case.now()));
    assert_eq!((*suspension.condition).clone(), keyed("a"));
    assert_eq!(*suspension.policy, policy);
    assert_eq!(suspension.reason.as_str(), "for the moon");
    assert_eq!(suspension.requested_by, Requester::Policy);
    assert_eq!(suspension.timeout, Some(SuspensionTimeout { at, behavior: TimeoutBehavior::Escalate }));
    assert_eq!(suspension.continuation_metadata_pointer.as_deref(), Some("step-2"));
    assert_eq!((suspension.closed, suspension.satisfied_at, suspension.last_signal_at), (None, None, None));
    let waitpoint = case.waitpoint(waiting.id, waiting.primary().waitpoint_id).await;
    assert_eq!(waitpoint.expires_at, Some(at));
}

pub async fn a_deadline_is_a_timer(case: &mut Case) {
    let at = case.now().plus(60_000);
    let waiting = case.suspended(|args| args.timeout_at = Some(at)).await;
    assert_eq!(case.entry(waiting.id).await.due_at, Some(at));
    assert_eq!(case.record(waiting.id).await.waits, Some(WaitsMark { due_at: Some(at) }));
    // Whatever else is due on the execution stays so.
    let held = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":5000}}"#).await;
    let args = case.suspension().with_timeout(at, TimeoutBehavior::Fail);
    let other = case.suspend(held, args).await;
    assert_eq!(case.entry(other.id).await.due_at, Some(case.now().plus(5000)));
}

pub async fn a_deadline_may_lie_ten_minutes_back(case: &mut Case) {
    let waiting = case.suspended(|args| args.timeout_at = Some(args.now.minus(600_000))).await;
    assert_eq!(case.entry(waiting.id).await.due_at, Some(case.now().minus(600_000)));
}

pub async fn every_reason_says_what_the_execution_waits_for(case: &mut Case) {
    for (reason, blocked) in [
        ("waiting_for_signal", "waiting_for_signal"),
        ("waiting_for_approval", "waiting_for_approval"),
        ("waiting_for_callback", "waiting_for_callback"),
        ("waiting_for_tool_result", "waiting_for_tool_result"),
        ("waiting_for_operator_review", "paused_by_operator"),
        ("manual_pause", "paused_by_operator"),
        ("paused_by_policy", "paused_by_policy"),
        ("paused_by_budget", "waiting_for_budget"),
        ("step_boundary", "waiting_for_signal"),
        ("anything", "waiting_for_signal"),
    ] {
        let waiting = case.suspended(|args| args.reason_code = SuspensionReason::parse(reason)).await;
        assert_eq!(case.vector(waiting.id).await, suspended(blocked), "{reason}");
        let waitpoint = waiting.primary().waitpoint_id;
        let told = format!("suspended: waitpoint {waitpoint} awaiting {reason}");
        assert_eq!(case.record(waiting.id).await.blocking_detail, Some(told));
    }
}

pub async fn each_waitpoint_has_a_token_of_its_own(case: &mut Case) {
    let keys = ["a", "b", "c"];
    let waiting = case.suspended_on(&keys, ResumeCondition::all_of_waitpoints(keys)).await;
    let issued = waiting.waitpoints();
    let found: Vec<&str> = issued.iter().map(|waitpoint| &*waitpoint.waitpoint_key).collect();
    assert_eq!(found, keys);
    let tokens: BTreeSet<&str> = issued.iter().map(|waitpoint| waitpoint.waitpoint_token.reveal()).collect();
    assert_eq!(tokens.len(), 3);
    let ids: Vec<_> = issued.iter().map(|waitpoint| waitpoint.waitpoint_id).collect();
    assert_eq!(case.waits(waiting.id).await.open_waitpoints, ids);
    for waitpoint in issued {
        let stored = case.waitpoint(waiting.id, waitpoint.waitpoint_id).await;
        assert_eq!((stored.state, stored.suspension_id), (WaitpointState::Active, Some(waiting.details.suspension_id)));
        assert_eq!(stored.token.as_ref(), Some(&waitpoint.waitpoint_token));
    }
    let primary = format!("suspended: waitpoint {} awaiting waiting_for_signal", ids[0]);
    assert_eq!(case.record(waiting.id).await.blocking_detail, Some(primary));
}

pub async fn what_is_left_of_the_attempts_time_is_kept(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await;
    case.advance(1000);
    let args = case.suspension();
    let Waiting { id, .. } = case.suspend(held, args).await;
    assert_eq!(case.record(id).await.attempt_timeout, Some(AttemptTimeout::Remaining(9000)));
    assert_eq!(case.entry(id).await.due_at, None);
    case.advance(100_000);
    case.engine.resume_execution(leasehold_tests::harness::resumption(id)).await.unwrap();
    case.take_again(id).await;
    let limit = AttemptTimeout::At(case.now().plus(9000));
    assert_eq!(case.record(id).await.attempt_timeout, Some(limit));
}

pub async fn the_next_suspension_takes_the_place_of_the_closed_one(case: &mut Case) {
    let first = case.waiting_for_signal().await;
    case.deliver(case.signal_to(first.id, first.primary())).await;
    let held = case.take_again(first.id).await;
    case.advance(5);
    let args = case.suspension();
    let second = case.suspend(held, args).await;
    assert_ne!(first.details.suspension_id, second.details.suspension_id);
    let current = case.last_suspension(first.id).await;
    assert_eq!((current.suspension_id, current.closed), (second.details.suspension_id, None));
    assert_eq!(case.waits(first.id).await.open_waitpoints, [second.primary().waitpoint_id]);
    let old = case.waitpoint(first.id, first.primary().waitpoint_id).await;
    assert_eq!(old.suspension_id, Some(first.details.suspension_id), "what was closed stays as it was");
    let story = ["acquired 1", "released 1 suspend", "signal_delivered resume_condition_satisfied from billing"];
    let then = ["acquired 2 claim_resumed", "released 2 suspend"];
    assert_eq!(case.story(first.id).await, [&story[..], &then[..]].concat());
    case.deliver(case.signal_to(second.id, second.primary())).await;
    assert_eq!(case.take_again(second.id).await.execution.lease_epoch.0, 3);
}

pub async fn a_suspension_outlives_the_engine(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let before = (case.waits(waiting.id).await, case.record(waiting.id).await);
    case.kill().await;
    assert_eq!((case.waits(waiting.id).await, case.record(waiting.id).await), before);
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
    case.kill().await;
    let again = case.take_again(waiting.id).await;
    assert_eq!(again.execution.attempt_id, waiting.held.execution.attempt_id);
}

/// Suspends with the handle of a leased execution.
async fn try_suspend(
    case: &Case,
    handle: &Handle,
    args: &SuspendArgs,
) -> leasehold_contract::EngineResult<SuspendOutcome> {
    case.engine.suspend(handle, args.clone()).await
}
