//! Declared graphs.

use crate::flow::{EdgeGroupPolicy, FLOW_EDGES_MAX, FLOW_NODES_MAX, Shape, ShapeEdge};

fn shape(nodes: u32, edges: impl IntoIterator<Item = (u32, u32)>) -> Shape {
    Shape {
        policies: vec![EdgeGroupPolicy::AllOf; nodes as usize],
        edges: edges.into_iter().map(|(upstream, downstream)| ShapeEdge { upstream, downstream }).collect(),
    }
}

fn code(shape: &Shape) -> &'static str {
    shape.check().map_or_else(|error| error.code(), |_| "ok")
}

/// Warshall's closure: slow, and nothing like the search it judges.
fn has_cycle(nodes: usize, edges: &[(u32, u32)]) -> bool {
    let mut path = vec![vec![false; nodes]; nodes];
    for (from, to) in edges {
        path[*from as usize][*to as usize] = true;
    }
    for via in 0..nodes {
        for from in 0..nodes {
            for to in 0..nodes {
                path[from][to] |= path[from][via] && path[via][to];
            }
        }
    }
    (0..nodes).any(|node| path[node][node])
}

#[test]
fn every_graph_of_four_nodes_is_judged_like_its_closure() {
    let pairs: Vec<(u32, u32)> =
        (0..4).flat_map(|from| (0..4).filter(move |to| *to != from).map(move |to| (from, to))).collect();
    let mut acyclic = 0;
    for mask in 0..1_u32 << pairs.len() {
        let edges: Vec<_> = (0..pairs.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| pairs[bit]).collect();
        let shape = shape(4, edges.clone());
        if has_cycle(4, &edges) {
            assert_eq!(code(&shape), "cycle_detected", "{edges:?}");
            continue;
        }
        acyclic += 1;
        let order = shape.check().unwrap();
        let place = |node: u32| order.iter().position(|other| *other == node).unwrap();
        assert!(edges.iter().all(|(from, to)| place(*from) < place(*to)), "{edges:?} {order:?}");
        assert_eq!(order.len(), 4);
    }
    assert_eq!(acyclic, 543, "the number of labelled acyclic graphs of four nodes");
}

#[test]
fn parallel_dependencies_are_allowed_and_loops_are_not() {
    assert_eq!(shape(2, [(0, 1), (0, 1)]).check(), Ok(vec![0, 1]));
    assert_eq!(code(&shape(2, [(0, 1), (1, 1)])), "self_referencing_edge");
    assert_eq!(code(&shape(2, [(0, 1), (1, 0)])), "cycle_detected");
    let error = shape(2, [(0, 1), (2, 0)]).check().unwrap_err();
    assert!(error.to_string().ends_with("edges[1]: there is no node 2"), "{error}");
}

#[test]
fn the_largest_graphs_are_checked_and_larger_ones_refused() {
    let nodes = FLOW_NODES_MAX;
    let backwards = shape(nodes, (1..nodes).map(|node| (node, node - 1)));
    assert_eq!(backwards.check().unwrap(), (0..nodes).rev().collect::<Vec<_>>());
    let dense = |count| shape(nodes, (0..count).map(|edge| (edge % 5, 5 + edge / 5 % (nodes - 5))));
    assert_eq!(dense(FLOW_EDGES_MAX).check().unwrap().len(), nodes as usize);
    assert_eq!(code(&dense(FLOW_EDGES_MAX + 1)), "invalid_input");
    assert_eq!(code(&shape(nodes + 1, [])), "invalid_input");
    assert_eq!(shape(0, []).check(), Ok(vec![]));
    let ring = shape(nodes, (0..nodes).map(|node| (node, (node + 1) % nodes)));
    assert_eq!(code(&ring), "cycle_detected");
}
