//! What flows ask of a partition: steps that go on over many commits, and
//! records that a decision finds out about on its way.

use crate::fixture::{Fixture, settle};
use leasehold_backend::{Backend, PAGE_MAX};
use leasehold_contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec, Flows, Leases, SubmitFlowOutcome, Work};
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::flow::{CancelFlow, CancelWait};
use leasehold_core::event::Fact;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::PublicState;
use leasehold_memory::{CommitFault, CrashPoint};
use std::collections::{BTreeMap, BTreeSet};

/// Which way the dependencies of a flow point.
#[derive(Clone, Copy)]
enum Fan {
    /// Each node but the first waits for the first.
    Out,
    /// The first waits for all others.
    In,
}

/// A flow of one node and so many leaves.
fn fan(fixture: &Fixture, fan: Fan, leaves: usize) -> FlowSpec {
    let flow_id = FlowId::from_uuid(fixture.entropy.uuid());
    let config = PartitionConfig { num_flow_partitions: 1, ..PartitionConfig::default() };
    let node = |number: usize| {
        let id = ExecutionId::deterministic_for_flow(flow_id, &config, fixture.entropy.uuid());
        FlowNodeSpec { name: number.to_string(), execution: fixture.create_args(id), policy: None }
    };
    let edge = |number: usize| {
        let (first, leaf) = ("0".to_owned(), number.to_string());
        let (upstream, downstream) = match fan {
            Fan::Out => (first, leaf),
            Fan::In => (leaf, first),
        };
        let edge_id = EdgeId::from_uuid(fixture.entropy.uuid());
        FlowEdgeSpec { edge_id, upstream, downstream, data_passing_ref: None }
    };
    FlowSpec {
        flow_id,
        flow_kind: "fan".to_owned(),
        namespace: Namespace::try_new("test").unwrap(),
        nodes: (0..=leaves).map(node).collect(),
        edges: (1..=leaves).map(edge).collect(),
    }
}

/// How many executions of the store stand where.
async fn states(fixture: &Fixture) -> BTreeMap<PublicState, usize> {
    let (mut states, mut after) = (BTreeMap::new(), None);
    loop {
        let page = fixture.store_view().list_executions(0, after, PAGE_MAX).await.unwrap();
        let Some(last) = page.last() else { return states };
        after = Some(last.id.uuid());
        for execution in &page {
            *states.entry(execution.vector().public_state()).or_default() += 1;
        }
    }
}

/// Executions with a completion in the log, none of them twice.
async fn completed(fixture: &Fixture) -> BTreeSet<ExecutionId> {
    let (mut completed, mut after) = (BTreeSet::new(), None);
    loop {
        let page = fixture.store_view().read_events(0, after, PAGE_MAX).await.unwrap();
        let Some(last) = page.last() else { return completed };
        after = Some(last.id);
        for event in page.iter().map(|logged| &logged.event) {
            for _ in event.facts.iter().filter(|fact| matches!(fact, Fact::Completed { .. })) {
                assert!(completed.insert(event.execution_id), "{} completed twice", event.execution_id);
            }
        }
    }
}

#[tokio::test]
async fn a_cascade_over_ten_thousand_members_survives_a_crash_at_each_of_its_parts() {
    const LEAVES: usize = 9_999;
    // No step waits in the slot for another, so that each is a commit.
    let mut fixture = Fixture::with(|options| options.commit_rows = 1).await;
    let spec = fan(&fixture, Fan::Out, LEAVES);
    let flow_id = spec.flow_id;
    fixture.engine.submit_flow(spec).await.unwrap();
    let root = fixture.claim().await;
    let (engine, handle) = (fixture.engine.clone(), root.claimed.handle(fixture.backend.tag()));
    fixture.plan.next_commit(CommitFault::Crash(CrashPoint::AfterCommit));
    let reason = leasehold_contract::FailureReason { message: "asked to".to_owned(), detail: None };
    let failing = tokio::spawn(async move { engine.fail(&handle, reason, FailureClass::Permanent).await });
    let mut parts = 0;
    loop {
        settle().await;
        if fixture.plan.take_crash().is_none() {
            break;
        }
        parts += 1;
        // Every second part does not reach the store before the node dies.
        let point = if parts % 2 == 0 { CrashPoint::AfterCommit } else { CrashPoint::BeforeCommit };
        fixture.plan.next_commit(CommitFault::Crash(point));
        fixture.crash().await;
    }
    failing.abort();
    assert!(parts > 60, "{parts} parts");
    assert_eq!(states(&fixture).await, [(PublicState::Failed, 1), (PublicState::Skipped, LEAVES)].into());
    assert_eq!(completed(&fixture).await.len(), LEAVES + 1);
    let snapshot = fixture.engine.describe_flow(flow_id).await.unwrap().unwrap();
    assert_eq!((snapshot.node_count, snapshot.edge_count), (10_000, 9_999));
}

#[tokio::test]
async fn a_cancellation_that_needs_more_records_than_the_cache_holds_goes_through() {
    let fixture = Fixture::with(|options| options.cache_bytes = 0).await;
    let spec = fan(&fixture, Fan::Out, 1500);
    let flow_id = spec.flow_id;
    fixture.engine.submit_flow(spec).await.unwrap();
    let cancel = CancelFlow {
        flow_id,
        reason: "no longer wanted".to_owned(),
        cancellation_policy: CancellationPolicy::CancelAll,
    };
    fixture.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    settle().await;
    assert_eq!(states(&fixture).await, [(PublicState::Cancelled, 1501)].into());
    assert_eq!(completed(&fixture).await.len(), 1501);
}

#[tokio::test]
async fn a_join_is_claimed_by_the_commit_that_carries_the_last_of_a_hundred_completions() {
    const LEAVES: u32 = 100;
    let fixture = Fixture::new().await;
    let spec = fan(&fixture, Fan::In, LEAVES as usize);
    let join = spec.nodes[0].execution.execution_id;
    fixture.engine.submit_flow(spec).await.unwrap();
    let mut held = Vec::new();
    while held.len() < LEAVES as usize {
        held.extend(fixture.engine.poll_tasks(fixture.poll(LEAVES, 1000)).await.unwrap());
    }
    let (engine, poll) = (fixture.engine.clone(), fixture.poll(1, 60_000));
    let polled = tokio::spawn(async move { engine.poll_tasks(poll).await });
    settle().await;
    for _ in 0..3 {
        fixture.plan.next_commit(CommitFault::DelayBefore(1000));
    }
    let completing: Vec<_> = held
        .iter()
        .map(|task| {
            let (engine, handle) = (fixture.engine.clone(), task.claimed.handle(fixture.backend.tag()));
            tokio::spawn(async move { engine.complete(&handle, None).await })
        })
        .collect();
    // The first to arrive are on their way to the store; the others gather
    // behind them, and with them the claim of the join.
    settle().await;
    fixture.pass(1).await;
    assert!(!polled.is_finished());
    fixture.pass(1).await;
    let tasks = polled.await.unwrap().unwrap();
    assert_eq!(tasks.iter().map(|task| task.claimed.execution_id).collect::<Vec<_>>(), [join]);
    for completion in completing {
        completion.await.unwrap().unwrap();
    }
    assert_eq!(fixture.plan.injected().get("commit_delay_before"), Some(&2));
}

#[tokio::test]
async fn a_flow_whose_ids_were_minted_is_not_looked_for_and_another_one_is() {
    let fixture = Fixture::new().await;
    // Its lane is known to the partition.
    fixture.create().await;
    fixture.no_reads();
    let (new, known) = (fan(&fixture, Fan::In, 60), fan(&fixture, Fan::In, 60));
    fixture.engine.submit_flow(known.clone()).await.unwrap_err();
    fixture.engine.submit_new_flow(new.clone()).await.unwrap();
    fixture.plan.calm();
    fixture.engine.submit_flow(known).await.unwrap();
    let again = fixture.engine.submit_flow(new).await.unwrap();
    assert!(matches!(again, SubmitFlowOutcome::AlreadySatisfied { node_count: 61, edge_count: 60 }), "{again:?}");
}
