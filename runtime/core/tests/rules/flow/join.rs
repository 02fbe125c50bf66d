//! Joins: what the end of an upstream does to those that wait for it.

use super::fixture::apply_args;
use crate::fixture::{World, holder, refused};
use bytes::Bytes;
use leasehold_core::command::flow::{CascadeCompletion, CascadeOutcome, ResolveDependency};
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, Delay, PromoteDelayed, SetExecutionTag, UnblockExecution, WaitChildren,
};
use leasehold_core::flow::{EdgeGroupPolicy, GroupState, OnSatisfied, Resolution};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::index::Queue;
use leasehold_core::state::{AttemptLifecycle, AttemptState, BlockingReason, PublicState as P, TerminalOutcome};

const LET_RUN: OnSatisfied = OnSatisfied::LetRun;
const CANCEL: OnSatisfied = OnSatisfied::CancelRemaining;

#[test]
fn a_child_runs_when_all_its_upstreams_succeeded_and_in_the_same_step() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child] = world.members(flow_id);
    world.edge(flow_id, a, child);
    world.edge(flow_id, b, child);
    world.complete(a);
    assert_eq!(world.state(child), P::WaitingChildren);
    world.complete(b);
    assert_eq!(world.state(child), P::Waiting);
    assert!(matches!(world.queue(child), Queue::Ready { .. }));
    let group = &world.member_record(flow_id, child).inbound;
    assert_eq!((group.state, group.satisfied_at), (GroupState::Satisfied, Some(world.now)));
    assert_eq!(world.execution(child).vector().attempt_state(), AttemptState::PendingFirstAttempt);
    world.check(flow_id);
}

#[test]
fn a_child_is_skipped_with_the_first_upstream_that_fails() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child, grandchild] = world.members(flow_id);
    world.edge(flow_id, a, child);
    world.edge(flow_id, b, child);
    world.edge(flow_id, child, grandchild);
    world.fail(a);
    assert_eq!(world.states([child, grandchild]), [P::Skipped; 2]);
    assert_eq!(
        world.told(),
        ["released: failed_terminal", "completed: failed", "completed: skipped", "completed: skipped"]
    );
    let execution = world.execution(child);
    assert_eq!(execution.completed_at, Some(world.now));
    assert_eq!(execution.vector().attempt_state(), AttemptState::PendingFirstAttempt);
    world.complete(b);
    let group = &world.member_record(flow_id, child).inbound;
    assert_eq!((group.succeeded, group.failed, group.state), (1, 1, GroupState::Impossible));
    assert_eq!(world.member_record(flow_id, grandchild).inbound.skipped, 1);
    world.check(flow_id);
}

#[test]
fn every_way_to_end_counts_as_what_it_is() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [cancelled, child] = world.members(flow_id);
    let expired = world.create_with(|args| args.execution_deadline_at = Some(crate::fixture::START.plus(10)));
    let add = leasehold_core::command::flow::AddExecutionToFlow { flow_id, partition: 7, execution_id: expired };
    world.run(add).unwrap();
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: LET_RUN });
    world.edge(flow_id, cancelled, child);
    world.edge(flow_id, expired, child);
    world.cancel(cancelled);
    assert_eq!(world.state(child), P::WaitingChildren);
    world.pass(10);
    world.run(leasehold_core::command::Settle { execution_id: expired, holder_gone: None }).unwrap();
    assert_eq!(world.states([expired, child]), [P::Expired, P::Skipped]);
    assert_eq!(world.member_record(flow_id, child).inbound.failed, 2);
    world.check(flow_id);
}

#[test]
fn an_upstream_that_ended_before_resolves_the_dependency_when_it_is_applied() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [good, bad, one, two] = world.members(flow_id);
    world.complete(good);
    world.fail(bad);
    world.edge(flow_id, good, one);
    assert_eq!(world.state(one), P::Waiting);
    let staged = world.stage_args(flow_id, bad, two);
    world.run(staged.clone()).unwrap();
    world.run(apply_args(&staged)).unwrap();
    assert_eq!(world.told(), ["completed: skipped"]);
    assert_eq!(world.state(two), P::Skipped);
    world.check(flow_id);
}

#[test]
fn a_dependency_staged_and_not_applied_keeps_a_join_open() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child] = world.members(flow_id);
    let later = world.stage_args(flow_id, b, child);
    world.run(later.clone()).unwrap();
    world.edge(flow_id, a, child);
    world.complete(a);
    world.complete(b);
    assert_eq!(world.state(child), P::WaitingChildren, "b counts only once it is applied");
    world.run(apply_args(&later)).unwrap();
    assert_eq!(world.state(child), P::Waiting);
    world.check(flow_id);
}

#[test]
fn the_apply_that_completes_a_join_lets_it_be_judged() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::Quorum { k: 3, on_satisfied: LET_RUN });
    let later = world.stage_args(flow_id, b, child);
    world.run(later.clone()).unwrap();
    world.edge(flow_id, a, child);
    world.complete(a);
    world.complete(b);
    world.run(apply_args(&later)).unwrap();
    assert_eq!(world.state(child), P::Skipped, "a quorum of three is out of reach for two");
    world.check(flow_id);
}

#[test]
fn a_race_cancels_its_losers_in_the_same_step() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [winner, running, waiting, child, after_loser] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: CANCEL });
    for upstream in [winner, running, waiting] {
        world.edge(flow_id, upstream, child);
    }
    world.edge(flow_id, running, after_loser);
    let lease = world.lease(running);
    world.complete(winner);
    assert_eq!(world.states([running, waiting, child]), [P::Cancelled, P::Cancelled, P::Waiting]);
    assert_eq!(world.state(after_loser), P::Skipped, "what waits for a loser is resolved too");
    let loser = world.execution(running);
    assert_eq!(loser.cancellation_reason.as_deref(), Some("sibling_quorum_satisfied"));
    assert_eq!(loser.cancelled_by.as_deref(), Some("operator_override"));
    assert_eq!(loser.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedCancelled);
    let group = &world.member_record(flow_id, child).inbound;
    assert_eq!((group.succeeded, group.failed), (1, 2));
    let late = leasehold_core::command::RenewLease {
        execution_id: running,
        attempt_index: AttemptIndex(0),
        fence: lease,
        lease_ttl_ms: 1000,
    };
    refused(world.run(late), "execution_not_active");
    world.check(flow_id);
}

#[test]
fn a_quorum_out_of_reach_cancels_the_rest_and_one_that_lets_run_does_not() {
    for (on_satisfied, left) in [(CANCEL, P::Cancelled), (LET_RUN, P::Waiting)] {
        let mut world = World::new();
        let flow_id = world.create_flow();
        let [a, b, c, child] = world.members(flow_id);
        world.policy(flow_id, child, EdgeGroupPolicy::Quorum { k: 2, on_satisfied });
        for upstream in [a, b, c] {
            world.edge(flow_id, upstream, child);
        }
        world.fail(a);
        assert_eq!(world.state(child), P::WaitingChildren);
        world.fail(b);
        assert_eq!(world.states([c, child]), [left, P::Skipped]);
        if on_satisfied == CANCEL {
            let reason = world.execution(c).cancellation_reason.clone();
            assert_eq!(reason.as_deref(), Some("sibling_quorum_impossible"));
        }
        world.check(flow_id);
    }
}

/// Stages and applies a dependency that passes data.
fn data_edge(world: &mut World, upstream: ExecutionId, downstream: ExecutionId) {
    let flow_id = world.execution(upstream).flow_id.unwrap();
    let mut args = world.stage_args(flow_id, upstream, downstream);
    args.data_passing_ref = Some("result".into());
    world.run(args.clone()).unwrap();
    world.run(apply_args(&args)).unwrap();
}

fn finish(world: &mut World, id: ExecutionId, result: Option<&[u8]>) {
    let fence = world.lease(id);
    world.complete_with(id, fence, result.map(Bytes::copy_from_slice));
}

#[test]
fn the_result_of_an_upstream_becomes_the_payload() {
    let large = vec![7_u8; 5000];
    for result in [&b"small"[..], &large, b""] {
        let mut world = World::new();
        let flow_id = world.create_flow();
        let [a, b, child] = world.members(flow_id);
        data_edge(&mut world, a, child);
        data_edge(&mut world, b, child);
        finish(&mut world, a, Some(result));
        assert_eq!(world.payload(child).as_deref(), Some(result), "each dependency copies when it is satisfied");
        finish(&mut world, b, None);
        assert_eq!(world.payload(child).as_deref(), Some(result), "without a result nothing is copied");
        assert_eq!(world.state(child), P::Waiting);
    }
}

#[test]
fn a_stored_result_is_loaded_when_a_dependency_is_applied_late() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, child] = world.members(flow_id);
    finish(&mut world, a, Some(&[1; 400]));
    data_edge(&mut world, a, child);
    assert_eq!(world.payload(child).as_deref(), Some(&[1_u8; 400][..]));
}

#[test]
fn of_a_race_only_the_winner_passes_data() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, c, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::Quorum { k: 2, on_satisfied: LET_RUN });
    for upstream in [a, b, c] {
        data_edge(&mut world, upstream, child);
    }
    finish(&mut world, a, Some(b"first"));
    assert_eq!(world.payload(child).as_deref(), Some(&b"payload"[..]));
    finish(&mut world, b, Some(b"second"));
    finish(&mut world, c, Some(b"third"));
    assert_eq!(world.payload(child).as_deref(), Some(&b"second"[..]));
}

#[test]
fn an_execution_that_waits_for_its_children_goes_on_when_they_have_ended() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [child, parent] = world.members(flow_id);
    let fence = world.lease(parent);
    world.edge(flow_id, child, parent);
    assert_eq!(world.state(parent), P::Active, "a running execution is not blocked");
    let done = world.run(WaitChildren { execution_id: parent, fence, source: holder() }).unwrap();
    assert_eq!((done.public_state, world.state(parent)), (P::WaitingChildren, P::WaitingChildren));
    assert_eq!(world.told(), ["released: waiting_children"]);
    let execution = world.execution(parent);
    assert_eq!(execution.blocking_detail.as_deref(), Some("waiting for child executions to complete"));
    assert_eq!(execution.attempt.as_ref().unwrap().suspension_id.as_deref(), Some("waiting_children"));
    world.check(flow_id);
    world.complete(child);
    assert_eq!(world.state(parent), P::Resumable);
    let epoch = world.execution(parent).lease_epoch;
    world.lease(parent);
    let execution = world.execution(parent);
    assert_eq!((execution.lease_epoch, execution.total_attempt_count), (epoch.next(), 1));
    world.check(flow_id);
}

#[test]
fn waiting_for_nothing_ends_at_once() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [child, parent] = world.members(flow_id);
    let fence = world.lease(parent);
    let done = world.run(WaitChildren { execution_id: parent, fence, source: holder() }).unwrap();
    assert_eq!(done.public_state, P::Resumable, "it has no dependency");
    let fence = world.lease(parent);
    world.complete(child);
    world.edge(flow_id, child, parent);
    let done = world.run(WaitChildren { execution_id: parent, fence, source: holder() }).unwrap();
    assert_eq!(done.public_state, P::Resumable, "its join has fired");
}

#[test]
fn an_active_child_whose_join_becomes_impossible_is_skipped_with_its_lease() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [upstream, child] = world.members(flow_id);
    world.lease(child);
    world.edge(flow_id, upstream, child);
    world.fail(upstream);
    let execution = world.execution(child);
    assert_eq!(world.state(child), P::Skipped);
    assert_eq!(execution.lease, None);
    let attempt = execution.attempt.as_ref().unwrap();
    assert_eq!(attempt.lifecycle, AttemptLifecycle::EndedCancelled);
    assert_eq!(attempt.failure_reason.as_deref(), Some("dependency_impossible"));
    assert_eq!(world.told()[2..], ["released: skipped", "completed: skipped"]);
}

#[test]
fn what_kept_a_child_back_besides_its_join_keeps_it_back_again() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, held, blocked] = world.members(flow_id);
    let late = world.create_with(|args| args.delay_until = Some(crate::fixture::START.plus(50)));
    let early = world.create_with(|args| args.delay_until = Some(crate::fixture::START.plus(5)));
    for execution_id in [late, early] {
        world.run(leasehold_core::command::flow::AddExecutionToFlow { flow_id, partition: 7, execution_id }).unwrap();
    }
    let detail = Some("by hand".to_owned());
    for (execution_id, reason) in
        [(held, AdmissionBlock::PausedByOperator), (blocked, AdmissionBlock::WaitingForBudget)]
    {
        world.run(BlockExecution { execution_id, reason, detail: detail.clone() }).unwrap();
    }
    for child in [held, blocked, late, early] {
        world.edge(flow_id, a, child);
        assert_eq!(world.state(child), P::WaitingChildren);
    }
    world.check(flow_id);
    world.pass(10);
    world.complete(a);
    world.check(flow_id);
    assert_eq!(world.states([late, early, blocked]), [P::Delayed, P::Waiting, P::Waiting]);
    assert_eq!(world.execution(held).vector().blocking_reason(), BlockingReason::PausedByOperator);
    assert_eq!(world.execution(held).blocking_detail, detail);
    world.run(UnblockExecution { execution_id: held, expected_reason: None }).unwrap();
    world.pass(40);
    world.run(PromoteDelayed { execution_id: late }).unwrap();
    world.complete(late);
    world.check(flow_id);
}

#[test]
fn a_resume_delay_is_not_shortened_by_a_join() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, child] = world.members(flow_id);
    let fence = world.lease(child);
    let until = world.now.plus(500);
    let delay = Delay { execution_id: child, fence, delay_until: until, source: holder() };
    world.run(delay).unwrap();
    world.edge(flow_id, a, child);
    world.complete(a);
    assert_eq!(world.state(child), P::Delayed);
    assert_eq!(world.execution(child).delay_until, Some(until));
    world.check(flow_id);
}

#[test]
fn resolving_by_hand_repeats_what_the_commit_did() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: LET_RUN });
    let first = world.edge(flow_id, a, child);
    let second = world.edge(flow_id, b, child);
    let resolve = |edge: &leasehold_core::command::flow::StageDependencyEdge, upstream_outcome| ResolveDependency {
        flow_id,
        edge_id: edge.edge_id,
        downstream_execution_id: child,
        upstream_execution_id: edge.upstream_execution_id,
        upstream_outcome,
    };
    refused(world.run(resolve(&first, TerminalOutcome::None)), "invalid_input");
    let mut wrong = resolve(&first, TerminalOutcome::Success);
    wrong.upstream_execution_id = b;
    refused(world.run(wrong), "invalid_dependency");
    assert_eq!(world.run(resolve(&first, TerminalOutcome::Failed)), Ok(Resolution::Pending));
    assert_eq!(world.run(resolve(&first, TerminalOutcome::Success)), Ok(Resolution::AlreadyResolved));
    assert!(world.last.is_empty());
    assert_eq!(world.run(resolve(&second, TerminalOutcome::Success)), Ok(Resolution::Satisfied));
    assert_eq!(world.state(child), P::Waiting);
    let [c] = world.members(flow_id);
    let staged = world.stage_args(flow_id, c, a);
    world.run(staged.clone()).unwrap();
    let mut unapplied = resolve(&staged, TerminalOutcome::Success);
    unapplied.downstream_execution_id = a;
    refused(world.run(unapplied), "invalid_dependency");
    world.complete(a);
    let nothing = CascadeOutcome { resolved: 0, cascaded_children: 0, synchronous: true };
    for execution_id in [a, b, child] {
        assert_eq!(world.run(CascadeCompletion { flow_id, execution_id }), Ok(nothing));
        assert!(world.last.is_empty());
    }
    world.check(flow_id);
}

#[test]
fn members_of_one_flow_do_not_move_another() {
    let mut world = World::new();
    let [one, two] = [world.create_flow(), world.create_flow()];
    let [a] = world.members(one);
    let [b] = world.members(two);
    let solo = world.create();
    world.complete(a);
    world.complete(solo);
    assert_eq!(world.state(b), P::Waiting);
    world.run(SetExecutionTag { execution_id: b, key: "a.b".into(), value: "c".into() }).unwrap();
    assert!(world.flow_changes().next().is_none(), "a step that moves nothing writes no counts");
    world.check(one);
    world.check(two);
}
