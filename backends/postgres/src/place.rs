//! Whether the server still has what it had.
//!
//! A server that was started again may be another one than it was: a backup
//! was put in its place, or a standby that had not received everything. And a
//! node whose head is not where its committer left it has lost commits, even
//! where the server went on, as when tables are put back from a dump. Whoever
//! keeps in memory what it has read there has to begin anew.

use leasehold_core::ids::NodeId;
use std::sync::{Mutex, PoisonError};

/// What is known of the server since the node was registered.
#[derive(Debug, Default)]
pub(crate) struct Place(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When the server was started.
    started: Option<i64>,
    /// Whose commit found another head than its own.
    lost_by: Option<NodeId>,
}

impl Place {
    /// From here on everything is read afresh, from a server that was started
    /// then.
    pub(crate) fn begin(&self, started: Option<i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Known { started, lost_by: None };
    }

    /// A node's commit found another head than its own.
    pub(crate) fn lost_by(&self, node: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost_by = Some(node);
    }

    /// Whether the server may have less than a node has read there.
    pub(crate) fn is_lost(&self, node: NodeId, started: i64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.started.is_some_and(|before| before != started) || known.lost_by == Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn another_start_or_another_head_is_a_loss_until_everything_is_read_afresh() {
        let (one, other) = (NodeId::from_uuid(Uuid::from_u128(1)), NodeId::from_uuid(Uuid::from_u128(2)));
        let place = Place::default();
        assert!(!place.is_lost(one, 5));
        place.begin(Some(5));
        assert!(!place.is_lost(one, 5));
        assert!(place.is_lost(one, 6));
        place.lost_by(one);
        assert!(place.is_lost(one, 5) && !place.is_lost(other, 5));
        place.begin(Some(6));
        assert!(!place.is_lost(one, 6));
    }
}
