//! What the engine asks of a store.
//!
//! A [`Backend`] loads records, applies change sets behind a partition's head
//! and scans indexes. It knows no rule of the engine: nothing here speaks of
//! leases, retries or joins. Time and randomness are parameters of the engine
//! and are defined here too, since stores are asked for their time.
//!
//! # Authority
//!
//! Exactly one node owns a partition. Ownership is the pair *(epoch, nonce)*
//! stored with the partition; every commit carries the pair it believes in,
//! and a store refuses the part whose pair differs. Nothing else protects the
//! data: a late writer, a thawed process or a second node cannot get past it.

mod batch;
mod clock;
mod entropy;
mod error;
mod inbox;
mod inspect;
mod kept;
mod scan;

pub use batch::{Batch, Expected, Part, PartOutcome};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use error::{StoreError, StoreResult};
pub use inbox::{Hinter, Hints, INBOX_PAGE_BYTES, InboxEntry};
pub use inspect::{ClockReading, Holdings, Obstacle};
pub use kept::{kept_name, kept_record, kept_row};
pub use scan::{
    DueEntry, ExpiredLease, ExpiredLeaseCursor, Loaded, LoggedEvent, NodeRow, ReadyGroup, StoreIdentity, Taken,
    kept_bounds,
};

use async_trait::async_trait;
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// The most entries one scan or list returns, whatever it is asked for.
pub const PAGE_MAX: usize = 1000;

/// A store.
///
/// Every method may be called at the same time as every other. Reads see each
/// acknowledged commit. Pages are at most [`PAGE_MAX`] long.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Which store it is; part of every handle.
    fn tag(&self) -> BackendTag;

    /// Whether having this store open proves that every other node is gone,
    /// as a lock file of the same machine does.
    fn exclusive(&self) -> bool;

    /// How many committers of a node may have a batch on its way at the same
    /// time, each for partitions of its own; at least one. More than one suits
    /// a store whose parts know nothing of each other: while it applies one
    /// batch, the next one is built. A store that counts a node's batches has
    /// one.
    fn committers(&self) -> usize;

    /// Whether the store takes nothing that makes it grow until it has caught
    /// up. Creates are refused meanwhile; what runs may end.
    fn is_full(&self) -> bool;

    /// Brings the schema up to date and checks that the store belongs to this
    /// partition configuration. Idempotent.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for a newer schema, other partition counts or
    /// settings the engine cannot run on; nothing has been altered then.
    async fn prepare(&self, config: &PartitionConfig) -> StoreResult<StoreIdentity>;

    /// One round trip.
    async fn ping(&self) -> StoreResult<()>;

    /// The store's clock.
    async fn now(&self) -> StoreResult<TimestampMs>;

    /// Adds a live node whose lease runs `ttl_ms` from now.
    async fn register_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<()>;

    /// Renews a node's lease and tells the store's time. None when the lease
    /// had lapsed or the node was buried, and where the store may have less
    /// than it had when the node was registered (its server was started again
    /// or replaced), in which case the node is buried by this: it must stop at
    /// once, come back under a new identity and read everything afresh.
    async fn heartbeat_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>>;

    /// Marks a node as dead by compare-and-set on its lapsed lease. With
    /// `proven_gone` the lapse is not required: the caller knows by other
    /// means (the lock file of the same machine, or the node itself leaving).
    /// True when the node is dead afterwards.
    async fn bury_node(&self, node: NodeId, proven_gone: bool) -> StoreResult<bool>;

    /// All nodes not yet forgotten, live and dead.
    async fn nodes(&self) -> StoreResult<Vec<NodeRow>>;

    /// Takes partitions for `node` under a new epoch: greater than the stored
    /// one and at least `epoch_floor`. A partition of a live other node is
    /// left alone and missing in the answer; one this node owns already gets a
    /// new epoch, which shuts out a commit of its own that is still on its
    /// way. A node that is not registered, or buried, gets nothing.
    async fn take_partitions(
        &self,
        node: NodeId,
        nonce: u64,
        partitions: &[u16],
        epoch_floor: u64,
    ) -> StoreResult<Vec<Taken>>;

    /// Applies a batch. Per part all or nothing; a part whose expected head
    /// differs is refused and the others go through. When it returns `Ok`,
    /// every applied part is as durable as the store was configured to be, and
    /// the committer's count of batches goes up by one, even where every part
    /// was refused.
    ///
    /// A store that applies parts each for itself reports per part what became
    /// of it, so that one that fails takes no other along. Of a part that
    /// [failed](PartOutcome::Failed) as [`StoreError::Unknown`], [`landed`]
    /// tells more, asked with a batch of such parts under the same number.
    ///
    /// # Errors
    ///
    /// What holds for every part: none was applied ([`StoreError::Busy`],
    /// [`StoreError::Full`], [`StoreError::Permanent`]), or nobody knows of any
    /// ([`StoreError::Unknown`]).
    ///
    /// [`landed`]: Backend::landed
    async fn commit(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>>;

    /// Tells for each part of a batch whose outcome is unknown whether it was
    /// applied. Only asked after its partitions were taken anew, which shuts
    /// out a commit that is still on its way.
    async fn landed(&self, batch: &Batch) -> StoreResult<Vec<bool>>;

    /// Loads records and blobs of one partition, in the order asked for, from
    /// one snapshot.
    async fn load(&self, partition: u16, keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<Loaded>;

    /// The combinations of lane and requirements that have ready executions.
    async fn ready_groups(
        &self,
        partition: u16,
        after: Option<&ReadyGroup>,
        limit: usize,
    ) -> StoreResult<Vec<ReadyGroup>>;

    /// Ready executions of one group by (rank, id), after a place.
    async fn scan_ready(
        &self,
        partition: u16,
        group: &ReadyGroup,
        after: Option<(i64, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>>;

    /// Ready executions of one lane, whatever they require, by (rank, id).
    async fn scan_eligible(&self, partition: u16, lane: &LaneId, limit: usize) -> StoreResult<Vec<ExecutionId>>;

    /// Timers by (time, id), after a place.
    async fn scan_due(
        &self,
        partition: u16,
        after: Option<(TimestampMs, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<DueEntry>>;

    /// Active executions by id, after a place.
    async fn scan_active(&self, partition: u16, after: Option<Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>>;

    /// Active executions whose stored lease ran out by `as_of`, over all
    /// partitions, by (expiry, id).
    async fn list_expired_leases(
        &self,
        as_of: TimestampMs,
        after: Option<&ExpiredLeaseCursor>,
        limit: usize,
    ) -> StoreResult<Vec<ExpiredLease>>;

    /// Kept records of one [listed](KeptKind::is_listed) kind in the order of
    /// their names, after one of them. The place need not exist any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Permanent`] for a kind that is not listed and for a place
    /// of another kind.
    async fn scan_kept(
        &self,
        partition: u16,
        kind: KeptKind,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> StoreResult<Vec<Record>>;

    /// Executions of a partition by id, after a place, with their records.
    async fn list_executions(
        &self,
        partition: u16,
        after: Option<Uuid>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>>;

    /// Attempts of an execution that others followed, by index, after a
    /// place. The live or last one is part of the execution's record.
    async fn list_attempts(
        &self,
        execution: ExecutionId,
        after: Option<AttemptIndex>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Attempt>>>;

    /// Lanes seen by any partition, by name, after a place.
    async fn list_lanes(&self, after: Option<&LaneId>, limit: usize) -> StoreResult<Vec<LaneId>>;

    /// Events of a partition in commit order, after a place.
    async fn read_events(&self, partition: u16, after: Option<EventId>, limit: usize) -> StoreResult<Vec<LoggedEvent>>;

    /// What outside writers have left in the inbox and committed, by number,
    /// after a place, over all partitions. A page may be shorter than asked
    /// for because of [`INBOX_PAGE_BYTES`]; only an empty one is the end. A
    /// number is never used twice. A lower one may turn up after a higher
    /// one, when its transaction committed later.
    async fn inbox(&self, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>>;

    /// The first entry of the inbox that is about an execution.
    async fn inbox_of(&self, execution: ExecutionId) -> StoreResult<Option<InboxEntry>>;

    /// Word that an outside writer may have written, from now on. None where
    /// there are no outside writers: the inbox stays empty and nobody has to
    /// look into it.
    fn watch(&self) -> Option<Hints>;

    /// Passes word on that an outside writer has written, to whoever
    /// [watches](Self::watch) this store on other nodes. Returns at once; the
    /// word may be lost, and several may arrive as one.
    fn announce(&self);

    /// What the store keeps as index entries of one execution, for the
    /// checker: queue name, score and due time, read from the indexes rather
    /// than from the record.
    async fn stored_index(&self, execution: ExecutionId) -> StoreResult<Option<StoredIndex>>;

    /// Gives back everything the store holds outside its data: connections,
    /// locks, threads.
    async fn close(&self);
}

/// Index entries as a store keeps them, to be compared with
/// [`leasehold_core::index::index_entries`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIndex {
    /// The queue the store lists the execution in.
    pub queue: String,
    /// The lane the queue belongs to.
    pub lane_id: LaneId,
    /// The number the queue is ordered by.
    pub score: i64,
    /// The timer entry, if there is one.
    pub due_at: Option<TimestampMs>,
}
