//! A node's way to the store.

use crate::data::{Data, MemoryStore};
use crate::inbox::{self, Inbox};
use crate::partition::Partition;
use crate::plan::FaultPlan;
use async_trait::async_trait;
use leasehold_backend::{
    Backend, Batch, Clock, DueEntry, ExpiredLease, ExpiredLeaseCursor, Hints, InboxEntry, Loaded, LoggedEvent, NodeRow,
    PAGE_MAX, Part, PartOutcome, ReadyGroup, StoreError, StoreIdentity, StoreResult, StoredIndex, Taken, kept_bounds,
};
use leasehold_core::error::EngineError;
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, AttemptKey, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

/// One node's connection to a [`MemoryStore`].
///
/// All backends of a store are given the same clock: it is the store's.
pub struct MemoryBackend {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) faults: FaultPlan,
    pub(crate) crashed: AtomicBool,
    exclusive: bool,
}

impl MemoryBackend {
    /// A connection on which nothing goes wrong until [`Self::faults`] says so.
    pub fn new(store: MemoryStore, clock: Arc<dyn Clock>) -> Self {
        Self::with_faults(store, clock, FaultPlan::new())
    }

    /// A connection under a plan that may be shared with other connections.
    pub fn with_faults(store: MemoryStore, clock: Arc<dyn Clock>, faults: FaultPlan) -> Self {
        Self { store, clock, faults, crashed: AtomicBool::new(false), exclusive: false }
    }

    /// Kills the node as the end of its process would: no call returns any
    /// more.
    pub fn crash(&self) {
        self.crashed.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Stands for a store on one machine, where opening it proves that the
    /// node before is gone. The driver sees to it that this is so.
    #[must_use]
    pub fn exclusively(self) -> Self {
        Self { exclusive: true, ..self }
    }

    /// The plan of what goes wrong.
    pub const fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    /// The store behind it.
    pub const fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Reads from one partition; one that was never written is empty.
    async fn read_partition<T: Default>(
        &self,
        partition: u16,
        f: impl FnOnce(&Partition) -> StoreResult<T> + Send,
    ) -> StoreResult<T> {
        self.read(|data| data.partitions.get(&partition).map_or_else(|| Ok(T::default()), f)).await
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend").field("faults", &self.faults).finish_non_exhaustive()
    }
}

const fn page(limit: usize) -> usize {
    if limit < PAGE_MAX { limit } else { PAGE_MAX }
}

/// The executions behind index entries. An entry without a record is a
/// corrupt index, and saying nothing of it would hide it.
fn resolve(partition: &Partition, ids: impl Iterator<Item = Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>> {
    ids.take(page(limit)).map(|id| partition.execution(id).cloned().ok_or_else(|| dangling(id))).collect()
}

fn dangling(id: Uuid) -> StoreError {
    EngineError::corruption("execution", "index", &format!("{id} has an entry and no record")).into()
}

fn lapsed(
    index: u16,
    partition: &Partition,
    as_of: TimestampMs,
    after: Option<&ExpiredLeaseCursor>,
    limit: usize,
) -> StoreResult<Vec<ExpiredLease>> {
    let from = after.map_or(TimestampMs(i64::MIN), |cursor| cursor.expires_at);
    partition
        .entries
        .lapsing(from)
        .take_while(|(expires_at, _)| *expires_at <= as_of)
        .map(|(expires_at, id)| {
            (ExpiredLeaseCursor { expires_at, execution_id: ExecutionId::from_parts(index, id) }, id)
        })
        .filter(|(place, _)| after.is_none_or(|after| place > after))
        .take(limit)
        .map(|(place, id)| {
            let execution = partition.execution(id).ok_or_else(|| dangling(id))?;
            let lease = execution.lease.as_ref().ok_or_else(|| {
                EngineError::corruption("execution", "lease", &format!("{id} has an expiry and no lease"))
            })?;
            Ok(ExpiredLease {
                execution_id: place.execution_id,
                lease_id: lease.lease_id,
                lease_epoch: lease.lease_epoch,
                worker_instance_id: lease.worker_instance_id.clone(),
                expires_at: place.expires_at,
                attempt_index: execution.current_attempt_index(),
            })
        })
        .collect()
}

fn take(data: &mut Data, node: NodeId, nonce: u64, partitions: &[u16], floor: u64) -> StoreResult<Vec<Taken>> {
    let count = data.count()?;
    let mut taken = Vec::new();
    if !data.nodes.is_alive(node) {
        // A buried node that took something would own it unseen.
        return Ok(taken);
    }
    for &index in partitions.iter().filter(|index| **index < count) {
        let previous_owner = data.partitions.get(&index).and_then(|partition| partition.owner);
        if data.may_take(node, previous_owner) {
            let partition = data.partitions.entry(index).or_default();
            partition.take(node, nonce, floor);
            taken.push(Taken { partition: index, epoch: partition.head.epoch, time: partition.time, previous_owner });
        }
    }
    Ok(taken)
}

#[async_trait]
impl Backend for MemoryBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Memory
    }

    fn exclusive(&self) -> bool {
        self.exclusive
    }

    fn committers(&self) -> usize {
        1
    }

    fn is_full(&self) -> bool {
        self.faults.is_full()
    }

    async fn prepare(&self, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
        self.ownership(|data| data.prepare(*config)).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.read(|_| Ok(())).await
    }

    async fn now(&self) -> StoreResult<TimestampMs> {
        self.read(|_| Ok(self.clock.now())).await
    }

    async fn register_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
        self.ownership(|data| {
            data.nodes.register(node, self.clock.now().plus(ttl_ms));
            Ok(())
        })
        .await
    }

    async fn heartbeat_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
        self.heartbeat(node, ttl_ms).await
    }

    async fn bury_node(&self, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
        self.ownership(|data| Ok(data.nodes.bury(node, self.clock.now(), proven_gone))).await
    }

    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        self.ownership(|data| Ok(data.nodes.rows())).await
    }

    async fn take_partitions(
        &self,
        node: NodeId,
        nonce: u64,
        partitions: &[u16],
        epoch_floor: u64,
    ) -> StoreResult<Vec<Taken>> {
        self.ownership(|data| take(data, node, nonce, partitions, epoch_floor)).await
    }

    async fn commit(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        self.apply(batch).await
    }

    async fn landed(&self, batch: &Batch) -> StoreResult<Vec<bool>> {
        self.ownership(|data| {
            let landed = |part: &Part| {
                let partition = data.partitions.get(&part.expected.partition);
                partition.is_some_and(|partition| partition.landed(&part.expected))
            };
            Ok(batch.parts.iter().map(landed).collect())
        })
        .await
    }

    async fn load(&self, partition: u16, keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<Loaded> {
        self.read(|data| {
            let partition = data.partitions.get(&partition);
            Ok(Loaded {
                records: keys.iter().map(|key| partition.and_then(|p| p.records.get(key).cloned())).collect(),
                blobs: blobs.iter().map(|key| partition.and_then(|p| p.blobs.get(key).cloned())).collect(),
            })
        })
        .await
    }

    async fn ready_groups(
        &self,
        partition: u16,
        after: Option<&ReadyGroup>,
        limit: usize,
    ) -> StoreResult<Vec<ReadyGroup>> {
        self.read_partition(partition, |partition| Ok(partition.entries.ready_groups(after, page(limit)))).await
    }

    async fn scan_ready(
        &self,
        partition: u16,
        group: &ReadyGroup,
        after: Option<(i64, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>> {
        let scan = |partition: &Partition| resolve(partition, partition.entries.ready(group, after), limit);
        self.read_partition(partition, scan).await
    }

    async fn scan_eligible(&self, partition: u16, lane: &LaneId, limit: usize) -> StoreResult<Vec<ExecutionId>> {
        self.read_partition(partition, |found| {
            let ids = found.entries.eligible(lane).take(page(limit));
            Ok(ids.map(|id| ExecutionId::from_parts(partition, id)).collect())
        })
        .await
    }

    async fn scan_due(
        &self,
        partition: u16,
        after: Option<(TimestampMs, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<DueEntry>> {
        let scan = |partition: &Partition| Ok(partition.entries.due(after).take(page(limit)).collect());
        self.read_partition(partition, scan).await
    }

    async fn scan_active(&self, partition: u16, after: Option<Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>> {
        let scan = |partition: &Partition| resolve(partition, partition.entries.active(after), limit);
        self.read_partition(partition, scan).await
    }

    async fn scan_kept(
        &self,
        partition: u16,
        kind: KeptKind,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> StoreResult<Vec<Record>> {
        kept_bounds(kind, after)?;
        let start = match (after, kind.first()) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => return Ok(Vec::new()),
        };
        self.read_partition(partition, |partition| {
            let of_kind = |key: &RecordKey| key.kept().is_some_and(|(of, _)| of == kind);
            let found = partition.records.range((start, Bound::Unbounded)).take_while(|(key, _)| of_kind(key));
            Ok(found.take(page(limit)).map(|(_, record)| record.clone()).collect())
        })
        .await
    }

    async fn list_expired_leases(
        &self,
        as_of: TimestampMs,
        after: Option<&ExpiredLeaseCursor>,
        limit: usize,
    ) -> StoreResult<Vec<ExpiredLease>> {
        let limit = page(limit);
        self.read(|data| {
            let mut all = Vec::new();
            for (&index, partition) in &data.partitions {
                all.extend(lapsed(index, partition, as_of, after, limit)?);
            }
            all.sort_by_key(|lease| (lease.expires_at, lease.execution_id));
            all.truncate(limit);
            Ok(all)
        })
        .await
    }

    async fn list_executions(
        &self,
        partition: u16,
        after: Option<Uuid>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>> {
        self.read_partition(partition, |partition| {
            let start = match after {
                Some(id) => Bound::Excluded(RecordKey::Execution(id)),
                None => Bound::Included(RecordKey::Execution(Uuid::nil())),
            };
            let records = partition.records.range((start, Bound::Unbounded));
            Ok(records.map_while(|(_, record)| record.as_execution().cloned()).take(page(limit)).collect())
        })
        .await
    }

    async fn list_attempts(
        &self,
        execution: ExecutionId,
        after: Option<AttemptIndex>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Attempt>>> {
        let key = |index| RecordKey::Attempt(AttemptKey { execution: execution.uuid(), index });
        self.read_partition(execution.partition(), |partition| {
            let start =
                after.map_or_else(|| Bound::Included(key(AttemptIndex(0))), |index| Bound::Excluded(key(index)));
            let end = Bound::Included(key(AttemptIndex(u32::MAX)));
            let attempt = |record: &Record| match record {
                Record::Attempt(attempt) => Some(attempt.clone()),
                _ => None,
            };
            let records = partition.records.range((start, end));
            Ok(records.filter_map(|(_, record)| attempt(record)).take(page(limit)).collect())
        })
        .await
    }

    async fn list_lanes(&self, after: Option<&LaneId>, limit: usize) -> StoreResult<Vec<LaneId>> {
        self.read(|data| {
            let keys = data.partitions.values().flat_map(|partition| partition.records.keys());
            let lane = |key: &RecordKey| match key {
                RecordKey::Lane(lane) => Some(lane.clone()),
                _ => None,
            };
            let lanes: BTreeSet<LaneId> =
                keys.filter_map(lane).filter(|lane| after.is_none_or(|after| lane > after)).collect();
            Ok(lanes.into_iter().take(page(limit)).collect())
        })
        .await
    }

    async fn read_events(&self, partition: u16, after: Option<EventId>, limit: usize) -> StoreResult<Vec<LoggedEvent>> {
        self.read_partition(partition, |partition| {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let events = partition.events.range((start, Bound::Unbounded)).take(page(limit));
            Ok(events.map(|(id, event)| LoggedEvent { id: *id, event: event.clone() }).collect())
        })
        .await
    }

    async fn inbox(&self, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>> {
        let entries = |inbox: &Inbox| inbox.page(after, page(limit));
        self.read(|data| Ok(data.inbox.as_ref().map(entries).unwrap_or_default())).await
    }

    async fn inbox_of(&self, execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
        if self.watch().is_none() {
            return Ok(None);
        }
        self.read(|data| Ok(data.inbox.as_ref().and_then(|inbox| inbox.of(execution)))).await
    }

    fn watch(&self) -> Option<Hints> {
        self.store.with(|data| data.inbox.as_ref().map(Inbox::hints))
    }

    fn announce(&self) {
        inbox::announce(&self.store);
    }

    async fn stored_index(&self, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
        self.read_partition(execution.partition(), |partition| Ok(partition.entries.stored(execution.uuid()))).await
    }

    async fn close(&self) {}
}
