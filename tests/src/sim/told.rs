//! What was acknowledged of waitpoints, signals and flows.

use super::known::{Known, KnownWaitpoint, remember};
use super::op::Held;
use super::oracle::Oracle;
use leasehold_contract::{ApplyDependencyToChild, SuspendOutcome};
use leasehold_core::flow::EdgeGroupPolicy;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, SignalId, WaitpointId};
use leasehold_core::record::SuspendDetails;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::suspension::SignalEffect;

/// A dependency as it was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldEdge {
    /// Which one.
    pub edge_id: EdgeId,
    /// What must succeed.
    pub upstream: ExecutionId,
    /// What waits for it.
    pub downstream: ExecutionId,
}

/// One thing that was acknowledged.
#[derive(Clone, Debug)]
pub enum Told {
    /// An execution was created.
    Execution(ExecutionId),
    /// A waitpoint was made.
    Waitpoint(KnownWaitpoint),
    /// An execution was suspended, or was found satisfied already.
    Suspend(Held, SuspendOutcome),
    /// A signal was accepted.
    Signal(ExecutionId, WaitpointId, SignalId, SignalEffect),
    /// A signal had been accepted before.
    KnownSignal(WaitpointId, SignalId),
    /// A waitpoint was closed.
    Closed(WaitpointId),
    /// A flow exists.
    Flow(FlowId),
    /// A flow was built as a whole.
    Built(FlowId, Vec<(ExecutionId, EdgeGroupPolicy)>, Vec<ToldEdge>),
    /// An execution is a member.
    Member(FlowId, ExecutionId),
    /// A member has a policy.
    Policy(FlowId, ExecutionId),
    /// A dependency was staged; the graph has this revision.
    Staged(ApplyDependencyToChild, u64),
    /// A dependency is applied.
    Applied(FlowId, EdgeId),
    /// The graph of a flow has this revision.
    Revision(FlowId, u64),
    /// A flow is cancelled by this policy.
    FlowCancelled(FlowId, CancellationPolicy),
}

fn waitpoints(execution_id: ExecutionId, details: &SuspendDetails) -> impl Iterator<Item = KnownWaitpoint> {
    std::iter::once(&details.primary).chain(&details.additional_waitpoints).map(move |issued| KnownWaitpoint {
        execution_id,
        waitpoint_id: issued.waitpoint_id,
        key: issued.waitpoint_key.to_string(),
        token: issued.waitpoint_token.clone(),
        pending: false,
    })
}

impl Told {
    /// Tells the oracle what must be in the store, and everybody what there
    /// is to know.
    pub fn tell(self, oracle: &mut Oracle, known: &mut Known, workers: &mut Vec<Held>) {
        match self {
            Self::Execution(id) => oracle.created(id, None),
            Self::Waitpoint(waitpoint) => {
                oracle.waits.waitpoint(&waitpoint);
                remember(&mut known.waitpoints, waitpoint);
            }
            Self::Suspend(held, outcome) => {
                let id = held.execution_id;
                oracle.waits.suspended(outcome.details());
                for waitpoint in waitpoints(id, outcome.details()) {
                    oracle.waits.waitpoint(&waitpoint);
                    known.waitpoints.retain(|other| other.waitpoint_id != waitpoint.waitpoint_id);
                    remember(&mut known.waitpoints, waitpoint);
                }
                if let SuspendOutcome::Suspended { handle, .. } = outcome {
                    // A key that was used before stands for what was suspended
                    // then, perhaps under another lease.
                    let lease = handle.decode(BackendTag::Memory).expect("a handle of this store").lease_id;
                    oracle.released(lease, "suspend");
                    workers.retain(|other| other.lease_id != lease);
                }
            }
            Self::Signal(execution, waitpoint, signal, effect) => {
                oracle.waits.signal(execution, waitpoint, signal, effect);
            }
            Self::KnownSignal(waitpoint, signal) => oracle.waits.known_signal(waitpoint, signal),
            Self::Closed(waitpoint) => oracle.waits.closed(waitpoint),
            Self::Flow(flow) => {
                oracle.flows.flow(flow);
                known.flow(flow).revision.get_or_insert(0);
            }
            Self::Built(flow, nodes, edges) => {
                for (id, _) in &nodes {
                    oracle.created(*id, None);
                }
                known.flow(flow).members = nodes.iter().map(|(id, _)| *id).collect();
                oracle.flows.built(flow, nodes, edges);
            }
            Self::Member(flow, id) => {
                oracle.flows.member(flow, id);
                let members = &mut known.flow(flow).members;
                if !members.contains(&id) {
                    members.push(id);
                }
            }
            Self::Policy(flow, id) => oracle.flows.policy(flow, id),
            Self::Staged(apply, revision) => {
                let (edge_id, upstream, downstream) =
                    (apply.edge_id, apply.upstream_execution_id, apply.downstream_execution_id);
                oracle.flows.edge(apply.flow_id, ToldEdge { edge_id, upstream, downstream });
                let flow = known.flow(apply.flow_id);
                flow.revision = Some(revision);
                flow.staged.push(apply);
            }
            Self::Applied(flow, edge) => {
                oracle.flows.applied(flow, edge);
                known.flow(flow).staged.retain(|staged| staged.edge_id != edge);
            }
            Self::Revision(flow, revision) => known.flow(flow).revision = Some(revision),
            Self::FlowCancelled(flow, policy) => oracle.flows.cancelled(flow, policy),
        }
    }
}
