//! Flows: executions that depend on one another.

mod cancel;
mod eligibility;
mod members;
mod reads;
mod submit;
mod views;

use super::EngineHandle;
use async_trait::async_trait;
use leasehold_contract::{
    EdgeDirection, EdgeSnapshot, EngineResult, FlowMemberPage, FlowPage, FlowSnapshot, FlowSpec, Flows,
    SubmitFlowOutcome,
};
use leasehold_core::command::Operation;
use leasehold_core::command::flow::{
    AckCancelMember, AddExecutionToFlow, AddOutcome, ApplyDependencyToChild, ApplyOutcome, CancelFlow,
    CancelFlowHeader, CancelFlowOutcome, CancelHeaderOutcome, CancelWait, CascadeCompletion, CascadeOutcome,
    CreateFlow, CreateFlowOutcome, DrainOutcome, DrainSiblingCancelGroup, FlowEligibility, FlowTagSet,
    ProjectFlowSummary, ReconcileOutcome, ReconcileSiblingCancelGroup, ResolveDependency, SetEdgeGroupPolicy,
    SetFlowTag, SetPolicyOutcome, StageDependencyEdge, Staged,
};
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::flow::Resolution;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::partition::Partition;
use tracing::{Instrument, instrument};

#[async_trait]
impl Flows for EngineHandle {
    async fn create_flow(
        &self,
        flow_id: FlowId,
        flow_kind: String,
        namespace: Namespace,
    ) -> EngineResult<CreateFlowOutcome> {
        let create = CreateFlow { flow_id, partition: self.flow_home(flow_id), flow_kind, namespace };
        self.submit_to_flow(flow_id, create).await
    }

    #[instrument(level = "debug", skip_all, fields(flow_id = %spec.flow_id, nodes = spec.nodes.len()))]
    async fn submit_flow(&self, spec: FlowSpec) -> EngineResult<SubmitFlowOutcome> {
        self.build(spec, false).await
    }

    async fn add_execution_to_flow(&self, flow_id: FlowId, execution_id: ExecutionId) -> EngineResult<AddOutcome> {
        let add = AddExecutionToFlow { flow_id, partition: self.flow_home(flow_id), execution_id };
        match self.submit_to_flow(flow_id, add.clone()).await {
            Err(EngineError::NotFound { entity: Entity::Execution }) if self.env.outside_writers => {
                self.take_in(AddExecutionToFlow::NAME, execution_id).await?;
                self.submit_to_flow(flow_id, add).await
            }
            outcome => outcome,
        }
    }

    async fn stage_dependency_edge(&self, args: StageDependencyEdge) -> EngineResult<Staged> {
        self.submit_to_flow(args.flow_id, args).await
    }

    async fn apply_dependency_to_child(&self, args: ApplyDependencyToChild) -> EngineResult<ApplyOutcome> {
        self.submit_to_flow(args.flow_id, args).await
    }

    async fn set_edge_group_policy(&self, args: SetEdgeGroupPolicy) -> EngineResult<SetPolicyOutcome> {
        self.submit_to_flow(args.flow_id, args).await
    }

    async fn resolve_dependency(&self, args: ResolveDependency) -> EngineResult<Resolution> {
        self.submit_to_flow(args.flow_id, args).await
    }

    async fn cascade_completion(
        &self,
        execution_id: ExecutionId,
        flow_id: Option<FlowId>,
    ) -> EngineResult<CascadeOutcome> {
        match flow_id.filter(|flow_id| self.flow_home(*flow_id) == execution_id.partition()) {
            Some(flow_id) => self.submit_to_flow(flow_id, CascadeCompletion { flow_id, execution_id }).await,
            None => Ok(CascadeOutcome { resolved: 0, cascaded_children: 0, synchronous: true }),
        }
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn evaluate_flow_eligibility(&self, execution_id: ExecutionId) -> EngineResult<FlowEligibility> {
        self.eligibility(execution_id).await
    }

    #[instrument(level = "debug", skip_all, fields(flow_id = %args.flow_id))]
    async fn cancel_flow(&self, args: CancelFlow, wait: CancelWait) -> EngineResult<CancelFlowOutcome> {
        self.cancel_and_wait(args, wait).await
    }

    async fn cancel_flow_header(&self, args: CancelFlowHeader) -> EngineResult<CancelHeaderOutcome> {
        self.submit_to_flow(args.flow_id, args).await
    }

    async fn ack_cancel_member(&self, flow_id: FlowId, execution_id: ExecutionId) -> EngineResult<()> {
        self.submit_to_flow(flow_id, AckCancelMember { flow_id, execution_id }).await
    }

    async fn drain_sibling_cancel_group(&self, flow_id: FlowId, downstream: ExecutionId) -> EngineResult<DrainOutcome> {
        let drain = DrainSiblingCancelGroup { flow_id, downstream_execution_id: downstream };
        self.submit_to_flow(flow_id, drain).await
    }

    async fn reconcile_sibling_cancel_group(
        &self,
        flow_id: FlowId,
        downstream: ExecutionId,
    ) -> EngineResult<ReconcileOutcome> {
        let reconcile = ReconcileSiblingCancelGroup { flow_id, downstream_execution_id: downstream };
        self.submit_to_flow(flow_id, reconcile).await
    }

    async fn project_flow_summary(&self, flow_id: FlowId) -> EngineResult<bool> {
        self.submit_to_flow(flow_id, ProjectFlowSummary { flow_id }).await
    }

    #[instrument(level = "debug", skip_all, fields(%flow_id))]
    async fn describe_flow(&self, flow_id: FlowId) -> EngineResult<Option<FlowSnapshot>> {
        self.flow_snapshot(flow_id).await
    }

    #[instrument(level = "debug", skip_all, fields(%flow_id, %edge_id))]
    async fn describe_edge(&self, flow_id: FlowId, edge_id: EdgeId) -> EngineResult<Option<EdgeSnapshot>> {
        self.edge_snapshot(flow_id, edge_id).await
    }

    #[instrument(level = "debug", skip_all, fields(%flow_id))]
    async fn list_edges(&self, flow_id: FlowId, direction: EdgeDirection) -> EngineResult<Vec<EdgeSnapshot>> {
        self.edges(flow_id, direction).await
    }

    #[instrument(level = "debug", skip_all, fields(%partition))]
    async fn list_flows(&self, partition: Partition, cursor: Option<FlowId>, limit: usize) -> EngineResult<FlowPage> {
        self.flow_page(partition, cursor, limit).await
    }

    #[instrument(level = "debug", skip_all, fields(%flow_id))]
    async fn list_flow_members(
        &self,
        flow_id: FlowId,
        cursor: Option<u32>,
        limit: usize,
    ) -> EngineResult<FlowMemberPage> {
        self.member_page(flow_id, cursor, limit).await
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn resolve_execution_flow_id(&self, execution_id: ExecutionId) -> EngineResult<Option<FlowId>> {
        let execution = self.find("resolve_execution_flow_id", execution_id).await?;
        Ok(execution.and_then(|execution| execution.flow_id))
    }

    async fn set_flow_tag(&self, args: SetFlowTag) -> EngineResult<FlowTagSet> {
        self.submit_to_flow(args.flow_id, args).await
    }

    #[instrument(level = "debug", skip_all, fields(%flow_id))]
    async fn get_flow_tag(&self, flow_id: FlowId, key: &str) -> EngineResult<Option<String>> {
        self.flow_tag(flow_id, key).await
    }
}

impl EngineHandle {
    /// Sends a write to the owner of a flow and waits until the answer is
    /// durable.
    async fn submit_to_flow<O: Operation>(&self, flow_id: FlowId, op: O) -> EngineResult<O::Outcome> {
        self.submit_to_flow_as(flow_id, op, false).await
    }

    /// As `submit_to_flow`; `minted` says that its ids were minted for this
    /// call.
    async fn submit_to_flow_as<O: Operation>(&self, flow_id: FlowId, op: O, minted: bool) -> EngineResult<O::Outcome> {
        let span = tracing::debug_span!("engine", op = O::NAME, %flow_id);
        self.router.submit_as(op, minted).instrument(span).await
    }
}
