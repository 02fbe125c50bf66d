//! What holds of the records of flows, at rest and from one version to the
//! next.

use crate::decision::ChangeSet;
use crate::flow::{FLOW_EDGES_MAX, FLOW_NODES_MAX, GroupState};
use crate::ids::FlowId;
use crate::record::flow::{Flow, FlowRecord, FlowSummary, Member, PAGE_EDGES, PAGE_MEMBERS};
use crate::record::{Execution, Record, RecordKey};
use crate::state::EligibilityState;

/// A rule that does not hold of a flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flow {flow_id}: broken rule: {rule} ({detail})")]
pub struct FlowViolation {
    /// Where.
    pub flow_id: FlowId,
    /// Which rule, in words.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

fn ensure(
    flow_id: FlowId,
    holds: bool,
    rule: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), FlowViolation> {
    if holds { Ok(()) } else { Err(FlowViolation { flow_id, rule, detail: detail() }) }
}

/// Checks a member against its execution. `at_rest`: the flow is sealed and
/// has no work left, so that whoever waits for nothing has been let go.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_member(member: &Member, execution: &Execution, at_rest: bool) -> Result<(), FlowViolation> {
    let rule =
        |holds, rule| ensure(member.flow_id, holds, rule, || format!("{}: {:?}", member.execution_id, member.inbound));
    if let Err(broken) = member.inbound.check() {
        rule(false, broken)?;
    }
    rule(execution.flow_id == Some(member.flow_id), "a member names its flow")?;
    let waits = execution.vector().eligibility_state() == EligibilityState::BlockedByDependencies;
    let unreleased = !at_rest && member.inbound.applied == 0;
    rule(!waits || unreleased || member.inbound.is_waiting(), "only a pending join keeps an execution back")?;
    rule(
        member.beneath.is_none() || !execution.vector().is_runnable() || waits,
        "what keeps an execution back besides its join is remembered only while the join does",
    )?;
    rule(
        execution.vector().is_terminal()
            || execution.replay_count > 0
            || member.inbound.state != GroupState::Impossible,
        "a member whose join is impossible has ended, and runs only if it is replayed",
    )
}

/// Checks a flow against all its members, given with how many dependencies
/// enter and leave them.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_flow<'m>(
    flow: &Flow,
    summary: &FlowSummary,
    members: impl IntoIterator<Item = &'m Member>,
) -> Result<(), FlowViolation> {
    let rule = |holds, rule| ensure(flow.flow_id, holds, rule, || format!("{flow:?} {summary:?}"));
    let (mut count, mut staged, mut out) = (0_u32, 0_u32, 0_u32);
    for member in members {
        rule(member.ordinal < flow.node_count, "members are numbered as they join")?;
        rule(member.execution_id.partition() == flow.partition, "members live where the flow does")?;
        count += 1;
        staged += member.inbound.staged();
        out += member.out_edges;
    }
    rule(count == flow.node_count, "the members are counted")?;
    rule(summary.counts.total() == flow.node_count, "every member stands somewhere")?;
    rule(staged == flow.edge_count && out == flow.edge_count, "every dependency leaves one member and enters one")?;
    rule(
        flow.graph_revision == u64::from(flow.node_count) + u64::from(flow.edge_count),
        "the revision counts members and dependencies",
    )?;
    rule(flow.node_count <= FLOW_NODES_MAX && flow.edge_count <= FLOW_EDGES_MAX, "a flow stays within its limits")?;
    rule(flow.cancelled.is_some() || !summary.cancels_pending, "only a cancelled flow has members to end")
}

/// Checks everything one step writes of flows.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check_flow_changes(set: &ChangeSet) -> Result<(), FlowViolation> {
    for change in &set.changes {
        let RecordKey::Flow(key) = &change.key else { continue };
        let rule = |holds, rule| ensure(key.flow_id(), holds, rule, || format!("{change:?}"));
        rule(change.new.as_ref().is_none_or(|new| new.key() == change.key), "a record keeps its key")?;
        match (of_flow(change.old.as_ref()), of_flow(change.new.as_ref())) {
            (Some(FlowRecord::Flow(old)), Some(FlowRecord::Flow(new))) => header(old, new)?,
            (Some(FlowRecord::Member(old)), Some(FlowRecord::Member(new))) => member(old, new)?,
            (Some(FlowRecord::Edge(_)), _) => rule(false, "a dependency never changes")?,
            (old, Some(FlowRecord::MemberPage(new))) => {
                let before = match old {
                    Some(FlowRecord::MemberPage(old)) => &old.members[..],
                    _ => &[],
                };
                rule(new.members.starts_with(before) && new.members.len() <= PAGE_MEMBERS as usize, "pages only grow")?;
            }
            (old, Some(FlowRecord::OutPage(new))) => {
                let before = match old {
                    Some(FlowRecord::OutPage(old)) => &old.edges[..],
                    _ => &[],
                };
                rule(new.edges.starts_with(before) && new.edges.len() <= PAGE_EDGES as usize, "pages only grow")?;
            }
            (old, Some(FlowRecord::InPage(new))) => {
                let before = match old {
                    Some(FlowRecord::InPage(old)) => &old.edges[..],
                    _ => &[],
                };
                rule(new.edges.starts_with(before) && new.edges.len() <= PAGE_EDGES as usize, "pages only grow")?;
            }
            (_, Some(FlowRecord::Continuation(new))) => rule(!new.work.is_empty(), "work that is left is something")?,
            (_, Some(FlowRecord::PendingCancels(new))) => {
                rule(!new.members.is_empty(), "members that are left to end are some")?;
            }
            (Some(old), None) => {
                let is_work = matches!(
                    old,
                    FlowRecord::Continuation(_)
                        | FlowRecord::SiblingCancels(_)
                        | FlowRecord::PendingCancels(_)
                        | FlowRecord::Build(_)
                );
                rule(is_work, "what a flow is made of stays")?;
            }
            (_, Some(_)) => {}
            (None, None) => rule(false, "a change changes something")?,
        }
    }
    Ok(())
}

fn of_flow(record: Option<&Record>) -> Option<&FlowRecord> {
    match record {
        Some(Record::Flow(record)) => Some(record),
        _ => None,
    }
}

fn header(old: &Flow, new: &Flow) -> Result<(), FlowViolation> {
    let rule = |holds, rule| ensure(new.flow_id, holds, rule, || format!("{old:?} {new:?}"));
    let grown = new.graph_revision - old.graph_revision;
    let parts = (new.node_count - old.node_count) + (new.edge_count - old.edge_count);
    rule(
        grown == u64::from(parts) && (grown <= 1 || !old.sealed),
        "the revision grows by one with each part of the graph",
    )?;
    rule(!old.sealed || new.sealed && old.digest == new.digest, "a flow is sealed once, as it was declared")?;
    rule(old.cancelled.is_none() || old.cancelled == new.cancelled, "a flow is cancelled once")?;
    rule(old.cancelled.is_none() || grown == 0, "a cancelled flow does not grow")?;
    rule(
        (old.partition, old.created_at, &old.flow_kind, &old.namespace)
            == (new.partition, new.created_at, &new.flow_kind, &new.namespace),
        "what a flow was created with never changes",
    )
}

fn member(old: &Member, new: &Member) -> Result<(), FlowViolation> {
    let rule = |holds, rule| ensure(new.flow_id, holds, rule, || format!("{old:?} {new:?}"));
    rule(old.ordinal == new.ordinal && old.execution_id == new.execution_id, "a member keeps its place")?;
    rule(
        old.out_edges <= new.out_edges && old.inbound.staged() <= new.inbound.staged(),
        "dependencies are never taken back",
    )?;
    let (was, is) = (old.inbound.state, new.inbound.state);
    rule(
        was == GroupState::Pending || was == is || is == GroupState::Pending && new.inbound.lost() == 0,
        "a join fires once, until a replay",
    )
}
