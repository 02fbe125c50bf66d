//! `list_flow_members`: members with what comes before each.

use super::super::EngineHandle;
use super::views::{group, inbound};
use leasehold_backend::PAGE_MAX;
use leasehold_contract::{EngineResult, FlowMember, FlowMemberPage};
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::ids::FlowId;
use leasehold_core::record::flow::{Flow, FlowKey, InPage, Member, PAGE_EDGES};
use leasehold_core::record::{Execution, RecordKey};
use std::sync::Arc;

/// Dependencies one page shows at most, unless its first member alone has
/// more.
const PAGE_INBOUND: usize = 10_000;

impl EngineHandle {
    pub(super) async fn member_page(
        &self,
        flow_id: FlowId,
        cursor: Option<u32>,
        limit: usize,
    ) -> EngineResult<FlowMemberPage> {
        const OP: &str = "list_flow_members";
        let flow = self.read_flow::<Flow>(OP, FlowKey::Flow(flow_id)).await?;
        let flow = flow.ok_or_else(|| EngineError::not_found(Entity::Flow))?;
        let start = cursor.map_or(0, |last| last.saturating_add(1)).min(flow.node_count);
        let end = start.saturating_add(limit.min(PAGE_MAX) as u32).min(flow.node_count);
        let ids = self.member_ids(OP, &flow, start..end).await?;
        let keys = ids.iter().map(|id| FlowKey::Member(flow_id, id.uuid()));
        let mut members: Vec<Arc<Member>> = self.read_named(OP, flow.partition, keys).await?;
        members.truncate(fitting(members.iter().map(|member| member.inbound.staged() as usize)));
        let keys = members.iter().map(|member| RecordKey::Execution(member.execution_id.uuid()));
        let executions: Vec<Arc<Execution>> = self.read_named(OP, flow.partition, keys).await?;
        let pages: Vec<FlowKey> = members
            .iter()
            .flat_map(|member| {
                let uuid = member.execution_id.uuid();
                (0..member.inbound.staged().div_ceil(PAGE_EDGES)).map(move |page| FlowKey::InPage(flow_id, uuid, page))
            })
            .collect();
        let mut pages = self.read_named::<InPage>(OP, flow.partition, pages).await?.into_iter();
        let mut shown = Vec::with_capacity(members.len());
        for (member, execution) in members.iter().zip(&executions) {
            let own = member.inbound.staged();
            let before = pages.by_ref().take(own.div_ceil(PAGE_EDGES) as usize);
            // Pages may be newer than the member; what was staged since is
            // left out.
            let edges: Vec<_> = before.flat_map(|page| page.edges.clone()).collect();
            let inbound = (0..own).zip(&edges).map(|(slot, edge)| inbound(member, slot, edge));
            shown.push(FlowMember {
                execution_id: member.execution_id,
                ordinal: member.ordinal,
                name: member.name.clone(),
                execution_kind: execution.spec.kind.to_string(),
                lane_id: execution.lane_id.clone(),
                public_state: execution.vector().public_state(),
                edge_group: group(member),
                inbound: inbound.collect::<EngineResult<_>>()?,
            });
        }
        let next_cursor = shown.last().map(|last| last.ordinal).filter(|last| last + 1 < flow.node_count);
        Ok(FlowMemberPage { members: shown, next_cursor })
    }
}

/// How many members fit on a page, by how many dependencies each has; at
/// least one of those there are.
fn fitting(inbound: impl Iterator<Item = usize>) -> usize {
    let mut total = 0;
    let mut count = 0;
    for edges in inbound {
        total += edges;
        if count > 0 && total > PAGE_INBOUND {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_page_ends_before_it_has_too_many_dependencies_but_not_before_its_first_member() {
        for (inbound, count) in
            [(vec![], 0), (vec![0, 1, 2], 3), (vec![50_000, 1], 1), (vec![9_999, 1, 1], 2), (vec![1, 50_000], 1)]
        {
            assert_eq!(fitting(inbound.iter().copied()), count, "{inbound:?}");
        }
    }
}
