//! Flows at rest: every record of a flow against the others and against the
//! executions of its members.
//!
//! Only headers are listed by a store. Everything else is found the way the
//! engine finds it, by the names that other records give, so what cannot be
//! found from there is lost and shows as a count that is not met.

use super::contents::{Contents, Pages, answer};
use super::{Report, Rule};
use leasehold_backend::{Backend, Loaded};
use leasehold_core::flow::{Shape, ShapeEdge, SlotState, StateCounts};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::invariant::{check_flow, check_member};
use leasehold_core::record::flow::{
    CancellationPolicy, Continuation, Edge, Flow, FlowBuild, FlowKey, FlowRecord, FlowSummary, InEdge, InPage, Member,
    MemberPage, OutEdge, OutPage, PAGE_EDGES, PAGE_MEMBERS, PendingCancels, SiblingCancels, Work,
};
use leasehold_core::record::{Execution, KeptKind, Record, RecordKey};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

const PAGE: usize = 100;

/// Everything a store keeps of one flow.
#[derive(Debug)]
pub struct FlowContents {
    /// The header.
    pub flow: Arc<Flow>,
    /// The counts.
    pub summary: Option<Arc<FlowSummary>>,
    /// Members in the order of the pages that list them; none where there is
    /// no record.
    pub members: Vec<(ExecutionId, Option<Arc<Member>>)>,
    /// Dependencies as their upstreams list them.
    pub out_edges: Vec<(ExecutionId, OutEdge)>,
    /// Dependencies as their downstreams list them, with their places.
    pub in_edges: Vec<(ExecutionId, u32, InEdge)>,
    /// The dependencies that either side lists.
    pub edges: BTreeMap<EdgeId, Option<Arc<Edge>>>,
    /// What is left to do.
    pub continuation: Option<Arc<Continuation>>,
    /// What the cancellation has to end.
    pub pending: Option<Arc<PendingCancels>>,
    /// What fired joins have to cancel.
    pub siblings: Vec<Arc<SiblingCancels>>,
    /// How far the building has come.
    pub build: Option<Arc<FlowBuild>>,
}

macro_rules! of_kind {
    ($record:expr, $kind:ident) => {
        match $record {
            Some(FlowRecord::$kind(record)) => Some(record),
            _ => None,
        }
    };
}

struct Reader<'a> {
    backend: &'a dyn Backend,
    partition: u16,
}

impl Reader<'_> {
    async fn all(&self, keys: Vec<FlowKey>, report: &mut Report) -> Vec<Option<FlowRecord>> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(PAGE) {
            let keys: Vec<RecordKey> = keys.iter().map(|key| (*key).into()).collect();
            let loaded = self.backend.load(self.partition, &keys, &[]).await;
            let Loaded { records, .. } = answer(loaded, "load", report);
            found.extend(records.into_iter().map(|record| match record {
                Some(Record::Flow(record)) => Some(record),
                _ => None,
            }));
        }
        found
    }

    async fn one(&self, key: FlowKey, report: &mut Report) -> Option<FlowRecord> {
        self.all(vec![key], report).await.pop().flatten()
    }
}

/// The headers of a partition.
pub async fn headers(backend: &dyn Backend, partition: u16, report: &mut Report) -> Vec<Arc<Flow>> {
    let mut listed = Pages::new(Rule::PageOrder, "scan_kept", |record: &Record| record.key());
    while listed.more() {
        let page = backend.scan_kept(partition, KeptKind::Flow, listed.after().as_ref(), PAGE).await;
        listed.add(page, report);
    }
    let header = |record| match record {
        Record::Flow(FlowRecord::Flow(flow)) => Some(flow),
        _ => None,
    };
    listed.into_all().into_iter().filter_map(header).collect()
}

impl FlowContents {
    /// Reads what belongs to a header.
    pub async fn read(backend: &dyn Backend, flow: Arc<Flow>, report: &mut Report) -> Self {
        let reader = Reader { backend, partition: flow.partition };
        let id = flow.flow_id;
        let keys = (0..flow.node_count.div_ceil(PAGE_MEMBERS)).map(|page| FlowKey::MemberPage(id, page)).collect();
        let pages = reader.all(keys, report).await;
        let listed: Vec<ExecutionId> = pages
            .into_iter()
            .filter_map(|page| of_kind!(page, MemberPage))
            .flat_map(|page: Arc<MemberPage>| page.members.clone())
            .collect();
        let keys = listed.iter().map(|member| FlowKey::Member(id, member.uuid())).collect();
        let records = reader.all(keys, report).await;
        let members: Vec<(ExecutionId, Option<Arc<Member>>)> =
            listed.iter().copied().zip(records.into_iter().map(|record| of_kind!(record, Member))).collect();
        let (mut out_keys, mut in_keys) = (Vec::new(), Vec::new());
        for member in members.iter().filter_map(|(_, member)| member.as_ref()) {
            let uuid = member.execution_id.uuid();
            out_keys.extend((0..member.out_edges.div_ceil(PAGE_EDGES)).map(|page| FlowKey::OutPage(id, uuid, page)));
            let staged = member.inbound.staged();
            in_keys.extend((0..staged.div_ceil(PAGE_EDGES)).map(|page| FlowKey::InPage(id, uuid, page)));
        }
        let pages = reader.all(out_keys, report).await.into_iter().filter_map(|page| of_kind!(page, OutPage));
        let out_edges: Vec<(ExecutionId, OutEdge)> = pages
            .flat_map(|page: Arc<OutPage>| page.edges.iter().map(|e| (page.upstream, *e)).collect::<Vec<_>>())
            .collect();
        let pages = reader.all(in_keys, report).await.into_iter().filter_map(|page| of_kind!(page, InPage));
        let in_edges: Vec<(ExecutionId, u32, InEdge)> = pages
            .flat_map(|page: Arc<InPage>| {
                let first = page.page * PAGE_EDGES;
                let places = first..;
                page.edges.iter().zip(places).map(|(e, slot)| (page.downstream, slot, *e)).collect::<Vec<_>>()
            })
            .collect();
        let ids: BTreeSet<EdgeId> = out_edges
            .iter()
            .map(|(_, edge)| edge.edge_id)
            .chain(in_edges.iter().map(|(.., edge)| edge.edge_id))
            .collect();
        let keys = ids.iter().map(|edge| FlowKey::Edge(id, *edge)).collect();
        let records = reader.all(keys, report).await.into_iter().map(|record| of_kind!(record, Edge));
        let edges = ids.into_iter().zip(records).collect();
        let keys = listed.iter().map(|member| FlowKey::SiblingCancels(id, member.uuid())).collect();
        let records = reader.all(keys, report).await;
        Self {
            summary: of_kind!(reader.one(FlowKey::Summary(id), report).await, Summary),
            members,
            out_edges,
            in_edges,
            edges,
            continuation: of_kind!(reader.one(FlowKey::Continuation(id), report).await, Continuation),
            pending: of_kind!(reader.one(FlowKey::PendingCancels(id), report).await, PendingCancels),
            siblings: records.into_iter().filter_map(|record| of_kind!(record, SiblingCancels)).collect(),
            build: of_kind!(reader.one(FlowKey::Build(id), report).await, Build),
            flow,
        }
    }

    fn known(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.iter().filter_map(|(_, member)| member.as_ref())
    }

    fn work(&self) -> &[Work] {
        self.continuation.as_ref().map_or(&[], |left| &left.work)
    }

    /// Whether members wait that wait for nothing but the flow.
    fn is_unreleased(&self) -> bool {
        !self.flow.sealed || self.work().iter().any(|work| matches!(work, Work::Release { .. }))
    }

    fn awaits_cancel(&self, member: &Member) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.members.contains(member.ordinal))
    }
}

/// Checks every flow of a partition.
pub async fn check(backend: &dyn Backend, contents: &Contents, report: &mut Report) {
    let mut homes: HashMap<Uuid, FlowId> = HashMap::new();
    for flow in headers(backend, contents.partition, report).await {
        let found = FlowContents::read(backend, flow, report).await;
        homes.extend(found.known().map(|member| (member.execution_id.uuid(), member.flow_id)));
        check_one(&found, contents, report);
    }
    for stored in contents.executions.values() {
        let execution = &stored.execution;
        let home = homes.get(&execution.id.uuid()).copied();
        report.ensure(execution.flow_id == home, execution.id, Rule::FlowMember, || {
            format!("it names {:?} and is a member of {home:?}", execution.flow_id)
        });
    }
}

fn check_one(found: &FlowContents, contents: &Contents, report: &mut Report) {
    let id = found.flow.flow_id;
    let Some(summary) = &found.summary else {
        report.add(None, Rule::Flow, format!("{id} has no counts"));
        return;
    };
    if let Err(broken) = check_flow(&found.flow, summary, found.known().map(AsRef::as_ref)) {
        report.add(None, Rule::Flow, broken.to_string());
    }
    members(found, contents, report);
    graph(found, report);
    work(found, summary, report);
    resolved(found, contents, report);
}

fn members(found: &FlowContents, contents: &Contents, report: &mut Report) {
    let id = found.flow.flow_id;
    let mut counts = StateCounts::default();
    for (ordinal, (listed, member)) in (0_u32..).zip(&found.members) {
        let execution = contents.executions.get(&listed.uuid()).map(|stored| &stored.execution);
        let (Some(member), Some(execution)) = (member, execution) else {
            report.add(Some(*listed), Rule::FlowMember, format!("{id} lists it and it does not exist"));
            continue;
        };
        report.ensure(
            member.ordinal == ordinal && member.execution_id == *listed && execution.id == *listed,
            *listed,
            Rule::FlowMember,
            || format!("number {ordinal} of {id} is {member:?}"),
        );
        counts.moved(None, Some(execution.vector().public_state()));
        if let Err(broken) = check_member(member, execution, !found.is_unreleased()) {
            report.add(Some(*listed), Rule::FlowMember, broken.to_string());
        }
    }
    let counted = found.summary.as_ref().map(|summary| &summary.counts);
    if counted != Some(&counts) {
        report.add(None, Rule::FlowCounts, format!("{id} counts {counted:?}, its members are {counts:?}"));
    }
}

fn graph(found: &FlowContents, report: &mut Report) {
    let id = found.flow.flow_id;
    let mut wrong = |what: String| report.add(None, Rule::FlowGraph, format!("{id}: {what}"));
    let count = found.flow.edge_count as usize;
    if (found.edges.len(), found.out_edges.len(), found.in_edges.len()) != (count, count, count) {
        wrong(format!("{count} dependencies, {} leave and {} enter", found.out_edges.len(), found.in_edges.len()));
    }
    let numbers: HashMap<ExecutionId, u32> = found.members.iter().map(|(id, _)| *id).zip(0..).collect();
    let entries: HashMap<(ExecutionId, u32), InEdge> =
        found.in_edges.iter().map(|(downstream, slot, edge)| ((*downstream, *slot), *edge)).collect();
    let mut shape =
        Shape { policies: vec![leasehold_core::flow::EdgeGroupPolicy::AllOf; numbers.len()], edges: Vec::new() };
    for (upstream, edge) in &found.out_edges {
        let Some(Some(kept)) = found.edges.get(&edge.edge_id) else {
            wrong(format!("{edge:?} is no dependency"));
            continue;
        };
        let entry = InEdge { edge_id: edge.edge_id, upstream: *upstream, passes_data: edge.passes_data };
        let same = (kept.flow_id, kept.upstream, kept.downstream, kept.slot, kept.passes_data())
            == (id, *upstream, edge.downstream, edge.slot, edge.passes_data);
        if !same || entries.get(&(edge.downstream, edge.slot)) != Some(&entry) {
            wrong(format!("{kept:?} leaves as {edge:?}"));
        }
        match (numbers.get(upstream), numbers.get(&edge.downstream)) {
            (Some(upstream), Some(downstream)) => {
                shape.edges.push(ShapeEdge { upstream: *upstream, downstream: *downstream });
            }
            _ => wrong(format!("an end of {kept:?} is no member")),
        }
    }
    if let Err(error) = shape.check() {
        wrong(error.to_string());
    }
}

fn work(found: &FlowContents, summary: &FlowSummary, report: &mut Report) {
    let id = found.flow.flow_id;
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            report.add(None, Rule::FlowWork, format!("{id}: {what}: {found:?}"));
        }
    };
    rule(found.continuation.is_some() == summary.work_left, "what is left to do");
    rule(found.pending.is_some() == summary.cancels_pending, "members to end");
    let building = !found.flow.sealed && found.flow.cancelled.is_none();
    rule(found.build.is_some() == building, "the building");
    let listed: BTreeSet<ExecutionId> = found.siblings.iter().map(|group| group.downstream).collect();
    let queued: BTreeSet<ExecutionId> = found
        .work()
        .iter()
        .filter_map(|work| match work {
            Work::CancelSiblings { downstream } => Some(*downstream),
            _ => None,
        })
        .collect();
    // A list that was drained by hand leaves its piece of work behind.
    rule(listed.is_subset(&queued), "upstreams to cancel");
}

fn resolved(found: &FlowContents, contents: &Contents, report: &mut Report) {
    let execution = |id: &ExecutionId| -> Option<&Execution> {
        contents.executions.get(&id.uuid()).map(|stored| stored.execution.as_ref())
    };
    let members: HashMap<ExecutionId, &Arc<Member>> =
        found.known().map(|member| (member.execution_id, member)).collect();
    for (downstream, slot, edge) in &found.in_edges {
        let (Some(member), Some(child), Some(upstream)) =
            (members.get(downstream), execution(downstream), execution(&edge.upstream))
        else {
            continue;
        };
        let has_ended = upstream.vector().is_terminal();
        let holds = match member.inbound.slot(*slot) {
            Some(SlotState::Unsatisfied) => {
                !has_ended
                    || found.continuation.is_some()
                    || found.awaits_cancel(member)
                    || child.vector().is_terminal()
            }
            // A caller may resolve it before its upstream has ended.
            Some(SlotState::Satisfied | SlotState::Impossible | SlotState::Staged) => true,
            None => false,
        };
        report.ensure(holds, *downstream, Rule::FlowResolved, || {
            format!(
                "{edge:?} is {:?}, {} is {}",
                member.inbound.slot(*slot),
                upstream.id,
                upstream.vector().public_state()
            )
        });
    }
    let all = found.flow.cancelled.as_ref().is_some_and(|cancelled| cancelled.policy == CancellationPolicy::CancelAll);
    if all && found.pending.is_none() {
        for (id, _) in &found.members {
            let ended = execution(id).is_some_and(|execution| execution.vector().is_terminal());
            report.ensure(ended, *id, Rule::FlowCancelled, || format!("{} was cancelled", found.flow.flow_id));
        }
    }
}
