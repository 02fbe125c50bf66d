//! A step of an execution that may be a member of a flow: the execution's own
//! rule, framed by what the flow asks for before and after it.

use super::build_flow::NOT_SEALED;
use super::cascade::{self, Cascade};
use super::view::{FlowView, Halt};
use super::{On, parking};
use crate::command::{CommandSource, Delayed, Replayed, Reply};
use crate::decision::{Context, Rejection};
use crate::error::StateKind;
use crate::ids::{ExecutionId, FlowId};
use crate::record::Execution;
use crate::record::flow::{FlowKey, Member, Work};
use crate::state::{PublicState, TerminalOutcome};
use crate::view::View;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Decides a command on an execution by its own rule.
pub(in crate::command) fn decide(
    id: ExecutionId,
    view: &mut FlowView<'_>,
    on: &On<'_>,
    rule: impl FnOnce(&mut View<'_>) -> Result<Reply, Rejection>,
) -> Result<Reply, Halt> {
    let before = view.find_execution(id)?;
    let member_of = before.as_ref().and_then(|execution| execution.flow_id);
    if let (Some(execution), Some(flow_id)) = (&before, member_of) {
        cancel_first(view, on, execution, flow_id)?;
    }
    let mut result = rule(&mut view.view);
    if let (Ok(reply), Some(execution), Some(flow_id)) = (&mut result, &before, member_of) {
        match reply {
            Reply::WaitChildren(delayed) => wait_for_dependencies(view, on, flow_id, delayed)?,
            Reply::ReplayExecution(replayed) => replay(view, on, execution, flow_id, replayed)?,
            _ => {}
        }
    }
    if result.as_ref().is_ok() || result.as_ref().is_err_and(|rejection| rejection.keeps_changes) {
        follow_ends(view, on)?;
    }
    result.map_err(|rejection: Rejection| rejection.into())
}

/// A member that the cancellation of its flow selected is cancelled before it
/// makes another step, so nothing starts or goes on inside a cancelled flow.
fn cancel_first(view: &mut FlowView<'_>, on: &On<'_>, execution: &Execution, flow_id: FlowId) -> Result<(), Halt> {
    if !view.summary(flow_id)?.cancels_pending {
        return Ok(());
    }
    let flow = view.flow(flow_id)?;
    let Some(pending) = view.find_pending_cancels(FlowKey::PendingCancels(flow_id))? else { return Ok(()) };
    let ordinal = view.member(flow_id, execution.id)?.ordinal;
    if !pending.members.contains(ordinal) {
        return Ok(());
    }
    if !execution.vector().is_terminal() {
        let reason = flow.cancelled.as_ref().map_or("flow_cancelled", |cancelled| &cancelled.reason);
        cascade::cancel_member(view, on.context, execution.id, reason, CommandSource::FlowCascade)?;
    }
    let mut cascade = Cascade::open(view, on.context, on.limits, flow_id, Vec::new())?;
    cascade.acknowledge(ordinal);
    cascade.close().map(drop)
}

/// An attempt that waits for its children goes on at once only if nothing is
/// left to wait for.
fn wait_for_dependencies(
    view: &mut FlowView<'_>,
    on: &On<'_>,
    flow_id: FlowId,
    reply: &mut Delayed,
) -> Result<(), Halt> {
    if !view.member(flow_id, reply.execution_id)?.inbound.is_waiting() {
        return Ok(());
    }
    let execution = view.execution(reply.execution_id)?;
    let detail = "waiting for child executions to complete".to_owned();
    parking::block(view, &execution, detail, on.context);
    reply.public_state = PublicState::WaitingChildren;
    Ok(())
}

/// A member that was skipped waits for its dependencies again; those whose
/// upstream has ended since are looked at by the next step. While the flow is
/// built a replay waits for the seal, as every member does.
fn replay(
    view: &mut FlowView<'_>,
    on: &On<'_>,
    before: &Execution,
    flow_id: FlowId,
    reply: &mut Replayed,
) -> Result<(), Halt> {
    let flow = view.flow(flow_id)?;
    if flow.cancelled.is_some() {
        return Err(StateKind::FlowAlreadyTerminal.into());
    }
    let member = view.member(flow_id, before.id)?;
    if member.beneath.is_some() {
        // What kept it back before it ended is over with its end.
        view.put(Member { beneath: None, ..(*member).clone() });
    }
    if !flow.sealed {
        let execution = view.execution(before.id)?;
        parking::block(view, &execution, NOT_SEALED.to_owned(), on.context);
        reply.public_state = PublicState::WaitingChildren;
        return Ok(());
    }
    if before.vector().terminal_outcome() != TerminalOutcome::Skipped {
        return Ok(());
    }
    let mut member = (*view.member(flow_id, before.id)?).clone();
    let reopened = member.inbound.reopen(on.context.now);
    let running = member.inbound.running();
    member.last_dependency_update_at = on.context.now;
    view.put(member);
    if running > 0 {
        let execution = view.execution(before.id)?;
        parking::block(view, &execution, format!("{running} dep(s) unsatisfied after replay"), on.context);
        reply.public_state = PublicState::WaitingChildren;
    }
    if let Some(next) = reopened.first() {
        let work = vec![Work::Recheck { downstream: before.id, next: *next }];
        Cascade::open(view, on.context, on.limits, flow_id, work)?.close()?;
    }
    Ok(())
}

/// Whether an end resolves nothing yet: the joins of a flow that is being
/// built may still grow, and are given up too early if judged as they are. The
/// seal makes up for it. A member that has run belongs to a sealed flow.
fn waits_for_seal(view: &mut FlowView<'_>, flow_id: FlowId, outcome: TerminalOutcome) -> Result<bool, Halt> {
    if matches!(outcome, TerminalOutcome::Success | TerminalOutcome::Failed) {
        return Ok(false);
    }
    let flow = view.flow(flow_id)?;
    Ok(!flow.sealed && flow.cancelled.is_none())
}

/// Resolves what waits for the members that this step ended.
fn follow_ends(view: &mut FlowView<'_>, on: &On<'_>) -> Result<(), Halt> {
    let mut ended: BTreeMap<FlowId, Vec<(ExecutionId, TerminalOutcome)>> = BTreeMap::new();
    for (old, new) in view.changed_executions() {
        let was = old.is_some_and(|old| old.vector().is_terminal());
        if let Some(flow_id) = new.flow_id.filter(|_| new.vector().is_terminal() && !was) {
            ended.entry(flow_id).or_default().push((new.id, new.vector().terminal_outcome()));
        }
    }
    for (flow_id, members) in ended {
        let mut work = Vec::new();
        for (upstream, outcome) in members {
            if view.member(flow_id, upstream)?.out_edges > 0 && !waits_for_seal(view, flow_id, outcome)? {
                work.push(Work::Resolve { upstream, next: 0, outcome });
            }
        }
        if !work.is_empty() {
            Cascade::open(view, on.context, on.limits, flow_id, work)?.run()?;
        }
    }
    Ok(())
}

/// Moves the counts of flows along with their members.
pub(in crate::command) fn count(view: &mut FlowView<'_>, context: &Context) -> Result<(), Halt> {
    let mut moves: BTreeMap<FlowId, Vec<(Option<PublicState>, PublicState)>> = BTreeMap::new();
    for (old, new) in view.changed_executions() {
        let stood = |execution: &Arc<Execution>| execution.vector().public_state();
        let Some(flow_id) = new.flow_id else { continue };
        let from = old.filter(|old| old.flow_id.is_some()).map(|old| stood(&old));
        let to = stood(&new);
        if from != Some(to) {
            moves.entry(flow_id).or_default().push((from, to));
        }
    }
    for (flow_id, moves) in moves {
        let mut next = (*view.summary(flow_id)?).clone();
        for (from, to) in moves {
            next.counts.moved(from, Some(to));
        }
        next.last_summary_update_at = context.now;
        view.put(next);
    }
    Ok(())
}
