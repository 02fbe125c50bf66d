//! Replay of members.

use super::fixture::cancel_flow;
use crate::fixture::{START, World, refused};
use leasehold_core::command::ReplayExecution;
use leasehold_core::command::flow::AddExecutionToFlow;
use leasehold_core::flow::{EdgeGroupPolicy, GroupState, OnSatisfied};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::{Beneath, CancellationPolicy};
use leasehold_core::state::{AttemptState, PublicState as P};

fn replay(execution_id: ExecutionId) -> ReplayExecution {
    ReplayExecution { execution_id, requested_by: None, reason: None }
}

#[test]
fn a_skipped_member_waits_anew_for_those_that_did_not_succeed() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [good, bad, child] = world.members(flow_id);
    world.edge(flow_id, good, child);
    world.edge(flow_id, bad, child);
    world.complete(good);
    world.fail(bad);
    world.run(replay(bad)).unwrap();
    assert_eq!(world.told(), ["replay_initiated: 1 normal"]);
    let replayed = world.run(replay(child)).unwrap();
    assert_eq!((replayed.public_state, world.state(child)), (P::WaitingChildren, P::WaitingChildren));
    assert_eq!(world.told(), ["replay_initiated: 1 skipped_flow_member"]);
    let execution = world.execution(child);
    assert_eq!(execution.blocking_detail.as_deref(), Some("1 dep(s) unsatisfied after replay"));
    assert_eq!(execution.vector().attempt_state(), AttemptState::PendingReplayAttempt);
    let group = world.member_record(flow_id, child).inbound.clone();
    assert_eq!((group.succeeded, group.lost(), group.state), (1, 0, GroupState::Pending));
    world.advance_all(flow_id);
    assert_eq!(world.state(child), P::WaitingChildren, "its upstream has not ended");
    world.complete(bad);
    assert_eq!(world.state(child), P::Waiting);
    world.complete(child);
    world.check(flow_id);
}

#[test]
fn a_replay_with_nothing_left_to_wait_for_runs_whatever_the_quorum() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [upstream, child] = world.members(flow_id);
    let quorum = EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::LetRun };
    world.policy(flow_id, child, quorum);
    world.edge(flow_id, upstream, child);
    world.complete(upstream);
    assert_eq!(world.state(child), P::Skipped, "one is never two");
    let replayed = world.run(replay(child)).unwrap();
    assert_eq!((replayed.public_state, world.state(child)), (P::Waiting, P::Waiting));
    assert_eq!(world.member_record(flow_id, child).inbound.state, GroupState::Satisfied);
    world.check(flow_id);
    world.complete(child);
    world.check(flow_id);
}

#[test]
fn an_upstream_that_ended_in_between_is_found_by_the_next_step() {
    for (succeeds, expected) in [(true, P::Waiting), (false, P::Skipped)] {
        let mut world = World::new();
        let flow_id = world.create_flow();
        let [upstream, child, grandchild] = world.members(flow_id);
        world.edge(flow_id, upstream, child);
        world.edge(flow_id, child, grandchild);
        world.fail(upstream);
        if succeeds {
            world.run(replay(upstream)).unwrap();
            world.complete(upstream);
            assert_eq!(world.state(child), P::Skipped, "a replay reopens nothing downstream");
        }
        world.run(replay(child)).unwrap();
        assert_eq!(world.state(child), P::WaitingChildren);
        world.check(flow_id);
        assert_eq!(world.advance_all(flow_id), 1);
        assert_eq!(world.states([child, grandchild]), [expected, P::Skipped]);
        world.check(flow_id);
    }
}

#[test]
fn a_quorum_fires_again_after_a_replay() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, c, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::LetRun });
    for upstream in [a, b, c] {
        world.edge(flow_id, upstream, child);
    }
    world.complete(a);
    world.fail(b);
    world.fail(c);
    assert_eq!(world.state(child), P::Skipped);
    world.run(replay(b)).unwrap();
    world.run(replay(child)).unwrap();
    world.advance_all(flow_id);
    assert_eq!(world.state(child), P::WaitingChildren, "c is lost, b may still succeed");
    world.complete(b);
    assert_eq!(world.state(child), P::Waiting);
    world.check(flow_id);
}

#[test]
fn members_that_ran_are_replayed_as_if_alone() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    world.edge(flow_id, a, b);
    world.complete(a);
    world.fail(b);
    let replayed = world.run(replay(b)).unwrap();
    assert_eq!(replayed.public_state, P::Waiting);
    assert_eq!(world.told(), ["replay_initiated: 1 normal"]);
    refused(world.run(replay(b)), "execution_not_terminal");
    world.complete(b);
    world.check(flow_id);
}

#[test]
fn nothing_is_replayed_in_a_cancelled_flow() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    world.complete(a);
    world.run(cancel_flow(flow_id, CancellationPolicy::FlowOnly)).unwrap();
    refused(world.run(replay(a)), "flow_already_terminal");
    assert!(world.last.is_empty());
    refused(world.run(replay(b)), "execution_not_terminal");
    world.check(flow_id);
}

#[test]
fn what_kept_a_member_back_before_it_ended_is_forgotten_by_its_replay() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [upstream] = world.members(flow_id);
    let child = world.create_with(|args| args.delay_until = Some(START.plus(50_000)));
    world.run(AddExecutionToFlow { flow_id, partition: 7, execution_id: child }).unwrap();
    world.edge(flow_id, upstream, child);
    assert_eq!(world.member_record(flow_id, child).beneath, Some(Beneath::Delay(START.plus(50_000))));
    world.cancel(child);
    world.run(replay(child)).unwrap();
    assert_eq!((world.state(child), world.member_record(flow_id, child).beneath.clone()), (P::Waiting, None));
    world.check(flow_id);
    world.complete(upstream);
    assert_eq!(world.state(child), P::Waiting);
    world.check(flow_id);
}
