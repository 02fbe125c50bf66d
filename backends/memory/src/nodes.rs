//! The table of nodes.

use leasehold_backend::NodeRow;
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;

/// Nodes and their leases.
#[derive(Debug, Default)]
pub struct Nodes(BTreeMap<NodeId, NodeRow>);

impl Nodes {
    /// Adds a live node. An identity that was used before stays as it is, so
    /// that nobody comes back from the dead.
    pub fn register(&mut self, node: NodeId, expires_at: TimestampMs) {
        self.0.entry(node).or_insert(NodeRow { node, expires_at, dead: false });
    }

    /// Renews a lease that still holds.
    pub fn heartbeat(&mut self, node: NodeId, now: TimestampMs, ttl_ms: u64) -> bool {
        match self.0.get_mut(&node) {
            Some(row) if !row.dead && now < row.expires_at => {
                row.expires_at = now.plus(ttl_ms);
                true
            }
            _ => false,
        }
    }

    /// Marks a node as dead if its lease lapsed, or anyway with a proof. A
    /// node nobody knows is as dead as can be.
    pub fn bury(&mut self, node: NodeId, now: TimestampMs, proven_gone: bool) -> bool {
        let Some(row) = self.0.get_mut(&node) else { return true };
        if proven_gone || row.expires_at <= now {
            row.dead = true;
        }
        row.dead
    }

    /// Whether a node is known and not buried. One that merely lapsed counts
    /// as alive: only a burial decides.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|row| !row.dead)
    }

    /// All of them.
    pub fn rows(&self) -> Vec<NodeRow> {
        self.0.values().cloned().collect()
    }
}
