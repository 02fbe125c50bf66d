//! Flows, step by step or in one go, and what is stored of them.

use crate::case::Case;
use bytes::Bytes;
use leasehold_contract::{
    AddOutcome, ApplyDependencyToChild, ApplyOutcome, CancelFlow, CancelFlowHeader, Claimed, CompleteExecution,
    CreateExecution, CreateFlowOutcome, EngineResult, ExpireExecution, ExpireOutcome, ExpirePhase, SetEdgeGroupPolicy,
    StageDependencyEdge,
};
use leasehold_core::command::flow::CANCEL_GRACE_MS;
use leasehold_core::error::EngineError;
use leasehold_core::flow::{PolicySpec, StateCounts};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::record::flow::{CancellationPolicy, Flow, FlowKey, FlowRecord, Member};
use leasehold_core::record::{Record, RecordKey};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::checker::Report;
use leasehold_tests::checker::flows::FlowContents;
use leasehold_tests::harness::act::{self, NAMESPACE};
use std::fmt::Debug;
use std::sync::Arc;

/// A flow of one member that waits for some others.
pub struct Join {
    pub flow: FlowId,
    pub upstreams: Vec<ExecutionId>,
    pub child: ExecutionId,
    pub edges: Vec<EdgeId>,
}

/// An id no flow was created with.
pub fn flow_id(case: &Case) -> FlowId {
    FlowId::from_uuid(case.request_id().as_uuid())
}

/// An id no dependency was staged with.
pub fn edge_id(case: &Case) -> EdgeId {
    EdgeId::from_uuid(case.request_id().as_uuid())
}

/// The partition of a flow and its members.
pub fn home(case: &Case, flow: FlowId) -> u16 {
    case.options.engine.partitions.of_flow(flow)
}

/// An empty flow.
pub async fn flow(case: &Case) -> FlowId {
    let id = flow_id(case);
    let created = case.engine.create_flow(id, "deploy".to_owned(), Namespace::new(NAMESPACE)).await;
    assert_eq!(created, Ok(CreateFlowOutcome::Created { flow_id: id }));
    id
}

/// A waiting execution where the flow is, and no member of it.
pub async fn neighbour(case: &Case, flow: FlowId) -> ExecutionId {
    neighbour_with(case, flow, |_| ()).await
}

/// As [`neighbour`], created with arguments of the caller's.
pub async fn neighbour_with(case: &Case, flow: FlowId, change: impl FnOnce(&mut CreateExecution)) -> ExecutionId {
    let mut args = case.create(case.id_in(home(case, flow)));
    change(&mut args);
    case.engine.create_execution(args).await.expect("it can be created").execution_id()
}

/// A waiting member.
pub async fn member(case: &Case, flow: FlowId) -> ExecutionId {
    member_with(case, flow, |_| ()).await
}

/// A member, created with arguments of the caller's.
pub async fn member_with(case: &Case, flow: FlowId, change: impl FnOnce(&mut CreateExecution)) -> ExecutionId {
    let id = neighbour_with(case, flow, change).await;
    join_flow(case, flow, id).await;
    id
}

/// Makes an execution a member.
pub async fn join_flow(case: &Case, flow: FlowId, id: ExecutionId) {
    let added = case.engine.add_execution_to_flow(flow, id).await;
    assert!(matches!(added, Ok(AddOutcome::Added { .. })), "{added:?}");
}

/// Some waiting members.
pub async fn members<const N: usize>(case: &Case, flow: FlowId) -> [ExecutionId; N] {
    let mut ids = Vec::with_capacity(N);
    for _ in 0..N {
        ids.push(member(case, flow).await);
    }
    ids.try_into().expect("as many as asked for")
}

/// Arguments that stage a dependency at the revision the flow has.
pub async fn staging(case: &Case, flow: FlowId, upstream: ExecutionId, downstream: ExecutionId) -> StageDependencyEdge {
    let known = find_header(case, flow).await;
    StageDependencyEdge {
        flow_id: flow,
        edge_id: edge_id(case),
        upstream_execution_id: upstream,
        downstream_execution_id: downstream,
        dependency_kind: "success_only".to_owned(),
        data_passing_ref: None,
        expected_graph_revision: known.map_or(0, |header| header.graph_revision),
    }
}

/// Arguments that apply what was staged.
pub fn application(staged: &StageDependencyEdge) -> ApplyDependencyToChild {
    ApplyDependencyToChild {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        downstream_execution_id: staged.downstream_execution_id,
        upstream_execution_id: staged.upstream_execution_id,
        graph_revision: staged.expected_graph_revision + 1,
        dependency_kind: staged.dependency_kind.clone(),
        data_passing_ref: staged.data_passing_ref.clone(),
    }
}

/// Stages a dependency.
pub async fn stage(case: &Case, flow: FlowId, upstream: ExecutionId, downstream: ExecutionId) -> StageDependencyEdge {
    stage_with(case, flow, upstream, downstream, None).await
}

/// Stages a dependency that passes data if it is given a reference.
pub async fn stage_with(
    case: &Case,
    flow: FlowId,
    upstream: ExecutionId,
    downstream: ExecutionId,
    data_passing_ref: Option<&str>,
) -> StageDependencyEdge {
    let args = staging(case, flow, upstream, downstream).await;
    let args = StageDependencyEdge { data_passing_ref: data_passing_ref.map(str::to_owned), ..args };
    case.engine.stage_dependency_edge(args.clone()).await.expect("it can be staged");
    args
}

/// Makes the downstream wait for what was staged.
pub async fn apply(case: &Case, staged: &StageDependencyEdge) -> ApplyOutcome {
    case.engine.apply_dependency_to_child(application(staged)).await.expect("it can be applied")
}

/// Stages and applies a dependency.
pub async fn link(case: &Case, flow: FlowId, upstream: ExecutionId, downstream: ExecutionId) -> EdgeId {
    let staged = stage(case, flow, upstream, downstream).await;
    apply(case, &staged).await;
    staged.edge_id
}

/// As [`link`], for a dependency that passes the result on.
pub async fn pipe(case: &Case, flow: FlowId, upstream: ExecutionId, downstream: ExecutionId) -> EdgeId {
    let staged = stage_with(case, flow, upstream, downstream, Some("result")).await;
    apply(case, &staged).await;
    staged.edge_id
}

/// One succeeds.
pub fn any_of(on_satisfied: &str) -> PolicySpec {
    PolicySpec { kind: "any_of".to_owned(), on_satisfied: Some(on_satisfied.to_owned()), k: None }
}

/// So many succeed.
pub fn quorum(k: u64, on_satisfied: &str) -> PolicySpec {
    PolicySpec { kind: "quorum".to_owned(), on_satisfied: Some(on_satisfied.to_owned()), k: Some(k) }
}

/// All succeed.
pub fn all_of() -> PolicySpec {
    PolicySpec { kind: "all_of".to_owned(), on_satisfied: None, k: None }
}

/// Arguments that set a policy.
pub const fn setting(flow: FlowId, downstream: ExecutionId, policy: PolicySpec) -> SetEdgeGroupPolicy {
    SetEdgeGroupPolicy { flow_id: flow, downstream_execution_id: downstream, policy }
}

/// A member that waits for so many others.
pub async fn join(case: &Case, policy: PolicySpec, count: usize) -> Join {
    join_in(case, flow(case).await, policy, count).await
}

/// As [`join`], in a flow that exists.
pub async fn join_in(case: &Case, flow: FlowId, policy: PolicySpec, count: usize) -> Join {
    let mut upstreams = Vec::new();
    for _ in 0..count {
        upstreams.push(member(case, flow).await);
    }
    let child = member(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, child, policy)).await.expect("it can be set");
    let mut edges = Vec::new();
    for upstream in &upstreams {
        edges.push(link(case, flow, *upstream, child).await);
    }
    Join { flow, upstreams, child, edges }
}

/// A chain of members, each waiting for the one before.
pub async fn chain<const N: usize>(case: &Case, flow: FlowId) -> [ExecutionId; N] {
    let chain = members::<N>(case, flow).await;
    for ends in chain.windows(2) {
        link(case, flow, ends[0], ends[1]).await;
    }
    chain
}

/// Claims a member and completes it with a result.
pub async fn succeed_with(case: &Case, id: ExecutionId, result: Option<Bytes>) {
    let held = case.lease(id).await;
    let args = CompleteExecution { result_payload: result, ..act::completion(&held.execution) };
    case.engine.complete_execution(args).await.expect("it can be completed");
}

/// Claims a member and completes it without a result.
pub async fn succeed(case: &Case, id: ExecutionId) {
    succeed_with(case, id, None).await;
}

/// Claims a member and fails it.
pub async fn fail(case: &Case, id: ExecutionId) {
    let held = case.lease(id).await;
    case.engine.fail_execution(act::failure(&held.execution)).await.expect("it can fail");
}

/// Cancels a member.
pub async fn cancel(case: &Case, id: ExecutionId) {
    case.engine.cancel_execution(act::cancellation(id)).await.expect("it can be cancelled");
}

/// A member with a deadline a second from now.
pub async fn mortal(case: &Case, flow: FlowId) -> ExecutionId {
    let deadline = case.now().plus(1000);
    member_with(case, flow, |args| args.execution_deadline_at = Some(deadline)).await
}

/// Ends a mortal member by its deadline.
pub async fn expire(case: &Case, execution_id: ExecutionId) {
    case.advance(1000);
    let phase = ExpirePhase::ExecutionDeadline;
    let expired = case.engine.expire_execution(ExpireExecution { execution_id, phase, attempt_index: None }).await;
    assert_eq!(expired, Ok(ExpireOutcome::Expired));
}

/// Claims a member that waits in the queue.
pub async fn lease(case: &Case, id: ExecutionId) -> Claimed {
    case.lease(id).await
}

/// Arguments that cancel a flow.
pub fn cancelling(flow: FlowId, policy: CancellationPolicy) -> CancelFlow {
    CancelFlow { flow_id: flow, reason: "not needed".to_owned(), cancellation_policy: policy }
}

/// Arguments that cancel a flow and leave its members to others for a while.
pub fn heading(flow: FlowId, policy: CancellationPolicy) -> CancelFlowHeader {
    CancelFlowHeader {
        flow_id: flow,
        reason: "not needed".to_owned(),
        cancellation_policy: policy,
        grace_ms: CANCEL_GRACE_MS,
    }
}

/// A record of a flow as stored.
pub async fn kept(case: &Case, key: FlowKey) -> Option<FlowRecord> {
    let keys = [RecordKey::Flow(key)];
    let loaded = case.backend.load(home(case, key.flow_id()), &keys, &[]).await.expect("the store can be read");
    match loaded.records.into_iter().next().flatten() {
        Some(Record::Flow(record)) => Some(record),
        None => None,
        Some(other) => panic!("{key:?} is {other:?}"),
    }
}

async fn find_header(case: &Case, flow: FlowId) -> Option<Arc<Flow>> {
    match kept(case, FlowKey::Flow(flow)).await {
        Some(FlowRecord::Flow(flow)) => Some(flow),
        _ => None,
    }
}

/// The header as stored.
pub async fn header(case: &Case, flow: FlowId) -> Arc<Flow> {
    find_header(case, flow).await.expect("the flow is stored")
}

/// Everything stored of a flow.
pub async fn contents(case: &Case, flow: FlowId) -> FlowContents {
    let mut report = Report::default();
    let found = FlowContents::read(case.backend.as_ref(), header(case, flow).await, &mut report).await;
    report.assert_sound();
    found
}

/// A member as stored.
pub async fn member_record(case: &Case, flow: FlowId, id: ExecutionId) -> Arc<Member> {
    match kept(case, FlowKey::Member(flow, id.uuid())).await {
        Some(FlowRecord::Member(member)) => member,
        other => panic!("{id} is stored as {other:?}"),
    }
}

/// The counts as stored: all states that some member has.
pub async fn counts(case: &Case, flow: FlowId) -> Vec<(PublicState, u32)> {
    let summary = contents(case, flow).await.summary.expect("the flow has counts");
    shown(&summary.counts)
}

/// All states that some member has.
pub fn shown(counts: &StateCounts) -> Vec<(PublicState, u32)> {
    PublicState::ALL.iter().map(|state| (*state, counts.of(*state))).filter(|(_, count)| *count > 0).collect()
}

/// How a member ended.
pub async fn outcome(case: &Case, id: ExecutionId) -> TerminalOutcome {
    case.record(id).await.vector().terminal_outcome()
}

/// The label of a member.
pub async fn public(case: &Case, id: ExecutionId) -> PublicState {
    case.record(id).await.vector().public_state()
}

/// Everything an operation could change where a flow is.
async fn imprint(case: &Case, flow: FlowId) -> String {
    let partition = home(case, flow);
    let executions = case.backend.list_executions(partition, None, 1000).await.expect("the store can be read");
    let found = match find_header(case, flow).await {
        Some(_) => Some(contents(case, flow).await),
        None => None,
    };
    format!("{executions:?} {found:?} {:?}", case.log(partition).await)
}

/// Carries out a call that is to change nothing.
pub async fn unheard<T: Debug>(case: &Case, flow: FlowId, call: impl Future<Output = T>) -> T {
    let before = imprint(case, flow).await;
    let answer = call.await;
    assert_eq!(imprint(case, flow).await, before, "{answer:?} changed something");
    answer
}

/// Expects a refusal that changes nothing, and notes its code.
pub async fn refused<T: Debug>(
    case: &Case,
    flow: FlowId,
    call: impl Future<Output = EngineResult<T>>,
    code: &str,
) -> EngineError {
    let answer = unheard(case, flow, call).await;
    case.code(answer, code)
}

/// As [`refused`], where the refusal also says so much.
pub async fn refused_as<T: Debug>(
    case: &Case,
    flow: FlowId,
    call: impl Future<Output = EngineResult<T>>,
    code: &str,
    detail: &str,
) {
    let error = refused(case, flow, call, code).await;
    assert!(error.to_string().ends_with(detail), "{error}");
}
