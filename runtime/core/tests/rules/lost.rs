//! Lost leases: lapse, revocation, reclaim and its cap.

use crate::fixture::{GRANT_TTL_MS, TTL_MS, World, instance, offered, reclaim_grant_args, refused};
use crate::situation::{Situation as S, Staged, complete_args};
use leasehold_core::command::{
    Claim, ClaimOutcome, IssueReclaimOutcome, MAX_RECLAIMS_EXCEEDED, MarkLeaseExpired, REASON_BYTES_MAX,
    ReclaimOutcome, RevokeLease, RevokeOutcome, Skip,
};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::{GrantPurpose, Holder, Lineage};
use leasehold_core::state::{AttemptLifecycle, AttemptType, BlockingReason, PublicState};

fn revocation(id: ExecutionId) -> RevokeLease {
    RevokeLease { execution_id: id, expected_lease_id: None, worker_instance_id: None, reason: "operator".into() }
}

/// An execution that may be reclaimed `cap` times, and lost its lease.
fn lost_with_cap(policy: &'static str) -> (World, ExecutionId) {
    let mut world = World::new();
    let id = world.create_with_policy(policy);
    world.claim(id);
    lose(&mut world, id);
    (world, id)
}

fn lose(world: &mut World, id: ExecutionId) {
    world.pass(TTL_MS);
    world.run(MarkLeaseExpired { execution_id: id }).unwrap();
}

#[test]
fn a_lapse_leaves_the_execution_active_and_findable() {
    let Staged { mut world, id, fence } = S::Lapsed.stage();
    let before = world.execution(id);
    world.run(MarkLeaseExpired { execution_id: id }).unwrap();
    assert_eq!(world.told(), ["expired"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Active);
    assert_eq!(execution.vector().blocking_reason(), BlockingReason::WaitingForWorker);
    assert_eq!(execution.attempt, before.attempt);
    assert_eq!(execution.lease, before.lease);
    assert_eq!(Some(execution.lease_epoch), fence.lease_epoch);
    assert_eq!(execution.last_transition_at, before.last_transition_at);
    let entries = index_entries(&execution);
    assert!(matches!(entries.queue, Queue::Active { lease_expires_at: Some(_) }));
    assert_eq!(entries.held_by, Some(instance()));
}

#[test]
fn a_promised_lease_is_not_marked() {
    let Staged { mut world, id, .. } = S::Lapsed.stage();
    world.promised_until = Some(world.now.plus(1));
    world.run(MarkLeaseExpired { execution_id: id }).unwrap();
    assert!(world.last.is_empty());
}

#[test]
fn a_revocation_takes_the_lease_and_its_timeout_and_keeps_the_epoch() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let transition = world.execution(id).last_transition_at;
    let revoked = world.run(revocation(id)).unwrap();
    let (lease_id, lease_epoch) = (fence.lease_id.unwrap(), fence.lease_epoch.unwrap());
    assert_eq!(revoked, RevokeOutcome::Revoked { lease_id, lease_epoch });
    assert_eq!(world.told(), ["revoked: operator"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Active);
    assert_eq!((execution.lease_revoked_at, execution.attempt_timeout), (Some(world.now), None));
    assert_eq!(execution.lease_revoke_reason.as_deref(), Some("operator"));
    assert_eq!(execution.last_transition_at, transition);
    let entries = index_entries(&execution);
    assert_eq!(entries.queue, Queue::Active { lease_expires_at: None });
    assert_eq!(entries.held_by, None);
    assert_eq!(world.run(revocation(id)).unwrap(), RevokeOutcome::AlreadySatisfied { reason: "already_revoked" });
    assert!(world.last.is_empty());
}

#[test]
fn a_revocation_may_name_the_lease_and_the_process() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let mut args = revocation(id);
    args.worker_instance_id = Some(WorkerInstanceId::new("worker-2"));
    let other = RevokeOutcome::AlreadySatisfied { reason: "different_worker_instance_id" };
    assert_eq!(world.run(args.clone()).unwrap(), other);
    args.expected_lease_id = Some(world.lease_id());
    refused(world.run(args.clone()), "stale_lease");
    args.reason = "r".repeat(REASON_BYTES_MAX + 1);
    refused(world.run(args.clone()), "invalid_input");
    args.reason = String::new();
    args.expected_lease_id = fence.lease_id;
    args.worker_instance_id = Some(instance());
    assert!(matches!(world.run(args).unwrap(), RevokeOutcome::Revoked { .. }));
}

#[test]
fn a_reclaim_grant_keeps_the_execution_where_it_is() {
    let Staged { mut world, id, .. } = S::Expired.stage();
    let queue = world.queue(id);
    let issued = world.run(reclaim_grant_args(id)).unwrap();
    let expires_at = world.now.plus(GRANT_TTL_MS);
    let lane_id = crate::fixture::lane();
    assert_eq!(issued, IssueReclaimOutcome::Granted { execution_id: id, lane_id, expires_at });
    assert_eq!(world.execution(id).grant.as_ref().unwrap().purpose, GrantPurpose::Reclaim);
    assert_eq!(world.queue(id), queue);
    refused(world.run(reclaim_grant_args(id)), "grant_already_exists");
    world.pass(GRANT_TTL_MS + 1);
    world.run(reclaim_grant_args(id)).unwrap();
}

#[test]
fn a_mismatch_is_no_reclaim_and_leaves_a_mark() {
    let (mut world, id) = lost_with_gpu();
    let detail = "capability_mismatch: gpu".to_owned();
    let expected = IssueReclaimOutcome::NotReclaimable { execution_id: id, detail };
    assert_eq!(world.run(reclaim_grant_args(id)).unwrap(), expected);
    assert_eq!(world.execution(id).last_capability_mismatch_at, Some(world.now));
    assert_eq!(world.run(reclaim_grant_args(id)).unwrap(), expected);
    assert!(world.last.is_empty(), "the mark is set once a second");
}

fn lost_with_gpu() -> (World, ExecutionId) {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#);
    let mut grant = crate::fixture::grant_args(id);
    grant.capabilities = offered(&["gpu"]);
    world.run(grant).unwrap();
    let args = world.claim_args(id);
    world.run(args).unwrap();
    lose(&mut world, id);
    (world, id)
}

#[test]
fn a_reclaim_starts_a_new_attempt_and_keeps_the_old_one_ended() {
    for (situation, reason) in [(S::Expired, "lease_expired_reclaimable"), (S::Revoked, "lease_revoked")] {
        let Staged { mut world, id, fence } = situation.stage();
        world.pass(3);
        let claimed = world.reclaim(id);
        assert_eq!((claimed.attempt_index, claimed.attempt_type), (AttemptIndex(1), AttemptType::Reclaim));
        assert_eq!((claimed.lease_epoch, claimed.kind), (LeaseEpoch(2), HandleKind::Reclaimed));
        assert_eq!(world.told(), ["reclaimed"]);
        let execution = world.execution(id);
        assert_eq!((execution.lease_reclaim_count, execution.retry_count), (1, 0));
        assert_eq!((execution.lease_expired_at, execution.lease_revoked_at, &execution.grant), (None, None, &None));
        assert_eq!(execution.attempt_timeout_at(), Some(world.now.plus(86_400_000)));
        let lineage = &execution.attempt.as_ref().unwrap().lineage;
        let expected = Lineage::Reclaim { reclaim_reason: reason.into(), previous_attempt_index: AttemptIndex(0) };
        assert_eq!(*lineage, expected);
        let old = world.attempt(id, 0);
        assert_eq!(old.lifecycle, AttemptLifecycle::InterruptedReclaimed);
        assert_eq!(Some(old.attempt_id), fence.attempt_id);
        let again = world.reclaim_args(id);
        assert!(matches!(world.run(again).unwrap(), ReclaimOutcome::NotReclaimable { .. }));
    }
}

#[test]
fn a_reclaim_needs_the_grant_of_its_worker_and_process() {
    let Staged { mut world, id, .. } = S::Expired.stage();
    let args = world.reclaim_args(id);
    assert_eq!(world.run(args).unwrap(), ReclaimOutcome::GrantNotFound { execution_id: id });
    world.run(reclaim_grant_args(id)).unwrap();
    let mut thief = world.reclaim_args(id);
    thief.worker_id = WorkerId::new("thief");
    assert_eq!(world.run(thief).unwrap(), ReclaimOutcome::GrantNotFound { execution_id: id });
    let mut other = world.reclaim_args(id);
    other.worker_instance_id = WorkerInstanceId::new("worker-2");
    assert_eq!(world.run(other).unwrap(), ReclaimOutcome::GrantNotFound { execution_id: id });
    assert!(world.last.is_empty());
    world.pass(GRANT_TTL_MS + 1);
    let args = world.reclaim_args(id);
    assert_eq!(world.run(args).unwrap(), ReclaimOutcome::GrantNotFound { execution_id: id });
    assert_eq!(world.execution(id).grant, None, "a void grant is dropped");
}

#[test]
fn the_cap_ends_the_execution_when_the_grant_is_issued() {
    let (mut world, id) = lost_with_cap(r#"{"max_reclaim_count":1}"#);
    world.reclaim(id);
    lose(&mut world, id);
    let expected = IssueReclaimOutcome::ReclaimCapExceeded { execution_id: id, reclaim_count: 1 };
    assert_eq!(world.run(reclaim_grant_args(id)).unwrap(), expected);
    assert_eq!(world.told(), ["released: max_reclaims_exceeded", "completed: failed"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Failed);
    assert_eq!(execution.failure_reason.as_deref(), Some(MAX_RECLAIMS_EXCEEDED));
    assert_eq!(execution.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::InterruptedReclaimed);
    assert_eq!(execution.lease_reclaim_count, 1);
    let args = world.reclaim_args(id);
    assert!(matches!(world.run(args).unwrap(), ReclaimOutcome::NotReclaimable { .. }));
}

#[test]
fn the_cap_ends_the_execution_when_the_grant_is_used() {
    let mut world = World::new();
    let id = world.create();
    world.claim(id);
    lose(&mut world, id);
    world.run(reclaim_grant_args(id)).unwrap();
    let mut args = world.reclaim_args(id);
    args.max_reclaim_count = Some(0);
    let expected = ReclaimOutcome::ReclaimCapExceeded { execution_id: id, reclaim_count: 0 };
    assert_eq!(world.run(args).unwrap(), expected);
    assert_eq!(world.execution(id).grant, None);
    assert_eq!(world.told(), ["released: max_reclaims_exceeded", "completed: failed"]);
}

#[test]
fn a_stored_cap_outweighs_the_argument_and_the_grant_comes_before_the_cap() {
    let (mut world, id) = lost_with_cap(r#"{"max_reclaim_count":5}"#);
    let mut args = world.reclaim_args(id);
    args.max_reclaim_count = Some(0);
    assert_eq!(world.run(args.clone()).unwrap(), ReclaimOutcome::GrantNotFound { execution_id: id });
    world.run(reclaim_grant_args(id)).unwrap();
    assert!(matches!(world.run(args).unwrap(), ReclaimOutcome::Claimed(_)));
}

#[test]
fn a_direct_claim_keeps_the_cap_too() {
    let (mut world, id) = lost_with_cap(r#"{"max_reclaim_count":0}"#);
    let args = Claim {
        execution_id: id,
        worker_id: crate::fixture::worker(),
        worker_instance_id: instance(),
        holder: Holder::Remote,
        capabilities: offered(&[]),
        request_id: None,
        lease_id: world.lease_id(),
        attempt_id: world.attempt_id(),
        lease_ttl_ms: TTL_MS,
    };
    assert_eq!(world.run(args).unwrap(), ClaimOutcome::Skipped(Skip::ReclaimCapExceeded));
    assert_eq!(world.public_state(id), PublicState::Failed);
}

#[test]
fn an_execution_that_kills_every_worker_ends_after_the_default_cap() {
    let mut world = World::new();
    let id = world.create();
    world.claim(id);
    for reclaims in 0..100 {
        lose(&mut world, id);
        assert_eq!(world.execution(id).lease_reclaim_count, reclaims);
        world.reclaim(id);
    }
    lose(&mut world, id);
    let expected = IssueReclaimOutcome::ReclaimCapExceeded { execution_id: id, reclaim_count: 100 };
    assert_eq!(world.run(reclaim_grant_args(id)).unwrap(), expected);
    assert_eq!(world.execution(id).total_attempt_count, 101);
}

#[test]
fn a_repeat_by_the_holder_whose_execution_hit_the_cap_is_no_completion() {
    let (mut world, id) = lost_with_cap(r#"{"max_reclaim_count":0}"#);
    let fence = world.fence(id);
    world.run(reclaim_grant_args(id)).unwrap();
    refused(world.run(complete_args(id, fence)), "execution_not_active");
}
