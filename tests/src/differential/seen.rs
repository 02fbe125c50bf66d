//! What the answers so far have told, from which later commands are chosen.

use super::program::Dice;
use super::ticket::Ticket;
use crate::sim::shapes::Declared;
use leasehold_contract::{DeliverSignal, StageDependencyEdge, SuspendArgs};
use leasehold_core::ids::{ExecutionId, FlowId, LaneId, RequestId, WaitpointId};
use leasehold_core::token::WaitpointToken;
use leasehold_core::wait_lists::SuspendedCursor;
use std::collections::BTreeMap;

/// How many leases that have ended are remembered, to be used once more.
const STALE_MAX: usize = 8;

/// What an answer tells.
#[derive(Clone, Debug)]
pub enum Learned {
    /// A lease was handed out.
    Held(Ticket),
    /// The lease under this execution has ended.
    Ended(ExecutionId),
    /// The attempt of this execution is interrupted.
    Interrupted(ExecutionId),
    /// This execution waits for what never comes.
    Parked(ExecutionId),
    /// These could be claimed.
    Eligible(Vec<ExecutionId>),
    /// The leases of these have lapsed or were taken away.
    Lost(Vec<ExecutionId>),
    /// This one is held back.
    Blocked(ExecutionId),
    /// These waitpoints exist.
    Waitpoints(Vec<SeenWaitpoint>),
    /// Where a list of suspended executions goes on.
    Suspended(Option<SuspendedCursor>),
    /// A flow exists, with these members at least.
    Flow(FlowId, Vec<ExecutionId>),
    /// A dependency is staged; the graph has this revision.
    Staged(StageDependencyEdge, u64),
    /// The graph of a flow has this revision, if there is one.
    Revision(FlowId, Option<u64>),
}

/// A waitpoint whose token was handed out.
#[derive(Clone, Debug)]
pub struct SeenWaitpoint {
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// Which one.
    pub waitpoint_id: WaitpointId,
    /// What conditions call it.
    pub key: String,
    /// What its senders prove themselves with.
    pub token: WaitpointToken,
    /// Whether it was made before any suspension.
    pub pending: bool,
}

/// A flow that was told of.
#[derive(Clone, Debug)]
pub struct SeenFlow {
    /// Which one.
    pub flow_id: FlowId,
    /// Its members, as far as they are known.
    pub members: Vec<ExecutionId>,
    /// The revision its graph had last.
    pub revision: u64,
    /// Dependencies that are staged.
    pub staged: Vec<StageDependencyEdge>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every execution that was to be created.
    pub known: Vec<ExecutionId>,
    /// The lane each was first created in.
    pub lanes: BTreeMap<ExecutionId, LaneId>,
    /// Leases handed out and not given back.
    pub held: Vec<Ticket>,
    /// Leases that have ended.
    pub stale: Vec<Ticket>,
    /// The last answers of scans.
    pub eligible: Vec<ExecutionId>,
    /// Executions whose lease was lost.
    pub lost: Vec<ExecutionId>,
    /// Executions whose attempt goes on some day.
    pub interrupted: Vec<ExecutionId>,
    /// Executions that have ended or whose attempt has.
    pub ended: Vec<ExecutionId>,
    /// Executions that were held back.
    pub blocked: Vec<ExecutionId>,
    /// Requests of claims.
    pub requests: Vec<RequestId>,
    /// Waitpoints, oldest first.
    pub waitpoints: Vec<SeenWaitpoint>,
    /// Signals that were sent.
    pub sent: Vec<DeliverSignal>,
    /// Suspends that were asked for.
    pub suspends: Vec<(Ticket, SuspendArgs)>,
    /// Where the last list of suspended executions goes on.
    pub suspended: Option<SuspendedCursor>,
    /// Flows, oldest first.
    pub flows: Vec<SeenFlow>,
    /// Declarations that were submitted.
    pub declared: Vec<Declared>,
    /// Keys that were to become current.
    pub rotations: u64,
}

impl Seen {
    /// Takes in what an answer tells.
    pub fn learn(&mut self, learned: Learned) {
        match learned {
            Learned::Held(ticket) => {
                let id = ticket.says.execution_id;
                self.retire(id);
                self.lost.retain(|other| *other != id);
                self.interrupted.retain(|other| *other != id);
                self.held.push(ticket);
            }
            Learned::Ended(id) => {
                self.retire(id);
                self.ended.push(id);
            }
            Learned::Interrupted(id) => {
                self.retire(id);
                self.interrupted.push(id);
            }
            Learned::Parked(id) => self.retire(id),
            Learned::Eligible(ids) => self.eligible = ids,
            Learned::Lost(ids) => self.lost.extend(ids),
            Learned::Blocked(id) => self.blocked.push(id),
            Learned::Waitpoints(found) => {
                let is_new = |old: &SeenWaitpoint| found.iter().all(|new| new.waitpoint_id != old.waitpoint_id);
                self.waitpoints.retain(is_new);
                self.waitpoints.extend(found);
            }
            Learned::Suspended(cursor) => self.suspended = cursor,
            Learned::Flow(flow_id, members) => {
                let flow = self.flow(flow_id);
                let fresh: Vec<_> = members.into_iter().filter(|id| !flow.members.contains(id)).collect();
                flow.revision += fresh.len() as u64;
                flow.members.extend(fresh);
            }
            Learned::Staged(args, revision) => {
                let flow = self.flow(args.flow_id);
                flow.revision = revision;
                flow.staged.push(args);
            }
            Learned::Revision(flow_id, revision) => {
                if let Some(revision) = revision {
                    self.flow(flow_id).revision = revision;
                }
            }
        }
    }

    fn flow(&mut self, flow_id: FlowId) -> &mut SeenFlow {
        let at = self.flows.iter().position(|flow| flow.flow_id == flow_id).unwrap_or_else(|| {
            self.flows.push(SeenFlow { flow_id, members: Vec::new(), revision: 0, staged: Vec::new() });
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }

    fn retire(&mut self, id: ExecutionId) {
        let (gone, held) = std::mem::take(&mut self.held).into_iter().partition(|t| t.says.execution_id == id);
        self.held = held;
        self.stale.extend::<Vec<_>>(gone);
        let excess = self.stale.len().saturating_sub(STALE_MAX);
        self.stale.drain(..excess);
    }

    /// An execution is to be created.
    pub fn creating(&mut self, id: ExecutionId, lane: &LaneId) {
        self.known.push(id);
        self.lanes.entry(id).or_insert_with(|| lane.clone());
    }

    /// Any execution that was to be created.
    pub fn any(&self, dice: &Dice) -> ExecutionId {
        dice.pick(&self.known)
    }

    /// Mostly one of these, else any.
    pub fn mostly(&self, dice: &Dice, these: &[ExecutionId]) -> ExecutionId {
        let other = self.any(dice);
        if dice.one_in(5) { other } else { dice.any(these).unwrap_or(other) }
    }

    /// Mostly a live lease, at times one that has ended or a spoilt handle.
    pub fn ticket(&self, dice: &Dice) -> Option<Ticket> {
        let stale = dice.any(&self.stale);
        let held = dice.any(&self.held).or_else(|| stale.clone());
        match dice.below(40) {
            0 => held.map(Ticket::truncated),
            1 => held.map(Ticket::of_another_store),
            2..=6 => stale.or(held),
            _ => held,
        }
    }
}
