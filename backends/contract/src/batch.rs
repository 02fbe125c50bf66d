//! A commit: change sets of several partitions that become durable together.

use crate::error::StoreError;
use leasehold_core::decision::ChangeSet;
use leasehold_core::ids::NodeId;
use leasehold_core::record::Record;
use leasehold_core::record::flow::FlowRecord;
use leasehold_core::time::TimestampMs;

/// The head a writer believes a partition has.
///
/// The store compares all of it before it writes. `seq` counts the commits of
/// this epoch, so that an owner whose commit got lost on the way finds out
/// whether it landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The partition.
    pub partition: u16,
    /// Its ownership epoch.
    pub epoch: u64,
    /// The owner's nonce.
    pub nonce: u64,
    /// Commits of this epoch so far; the part makes it one more.
    pub seq: u64,
}

/// One partition's share of a batch.
#[derive(Clone, Debug)]
pub struct Part {
    /// What must hold for it to be applied.
    pub expected: Expected,
    /// Partition time of the commit; never decreases.
    pub time: TimestampMs,
    /// The number of its first event; the others follow.
    pub first_event: u64,
    /// What it writes.
    pub changes: ChangeSet,
}

impl Part {
    /// Whether it adds an execution, a flow or a part of a flow's graph.
    /// Without that, the only thing it can make a store hold more of is what
    /// running work leaves behind.
    pub fn grows(&self) -> bool {
        use FlowRecord::{Edge, Flow, Member};
        let added = |new: &Option<Record>| {
            matches!(new, Some(Record::Execution(_) | Record::Flow(Flow(_) | Member(_) | Edge(_))))
        };
        self.changes.changes.iter().any(|change| change.old.is_none() && added(&change.new))
    }
}

/// Change sets of several partitions, each at most once, in ascending order
/// of partition.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The node that commits.
    pub node: NodeId,
    /// Commits of this node's committer so far.
    pub seq: u64,
    /// The parts.
    pub parts: Vec<Part>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum PartOutcome {
    /// Written.
    Applied,
    /// The head differed: somebody else owns the partition.
    Refused,
    /// It failed for a reason of its own, and the other parts stand as they
    /// are reported. Only from a store on which parts are applied each for
    /// itself; the error says the same of this part as it would say of a batch
    /// of it alone.
    Failed(StoreError),
}
