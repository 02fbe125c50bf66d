//! What holders of a lease ask, in every situation.

use super::{NOT_FOUND, Row, check};
use crate::fixture::{code, holder};
use crate::situation::{Situation as S, complete_args, fail_args};
use leasehold_core::command::{CancelExecution, Delay, RenewLease, UpdateProgress, WaitChildren};
use leasehold_core::ids::AttemptIndex;

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
