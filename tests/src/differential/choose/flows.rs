//! Flows, whole and piece by piece.

use super::Chooser;
use crate::differential::call::{Call, FlowCall};
use crate::differential::seen::SeenFlow;
use crate::sim::shapes::{self, Declared, Size};
use leasehold_contract::{
    ApplyDependencyToChild, CancelFlow, CancelFlowHeader, CancelWait, EdgeDirection, ResolveDependency,
    SetEdgeGroupPolicy, SetFlowTag, StageDependencyEdge,
};
use leasehold_core::flow::{PolicySpec, SUCCESS_ONLY};
use leasehold_core::ids::{ExecutionId, FlowId, Namespace};
use leasehold_core::partition::Partition;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::TerminalOutcome;
use std::collections::BTreeMap;

const POLICIES: &[CancellationPolicy] =
    &[CancellationPolicy::CancelAll, CancellationPolicy::CancelPending, CancellationPolicy::FlowOnly];

const OUTCOMES: &[TerminalOutcome] =
    &[TerminalOutcome::Success, TerminalOutcome::Failed, TerminalOutcome::Skipped, TerminalOutcome::None];

/// What makes a staged dependency count.
fn applied(staged: StageDependencyEdge) -> ApplyDependencyToChild {
    ApplyDependencyToChild {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        downstream_execution_id: staged.downstream_execution_id,
        upstream_execution_id: staged.upstream_execution_id,
        graph_revision: staged.expected_graph_revision + 1,
        dependency_kind: staged.dependency_kind,
        data_passing_ref: staged.data_passing_ref,
    }
}

impl Chooser<'_> {
    /// Something about a flow.
    pub(super) fn flowing(&mut self) -> Vec<Call> {
        if self.dice.one_in(8) {
            return self.by_hand();
        }
        let call = match self.dice.below(100) {
            0..=19 => self.submit(),
            20..=24 => self.create_flow(),
            25..=34 => self.add(),
            35..=45 => self.stage(),
            46..=56 => self.apply(),
            57..=60 => self.set_policy(),
            61..=63 => self.resolve(),
            64..=67 => self.cascade(),
            68..=76 => self.cancel(),
            77..=79 => {
                let key = if self.dice.one_in(5) { "Not A Key" } else { "sim.tag" }.to_owned();
                FlowCall::SetFlowTag(SetFlowTag { flow_id: self.flow_id(), key, value: self.text() })
            }
            _ => self.look_at_flows(),
        };
        vec![Call::Flow(call)]
    }

    fn flow(&self) -> Option<&SeenFlow> {
        let count = self.seen.flows.len() as u64;
        let back = self.dice.below(self.dice.below(count) + 1) as usize;
        self.seen.flows.iter().rev().nth(back)
    }

    /// Mostly a flow that exists.
    fn flow_id(&self) -> FlowId {
        let other = FlowId::from_uuid(self.dice.entropy().uuid());
        if self.dice.one_in(20) { other } else { self.flow().map_or(other, |flow| flow.flow_id) }
    }

    /// Mostly a member of this flow.
    fn member_of(&self, flow_id: FlowId) -> ExecutionId {
        let members = self.seen.flows.iter().find(|flow| flow.flow_id == flow_id).map(|flow| &flow.members[..]);
        let known = self.dice.any(&self.seen.known).unwrap_or_else(|| {
            ExecutionId::deterministic_for_flow(flow_id, &self.setup.config(), self.dice.entropy().uuid())
        });
        if self.dice.one_in(15) { known } else { self.dice.any(members.unwrap_or_default()).unwrap_or(known) }
    }

    fn submit(&mut self) -> FlowCall {
        let again = if self.dice.one_in(5) { self.dice.any(&self.seen.declared) } else { None };
        let declared = again.unwrap_or_else(|| {
            let size = if self.dice.one_in(6) { Size::Any } else { Size::Small };
            let mut spec = shapes::flow(self.dice.entropy(), self.now, &self.setup.config(), size);
            match self.dice.below(14) {
                0 => spec.flow_kind = self.text(),
                1 => spec.edges.iter_mut().take(1).for_each(|edge| "nobody".clone_into(&mut edge.upstream)),
                // A cycle, where there is more than one node.
                2 => {
                    if let Some(mut edge) = spec.edges.last().cloned() {
                        std::mem::swap(&mut edge.upstream, &mut edge.downstream);
                        edge.edge_id = self.dice.entropy().uuid().into();
                        spec.edges.push(edge);
                    }
                }
                _ => {}
            }
            Declared(spec)
        });
        for node in &declared.0.nodes {
            self.seen.creating(node.execution.execution_id, &node.execution.lane_id);
        }
        self.seen.declared.push(declared.clone());
        FlowCall::SubmitFlow(Box::new(declared))
    }

    /// A small flow with the operations one by one, in the order in which a
    /// caller gives them.
    fn by_hand(&mut self) -> Vec<Call> {
        let spec = shapes::flow(self.dice.entropy(), self.now, &self.setup.config(), Size::Small);
        let flow_id = spec.flow_id;
        let mut calls = vec![Call::Flow(FlowCall::CreateFlow(flow_id, spec.flow_kind, spec.namespace))];
        let mut ids = BTreeMap::new();
        for node in spec.nodes {
            let id = node.execution.execution_id;
            self.seen.creating(id, &node.execution.lane_id);
            ids.insert(node.name, id);
            calls.push(Call::CreateExecution(Box::new(node.execution)));
            calls.push(Call::Flow(FlowCall::AddExecutionToFlow(flow_id, id)));
            let set = node.policy.map(|policy| SetEdgeGroupPolicy { flow_id, downstream_execution_id: id, policy });
            calls.extend(set.map(|set| Call::Flow(FlowCall::SetEdgeGroupPolicy(Box::new(set)))));
        }
        for (revision, edge) in (ids.len() as u64..).zip(spec.edges) {
            let staged = StageDependencyEdge {
                flow_id,
                edge_id: edge.edge_id,
                upstream_execution_id: ids[&edge.upstream],
                downstream_execution_id: ids[&edge.downstream],
                dependency_kind: SUCCESS_ONLY.to_owned(),
                data_passing_ref: edge.data_passing_ref,
                expected_graph_revision: revision,
            };
            calls.push(Call::Flow(FlowCall::StageDependencyEdge(Box::new(staged.clone()))));
            if !self.dice.one_in(5) {
                calls.push(Call::Flow(FlowCall::ApplyDependencyToChild(Box::new(applied(staged)))));
            }
        }
        calls
    }

    fn create_flow(&self) -> FlowCall {
        let again = self.flow().filter(|_| self.dice.one_in(6)).map(|flow| flow.flow_id);
        let flow_id = again.unwrap_or_else(|| FlowId::from_uuid(self.dice.entropy().uuid()));
        FlowCall::CreateFlow(flow_id, self.text(), Namespace::new(self.dice.pick(&["sim", "Straße"])))
    }

    fn add(&self) -> FlowCall {
        let flow_id = self.flow_id();
        let home = self.setup.config().of_flow(flow_id);
        let near: Vec<ExecutionId> = self.seen.known.iter().filter(|id| id.partition() == home).copied().collect();
        FlowCall::AddExecutionToFlow(flow_id, self.seen.mostly(&self.dice, &near))
    }

    fn stage(&self) -> FlowCall {
        let flow_id = self.flow_id();
        let (one, two) = (self.member_of(flow_id), self.member_of(flow_id));
        let place = |id: ExecutionId| {
            let flow = self.seen.flows.iter().find(|flow| flow.flow_id == flow_id);
            flow.and_then(|flow| flow.members.iter().position(|member| *member == id))
        };
        // Mostly from an older member to a younger one, so that there is no cycle.
        let (from, to) = if place(one) <= place(two) || self.dice.one_in(6) { (one, two) } else { (two, one) };
        let known = self.seen.flows.iter().find(|flow| flow.flow_id == flow_id).map_or(0, |flow| flow.revision);
        FlowCall::StageDependencyEdge(Box::new(StageDependencyEdge {
            flow_id,
            edge_id: self.dice.entropy().uuid().into(),
            upstream_execution_id: from,
            downstream_execution_id: to,
            dependency_kind: if self.dice.one_in(25) { "any" } else { SUCCESS_ONLY }.to_owned(),
            data_passing_ref: self.dice.one_in(3).then(|| self.text()),
            expected_graph_revision: known + u64::from(self.dice.one_in(10)),
        }))
    }

    fn staged(&self) -> Option<StageDependencyEdge> {
        let staged: Vec<_> = self.seen.flows.iter().flat_map(|flow| flow.staged.iter()).collect();
        self.dice.any(&staged).cloned()
    }

    fn apply(&self) -> FlowCall {
        let Some(staged) = self.staged() else { return self.stage() };
        let mut apply = applied(staged);
        match self.dice.below(15) {
            0 => apply.upstream_execution_id = self.member_of(apply.flow_id),
            1 => apply.data_passing_ref = Some("another".to_owned()),
            _ => {}
        }
        FlowCall::ApplyDependencyToChild(Box::new(apply))
    }

    fn set_policy(&self) -> FlowCall {
        let flow_id = self.flow_id();
        let plain = || PolicySpec { kind: "all_of".to_owned(), on_satisfied: None, k: None };
        let mut policy = shapes::policy(self.dice.entropy(), 2).unwrap_or_else(plain);
        if self.dice.one_in(10) {
            policy.k = Some(0);
        }
        let downstream_execution_id = self.member_of(flow_id);
        FlowCall::SetEdgeGroupPolicy(Box::new(SetEdgeGroupPolicy { flow_id, downstream_execution_id, policy }))
    }

    fn resolve(&self) -> FlowCall {
        let Some(staged) = self.staged() else { return self.cascade() };
        FlowCall::ResolveDependency(ResolveDependency {
            flow_id: staged.flow_id,
            edge_id: staged.edge_id,
            downstream_execution_id: staged.downstream_execution_id,
            upstream_execution_id: staged.upstream_execution_id,
            upstream_outcome: self.dice.pick(OUTCOMES),
        })
    }

    fn cascade(&self) -> FlowCall {
        let flow_id = self.flow_id();
        FlowCall::CascadeCompletion(self.member_of(flow_id), (!self.dice.one_in(6)).then_some(flow_id))
    }

    fn cancel(&self) -> FlowCall {
        let (flow_id, reason) = (self.flow_id(), self.text());
        let cancellation_policy = self.dice.pick(POLICIES);
        match self.dice.below(9) {
            0..=3 => {
                let wait = self.dice.pick(&[CancelWait::NoWait, CancelWait::Timeout(2000), CancelWait::Indefinite]);
                FlowCall::CancelFlow(CancelFlow { flow_id, reason, cancellation_policy }, wait)
            }
            4 | 5 => {
                let grace_ms = self.dice.pick(&[0, 1500, 30_000, u64::MAX]);
                FlowCall::CancelFlowHeader(CancelFlowHeader { flow_id, reason, cancellation_policy, grace_ms })
            }
            6 => FlowCall::AckCancelMember(flow_id, self.member_of(flow_id)),
            7 => FlowCall::DrainSiblingCancelGroup(flow_id, self.member_of(flow_id)),
            _ => FlowCall::ReconcileSiblingCancelGroup(flow_id, self.member_of(flow_id)),
        }
    }

    fn look_at_flows(&self) -> FlowCall {
        let dice = &self.dice;
        let flow_id = self.flow_id();
        let limit = dice.pick(&[0, 1, 2, 5000]);
        match dice.below(12) {
            0 => FlowCall::EvaluateFlowEligibility(self.member_of(flow_id)),
            1 => FlowCall::ProjectFlowSummary(flow_id),
            2..=4 => FlowCall::DescribeFlow(flow_id),
            5 => {
                let staged = self.staged().map(|staged| (staged.flow_id, staged.edge_id));
                let (flow_id, edge_id) = staged.unwrap_or_else(|| (flow_id, dice.entropy().uuid().into()));
                FlowCall::DescribeEdge(flow_id, edge_id)
            }
            6 => {
                let member = self.member_of(flow_id);
                let both = [EdgeDirection::Incoming(member), EdgeDirection::Outgoing(member)];
                FlowCall::ListEdges(flow_id, dice.pick(&both))
            }
            7 => {
                let partition = Partition::flow(dice.below(u64::from(self.setup.partitions)) as u16);
                FlowCall::ListFlows(partition, dice.one_in(2).then_some(flow_id), limit)
            }
            8 | 9 => FlowCall::ListFlowMembers(flow_id, dice.one_in(3).then(|| dice.below(5) as u32), limit),
            10 => FlowCall::ResolveExecutionFlowId(self.member_of(flow_id)),
            _ => FlowCall::GetFlowTag(flow_id, "sim.tag".to_owned()),
        }
    }
}
