//! Suspending: both outcomes, the checks and their order, and repeats.

use super::fixture::{at, single};
use crate::fixture::{TTL_MS, World, code, detail, operator, refused};
use leasehold_core::command::{CancelExecution, FenceTriple, OPEN_WAITPOINTS_MAX, RevokeLease};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, LeaseEpoch};
use leasehold_core::record::{
    AttemptTimeout, ResumePolicy, SuspendOutcome, SuspensionReason, SuspensionTimeout, TimeoutBehavior, WaitKey,
    WaitRecord, WaitpointState,
};
use leasehold_core::state::AttemptLifecycle;
use leasehold_core::suspension::{ResumeCondition, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

#[test]
fn the_lease_is_given_back_and_everything_says_so() {
    let (mut w, id, fence) = World::leased();
    let before = w.execution(id);
    let mut args = w.suspend_args(id);
    args.timeout_at = at(50_000);
    args.timeout_behavior = TimeoutBehavior::Expire;
    args.reason_code = SuspensionReason::WaitingForApproval;
    args.continuation_metadata_pointer = Some("step-3".into());
    let SuspendOutcome::Suspended { details, held } = *w.run(args.clone()).unwrap() else { panic!() };

    assert_eq!(FenceTriple::from(held.fence()), fence);
    assert_eq!((held.execution_id, held.lane_id, held.attempt_index), (id, before.lane_id.clone(), AttemptIndex(0)));
    let (vector, public) = w.vector(id);
    assert_eq!(vector, "suspended unowned not_applicable waiting_for_approval none attempt_interrupted");
    assert_eq!(public, "suspended");
    let after = w.execution(id);
    let waitpoint_id = details.primary.waitpoint_id;
    assert_eq!(
        after.blocking_detail.as_deref(),
        Some(format!("suspended: waitpoint {waitpoint_id} awaiting waiting_for_approval").as_str())
    );
    assert_eq!((after.lease_epoch, &after.lease), (LeaseEpoch(1), &None));
    assert_eq!(after.current_attempt_id(), before.current_attempt_id());
    assert!(matches!(after.attempt_timeout, Some(AttemptTimeout::Remaining(_))));
    let attempt = after.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.suspended_at), (AttemptLifecycle::Suspended, Some(w.now)));
    assert_eq!(attempt.suspension_id, Some(args.suspension_id.to_string()));
    assert_eq!(w.told(), ["released: suspend"]);

    let waits = w.find_waits(id).unwrap();
    assert_eq!((waits.due_at(), waits.open().map(|open| open.created_at)), (at(50_000), Some(w.now)));
    let suspension = w.suspension(id);
    assert_eq!(suspension.timeout, at(50_000).map(|at| SuspensionTimeout { at, behavior: TimeoutBehavior::Expire }));
    assert_eq!(suspension.continuation_metadata_pointer.as_deref(), Some("step-3"));
    let waitpoint = w.waitpoint(waitpoint_id);
    assert_eq!((waitpoint.state, waitpoint.expires_at), (WaitpointState::Active, at(50_000)));
    assert_eq!((waitpoint.created_at, waitpoint.activated_at), (w.now, Some(w.now)));
    assert_eq!(waitpoint.token, Some(details.primary.waitpoint_token.clone()));
    assert_eq!(w.keyring().mint(&waitpoint.bound()).unwrap(), details.primary.waitpoint_token);
}

#[test]
fn every_reason_has_its_blocking_reason() {
    for (reason, blocking) in [
        ("waiting_for_signal", "waiting_for_signal"),
        ("waiting_for_approval", "waiting_for_approval"),
        ("waiting_for_callback", "waiting_for_callback"),
        ("waiting_for_tool_result", "waiting_for_tool_result"),
        ("waiting_for_operator_review", "paused_by_operator"),
        ("manual_pause", "paused_by_operator"),
        ("paused_by_policy", "paused_by_policy"),
        ("paused_by_budget", "waiting_for_budget"),
        ("step_boundary", "waiting_for_signal"),
        ("lunch", "waiting_for_signal"),
    ] {
        let (mut w, id, _) = World::leased();
        w.suspend(id, |args| args.reason_code = SuspensionReason::parse(reason));
        let execution = w.execution(id);
        assert_eq!(execution.vector().blocking_reason().as_str(), blocking);
        assert!(execution.blocking_detail.as_ref().unwrap().ends_with(&format!(" awaiting {reason}")));
    }
}

#[test]
fn several_waitpoints_each_have_a_token_of_their_own() {
    let (mut w, id, _) = World::leased();
    let issued = w.suspend_on(id, &["a", "b", "c"], ResumeCondition::all_of_waitpoints(["a", "b", "c"]));
    assert_eq!(issued.iter().map(|i| &*i.waitpoint_key).collect::<Vec<_>>(), ["a", "b", "c"]);
    for issue in &issued {
        let ring = w.keyring();
        for other in &issued {
            let waitpoint = w.waitpoint(other.waitpoint_id);
            let verdict = ring.verify(&issue.waitpoint_token, Some(&waitpoint.bound()), w.now);
            assert_eq!(verdict.is_ok(), issue.waitpoint_id == other.waitpoint_id);
        }
    }
    assert_eq!(w.find_waits(id).unwrap().open_waitpoints.len(), 3);
}

#[test]
fn what_is_asked_for_is_checked_before_anything_is_read() {
    let mut w = World::keyed();
    let id = w.create();
    let nowhere = leasehold_core::ids::ExecutionId::from_parts(7, w.mint());
    let mut args = w.suspend_args(id);
    args.execution_id = nowhere;
    args.waitpoints.clear();
    args.handle_kind = Some(HandleKind::Suspended);
    assert_eq!(detail(&refused(w.run(args.clone()), "invalid_input")), "waitpoints_empty");
    let mut args = w.suspend_args(id);
    args.execution_id = nowhere;
    args.reason_code = SuspensionReason::Other("r".repeat(257));
    refused(w.run(args.clone()), "invalid_input");
    args.reason_code = SuspensionReason::Other(String::new());
    refused(w.run(args.clone()), "invalid_input");
    args.reason_code = SuspensionReason::ManualPause;
    args.continuation_metadata_pointer = Some("p".repeat(16 * 1024 + 1));
    refused(w.run(args.clone()), "invalid_input");
    args.continuation_metadata_pointer = None;
    args.idempotency_key = Some("k".repeat(257));
    refused(w.run(args.clone()), "invalid_input");
    args.idempotency_key = None;
    args.handle_kind = Some(HandleKind::Suspended);
    refused(w.run(args.clone()), "already_suspended");
    args.handle_kind = Some(HandleKind::Fresh);
    refused(w.run(args.clone()), "execution_not_found");
}

#[test]
fn the_lease_is_proven_first() {
    let (mut w, id, fence) = World::leased();
    let mut args = w.suspend_args(id);
    args.fence = FenceTriple::NONE;
    refused(w.run(args.clone()), "fence_required");
    args.fence = FenceTriple { lease_id: None, ..fence };
    refused(w.run(args.clone()), "partial_fence_triple");
    for stale in [
        FenceTriple { lease_epoch: Some(LeaseEpoch(9)), ..fence },
        FenceTriple { lease_id: Some(w.lease_id()), ..fence },
        FenceTriple { attempt_id: Some(w.attempt_id()), ..fence },
    ] {
        args.fence = stale;
        refused(w.run(args.clone()), "stale_lease");
    }
    args.fence = fence;
    args.attempt_index = Some(AttemptIndex(1));
    refused(w.run(args.clone()), "invalid_lease_for_suspend");
    args.attempt_index = Some(AttemptIndex(0));

    let mut lapsed = w.clone();
    lapsed.pass(TTL_MS);
    refused(lapsed.run(args.clone()), "lease_expired");
    assert_eq!(lapsed.told(), ["expired"], "a lapse that is met is marked");
    let mut revoked = w.clone();
    let revoke =
        RevokeLease { execution_id: id, expected_lease_id: None, worker_instance_id: None, reason: "test".into() };
    revoked.run(revoke).unwrap();
    refused(revoked.run(args.clone()), "lease_revoked");
    w.run(args.clone()).unwrap();
    refused(w.run(args.clone()), "execution_not_active");
    args.handle_kind = Some(HandleKind::Suspended);
    refused(w.run(args.clone()), "already_suspended");
    let mut ended = w.clone();
    ended
        .run(CancelExecution { execution_id: id, reason: String::new(), source: operator(), fence: FenceTriple::NONE })
        .unwrap();
    args.handle_kind = None;
    refused(ended.run(args.clone()), "execution_not_active");
}

#[test]
fn a_repeat_with_the_key_gets_the_same_answer_and_mints_nothing() {
    let (mut w, id, _) = World::leased();
    let mut args = w.suspend_args(id);
    args.idempotency_key = Some("once".into());
    let first = w.run(args.clone()).unwrap();
    let mut again = w.suspend_args(id);
    again.idempotency_key = Some("once".into());
    again.fence = FenceTriple::NONE;
    again.reason_code = SuspensionReason::ManualPause;
    assert_eq!(w.run(again.clone()).unwrap(), first, "not even the fence is looked at");
    assert!(w.last.is_empty());
    again.idempotency_key = Some("twice".into());
    refused(w.run(again.clone()), "fence_required");
    again.idempotency_key = Some(String::new());
    refused(w.run(again.clone()), "fence_required");
}

#[test]
fn a_key_belongs_to_its_execution() {
    let (mut w, id, _) = World::leased();
    w.suspend(id, |args| args.idempotency_key = Some("k".into()));
    let other = w.create();
    w.claim(other);
    let details = w.suspend(other, |args| args.idempotency_key = Some("k".into()));
    assert_ne!(details.primary.waitpoint_id, w.suspension(id).waitpoints[0].waitpoint_id);
}

#[test]
fn a_key_is_remembered_as_long_as_the_suspension_may_last_and_a_minute() {
    const WEEK: i64 = 604_800_000;
    for (timeout_in, remembered) in
        [(None, WEEK), (Some(5_000), 65_000), (Some(-600_000), 60_000), (Some(WEEK), WEEK), (Some(i64::MAX / 2), WEEK)]
    {
        let (mut w, id, _) = World::leased();
        let now = w.now;
        // The caller's clock runs ahead; only the length is taken from it.
        let theirs = TimestampMs(now.0 + 777);
        w.suspend(id, |args| {
            args.now = theirs;
            args.timeout_at = timeout_in.map(|ms| TimestampMs(theirs.0 + ms));
            args.idempotency_key = Some("k".into());
        });
        let expires_at = w.wait_records().find_map(|record| match record {
            WaitRecord::SuspendDedup(dedup) => Some(dedup.expires_at),
            _ => None,
        });
        assert_eq!(expires_at, Some(TimestampMs(now.0 + remembered)), "{timeout_in:?}");
    }
}

#[test]
fn a_lapsed_key_is_free_again() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| {
        args.idempotency_key = Some("k".into());
        args.timeout_at = at(1_000);
    });
    w.deliver(id, details.primary.waitpoint_id, |_| {});
    w.grant(id);
    let resume = w.resume_args(id);
    w.run(resume).unwrap();
    let mut args = w.suspend_args(id);
    args.idempotency_key = Some("k".into());
    assert_eq!(w.run(args.clone()).unwrap().details(), &details, "the suspension is over, its answer is not");
    let expires_at = TimestampMs(crate::fixture::START.0 + 1_000 + 60_000 + 1);
    w.now = expires_at;
    w.promised_until = Some(expires_at.plus(1_000));
    assert_ne!(w.run(args.clone()).unwrap().details(), &details);
}

#[test]
fn a_waitpoint_that_exists_is_not_made_again() {
    let (mut w, id, waitpoint) = World::suspended();
    let other = w.create();
    w.claim(other);
    let mut args = w.suspend_args(other);
    args.waitpoints = vec![WaitpointBinding::Fresh { waitpoint_id: waitpoint.waitpoint_id, waitpoint_key: "a".into() }];
    refused(w.run(args.clone()), "waitpoint_already_exists");
    assert_eq!(w.waitpoint(waitpoint.waitpoint_id).execution_id, id);
}

#[test]
fn without_a_secret_nothing_is_suspended() {
    let (mut w, id, _) = World::leased();
    w.records.remove(&WaitKey::Keyring.into());
    let args = w.suspend_args(id);
    refused(w.run(args.clone()), "hmac_secret_not_initialized");
    assert_eq!(w.vector(id).1, "active");
}

#[test]
fn a_later_suspension_replaces_the_closed_one() {
    let (mut w, id, first) = World::suspended();
    w.deliver(id, first.waitpoint_id, |_| {});
    w.grant(id);
    let resume = w.resume_args(id);
    w.run(resume).unwrap();
    let second = w.suspend(id, |args| {
        args.resume_policy = ResumePolicy { resume_delay_ms: Some(9), ..args.resume_policy.clone() }
    });
    assert_eq!(w.suspension(id).suspension_id, second.suspension_id);
    assert_eq!(w.suspension(id).policy.resume_delay_ms, Some(9));
    assert_eq!(w.waitpoint(first.waitpoint_id).state, WaitpointState::Closed, "history stays");
    assert_eq!(code(&w.run(w.clone().suspend_args(id))), "fence_required");
}

#[test]
fn open_waitpoints_are_bounded() {
    let (mut w, id, _) = World::leased();
    let first = w.create_waitpoint(id, "0").waitpoint_id;
    // Straight into the records: as many as there may be, less one.
    let mut waits = (*w.find_waits(id).unwrap()).clone();
    for _ in 2..OPEN_WAITPOINTS_MAX {
        let mut waitpoint = (*w.waitpoint(first)).clone();
        waitpoint.waitpoint_id = w.waitpoint_id();
        waits.open_waitpoints.push(waitpoint.waitpoint_id);
        waits.expiries.extend(waitpoint.due_at().map(|at| (waitpoint.waitpoint_id, at)));
        w.plant(WaitRecord::Waitpoint(Arc::new(waitpoint)));
    }
    w.plant(WaitRecord::Waits(Arc::new(waits)));
    w.create_waitpoint(id, "last");
    let args = w.create_waitpoint_args(id, "more");
    refused(w.run(args.clone()), "invalid_input");
    let args = w.suspend_args(id);
    refused(w.run(args.clone()), "invalid_input");
    w.suspend(id, |args| {
        args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: first }];
        args.resume_condition = single("0", None);
    });
}
