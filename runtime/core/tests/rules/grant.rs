//! Claim grants: issuing them, what they promise, and when they are void.

use crate::fixture::{GRANT_TTL_MS, START, World, detail, grant_args, instance, lane, offered, refused, worker};
use leasehold_core::command::{DOCUMENT_BYTES_MAX, KIND_BYTES_MAX};
use leasehold_core::ids::{LaneId, WorkerId, WorkerInstanceId};
use leasehold_core::index::{DueKind, next_due};
use leasehold_core::record::GrantPurpose;
use leasehold_core::state::PublicState;

const GPU: &str = r#"{"routing_requirements":{"required_capabilities":["gpu","cuda"]}}"#;

#[test]
fn a_grant_leaves_the_execution_eligible_and_in_its_queue() {
    let mut world = World::new();
    let id = world.create();
    let queue = world.queue(id);
    let mut args = grant_args(id);
    args.capability_hash = Some("0123abcd".into());
    args.route_snapshot_json = Some("{}".into());
    args.admission_summary = Some("admitted".into());
    let issued = world.run(args).unwrap();
    assert_eq!(issued.expires_at, START.plus(GRANT_TTL_MS));
    let execution = world.execution(id);
    let grant = execution.grant.as_ref().unwrap();
    assert_eq!(grant.purpose, GrantPurpose::Claim);
    assert!(grant.names(&worker(), &instance()));
    assert_eq!(grant.admission_summary.as_deref(), Some("admitted"));
    assert_eq!(world.queue(id), queue);
    assert_eq!(world.public_state(id), PublicState::Waiting);
    assert!(world.told().is_empty());
    assert!(!execution.is_claimable(START) && execution.is_claimable(START.plus(GRANT_TTL_MS + 1)));
    assert_eq!(next_due(&execution), Some((START.plus(GRANT_TTL_MS + 1), DueKind::Grant)));
}

#[test]
fn a_grant_is_live_through_its_last_millisecond_and_then_counts_as_absent() {
    let mut world = World::new();
    let id = world.create();
    world.grant(id);
    world.pass(GRANT_TTL_MS);
    refused(world.run(grant_args(id)), "grant_already_exists");
    world.pass(1);
    world.grant(id);
    assert_eq!(world.execution(id).grant.as_ref().unwrap().created_at, world.now);
}

#[test]
fn the_checks_come_in_their_order() {
    let mut world = World::new();
    let id = world.create_with_policy(GPU);
    let mut args = grant_args(id);
    args.lane_id = LaneId::new("other");
    refused(world.run(args.clone()), "execution_not_in_eligible_set");
    args.lane_id = lane();
    refused(world.run(args.clone()), "capability_mismatch");
    args.capabilities = offered(&["gpu", "cuda", "tpu"]);
    world.run(args.clone()).unwrap();
    args.lane_id = LaneId::new("other");
    args.capabilities = offered(&[]);
    refused(world.run(args), "grant_already_exists");
}

#[test]
fn a_mismatch_names_what_is_missing_and_leaves_a_mark_once_a_second() {
    let mut world = World::new();
    let id = world.create_with_policy(GPU);
    let error = refused(world.run(grant_args(id)), "capability_mismatch");
    assert_eq!(detail(&error), "cuda,gpu");
    assert!(error.is_retryable());
    assert_eq!(world.execution(id).last_capability_mismatch_at, Some(START));
    assert_eq!(world.execution(id).last_transition_at, START);
    world.pass(999);
    refused(world.run(grant_args(id)), "capability_mismatch");
    assert!(world.last.is_empty());
    world.pass(1);
    let mut args = grant_args(id);
    args.capabilities = offered(&["gpu"]);
    assert_eq!(detail(&refused(world.run(args), "capability_mismatch")), "cuda");
    assert_eq!(world.execution(id).last_capability_mismatch_at, Some(START.plus(1000)));
}

#[test]
fn opaque_texts_are_bounded_and_free_of_nul() {
    let mut world = World::new();
    let id = world.create();
    let mut long = grant_args(id);
    long.capability_hash = Some("h".repeat(KIND_BYTES_MAX + 1));
    refused(world.run(long), "invalid_input");
    let mut long = grant_args(id);
    long.route_snapshot_json = Some("r".repeat(DOCUMENT_BYTES_MAX + 1));
    refused(world.run(long), "invalid_input");
    let mut nul = grant_args(id);
    nul.admission_summary = Some("\0".into());
    refused(world.run(nul), "invalid_input");
}

#[test]
fn a_grant_serves_only_the_worker_and_the_process_it_names() {
    let mut world = World::new();
    let id = world.create();
    world.grant(id);
    let mut other_worker = world.claim_args(id);
    other_worker.worker_id = WorkerId::new("thief");
    refused(world.run(other_worker), "invalid_claim_grant");
    let mut other_process = world.claim_args(id);
    other_process.worker_instance_id = WorkerInstanceId::new("worker-2");
    refused(world.run(other_process), "invalid_claim_grant");
    let args = world.claim_args(id);
    world.run(args).unwrap();
    assert_eq!(world.execution(id).grant, None);
    let again = world.claim_args(id);
    refused(world.run(again), "execution_not_leaseable");
}

#[test]
fn a_void_grant_is_deleted_by_the_claim_that_meets_it() {
    let mut world = World::new();
    let id = world.create();
    world.grant(id);
    world.pass(GRANT_TTL_MS + 1);
    let mut other = world.claim_args(id);
    other.worker_id = WorkerId::new("thief");
    refused(world.run(other), "invalid_claim_grant");
    assert!(world.last.is_empty());
    let args = world.claim_args(id);
    refused(world.run(args), "claim_grant_expired");
    assert_eq!(world.execution(id).grant, None);
    let args = world.claim_args(id);
    refused(world.run(args), "invalid_claim_grant");
}
