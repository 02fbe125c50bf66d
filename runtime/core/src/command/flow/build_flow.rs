//! `build_flow`: one part of a flow that was declared as a whole.
//!
//! A large flow does not fit into one change set. It is built in parts, and
//! none of its members runs before the last part has sealed it: until then
//! each waits as if for a dependency. A flow that is never sealed is cancelled
//! when its time is out. Whoever declares the flow has checked the graph as a
//! whole, so no cycle is searched for here.

use super::add_execution_to_flow::check_home;
use super::cascade::Cascade;
use super::stage_dependency_edge::{data_ref, push_in, push_out};
use super::view::{FlowView, Halt, missing};
use super::{DecideFlow, On, header, parking};
use crate::command::text;
use crate::command::{CreateExecution, CreateOutcome, Decide};
use crate::error::{EngineError, StateKind};
use crate::flow::{EdgeGroup, EdgeGroupPolicy, check_edges, check_nodes};
use crate::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use crate::record::RecordKey;
use crate::record::flow::{
    Edge, Flow, FlowBuild, FlowKey, FlowSummary, InEdge, Member, MemberPage, OutEdge, PAGE_MEMBERS, Work,
};
use crate::time::TimestampMs;
use crate::view::Need;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What keeps a member back before the seal.
pub(super) const NOT_SEALED: &str = "the flow is not sealed";

/// How long a flow may stay unsealed before it is cancelled.
pub const UNSEALED_MS_MAX: u64 = 600_000;

/// A node of a declared flow.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// What its author calls it.
    pub name: String,
    /// The execution to create.
    pub create: CreateExecution,
    /// Its join; all must succeed without one.
    pub policy: Option<EdgeGroupPolicy>,
}

/// A dependency of a declared flow.
#[derive(Clone, Debug)]
pub struct NewEdge {
    /// Its identity.
    pub edge_id: EdgeId,
    /// What must succeed; a node of this part or of an earlier one.
    pub upstream: ExecutionId,
    /// What waits for it; likewise.
    pub downstream: ExecutionId,
    /// Not empty: the upstream's result becomes the downstream's payload.
    pub data_passing_ref: Option<String>,
}

/// Arguments of `build_flow`.
///
/// Refused, in this order, with `invalid_input` (texts, another flow has this
/// id, parts out of order), `flow_not_found` (a later part of a flow that was
/// never begun), `flow_already_terminal` (cancelled, or not sealed in time),
/// what `create_execution` refuses, `invalid_input` (an id that is taken, a
/// node of another partition, sizes) and `execution_not_in_flow`.
#[derive(Clone, Debug)]
pub struct BuildFlow {
    /// Which flow.
    pub flow_id: FlowId,
    /// The partition it hashes to.
    pub partition: u16,
    /// What the caller calls this kind of flow; at most
    /// [`text::KIND_BYTES_MAX`] bytes.
    pub flow_kind: String,
    /// Keeps tenants apart.
    pub namespace: Namespace,
    /// Tells this declaration from others, so that a repeat is recognised.
    pub digest: u64,
    /// Which part, from 0.
    pub part: u32,
    /// Whether it is the last one, which seals the flow.
    pub last: bool,
    /// Its nodes.
    pub nodes: Vec<NewNode>,
    /// Its dependencies.
    pub edges: Vec<NewEdge>,
}

/// Answer of `build_flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOutcome {
    /// Whether this part was there before; nothing changed then.
    pub repeated: bool,
    /// How many members the flow has.
    pub node_count: u32,
    /// How many dependencies the flow has.
    pub edge_count: u32,
    /// Whether it runs.
    pub sealed: bool,
}

impl BuildFlow {
    /// The header and the state of the build this part goes on with; none when
    /// the part is there already.
    fn begin(
        &self,
        view: &mut FlowView<'_>,
        now: TimestampMs,
    ) -> Result<Result<(Flow, FlowBuild), BuildOutcome>, Halt> {
        let flow_id = self.flow_id;
        let Some(flow) = view.find_flow(FlowKey::Flow(flow_id))? else {
            if self.part > 0 {
                return Err(EngineError::not_found(crate::error::Entity::Flow).into());
            }
            return Ok(Ok(self.open(view, now)));
        };
        if flow.digest != Some(self.digest) {
            return Err(EngineError::invalid_input("flow_id: another flow has it").into());
        }
        if flow.cancelled.is_some() {
            return Err(StateKind::FlowAlreadyTerminal.into());
        }
        let repeated = BuildOutcome {
            repeated: true,
            node_count: flow.node_count,
            edge_count: flow.edge_count,
            sealed: flow.sealed,
        };
        if flow.sealed {
            return Ok(Err(repeated));
        }
        let key = FlowKey::Build(flow_id);
        let build = view.find_build(key)?.ok_or_else(|| missing(key, flow_id))?;
        if self.part < build.next_part {
            return Ok(Err(repeated));
        }
        if self.part > build.next_part {
            let detail = format!("part: {} is to follow, not {}", build.next_part, self.part);
            return Err(EngineError::invalid_input(detail).into());
        }
        Ok(Ok(((*flow).clone(), (*build).clone())))
    }

    fn open(&self, view: &mut FlowView<'_>, now: TimestampMs) -> (Flow, FlowBuild) {
        let flow_id = self.flow_id;
        view.put(FlowSummary::new(flow_id, now));
        let flow = Flow::new(flow_id, self.partition, self.flow_kind.clone(), self.namespace.clone(), now);
        let flow = Flow { sealed: false, digest: Some(self.digest), ..flow };
        (flow, FlowBuild { flow_id, next_part: 0, expires_at: now.plus(UNSEALED_MS_MAX) })
    }

    fn add_nodes(&self, view: &mut FlowView<'_>, on: &On<'_>, flow: &mut Flow) -> Result<(), Halt> {
        check_nodes(flow.node_count as usize + self.nodes.len())?;
        view.need(self.further_keys().into_iter().map(Need::Record))?;
        let flow_id = self.flow_id;
        let mut pages: BTreeMap<u32, MemberPage> = BTreeMap::new();
        for node in &self.nodes {
            text::name("name", &node.name)?;
            let execution_id = node.create.execution_id;
            check_home(self.partition, execution_id)?;
            let created = node.create.decide(&mut view.view, on.context)?;
            if !matches!(created, CreateOutcome::Created { .. }) {
                return Err(EngineError::invalid_input(format!("execution_id: {execution_id} is taken")).into());
            }
            let ordinal = flow.node_count;
            flow.node_count += 1;
            let mut stamped = (*view.execution(execution_id)?).clone();
            stamped.flow_id = Some(flow_id);
            let beneath = parking::block(view, &stamped, NOT_SEALED.to_owned(), on.context);
            view.put(Member {
                flow_id,
                execution_id,
                ordinal,
                out_edges: 0,
                inbound: EdgeGroup { policy: node.policy, ..EdgeGroup::default() },
                beneath,
                name: Some(node.name.clone()),
                last_flow_graph_revision: 0,
                last_dependency_update_at: on.context.now,
            });
            let page = match pages.entry(ordinal / PAGE_MEMBERS) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(place) => {
                    let page = *place.key();
                    let key = FlowKey::MemberPage(flow_id, page);
                    place.insert(if ordinal.is_multiple_of(PAGE_MEMBERS) {
                        MemberPage { flow_id, page, members: Vec::new() }
                    } else {
                        (*view.find_member_page(key)?.ok_or_else(|| missing(key, flow_id))?).clone()
                    })
                }
            };
            page.members.push(execution_id);
        }
        for page in pages.into_values() {
            view.put(page);
        }
        Ok(())
    }

    /// Adds dependencies and lets them apply at once.
    fn add_edges(&self, view: &mut FlowView<'_>, on: &On<'_>, flow: &mut Flow) -> Result<(), Halt> {
        check_edges(flow.edge_count as usize + self.edges.len())?;
        let flow_id = self.flow_id;
        view.need(self.edges.iter().flat_map(|edge| {
            let member = |id: ExecutionId| Need::flow(FlowKey::Member(flow_id, id.uuid()));
            [member(edge.upstream), member(edge.downstream)]
        }))?;
        for edge in &self.edges {
            text::optional(text::label, "data_passing_ref", edge.data_passing_ref.as_deref())?;
            let (edge_id, upstream, downstream) = (edge.edge_id, edge.upstream, edge.downstream);
            let mut to = (*view.find_member(flow_id, downstream)?.ok_or(StateKind::ExecutionNotInFlow)?).clone();
            let slot = to.inbound.stage();
            to.inbound.apply(slot)?;
            view.put(to);
            let mut from = (*view.find_member(flow_id, upstream)?.ok_or(StateKind::ExecutionNotInFlow)?).clone();
            let place = from.out_edges;
            from.out_edges += 1;
            view.put(from);
            let data_passing_ref = data_ref(edge.data_passing_ref.as_deref());
            let passes_data = data_passing_ref.is_some();
            push_out(view, flow_id, upstream, place, OutEdge { edge_id, downstream, slot, passes_data })?;
            push_in(view, flow_id, downstream, slot, InEdge { edge_id, upstream, passes_data })?;
            let created_at = on.context.now;
            view.put(Edge { edge_id, flow_id, upstream, downstream, slot, data_passing_ref, created_at });
            flow.edge_count += 1;
        }
        Ok(())
    }
}

impl DecideFlow for BuildFlow {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    /// A declaration names its nodes, which are asked for together with the
    /// flow.
    fn further_keys(&self) -> Vec<RecordKey> {
        let keys = |node: &NewNode| {
            let mut keys = node.create.further_keys();
            keys.push(RecordKey::Execution(node.create.execution_id.uuid()));
            keys
        };
        self.nodes.iter().flat_map(keys).collect()
    }

    /// The first part makes the flow; each makes its nodes.
    fn minted(&self) -> Vec<RecordKey> {
        let mut keys: Vec<_> = self.nodes.iter().flat_map(|node| node.create.minted()).collect();
        if self.part == 0 {
            keys.extend(header(self.flow_id));
        }
        keys
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<BuildOutcome, Halt> {
        text::label("flow_kind", &self.flow_kind)?;
        let now = on.context.now;
        let (mut flow, mut build) = match self.begin(view, now)? {
            Ok(begun) => begun,
            Err(repeated) => return Ok(repeated),
        };
        self.add_nodes(view, on, &mut flow)?;
        self.add_edges(view, on, &mut flow)?;
        flow.graph_revision = u64::from(flow.node_count) + u64::from(flow.edge_count);
        flow.last_mutation_at = now;
        flow.sealed = self.last;
        let (node_count, edge_count) = (flow.node_count, flow.edge_count);
        view.put(flow);
        build.next_part += 1;
        if self.last {
            if self.part > 0 {
                view.delete(FlowKey::Build(self.flow_id));
            }
            let release = vec![Work::Release { next: 0 }];
            Cascade::open(view, on.context, on.limits, self.flow_id, release)?.run()?;
        } else {
            view.put(build);
        }
        Ok(BuildOutcome { repeated: false, node_count, edge_count, sealed: self.last })
    }
}
