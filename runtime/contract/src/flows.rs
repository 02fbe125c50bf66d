//! Flows: executions that depend on one another.

mod spec;
mod views;

pub use spec::{FlowEdgeSpec, FlowNodeSpec, FlowSpec, SubmitFlowOutcome};
pub use views::{
    EdgeDirection, EdgeGroupSnapshot, EdgeSnapshot, FlowEntry, FlowMember, FlowMemberPage, FlowPage, FlowSnapshot,
    FlowStatus, InboundEdge,
};

use crate::EngineResult;
use async_trait::async_trait;
use leasehold_core::command::flow::{
    AddOutcome, ApplyDependencyToChild, ApplyOutcome, CancelFlow, CancelFlowHeader, CancelFlowOutcome,
    CancelHeaderOutcome, CancelWait, CascadeOutcome, CreateFlowOutcome, DrainOutcome, FlowEligibility, FlowTagSet,
    ReconcileOutcome, ResolveDependency, SetEdgeGroupPolicy, SetFlowTag, SetPolicyOutcome, StageDependencyEdge, Staged,
};
use leasehold_core::flow::Resolution;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::partition::Partition;

/// Operations on flows.
///
/// A flow lives in the partition that its id hashes to, and so do its members.
/// The engine does by itself what resolving, cascading, draining and
/// reconciling do; these operations repeat it safely.
#[async_trait]
pub trait Flows: Send + Sync {
    /// Creates a flow; one that exists is left as it is. `invalid_input` for
    /// the kind.
    async fn create_flow(
        &self,
        flow_id: FlowId,
        flow_kind: String,
        namespace: Namespace,
    ) -> EngineResult<CreateFlowOutcome>;

    /// Builds a whole flow: its executions, their joins and their
    /// dependencies. None of its members runs before all of it exists; one
    /// that is not finished within ten minutes is cancelled. A large one takes
    /// several commits; repeating the call goes on where it stopped. Refused
    /// as [`FlowSpec::check`] and
    /// [`leasehold_core::command::flow::BuildFlow`] say.
    async fn submit_flow(&self, spec: FlowSpec) -> EngineResult<SubmitFlowOutcome>;

    /// Makes an execution a member, for life. Refused, in this order, with
    /// `invalid_input` (it lives in another partition), `flow_not_found`,
    /// `flow_already_terminal`, `execution_not_found`,
    /// `already_member_of_different_flow` and `invalid_input` (the flow is
    /// full).
    async fn add_execution_to_flow(&self, flow_id: FlowId, execution_id: ExecutionId) -> EngineResult<AddOutcome>;

    /// Adds a dependency to the graph. It does not hold anything back before
    /// it is applied. Refused as [`StageDependencyEdge`] says.
    async fn stage_dependency_edge(&self, args: StageDependencyEdge) -> EngineResult<Staged>;

    /// Makes a member wait for a staged dependency. Refused as
    /// [`ApplyDependencyToChild`] says.
    async fn apply_dependency_to_child(&self, args: ApplyDependencyToChild) -> EngineResult<ApplyOutcome>;

    /// Says how many dependencies a member needs, before the first is staged.
    /// Refused as [`SetEdgeGroupPolicy`] says.
    async fn set_edge_group_policy(&self, args: SetEdgeGroupPolicy) -> EngineResult<SetPolicyOutcome>;

    /// Resolves one dependency. Refused as [`ResolveDependency`] says.
    async fn resolve_dependency(&self, args: ResolveDependency) -> EngineResult<Resolution>;

    /// Resolves what depends on an ended member. Without a flow, and for a
    /// member that has not ended, nothing is resolved.
    async fn cascade_completion(
        &self,
        execution_id: ExecutionId,
        flow_id: Option<FlowId>,
    ) -> EngineResult<CascadeOutcome>;

    /// Whether an execution's dependencies let it run. Never refused.
    async fn evaluate_flow_eligibility(&self, execution_id: ExecutionId) -> EngineResult<FlowEligibility>;

    /// Cancels a flow and ends the members that the policy selects; waits for
    /// them if asked to. `flow_not_found`; `timeout` when the wait ends first,
    /// and the cancellation stands all the same. A repeat answers what the
    /// first call stored.
    async fn cancel_flow(&self, args: CancelFlow, wait: CancelWait) -> EngineResult<CancelFlowOutcome>;

    /// Marks a flow as cancelled and notes the members to be ended; the caller
    /// ends them, or the engine once `grace_ms` has passed. Refused as
    /// [`CancelFlowHeader`] says.
    async fn cancel_flow_header(&self, args: CancelFlowHeader) -> EngineResult<CancelHeaderOutcome>;

    /// Notes that a member of a cancelled flow needs no ending any more. One
    /// that has not ended is ended by the engine all the same. Never refused.
    async fn ack_cancel_member(&self, flow_id: FlowId, execution_id: ExecutionId) -> EngineResult<()>;

    /// Drops the list of upstreams that a fired join cancels. Never refused.
    async fn drain_sibling_cancel_group(&self, flow_id: FlowId, downstream: ExecutionId) -> EngineResult<DrainOutcome>;

    /// Drops that list if it is done with or stale; cancels nothing. Never
    /// refused.
    async fn reconcile_sibling_cancel_group(
        &self,
        flow_id: FlowId,
        downstream: ExecutionId,
    ) -> EngineResult<ReconcileOutcome>;

    /// Whether a flow has anything to sum up. Its counts are kept by the
    /// commits that move members, so nothing is left to compute.
    async fn project_flow_summary(&self, flow_id: FlowId) -> EngineResult<bool>;

    /// A snapshot of the header, the counts and the joins; none when there is
    /// no such flow. A join may be newer than the header.
    async fn describe_flow(&self, flow_id: FlowId) -> EngineResult<Option<FlowSnapshot>>;

    /// One dependency; none when there is none.
    async fn describe_edge(&self, flow_id: FlowId, edge_id: EdgeId) -> EngineResult<Option<EdgeSnapshot>>;

    /// The dependencies that leave or enter a member, by id. Empty when there
    /// is no such member; `corruption` when one is listed and missing.
    async fn list_edges(&self, flow_id: FlowId, direction: EdgeDirection) -> EngineResult<Vec<EdgeSnapshot>>;

    /// Flows of one partition by id, finished ones included; a limit of 0
    /// gives an empty page, 1000 is the most.
    async fn list_flows(&self, partition: Partition, cursor: Option<FlowId>, limit: usize) -> EngineResult<FlowPage>;

    /// Members in the order in which they joined, each with the dependencies
    /// it has; a limit of 0 gives an empty page, 1000 is the most. A page is
    /// shorter where its members have many dependencies. The cursor is the
    /// place of the last member seen. `flow_not_found`.
    async fn list_flow_members(
        &self,
        flow_id: FlowId,
        cursor: Option<u32>,
        limit: usize,
    ) -> EngineResult<FlowMemberPage>;

    /// The flow of an execution; none when it has none or does not exist.
    async fn resolve_execution_flow_id(&self, execution_id: ExecutionId) -> EngineResult<Option<FlowId>>;

    /// Sets one tag. Refused as [`SetFlowTag`] says.
    async fn set_flow_tag(&self, args: SetFlowTag) -> EngineResult<FlowTagSet>;

    /// Reads one tag; none when the flow or the tag does not exist.
    async fn get_flow_tag(&self, flow_id: FlowId, key: &str) -> EngineResult<Option<String>>;
}
