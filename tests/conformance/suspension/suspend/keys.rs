//! Idempotency keys: a repeat is told what the first call was told.

use super::try_suspend;
use crate::case::Case;
use leasehold_contract::{SuspendArgs, SuspendOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::record::TimeoutBehavior;
use leasehold_tests::harness::{keyed, resumption};

const WEEK_MS: u64 = 604_800_000;

fn once(case: &Case) -> SuspendArgs {
    case.suspension().with_idempotency_key("once")
}

pub async fn a_repeat_with_the_same_key_is_told_the_same(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let keys = ["a", "b"];
    let args = case.suspension_on(&keys, leasehold_core::suspension::ResumeCondition::all_of_waitpoints(keys));
    let args = args.with_idempotency_key("once");
    let first = case.engine.suspend(&held.handle, args.clone()).await.unwrap();
    let again = case.changes_nothing(id, try_suspend(case, &held.handle, &args)).await;
    assert_eq!(again, first);
    // The ids of the repeat do not matter, and neither does its fence.
    let others = case.changes_nothing(id, try_suspend(case, &held.handle, &once(case))).await;
    assert_eq!(others, first);
    let SuspendOutcome::Suspended { details, handle } = first.clone() else { panic!("{first:?}") };
    case.kill().await;
    assert_eq!(case.changes_nothing(id, try_suspend(case, &held.handle, &args)).await, first);
    case.deliver(case.signal_to(id, &details.primary)).await;
    case.deliver(case.signal_to(id, &details.additional_waitpoints[0])).await;
    assert_eq!(case.changes_nothing(id, try_suspend(case, &held.handle, &args)).await, first);
    let resumed = case.take_again(id).await;
    assert_eq!(case.changes_nothing(id, try_suspend(case, &resumed.handle, &args)).await, first);
    // A handle that says it is suspended is refused before that.
    assert_eq!(handle.kind, HandleKind::Suspended);
    case.refused(id, try_suspend(case, &handle, &args), "already_suspended").await;
}

pub async fn a_key_belongs_to_its_execution(case: &mut Case) {
    let one = case.leased().await;
    let two = case.leased().await;
    let first = case.suspend(one, once(case)).await;
    let second = case.suspend(two, once(case)).await;
    assert_ne!(first.details, second.details);
}

pub async fn an_empty_key_is_none(case: &mut Case) {
    let held = case.leased().await;
    let args = case.suspension().with_idempotency_key("");
    let waiting = case.suspend(held, args.clone()).await;
    case.refused(waiting.id, try_suspend(case, &waiting.held.handle, &args), "execution_not_active").await;
}

pub async fn without_a_deadline_a_key_lasts_a_week(case: &mut Case) {
    let held = case.leased().await;
    let waiting = case.suspend(held, once(case)).await;
    case.advance(WEEK_MS - 1);
    let again = case.changes_nothing(waiting.id, try_suspend(case, &waiting.held.handle, &once(case))).await;
    assert_eq!(*again.details(), waiting.details);
    case.advance(1);
    case.refused(waiting.id, try_suspend(case, &waiting.held.handle, &once(case)), "execution_not_active").await;
}

pub async fn a_key_lasts_a_minute_longer_than_its_suspension_may(case: &mut Case) {
    for (ahead, lasts) in [(5000, 65_000), (2 * WEEK_MS, WEEK_MS)] {
        let held = case.leased().await;
        let args = once(case).with_timeout(case.now().plus(ahead), TimeoutBehavior::Fail);
        let waiting = case.suspend(held, args.clone()).await;
        case.advance(lasts - 1);
        let again = try_suspend(case, &waiting.held.handle, &once(case)).await.unwrap();
        assert_eq!(*again.details(), waiting.details, "{ahead}");
        case.advance(1);
        case.refused(waiting.id, try_suspend(case, &waiting.held.handle, &once(case)), "execution_not_active").await;
    }
}

pub async fn the_callers_clock_says_how_long_a_key_lasts(case: &mut Case) {
    let held = case.leased().await;
    let mut args = once(case).with_timeout(case.now().plus(5000), TimeoutBehavior::Fail);
    args.now = case.now().plus(2000);
    let waiting = case.suspend(held, args).await;
    case.advance(62_999);
    let again = try_suspend(case, &waiting.held.handle, &once(case)).await.unwrap();
    assert_eq!(*again.details(), waiting.details);
    case.advance(1);
    case.refused(waiting.id, try_suspend(case, &waiting.held.handle, &once(case)), "execution_not_active").await;
}

pub async fn a_key_that_lapsed_serves_again(case: &mut Case) {
    let held = case.leased().await;
    let first = case.suspend(held, once(case)).await;
    case.advance(WEEK_MS);
    case.engine.resume_execution(resumption(first.id)).await.unwrap();
    let held = case.take_again(first.id).await;
    let second = case.suspend(held, once(case)).await;
    assert_ne!(first.details, second.details);
}

pub async fn a_refusal_uses_up_no_key(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let wrong = case.suspension_on(&["a"], keyed("b")).with_idempotency_key("once");
    case.refused(id, try_suspend(case, &held.handle, &wrong), "invalid_input").await;
    case.suspend(held, once(case)).await;
}
