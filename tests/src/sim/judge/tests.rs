//! The judge of flows finds what is wrong with a flow, and nothing else.

use super::{Executions, Judged, Setting, judge};
use crate::harness::{self, Harness, Options, Target};
use crate::sim::kept::{self, StoredFlow};
use crate::sim::oracle;
use leasehold_backend::LoggedEvent;
use leasehold_contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec, Flows, Leases};
use leasehold_core::event::Fact;
use leasehold_core::flow::{GroupState, PolicySpec};
use leasehold_core::ids::{FlowId, Namespace};
use leasehold_core::record::Record;
use leasehold_core::record::flow::{Continuation, FlowRecord};
use leasehold_core::state::{PublicState, TerminalOutcome};
use std::sync::Arc;
use uuid::Uuid;

/// What the judge is shown.
struct Shown {
    flow: StoredFlow,
    executions: Executions,
    log: Vec<LoggedEvent>,
}

/// A race of two, whose winner lets one more run and ends the loser.
fn race(harness: &Harness) -> FlowSpec {
    let flow_id = FlowId::from_uuid(Uuid::from_u128(77));
    let partition = harness.options.engine.partitions.of_flow(flow_id);
    let node = |name: &str, policy: Option<PolicySpec>| FlowNodeSpec {
        name: name.to_owned(),
        execution: harness.create(FlowSpec::node_id(flow_id, partition, name)),
        policy,
    };
    let edge = |at: usize, upstream: &str| FlowEdgeSpec {
        edge_id: FlowSpec::edge_id(flow_id, at),
        upstream: upstream.to_owned(),
        downstream: "then".to_owned(),
        data_passing_ref: None,
    };
    let first = PolicySpec { kind: "any_of".to_owned(), on_satisfied: Some("cancel_remaining".to_owned()), k: None };
    FlowSpec {
        flow_id,
        flow_kind: "race".to_owned(),
        namespace: Namespace::new(harness::NAMESPACE),
        nodes: vec![node("one", None), node("other", None), node("then", Some(first))],
        edges: vec![edge(0, "one"), edge(1, "other")],
    }
}

async fn raced() -> Shown {
    let harness = harness::start(Target::Memory, Options::default()).await;
    let spec = race(&harness);
    let ids: Vec<_> = spec.nodes.iter().map(|node| node.execution.execution_id).collect();
    harness.handle.submit_flow(spec).await.expect("it is a flow");
    for id in [ids[0], ids[2]] {
        let held = harness.lease(id).await;
        harness.handle.complete(&held.handle, None).await.expect("it is held");
    }
    let partitions = harness.options.engine.partitions.num_flow_partitions;
    let backend = harness.backend.as_ref();
    let flow = kept::flows(backend, partitions).await.pop().expect("there is one");
    let executions = kept::executions(backend, partitions).await;
    let log = oracle::read_log(backend, partitions).await;
    harness.finish().await;
    Shown { flow, executions, log }
}

fn judged(shown: &Shown) -> (Vec<String>, Judged) {
    let mut judged = Judged::default();
    let setting = Setting { cascades_fit: true, interfered: false };
    let found = judge(&shown.flow, &shown.executions, &shown.log, setting, &mut judged);
    (found, judged)
}

/// What is said of a race that was tampered with.
async fn said(tamper: impl FnOnce(&mut Shown)) -> String {
    let mut shown = raced().await;
    tamper(&mut shown);
    judged(&shown).0.join("\n")
}

#[tokio::test]
async fn a_flow_as_it_must_be_is_judged_in_full_and_nothing_is_said() {
    let shown = raced().await;
    let (found, judged) = judged(&shown);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(judged, Judged { flows: 1, by_force: 1, by_heart: 3, edges: 2, heard: 0 });
}

#[tokio::test]
async fn a_join_that_fired_otherwise_is_found() {
    let found = said(|shown| {
        let join = shown.flow.members.iter_mut().find(|member| !member.inbound.is_empty()).expect("it joins two");
        let mut member = (*join.member).clone();
        member.inbound.state = GroupState::Impossible;
        member.inbound.satisfied_at = None;
        join.member = Arc::new(member);
    })
    .await;
    assert!(found.contains("is Satisfied, and the join is Impossible"), "{found}");
    assert!(found.contains("it ran 1 times and its join is Impossible"), "{found}");
    assert!(found.contains("no join explains it"), "{found}");
}

#[tokio::test]
async fn an_end_that_nobody_foretold_is_found() {
    // Without the winner's end nothing ends the loser.
    let found = said(|shown| {
        let is_win = |fact: &Fact| matches!(fact, Fact::Completed { outcome: TerminalOutcome::Success, .. });
        let at = shown.log.iter().position(|logged| logged.event.facts.iter().any(is_win)).expect("it is told");
        shown.log.remove(at);
    })
    .await;
    assert!(found.contains("ended cancelled and stood at Ready"), "{found}");
}

#[tokio::test]
async fn an_end_that_was_foretold_and_did_not_come_is_found() {
    let found = said(|shown| {
        let lost = shown.executions.values().find(|execution| execution.cancellation_reason.is_some());
        let lost = lost.expect("one was cancelled").id;
        let other = shown.executions.values().find(|execution| execution.id != lost).expect("others were not").clone();
        shown.executions.insert(lost, other);
    })
    .await;
    assert!(found.contains("must stand at Ended(Cancelled)"), "{found}");
}

#[tokio::test]
async fn counts_that_are_off_and_work_that_is_left_are_found() {
    let found = said(|shown| {
        let mut summary = (**shown.flow.summary.as_ref().expect("it is there")).clone();
        summary.counts.moved(Some(PublicState::Cancelled), Some(PublicState::Completed));
        shown.flow.summary = Some(Arc::new(summary));
        let left = Continuation { flow_id: shown.flow.flow.flow_id, work: Vec::new() };
        shown.flow.left.push(Record::Flow(FlowRecord::Continuation(Arc::new(left))));
    })
    .await;
    assert!(found.contains("and are counted"), "{found}");
    assert!(found.contains("is left"), "{found}");
}
