//! The checks of what holds of flows: each notices what it is there for.

use super::fixture::cancel_flow;
use crate::fixture::World;
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::flow::GroupState;
use leasehold_core::invariant::{FlowViolation, check_flow, check_flow_changes, check_member};
use leasehold_core::record::Record;
use leasehold_core::record::flow::{
    Beneath, CancellationPolicy, Continuation, Flow, FlowKey, FlowRecord, FlowSummary, Member, PendingCancels,
};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

#[track_caller]
fn noticed(result: Result<(), FlowViolation>, rule: &str) {
    assert_eq!(result.expect_err("a violation").rule, rule);
}

/// A chain of two, the second of which waits.
fn chain() -> (World, Flow, FlowSummary, Vec<Member>) {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    world.edge(flow_id, a, b);
    world.check(flow_id);
    let members = world.all_members(flow_id).iter().map(|member| (**member).clone()).collect();
    let (flow, summary) = ((*world.flow(flow_id)).clone(), (*world.summary(flow_id)).clone());
    (world, flow, summary, members)
}

#[test]
fn every_broken_flow_is_noticed_by_its_rule() {
    type Spoil = fn(&mut Flow, &mut FlowSummary, &mut Vec<Member>);
    let cases: [(&str, Spoil); 8] = [
        ("members are numbered as they join", |_, _, members| members[1].ordinal = 2),
        ("members live where the flow does", |flow, _, _| flow.partition = 8),
        ("the members are counted", |_, _, members| drop(members.pop())),
        ("every member stands somewhere", |_, summary, _| summary.counts.moved(None, Some(PublicState::Active))),
        ("every dependency leaves one member and enters one", |_, _, members| members[0].out_edges = 0),
        ("every dependency leaves one member and enters one", |flow, _, _| flow.edge_count = 2),
        ("the revision counts members and dependencies", |flow, _, _| flow.graph_revision = 9),
        ("only a cancelled flow has members to end", |_, summary, _| summary.cancels_pending = true),
    ];
    for (rule, spoil) in cases {
        let (_, mut flow, mut summary, mut members) = chain();
        spoil(&mut flow, &mut summary, &mut members);
        noticed(check_flow(&flow, &summary, &members), rule);
    }
}

#[test]
fn every_broken_member_is_noticed_by_its_rule() {
    type Spoil = fn(&mut Member);
    let cases: [(&str, Spoil); 3] = [
        ("a member names its flow", |member| {
            member.flow_id = leasehold_core::ids::FlowId::from_uuid(uuid::Uuid::max());
        }),
        ("the dependencies applied are counted", |member| member.inbound.applied = 0),
        ("each dependency is counted once, where it ended", |member| member.inbound.failed = 1),
    ];
    let (world, _, _, members) = chain();
    let execution = world.execution(members[1].execution_id);
    for (rule, spoil) in cases {
        let mut member = members[1].clone();
        spoil(&mut member);
        noticed(check_member(&member, &execution, true), rule);
    }
    let (mut ended, flow, _, before) = chain();
    ended.complete(before[0].execution_id);
    let fired = ended.member_record(flow.flow_id, before[1].execution_id);
    noticed(check_member(&fired, &execution, true), "only a pending join keeps an execution back");
    let mut remembers = (*fired).clone();
    remembers.beneath = Some(Beneath::Delay(TimestampMs(1)));
    let runnable = ended.execution(fired.execution_id);
    noticed(
        check_member(&remembers, &runnable, true),
        "what keeps an execution back besides its join is remembered only while the join does",
    );
    let (mut lost, flow, _, before) = chain();
    lost.fail(before[0].execution_id);
    let impossible = lost.member_record(flow.flow_id, before[1].execution_id);
    assert_eq!(impossible.inbound.state, GroupState::Impossible);
    noticed(
        check_member(&impossible, &runnable, true),
        "a member whose join is impossible has ended, and runs only if it is replayed",
    );
}

fn step(old: Option<FlowRecord>, new: Option<FlowRecord>) -> Result<(), FlowViolation> {
    let key = old.as_ref().or(new.as_ref()).map(FlowRecord::key).unwrap();
    check_flow_changes(&change(key, old, new))
}

fn change(key: FlowKey, old: Option<FlowRecord>, new: Option<FlowRecord>) -> ChangeSet {
    let change = Change { key: key.into(), old: old.map(Record::Flow), new: new.map(Record::Flow) };
    ChangeSet { changes: vec![change], ..ChangeSet::default() }
}

#[test]
fn every_broken_step_of_a_header_is_noticed() {
    let (mut world, flow, ..) = chain();
    world.run(cancel_flow(flow.flow_id, CancellationPolicy::FlowOnly)).unwrap();
    let cancelled = (*world.flow(flow.flow_id)).clone();
    let record = |flow: &Flow| Some(FlowRecord::Flow(Arc::new(flow.clone())));
    assert_eq!(step(record(&flow), record(&cancelled)), Ok(()));
    type Spoil = fn(&mut Flow);
    let cases: [(&Flow, &str, Spoil); 5] = [
        (&flow, "the revision grows by one with each part of the graph", |flow| flow.graph_revision += 1),
        (&flow, "the revision grows by one with each part of the graph", |flow| flow.node_count += 1),
        (&cancelled, "a flow is cancelled once", |flow| flow.cancelled = None),
        (&cancelled, "a cancelled flow does not grow", |flow| {
            (flow.node_count, flow.graph_revision) = (flow.node_count + 1, flow.graph_revision + 1);
        }),
        (&flow, "what a flow was created with never changes", |flow| flow.flow_kind = "else".into()),
    ];
    for (old, rule, spoil) in cases {
        let mut new = old.clone();
        spoil(&mut new);
        noticed(step(record(old), record(&new)), rule);
    }
}

#[test]
fn every_broken_step_of_another_record_is_noticed() {
    let (mut world, flow, _, members) = chain();
    let member = |member: &Member| Some(FlowRecord::Member(Arc::new(member.clone())));
    let mut moved = members[1].clone();
    moved.ordinal = 0;
    noticed(step(member(&members[1]), member(&moved)), "a member keeps its place");
    let mut fewer = members[0].clone();
    fewer.out_edges = 0;
    noticed(step(member(&members[0]), member(&fewer)), "dependencies are never taken back");
    world.fail(members[0].execution_id);
    let fired = (*world.member_record(flow.flow_id, members[1].execution_id)).clone();
    let mut refired = fired.clone();
    refired.inbound.state = GroupState::Satisfied;
    noticed(step(member(&fired), member(&refired)), "a join fires once, until a replay");
    let pick = |wanted: fn(&FlowRecord) -> bool| world.flow_records().find(|record| wanted(record)).cloned();
    let edge = pick(|record| matches!(record, FlowRecord::Edge(_)));
    noticed(step(edge.clone(), edge), "a dependency never changes");
    for page in [
        pick(|record| matches!(record, FlowRecord::MemberPage(_))),
        pick(|record| matches!(record, FlowRecord::OutPage(_))),
        pick(|record| matches!(record, FlowRecord::InPage(_))),
    ] {
        let mut emptied = page.clone();
        match emptied.as_mut().unwrap() {
            FlowRecord::MemberPage(page) => Arc::make_mut(page).members.clear(),
            FlowRecord::OutPage(page) => Arc::make_mut(page).edges.clear(),
            FlowRecord::InPage(page) => Arc::make_mut(page).edges.clear(),
            other => panic!("{other:?}"),
        }
        noticed(step(page.clone(), emptied), "pages only grow");
        noticed(step(page, None), "what a flow is made of stays");
    }
    let flow_id = flow.flow_id;
    let idle = Continuation { flow_id, work: Vec::new() };
    noticed(step(None, Some(idle.clone().into())), "work that is left is something");
    assert_eq!(step(Some(idle.into()), None), Ok(()));
    let none =
        PendingCancels { flow_id, members: leasehold_core::record::flow::Ordinals::default(), due_at: flow.created_at };
    noticed(step(None, Some(none.into())), "members that are left to end are some");
    let key = FlowKey::Flow(flow_id);
    noticed(check_flow_changes(&change(key, None, None)), "a change changes something");
    noticed(check_flow_changes(&change(key, None, member(&members[0]))), "a record keeps its key");
}
