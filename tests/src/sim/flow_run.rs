//! Running a command of flows against the engine.

use super::done::Done;
use super::flow_op::{FlowOp, apply, stage};
use super::shapes::Declared;
use super::told::{Told, ToldEdge};
use leasehold_actors::EngineHandle;
use leasehold_contract::{
    AddOutcome, CancelFlowOutcome, CancelHeaderOutcome, EngineError, Executions, FlowSpec, Flows, SetEdgeGroupPolicy,
};
use leasehold_core::flow::PolicySpec;
use leasehold_core::ids::ExecutionId;
use std::collections::BTreeMap;

impl FlowOp {
    /// Runs it.
    pub async fn run(self, engine: &EngineHandle) -> Result<Done, EngineError> {
        let told = |told: Told| Ok(Done::Told(vec![told]));
        let other = |text: String| Ok(Done::Other(text));
        match self {
            Self::Submit(declared) => {
                engine.submit_flow(declared.0.clone()).await?;
                told(built(&declared.0))
            }
            Self::ByHand(declared) => {
                let mut told = Vec::new();
                let outcome = by_hand(engine, &declared, &mut told).await;
                // What was acknowledged before it was refused stands.
                if told.is_empty() { outcome.map(|()| Done::Told(told)) } else { Ok(Done::Told(told)) }
            }
            Self::Create(flow_id) => {
                engine.create_flow(flow_id, "sim".to_owned(), leasehold_core::ids::Namespace::new("sim")).await?;
                told(Told::Flow(flow_id))
            }
            Self::Add(flow_id, id) => {
                engine.add_execution_to_flow(flow_id, id).await?;
                let revision = engine.describe_flow(flow_id).await?.map_or(0, |flow| flow.graph_revision);
                Ok(Done::Told(vec![Told::Member(flow_id, id), Told::Revision(flow_id, revision)]))
            }
            Self::Stage(args) => {
                let staged = engine.stage_dependency_edge((*args).clone()).await?;
                let apply = apply(&args, staged.new_graph_revision);
                told(Told::Staged(apply, staged.new_graph_revision))
            }
            Self::Apply(args) => {
                let (flow_id, edge_id) = (args.flow_id, args.edge_id);
                engine.apply_dependency_to_child(*args).await?;
                told(Told::Applied(flow_id, edge_id))
            }
            Self::Policy(args) => {
                let (flow_id, id) = (args.flow_id, args.downstream_execution_id);
                engine.set_edge_group_policy(args).await?;
                told(Told::Policy(flow_id, id))
            }
            Self::Resolve(args) => other(format!("{:?}", engine.resolve_dependency(args).await?)),
            Self::Cascade(id, flow_id) => other(format!("{:?}", engine.cascade_completion(id, Some(flow_id)).await?)),
            Self::Cancel(args, wait) => {
                let flow_id = args.flow_id;
                let outcome = engine.cancel_flow(args, wait).await?;
                let (CancelFlowOutcome::Cancelled { cancellation_policy, .. }
                | CancelFlowOutcome::CancellationScheduled { cancellation_policy, .. }
                | CancelFlowOutcome::PartiallyCancelled { cancellation_policy, .. }) = outcome;
                told(Told::FlowCancelled(flow_id, cancellation_policy))
            }
            Self::CancelHeader(args) => {
                let flow_id = args.flow_id;
                match engine.cancel_flow_header(args).await? {
                    CancelHeaderOutcome::Cancelled { cancellation_policy, .. } => {
                        told(Told::FlowCancelled(flow_id, cancellation_policy))
                    }
                    CancelHeaderOutcome::AlreadyTerminal { stored_cancellation_policy, .. } => {
                        let policy = stored_cancellation_policy.map(|policy| Told::FlowCancelled(flow_id, policy));
                        Ok(Done::Told(policy.into_iter().collect()))
                    }
                }
            }
            Self::Ack(flow_id, id) => {
                engine.ack_cancel_member(flow_id, id).await?;
                other("acknowledged".to_owned())
            }
            Self::Drain(flow_id, id) => other(format!("{:?}", engine.drain_sibling_cancel_group(flow_id, id).await?)),
            Self::Reconcile(flow_id, id) => {
                other(format!("{:?}", engine.reconcile_sibling_cancel_group(flow_id, id).await?))
            }
            Self::Tag(args) => other(format!("{:?}", engine.set_flow_tag(args).await?)),
            Self::Evaluate(id) => other(format!("{:?}", engine.evaluate_flow_eligibility(id).await?)),
            Self::Project(flow_id) => other(format!("{:?}", engine.project_flow_summary(flow_id).await?)),
            Self::Describe(flow_id) => {
                let found = engine.describe_flow(flow_id).await?;
                other(format!("{:?}", found.map(|flow| (flow.public_flow_state, flow.graph_revision, flow.counts))))
            }
            Self::Members(flow_id) => {
                let page = engine.list_flow_members(flow_id, None, 100).await?;
                let states: Vec<_> = page.members.iter().map(|member| member.public_state.as_str()).collect();
                other(states.join(" "))
            }
        }
    }
}

fn ids(spec: &FlowSpec) -> BTreeMap<&str, ExecutionId> {
    spec.nodes.iter().map(|node| (node.name.as_str(), node.execution.execution_id)).collect()
}

/// What a submitted flow promises.
fn built(spec: &FlowSpec) -> Told {
    let ids = ids(spec);
    let policy = |policy: &Option<PolicySpec>| {
        policy.as_ref().map(|policy| policy.check().expect("it was accepted")).unwrap_or_default()
    };
    let nodes = spec.nodes.iter().map(|node| (node.execution.execution_id, policy(&node.policy))).collect();
    let edges = spec.edges.iter().map(|edge| ToldEdge {
        edge_id: edge.edge_id,
        upstream: ids[edge.upstream.as_str()],
        downstream: ids[edge.downstream.as_str()],
    });
    Told::Built(spec.flow_id, nodes, edges.collect())
}

/// Builds a declared flow as a caller of the single operations does, and notes
/// what is acknowledged on the way.
async fn by_hand(engine: &EngineHandle, declared: &Declared, told: &mut Vec<Told>) -> Result<(), EngineError> {
    let spec = &declared.0;
    let (flow_id, ids) = (spec.flow_id, ids(spec));
    engine.create_flow(flow_id, spec.flow_kind.clone(), spec.namespace.clone()).await?;
    told.push(Told::Flow(flow_id));
    for node in &spec.nodes {
        let id = node.execution.execution_id;
        engine.create_execution(node.execution.clone()).await?;
        told.push(Told::Execution(id));
        let added = engine.add_execution_to_flow(flow_id, id).await?;
        let (AddOutcome::Added { execution_id, .. } | AddOutcome::AlreadyMember { execution_id, .. }) = added;
        told.push(Told::Member(flow_id, execution_id));
        if let Some(policy) = &node.policy {
            let set = SetEdgeGroupPolicy { flow_id, downstream_execution_id: id, policy: policy.clone() };
            engine.set_edge_group_policy(set).await?;
            told.push(Told::Policy(flow_id, id));
        }
    }
    let mut revision = engine.describe_flow(flow_id).await?.map_or(0, |flow| flow.graph_revision);
    told.push(Told::Revision(flow_id, revision));
    for edge in &spec.edges {
        let ends = (ids[edge.upstream.as_str()], ids[edge.downstream.as_str()]);
        let args = stage(flow_id, edge.edge_id, ends, edge.data_passing_ref.clone(), revision);
        revision = engine.stage_dependency_edge(args.clone()).await?.new_graph_revision;
        let apply = apply(&args, revision);
        told.push(Told::Staged(apply.clone(), revision));
        engine.apply_dependency_to_child(apply).await?;
        told.push(Told::Applied(flow_id, edge.edge_id));
    }
    Ok(())
}
