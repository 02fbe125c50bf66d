//! What is shown of flows, from the store directly.

use super::super::records::{named, typed};
use super::super::{EngineHandle, paging};
use super::views::{edge, flow_snapshot, group};
use leasehold_backend::StoreError;
use leasehold_contract::{EdgeDirection, EdgeSnapshot, EngineResult, FlowEntry, FlowPage, FlowSnapshot, FlowStatus};
use leasehold_core::error::EngineError;
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId};
use leasehold_core::partition::Partition;
use leasehold_core::record::flow::{
    Edge, Flow, FlowKey, FlowRecord, FlowSummary, InPage, Member, MemberPage, OutPage, PAGE_EDGES, PAGE_MEMBERS,
};
use leasehold_core::record::{KeptKind, Record, RecordKey};
use std::sync::Arc;

impl EngineHandle {
    pub(super) async fn flow_snapshot(&self, flow_id: FlowId) -> EngineResult<Option<FlowSnapshot>> {
        const OP: &str = "describe_flow";
        let home = self.flow_home(flow_id);
        let keys = [FlowKey::Flow(flow_id).into(), FlowKey::Summary(flow_id).into()];
        let loaded = self.env.backend.load(home, &keys, &[]).await.map_err(self.store_failed(OP))?;
        let mut records = loaded.records.into_iter();
        let Some(flow) = typed::<Flow>(&keys[0], records.next().flatten())? else { return Ok(None) };
        let summary = named::<FlowSummary>(&keys[1], records.next().flatten())?;
        let members = self.member_ids(OP, &flow, 0..flow.node_count).await?;
        let members: Vec<Arc<Member>> =
            self.read_named(OP, home, members.iter().map(|id| FlowKey::Member(flow_id, id.uuid()))).await?;
        let groups = members.iter().filter_map(|member| group(member)).collect();
        Ok(Some(flow_snapshot(&flow, &summary, groups)))
    }

    /// Members of a flow by their ordinals, all below the count of its header.
    pub(super) async fn member_ids(
        &self,
        op: &'static str,
        flow: &Flow,
        ordinals: std::ops::Range<u32>,
    ) -> EngineResult<Vec<ExecutionId>> {
        if ordinals.is_empty() {
            return Ok(Vec::new());
        }
        let pages = ordinals.start / PAGE_MEMBERS..ordinals.end.div_ceil(PAGE_MEMBERS);
        let first = pages.start * PAGE_MEMBERS;
        let keys = pages.map(|page| FlowKey::MemberPage(flow.flow_id, page));
        let pages: Vec<Arc<MemberPage>> = self.read_named(op, flow.partition, keys).await?;
        let ids: Vec<_> = pages.iter().flat_map(|page| page.members.iter().copied()).collect();
        let range = (ordinals.start - first) as usize..(ordinals.end - first) as usize;
        let missing = || EngineError::corruption("flow_member_page", "members", "fewer than the header counts");
        Ok(ids.get(range).ok_or_else(missing)?.to_vec())
    }

    pub(super) async fn edge_snapshot(&self, flow_id: FlowId, edge_id: EdgeId) -> EngineResult<Option<EdgeSnapshot>> {
        let found = self.read_flow::<Edge>("describe_edge", FlowKey::Edge(flow_id, edge_id)).await?;
        Ok(found.map(|found| edge(&found)))
    }

    pub(super) async fn edges(&self, flow_id: FlowId, direction: EdgeDirection) -> EngineResult<Vec<EdgeSnapshot>> {
        const OP: &str = "list_edges";
        let home = self.flow_home(flow_id);
        let (EdgeDirection::Outgoing(end) | EdgeDirection::Incoming(end)) = direction;
        let Some(member) = self.read_flow::<Member>(OP, FlowKey::Member(flow_id, end.uuid())).await? else {
            return Ok(Vec::new());
        };
        if member.execution_id != end {
            return Ok(Vec::new());
        }
        let mut ids: Vec<EdgeId> = match direction {
            EdgeDirection::Outgoing(_) => {
                let pages = 0..member.out_edges.div_ceil(PAGE_EDGES);
                let keys = pages.map(|page| FlowKey::OutPage(flow_id, end.uuid(), page));
                let pages: Vec<Arc<OutPage>> = self.read_named(OP, home, keys).await?;
                pages.iter().flat_map(|page| page.edges.iter().map(|edge| edge.edge_id)).collect()
            }
            EdgeDirection::Incoming(_) => {
                let pages = 0..member.inbound.staged().div_ceil(PAGE_EDGES);
                let keys = pages.map(|page| FlowKey::InPage(flow_id, end.uuid(), page));
                let pages: Vec<Arc<InPage>> = self.read_named(OP, home, keys).await?;
                pages.iter().flat_map(|page| page.edges.iter().map(|edge| edge.edge_id)).collect()
            }
        };
        ids.sort_unstable();
        let edges: Vec<Arc<Edge>> = self.read_named(OP, home, ids.iter().map(|id| FlowKey::Edge(flow_id, *id))).await?;
        Ok(edges.iter().map(|found| edge(found)).collect())
    }

    pub(super) async fn flow_page(
        &self,
        partition: Partition,
        cursor: Option<FlowId>,
        limit: usize,
    ) -> EngineResult<FlowPage> {
        const OP: &str = "list_flows";
        let index = self.flow_partition(partition)?;
        if let Some(stranger) = cursor.filter(|id| self.flow_home(*id) != index) {
            return Err(EngineError::invalid_input(format!("cursor {stranger} is not in partition {partition}")));
        }
        let backend = &self.env.backend;
        let page = paging::page(
            cursor,
            limit,
            |flow: &Arc<Flow>| flow.flow_id,
            |after, limit| async move {
                let after = after.map(|id| RecordKey::Flow(FlowKey::Flow(id)));
                let records = backend.scan_kept(index, KeptKind::Flow, after.as_ref(), limit).await?;
                records.into_iter().map(header).collect::<Result<Vec<_>, _>>().map_err(StoreError::Corrupt)
            },
        );
        let (flows, next_cursor) = page.await.map_err(self.store_failed(OP))?;
        let keys: Vec<RecordKey> = flows.iter().map(|flow| FlowKey::Summary(flow.flow_id).into()).collect();
        let summaries = self.read(OP, index, &keys).await?;
        let entries = flows.iter().zip(keys.iter().zip(summaries)).map(|(flow, (key, summary))| {
            let status = match typed::<FlowSummary>(key, summary)? {
                Some(summary) => flow.public_flow_state(&summary).into(),
                None => FlowStatus::Unknown,
            };
            Ok(FlowEntry { flow_id: flow.flow_id, created_at: flow.created_at, status })
        });
        Ok(FlowPage { flows: entries.collect::<EngineResult<_>>()?, next_cursor })
    }

    pub(super) async fn flow_tag(&self, flow_id: FlowId, key: &str) -> EngineResult<Option<String>> {
        let flow = self.read_flow::<Flow>("get_flow_tag", FlowKey::Flow(flow_id)).await?;
        Ok(flow.and_then(|flow| flow.tags.get(key).cloned()))
    }
}

fn header(record: Record) -> EngineResult<Arc<Flow>> {
    let key = record.key();
    match record {
        Record::Flow(FlowRecord::Flow(flow)) => Ok(flow),
        _ => Err(super::super::records::stranger(&key)),
    }
}
