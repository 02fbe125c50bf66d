//! What the answers so far have told, from which later commands are chosen.

use super::program::Dice;
use super::ticket::Ticket;
use leasehold_core::ids::{ExecutionId, LaneId, RequestId};
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
        }
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
