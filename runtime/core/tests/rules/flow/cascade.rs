//! Long cascades: bounded change sets, and a crash between any two of them.

use super::fixture::shape;
use crate::fixture::World;
use leasehold_core::command::Operation;
use leasehold_core::command::flow::{AdvanceFlow, Limits};
use leasehold_core::event::Fact;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied, Shape};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::flow::{FlowKey, FlowRecord};
use leasehold_core::state::{PublicState as P, TerminalOutcome};
use std::collections::HashMap;

fn chain(nodes: u32) -> Shape {
    let edges: Vec<_> = (1..nodes).map(|node| (node - 1, node)).collect();
    shape(vec![EdgeGroupPolicy::AllOf; nodes as usize], &edges)
}

fn fan(nodes: u32) -> Shape {
    let edges: Vec<_> = (1..nodes).map(|node| (0, node)).collect();
    shape(vec![EdgeGroupPolicy::AllOf; nodes as usize], &edges)
}

/// One node, then nine layers, every node of one waiting for every node of
/// the one before.
fn layers(width: u32) -> Shape {
    let mut edges: Vec<_> = (1..=width).map(|to| (0, to)).collect();
    for layer in 1..9 {
        let first = 1 + (layer - 1) * width;
        edges.extend((first..first + width).flat_map(|from| (0..width).map(move |to| (from, first + width + to))));
    }
    shape(vec![EdgeGroupPolicy::AllOf; 1 + 9 * width as usize], &edges)
}

fn built(shape: &Shape) -> (World, FlowId, Vec<ExecutionId>) {
    let mut world = World::new();
    world.hot = true;
    let (flow_id, members) = world.build(shape);
    (world, flow_id, members)
}

/// Counts completions as they are told, to find one too many or too few.
fn note(world: &World, told: &mut HashMap<ExecutionId, u32>) {
    for event in &world.last.events {
        let ends = event.facts.iter().filter(|fact| matches!(fact, Fact::Completed { .. })).count();
        *told.entry(event.execution_id).or_default() += ends as u32;
    }
}

fn work_left(world: &World, flow_id: FlowId) -> usize {
    match world.flow_record(FlowKey::Continuation(flow_id)) {
        Some(FlowRecord::Continuation(left)) => left.work.len(),
        _ => 0,
    }
}

/// Fails the first member and works off what follows, within the limit.
fn fall(world: &mut World, flow_id: FlowId, first: ExecutionId, rows: usize) -> (usize, usize) {
    world.limits = Limits { rows, ..Limits::DEFAULT };
    world.largest = 0;
    let mut told = HashMap::new();
    let fence = world.lease(first);
    world.run(crate::situation::fail_args(first, fence)).unwrap();
    note(world, &mut told);
    let (mut turns, mut deepest) = (0, work_left(world, flow_id));
    while world.summary(flow_id).work_left {
        world.advance(flow_id);
        note(world, &mut told);
        deepest = deepest.max(work_left(world, flow_id));
        turns += 1;
    }
    world.check(flow_id);
    let members = world.all_members(flow_id);
    for member in &members[1..] {
        assert_eq!(world.state(member.execution_id), P::Skipped);
    }
    assert!(members.iter().all(|member| told.get(&member.execution_id) == Some(&1)), "each end is told once");
    // The counts and the continuation come on top of the pieces.
    assert!(world.largest <= rows + 2, "{} rows in one step", world.largest);
    (turns, deepest)
}

#[test]
fn a_cascade_of_any_depth_goes_on_in_bounded_steps() {
    for (shape, rows) in [(chain(600), 40), (fan(600), 40), (layers(12), 40), (chain(50), 512)] {
        let (mut world, flow_id, members) = built(&shape);
        let (turns, deepest) = fall(&mut world, flow_id, members[0], rows);
        let pieces = members.len() + shape.edges.len();
        assert!(turns <= pieces * 5 / rows + 1, "{turns} turns for {pieces} pieces");
        assert!(deepest <= 12, "{deepest} pieces of work were kept");
        assert_eq!(turns == 0, rows == 512, "a small cascade needs no further step");
    }
}

#[test]
fn the_largest_chain_falls() {
    let (mut world, flow_id, members) = built(&chain(2000));
    let (turns, deepest) = fall(&mut world, flow_id, members[0], Limits::DEFAULT.rows);
    assert!((1..=20).contains(&turns), "{turns} turns");
    assert_eq!(deepest, 1, "a chain keeps one piece of work");
}

/// What is written survives a crash; what was only decided is decided anew
/// from the same records, to the same effect.
#[test]
fn a_crash_between_any_two_steps_strands_nothing() {
    let shape = layers(4);
    let (mut world, flow_id, members) = built(&shape);
    world.limits = Limits { rows: 12, ..Limits::DEFAULT };
    world.fail(members[0]);
    let mut finished = world.clone();
    finished.advance_all(flow_id);
    let mut crashes = 0;
    while world.summary(flow_id).work_left {
        // The step is decided and lost.
        let lost = AdvanceFlow { flow_id }.into_command();
        let first = world.decide(&lost);
        world.hot = crashes % 2 == 0;
        let again = world.decide(&lost);
        assert_eq!(first.changes, again.changes, "a step is a function of what is stored");
        world.advance(flow_id);
        crashes += 1;
        // Whoever takes over from here comes to the same end.
        let mut other = world.clone();
        other.limits = Limits { rows: 1 + crashes, ..Limits::DEFAULT };
        other.advance_all(flow_id);
        for id in &members {
            assert_eq!(other.state(*id), finished.state(*id));
        }
        other.check(flow_id);
    }
    assert!(crashes > 5, "{crashes} crashes");
}

#[test]
fn members_that_end_while_work_is_left_are_followed_after_it() {
    let mut edges: Vec<_> = (2..40).map(|node| (0, node)).collect();
    edges.extend([(1, 40), (40, 41)]);
    let (mut world, flow_id, members) = built(&shape(vec![EdgeGroupPolicy::AllOf; 42], &edges));
    world.limits = Limits { rows: 10, ..Limits::DEFAULT };
    world.fail(members[0]);
    assert!(world.summary(flow_id).work_left);
    world.fail(members[1]);
    world.check(flow_id);
    assert_eq!(world.state(members[40]), P::WaitingChildren, "earlier work goes first");
    world.advance_all(flow_id);
    assert!(members[2..].iter().all(|id| world.state(*id) == P::Skipped));
    world.check(flow_id);
}

#[test]
fn a_member_replayed_before_its_end_is_worked_off_reopens_nothing() {
    let (mut world, flow_id, members) = built(&fan(40));
    world.limits = Limits { rows: 10, ..Limits::DEFAULT };
    world.fail(members[0]);
    assert!(world.summary(flow_id).work_left);
    let replay =
        leasehold_core::command::ReplayExecution { execution_id: members[0], requested_by: None, reason: None };
    world.run(replay).unwrap();
    world.advance_all(flow_id);
    assert!(members[1..].iter().all(|id| world.state(*id) == P::Skipped));
    world.complete(members[0]);
    world.check(flow_id);
}

#[test]
fn payloads_are_passed_on_within_a_limit_of_bytes() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let first = world.member(flow_id);
    let children: Vec<_> = (0..6).map(|_| world.member(flow_id)).collect();
    for child in &children {
        let mut args = world.stage_args(flow_id, first, *child);
        args.data_passing_ref = Some("all".into());
        world.run(args.clone()).unwrap();
        world.run(super::fixture::apply_args(&args)).unwrap();
    }
    world.limits = Limits { bytes: 2500, ..Limits::DEFAULT };
    let fence = world.lease(first);
    world.complete_with(first, fence, Some(vec![5_u8; 1000].into()));
    assert_eq!(world.last.blobs.len(), 1 + 3, "the result and three payloads");
    assert_eq!(world.advance_all(flow_id), 1);
    assert!(children.iter().all(|id| world.payload(*id).unwrap().len() == 1000 && world.state(*id) == P::Waiting));
}

#[test]
fn a_wide_race_cancels_its_losers_over_several_steps() {
    let mut policies = vec![EdgeGroupPolicy::AllOf; 101];
    policies[100] = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining };
    let edges: Vec<_> = (0..100).map(|node| (node, 100)).collect();
    let (mut world, flow_id, members) = built(&shape(policies, &edges));
    world.limits = Limits { rows: 30, ..Limits::DEFAULT };
    world.complete(members[7]);
    assert_eq!(world.state(members[100]), P::Waiting, "the winner's child starts at once");
    let key = FlowKey::SiblingCancels(flow_id, members[100].uuid());
    assert!(world.flow_record(key).is_some());
    // A loser that ends by itself in between is an acknowledgement.
    let by_itself = *members.iter().rev().find(|id| world.state(**id) == P::Waiting && **id != members[100]).unwrap();
    world.complete(by_itself);
    assert!(world.advance_all(flow_id) > 3);
    assert!(!world.flow_record(key).is_some());
    let cancelled = members.iter().filter(|id| world.state(**id) == P::Cancelled).count();
    assert_eq!((cancelled, world.state(by_itself)), (98, P::Completed));
    let outcome = world.execution(members[0]).vector().terminal_outcome();
    assert_eq!(outcome, TerminalOutcome::Cancelled);
    world.check(flow_id);
}

#[test]
fn a_flow_with_nothing_left_is_not_advanced() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    assert!(!world.advance(flow_id));
    assert!(world.last.is_empty());
    assert!(!world.advance(FlowId::from_uuid(uuid::Uuid::max())));
    assert!(world.last.is_empty());
}

/// From nothing loaded, a step comes back for more a bounded number of times:
/// once per layer it goes through, not once per member.
#[test]
fn a_wide_step_loads_in_few_rounds() {
    let mut world = World::new();
    let (flow_id, members) = world.build(&fan(100));
    let fence = world.lease(members[0]);
    world.run(crate::situation::fail_args(members[0], fence)).unwrap();
    assert!(world.asked.len() <= 6, "{} rounds", world.asked.len());
    assert!(members[1..].iter().all(|id| world.state(*id) == P::Skipped));
    world.check(flow_id);
}
