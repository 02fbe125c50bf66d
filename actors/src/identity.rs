//! The identity of the node's present life, for whoever claims in its name.

use leasehold_core::ids::NodeId;
use std::sync::{PoisonError, RwLock};

/// The identity of the present life.
#[derive(Debug, Default)]
pub struct Identity {
    node: RwLock<Option<NodeId>>,
}

impl Identity {
    /// The present life; none before the first.
    pub fn get(&self) -> Option<NodeId> {
        *self.node.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new life.
    pub fn set(&self, node: NodeId) {
        *self.node.write().unwrap_or_else(PoisonError::into_inner) = Some(node);
    }
}
