//! The judge of flows: when everything has ended, every flow must stand as
//! its definition says, whatever happened on the way.
//!
//! Three judgements, none of which uses the engine's resolver. *At rest*: the
//! records of a flow agree with one another and with the executions. *By
//! force*: whether a join fires satisfied or impossible follows from how its
//! upstreams ended, in whatever order, so each join is worked out anew from
//! the ends that are stored. *By heart*: where each cascade fits into the
//! commit that begins it, an interpreter is shown every end in the order of
//! the log and must have foretold each that the engine brought about itself.

mod answer;
pub mod heard;
#[cfg(test)]
mod tests;

use super::kept::{StoredFlow, StoredMember};
use leasehold_backend::LoggedEvent;
use leasehold_core::flow::{EdgeGroupPolicy, GroupState, SlotState, StateCounts};
use leasehold_core::ids::ExecutionId;
use leasehold_core::invariant::{check_flow, check_member};
use leasehold_core::record::Execution;
use leasehold_core::state::TerminalOutcome;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Executions by id.
pub type Executions = BTreeMap<ExecutionId, Arc<Execution>>;

/// What the judge is told of a seed.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Whether each cascade fits into one commit.
    pub cascades_fit: bool,
    /// Whether somebody took over what the engine does by itself.
    pub interfered: bool,
}

/// How many flows and joins were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Flows.
    pub flows: u64,
    /// Joins whose firing was worked out anew.
    pub by_force: u64,
    /// Ends that the interpreter foretold or was shown.
    pub by_heart: u64,
    /// Dependencies.
    pub edges: u64,
    /// Suspensions whose condition was worked out anew.
    pub heard: u64,
}

impl Judged {
    /// Adds what was judged elsewhere.
    pub const fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.by_force += other.by_force;
        self.by_heart += other.by_heart;
        self.edges += other.edges;
        self.heard += other.heard;
    }
}

/// Judges one flow; every execution has ended.
pub fn judge(
    flow: &StoredFlow,
    executions: &Executions,
    log: &[LoggedEvent],
    setting: Setting,
    judged: &mut Judged,
) -> Vec<String> {
    let mut found = flow.broken.clone();
    judged.flows += 1;
    judged.edges += u64::from(flow.flow.edge_count);
    found.extend(flow.left.iter().map(|record| format!("all have ended and {record:?} is left")));
    match &flow.summary {
        None => found.push("the counts are missing".to_owned()),
        Some(summary) => {
            let members = flow.members.iter().map(|stored| &*stored.member);
            found.extend(check_flow(&flow.flow, summary, members).err().map(|violation| violation.to_string()));
            let mut counts = StateCounts::default();
            for stored in &flow.members {
                let execution = executions.get(&stored.member.execution_id);
                counts.moved(None, execution.map(|execution| execution.vector().public_state()));
            }
            if counts != summary.counts {
                found.push(format!("the members stand at {counts:?} and are counted {:?}", summary.counts));
            }
        }
    }
    for stored in &flow.members {
        let id = stored.member.execution_id;
        let Some(execution) = executions.get(&id) else {
            found.push(format!("the member {id} does not exist"));
            continue;
        };
        found.extend(check_member(&stored.member, execution, true).err().map(|violation| violation.to_string()));
        let mut say = |detail: String| found.push(format!("{id}: {detail}"));
        slots(flow, stored, executions, setting, &mut say);
        if !setting.interfered {
            by_force(flow, stored, executions, judged, &mut say);
        }
        ran(flow, stored, execution, &mut say);
        reasons(flow, execution, executions, &mut say);
    }
    let untouched = flow
        .members
        .iter()
        .all(|stored| executions.get(&stored.member.execution_id).is_some_and(|execution| execution.replay_count == 0));
    let plain = flow.flow.digest.is_some() && flow.flow.cancelled.is_none() && untouched;
    if plain && setting.cascades_fit && !setting.interfered {
        judged.by_heart += answer::compare(flow, executions, log, &mut found);
    }
    let name = flow.flow.flow_id;
    found.into_iter().map(|detail| format!("flow {name}: {detail}")).collect()
}

fn outcome(executions: &Executions, id: ExecutionId) -> TerminalOutcome {
    executions.get(&id).map_or(TerminalOutcome::None, |execution| execution.vector().terminal_outcome())
}

fn replayed(executions: &Executions, id: ExecutionId) -> bool {
    executions.get(&id).is_none_or(|execution| execution.replay_count > 0)
}

/// Each dependency that counts is resolved as its upstream ended.
fn slots(
    flow: &StoredFlow,
    stored: &StoredMember,
    executions: &Executions,
    setting: Setting,
    say: &mut dyn FnMut(String),
) {
    for (slot, edge) in stored.inbound.iter().enumerate() {
        let state = stored.member.inbound.slot(slot as u32);
        let ended = outcome(executions, edge.upstream);
        let again = replayed(executions, edge.upstream);
        let fits = match state {
            Some(SlotState::Staged) => true,
            Some(SlotState::Satisfied) => again || setting.interfered || ended == TerminalOutcome::Success,
            Some(SlotState::Impossible) => again || setting.interfered || ended != TerminalOutcome::Success,
            // What was about to be cancelled with its flow resolves nothing.
            Some(SlotState::Unsatisfied) => flow.flow.cancelled.is_some() || setting.interfered,
            None => false,
        };
        if !fits {
            say(format!("{} ended {ended} and the dependency {} is {state:?}", edge.upstream, edge.edge_id));
        }
    }
}

/// Works a join out anew from how its upstreams ended.
fn by_force(
    flow: &StoredFlow,
    stored: &StoredMember,
    executions: &Executions,
    judged: &mut Judged,
    say: &mut dyn FnMut(String),
) {
    let group = &stored.member.inbound;
    let ends: Vec<TerminalOutcome> = stored.inbound.iter().map(|edge| outcome(executions, edge.upstream)).collect();
    let own = stored.member.execution_id;
    let again = replayed(executions, own) || stored.inbound.iter().any(|edge| replayed(executions, edge.upstream));
    if ends.is_empty() || again || !group.is_complete() {
        return;
    }
    let good = ends.iter().filter(|end| **end == TerminalOutcome::Success).count();
    let needed = match group.policy() {
        EdgeGroupPolicy::AllOf => ends.len(),
        EdgeGroupPolicy::AnyOf { .. } => 1,
        EdgeGroupPolicy::Quorum { k, .. } => k as usize,
    };
    let must = if good >= needed { GroupState::Satisfied } else { GroupState::Impossible };
    // A member that its flow's cancellation reached first never looked.
    let reached = flow.flow.cancelled.is_some() && group.state == GroupState::Pending;
    judged.by_force += 1;
    if group.state != must && !reached {
        say(format!("{:?} over {ends:?} is {must:?}, and the join is {:?}", group.policy(), group.state));
    }
}

/// Nobody runs before the join has fired, and nobody whose join is
/// impossible.
fn ran(flow: &StoredFlow, stored: &StoredMember, execution: &Execution, say: &mut dyn FnMut(String)) {
    // One that joined later may have run before it waited for anything.
    let waited_from_the_start = flow.flow.digest.is_some();
    if !waited_from_the_start || stored.inbound.is_empty() || execution.replay_count > 0 {
        return;
    }
    if execution.total_attempt_count > 0 && stored.member.inbound.state != GroupState::Satisfied {
        say(format!(
            "it ran {} times and its join is {:?}",
            execution.total_attempt_count, stored.member.inbound.state
        ));
    }
    let impossible = stored.member.inbound.state == GroupState::Impossible;
    let skipped = execution.vector().terminal_outcome() == TerminalOutcome::Skipped;
    if skipped && !impossible {
        say(format!("it was skipped and its join is {:?}", stored.member.inbound.state));
    }
}

/// Whoever was cancelled as a sibling stands before a join that fired and
/// cancels.
fn reasons(flow: &StoredFlow, execution: &Execution, executions: &Executions, say: &mut dyn FnMut(String)) {
    let Some(reason) = execution.cancellation_reason.as_deref() else { return };
    if !reason.starts_with("sibling_quorum_") || execution.vector().terminal_outcome() != TerminalOutcome::Cancelled {
        return;
    }
    let explains = |stored: &StoredMember| {
        let before = stored.inbound.iter().any(|edge| edge.upstream == execution.id);
        let fired = match reason {
            "sibling_quorum_satisfied" => stored.member.inbound.state == GroupState::Satisfied,
            _ => stored.member.inbound.state == GroupState::Impossible,
        };
        let again = replayed(executions, stored.member.execution_id);
        before && stored.member.inbound.policy().cancels_remaining() && (fired || again)
    };
    if !flow.members.iter().any(explains) {
        say(format!("it was cancelled by {reason}, and no join explains it"));
    }
}
