//! What must become of a flow, worked out the slow way.
//!
//! No rule of the engine is used: after every step each member is judged
//! anew from its definition, over all its upstreams, until nothing changes.
//! Tests and simulations hold the engine's answer against this one; nothing in
//! the product calls it.
//!
//! Two members may be lost at the same moment for two reasons: a join that
//! fires cancels one whose own join becomes impossible. Which reason reaches
//! it first is a matter of order and of no consequence to anybody else, so
//! [`Standing::agrees`] lets either stand for the other.

use super::{EdgeGroupPolicy, Shape};
use crate::record::flow::CancellationPolicy;
use crate::state::TerminalOutcome;

/// Where a member must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It waits for its dependencies.
    Blocked,
    /// It may run.
    Ready,
    /// It was claimed and has not ended.
    Running,
    /// It ended so.
    Ended(TerminalOutcome),
}

impl Standing {
    /// Whether it has ended.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// Whether two answers say the same. Cancelled and skipped are both lost.
    pub fn agrees(self, other: Self) -> bool {
        let lost = |standing| matches!(standing, Self::Ended(TerminalOutcome::Cancelled | TerminalOutcome::Skipped));
        self == other || lost(self) && lost(other)
    }
}

/// A flow whose members end as the caller says.
#[derive(Clone, Debug)]
pub struct Interpreter {
    shape: Shape,
    standings: Vec<Standing>,
    fired: Vec<bool>,
    cancelled: bool,
}

impl Interpreter {
    /// A flow whose dependencies are all staged and applied. The shape is one
    /// that [`Shape::check`] accepts.
    pub fn new(shape: Shape) -> Self {
        let inbound = shape.inbound_counts();
        let standings = inbound.iter().map(|count| if *count == 0 { Standing::Ready } else { Standing::Blocked });
        Self { standings: standings.collect(), fired: vec![false; inbound.len()], cancelled: false, shape }
    }

    /// Where every member must stand.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The members that may run.
    pub fn ready(&self) -> Vec<u32> {
        self.at(Standing::Ready)
    }

    /// The members that were claimed and have not ended.
    pub fn running(&self) -> Vec<u32> {
        self.at(Standing::Running)
    }

    fn at(&self, standing: Standing) -> Vec<u32> {
        (0..self.standings.len() as u32).filter(|node| self.standings[*node as usize] == standing).collect()
    }

    /// A worker claims a member that may run.
    pub fn claim(&mut self, node: u32) {
        if self.standings[node as usize] == Standing::Ready {
            self.standings[node as usize] = Standing::Running;
        }
    }

    /// A member ends, unless it has ended before.
    pub fn end(&mut self, node: u32, outcome: TerminalOutcome) {
        if !self.standings[node as usize].has_ended() {
            self.standings[node as usize] = Standing::Ended(outcome);
            self.settle();
        }
    }

    /// The flow is cancelled: those the policy selects end, and from then on no
    /// join cancels anybody.
    pub fn cancel(&mut self, policy: CancellationPolicy) {
        self.cancelled = true;
        for standing in &mut self.standings {
            let selected = match policy {
                CancellationPolicy::CancelAll => !standing.has_ended(),
                CancellationPolicy::CancelPending => matches!(standing, Standing::Blocked | Standing::Ready),
                CancellationPolicy::FlowOnly => false,
            };
            if selected {
                *standing = Standing::Ended(TerminalOutcome::Cancelled);
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        while (0..self.standings.len()).any(|node| self.judge(node)) {}
    }

    /// Judges one member; true when anything changed.
    fn judge(&mut self, node: usize) -> bool {
        if self.fired[node] {
            return false;
        }
        let upstreams: Vec<usize> = self
            .shape
            .edges
            .iter()
            .filter(|edge| edge.downstream as usize == node)
            .map(|edge| edge.upstream as usize)
            .collect();
        let all = upstreams.len();
        let of = |wanted: fn(Standing) -> bool| upstreams.iter().filter(|node| wanted(self.standings[**node])).count();
        let good = of(|standing| standing == Standing::Ended(TerminalOutcome::Success));
        let ended = of(Standing::has_ended);
        let (needed, patient) = match self.shape.policies[node] {
            EdgeGroupPolicy::AllOf => (all, false),
            EdgeGroupPolicy::AnyOf { .. } => (1, false),
            // A quorum larger than the group is given up when all have ended.
            EdgeGroupPolicy::Quorum { k, .. } => (k as usize, k as usize > all),
        };
        let may_run = all > 0 && good >= needed;
        let hopeless = all > 0 && if patient { ended == all } else { good + (all - ended) < needed };
        if !may_run && !hopeless {
            return false;
        }
        self.fired[node] = true;
        if self.standings[node] == Standing::Blocked && may_run {
            self.standings[node] = Standing::Ready;
        } else if !self.standings[node].has_ended() && hopeless {
            self.standings[node] = Standing::Ended(TerminalOutcome::Skipped);
        }
        if self.shape.policies[node].cancels_remaining() && !self.cancelled {
            for upstream in upstreams {
                if !self.standings[upstream].has_ended() {
                    self.standings[upstream] = Standing::Ended(TerminalOutcome::Cancelled);
                }
            }
        }
        true
    }
}
