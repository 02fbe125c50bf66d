//! The search that keeps a graph free of cycles while it grows.

use std::collections::HashSet;
use std::hash::Hash;

/// How many nodes the search before one more dependency visits at most.
///
/// A graph that grows one dependency at a time is searched from records, so
/// the bound is what keeps one step short. A graph that is declared as a whole
/// is checked by [`super::Shape::check`], which needs no bound.
pub const CYCLE_SEARCH_NODES_MAX: usize = 1000;

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A path leads there.
    Reached,
    /// No path leads there.
    Unreached,
    /// The bound was met first.
    TooFar,
}

/// Whether a path leads from one node to another, along `successors` of a
/// whole layer at a time, visiting at most `nodes_max` nodes.
///
/// # Errors
///
/// Those of `successors`.
pub fn reaches<N, E>(
    from: N,
    to: N,
    nodes_max: usize,
    mut successors: impl FnMut(&[N]) -> Result<Vec<N>, E>,
) -> Result<Reach, E>
where
    N: Copy + Eq + Hash,
{
    if from == to {
        return Ok(Reach::Reached);
    }
    let mut visited = HashSet::from([from]);
    let mut layer = vec![from];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for node in successors(&layer)? {
            if node == to {
                return Ok(Reach::Reached);
            }
            if visited.insert(node) {
                if visited.len() > nodes_max {
                    return Ok(Reach::TooFar);
                }
                next.push(node);
            }
        }
        layer = next;
    }
    Ok(Reach::Unreached)
}
