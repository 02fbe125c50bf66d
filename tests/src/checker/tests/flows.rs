//! Flows, honestly written and not.

use super::broken_by;
use super::workbench::{Workbench, cancellation, completion, failure};
use crate::checker::Rule;
use leasehold_core::command::flow::{
    AddExecutionToFlow, ApplyDependencyToChild, CancelFlow, CancelFlowHeader, CreateFlow, StageDependencyEdge,
};
use leasehold_core::decision::ChangeSet;
use leasehold_core::ids::{ExecutionId, FlowId, Namespace};
use leasehold_core::record::flow::{CancellationPolicy, FlowKey, FlowRecord, FlowSummary, Member};
use leasehold_core::record::{Record, RecordKey};
use std::sync::Arc;

async fn flow(bench: &mut Workbench) -> FlowId {
    let flow_id = FlowId::from_uuid(bench.mint());
    bench
        .run(CreateFlow { flow_id, partition: 0, flow_kind: "deploy".to_owned(), namespace: Namespace::new("default") })
        .await;
    flow_id
}

async fn member(bench: &mut Workbench, flow_id: FlowId) -> ExecutionId {
    let execution_id = bench.created().await;
    bench.run(AddExecutionToFlow { flow_id, partition: 0, execution_id }).await;
    execution_id
}

fn staging(bench: &mut Workbench, flow_id: FlowId, ends: [ExecutionId; 2], revision: u64) -> StageDependencyEdge {
    StageDependencyEdge {
        flow_id,
        edge_id: bench.mint().into(),
        upstream_execution_id: ends[0],
        downstream_execution_id: ends[1],
        dependency_kind: "success_only".to_owned(),
        data_passing_ref: None,
        expected_graph_revision: revision,
    }
}

fn application(staged: &StageDependencyEdge) -> ApplyDependencyToChild {
    ApplyDependencyToChild {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        downstream_execution_id: staged.downstream_execution_id,
        upstream_execution_id: staged.upstream_execution_id,
        graph_revision: 0,
        dependency_kind: staged.dependency_kind.clone(),
        data_passing_ref: None,
    }
}

/// Two members, the second waiting for the first.
async fn pair(bench: &mut Workbench) -> (FlowId, [ExecutionId; 2]) {
    let flow_id = flow(bench).await;
    let ends = [member(bench, flow_id).await, member(bench, flow_id).await];
    let staged = staging(bench, flow_id, ends, 2);
    bench.run(staged.clone()).await;
    bench.run(application(&staged)).await;
    (flow_id, ends)
}

fn cancelling(flow_id: FlowId) -> CancelFlow {
    CancelFlow { flow_id, reason: "over".to_owned(), cancellation_policy: CancellationPolicy::CancelAll }
}

fn alter_members(set: &mut ChangeSet, f: impl Fn(&mut Member)) {
    for change in &mut set.changes {
        if let Some(Record::Flow(FlowRecord::Member(member))) = &mut change.new {
            f(Arc::make_mut(member));
        }
    }
}

fn alter_counts(set: &mut ChangeSet, f: impl Fn(&mut FlowSummary)) {
    for change in &mut set.changes {
        if let Some(Record::Flow(FlowRecord::Summary(summary))) = &mut change.new {
            f(Arc::make_mut(summary));
        }
    }
}

fn forget(set: &mut ChangeSet, forgotten: fn(&FlowKey) -> bool) {
    set.changes.retain(|change| !matches!(&change.key, RecordKey::Flow(key) if forgotten(key)));
}

#[tokio::test]
async fn flows_written_by_the_rules_are_sound_at_every_step() {
    let mut bench = Workbench::new().await;
    flow(&mut bench).await;
    let (lost, [bad, _]) = pair(&mut bench).await;
    bench.check().await.assert_sound();
    let held = bench.claimed(bad).await;
    bench.run(failure(&held)).await;
    bench.check().await.assert_sound();
    let (_, [good, child]) = pair(&mut bench).await;
    let held = bench.claimed(good).await;
    bench.run(completion(&held)).await;
    bench.check().await.assert_sound();
    let held = bench.claimed(child).await;
    bench.run(completion(&held)).await;
    bench.check().await.assert_sound();
    let (other, _) = pair(&mut bench).await;
    let header = CancelFlowHeader {
        flow_id: other,
        reason: "over".to_owned(),
        cancellation_policy: CancellationPolicy::CancelAll,
        grace_ms: 1000,
    };
    bench.run(header).await;
    bench.check().await.assert_sound();
    bench.run(cancelling(lost)).await;
    bench.check().await.assert_sound();
}

broken_by! {
    members_that_are_not_counted_are_found: Flow, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        let execution_id = bench.created().await;
        let add = AddExecutionToFlow { flow_id, partition: 0, execution_id };
        bench.run_but(add, |set| forget(set, |key| matches!(key, FlowKey::Flow(_)))).await;
    };
    a_member_that_is_not_listed_is_found: FlowMember, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        let execution_id = bench.created().await;
        let add = AddExecutionToFlow { flow_id, partition: 0, execution_id };
        bench.run_but(add, |set| forget(set, |key| matches!(key, FlowKey::MemberPage(..)))).await;
    };
    a_member_out_of_its_place_is_found: FlowMember, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        member(bench, flow_id).await;
        let execution_id = bench.created().await;
        let add = AddExecutionToFlow { flow_id, partition: 0, execution_id };
        bench.run_but(add, |set| alter_members(set, |member| member.ordinal = 0)).await;
    };
    counts_that_do_not_follow_are_found: FlowCounts, async |bench: &mut Workbench| {
        let (_, [up, _]) = pair(bench).await;
        bench.run_but(cancellation(up), |set| forget(set, |key| matches!(key, FlowKey::Summary(_)))).await;
    };
    a_dependency_without_a_record_is_found: FlowGraph, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        let ends = [member(bench, flow_id).await, member(bench, flow_id).await];
        let staged = staging(bench, flow_id, ends, 2);
        bench.run_but(staged, |set| forget(set, |key| matches!(key, FlowKey::Edge(..)))).await;
    };
    a_dependency_that_only_leaves_is_found: FlowGraph, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        let ends = [member(bench, flow_id).await, member(bench, flow_id).await];
        let staged = staging(bench, flow_id, ends, 2);
        bench.run_but(staged, |set| forget(set, |key| matches!(key, FlowKey::InPage(..)))).await;
    };
    work_that_nobody_knows_of_is_found: FlowWork, async |bench: &mut Workbench| {
        let (flow_id, _) = pair(bench).await;
        let header = CancelFlowHeader {
            flow_id,
            reason: "over".to_owned(),
            cancellation_policy: CancellationPolicy::CancelAll,
            grace_ms: 1000,
        };
        bench.run_but(header, |set| alter_counts(set, |summary| summary.cancels_pending = false)).await;
    };
    work_that_was_never_written_down_is_found: FlowWork, async |bench: &mut Workbench| {
        let (_, [up, _]) = pair(bench).await;
        bench.run_but(cancellation(up), |set| alter_counts(set, |summary| summary.work_left = true)).await;
    };
    an_end_that_resolved_nothing_is_found: FlowResolved, async |bench: &mut Workbench| {
        let (_, [up, down]) = pair(bench).await;
        let held = bench.claimed(up).await;
        bench
            .run_but(completion(&held), |set| {
                forget(set, |key| matches!(key, FlowKey::Member(..)));
                set.changes.retain(|change| change.key != RecordKey::Execution(down.uuid()));
            })
            .await;
    };
    a_member_that_outlives_its_flow_is_found: FlowCancelled, async |bench: &mut Workbench| {
        let flow_id = flow(bench).await;
        let id = member(bench, flow_id).await;
        let spared = move |set: &mut ChangeSet| {
            set.changes.retain(|change| change.key != RecordKey::Execution(id.uuid()));
            set.events.clear();
        };
        bench.run_but(cancelling(flow_id), spared).await;
    };
}
