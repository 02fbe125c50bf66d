//! `stage_dependency_edge`: one more dependency of the graph. Nothing waits
//! for it before it is applied.

use super::view::{FlowView, Halt, missing};
use super::{DecideFlow, On};
use crate::command::text;
use crate::error::{ConflictKind, StateKind};
use crate::flow::{CYCLE_SEARCH_NODES_MAX, Reach, check_dependency_kind, check_edges, check_revision, reaches};
use crate::ids::{EdgeId, ExecutionId, FlowId};
use crate::record::flow::{Edge, FlowKey, InEdge, InPage, OutEdge, OutPage, PAGE_EDGES};
use crate::view::Need;

/// Arguments of `stage_dependency_edge`.
///
/// Refused, in this order, with `invalid_input` (texts, dependency kind),
/// `self_referencing_edge`, `flow_not_found`, `flow_already_terminal`,
/// `stale_graph_revision`, `execution_not_in_flow` (upstream, then
/// downstream), `cycle_detected`, `dependency_already_exists`,
/// `not_runnable` (the downstream has ended) and `invalid_input` (the flow is
/// full).
#[derive(Clone, Debug)]
pub struct StageDependencyEdge {
    /// Which flow.
    pub flow_id: FlowId,
    /// Minted by the caller.
    pub edge_id: EdgeId,
    /// What must succeed.
    pub upstream_execution_id: ExecutionId,
    /// What waits for it.
    pub downstream_execution_id: ExecutionId,
    /// Only `success_only` exists.
    pub dependency_kind: String,
    /// Not empty: the upstream's result becomes the downstream's payload.
    /// At most [`text::KIND_BYTES_MAX`] bytes.
    pub data_passing_ref: Option<String>,
    /// The revision the caller knows.
    pub expected_graph_revision: u64,
}

/// Answer of `stage_dependency_edge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The dependency.
    pub edge_id: EdgeId,
    /// The revision the graph has now.
    pub new_graph_revision: u64,
}

/// An empty reference is none.
pub(super) fn data_ref(reference: Option<&str>) -> Option<String> {
    reference.filter(|reference| !reference.is_empty()).map(str::to_owned)
}

/// The members that wait for any of these, loaded a whole layer at a time.
fn downstreams(view: &mut FlowView<'_>, flow_id: FlowId, layer: &[ExecutionId]) -> Result<Vec<ExecutionId>, Halt> {
    // Most members have one page, so asking for it along saves a round.
    view.need(layer.iter().flat_map(|id| {
        [FlowKey::Member(flow_id, id.uuid()), FlowKey::OutPage(flow_id, id.uuid(), 0)].map(Need::flow)
    }))?;
    let mut pages = Vec::new();
    for id in layer {
        let count = view.member(flow_id, *id)?.out_edges.div_ceil(PAGE_EDGES);
        pages.extend((0..count).map(|page| FlowKey::OutPage(flow_id, id.uuid(), page)));
    }
    view.need(pages.iter().map(|key| Need::flow(*key)))?;
    let mut found = Vec::new();
    for key in pages {
        let page = view.find_out_page(key)?.ok_or_else(|| missing(key, flow_id))?;
        found.extend(page.edges.iter().map(|edge| edge.downstream));
    }
    Ok(found)
}

impl DecideFlow for StageDependencyEdge {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Staged, Halt> {
        let (flow_id, edge_id) = (self.flow_id, self.edge_id);
        let (upstream, downstream) = (self.upstream_execution_id, self.downstream_execution_id);
        check_dependency_kind(&self.dependency_kind)?;
        text::optional(text::label, "data_passing_ref", self.data_passing_ref.as_deref())?;
        if upstream == downstream {
            return Err(ConflictKind::SelfReferencingEdge.into());
        }
        let flow = view.growing_flow(flow_id)?;
        check_revision(self.expected_graph_revision, flow.graph_revision)?;
        let from = view.find_member(flow_id, upstream)?.ok_or(StateKind::ExecutionNotInFlow)?;
        let to = view.find_member(flow_id, downstream)?.ok_or(StateKind::ExecutionNotInFlow)?;
        let search = reaches(downstream, upstream, CYCLE_SEARCH_NODES_MAX, |layer| downstreams(view, flow_id, layer))?;
        if search != Reach::Unreached {
            return Err(ConflictKind::CycleDetected.into());
        }
        if view.find_edge(FlowKey::Edge(flow_id, edge_id))?.is_some() {
            return Err(ConflictKind::DependencyAlreadyExists(edge_id.to_string()).into());
        }
        if view.execution(downstream)?.vector().is_terminal() {
            return Err(StateKind::NotRunnable.into());
        }
        check_edges(flow.edge_count as usize + 1)?;

        let now = on.context.now;
        let mut next = (*flow).clone();
        next.edge_count += 1;
        next.graph_revision += 1;
        next.last_mutation_at = now;
        let new_graph_revision = next.graph_revision;
        view.put(next);
        let mut to = (*to).clone();
        let slot = to.inbound.stage();
        view.put(to);
        let mut from = (*from).clone();
        let place = from.out_edges;
        from.out_edges += 1;
        view.put(from);
        let data_passing_ref = data_ref(self.data_passing_ref.as_deref());
        let passes_data = data_passing_ref.is_some();
        push_out(view, flow_id, upstream, place, OutEdge { edge_id, downstream, slot, passes_data })?;
        push_in(view, flow_id, downstream, slot, InEdge { edge_id, upstream, passes_data })?;
        view.put(Edge { edge_id, flow_id, upstream, downstream, slot, data_passing_ref, created_at: now });
        Ok(Staged { edge_id, new_graph_revision })
    }
}

pub(super) fn push_out(
    view: &mut FlowView<'_>,
    flow_id: FlowId,
    upstream: ExecutionId,
    place: u32,
    edge: OutEdge,
) -> Result<(), Halt> {
    let page = place / PAGE_EDGES;
    let key = FlowKey::OutPage(flow_id, upstream.uuid(), page);
    // A page that begins with this place is new; nobody has to look for it.
    let mut next = if place.is_multiple_of(PAGE_EDGES) {
        OutPage { flow_id, upstream, page, edges: Vec::new() }
    } else {
        (*view.find_out_page(key)?.ok_or_else(|| missing(key, upstream))?).clone()
    };
    next.edges.push(edge);
    view.put(next);
    Ok(())
}

pub(super) fn push_in(
    view: &mut FlowView<'_>,
    flow_id: FlowId,
    downstream: ExecutionId,
    slot: u32,
    edge: InEdge,
) -> Result<(), Halt> {
    let page = slot / PAGE_EDGES;
    let key = FlowKey::InPage(flow_id, downstream.uuid(), page);
    let mut next = if slot.is_multiple_of(PAGE_EDGES) {
        InPage { flow_id, downstream, page, edges: Vec::new() }
    } else {
        (*view.find_in_page(key)?.ok_or_else(|| missing(key, downstream))?).clone()
    };
    next.edges.push(edge);
    view.put(next);
    Ok(())
}
