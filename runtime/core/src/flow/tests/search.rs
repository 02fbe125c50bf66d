//! The bounded search.

use crate::flow::{CYCLE_SEARCH_NODES_MAX, Reach, reaches};
use std::convert::Infallible;

fn chain(from: u32, to: u32, length: u32) -> Reach {
    let Ok(found) = reaches(from, to, CYCLE_SEARCH_NODES_MAX, |layer| {
        Ok::<_, Infallible>(layer.iter().map(|node| node + 1).filter(|node| *node < length).collect())
    });
    found
}

#[test]
fn a_path_is_found_up_to_the_bound() {
    assert_eq!(chain(0, 0, 1), Reach::Reached);
    assert_eq!(chain(0, 999, 2000), Reach::Reached);
    assert_eq!(chain(0, 1000, 2000), Reach::Reached, "the end itself is no visit");
    assert_eq!(chain(0, 1001, 2000), Reach::TooFar);
    assert_eq!(chain(0, 5000, 1000), Reach::Unreached, "1000 nodes are visited");
    assert_eq!(chain(0, 5000, 1001), Reach::TooFar);
}

#[test]
fn a_node_is_visited_once_however_many_paths_lead_to_it() {
    let mut asked = Vec::new();
    // Twenty diamonds in a row have a million paths.
    let found = reaches(0_u32, 99, CYCLE_SEARCH_NODES_MAX, |layer| {
        asked.extend_from_slice(layer);
        let next =
            |node: &u32| if node.is_multiple_of(3) { vec![node + 1, node + 2] } else { vec![(node / 3 + 1) * 3] };
        Ok::<_, Infallible>(layer.iter().flat_map(next).filter(|node| *node <= 60).collect())
    });
    assert_eq!(found, Ok(Reach::Unreached));
    assert_eq!(asked.len(), 61);
}

#[test]
fn an_error_on_the_way_ends_the_search() {
    assert_eq!(reaches(0, 9, 10, |_| Err::<Vec<i32>, _>("cold")), Err("cold"));
}
