//! Claims: fresh, resumed, by an operator, and in one step.

use crate::fixture::{START, TTL_MS, World, grant_args, holder, instance, lane, offered, refused, worker};
use crate::situation::{Situation as S, Staged, complete_args, fail_args};
use leasehold_core::command::{Claim, ClaimOutcome, Delay, IssueGrantAndClaim, OPERATOR_IDENTITY, Skip, WaitChildren};
use leasehold_core::handle::{BackendTag, HandleKind};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch};
use leasehold_core::index::{DueKind, Queue, index_entries, next_due};
use leasehold_core::record::{AttemptTimeout, Holder, Lineage};
use leasehold_core::state::{AttemptLifecycle, AttemptType, PublicState};
use leasehold_core::time::TimestampMs;

const DAY_MS: u64 = 86_400_000;

fn claim_args(world: &mut World, id: ExecutionId) -> Claim {
    Claim {
        execution_id: id,
        worker_id: worker(),
        worker_instance_id: instance(),
        holder: Holder::Remote,
        capabilities: offered(&[]),
        request_id: None,
        lease_id: world.lease_id(),
        attempt_id: world.attempt_id(),
        lease_ttl_ms: TTL_MS,
    }
}

fn operator_args(world: &mut World, id: ExecutionId) -> IssueGrantAndClaim {
    IssueGrantAndClaim {
        execution_id: id,
        lane_id: lane(),
        lease_id: world.lease_id(),
        attempt_id: world.attempt_id(),
        lease_duration_ms: TTL_MS,
    }
}

#[test]
fn a_fresh_claim_starts_the_first_attempt_under_epoch_one() {
    let mut world = World::new();
    let id = world.create();
    world.pass(10);
    let claimed = world.claim(id);
    assert_eq!((claimed.lease_epoch, claimed.attempt_index), (LeaseEpoch(1), AttemptIndex(0)));
    assert_eq!((claimed.attempt_type, claimed.kind), (AttemptType::Initial, HandleKind::Fresh));
    assert_eq!(claimed.lease_expires_at, START.plus(10 + TTL_MS));
    assert_eq!(world.told(), ["acquired"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Active);
    assert_eq!(execution.started_at, Some(START.plus(10)));
    assert_eq!(execution.total_attempt_count, 1);
    assert_eq!(execution.current_attempt_id(), Some(claimed.attempt_id));
    let lease = execution.lease.as_ref().unwrap();
    assert_eq!(lease.renewal_deadline, START.plus(10 + 2 * TTL_MS / 3));
    let entries = index_entries(&execution);
    assert_eq!(entries.queue, Queue::Active { lease_expires_at: Some(claimed.lease_expires_at) });
    assert_eq!(entries.held_by, Some(instance()));
    // Its owner knows when the attempt is out of time; the store need not find it.
    assert_eq!((next_due(&execution).map(|(at, _)| at), entries.due_at), (Some(START.plus(10 + DAY_MS)), None));
    let payload = claimed.handle(BackendTag::Memory).decode(BackendTag::Memory).unwrap();
    assert_eq!((payload.execution_id, payload.lease_epoch), (id, LeaseEpoch(1)));
}

#[test]
fn the_attempt_timeout_comes_from_the_argument_else_the_policy_else_a_day() {
    let policy = r#"{"timeout_policy":{"attempt_timeout_ms":500}}"#;
    for (policy, argument, expected) in [
        ("{}", None, DAY_MS),
        ("{}", Some(0), DAY_MS),
        ("{}", Some(70), 70),
        (policy, None, 500),
        (policy, Some(0), 500),
        (policy, Some(70), 70),
        (r#"{"timeout_policy":{"attempt_timeout_ms":0}}"#, None, DAY_MS),
    ] {
        let mut world = World::new();
        let id = world.create_with_policy(policy);
        world.claim_with(id, |args| args.attempt_timeout_ms = argument);
        let at = START.plus(expected);
        assert_eq!(next_due(&world.execution(id)), Some((at, DueKind::AttemptTimeout)), "{policy} {argument:?}");
    }
}

#[test]
fn a_claim_may_replace_the_deadline_but_not_remove_it() {
    for (argument, expected) in
        [(None, START.plus(900)), (Some(TimestampMs(0)), START.plus(900)), (Some(START.plus(5)), START.plus(5))]
    {
        let mut world = World::new();
        let id = world.create_with(|args| args.execution_deadline_at = Some(START.plus(900)));
        world.claim_with(id, |args| args.execution_deadline_at = argument);
        assert_eq!(world.execution(id).deadline_at, Some(expected));
    }
}

#[test]
fn an_unexpected_attempt_index_is_refused_and_keeps_the_grant() {
    let mut world = World::new();
    let id = world.create();
    world.grant(id);
    let mut args = world.claim_args(id);
    args.expected_attempt_index = Some(AttemptIndex(1));
    refused(world.run(args), "execution_not_leaseable");
    let mut args = world.claim_args(id);
    args.expected_attempt_index = Some(AttemptIndex(0));
    world.run(args).unwrap();
}

#[test]
fn a_lease_without_time_is_refused_everywhere() {
    let mut world = World::new();
    let id = world.create();
    let mut args = operator_args(&mut world, id);
    args.lease_duration_ms = 0;
    refused(world.run(args), "invalid_input");
    let mut args = claim_args(&mut world, id);
    args.lease_ttl_ms = 0;
    refused(world.run(args), "invalid_input");
    world.grant(id);
    let mut args = world.claim_args(id);
    args.lease_ttl_ms = 0;
    refused(world.run(args), "invalid_input");
    let mut args = world.resume_args(id);
    args.lease_ttl_ms = 0;
    refused(world.run(args), "invalid_input");
    let mut args = world.reclaim_args(id);
    args.lease_ttl_ms = 0;
    refused(world.run(args), "invalid_input");
}

#[test]
fn a_retry_is_a_new_attempt_that_knows_the_one_before() {
    let Staged { mut world, id, fence } = S::RetryEligible.stage();
    let claimed = world.claim(id);
    assert_eq!((claimed.attempt_index, claimed.attempt_type), (AttemptIndex(1), AttemptType::Retry));
    assert_eq!(claimed.lease_epoch, LeaseEpoch(2));
    assert_ne!(Some(claimed.attempt_id), fence.attempt_id);
    let execution = world.execution(id);
    let lineage = &execution.attempt.as_ref().unwrap().lineage;
    let expected = Lineage::Retry { retry_reason: "it broke".into(), previous_attempt_index: AttemptIndex(0) };
    assert_eq!(*lineage, expected);
    assert_eq!(execution.started_at, Some(START), "the start is that of the first attempt");
    let first = world.attempt(id, 0);
    assert_eq!(first.lifecycle, AttemptLifecycle::EndedFailure);
    assert_eq!(first.failure_reason.as_deref(), Some("it broke"));
}

#[test]
fn a_resumed_claim_continues_the_same_attempt_with_what_is_left_of_its_time() {
    let mut world = World::new();
    let id = world.create();
    let first = world.claim_with(id, |args| args.attempt_timeout_ms = Some(1000));
    world.pass(400);
    world.run(WaitChildren { execution_id: id, fence: first.fence().into(), source: holder() }).unwrap();
    assert_eq!(world.execution(id).attempt_timeout, Some(AttemptTimeout::Remaining(600)));
    world.pass(5000);
    world.grant(id);
    let args = world.resume_args(id);
    let second = world.run(args).unwrap();
    assert_eq!((second.attempt_id, second.attempt_index), (first.attempt_id, first.attempt_index));
    assert_eq!((second.lease_epoch, second.kind), (LeaseEpoch(2), HandleKind::Resumed));
    assert_ne!(second.lease_id, first.lease_id);
    assert_eq!(world.told(), ["acquired: claim_resumed"]);
    let execution = world.execution(id);
    assert_eq!(execution.total_attempt_count, 1);
    assert_eq!(execution.attempt_timeout_at(), Some(world.now.plus(600)));
    let attempt = execution.attempt.as_ref().unwrap();
    assert_eq!(attempt.resumed_at, Some(world.now));
    assert_eq!((attempt.suspended_at, &attempt.suspension_id), (None, &None));
}

#[test]
fn a_resumed_claim_may_be_given_its_time_and_its_attempt() {
    let Staged { mut world, id, .. } = S::Resumable.stage();
    world.grant(id);
    let mut args = world.resume_args(id);
    args.current_attempt_index = Some(AttemptIndex(1));
    refused(world.run(args), "execution_not_leaseable");
    let mut args = world.resume_args(id);
    args.current_attempt_index = Some(AttemptIndex(0));
    args.remaining_attempt_timeout_ms = Some(42);
    world.run(args).unwrap();
    assert_eq!(world.execution(id).attempt_timeout_at(), Some(world.now.plus(42)));
}

#[test]
fn a_worker_told_to_resume_keeps_its_grant() {
    let Staged { mut world, id, .. } = S::Resumable.stage();
    world.grant(id);
    let fresh = world.claim_args(id);
    refused(world.run(fresh), "use_claim_resumed_execution");
    let resumed = world.resume_args(id);
    world.run(resumed).unwrap();
}

#[test]
fn an_interrupted_attempt_that_is_not_yet_eligible_cannot_be_resumed() {
    let Staged { mut world, id, .. } = S::InterruptedDelayed.stage();
    let args = world.resume_args(id);
    refused(world.run(args), "execution_not_leaseable");
}

#[test]
fn an_operator_takes_an_execution_without_regard_to_capabilities() {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#);
    let args = operator_args(&mut world, id);
    let claimed = world.run(args).unwrap();
    assert_eq!(claimed.worker_instance_id.as_str(), OPERATOR_IDENTITY);
    assert_eq!(world.told(), ["acquired: issue_grant_and_claim"]);
    assert_eq!(world.execution(id).grant, None);
    world.run(Delay { execution_id: id, fence: claimed.fence().into(), source: holder(), delay_until: START }).unwrap();
    let args = operator_args(&mut world, id);
    refused(world.run(args), "execution_not_eligible");
}

#[test]
fn an_operator_continues_an_interrupted_attempt() {
    let Staged { mut world, id, fence } = S::Resumable.stage();
    let mut args = operator_args(&mut world, id);
    args.lane_id = LaneId::new("other");
    refused(world.run(args), "execution_not_in_eligible_set");
    let args = operator_args(&mut world, id);
    let claimed = world.run(args).unwrap();
    assert_eq!(Some(claimed.attempt_id), fence.attempt_id);
    assert_eq!(world.told(), ["acquired: issue_grant_and_claim_resumed"]);
}

#[test]
fn a_direct_claim_passes_over_what_it_cannot_have() {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#);
    let args = claim_args(&mut world, id);
    assert_eq!(world.run(args).unwrap(), ClaimOutcome::Skipped(Skip::Mismatch));
    assert!(world.last.is_empty());
    let mut grant = grant_args(id);
    grant.capabilities = offered(&["gpu"]);
    world.run(grant).unwrap();
    let mut args = claim_args(&mut world, id);
    args.capabilities = offered(&["gpu"]);
    assert_eq!(world.run(args).unwrap(), ClaimOutcome::Skipped(Skip::Gone), "it is promised to somebody");
}

#[test]
fn a_direct_claim_keeps_where_the_worker_runs_and_what_it_asked() {
    let mut world = World::new();
    let id = world.create();
    let mut args = claim_args(&mut world, id);
    args.holder = Holder::Node(leasehold_core::ids::NodeId::from_uuid(world.mint()));
    args.request_id = Some(leasehold_core::ids::RequestId::from_uuid(world.mint()));
    let (holder, request) = (args.holder, args.request_id);
    assert!(matches!(world.run(args).unwrap(), ClaimOutcome::Claimed(_)));
    let lease = world.execution(id).lease.clone().unwrap();
    assert_eq!((lease.holder, lease.request_id), (holder, request));
}

#[test]
fn epochs_grow_through_retry_resume_reclaim_and_replay() {
    let Staged { mut world, id, .. } = S::RetryEligible.stage();
    let retried = world.claim(id);
    world.pass(TTL_MS);
    world.run(leasehold_core::command::MarkLeaseExpired { execution_id: id }).unwrap();
    let reclaimed = world.reclaim(id);
    world.run(WaitChildren { execution_id: id, fence: reclaimed.fence().into(), source: holder() }).unwrap();
    world.grant(id);
    let args = world.resume_args(id);
    let resumed = world.run(args).unwrap();
    world.run(complete_args(id, resumed.fence().into())).unwrap();
    world.run(leasehold_core::command::ReplayExecution { execution_id: id, requested_by: None, reason: None }).unwrap();
    let replayed = world.claim(id);
    let leases = [retried, reclaimed, resumed, replayed];
    assert_eq!(leases.iter().map(|lease| lease.lease_epoch.0).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(leases.iter().map(|lease| lease.attempt_index.0).collect::<Vec<_>>(), [1, 2, 2, 3]);
    let types: Vec<_> = leases.iter().map(|lease| lease.attempt_type.as_str()).collect();
    assert_eq!(types, ["retry", "reclaim", "reclaim", "replay"]);
    for index in 0..3 {
        assert!(world.attempt(id, index).lifecycle.is_terminal());
    }
    world.run(fail_args(id, leases[3].fence().into())).unwrap();
}
