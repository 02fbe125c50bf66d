//! What every operation under a lease has in common: the validation sequence
//! and what a holder sees whose lease is gone.
//!
//! [`under_lease`] makes its cases for one operation, which stands in the
//! module of the caller as `call`.

use crate::case::Case;
use crate::states::{LAPSED, LEASED};
use leasehold_contract::EngineResult;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::error::{ContentionKind, EngineError, NotActive};
use leasehold_core::ids::{AttemptId, LeaseEpoch, LeaseId};
use leasehold_core::state::{LifecyclePhase, TerminalOutcome};
use leasehold_tests::harness::act;
use std::pin::Pin;
use uuid::Uuid;

/// A call's answer, as text.
pub type Answer<'a> = Pin<Box<dyn Future<Output = EngineResult<String>> + 'a>>;

/// An operation as the holder of a lease calls it.
pub type Call = for<'a> fn(&'a Case, &'a ClaimedExecution) -> Answer<'a>;

/// Turns an answer into text, so that operations can be called alike.
pub fn told<T: std::fmt::Debug>(result: EngineResult<T>) -> EngineResult<String> {
    result.map(|answer| format!("{answer:?}"))
}

/// The lease as somebody would name it who has one part of the fence wrong.
pub fn forgeries(held: &ClaimedExecution) -> [ClaimedExecution; 3] {
    let wrong = Uuid::from_u128(0xbad);
    [
        ClaimedExecution { lease_id: LeaseId::from_uuid(wrong), ..held.clone() },
        ClaimedExecution { lease_epoch: LeaseEpoch(held.lease_epoch.0 + 1), ..held.clone() },
        ClaimedExecution { attempt_id: AttemptId::from_uuid(wrong), ..held.clone() },
    ]
}

/// What a caller learns of an execution that is not active.
pub fn not_active(error: &EngineError) -> &NotActive {
    match error {
        EngineError::Contention { kind: ContentionKind::ExecutionNotActive(at) } => at,
        other => panic!("no details: {other:?}"),
    }
}

pub async fn unknown(case: &Case, call: Call) {
    let held = case.leased().await.execution;
    let stranger = ClaimedExecution { execution_id: case.id(), ..held };
    case.refused(stranger.execution_id, call(case, &stranger), "execution_not_found").await;
    let nowhere = ClaimedExecution { execution_id: case.id_in(case.partitions()), ..stranger };
    case.refused(nowhere.execution_id, call(case, &nowhere), "execution_not_found").await;
}

pub async fn parked(case: &Case, call: Call) {
    let held = case.parked(1000).await.execution;
    let error = case.refused(held.execution_id, call(case, &held), "execution_not_active").await;
    let expected = NotActive {
        terminal_outcome: TerminalOutcome::None,
        lease_epoch: LeaseEpoch(1),
        lifecycle_phase: LifecyclePhase::Runnable,
        attempt_id: Some(held.attempt_id),
    };
    assert_eq!(*not_active(&error), expected);
}

pub async fn ended(case: &Case, call: Call) {
    let held = case.ended(TerminalOutcome::Expired).await.execution;
    let error = case.refused(held.execution_id, call(case, &held), "execution_not_active").await;
    let expected = NotActive {
        terminal_outcome: TerminalOutcome::Expired,
        lease_epoch: LeaseEpoch(1),
        lifecycle_phase: LifecyclePhase::Terminal,
        attempt_id: Some(held.attempt_id),
    };
    assert_eq!(*not_active(&error), expected);
}

pub async fn revoked(case: &Case, call: Call) {
    let held = case.revoked().await.execution;
    case.refused(held.execution_id, call(case, &held), "lease_revoked").await;
    for forged in forgeries(&held) {
        case.refused(held.execution_id, call(case, &forged), "lease_revoked").await;
    }
}

pub async fn overdue(case: &Case, call: Call, marks: bool) {
    let held = case.overdue().await.execution;
    let id = held.execution_id;
    if marks {
        case.code(call(case, &held).await, "lease_expired");
        assert_eq!(case.vector(id).await, LAPSED);
        assert_eq!(case.story(id).await, ["acquired 1", "expired 1"]);
        assert_eq!(case.record(id).await.lease_expired_at, Some(case.now()));
    } else {
        case.refused(id, call(case, &held), "lease_expired").await;
        assert_eq!(case.vector(id).await, LEASED);
    }
}

pub async fn lapsed(case: &Case, call: Call) {
    let held = case.lapsed().await.execution;
    case.refused(held.execution_id, call(case, &held), "lease_expired").await;
    for forged in forgeries(&held) {
        case.refused(held.execution_id, call(case, &forged), "lease_expired").await;
    }
}

pub async fn forged(case: &Case, call: Call) {
    let held = case.leased().await.execution;
    for forged in forgeries(&held) {
        case.refused(held.execution_id, call(case, &forged), "stale_lease").await;
    }
    call(case, &held).await.expect("the true holder is let in");
}

pub async fn replaced(case: &Case, call: Call) {
    let held = case.lapsed().await.execution;
    case.reclaim_lost(held.execution_id).await;
    case.refused(held.execution_id, call(case, &held), "stale_lease").await;
}

pub async fn resumed(case: &Case, call: Call) {
    let held = case.resumable().await.execution;
    let id = held.execution_id;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let again = case.engine.claim_resumed_execution(case.resume(id)).await.unwrap().execution;
    assert_eq!(again.attempt_id, held.attempt_id);
    case.refused(id, call(case, &held), "stale_lease").await;
    call(case, &again).await.expect("the new holder is let in");
}

pub async fn last_moment(case: &Case, call: Call) {
    let held = case.leased().await.execution;
    case.advance(act::TTL_MS - 1);
    call(case, &held).await.expect("a lease is live while now < expires_at");
}

/// The cases of one operation under a lease; `marks` or `reports` tells what
/// it does about a lease that has run out.
macro_rules! under_lease {
    (marks) => {
        crate::fencing::under_lease!(@common);

        pub async fn a_lapse_is_marked_although_the_call_fails(case: &mut Case) {
            crate::fencing::overdue(case, call, true).await;
        }
    };
    (reports) => {
        crate::fencing::under_lease!(@common);

        pub async fn a_lapse_is_reported_and_not_marked(case: &mut Case) {
            crate::fencing::overdue(case, call, false).await;
        }
    };
    (@common) => {
        pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
            crate::fencing::unknown(case, call).await;
        }

        pub async fn an_execution_given_back_is_not_active(case: &mut Case) {
            crate::fencing::parked(case, call).await;
        }

        pub async fn an_execution_that_expired_is_not_active(case: &mut Case) {
            crate::fencing::ended(case, call).await;
        }

        pub async fn a_revoked_lease_is_refused_whatever_the_fence(case: &mut Case) {
            crate::fencing::revoked(case, call).await;
        }

        pub async fn a_marked_lapse_is_refused_whatever_the_fence(case: &mut Case) {
            crate::fencing::lapsed(case, call).await;
        }

        pub async fn every_part_of_the_fence_counts(case: &mut Case) {
            crate::fencing::forged(case, call).await;
        }

        pub async fn the_holder_before_a_reclaim_is_stale(case: &mut Case) {
            crate::fencing::replaced(case, call).await;
        }

        pub async fn the_holder_before_a_resume_is_stale(case: &mut Case) {
            crate::fencing::resumed(case, call).await;
        }

        pub async fn a_lease_is_live_to_its_last_millisecond(case: &mut Case) {
            crate::fencing::last_moment(case, call).await;
        }
    };
}

pub(crate) use under_lease;
