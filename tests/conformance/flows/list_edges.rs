//! `list_edges`: the dependencies that leave or enter a member, by id.

use super::graph::{flow, flow_id, home, link, members, stage, unheard};
use super::shapes::{fan_in, fan_out, submit};
use crate::case::Case;
use leasehold_contract::EdgeDirection::{Incoming, Outgoing};
use leasehold_contract::EdgeSnapshot;
use leasehold_core::ids::EdgeId;

fn ids(edges: Vec<EdgeSnapshot>) -> Vec<EdgeId> {
    edges.into_iter().map(|edge| edge.edge_id).collect()
}

pub async fn each_side_is_listed_by_id(case: &mut Case) {
    let flow = flow(case).await;
    let [a, b, c] = members(case, flow).await;
    let mut there = vec![link(case, flow, a, b).await, stage(case, flow, a, b).await.edge_id];
    let further = link(case, flow, b, c).await;
    let beside = link(case, flow, a, c).await;
    there.sort_unstable();
    let mut leaving = there.clone();
    leaving.push(beside);
    leaving.sort_unstable();
    let mut entering = vec![further, beside];
    entering.sort_unstable();
    for _ in 0..2 {
        for (direction, expected) in [
            (Outgoing(a), &leaving),
            (Incoming(b), &there),
            (Outgoing(b), &vec![further]),
            (Incoming(c), &entering),
            (Incoming(a), &vec![]),
            (Outgoing(c), &vec![]),
        ] {
            let found = unheard(case, flow, case.engine.list_edges(flow, direction)).await.unwrap();
            for edge in &found {
                assert_eq!(case.engine.describe_edge(flow, edge.edge_id).await, Ok(Some(edge.clone())));
            }
            assert_eq!(ids(found), *expected);
        }
        case.kill().await;
    }
}

pub async fn more_than_a_page_is_listed_whole(case: &mut Case) {
    for (spec, out) in [(fan_out(case, 300), true), (fan_in(case, 300, super::graph::all_of()), false)] {
        let mut expected: Vec<EdgeId> = spec.edges.iter().map(|edge| edge.edge_id).collect();
        expected.sort_unstable();
        let (flow, nodes) = submit(case, spec).await;
        let direction = if out { Outgoing(nodes[0]) } else { Incoming(nodes[300]) };
        assert_eq!(ids(case.engine.list_edges(flow, direction).await.unwrap()), expected);
    }
}

pub async fn without_a_member_there_are_none(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    link(case, flow, up, down).await;
    let elsewhere = leasehold_core::ids::ExecutionId::from_parts((home(case, flow) + 1) % 4, up.uuid());
    for (flow, id) in [(flow, case.id_in(home(case, flow))), (flow_id(case), up), (flow, elsewhere)] {
        assert_eq!(case.engine.list_edges(flow, Outgoing(id)).await, Ok(vec![]));
        assert_eq!(case.engine.list_edges(flow, Incoming(id)).await, Ok(vec![]));
    }
}
