//! What scans, loads and ownership calls return.

use crate::{StoreError, StoreResult};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::event::{Event, EventId};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId, NodeId, WorkerInstanceId};
use leasehold_core::record::{Blob, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use uuid::Uuid;

/// Records and blobs in the order they were asked for; none where there is
/// no such thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The records.
    pub records: Vec<Option<Record>>,
    /// The blobs.
    pub blobs: Vec<Option<Blob>>,
}

/// Executions that the same workers can do: one lane, one set of
/// requirements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadyGroup {
    /// The lane.
    pub lane_id: LaneId,
    /// What a worker must offer.
    pub requirements: CapabilitySet,
}

/// A timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueEntry {
    /// When.
    pub due_at: TimestampMs,
    /// Of which execution.
    pub execution: Uuid,
}

/// A place in the list of expired leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpiredLeaseCursor {
    /// The expiry of the last entry seen.
    pub expires_at: TimestampMs,
    /// Its execution.
    pub execution_id: ExecutionId,
}

/// An active execution whose stored lease ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredLease {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its last lease.
    pub lease_id: LeaseId,
    /// That lease's epoch.
    pub lease_epoch: LeaseEpoch,
    /// Who had it.
    pub worker_instance_id: WorkerInstanceId,
    /// When it ran out, as stored.
    pub expires_at: TimestampMs,
    /// The attempt it drove.
    pub attempt_index: AttemptIndex,
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place.
    pub id: EventId,
    /// The event.
    pub event: Event,
}

/// A node as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its identity.
    pub node: NodeId,
    /// When its lease lapses or lapsed, by the store's clock.
    pub expires_at: TimestampMs,
    /// Whether it was buried.
    pub dead: bool,
}

/// A partition that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The partition.
    pub partition: u16,
    /// Its new epoch.
    pub epoch: u64,
    /// Partition time reached so far; must not decrease.
    pub time: TimestampMs,
    /// Who owned it before, if anybody did.
    pub previous_owner: Option<NodeId>,
}

/// What tells one store from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Made once, when the store was first prepared.
    pub store_id: Uuid,
    /// The schema's version.
    pub schema_version: u32,
}

/// The bounds, both exclusive, between which a store finds the names of a
/// listed kind after a place.
///
/// # Errors
///
/// [`StoreError::Permanent`] for a kind that is not listed and for a place of
/// another kind.
pub fn kept_bounds(kind: KeptKind, after: Option<&RecordKey>) -> StoreResult<(Vec<u8>, Vec<u8>)> {
    if !kind.is_listed() {
        return Err(StoreError::permanent(format!("records of the kind {kind:?} are not listed")));
    }
    let lower = match after {
        // No name is as short as the byte that opens it.
        None => vec![kind.byte()],
        Some(key) => match key.kept() {
            Some((of, name)) if of == kind => name,
            _ => return Err(StoreError::permanent(format!("{key:?} is no place among {kind:?}"))),
        },
    };
    Ok((lower, vec![kind.byte() + 1]))
}
