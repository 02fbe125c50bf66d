//! `build_flow`: a declared flow comes into being part by part, and none of
//! its members runs before all of it exists.

use super::fixture::{PARTITION, cancel_flow, shape};
use crate::fixture::{World, refused};
use leasehold_core::command::flow::{
    AddExecutionToFlow, AdvanceFlow, BuildFlow, BuildOutcome, CancelFlow, NewEdge, NewNode, UNSEALED_MS_MAX,
};
use leasehold_core::command::{CreateExecution, ReplayExecution};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied, Shape};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::record::flow::{CancellationPolicy, FlowKey};
use leasehold_core::record::{Record, RecordKey};
use leasehold_core::state::PublicState;
use leasehold_core::view::Need;

/// A declaration, cut into parts of so many nodes and dependencies.
struct Declared {
    flow_id: FlowId,
    members: Vec<ExecutionId>,
    parts: Vec<BuildFlow>,
}

fn part(flow_id: FlowId, number: u32) -> BuildFlow {
    BuildFlow {
        flow_id,
        partition: PARTITION,
        flow_kind: "test".into(),
        namespace: Namespace::new("tests"),
        digest: 7,
        part: number,
        last: false,
        nodes: Vec::new(),
        edges: Vec::new(),
    }
}

fn declare(world: &mut World, shape: &Shape, each: usize) -> Declared {
    let flow_id = FlowId::from_uuid(world.mint());
    let (mut parts, mut items) = (vec![part(flow_id, 0)], 0);
    let mut members = Vec::new();
    let mut open = |parts: &mut Vec<BuildFlow>| {
        if items == each {
            parts.push(part(flow_id, parts.len() as u32));
            items = 0;
        }
        items += 1;
        parts.len() - 1
    };
    for (number, policy) in shape.policies.iter().enumerate() {
        let create: CreateExecution = world.create_args();
        members.push(create.execution_id);
        let at = open(&mut parts);
        parts[at].nodes.push(NewNode { name: number.to_string(), create, policy: Some(*policy) });
    }
    for edge in &shape.edges {
        let (upstream, downstream) = (members[edge.upstream as usize], members[edge.downstream as usize]);
        let edge_id = EdgeId::from_uuid(world.mint());
        let at = open(&mut parts);
        parts[at].edges.push(NewEdge { edge_id, upstream, downstream, data_passing_ref: None });
    }
    let last = parts.len() - 1;
    parts[last].last = true;
    Declared { flow_id, members, parts }
}

/// Two roots, a join of both, and a race of the roots.
fn diamond() -> Shape {
    let race = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };
    let all = EdgeGroupPolicy::AllOf;
    shape(vec![all, all, all, race], &[(0, 2), (1, 2), (0, 3), (1, 3)])
}

fn outcome(world: &mut World, part: &BuildFlow) -> BuildOutcome {
    let built: Result<BuildOutcome, EngineError> = world.run(part.clone());
    built.unwrap()
}

fn count(world: &World, members: &[ExecutionId], state: PublicState) -> usize {
    members.iter().filter(|id| world.state(**id) == state).count()
}

#[test]
fn a_small_flow_is_built_and_sealed_by_one_step_and_its_roots_are_ready() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 100);
    let built = outcome(&mut world, &declared.parts[0]);
    assert_eq!(built, BuildOutcome { repeated: false, node_count: 4, edge_count: 4, sealed: true });
    assert!(world.flow(declared.flow_id).sealed);
    assert_eq!(world.flow_record(FlowKey::Build(declared.flow_id)), None);
    let states: Vec<_> = declared.members.iter().map(|id| world.state(*id)).collect();
    let (waiting, blocked) = (PublicState::Waiting, PublicState::WaitingChildren);
    assert_eq!(states, [waiting, waiting, blocked, blocked]);
    world.check(declared.flow_id);
}

/// Records that its own counts prove to be new are not looked for.
#[test]
fn a_small_flow_is_built_on_what_it_and_its_nodes_name_and_nothing_else() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 100);
    outcome(&mut world, &declared.parts[0]);
    assert_eq!(world.asked, Vec::<Vec<Need>>::new());
}

#[test]
fn nothing_runs_before_the_last_part_and_everything_as_if_built_by_hand_after_it() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 3);
    assert_eq!(declared.parts.len(), 3);
    for part in &declared.parts[..2] {
        let built = outcome(&mut world, part);
        assert!(!built.sealed);
        let made = built.node_count as usize;
        assert_eq!(count(&world, &declared.members[..made], PublicState::WaitingChildren), made);
        world.check(declared.flow_id);
    }
    assert!(outcome(&mut world, &declared.parts[2]).sealed);
    world.complete(declared.members[0]);
    assert_eq!(world.state(declared.members[3]), PublicState::Waiting, "the race has its first");
    assert_eq!(world.state(declared.members[2]), PublicState::WaitingChildren);
    world.complete(declared.members[1]);
    assert_eq!(world.state(declared.members[2]), PublicState::Waiting);
    world.check(declared.flow_id);
}

#[test]
fn a_part_that_is_there_changes_nothing_and_one_out_of_turn_is_refused() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 3);
    refused(world.run(declared.parts[1].clone()), "flow_not_found");
    outcome(&mut world, &declared.parts[0]);
    refused(world.run(declared.parts[2].clone()), "invalid_input");
    assert!(outcome(&mut world, &declared.parts[0]).repeated);
    assert!(world.last.is_empty());
    outcome(&mut world, &declared.parts[1]);
    outcome(&mut world, &declared.parts[2]);
    for part in &declared.parts {
        let again = outcome(&mut world, part);
        assert_eq!((again.repeated, again.sealed, again.node_count), (true, true, 4));
        assert!(world.last.is_empty());
    }
}

#[test]
fn another_declaration_under_the_same_id_is_refused() {
    let mut world = World::new();
    let mut declared = declare(&mut world, &diamond(), 100);
    outcome(&mut world, &declared.parts[0]);
    declared.parts[0].digest = 8;
    refused(world.run(declared.parts[0].clone()), "invalid_input");
    let by_hand = world.create_flow();
    let mut part = part(by_hand, 0);
    part.last = true;
    refused(world.run(part), "invalid_input");
}

#[test]
fn a_taken_id_or_a_node_from_elsewhere_leaves_nothing_behind() {
    let mut world = World::new();
    let taken = world.create();
    let mut declared = declare(&mut world, &diamond(), 100);
    declared.parts[0].nodes[1].create.execution_id = taken;
    refused(world.run(declared.parts[0].clone()), "invalid_input");
    declared.parts[0].nodes[1].create.execution_id = ExecutionId::from_parts(PARTITION + 1, world.mint());
    refused(world.run(declared.parts[0].clone()), "invalid_input");
    assert!(world.last.is_empty());
    assert_eq!(world.flow_records().count(), 0);
}

#[test]
fn a_flow_that_is_being_built_takes_nothing_else() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 3);
    outcome(&mut world, &declared.parts[0]);
    let execution_id = world.create();
    let add = AddExecutionToFlow { flow_id: declared.flow_id, partition: PARTITION, execution_id };
    refused(world.run(add), "invalid_input");
    let stage = world.stage_args(declared.flow_id, declared.members[0], declared.members[1]);
    refused(world.run(stage), "invalid_input");
}

#[test]
fn a_flow_that_is_not_sealed_in_time_is_given_up_and_not_before() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 3);
    outcome(&mut world, &declared.parts[0]);
    outcome(&mut world, &declared.parts[1]);
    world.pass(UNSEALED_MS_MAX - 1);
    world.run(AdvanceFlow { flow_id: declared.flow_id }).unwrap();
    assert_eq!(count(&world, &declared.members, PublicState::WaitingChildren), 4);
    world.pass(1);
    world.run(AdvanceFlow { flow_id: declared.flow_id }).unwrap();
    world.advance_all(declared.flow_id);
    assert_eq!(count(&world, &declared.members, PublicState::Cancelled), 4);
    assert_eq!(world.flow_record(FlowKey::Build(declared.flow_id)), None);
    refused(world.run(declared.parts[2].clone()), "flow_already_terminal");
    world.check(declared.flow_id);
}

#[test]
fn a_cancelled_flow_is_built_no_further() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 3);
    outcome(&mut world, &declared.parts[0]);
    let cancel: CancelFlow = cancel_flow(declared.flow_id, CancellationPolicy::CancelAll);
    world.run(cancel).unwrap();
    assert_eq!(count(&world, &declared.members[..3], PublicState::Cancelled), 3);
    assert_eq!(world.flow_record(FlowKey::Build(declared.flow_id)), None);
    refused(world.run(declared.parts[1].clone()), "flow_already_terminal");
    let unmade = RecordKey::Execution(declared.members[3].uuid());
    assert!(!matches!(world.records.get(&unmade), Some(Record::Execution(_))));
}

#[test]
fn a_member_that_ends_while_the_flow_is_built_counts_for_what_is_built_later() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 4);
    outcome(&mut world, &declared.parts[0]);
    world.cancel(declared.members[0]);
    outcome(&mut world, &declared.parts[1]);
    world.advance_all(declared.flow_id);
    assert_eq!(world.state(declared.members[2]), PublicState::Skipped, "all of both cannot be had any more");
    assert_eq!(world.state(declared.members[3]), PublicState::WaitingChildren, "one of both can");
    world.complete(declared.members[1]);
    assert_eq!(world.state(declared.members[3]), PublicState::Waiting);
    world.check(declared.flow_id);
}

#[test]
fn a_join_is_not_given_up_for_what_is_built_of_it_so_far() {
    // The race waits for two; one is lost while only that one is built.
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 7);
    outcome(&mut world, &declared.parts[0]);
    world.cancel(declared.members[0]);
    outcome(&mut world, &declared.parts[1]);
    world.advance_all(declared.flow_id);
    assert_eq!(world.state(declared.members[2]), PublicState::Skipped, "all of both cannot be had any more");
    assert_eq!(world.state(declared.members[3]), PublicState::WaitingChildren, "one of both can");
    world.complete(declared.members[1]);
    assert_eq!(world.state(declared.members[3]), PublicState::Waiting);
    world.check(declared.flow_id);
}

#[test]
fn a_flow_cancelled_while_it_is_built_ends_every_member_whatever_the_policy() {
    for policy in [CancellationPolicy::FlowOnly, CancellationPolicy::CancelPending] {
        let mut world = World::new();
        let declared = declare(&mut world, &diamond(), 7);
        outcome(&mut world, &declared.parts[0]);
        let flow_id = declared.flow_id;
        let cancel = CancelFlow { flow_id, reason: "no use".to_owned(), cancellation_policy: policy };
        world.run(cancel).unwrap();
        world.advance_all(flow_id);
        assert_eq!(count(&world, &declared.members, PublicState::Cancelled), 4);
        world.check(flow_id);
    }
}

#[test]
fn a_replay_while_the_flow_is_built_waits_for_the_seal() {
    let mut world = World::new();
    let declared = declare(&mut world, &diamond(), 7);
    outcome(&mut world, &declared.parts[0]);
    world.cancel(declared.members[0]);
    let replay = ReplayExecution { execution_id: declared.members[0], requested_by: None, reason: None };
    assert_eq!(world.run(replay).unwrap().public_state, PublicState::WaitingChildren);
    world.check(declared.flow_id);
    outcome(&mut world, &declared.parts[1]);
    world.advance_all(declared.flow_id);
    assert_eq!(world.state(declared.members[0]), PublicState::Waiting);
    assert_eq!(world.state(declared.members[2]), PublicState::WaitingChildren, "nothing was given up");
    world.check(declared.flow_id);
}

#[test]
fn many_roots_are_let_go_over_several_steps() {
    let mut world = World::new();
    world.limits.rows = 40;
    let declared = declare(&mut world, &shape(vec![EdgeGroupPolicy::AllOf; 300], &[]), 10);
    for part in &declared.parts {
        outcome(&mut world, part);
    }
    assert!(count(&world, &declared.members, PublicState::Waiting) < 300);
    assert!(world.advance_all(declared.flow_id) > 3);
    assert_eq!(count(&world, &declared.members, PublicState::Waiting), 300);
    world.check(declared.flow_id);
}
