//! What was acknowledged of flows.

use crate::sim::kept::{StoredFlow, StoredMember};
use crate::sim::told::ToldEdge;
use leasehold_core::flow::{EdgeGroupPolicy, SlotState};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::record::flow::CancellationPolicy;
use std::collections::{BTreeMap, BTreeSet};

/// What was acknowledged of one flow.
#[derive(Debug, Default)]
struct ToldFlow {
    built: Option<(usize, usize)>,
    members: BTreeSet<ExecutionId>,
    policies: BTreeMap<ExecutionId, EdgeGroupPolicy>,
    chosen: BTreeSet<ExecutionId>,
    edges: BTreeMap<EdgeId, ToldEdge>,
    applied: BTreeSet<EdgeId>,
    cancelled: Option<CancellationPolicy>,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub struct FlowsOracle {
    flows: BTreeMap<FlowId, ToldFlow>,
    interfered: BTreeSet<FlowId>,
}

impl FlowsOracle {
    fn at(&mut self, flow: FlowId) -> &mut ToldFlow {
        self.flows.entry(flow).or_default()
    }

    /// A flow exists.
    pub fn flow(&mut self, flow: FlowId) {
        self.at(flow);
    }

    /// A flow was built as a whole.
    pub fn built(&mut self, flow: FlowId, nodes: Vec<(ExecutionId, EdgeGroupPolicy)>, edges: Vec<ToldEdge>) {
        let told = self.at(flow);
        told.built = Some((nodes.len(), edges.len()));
        told.members.extend(nodes.iter().map(|(id, _)| *id));
        told.policies.extend(nodes);
        told.applied.extend(edges.iter().map(|edge| edge.edge_id));
        told.edges.extend(edges.into_iter().map(|edge| (edge.edge_id, edge)));
    }

    /// An execution is a member.
    pub fn member(&mut self, flow: FlowId, id: ExecutionId) {
        self.at(flow).members.insert(id);
    }

    /// A policy was chosen for a member. Another one may have followed.
    pub fn policy(&mut self, flow: FlowId, id: ExecutionId) {
        self.at(flow).chosen.insert(id);
    }

    /// A dependency was staged.
    pub fn edge(&mut self, flow: FlowId, edge: ToldEdge) {
        self.at(flow).edges.insert(edge.edge_id, edge);
    }

    /// A dependency is applied.
    pub fn applied(&mut self, flow: FlowId, edge: EdgeId) {
        self.at(flow).applied.insert(edge);
    }

    /// A flow is cancelled.
    pub fn cancelled(&mut self, flow: FlowId, policy: CancellationPolicy) {
        self.at(flow).cancelled = Some(policy);
    }

    /// Somebody took over what the engine does by itself, and may have done
    /// it otherwise.
    pub fn interfered(&mut self, flow: FlowId) {
        self.interfered.insert(flow);
    }

    /// Whether somebody did.
    pub fn was_interfered_with(&self, flow: FlowId) -> bool {
        self.interfered.contains(&flow)
    }

    /// Compares with the flows of the store.
    pub fn judge(&self, stored: &[StoredFlow]) -> Vec<String> {
        let mut found = Vec::new();
        let stored: BTreeMap<FlowId, &StoredFlow> = stored.iter().map(|flow| (flow.flow.flow_id, flow)).collect();
        for (id, told) in &self.flows {
            match stored.get(id) {
                Some(flow) => compare(told, flow, &mut |detail| found.push(format!("flow {id}: {detail}"))),
                None => found.push(format!("flow {id} was acknowledged and does not exist")),
            }
        }
        found
    }
}

fn compare(told: &ToldFlow, stored: &StoredFlow, say: &mut dyn FnMut(String)) {
    let flow = &stored.flow;
    if let Some((nodes, edges)) = told.built {
        let counts = (flow.node_count as usize, flow.edge_count as usize);
        if !flow.sealed || counts != (nodes, edges) {
            say(format!("it was built of {nodes} members and {edges} dependencies and is {flow:?}"));
        }
    }
    if told.cancelled.is_some() && flow.cancelled.as_ref().map(|cancelled| cancelled.policy) != told.cancelled {
        say(format!("it was cancelled by {:?} and is {:?}", told.cancelled, flow.cancelled));
    }
    let members: BTreeMap<ExecutionId, &StoredMember> =
        stored.members.iter().map(|member| (member.member.execution_id, member)).collect();
    for id in told.members.iter().filter(|id| !members.contains_key(id)) {
        say(format!("the membership of {id} was acknowledged and is not there"));
    }
    for (id, policy) in &told.policies {
        let found = members.get(id).map(|member| member.member.inbound.policy());
        if found != Some(*policy) {
            say(format!("the policy of {id} was set to {policy:?} and is {found:?}"));
        }
    }
    for id in &told.chosen {
        if members.get(id).is_none_or(|member| member.member.inbound.policy.is_none()) {
            say(format!("a policy was chosen for {id} and none is there"));
        }
    }
    for edge in told.edges.values() {
        let slot = members.get(&edge.downstream).and_then(|member| {
            let is_it = |entering: &&leasehold_core::record::flow::InEdge| {
                entering.edge_id == edge.edge_id && entering.upstream == edge.upstream
            };
            let slot = member.inbound.iter().position(|entering| is_it(&entering))?;
            member.member.inbound.slot(slot as u32)
        });
        let Some(slot) = slot else {
            say(format!("{edge:?} was acknowledged and is not there"));
            continue;
        };
        if told.applied.contains(&edge.edge_id) && slot == SlotState::Staged {
            say(format!("{edge:?} was applied and is merely staged"));
        }
    }
}
