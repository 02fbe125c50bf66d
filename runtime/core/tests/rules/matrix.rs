//! Every operation in every situation: what it answers, or why it is refused.
//!
//! Each table names one default and the situations that differ from it.

use crate::fixture::{World, code, grant_args, holder, operator, reclaim_grant_args};
use crate::situation::{self, Situation as S, Staged, complete_args, fail_args};
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, CancelExecution, ChangePriority, Claim, ClaimOutcome, Delay, ExpireExecution,
    ExpirePhase, FenceTriple, IssueGrantAndClaim, IssueReclaimOutcome, MarkExpiredOutcome, MarkLeaseExpired,
    PromoteDelayed, ReclaimOutcome, RenewLease, ReplayExecution, RevokeLease, RevokeOutcome, SetExecutionTag, Settle,
    UnblockExecution, UpdateProgress, WaitChildren,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::record::Holder;

type Row = (S, &'static str);

fn check(otherwise: &str, rows: &[Row], run: impl Fn(&mut World, ExecutionId, FenceTriple) -> String) {
    for &situation in situation::ALL {
        let expected = rows.iter().find(|(row, _)| *row == situation).map_or(otherwise, |(_, expected)| expected);
        let Staged { mut world, id, fence } = situation.stage();
        assert_eq!(run(&mut world, id, fence), expected, "{situation:?}");
    }
}

const NOT_FOUND: Row = (S::Missing, "execution_not_found");

#[test]
fn issue_claim_grant() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "ok"),
        (S::Granted, "grant_already_exists"),
        (S::GrantVoid, "ok"),
        (S::RetryEligible, "ok"),
        (S::Resumable, "ok"),
        (S::ReplayPending, "ok"),
    ];
    check("execution_not_eligible", &rows, |world, id, _| code(&world.run(grant_args(id))).to_owned());
}

#[test]
fn claim_execution() {
    let rows = [
        NOT_FOUND,
        (S::Granted, "ok"),
        (S::GrantVoid, "claim_grant_expired"),
        (S::Eligible, "invalid_claim_grant"),
        (S::RetryEligible, "invalid_claim_grant"),
        (S::ReplayPending, "invalid_claim_grant"),
        (S::Resumable, "use_claim_resumed_execution"),
    ];
    check("execution_not_leaseable", &rows, |world, id, _| {
        let args = world.claim_args(id);
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn claim_resumed_execution() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "not_a_resumed_execution"),
        (S::Granted, "not_a_resumed_execution"),
        (S::GrantVoid, "not_a_resumed_execution"),
        (S::Delayed, "not_a_resumed_execution"),
        (S::Blocked, "not_a_resumed_execution"),
        (S::RetryDelayed, "not_a_resumed_execution"),
        (S::RetryEligible, "not_a_resumed_execution"),
        (S::ReplayPending, "not_a_resumed_execution"),
        (S::Resumable, "invalid_claim_grant"),
    ];
    check("execution_not_leaseable", &rows, |world, id, _| {
        let args = world.resume_args(id);
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn claim() {
    let rows = [
        (S::Eligible, "Fresh"),
        (S::GrantVoid, "Fresh"),
        (S::RetryEligible, "Fresh"),
        (S::ReplayPending, "Fresh"),
        (S::Resumable, "Resumed"),
        (S::Expired, "Reclaimed"),
        (S::Revoked, "Reclaimed"),
    ];
    check("Gone", &rows, |world, id, _| {
        let args = Claim {
            execution_id: id,
            worker_id: crate::fixture::worker(),
            worker_instance_id: crate::fixture::instance(),
            holder: Holder::Remote,
            capabilities: crate::fixture::offered(&[]),
            request_id: None,
            lease_id: world.lease_id(),
            attempt_id: world.attempt_id(),
            lease_ttl_ms: crate::fixture::TTL_MS,
        };
        match world.run(args).unwrap() {
            ClaimOutcome::Claimed(claimed) => format!("{:?}", claimed.kind),
            ClaimOutcome::Skipped(skip) => format!("{skip:?}"),
        }
    });
}

#[test]
fn issue_grant_and_claim() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "ok"),
        (S::GrantVoid, "ok"),
        (S::RetryEligible, "ok"),
        (S::ReplayPending, "ok"),
        (S::Resumable, "ok"),
        (S::Granted, "grant_already_exists"),
        (S::Delayed, "execution_not_in_eligible_set"),
        (S::Blocked, "execution_not_in_eligible_set"),
        (S::RetryDelayed, "execution_not_in_eligible_set"),
    ];
    check("execution_not_eligible", &rows, |world, id, _| {
        let args = IssueGrantAndClaim {
            execution_id: id,
            lane_id: crate::fixture::lane(),
            lease_id: world.lease_id(),
            attempt_id: world.attempt_id(),
            lease_duration_ms: crate::fixture::TTL_MS,
        };
        code(&world.run(args)).to_owned()
    });
}

/// The validation sequence for the holder of the last lease.
const UNDER_LEASE: [Row; 10] = [
    NOT_FOUND,
    (S::Eligible, "fence_required"),
    (S::Granted, "fence_required"),
    (S::GrantVoid, "fence_required"),
    (S::Delayed, "fence_required"),
    (S::Blocked, "fence_required"),
    (S::CancelledUnstarted, "fence_required"),
    (S::Leased, "ok"),
    (S::Lapsed, "lease_expired"),
    (S::Expired, "lease_expired"),
];

fn under_lease(more: &[Row]) -> Vec<Row> {
    let mut rows = vec![(S::Revoked, "lease_revoked")];
    rows.extend(more);
    rows.extend(UNDER_LEASE);
    rows
}

#[test]
fn renew_lease() {
    check("execution_not_active", &under_lease(&[]), |world, id, fence| {
        let args = RenewLease { execution_id: id, attempt_index: AttemptIndex(0), fence, lease_ttl_ms: 7 };
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn progress() {
    check("execution_not_active", &under_lease(&[]), |world, id, fence| {
        let args = UpdateProgress { execution_id: id, fence, percent: Some(50), message: None };
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn complete_execution() {
    let rows = under_lease(&[(S::Completed, "ok")]);
    check("execution_not_active", &rows, |world, id, fence| code(&world.run(complete_args(id, fence))).to_owned());
}

#[test]
fn fail_execution() {
    let rows = under_lease(&[(S::Failed, "ok"), (S::RetryDelayed, "ok"), (S::RetryEligible, "ok")]);
    check("execution_not_active", &rows, |world, id, fence| code(&world.run(fail_args(id, fence))).to_owned());
}

#[test]
fn delay() {
    check("execution_not_active", &under_lease(&[]), |world, id, fence| {
        let delay_until = world.now.plus(5);
        code(&world.run(Delay { execution_id: id, fence, source: holder(), delay_until })).to_owned()
    });
}

#[test]
fn wait_children() {
    check("execution_not_active", &under_lease(&[]), |world, id, fence| {
        code(&world.run(WaitChildren { execution_id: id, fence, source: holder() })).to_owned()
    });
}

#[test]
fn cancel_execution_by_an_operator() {
    let rows = [
        NOT_FOUND,
        (S::Completed, "execution_not_active"),
        (S::Failed, "execution_not_active"),
        (S::TimedOut, "execution_not_active"),
    ];
    check("ok", &rows, |world, id, _| {
        let args =
            CancelExecution { execution_id: id, reason: "why".into(), source: operator(), fence: FenceTriple::NONE };
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn cancel_execution_by_the_holder() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "fence_required"),
        (S::Granted, "fence_required"),
        (S::GrantVoid, "fence_required"),
        (S::Delayed, "fence_required"),
        (S::Blocked, "fence_required"),
        (S::Leased, "ok"),
        (S::Lapsed, "ok"),
        (S::Expired, "ok"),
        (S::Revoked, "lease_revoked"),
        (S::Cancelled, "ok"),
        (S::CancelledUnstarted, "ok"),
    ];
    check("execution_not_active", &rows, |world, id, fence| {
        let args = CancelExecution { execution_id: id, reason: "why".into(), source: holder(), fence };
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn revoke_lease() {
    let rows = [
        NOT_FOUND,
        (S::Leased, "revoked"),
        (S::Lapsed, "revoked"),
        (S::Expired, "already_expired"),
        (S::Revoked, "already_revoked"),
    ];
    check("execution_not_active", &rows, |world, id, _| {
        let args =
            RevokeLease { execution_id: id, expected_lease_id: None, worker_instance_id: None, reason: "why".into() };
        match world.run(args) {
            Ok(RevokeOutcome::Revoked { .. }) => "revoked".to_owned(),
            Ok(RevokeOutcome::AlreadySatisfied { reason }) => reason.to_owned(),
            Err(error) => error.code().to_owned(),
        }
    });
}

#[test]
fn mark_lease_expired_if_due() {
    let rows = [
        NOT_FOUND,
        (S::Leased, "not_yet_expired"),
        (S::Lapsed, "marked"),
        (S::Expired, "already_expired"),
        (S::Revoked, "already_revoked"),
    ];
    check("not_active", &rows, |world, id, _| match world.run(MarkLeaseExpired { execution_id: id }).unwrap() {
        MarkExpiredOutcome::MarkedExpired => "marked".to_owned(),
        MarkExpiredOutcome::AlreadySatisfied { reason } => reason.to_owned(),
    });
}

#[test]
fn issue_reclaim_grant() {
    let rows = [NOT_FOUND, (S::Expired, "granted"), (S::Revoked, "granted")];
    check("execution_not_reclaimable", &rows, |world, id, _| match world.run(reclaim_grant_args(id)) {
        Ok(IssueReclaimOutcome::Granted { .. }) => "granted".to_owned(),
        Ok(IssueReclaimOutcome::NotReclaimable { detail, .. }) => detail,
        Ok(IssueReclaimOutcome::ReclaimCapExceeded { .. }) => "capped".to_owned(),
        Err(error) => error.code().to_owned(),
    });
}

#[test]
fn reclaim_execution() {
    let rows = [NOT_FOUND, (S::Expired, "grant not found"), (S::Revoked, "grant not found")];
    check("execution_not_reclaimable", &rows, |world, id, _| {
        let args = world.reclaim_args(id);
        match world.run(args) {
            Ok(ReclaimOutcome::Claimed(_)) => "claimed".to_owned(),
            Ok(ReclaimOutcome::NotReclaimable { detail, .. }) => detail,
            Ok(ReclaimOutcome::ReclaimCapExceeded { .. }) => "capped".to_owned(),
            Ok(ReclaimOutcome::GrantNotFound { .. }) => "grant not found".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    });
}

#[test]
fn block_execution_for_admission() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "ok"),
        (S::GrantVoid, "ok"),
        (S::RetryEligible, "ok"),
        (S::Resumable, "ok"),
        (S::ReplayPending, "ok"),
        (S::Granted, "grant_already_exists"),
        (S::Completed, "execution_not_active"),
        (S::Failed, "execution_not_active"),
        (S::Cancelled, "execution_not_active"),
        (S::CancelledUnstarted, "execution_not_active"),
        (S::TimedOut, "execution_not_active"),
    ];
    check("execution_not_eligible", &rows, |world, id, _| {
        let args = BlockExecution { execution_id: id, reason: AdmissionBlock::WaitingForQuota, detail: None };
        code(&world.run(args)).to_owned()
    });
}

#[test]
fn unblock_execution() {
    check("execution_not_eligible", &[NOT_FOUND, (S::Blocked, "ok")], |world, id, _| {
        code(&world.run(UnblockExecution { execution_id: id, expected_reason: None })).to_owned()
    });
}

#[test]
fn expire_execution_at_the_deadline() {
    let rows = [
        (S::Missing, "not_found_cleaned"),
        (S::Completed, "already_terminal"),
        (S::Failed, "already_terminal"),
        (S::Cancelled, "already_terminal"),
        (S::CancelledUnstarted, "already_terminal"),
        (S::TimedOut, "already_terminal"),
    ];
    let deadline =
        |id| ExpireExecution { execution_id: id, phase: ExpirePhase::ExecutionDeadline, attempt_index: None };
    let mut early = rows.to_vec();
    check("expired", &rows, |world, id, _| {
        world.now = situation::DEADLINE;
        world.run(deadline(id)).unwrap().as_str().to_owned()
    });
    early.push((S::Leased, "not_yet_due"));
    check("not_yet_due", &early, |world, id, _| world.run(deadline(id)).unwrap().as_str().to_owned());
}

#[test]
fn expire_execution_at_the_attempt_timeout() {
    let rows = [
        (S::Missing, "not_found_cleaned"),
        (S::Completed, "already_terminal"),
        (S::Failed, "already_terminal"),
        (S::Cancelled, "already_terminal"),
        (S::CancelledUnstarted, "already_terminal"),
        (S::TimedOut, "already_terminal"),
        (S::Leased, "expired"),
        (S::Lapsed, "expired"),
        (S::Expired, "expired"),
    ];
    check("not_armed", &rows, |world, id, _| {
        world.pass(86_400_000);
        let args = ExpireExecution { execution_id: id, phase: ExpirePhase::AttemptTimeout, attempt_index: None };
        world.run(args).unwrap().as_str().to_owned()
    });
}

#[test]
fn promote_delayed() {
    let rows = [
        (S::Missing, "not_found_cleaned"),
        (S::Delayed, "not_yet_due"),
        (S::RetryDelayed, "not_yet_due"),
        (S::InterruptedDelayed, "not_yet_due"),
        (S::Eligible, "not_delayed_cleaned"),
        (S::Granted, "not_delayed_cleaned"),
        (S::GrantVoid, "not_delayed_cleaned"),
        (S::Blocked, "not_delayed_cleaned"),
        (S::RetryEligible, "not_delayed_cleaned"),
        (S::Resumable, "not_delayed_cleaned"),
        (S::ReplayPending, "not_delayed_cleaned"),
    ];
    check("not_runnable_cleaned", &rows, |world, id, _| {
        world.run(PromoteDelayed { execution_id: id }).unwrap().as_str().to_owned()
    });
    for situation in [S::Delayed, S::RetryDelayed, S::InterruptedDelayed] {
        let Staged { mut world, id, .. } = situation.stage();
        world.pass(situation::BACKOFF_MS);
        assert_eq!(world.run(PromoteDelayed { execution_id: id }).unwrap().as_str(), "promoted");
    }
}

#[test]
fn change_priority() {
    let rows = [
        NOT_FOUND,
        (S::Eligible, "ok"),
        (S::Granted, "ok"),
        (S::GrantVoid, "ok"),
        (S::RetryEligible, "ok"),
        (S::Resumable, "ok"),
        (S::ReplayPending, "ok"),
    ];
    check("execution_not_eligible", &rows, |world, id, _| {
        code(&world.run(ChangePriority { execution_id: id, new_priority: 6 })).to_owned()
    });
}

#[test]
fn replay_execution() {
    let rows = [
        NOT_FOUND,
        (S::Completed, "ok"),
        (S::Failed, "ok"),
        (S::Cancelled, "ok"),
        (S::CancelledUnstarted, "ok"),
        (S::TimedOut, "ok"),
    ];
    check("execution_not_terminal", &rows, |world, id, _| {
        code(&world.run(ReplayExecution { execution_id: id, requested_by: None, reason: None })).to_owned()
    });
}

#[test]
fn set_execution_tag() {
    check("ok", &[NOT_FOUND], |world, id, _| {
        code(&world.run(SetExecutionTag { execution_id: id, key: "a.b".into(), value: "c".into() })).to_owned()
    });
}

#[test]
fn settle_where_nothing_is_due() {
    let rows = [(S::Lapsed, "lease_expired"), (S::GrantVoid, "grant_dropped")];
    check("", &rows, |world, id, _| {
        let done = world.run(Settle { execution_id: id, holder_gone: None }).unwrap();
        let parts = [
            ("promoted", done.promoted),
            ("lease_expired", done.lease_expired),
            ("expired", done.expired.is_some()),
            ("grant_dropped", done.grant_dropped),
        ];
        parts.iter().filter(|(_, done)| *done).map(|(name, _)| *name).collect()
    });
}
