//! What clients, workers and operators have been told of waitpoints and
//! flows, from which later commands are chosen.

use super::op::Held;
use super::shapes::Declared;
use leasehold_contract::{ApplyDependencyToChild, DeliverSignal, SuspendArgs};
use leasehold_core::ids::{ExecutionId, FlowId, WaitpointId};
use leasehold_core::token::WaitpointToken;
use std::collections::VecDeque;

/// How many of each are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 40;

/// A waitpoint whose token was handed out.
#[derive(Clone, Debug)]
pub struct KnownWaitpoint {
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

/// A flow somebody was told of.
#[derive(Clone, Debug)]
pub struct KnownFlow {
    /// Which one.
    pub flow_id: FlowId,
    /// Members that are known.
    pub members: Vec<ExecutionId>,
    /// The revision its graph had last; none for a flow declared as a whole.
    pub revision: Option<u64>,
    /// Dependencies that are staged, as they are to be applied.
    pub staged: Vec<ApplyDependencyToChild>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Known {
    /// Waitpoints.
    pub waitpoints: VecDeque<KnownWaitpoint>,
    /// Signals that were sent, whatever became of them.
    pub sent: VecDeque<DeliverSignal>,
    /// Suspends that were asked for, whatever became of them.
    pub suspends: VecDeque<(Held, SuspendArgs)>,
    /// Flows.
    pub flows: VecDeque<KnownFlow>,
    /// Declarations that were submitted, whatever became of them.
    pub declared: VecDeque<Declared>,
    /// Executions that may exist soon.
    pub hopeful: VecDeque<ExecutionId>,
    /// Keys that were made current, whatever became of it.
    pub rotations: u64,
}

/// Remembers one more.
pub fn remember<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= REMEMBERED {
        all.pop_front();
    }
    all.push_back(one);
}

impl Known {
    /// A flow that is known, to be added to.
    pub fn flow(&mut self, flow_id: FlowId) -> &mut KnownFlow {
        let at = self.flows.iter().position(|flow| flow.flow_id == flow_id).unwrap_or_else(|| {
            let new = KnownFlow { flow_id, members: Vec::new(), revision: None, staged: Vec::new() };
            remember(&mut self.flows, new);
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }
}
