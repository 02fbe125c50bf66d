//! A whole graph as somebody declares it, before anything of it exists.

use super::policy::EdgeGroupPolicy;
use super::{check_edges, check_nodes};
use crate::error::{ConflictKind, EngineError};

/// One dependency of a declared graph; nodes are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShapeEdge {
    /// What must succeed.
    pub upstream: u32,
    /// What waits for it.
    pub downstream: u32,
}

/// A declared graph: the policy of every node's join, and the dependencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// One policy per node.
    pub policies: Vec<EdgeGroupPolicy>,
    /// Two dependencies may have the same ends.
    pub edges: Vec<ShapeEdge>,
}

impl Shape {
    /// Checks sizes, ends and acyclicity in time proportional to the graph,
    /// and gives an order in which every node follows all its upstreams:
    /// layer by layer, within a layer by number.
    ///
    /// # Errors
    ///
    /// `invalid_input` for a size over the limit or an end that is no node,
    /// `self_referencing_edge` and `cycle_detected`, in this order.
    pub fn check(&self) -> Result<Vec<u32>, EngineError> {
        check_nodes(self.policies.len())?;
        check_edges(self.edges.len())?;
        for (index, edge) in self.edges.iter().enumerate() {
            if let Some(end) = [edge.upstream, edge.downstream].into_iter().find(|end| !self.has(*end)) {
                return Err(EngineError::invalid_input(format!("edges[{index}]: there is no node {end}")));
            }
        }
        if self.edges.iter().any(|edge| edge.upstream == edge.downstream) {
            return Err(ConflictKind::SelfReferencingEdge.into());
        }
        self.order().ok_or_else(|| ConflictKind::CycleDetected.into())
    }

    fn has(&self, node: u32) -> bool {
        (node as usize) < self.policies.len()
    }

    /// The dependencies that leave each node, by their place in `edges`.
    pub fn outbound(&self) -> Vec<Vec<u32>> {
        let mut outbound = vec![Vec::new(); self.policies.len()];
        for (index, edge) in self.edges.iter().enumerate() {
            outbound[edge.upstream as usize].push(index as u32);
        }
        outbound
    }

    /// How many dependencies each node waits for.
    pub fn inbound_counts(&self) -> Vec<u32> {
        let mut inbound = vec![0; self.policies.len()];
        for edge in &self.edges {
            inbound[edge.downstream as usize] += 1;
        }
        inbound
    }

    fn order(&self) -> Option<Vec<u32>> {
        let outbound = self.outbound();
        let mut waiting = self.inbound_counts();
        let mut layer: Vec<u32> = (0..self.policies.len() as u32).filter(|node| waiting[*node as usize] == 0).collect();
        let mut order = Vec::with_capacity(self.policies.len());
        while !layer.is_empty() {
            let mut next = Vec::new();
            for node in &layer {
                for edge in &outbound[*node as usize] {
                    let downstream = self.edges[*edge as usize].downstream;
                    waiting[downstream as usize] -= 1;
                    if waiting[downstream as usize] == 0 {
                        next.push(downstream);
                    }
                }
            }
            order.append(&mut layer);
            next.sort_unstable();
            layer = next;
        }
        (order.len() == self.policies.len()).then_some(order)
    }
}
