//! The route table: which partition is served where.

use crate::partition::PartitionHandle;
use std::sync::{PoisonError, RwLock};

/// Handles of the partitions served by this node.
pub struct Routes {
    table: RwLock<Vec<Option<PartitionHandle>>>,
}

impl Routes {
    /// No partition of `count` is served.
    pub fn new(count: u16) -> Self {
        Self { table: RwLock::new(vec![None; usize::from(count)]) }
    }

    /// The handle of a partition.
    pub fn get(&self, partition: u16) -> Option<PartitionHandle> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).get(usize::from(partition)).cloned().flatten()
    }

    /// Sets or takes away a route.
    pub fn set(&self, partition: u16, handle: Option<PartitionHandle>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = table.get_mut(usize::from(partition)) {
            *slot = handle;
        }
    }

    /// How many partitions there are.
    pub fn count(&self) -> u16 {
        u16::try_from(self.table.read().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(u16::MAX)
    }

    /// Partitions without a route.
    pub fn unserved(&self) -> Vec<u16> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        (0..).zip(table.iter()).filter(|(_, handle)| handle.is_none()).map(|(partition, _)| partition).collect()
    }
}
