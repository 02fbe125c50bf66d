//! The operations of flows as values, and their answers in words.

use crate::differential::answer::Answer;
use crate::differential::seen::Learned;
use crate::sim::shapes::Declared;
use leasehold_actors::EngineHandle;
use leasehold_contract::{
    ApplyDependencyToChild, CancelFlow, CancelFlowHeader, CancelWait, EdgeDirection, EngineResult, Flows,
    ResolveDependency, SetEdgeGroupPolicy, SetFlowTag, StageDependencyEdge,
};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::partition::Partition;

/// A command or read of flows with its arguments.
#[derive(Clone, Debug)]
pub enum FlowCall {
    CreateFlow(FlowId, String, Namespace),
    SubmitFlow(Box<Declared>),
    AddExecutionToFlow(FlowId, ExecutionId),
    StageDependencyEdge(Box<StageDependencyEdge>),
    ApplyDependencyToChild(Box<ApplyDependencyToChild>),
    SetEdgeGroupPolicy(Box<SetEdgeGroupPolicy>),
    ResolveDependency(ResolveDependency),
    CascadeCompletion(ExecutionId, Option<FlowId>),
    EvaluateFlowEligibility(ExecutionId),
    CancelFlow(CancelFlow, CancelWait),
    CancelFlowHeader(CancelFlowHeader),
    AckCancelMember(FlowId, ExecutionId),
    DrainSiblingCancelGroup(FlowId, ExecutionId),
    ReconcileSiblingCancelGroup(FlowId, ExecutionId),
    ProjectFlowSummary(FlowId),
    DescribeFlow(FlowId),
    DescribeEdge(FlowId, EdgeId),
    ListEdges(FlowId, EdgeDirection),
    ListFlows(Partition, Option<FlowId>, usize),
    ListFlowMembers(FlowId, Option<u32>, usize),
    ResolveExecutionFlowId(ExecutionId),
    SetFlowTag(SetFlowTag),
    GetFlowTag(FlowId, String),
}

impl FlowCall {
    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateFlow(..) => "create_flow",
            Self::SubmitFlow(_) => "submit_flow",
            Self::AddExecutionToFlow(..) => "add_execution_to_flow",
            Self::StageDependencyEdge(_) => "stage_dependency_edge",
            Self::ApplyDependencyToChild(_) => "apply_dependency_to_child",
            Self::SetEdgeGroupPolicy(_) => "set_edge_group_policy",
            Self::ResolveDependency(_) => "resolve_dependency",
            Self::CascadeCompletion(..) => "cascade_completion",
            Self::EvaluateFlowEligibility(_) => "evaluate_flow_eligibility",
            Self::CancelFlow(..) => "cancel_flow",
            Self::CancelFlowHeader(_) => "cancel_flow_header",
            Self::AckCancelMember(..) => "ack_cancel_member",
            Self::DrainSiblingCancelGroup(..) => "drain_sibling_cancel_group",
            Self::ReconcileSiblingCancelGroup(..) => "reconcile_sibling_cancel_group",
            Self::ProjectFlowSummary(_) => "project_flow_summary",
            Self::DescribeFlow(_) => "describe_flow",
            Self::DescribeEdge(..) => "describe_edge",
            Self::ListEdges(..) => "list_edges",
            Self::ListFlows(..) => "list_flows",
            Self::ListFlowMembers(..) => "list_flow_members",
            Self::ResolveExecutionFlowId(_) => "resolve_execution_flow_id",
            Self::SetFlowTag(_) => "set_flow_tag",
            Self::GetFlowTag(..) => "get_flow_tag",
        }
    }

    /// Runs it.
    pub async fn answer(self, engine: &EngineHandle) -> EngineResult<Answer> {
        let call = match self.build(engine).await? {
            Ok(answer) => return Ok(answer),
            Err(call) => call,
        };
        match call.settle(engine).await? {
            Ok(answer) => Ok(answer),
            Err(call) => call.read(engine).await,
        }
    }

    /// What makes a graph.
    async fn build(self, engine: &EngineHandle) -> EngineResult<Result<Answer, Self>> {
        Ok(Ok(match self {
            Self::CreateFlow(flow, kind, namespace) => {
                let outcome = engine.create_flow(flow, kind, namespace).await?;
                Answer::telling(&outcome, Learned::Flow(flow, Vec::new()))
            }
            Self::SubmitFlow(declared) => {
                let spec = declared.0;
                let members = spec.nodes.iter().map(|node| node.execution.execution_id).collect();
                let flow = spec.flow_id;
                Answer::telling(&engine.submit_flow(spec).await?, Learned::Flow(flow, members))
            }
            Self::AddExecutionToFlow(flow, id) => {
                Answer::telling(&engine.add_execution_to_flow(flow, id).await?, Learned::Flow(flow, vec![id]))
            }
            Self::StageDependencyEdge(args) => {
                let staged = engine.stage_dependency_edge((*args).clone()).await?;
                Answer::telling(&staged, Learned::Staged(*args, staged.new_graph_revision))
            }
            Self::ApplyDependencyToChild(args) => Answer::plain(&engine.apply_dependency_to_child(*args).await?),
            Self::SetEdgeGroupPolicy(args) => Answer::plain(&engine.set_edge_group_policy(*args).await?),
            Self::SetFlowTag(args) => Answer::plain(&engine.set_flow_tag(args).await?),
            other => return Ok(Err(other)),
        }))
    }

    /// What ends or resolves.
    async fn settle(self, engine: &EngineHandle) -> EngineResult<Result<Answer, Self>> {
        Ok(Ok(match self {
            Self::ResolveDependency(args) => Answer::plain(&engine.resolve_dependency(args).await?),
            Self::CascadeCompletion(id, flow) => Answer::plain(&engine.cascade_completion(id, flow).await?),
            Self::CancelFlow(args, wait) => Answer::plain(&engine.cancel_flow(args, wait).await?),
            Self::CancelFlowHeader(args) => Answer::plain(&engine.cancel_flow_header(args).await?),
            Self::AckCancelMember(flow, id) => Answer::plain(&engine.ack_cancel_member(flow, id).await?),
            Self::DrainSiblingCancelGroup(flow, id) => {
                Answer::plain(&engine.drain_sibling_cancel_group(flow, id).await?)
            }
            Self::ReconcileSiblingCancelGroup(flow, id) => {
                Answer::plain(&engine.reconcile_sibling_cancel_group(flow, id).await?)
            }
            other => return Ok(Err(other)),
        }))
    }

    async fn read(self, engine: &EngineHandle) -> EngineResult<Answer> {
        Ok(match self {
            Self::EvaluateFlowEligibility(id) => Answer::plain(&engine.evaluate_flow_eligibility(id).await?),
            Self::ProjectFlowSummary(flow) => Answer::plain(&engine.project_flow_summary(flow).await?),
            Self::DescribeFlow(flow) => {
                let found = engine.describe_flow(flow).await?;
                let revision = found.as_ref().map(|found| found.graph_revision);
                Answer::telling(&found, Learned::Revision(flow, revision))
            }
            Self::DescribeEdge(flow, edge) => Answer::plain(&engine.describe_edge(flow, edge).await?),
            Self::ListEdges(flow, direction) => Answer::plain(&engine.list_edges(flow, direction).await?),
            Self::ListFlows(partition, cursor, limit) => {
                Answer::plain(&engine.list_flows(partition, cursor, limit).await?)
            }
            Self::ListFlowMembers(flow, cursor, limit) => {
                Answer::plain(&engine.list_flow_members(flow, cursor, limit).await?)
            }
            Self::ResolveExecutionFlowId(id) => Answer::plain(&engine.resolve_execution_flow_id(id).await?),
            Self::GetFlowTag(flow, key) => Answer::plain(&engine.get_flow_tag(flow, &key).await?),
            other => unreachable!("{} is run elsewhere", other.name()),
        })
    }
}
