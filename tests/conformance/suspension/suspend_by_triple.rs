//! `suspend_by_triple`: as `suspend`, for a worker that knows its fence and
//! has no handle.

use crate::case::Case;
use crate::fencing::{Answer, forgeries, told, under_lease};
use crate::states::suspended;
use crate::suspension::detail;
use leasehold_contract::{FenceTriple, SuspendOutcome};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::handle::HandleKind;
use leasehold_tests::harness::keyed;

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async {
        let fence = held.fence().into();
        told(case.engine.suspend_by_triple(held.execution_id, fence, case.suspension()).await)
    })
}

under_lease!(marks);

pub async fn it_suspends_as_with_a_handle_and_gives_one(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let args = case.suspension();
    let outcome = case.engine.suspend_by_triple(id, held.execution.fence().into(), args.clone()).await.unwrap();
    let SuspendOutcome::Suspended { details, handle } = outcome else { panic!("{outcome:?}") };
    assert_eq!(details.suspension_id, args.suspension_id);
    assert_eq!(handle.kind, HandleKind::Suspended);
    let payload = handle.decode(case.backend.tag()).unwrap();
    assert_eq!(payload, held.handle.decode(case.backend.tag()).unwrap(), "lane and process come from the record");
    assert_eq!(case.vector(id).await, suspended("waiting_for_signal"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 suspend"]);
    let signal = case.signal_to(id, &details.primary);
    assert_eq!(case.deliver(signal).await, "resume_condition_satisfied");
}

pub async fn only_a_whole_fence_serves(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let whole: FenceTriple = held.fence().into();
    let with = |fence| case.engine.suspend_by_triple(id, fence, case.suspension());
    case.refused(id, with(FenceTriple::NONE), "fence_required").await;
    for partial in [
        FenceTriple { lease_id: None, ..whole },
        FenceTriple { lease_epoch: None, ..whole },
        FenceTriple { attempt_id: None, ..whole },
        FenceTriple { lease_id: whole.lease_id, ..FenceTriple::NONE },
    ] {
        case.refused(id, with(partial), "partial_fence_triple").await;
    }
    for forged in forgeries(&held) {
        case.refused(id, with(forged.fence().into()), "stale_lease").await;
    }
}

pub async fn checks_run_in_their_order(case: &mut Case) {
    let nowhere = case.id();
    let wrong = || case.suspension_on(&["b"], keyed("a"));
    let call = case.engine.suspend_by_triple(nowhere, FenceTriple::NONE, wrong());
    let error = case.refused(nowhere, call, "invalid_input").await;
    assert_eq!(detail(&error), "waitpoint_key_mismatch");
    let call = case.engine.suspend_by_triple(nowhere, FenceTriple::NONE, case.suspension());
    case.refused(nowhere, call, "execution_not_found").await;
    let id = case.completed().await.execution.execution_id;
    let call = case.engine.suspend_by_triple(id, FenceTriple::NONE, case.suspension());
    case.refused(id, call, "fence_required").await;
}

pub async fn a_suspended_execution_is_not_active(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let fence = waiting.held.execution.fence().into();
    let again = case.engine.suspend_by_triple(waiting.id, fence, case.suspension());
    case.refused(waiting.id, again, "execution_not_active").await;
}

pub async fn a_repeat_with_the_same_key_is_told_the_same(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let args = case.suspension().with_idempotency_key("once");
    let with_handle = case.engine.suspend(&held.handle, args.clone()).await.unwrap();
    let again = case.engine.suspend_by_triple(id, FenceTriple::NONE, args);
    assert_eq!(case.changes_nothing(id, again).await, with_handle, "not even the fence is looked at");
}

pub async fn what_came_before_may_satisfy(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    case.deliver(case.signal_early(id, &pending)).await;
    let args = case.suspension_at(&pending, keyed("a"));
    let outcome = case.engine.suspend_by_triple(id, held.execution.fence().into(), args).await.unwrap();
    assert!(matches!(outcome, SuspendOutcome::AlreadySatisfied { .. }), "{outcome:?}");
    case.engine.complete(&held.handle, None).await.unwrap();
}
