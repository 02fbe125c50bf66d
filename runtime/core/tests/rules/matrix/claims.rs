//! What schedulers and claiming workers ask, in every situation.

use super::{NOT_FOUND, check};
use crate::fixture::{code, grant_args, reclaim_grant_args};
use crate::situation::Situation as S;
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, Claim, ClaimOutcome, IssueGrantAndClaim, IssueReclaimOutcome, ReclaimOutcome,
    UnblockExecution,
};
use leasehold_core::record::Holder;

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
