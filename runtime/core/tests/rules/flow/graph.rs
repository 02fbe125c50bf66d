//! Building a graph: every check, in order, and every effect.

use super::fixture::{PARTITION, apply_args};
use crate::fixture::{World, detail, refused};
use leasehold_core::command::flow::{
    AddExecutionToFlow, AddOutcome, ApplyOutcome, CancelFlow, CreateFlow, CreateFlowOutcome, EvaluateFlowEligibility,
    FlowEligibility, ProjectFlowSummary, SetEdgeGroupPolicy, SetFlowTag, SetPolicyOutcome, StageDependencyEdge, Staged,
};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{EdgeGroupPolicy, FLOW_EDGES_MAX, FLOW_NODES_MAX, OnSatisfied, PolicySpec, PublicFlowState};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::record::Record;
use leasehold_core::record::flow::{CancellationPolicy, FlowKey, FlowRecord};
use leasehold_core::state::PublicState as P;
use std::sync::Arc;
use uuid::Uuid;

fn add(flow_id: FlowId, execution_id: ExecutionId) -> AddExecutionToFlow {
    AddExecutionToFlow { flow_id, partition: PARTITION, execution_id }
}

fn cancelled(world: &mut World, flow_id: FlowId) {
    let args = CancelFlow { flow_id, reason: "stop".into(), cancellation_policy: CancellationPolicy::FlowOnly };
    world.run(args).unwrap();
}

#[test]
fn a_flow_is_created_once_whatever_the_repeat_says() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let before = world.flow(flow_id);
    assert_eq!((before.graph_revision, before.node_count, before.edge_count), (0, 0, 0));
    let namespace = Namespace::new("other");
    let again = CreateFlow { flow_id, partition: PARTITION, flow_kind: "else".into(), namespace };
    assert_eq!(world.run(again.clone()), Ok(CreateFlowOutcome::AlreadySatisfied { flow_id }));
    assert!(world.last.is_empty());
    assert_eq!(world.run(ProjectFlowSummary { flow_id }), Ok(false));
    refused(world.run(CreateFlow { flow_kind: "k".repeat(257), ..again }), "invalid_input");
    world.check(flow_id);
}

#[test]
fn members_are_refused_in_order() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let missing = FlowId::from_uuid(Uuid::from_u128(999));
    let elsewhere = ExecutionId::from_parts(8, Uuid::from_u128(5));
    let error = refused(world.run(add(missing, elsewhere)), "invalid_input");
    assert_eq!(detail(&error), "execution partition mismatch: expected 7, got 8");
    let nobody = ExecutionId::from_parts(PARTITION, Uuid::from_u128(5));
    refused(world.run(add(missing, nobody)), "flow_not_found");
    refused(world.run(add(flow_id, nobody)), "execution_not_found");
    let other = world.create_flow();
    let taken = world.member(other);
    let error = refused(world.run(add(flow_id, taken)), "already_member_of_different_flow");
    assert!(error.to_string().ends_with(&other.to_string()), "{error}");
    cancelled(&mut world, flow_id);
    refused(world.run(add(flow_id, nobody)), "flow_already_terminal");
    world.check(flow_id);
}

#[test]
fn a_member_joins_once_and_for_life() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [first, second] = world.members(flow_id);
    assert_eq!(world.execution(second).flow_id, Some(flow_id));
    let flow = world.flow(flow_id);
    assert_eq!((flow.graph_revision, flow.node_count), (2, 2));
    assert_eq!(world.run(add(flow_id, first)), Ok(AddOutcome::AlreadyMember { execution_id: first, node_count: 2 }));
    assert!(world.last.is_empty());
    let ended = world.create();
    world.cancel(ended);
    let added = world.run(add(flow_id, ended));
    assert_eq!(added, Ok(AddOutcome::Added { execution_id: ended, new_node_count: 3 }), "an ended one may join");
    assert_eq!(world.run(ProjectFlowSummary { flow_id }), Ok(true));
    world.check(flow_id);
}

#[test]
fn dependencies_are_refused_in_order_and_change_nothing() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, c] = world.members(flow_id);
    let stranger = world.create();
    let good = world.stage_args(flow_id, a, b);
    let wrong = |change: fn(&mut StageDependencyEdge)| {
        let mut args = good.clone();
        change(&mut args);
        args
    };
    let error = refused(world.run(wrong(|args| args.dependency_kind = "always".into())), "invalid_input");
    assert_eq!(detail(&error), "unsupported dependency_kind: always");
    refused(world.run(wrong(|args| args.data_passing_ref = Some("\0".into()))), "invalid_input");
    let mut own = good.clone();
    own.downstream_execution_id = a;
    own.flow_id = FlowId::from_uuid(Uuid::from_u128(999));
    refused(world.run(own.clone()), "self_referencing_edge");
    own.downstream_execution_id = b;
    refused(world.run(own), "flow_not_found");
    let mut stale = good.clone();
    (stale.expected_graph_revision, stale.upstream_execution_id) = (2, stranger);
    refused(world.run(stale.clone()), "stale_graph_revision");
    stale.expected_graph_revision = 4;
    refused(world.run(stale.clone()), "stale_graph_revision");
    stale.expected_graph_revision = 3;
    refused(world.run(stale), "execution_not_in_flow");
    let mut outside = good.clone();
    outside.downstream_execution_id = stranger;
    refused(world.run(outside), "execution_not_in_flow");
    assert!(world.last.is_empty());

    let staged = world.run(good.clone());
    assert_eq!(staged, Ok(Staged { edge_id: good.edge_id, new_graph_revision: 4 }));
    refused(world.run(good.clone()), "stale_graph_revision");
    let mut twice = world.stage_args(flow_id, b, c);
    twice.edge_id = good.edge_id;
    let error = refused(world.run(twice), "dependency_already_exists");
    assert!(error.to_string().ends_with(&good.edge_id.to_string()), "{error}");
    let back = world.stage_args(flow_id, b, a);
    refused(world.run(back), "cycle_detected");
    world.cancel(c);
    let late = world.stage_args(flow_id, a, c);
    refused(world.run(late.clone()), "not_runnable");
    assert_eq!(world.state(b), P::Waiting, "staging alone blocks nothing");
    cancelled(&mut world, flow_id);
    refused(world.run(StageDependencyEdge { expected_graph_revision: 0, ..late }), "flow_already_terminal");
    world.check(flow_id);
}

#[test]
fn cycles_are_found_through_others_and_given_up_beyond_the_bound() {
    let mut world = World::new();
    world.hot = true;
    let flow_id = world.create_flow();
    let members: Vec<_> = (0..1003).map(|_| world.member(flow_id)).collect();
    for pair in members.windows(2).take(1001) {
        let args = world.stage_args(flow_id, pair[0], pair[1]);
        world.run(args).unwrap();
    }
    for (from, code) in [(500, "cycle_detected"), (999, "cycle_detected"), (1001, "cycle_detected")] {
        let args = world.stage_args(flow_id, members[from], members[0]);
        refused(world.run(args), code);
    }
    // From the second member on, a thousand are visited; from the first, one more.
    let stranger = members[1002];
    let args = world.stage_args(flow_id, stranger, members[0]);
    refused(world.run(args), "cycle_detected");
    let args = world.stage_args(flow_id, stranger, members[2]);
    world.run(args).unwrap();
    world.check(flow_id);
}

#[test]
fn parallel_dependencies_count_each() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    world.edge(flow_id, a, b);
    world.edge(flow_id, a, b);
    let group = &world.member_record(flow_id, b).inbound;
    assert_eq!((group.staged(), group.applied, group.running()), (2, 2, 2));
    world.complete(a);
    assert_eq!(world.state(b), P::Waiting);
    world.check(flow_id);
}

#[test]
fn pages_grow_past_their_size() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let hub = world.member(flow_id);
    let others: Vec<_> = (0..300).map(|_| world.member(flow_id)).collect();
    for other in &others {
        world.edge(flow_id, hub, *other);
    }
    let [join] = world.members(flow_id);
    for other in &others {
        world.edge(flow_id, *other, join);
    }
    assert_eq!(world.member_record(flow_id, hub).out_edges, 300);
    assert_eq!(world.member_record(flow_id, join).inbound.staged(), 300);
    world.check(flow_id);
}

#[test]
fn a_full_flow_takes_nothing_more() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    let fill = |world: &mut World, nodes: u32, edges: u32| {
        let mut flow = (*world.flow(flow_id)).clone();
        (flow.node_count, flow.edge_count) = (nodes, edges);
        world.records.insert(FlowKey::Flow(flow_id).into(), Record::Flow(FlowRecord::Flow(Arc::new(flow))));
    };
    fill(&mut world, FLOW_NODES_MAX, FLOW_EDGES_MAX);
    let one = world.create();
    let error = refused(world.run(add(flow_id, one)), "invalid_input");
    assert_eq!(detail(&error), "flow nodes: 10001, at most 10000");
    let args = world.stage_args(flow_id, a, b);
    let error = refused(world.run(args.clone()), "invalid_input");
    assert_eq!(detail(&error), "flow edges: 50001, at most 50000");
    fill(&mut world, 2, FLOW_EDGES_MAX - 1);
    world.run(args).unwrap();
}

#[test]
fn an_apply_is_refused_in_order() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, c] = world.members(flow_id);
    let staged = world.stage_args(flow_id, a, b);
    world.run(staged.clone()).unwrap();
    let good = apply_args(&staged);
    let invalid = |world: &mut World, args, expected: &str| {
        assert_eq!(detail(&refused(world.run(args), "invalid_dependency")), expected);
    };
    let mut args = good.clone();
    args.downstream_execution_id = ExecutionId::from_parts(PARTITION, Uuid::from_u128(77_777));
    refused(world.run(args.clone()), "execution_not_found");
    let other = world.create_flow();
    args.downstream_execution_id = world.member(other);
    refused(world.run(args.clone()), "execution_already_in_flow");
    args = good.clone();
    args.edge_id = EdgeId::from_uuid(Uuid::from_u128(1));
    invalid(&mut world, args, "not staged");
    args = good.clone();
    args.upstream_execution_id = c;
    invalid(&mut world, args, "upstream_execution_id differs");
    args = good.clone();
    args.downstream_execution_id = c;
    invalid(&mut world, args, "downstream_execution_id differs");
    args = good.clone();
    args.dependency_kind = "always".into();
    invalid(&mut world, args, "dependency_kind differs");
    args = good.clone();
    args.data_passing_ref = Some("result".into());
    invalid(&mut world, args, "data_passing_ref differs");
    assert_eq!(world.run(good.clone()), Ok(ApplyOutcome::Applied { unsatisfied_count: 1 }));
    let execution = world.execution(b);
    assert_eq!(execution.blocking_detail, Some(format!("1 dep(s) unresolved incl {}", good.edge_id)));
    assert_eq!(world.state(b), P::WaitingChildren);
    assert_eq!(world.run(good.clone()), Ok(ApplyOutcome::AlreadyApplied));
    assert!(world.last.is_empty());
    world.complete(a);
    let late = world.stage_args(flow_id, c, b);
    world.run(late.clone()).unwrap();
    refused(world.run(apply_args(&late)), "edge_group_already_fired");
    let last = world.stage_args(flow_id, a, c);
    world.run(last.clone()).unwrap();
    cancelled(&mut world, flow_id);
    assert_eq!(world.run(good), Ok(ApplyOutcome::AlreadyApplied), "a repeat is recognised in a cancelled flow");
    refused(world.run(apply_args(&last)), "flow_already_terminal");
    world.check(flow_id);
}

#[test]
fn a_policy_is_fixed_by_the_first_dependency() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    let on_satisfied = OnSatisfied::LetRun;
    let set =
        |policy: EdgeGroupPolicy| SetEdgeGroupPolicy { flow_id, downstream_execution_id: b, policy: policy.spec() };
    let quorum = |k| EdgeGroupPolicy::Quorum { k, on_satisfied };
    let mut bad = set(quorum(1));
    bad.policy = PolicySpec { kind: "some_of".into(), on_satisfied: None, k: None };
    let mut nowhere = bad.clone();
    nowhere.flow_id = FlowId::from_uuid(Uuid::from_u128(999));
    refused(world.run(nowhere), "flow_not_found");
    assert_eq!(detail(&refused(world.run(bad.clone()), "invalid_input")), "unsupported_policy_variant: some_of");
    let mut outside = set(quorum(1));
    outside.downstream_execution_id = world.create();
    refused(world.run(outside), "execution_not_in_flow");
    assert_eq!(world.run(set(quorum(2))), Ok(SetPolicyOutcome::Set));
    assert_eq!(world.run(set(quorum(2))), Ok(SetPolicyOutcome::AlreadySet));
    assert!(world.last.is_empty());
    assert_eq!(world.run(set(quorum(1))), Ok(SetPolicyOutcome::Set), "another k replaces it");
    let args = world.stage_args(flow_id, a, b);
    world.run(args).unwrap();
    for policy in [quorum(1), quorum(2), EdgeGroupPolicy::AllOf] {
        let error = refused(world.run(set(policy)), "invalid_input");
        assert_eq!(detail(&error), "edge_group_policy_already_fixed: dependencies already staged");
    }
    refused(world.run(bad), "invalid_input");
    assert_eq!(world.member_record(flow_id, b).inbound.policy(), quorum(1));
}

#[test]
fn eligibility_names_the_first_thing_that_holds() {
    use FlowEligibility as E;
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, c] = world.members(flow_id);
    let of = |world: &mut World, execution_id| world.run(EvaluateFlowEligibility { flow_id, execution_id }).unwrap();
    let solo = world.create();
    assert_eq!(of(&mut world, solo), E::Eligible);
    assert_eq!(of(&mut world, ExecutionId::from_parts(PARTITION, Uuid::max())), E::NotFound);
    world.edge(flow_id, a, b);
    assert_eq!((of(&mut world, a), of(&mut world, b)), (E::Eligible, E::BlockedByDependencies));
    world.edge(flow_id, c, b);
    world.fail(a);
    assert_eq!((of(&mut world, a), of(&mut world, b)), (E::NotRunnable, E::NotRunnable));
    let names = [E::NotFound, E::NotRunnable, E::Owned, E::Terminal, E::Impossible, E::BlockedByDependencies];
    let texts = ["not_found", "not_runnable", "owned", "terminal", "impossible", "blocked_by_dependencies"];
    assert_eq!(names.map(E::as_str), texts);
}

#[test]
fn tags_of_a_flow_are_set_like_those_of_an_execution() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let set = |key: &str, value: &str| SetFlowTag { flow_id, key: key.into(), value: value.into() };
    world.run(set("team.name", "red")).unwrap();
    assert_eq!(world.flow(flow_id).tags.get("team.name").map(String::as_str), Some("red"));
    world.run(set("team.name", "red")).unwrap();
    assert!(world.last.is_empty());
    refused(world.run(set("Team", "red")), "invalid_tag_key");
    refused(world.run(set("team.name", &"v".repeat(1025))), "invalid_input");
    let missing = SetFlowTag { flow_id: FlowId::from_uuid(Uuid::max()), ..set("team.name", "red") };
    refused(world.run(missing), "flow_not_found");
    for n in 1..64 {
        world.run(set(&format!("team.n{n}"), "")).unwrap();
    }
    let full: Result<_, EngineError> = world.run(set("team.more", ""));
    refused(full, "invalid_input");
    assert_eq!(world.flow(flow_id).graph_revision, 0);
}

#[test]
fn a_flow_shows_what_its_members_do() {
    use PublicFlowState as F;
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    let shown = |world: &World| world.flow(flow_id).public_flow_state(&world.summary(flow_id));
    assert_eq!(shown(&world), F::Open);
    world.edge(flow_id, a, b);
    assert_eq!(shown(&world), F::Blocked);
    let fence = world.lease(a);
    assert_eq!(shown(&world), F::Running);
    world.complete_with(a, fence, None);
    assert_eq!(shown(&world), F::Open);
    world.complete(b);
    assert_eq!(shown(&world), F::Completed);
    cancelled(&mut world, flow_id);
    assert_eq!(shown(&world), F::Cancelled);
    assert_eq!(world.states([a, b]), [P::Completed; 2]);
    world.check(flow_id);
}
