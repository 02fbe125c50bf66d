//! What the end of one member does to the others.
//!
//! An end resolves the dependencies that leave the member; a join that fires
//! lets its execution run or skips it; a skip is an end again. All of it is a
//! stack of work, done piece by piece while the change set has room. What is
//! left when it is full becomes the flow's [`Continuation`], written by the
//! same commit. Every piece looks at the member anew before it acts, so it may
//! be repeated, and it may meet a member that has moved on in between.
//!
//! ```text
//!  ended ──▶ Resolve ──▶ join ──▶ Pending      counters
//!    ▲                     ├────▶ Satisfied    payload, unblock ─┐
//!    │                     └────▶ Impossible   skip ─────────────┤
//!    └─────────────────────────────┴──────── CancelSiblings ◀────┘
//! ```
//!
//! The stack is worked from its top, and a member is taken off before its last
//! dependency is followed, so it holds no more entries than the longest path
//! has members.

use super::parking;
use super::view::{FlowView, Halt};
use crate::command::cancel_execution::CancelExecution;
use crate::command::{CommandSource, Decide, FenceTriple, leasing};
use crate::decision::{Context, Rejection};
use crate::error::EngineError;
use crate::flow::{Bucket, EdgeGroupPolicy, Resolution, SlotState};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::{
    Continuation, FlowKey, Member, OutEdge, PAGE_EDGES, PAGE_MEMBERS, PendingCancels, SiblingCancels, Work,
};
use crate::record::{BlobKey, BlobKind, ResultRef};
use crate::state::{AttemptLifecycle, TerminalOutcome};
use crate::view::Need;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How large a change set may become before the rest is left for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows or keys.
    pub rows: usize,
    /// Bytes of payloads that results become.
    pub bytes: usize,
}

impl Limits {
    /// The limits of the engine.
    pub const DEFAULT: Self = Self { rows: 512, bytes: 4 << 20 };
}

/// The most rows one piece of work writes: a member, its execution, its event
/// and its payload, and the record of what its join cancels.
const PIECE_ROWS: usize = 5;

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Dependencies that were resolved.
    pub resolved: u32,
    /// Members that were skipped.
    pub skipped: u32,
    /// Members that were cancelled.
    pub cancelled: u32,
}

/// The work on one flow within one step.
pub(super) struct Cascade<'v, 'a> {
    view: &'v mut FlowView<'a>,
    context: &'v Context,
    limits: Limits,
    flow_id: FlowId,
    work: Vec<Work>,
    pending: Option<PendingCancels>,
    pub(super) tally: Tally,
}

impl<'v, 'a> Cascade<'v, 'a> {
    /// Takes up what earlier steps left; `fresh` work is done after it.
    pub(super) fn open(
        view: &'v mut FlowView<'a>,
        context: &'v Context,
        limits: Limits,
        flow_id: FlowId,
        fresh: Vec<Work>,
    ) -> Result<Self, Halt> {
        let summary = view.summary(flow_id)?;
        let mut work = fresh;
        if summary.work_left
            && let Some(left) = view.find_continuation(FlowKey::Continuation(flow_id))?
        {
            work.extend(left.work.iter().copied());
        }
        let pending = if summary.cancels_pending {
            view.find_pending_cancels(FlowKey::PendingCancels(flow_id))?.map(|pending| (*pending).clone())
        } else {
            None
        };
        Ok(Self { view, context, limits, flow_id, work, pending, tally: Tally::default() })
    }

    /// Works until nothing is left or the change set is full. One piece is
    /// done in any case, so that every step gets further.
    pub(super) fn run(mut self) -> Result<Tally, Halt> {
        let mut acted = false;
        while !acted || self.has_room() {
            if let Some(work) = self.work.pop() {
                self.piece(work)?;
            } else if !self.cancel_next()? {
                break;
            }
            acted = true;
        }
        self.close()
    }

    /// Writes down what is left without doing any of it.
    pub(super) fn close(self) -> Result<Tally, Halt> {
        let summary = self.view.summary(self.flow_id)?;
        let mut next = (*summary).clone();
        next.work_left = !self.work.is_empty();
        next.cancels_pending = self.pending.is_some();
        if next.work_left {
            self.view.put(Continuation { flow_id: self.flow_id, work: self.work });
        } else if summary.work_left {
            self.view.delete(FlowKey::Continuation(self.flow_id));
        }
        match self.pending {
            Some(pending) => self.view.put(pending),
            None if summary.cancels_pending => self.view.delete(FlowKey::PendingCancels(self.flow_id)),
            None => {}
        }
        if next != *summary {
            next.last_summary_update_at = self.context.now;
            self.view.put(next);
        }
        Ok(self.tally)
    }

    fn has_room(&self) -> bool {
        self.view.rows() + PIECE_ROWS <= self.limits.rows && self.view.blob_bytes < self.limits.bytes
    }

    /// How many pieces may still fit, to know how far to load ahead.
    fn room(&self) -> usize {
        (self.limits.rows.saturating_sub(self.view.rows()) / 2).max(1)
    }

    fn piece(&mut self, work: Work) -> Result<(), Halt> {
        match work {
            Work::Resolve { upstream, next, outcome } => self.resolve_next(upstream, next, outcome),
            Work::Recheck { downstream, next } => self.recheck(downstream, next),
            Work::Release { next } => self.release(next),
            Work::CancelSiblings { downstream } => self.cancel_siblings(downstream),
        }
    }

    /// Lets the next member run that waits for nothing, or resolves what
    /// depends on the next one that ended before the seal.
    fn release(&mut self, next: u32) -> Result<(), Halt> {
        let count = self.view.flow(self.flow_id)?.node_count;
        let ahead: Vec<u32> = (next..count).take(self.room()).collect();
        let ids = members_at(self.view, self.flow_id, &ahead)?;
        self.need_members(&ids)?;
        for (ordinal, id) in ahead.iter().zip(&ids) {
            let mut member = (*self.view.member(self.flow_id, *id)?).clone();
            let execution = self.view.execution(*id)?;
            let ended = execution.vector().is_terminal();
            if member.inbound.applied > 0 && !ended {
                continue;
            }
            if ordinal + 1 < count {
                self.work.push(Work::Release { next: ordinal + 1 });
            }
            if ended {
                self.ended(*id, member.out_edges, execution.vector().terminal_outcome());
                return Ok(());
            }
            parking::unblock(self.view, &execution, member.beneath.take(), self.context);
            self.view.put(member);
            return Ok(());
        }
        if let Some(last) = ahead.last().filter(|last| *last + 1 < count) {
            self.work.push(Work::Release { next: last + 1 });
        }
        Ok(())
    }

    /// Resolves one dependency that leaves a member.
    fn resolve_next(&mut self, upstream: ExecutionId, next: u32, outcome: TerminalOutcome) -> Result<(), Halt> {
        let Some(bucket) = Bucket::of(outcome) else { return Ok(()) };
        let out_edges = self.view.member(self.flow_id, upstream)?.out_edges;
        if next >= out_edges {
            return Ok(());
        }
        let key = FlowKey::OutPage(self.flow_id, upstream.uuid(), next / PAGE_EDGES);
        let page = self.view.find_out_page(key)?.ok_or_else(|| super::view::missing(key, upstream))?;
        let edges = page.edges.get((next % PAGE_EDGES) as usize..).unwrap_or_default();
        let Some(edge) = edges.first() else { return Err(super::view::missing(key, next)) };
        self.view.need(edges.iter().take(self.room()).flat_map(|edge| {
            let child = edge.downstream.uuid();
            [Need::flow(FlowKey::Member(self.flow_id, child)), Need::execution(edge.downstream)]
        }))?;
        if next + 1 < out_edges {
            self.work.push(Work::Resolve { upstream, next: next + 1, outcome });
        }
        self.resolve(upstream, edge, bucket).map(drop)
    }

    /// Resolves one dependency, unless that was done before or its downstream
    /// is about to be cancelled with the flow.
    pub(super) fn resolve(
        &mut self,
        upstream: ExecutionId,
        edge: &OutEdge,
        bucket: Bucket,
    ) -> Result<Resolution, Halt> {
        let mut child = (*self.view.member(self.flow_id, edge.downstream)?).clone();
        let is_open = child.inbound.slot(edge.slot) == Some(SlotState::Unsatisfied);
        if !is_open || self.is_cancel_pending(child.ordinal) {
            return Ok(Resolution::AlreadyResolved);
        }
        let resolution = child.inbound.resolve(edge.slot, bucket, self.context.now)?;
        self.tally.resolved += 1;
        let passes = edge.passes_data && bucket == Bucket::Succeeded;
        let copies = match child.inbound.policy() {
            EdgeGroupPolicy::AllOf => matches!(resolution, Resolution::Pending | Resolution::Satisfied),
            EdgeGroupPolicy::AnyOf { .. } | EdgeGroupPolicy::Quorum { .. } => resolution == Resolution::Satisfied,
        };
        if passes && copies {
            self.pass_data(upstream, edge.downstream)?;
        }
        self.settle(child, resolution)?;
        Ok(resolution)
    }

    /// Stages a member whose group has moved, with what its firing does.
    pub(super) fn settle(&mut self, mut child: Member, resolution: Resolution) -> Result<(), Halt> {
        child.last_dependency_update_at = self.context.now;
        let fired = matches!(resolution, Resolution::Satisfied | Resolution::Impossible);
        let (id, out_edges, cancels) =
            (child.execution_id, child.out_edges, child.inbound.policy().cancels_remaining());
        if resolution == Resolution::Satisfied {
            let execution = self.view.execution(id)?;
            parking::unblock(self.view, &execution, child.beneath.take(), self.context);
        }
        self.view.put(child);
        if resolution == Resolution::Impossible {
            self.skip(id, out_edges)?;
        }
        // A cancelled flow ends those its policy selected and nobody else.
        if fired && cancels && self.view.flow(self.flow_id)?.cancelled.is_none() {
            self.flag_siblings(id, resolution)?;
        }
        Ok(())
    }

    fn skip(&mut self, id: ExecutionId, out_edges: u32) -> Result<(), Halt> {
        let execution = self.view.execution(id)?;
        if execution.vector().is_terminal() {
            return Ok(());
        }
        let now = self.context.now;
        let mut next = (*execution).clone();
        let why = Some("dependency_impossible");
        leasing::end_attempt(&mut next, AttemptLifecycle::EndedCancelled, why, None, now);
        leasing::release(&mut self.view.view, &mut next, "skipped", now);
        leasing::terminate(&mut self.view.view, &mut next, TerminalOutcome::Skipped, false, now);
        self.view.view.put_execution(Arc::new(next));
        self.tally.skipped += 1;
        self.ended(id, out_edges, TerminalOutcome::Skipped);
        Ok(())
    }

    fn ended(&mut self, upstream: ExecutionId, out_edges: u32, outcome: TerminalOutcome) {
        if out_edges > 0 {
            self.work.push(Work::Resolve { upstream, next: 0, outcome });
        }
    }

    /// The upstream's whole result becomes the payload of an execution that
    /// has not ended. Without a result nothing changes.
    fn pass_data(&mut self, upstream: ExecutionId, downstream: ExecutionId) -> Result<(), Halt> {
        if self.view.execution(downstream)?.vector().is_terminal() {
            return Ok(());
        }
        let from = BlobKey { execution: upstream.uuid(), kind: BlobKind::Result };
        let bytes = match &self.view.execution(upstream)?.result {
            None => return Ok(()),
            Some(ResultRef::Inline(bytes)) => bytes.clone().into(),
            Some(ResultRef::Stored(_)) => self
                .view
                .blob(from)?
                .ok_or_else(|| EngineError::corruption("blob", "result", &format!("{upstream} has none")))?,
        };
        self.view.put_blob(BlobKey { execution: downstream.uuid(), kind: BlobKind::Payload }, bytes);
        Ok(())
    }

    /// Resolves the next dependency of a replayed member whose upstream has
    /// ended already.
    fn recheck(&mut self, downstream: ExecutionId, next: u32) -> Result<(), Halt> {
        let member = self.view.member(self.flow_id, downstream)?;
        for slot in next..member.inbound.staged() {
            if member.inbound.slot(slot) != Some(SlotState::Unsatisfied) {
                continue;
            }
            let key = FlowKey::InPage(self.flow_id, downstream.uuid(), slot / PAGE_EDGES);
            let page = self.view.find_in_page(key)?.ok_or_else(|| super::view::missing(key, downstream))?;
            let ahead = page.edges.iter().skip((slot % PAGE_EDGES) as usize);
            self.view.need(ahead.map(|edge| Need::execution(edge.upstream)))?;
            let Some(edge) = page.edges.get((slot % PAGE_EDGES) as usize) else {
                return Err(super::view::missing(key, slot));
            };
            let outcome = self.view.execution(edge.upstream)?.vector().terminal_outcome();
            let Some(bucket) = Bucket::of(outcome) else { continue };
            self.work.push(Work::Recheck { downstream, next: slot + 1 });
            let (edge_id, passes_data) = (edge.edge_id, edge.passes_data);
            self.resolve(edge.upstream, &OutEdge { edge_id, downstream, slot, passes_data }, bucket)?;
            return Ok(());
        }
        Ok(())
    }

    /// Notes which upstreams a fired join cancels: those that have not ended.
    fn flag_siblings(&mut self, downstream: ExecutionId, resolution: Resolution) -> Result<(), Halt> {
        let upstreams = upstreams(self.view, self.flow_id, downstream)?;
        let mut members = Vec::new();
        for upstream in upstreams {
            if self.view.find_execution(upstream)?.is_some_and(|execution| !execution.vector().is_terminal()) {
                members.push(upstream);
            }
        }
        if members.is_empty() {
            return Ok(());
        }
        let reason = match resolution {
            Resolution::Satisfied => "sibling_quorum_satisfied",
            _ => "sibling_quorum_impossible",
        };
        // From the end, so that the earliest is cancelled first.
        members.reverse();
        let reason = reason.to_owned();
        self.view.put(SiblingCancels { flow_id: self.flow_id, downstream, reason, members });
        self.work.push(Work::CancelSiblings { downstream });
        Ok(())
    }

    /// Cancels as many of a join's remaining upstreams as there is room for.
    fn cancel_siblings(&mut self, downstream: ExecutionId) -> Result<(), Halt> {
        let key = FlowKey::SiblingCancels(self.flow_id, downstream.uuid());
        let Some(group) = self.view.find_sibling_cancels(key)? else { return Ok(()) };
        let mut left = (*group).clone();
        let mut ended = Vec::new();
        let ahead: Vec<_> = left.members.iter().rev().take(self.room()).copied().collect();
        self.need_members(&ahead)?;
        for id in ahead {
            if !ended.is_empty() && !self.has_room() {
                break;
            }
            left.members.pop();
            ended.extend(self.cancel(id, &left.reason, CommandSource::OperatorOverride)?);
        }
        if left.members.is_empty() {
            self.view.delete(key);
        } else {
            self.view.put(left);
            self.work.push(Work::CancelSiblings { downstream });
        }
        for id in ended.into_iter().rev() {
            let out_edges = self.view.member(self.flow_id, id)?.out_edges;
            self.ended(id, out_edges, TerminalOutcome::Cancelled);
        }
        Ok(())
    }

    /// Ends the next member that the cancellation of the flow selected; false
    /// when none is left or its time has not come.
    fn cancel_next(&mut self) -> Result<bool, Halt> {
        let Some(pending) = self.pending.as_ref().filter(|pending| pending.due_at <= self.context.now) else {
            return Ok(false);
        };
        let flow = self.view.flow(self.flow_id)?;
        let ahead: Vec<u32> = pending.members.iter().take(self.room()).collect();
        let members = members_at(self.view, self.flow_id, &ahead)?;
        self.need_members(&members)?;
        let (Some(ordinal), Some(id)) = (ahead.first(), members.first()) else {
            self.pending = None;
            return Ok(false);
        };
        let reason = flow.cancelled.as_ref().map_or("flow_cancelled", |cancelled| &cancelled.reason);
        if let Some(id) = self.cancel(*id, reason, CommandSource::FlowCascade)? {
            let out_edges = self.view.member(self.flow_id, id)?.out_edges;
            self.ended(id, out_edges, TerminalOutcome::Cancelled);
        }
        self.acknowledge(*ordinal);
        Ok(true)
    }

    /// Takes a member off the list of those the cancellation has to end.
    pub(super) fn acknowledge(&mut self, ordinal: u32) {
        if let Some(pending) = &mut self.pending {
            pending.members.remove(ordinal);
            if pending.members.is_empty() {
                self.pending = None;
            }
        }
    }

    /// Cancels a member; none when it is gone or has ended already, which is
    /// an acknowledgement as good as any.
    fn cancel(&mut self, id: ExecutionId, reason: &str, source: CommandSource) -> Result<Option<ExecutionId>, Halt> {
        if self.view.find_execution(id)?.is_none_or(|execution| execution.vector().is_terminal()) {
            return Ok(None);
        }
        cancel_member(self.view, self.context, id, reason, source)?;
        self.tally.cancelled += 1;
        Ok(Some(id))
    }

    fn is_cancel_pending(&self, ordinal: u32) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.members.contains(ordinal))
    }

    fn need_members(&mut self, members: &[ExecutionId]) -> Result<(), Halt> {
        self.view.need(
            members.iter().flat_map(|id| [Need::flow(FlowKey::Member(self.flow_id, id.uuid())), Need::execution(*id)]),
        )
    }
}

/// Cancels a member by the rule every cancellation follows.
pub(super) fn cancel_member(
    view: &mut FlowView<'_>,
    context: &Context,
    id: ExecutionId,
    reason: &str,
    source: CommandSource,
) -> Result<(), Rejection> {
    let reason = reason.to_owned();
    let args = CancelExecution { execution_id: id, reason, source, fence: FenceTriple::NONE };
    args.decide(&mut view.view, context).map(drop)
}

/// Every upstream of a member, each once, in the order of their ids.
pub(super) fn upstreams(
    view: &mut FlowView<'_>,
    flow_id: FlowId,
    downstream: ExecutionId,
) -> Result<BTreeSet<ExecutionId>, Halt> {
    let staged = view.member(flow_id, downstream)?.inbound.staged();
    let pages: Vec<FlowKey> =
        (0..staged.div_ceil(PAGE_EDGES)).map(|page| FlowKey::InPage(flow_id, downstream.uuid(), page)).collect();
    view.need(pages.iter().map(|key| Need::flow(*key)))?;
    let mut upstreams = BTreeSet::new();
    for key in pages {
        let page = view.find_in_page(key)?.ok_or_else(|| super::view::missing(key, downstream))?;
        upstreams.extend(page.edges.iter().map(|edge| edge.upstream));
    }
    view.need(upstreams.iter().map(|id| Need::execution(*id)))?;
    Ok(upstreams)
}

/// The members with these ordinals.
pub(super) fn members_at(view: &mut FlowView<'_>, flow_id: FlowId, ordinals: &[u32]) -> Result<Vec<ExecutionId>, Halt> {
    let key = |ordinal: &u32| FlowKey::MemberPage(flow_id, ordinal / PAGE_MEMBERS);
    view.need(ordinals.iter().map(|ordinal| Need::flow(key(ordinal))))?;
    let mut members = Vec::with_capacity(ordinals.len());
    for ordinal in ordinals {
        let page = view.find_member_page(key(ordinal))?.ok_or_else(|| super::view::missing(key(ordinal), ordinal))?;
        let id = page.members.get((ordinal % PAGE_MEMBERS) as usize);
        members.push(*id.ok_or_else(|| super::view::missing(key(ordinal), ordinal))?);
    }
    Ok(members)
}
