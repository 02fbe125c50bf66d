//! `list_flow_members`: the members in the order of joining, each with what
//! comes before it.

use super::graph::{all_of, any_of, fail, flow, flow_id, join, link, member, pipe, refused, stage, succeed, unheard};
use super::shapes::{fan_out, submit};
use crate::case::Case;
use leasehold_contract::{FlowMember, InboundEdge};
use leasehold_core::flow::{EdgeGroupPolicy, GroupState, SlotState};
use leasehold_core::ids::FlowId;
use leasehold_core::state::PublicState;

async fn all(case: &Case, flow: FlowId) -> Vec<FlowMember> {
    let page = unheard(case, flow, case.engine.list_flow_members(flow, None, 1000)).await.expect("it is answered");
    assert_eq!(page.next_cursor, None);
    page.members
}

pub async fn each_is_shown_with_what_comes_before_it(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    let late = member(case, join.flow).await;
    let passing = pipe(case, join.flow, join.child, late).await;
    let staged = stage(case, join.flow, join.upstreams[0], late).await;
    succeed(case, join.upstreams[1]).await;
    let members = all(case, join.flow).await;
    assert_eq!(members.iter().map(|member| member.ordinal).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let states =
        [PublicState::Waiting, PublicState::Completed, PublicState::WaitingChildren, PublicState::WaitingChildren];
    assert_eq!(members.iter().map(|member| member.public_state).collect::<Vec<_>>(), states);
    for upstream in &members[..2] {
        assert!(upstream.edge_group.is_none() && upstream.inbound.is_empty() && upstream.name.is_none());
        assert_eq!((upstream.execution_kind.as_str(), upstream.lane_id.as_str()), ("send", "mail"));
    }
    let inbound = |number: usize, state| InboundEdge {
        edge_id: join.edges[number],
        upstream_execution_id: join.upstreams[number],
        state,
        passes_data: false,
    };
    let child = &members[2];
    assert_eq!(child.execution_id, join.child);
    assert_eq!(child.inbound, [inbound(0, SlotState::Unsatisfied), inbound(1, SlotState::Satisfied)]);
    let group = child.edge_group.as_ref().unwrap();
    assert_eq!((group.policy, group.total_deps, group.satisfied_count), (EdgeGroupPolicy::AllOf, 2, 1));
    let expected = [
        InboundEdge {
            edge_id: passing,
            upstream_execution_id: join.child,
            state: SlotState::Unsatisfied,
            passes_data: true,
        },
        InboundEdge {
            edge_id: staged.edge_id,
            upstream_execution_id: join.upstreams[0],
            state: SlotState::Staged,
            passes_data: false,
        },
    ];
    assert_eq!(members[3].inbound, expected);
    case.kill().await;
    assert_eq!(all(case, join.flow).await, members);
}

pub async fn what_is_lost_is_shown_as_lost(case: &mut Case) {
    let join = join(case, any_of("let_run"), 1).await;
    fail(case, join.upstreams[0]).await;
    let child = all(case, join.flow).await.remove(1);
    assert_eq!((child.public_state, child.inbound[0].state), (PublicState::Skipped, SlotState::Impossible));
    assert_eq!(child.edge_group.unwrap().group_state, GroupState::Impossible);
}

pub async fn declared_members_have_names(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 2)).await;
    let members = all(case, flow).await;
    assert_eq!(members.iter().map(|member| member.execution_id).collect::<Vec<_>>(), nodes);
    let names: Vec<Option<&str>> = members.iter().map(|member| member.name.as_deref()).collect();
    assert_eq!(names, [Some("0"), Some("1"), Some("2")]);
}

pub async fn pages_follow_one_another(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 299)).await;
    for limit in [1, 100, 256, 300, 301] {
        let start = if limit == 1 { Some(296) } else { None };
        let mut found = nodes[..start.map_or(0, |last| last as usize + 1)].to_vec();
        let mut cursor = start;
        loop {
            let page = case.engine.list_flow_members(flow, cursor, limit).await.unwrap();
            assert!(page.members.len() <= limit);
            found.extend(page.members.iter().map(|member| member.execution_id));
            cursor = page.next_cursor;
            assert_eq!(cursor.is_some(), found.len() < nodes.len(), "limit {limit}");
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, nodes);
    }
    for (cursor, limit) in [(None, 0), (Some(299), 10), (Some(u32::MAX), 10)] {
        let page = case.engine.list_flow_members(flow, cursor, limit).await.unwrap();
        assert_eq!((page.members, page.next_cursor), (vec![], None));
    }
}

pub async fn an_empty_flow_has_none_and_an_unknown_one_is_not_found(case: &mut Case) {
    let (empty, unknown) = (flow(case).await, flow_id(case));
    assert_eq!(all(case, empty).await, []);
    refused(case, unknown, case.engine.list_flow_members(unknown, None, 10), "flow_not_found").await;
    let [up, down] = super::graph::members(case, empty).await;
    link(case, empty, up, down).await;
    assert_eq!(all(case, empty).await.len(), 2);
}
