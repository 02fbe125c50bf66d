//! Settling: whatever is due, in the order it became due.

use crate::fixture::{GRANT_TTL_MS, START, TTL_MS, World, holder};
use crate::situation::{Situation as S, Staged};
use leasehold_core::command::{Delay, ExpirePhase, Settle, SettleOutcome};
use leasehold_core::ids::{ExecutionId, LeaseEpoch};
use leasehold_core::state::PublicState;

fn settle(id: ExecutionId) -> Settle {
    Settle { execution_id: id, holder_gone: None }
}

fn run(world: &mut World, id: ExecutionId) -> SettleOutcome {
    let done = world.run(settle(id)).unwrap();
    let last = world.last.clone();
    assert_eq!(world.run(settle(id)).unwrap(), SettleOutcome::default(), "nothing is due twice");
    assert!(world.last.is_empty());
    world.last = last;
    done
}

#[test]
fn what_is_not_due_stays() {
    for situation in [S::Missing, S::Eligible, S::Granted, S::Delayed, S::Blocked, S::Leased, S::Completed] {
        let Staged { mut world, id, .. } = situation.stage();
        assert_eq!(run(&mut world, id), SettleOutcome::default());
        assert!(world.last.is_empty());
    }
}

#[test]
fn a_lapsed_lease_is_marked_and_then_the_timeout_ends_it() {
    let mut world = World::new();
    let id = world.create();
    world.claim_with(id, |args| args.attempt_timeout_ms = Some(TTL_MS + 1));
    world.pass(TTL_MS);
    assert_eq!(run(&mut world, id), SettleOutcome { lease_expired: true, ..SettleOutcome::default() });
    world.pass(1);
    let expired = Some(ExpirePhase::AttemptTimeout);
    assert_eq!(run(&mut world, id), SettleOutcome { expired, ..SettleOutcome::default() });
}

#[test]
fn several_things_due_are_done_in_their_order() {
    let mut world = World::new();
    let id = world.create();
    world.claim_with(id, |args| {
        args.attempt_timeout_ms = Some(TTL_MS + 1);
        args.execution_deadline_at = Some(START.plus(TTL_MS + 2));
    });
    world.pass(TTL_MS + 2);
    let done = run(&mut world, id);
    assert!(done.lease_expired);
    assert_eq!(done.expired, Some(ExpirePhase::AttemptTimeout));
    assert_eq!(world.told(), ["expired", "released: expired:attempt_timeout", "completed: expired"]);
}

#[test]
fn a_timeout_due_before_the_lapse_leaves_no_lapse() {
    let mut world = World::new();
    let id = world.create();
    world.claim_with(id, |args| args.attempt_timeout_ms = Some(5));
    world.pass(TTL_MS);
    let done = run(&mut world, id);
    assert_eq!((done.lease_expired, done.expired), (false, Some(ExpirePhase::AttemptTimeout)));
    assert_eq!(world.told(), ["released: expired:attempt_timeout", "completed: expired"]);
}

#[test]
fn a_lapse_and_a_timeout_in_the_same_millisecond_are_both_told() {
    let mut world = World::new();
    let id = world.create();
    world.claim_with(id, |args| args.attempt_timeout_ms = Some(TTL_MS));
    world.pass(TTL_MS);
    let done = run(&mut world, id);
    assert_eq!((done.lease_expired, done.expired), (true, Some(ExpirePhase::AttemptTimeout)));
}

#[test]
fn a_delay_that_is_over_wakes_even_when_the_deadline_ends_it_next() {
    let mut world = World::new();
    let id = world.create_with(|args| {
        args.delay_until = Some(START.plus(5));
        args.execution_deadline_at = Some(START.plus(10));
    });
    world.pass(5);
    assert_eq!(run(&mut world, id), SettleOutcome { promoted: true, ..SettleOutcome::default() });
    let late = world.create_with(|args| {
        args.delay_until = Some(START.plus(15));
        args.execution_deadline_at = Some(START.plus(20));
    });
    world.pass(15);
    let done = run(&mut world, late);
    assert_eq!((done.promoted, done.expired), (true, Some(ExpirePhase::ExecutionDeadline)));
}

#[test]
fn a_void_grant_is_dropped() {
    let Staged { mut world, id, .. } = S::Granted.stage();
    world.pass(GRANT_TTL_MS + 1);
    assert_eq!(run(&mut world, id), SettleOutcome { grant_dropped: true, ..SettleOutcome::default() });
    assert_eq!(world.execution(id).grant, None);
}

#[test]
fn a_holder_known_to_be_gone_loses_its_lease_at_once() {
    let Staged { mut world, id, .. } = S::Leased.stage();
    let other = Settle { execution_id: id, holder_gone: Some(LeaseEpoch(2)) };
    assert_eq!(world.run(other).unwrap(), SettleOutcome::default());
    world.promised_until = Some(world.now.plus(TTL_MS * 2));
    let gone = Settle { execution_id: id, holder_gone: Some(LeaseEpoch(1)) };
    assert!(world.run(gone).unwrap().lease_expired);
    assert_eq!(world.told(), ["expired"]);
}

#[test]
fn a_promise_postpones_the_lapse() {
    let Staged { mut world, id, .. } = S::Lapsed.stage();
    world.promised_until = Some(world.now.plus(10));
    assert_eq!(run(&mut world, id), SettleOutcome::default());
    world.pass(10);
    assert!(run(&mut world, id).lease_expired);
}

#[test]
fn a_past_delay_is_over_at_once() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    world.run(Delay { execution_id: id, fence, source: holder(), delay_until: START }).unwrap();
    assert!(run(&mut world, id).promoted);
    assert_eq!(world.public_state(id), PublicState::Resumable);
}
