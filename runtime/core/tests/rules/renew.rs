//! Renewing leases and reporting progress.

use crate::fixture::{START, TTL_MS, World, refused};
use crate::situation::{Situation as S, Staged};
use leasehold_core::command::{FenceTriple, REASON_BYTES_MAX, RenewLease, StoreRenewal, UpdateProgress};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::index::Queue;

fn renewal(id: ExecutionId, fence: FenceTriple, lease_ttl_ms: u64) -> RenewLease {
    RenewLease { execution_id: id, attempt_index: AttemptIndex(0), fence, lease_ttl_ms }
}

fn report(id: ExecutionId, fence: FenceTriple, percent: Option<u8>, message: Option<&str>) -> UpdateProgress {
    UpdateProgress { execution_id: id, fence, percent, message: message.map(str::to_owned) }
}

#[test]
fn a_renewal_moves_the_expiry_from_now_and_may_shorten_it() {
    let mut world = World::new();
    let id = world.create();
    let claimed = world.claim(id);
    let fence = claimed.fence().into();
    for (passed, ttl, expires_at) in [(100, TTL_MS, 100 + TTL_MS), (100, 9, 209), (8, u64::MAX, u64::MAX)] {
        world.pass(passed);
        let renewed = world.run(renewal(id, fence, ttl)).unwrap();
        assert_eq!(renewed.expires_at, START.plus(expires_at));
        assert_eq!(renewed.lease_epoch, claimed.lease_epoch);
        assert_eq!(world.told(), ["renewed"]);
        let execution = world.execution(id);
        let lease = execution.lease.as_ref().unwrap();
        assert_eq!(lease.lease_id, claimed.lease_id);
        assert_eq!((lease.last_renewed_at, lease.acquired_at, lease.ttl_ms), (world.now, START, ttl));
        assert_eq!((execution.last_mutation_at, execution.last_transition_at), (world.now, START));
        assert_eq!(world.queue(id), Queue::Active { lease_expires_at: Some(renewed.expires_at) });
    }
}

#[test]
fn a_renewal_without_time_is_refused() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    refused(world.run(renewal(id, fence, 0)), "invalid_input");
}

#[test]
fn the_advice_to_renew_is_two_thirds_rounded_down() {
    for (ttl, advice) in [(1, 0), (2, 1), (3, 2), (30_000, 20_000), (100, 66)] {
        let Staged { mut world, id, fence } = S::Leased.stage();
        world.run(renewal(id, fence, ttl)).unwrap();
        assert_eq!(world.execution(id).lease.as_ref().unwrap().renewal_deadline, world.now.plus(advice));
    }
}

#[test]
fn progress_keeps_what_is_not_given() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    world.run(report(id, fence, Some(40), Some("half way"))).unwrap();
    world.pass(1);
    world.run(report(id, fence, None, Some("nearly"))).unwrap();
    let progress = world.execution(id).progress.clone();
    assert_eq!((progress.percent, progress.message.as_deref()), (Some(40), Some("nearly")));
    assert_eq!(progress.updated_at, Some(world.now));
    world.run(report(id, fence, Some(0), None)).unwrap();
    let progress = world.execution(id).progress.clone();
    assert_eq!((progress.percent, progress.message.as_deref()), (Some(0), Some("nearly")), "it may go back");
    assert!(world.told().is_empty());
}

#[test]
fn progress_is_bounded() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    refused(world.run(report(id, fence, Some(101), None)), "invalid_input");
    refused(world.run(report(id, fence, None, Some(&"m".repeat(REASON_BYTES_MAX + 1)))), "invalid_input");
    refused(world.run(report(id, fence, None, Some("\0"))), "invalid_input");
    world.run(report(id, fence, Some(100), Some(&"m".repeat(REASON_BYTES_MAX)))).unwrap();
}

#[test]
fn a_promise_is_stored_as_it_was_given_however_late() {
    let mut world = World::new();
    let id = world.create();
    let claimed = world.claim(id);
    world.pass(TTL_MS - 1);
    let promised = START.plus(TTL_MS + 7);
    world.promised_until = Some(promised);
    let stored = world.run(StoreRenewal { execution_id: id, lease_epoch: claimed.lease_epoch }).unwrap();
    assert_eq!(stored.expires_at, Some(promised));
    assert_eq!(world.told(), ["renewed"]);
    let execution = world.execution(id);
    let lease = execution.lease.as_ref().unwrap();
    assert_eq!((lease.expires_at, lease.last_renewed_at), (promised, START.plus(7)));
}

#[test]
fn a_promise_that_lapsed_or_belongs_to_another_lease_is_not_stored() {
    let mut world = World::new();
    let id = world.create();
    let claimed = world.claim(id);
    world.promised_until = Some(START.plus(TTL_MS + 7));
    let other = claimed.lease_epoch.next();
    assert_eq!(world.run(StoreRenewal { execution_id: id, lease_epoch: other }).unwrap().expires_at, None);
    world.pass(TTL_MS + 7);
    let stored = world.run(StoreRenewal { execution_id: id, lease_epoch: claimed.lease_epoch }).unwrap();
    assert_eq!(stored.expires_at, None);
    assert_eq!(world.execution(id).lease.as_ref().unwrap().expires_at, START.plus(TTL_MS));
}
