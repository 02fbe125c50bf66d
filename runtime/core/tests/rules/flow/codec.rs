//! Bytes of the records of flows.

use super::fixture::{cancel_flow, shape};
use crate::fixture::World;
use leasehold_core::codec::{RECORD_BYTES_MAX, Stored, decode, encode};
use leasehold_core::command::flow::{CancelFlowHeader, Limits, SetFlowTag};
use leasehold_core::flow::{EdgeGroup, EdgeGroupPolicy, FLOW_EDGES_MAX, FLOW_NODES_MAX, OnSatisfied};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::record::flow::{
    Beneath, CancellationPolicy, Continuation, FlowKey, FlowRecord, InEdge, InPage, Member, MemberPage, Ordinals,
    OutEdge, OutPage, PAGE_EDGES, PAGE_MEMBERS, PendingCancels, SiblingCancels, Work,
};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::tags::{MAX_TAG_VALUE_BYTES, MAX_TAGS};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeSet;
use std::fmt::Debug;
use uuid::Uuid;

fn id(n: u128) -> ExecutionId {
    ExecutionId::from_parts(u16::MAX, Uuid::from_u128(u128::MAX - n))
}

#[track_caller]
fn reads_back<T: Stored + PartialEq + Debug>(value: &T) -> usize {
    let bytes = encode(value).unwrap();
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value));
    for end in 0..bytes.len().min(200) {
        let error = decode::<T>(&bytes[..end]).unwrap_err();
        assert!(error.to_string().contains(T::KIND), "{error}");
    }
    bytes.len()
}

fn record_reads_back(record: &FlowRecord) -> usize {
    match record {
        FlowRecord::Flow(record) => reads_back(&**record),
        FlowRecord::Summary(record) => reads_back(&**record),
        FlowRecord::MemberPage(record) => reads_back(&**record),
        FlowRecord::Member(record) => reads_back(&**record),
        FlowRecord::Edge(record) => reads_back(&**record),
        FlowRecord::OutPage(record) => reads_back(&**record),
        FlowRecord::InPage(record) => reads_back(&**record),
        FlowRecord::Continuation(record) => reads_back(&**record),
        FlowRecord::SiblingCancels(record) => reads_back(&**record),
        FlowRecord::PendingCancels(record) => reads_back(&**record),
        FlowRecord::Build(record) => reads_back(&**record),
    }
}

/// A flow in which every kind of record exists.
pub fn rich() -> (World, FlowId) {
    let mut policies = vec![EdgeGroupPolicy::AllOf; 40];
    policies[39] = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining };
    let edges: Vec<_> = (0..39).map(|node| (node, 39)).collect();
    let mut world = World::new();
    let (flow_id, members) = world.build(&shape(policies, &edges));
    world.run(SetFlowTag { flow_id, key: "a.b".into(), value: "c".into() }).unwrap();
    world.limits = Limits { rows: 10, ..Limits::DEFAULT };
    world.complete(members[0]);
    world
        .run(CancelFlowHeader {
            flow_id,
            reason: "stop".into(),
            cancellation_policy: CancellationPolicy::CancelAll,
            grace_ms: 5,
        })
        .unwrap();
    (world, flow_id)
}

#[test]
fn every_record_of_a_flow_reads_back_under_its_own_key() {
    let (world, flow_id) = rich();
    let mut kinds = BTreeSet::new();
    for record in world.flow_records() {
        record_reads_back(record);
        let key = record.key();
        assert_eq!(key.flow_id(), flow_id);
        kinds.insert(key.kind());
    }
    let all = [
        "continuation",
        "edge",
        "edge_in_page",
        "edge_out_page",
        "flow",
        "flow_member",
        "flow_member_page",
        "flow_summary",
        "pending_cancels",
        "sibling_cancels",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

/// Rows per step are what a store pays for, and bytes come second.
#[test]
fn the_records_a_step_rewrites_are_small() {
    let (world, flow_id) = rich();
    let bytes = |key: FlowKey| record_reads_back(world.flow_record(key).unwrap());
    assert!(bytes(FlowKey::Summary(flow_id)) < 50);
    let member = world.all_members(flow_id)[39].execution_id;
    assert!(bytes(FlowKey::Member(flow_id, member.uuid())) < 100);
}

#[test]
fn the_largest_record_of_each_kind_fits() {
    let flow_id = FlowId::from_uuid(Uuid::max());
    let mut sizes = Vec::new();
    let mut world = World::new();
    let tagged = world.create_flow();
    for n in 0..MAX_TAGS {
        let key = format!("a.{}{n:02}", "t".repeat(252));
        world.run(SetFlowTag { flow_id: tagged, key, value: "v".repeat(MAX_TAG_VALUE_BYTES) }).unwrap();
    }
    let mut args = cancel_flow(tagged, CancellationPolicy::CancelPending);
    args.reason = "r".repeat(4096);
    world.run(args).unwrap();
    sizes.push(reads_back(&*world.flow(tagged)));
    let mut inbound = EdgeGroup::default();
    for _ in 0..FLOW_EDGES_MAX {
        let slot = inbound.stage();
        inbound.apply(slot).unwrap();
    }
    let (execution_id, now) = (id(0), TimestampMs(i64::MAX));
    sizes.push(reads_back(&Member {
        flow_id,
        execution_id,
        ordinal: u32::MAX,
        out_edges: u32::MAX,
        inbound,
        beneath: Some(Beneath::Hold(Some("d".repeat(4096)))),
        name: Some("n".repeat(256)),
        last_flow_graph_revision: u64::MAX,
        last_dependency_update_at: now,
    }));
    let page = u32::MAX;
    sizes.push(reads_back(&MemberPage { flow_id, page, members: (0..PAGE_MEMBERS).map(|n| id(n.into())).collect() }));
    let edge_id = EdgeId::from_uuid(Uuid::max());
    let out = OutEdge { edge_id, downstream: id(1), slot: u32::MAX, passes_data: true };
    sizes.push(reads_back(&OutPage { flow_id, upstream: id(0), page, edges: vec![out; PAGE_EDGES as usize] }));
    let inward = InEdge { edge_id, upstream: id(1), passes_data: true };
    sizes.push(reads_back(&InPage { flow_id, downstream: id(0), page, edges: vec![inward; PAGE_EDGES as usize] }));
    let all: Vec<ExecutionId> = (0..FLOW_NODES_MAX).map(|n| id(n.into())).collect();
    let outcome = TerminalOutcome::Skipped;
    let mut work: Vec<Work> = all.iter().map(|id| Work::Resolve { upstream: *id, next: u32::MAX, outcome }).collect();
    work.extend(all.iter().map(|id| Work::CancelSiblings { downstream: *id }));
    sizes.push(reads_back(&Continuation { flow_id, work }));
    let reason = "sibling_quorum_impossible".to_owned();
    sizes.push(reads_back(&SiblingCancels { flow_id, downstream: id(0), reason, members: all }));
    let mut members = Ordinals::default();
    members.insert(FLOW_NODES_MAX - 1);
    sizes.push(reads_back(&PendingCancels { flow_id, members, due_at: now }));
    assert!(sizes.iter().all(|bytes| *bytes < RECORD_BYTES_MAX * 3 / 4), "{sizes:?}");
}

#[test]
fn ordinals_are_a_set() {
    let mut set = Ordinals::default();
    assert!(set.is_empty() && !set.contains(0) && set.iter().next().is_none());
    for ordinal in [9_999, 0, 8, 7, 8] {
        set.insert(ordinal);
    }
    assert_eq!((set.iter().collect::<Vec<_>>(), set.len()), (vec![0, 7, 8, 9_999], 4));
    set.remove(8);
    set.remove(100_000);
    assert!(!set.contains(8) && set.contains(7));
    for ordinal in [0, 7, 9_999] {
        set.remove(ordinal);
    }
    assert!(set.is_empty());
}
