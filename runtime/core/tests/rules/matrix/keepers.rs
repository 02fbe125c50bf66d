//! What operators and timers ask, in every situation.

use super::{NOT_FOUND, check};
use crate::fixture::{code, operator};
use crate::situation::{self, Situation as S, Staged};
use leasehold_core::command::{
    CancelExecution, ChangePriority, ExpireExecution, ExpirePhase, FenceTriple, MarkExpiredOutcome, MarkLeaseExpired,
    PromoteDelayed, ReplayExecution, RevokeLease, RevokeOutcome, SetExecutionTag, Settle,
};

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
