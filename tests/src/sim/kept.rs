//! Reading what a store keeps of suspensions and flows, for judges here and
//! in the [differential](crate::differential) programs.

use leasehold_backend::{Backend, PAGE_MAX};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::{
    Edge, Flow, FlowKey, FlowRecord, FlowSummary, InEdge, Member, OutEdge, PAGE_EDGES, PAGE_MEMBERS,
};
use leasehold_core::record::{Execution, KeptKind, Record, RecordKey, Signal, WaitKey, WaitRecord, Waitpoint, Waits};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys asked for at once.
const KEYS_AT_ONCE: usize = 200;

/// Records by their keys, in order.
pub async fn load(backend: &dyn Backend, partition: u16, keys: &[RecordKey]) -> Vec<Option<Record>> {
    let mut records = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_AT_ONCE) {
        records.extend(backend.load(partition, keys, &[]).await.expect("nothing goes wrong here").records);
    }
    records
}

/// All records of a listed kind.
pub async fn scan(backend: &dyn Backend, partition: u16, kind: KeptKind) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map(Record::key);
        let page = backend.scan_kept(partition, kind, after.as_ref(), PAGE_MAX).await;
        let page = page.expect("nothing goes wrong here");
        let end = page.len() < PAGE_MAX;
        records.extend(page);
        if end {
            return records;
        }
    }
}

/// Every execution of the first partitions.
pub async fn executions(backend: &dyn Backend, partitions: u16) -> BTreeMap<ExecutionId, Arc<Execution>> {
    let mut all = BTreeMap::new();
    for partition in 0..partitions {
        let mut after = None;
        loop {
            let page = backend.list_executions(partition, after, PAGE_MAX).await.expect("nothing goes wrong here");
            after = page.last().map(|execution| execution.id.uuid());
            let end = page.len() < PAGE_MAX;
            all.extend(page.into_iter().map(|execution| (execution.id, execution)));
            if end {
                break;
            }
        }
    }
    all
}

/// What an execution waits for.
pub async fn waits(backend: &dyn Backend, id: ExecutionId) -> Option<Arc<Waits>> {
    let key = RecordKey::from(WaitKey::Waits(id.uuid()));
    match load(backend, id.partition(), &[key]).await.pop().flatten() {
        Some(Record::Wait(WaitRecord::Waits(waits))) => Some(waits),
        _ => None,
    }
}

/// The waitpoint in a record.
pub fn as_waitpoint(record: Option<Record>) -> Option<Arc<Waitpoint>> {
    match record {
        Some(Record::Wait(WaitRecord::Waitpoint(waitpoint))) => Some(waitpoint),
        _ => None,
    }
}

/// The signal in a record.
pub fn as_signal(record: Option<Record>) -> Option<Arc<Signal>> {
    match record {
        Some(Record::Wait(WaitRecord::Signal(signal))) => Some(signal),
        _ => None,
    }
}

/// A member with everything that is stored of it.
#[derive(Clone, Debug)]
pub struct StoredMember {
    /// The record.
    pub member: Arc<Member>,
    /// The dependencies that enter it, by their slots.
    pub inbound: Vec<InEdge>,
    /// The dependencies that leave it, in the order of staging.
    pub outbound: Vec<OutEdge>,
}

/// A flow with everything that is stored of it.
#[derive(Clone, Debug)]
pub struct StoredFlow {
    /// The header.
    pub flow: Arc<Flow>,
    /// The counts, if they are there.
    pub summary: Option<Arc<FlowSummary>>,
    /// The members in the order of joining, as far as they are there.
    pub members: Vec<StoredMember>,
    /// The dependencies, by id, as far as they are there.
    pub edges: Vec<Arc<Edge>>,
    /// Records that are missing, and dependencies that are not what their
    /// pages say.
    pub broken: Vec<String>,
    /// Records that say that something is left to do.
    pub left: Vec<Record>,
}

fn as_flow(record: Option<Record>) -> Option<FlowRecord> {
    match record {
        Some(Record::Flow(record)) => Some(record),
        _ => None,
    }
}

impl StoredFlow {
    async fn read(backend: &dyn Backend, flow: Arc<Flow>) -> Self {
        let (partition, flow_id) = (flow.partition, flow.flow_id);
        let mut stored =
            Self { flow, summary: None, members: Vec::new(), edges: Vec::new(), broken: Vec::new(), left: Vec::new() };
        let keys = [FlowKey::Continuation(flow_id), FlowKey::PendingCancels(flow_id), FlowKey::Build(flow_id)];
        stored.left = load(backend, partition, &keys.map(RecordKey::from)).await.into_iter().flatten().collect();
        let pages = (0..stored.flow.node_count.div_ceil(PAGE_MEMBERS)).map(|page| FlowKey::MemberPage(flow_id, page));
        let keys: Vec<RecordKey> = std::iter::once(FlowKey::Summary(flow_id)).chain(pages).map(Into::into).collect();
        let mut ids = Vec::new();
        for (key, record) in keys.iter().zip(load(backend, partition, &keys).await) {
            match as_flow(record) {
                Some(FlowRecord::Summary(summary)) => stored.summary = Some(summary),
                Some(FlowRecord::MemberPage(page)) => ids.extend(page.members.iter().copied()),
                _ => stored.broken.push(format!("{key:?} is missing")),
            }
        }
        for id in ids {
            stored.read_member(backend, id).await;
        }
        stored.check_edges(backend).await;
        stored
    }

    async fn read_member(&mut self, backend: &dyn Backend, id: ExecutionId) {
        let (partition, flow_id) = (self.flow.partition, self.flow.flow_id);
        let own: [RecordKey; 2] =
            [FlowKey::Member(flow_id, id.uuid()), FlowKey::SiblingCancels(flow_id, id.uuid())].map(Into::into);
        let mut records = load(backend, partition, &own).await;
        self.left.extend(records.pop().flatten());
        let Some(FlowRecord::Member(member)) = as_flow(records.pop().flatten()) else {
            self.broken.push(format!("member {id} is missing"));
            return;
        };
        let outs = (0..member.out_edges.div_ceil(PAGE_EDGES)).map(|page| FlowKey::OutPage(flow_id, id.uuid(), page));
        let ins =
            (0..member.inbound.staged().div_ceil(PAGE_EDGES)).map(|page| FlowKey::InPage(flow_id, id.uuid(), page));
        let keys: Vec<RecordKey> = outs.chain(ins).map(Into::into).collect();
        let (mut inbound, mut outbound) = (Vec::new(), Vec::new());
        for (key, record) in keys.iter().zip(load(backend, partition, &keys).await) {
            match as_flow(record) {
                Some(FlowRecord::OutPage(page)) => outbound.extend(page.edges.iter().copied()),
                Some(FlowRecord::InPage(page)) => inbound.extend(page.edges.iter().copied()),
                _ => self.broken.push(format!("{key:?} is missing")),
            }
        }
        self.members.push(StoredMember { member, inbound, outbound });
    }

    fn ends_of(edge: &Edge) -> (ExecutionId, ExecutionId, u32, bool) {
        (edge.upstream, edge.downstream, edge.slot, edge.passes_data())
    }

    /// Each dependency stands in the page of its upstream, in the page of its
    /// downstream, and by itself, and says the same everywhere.
    async fn check_edges(&mut self, backend: &dyn Backend) {
        let mut entering = BTreeMap::new();
        for stored in &self.members {
            if (stored.inbound.len(), stored.outbound.len())
                != (stored.member.inbound.staged() as usize, stored.member.out_edges as usize)
            {
                self.broken.push(format!("the pages of {} are not as long as it says", stored.member.execution_id));
            }
            for (slot, edge) in stored.inbound.iter().enumerate() {
                entering
                    .insert(edge.edge_id, (edge.upstream, stored.member.execution_id, slot as u32, edge.passes_data));
            }
        }
        let mut leaving = BTreeMap::new();
        for stored in &self.members {
            for edge in &stored.outbound {
                let seen = (stored.member.execution_id, edge.downstream, edge.slot, edge.passes_data);
                leaving.insert(edge.edge_id, seen);
            }
        }
        if entering != leaving {
            self.broken.push(format!("what leaves is not what enters: {leaving:?} and {entering:?}"));
        }
        let keys: Vec<RecordKey> = entering.keys().map(|id| FlowKey::Edge(self.flow.flow_id, *id).into()).collect();
        let records = load(backend, self.flow.partition, &keys).await;
        for ((id, seen), record) in entering.iter().zip(records) {
            match as_flow(record) {
                Some(FlowRecord::Edge(edge)) if Self::ends_of(&edge) == *seen => self.edges.push(edge),
                _ => self.broken.push(format!("dependency {id} is not what its pages say")),
            }
        }
    }
}

/// Every flow of the first partitions.
pub async fn flows(backend: &dyn Backend, partitions: u16) -> Vec<StoredFlow> {
    let mut flows = Vec::new();
    for partition in 0..partitions {
        for record in scan(backend, partition, KeptKind::Flow).await {
            if let Record::Flow(FlowRecord::Flow(flow)) = record {
                flows.push(StoredFlow::read(backend, flow).await);
            }
        }
    }
    flows
}
