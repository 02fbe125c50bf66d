//! The store on a PostgreSQL server, 14 or newer.
//!
//! # Model
//!
//! One schema holds everything. A batch is one statement of data-modifying
//! `WITH` queries, one per table and kind of change, whatever the batch's
//! size; its head is the row of the node that commits. Executions that have
//! not ended lie apart from those that have. Reads are one statement each.
//!
//! # Trips
//!
//! | call | round trips |
//! |---|---|
//! | `commit` | 1; with refused parts 3, after a takeover at the same moment two more |
//! | `register_node`, `heartbeat_node`, `bury_node`, `now`, `ping` | 1 |
//! | `take_partitions` | 4 |
//! | every load, scan and list | 1 |
//! | `landed` | 1, and 1 more where a commit was refused altogether |
//! | `prepare` | 6 when the schema is up to date |
//!
//! A statement costs one more the first time a connection sees it. Behind a
//! pooler in transaction mode ([`PostgresOptions::pooler`]) a trip becomes
//! four: `BEGIN`, prepare, run, `COMMIT`.
//!
//! # Authority
//!
//! (epoch, nonce) of a partition decides who may write to it. A commit takes
//! the row of its node, a takeover the rows of the nodes that lose something;
//! so the two never overlap. `write` says how a commit that began too early is
//! recognised.
//!
//! # Failures
//!
//! An error that the server answers with has rolled everything back. What was
//! sent and not answered is reported as unknown when it writes and tried once
//! more on a fresh connection when it reads. Every wait has a bound, on the
//! server and here ([`Timeouts`]); one connection is kept for commits and one
//! for ownership, so that neither waits for reads. Another listens for word
//! from outside writers; `watch` says what its loss means.

mod binds;
mod errors;
pub mod inbox;
pub mod inspect;
mod open;
mod options;
mod ownership;
mod place;
mod pool;
mod prepare;
mod read;
mod stats;
mod texts;
mod watch;
mod wire;
mod write;

pub use options::{PostgresOptions, Timeouts};
pub use stats::{RecordedCommit, Stats};

use async_trait::async_trait;
use binds::Binds;
use leasehold_backend::{
    Backend, Batch, Clock, DueEntry, ExpiredLease, ExpiredLeaseCursor, Hints, InboxEntry, Loaded, LoggedEvent, NodeRow,
    PartOutcome, ReadyGroup, StoreError, StoreIdentity, StoreResult, StoredIndex, Taken,
};
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use open::Pools;
use options::without_password;
use place::Place;
use pool::Transaction;
use sqlx::postgres::PgRow;
use stats::{Counters, Recorder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use texts::Texts;
use uuid::Uuid;

/// A store on a PostgreSQL server.
pub struct PostgresBackend {
    pools: Pools,
    texts: Texts,
    clock: Option<Arc<dyn Clock>>,
    counters: Arc<Counters>,
    recorder: Recorder,
    exclusive: bool,
    /// The last write found no room.
    full: AtomicBool,
    place: Place,
    url: String,
}

impl std::fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let schema = self.texts.schema();
        f.debug_struct("PostgresBackend").field("url", &self.url).field("schema", &schema).finish_non_exhaustive()
    }
}

impl PostgresBackend {
    /// Connects to the server. Nothing is looked at or changed before
    /// [`Backend::prepare`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when the options are unusable or the server
    /// cannot be reached or entered; [`StoreError::Busy`] when it is starting.
    pub async fn open(options: PostgresOptions) -> StoreResult<Self> {
        let texts = Texts::of(&options.schema)?;
        let counters = Arc::<Counters>::default();
        let pools = open::open(&options, &counters).await?;
        Ok(Self {
            pools,
            texts,
            clock: options.clock,
            counters,
            recorder: Recorder::default(),
            exclusive: options.exclusive,
            full: false.into(),
            place: Place::default(),
            url: without_password(&options.url),
        })
    }

    /// What the store has done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Starts or stops keeping the statements of commits.
    pub fn record_commits(&self, on: bool) {
        self.recorder.switch(on);
    }

    /// Takes the commits recorded so far.
    pub fn take_recorded(&self) -> Vec<RecordedCommit> {
        self.recorder.take()
    }

    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn texts(&self) -> &Texts {
        &self.texts
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn place(&self) -> &Place {
        &self.place
    }

    /// The time to go by, where it is not the server's.
    fn given_time(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().0)
    }

    /// Runs a reading statement.
    async fn read(&self, template: &'static str, binds: impl Fn() -> Binds) -> StoreResult<Vec<PgRow>> {
        self.read_text(&self.texts.get(template), binds).await
    }

    async fn read_text(&self, text: &Arc<str>, binds: impl Fn() -> Binds) -> StoreResult<Vec<PgRow>> {
        Counters::add(&self.counters.reads, 1);
        self.pools.readers.repeatable(text, binds).await
    }

    /// Runs a statement about ownership that does the same a second time.
    async fn own_again(&self, template: &'static str, binds: impl Fn() -> Binds) -> StoreResult<Vec<PgRow>> {
        let rows = self.pools.ownership.repeatable(&self.texts.get(template), binds).await;
        self.note_room(&rows);
        rows
    }

    async fn ownership_transaction(&self) -> StoreResult<Transaction<'_>> {
        self.pools.ownership.transaction().await
    }

    async fn write_batch(&self, text: Arc<str>, binds: Binds) -> StoreResult<Vec<PgRow>> {
        let rows = self.pools.commits.write(text, binds).await;
        self.note_room(&rows);
        rows
    }

    fn note_room<T>(&self, outcome: &StoreResult<T>) {
        match outcome {
            Ok(_) => self.full.store(false, Relaxed),
            Err(StoreError::Full { .. }) => self.full.store(true, Relaxed),
            Err(_) => {}
        }
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Postgres
    }

    fn exclusive(&self) -> bool {
        self.exclusive
    }

    fn committers(&self) -> usize {
        1
    }

    fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    async fn prepare(&self, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
        prepare::prepare(self, config).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.read("SELECT 1", Binds::default).await.map(drop)
    }

    async fn now(&self) -> StoreResult<TimestampMs> {
        ownership::now(self).await
    }

    async fn register_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
        ownership::register(self, node, ttl_ms).await
    }

    async fn heartbeat_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
        ownership::heartbeat(self, node, ttl_ms).await
    }

    async fn bury_node(&self, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
        ownership::bury(self, node, proven_gone).await
    }

    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        ownership::nodes(self).await
    }

    async fn take_partitions(
        &self,
        node: NodeId,
        nonce: u64,
        partitions: &[u16],
        epoch_floor: u64,
    ) -> StoreResult<Vec<Taken>> {
        ownership::take(self, node, nonce, partitions, epoch_floor).await
    }

    async fn commit(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        write::commit(self, batch).await
    }

    async fn landed(&self, batch: &Batch) -> StoreResult<Vec<bool>> {
        write::landed(self, batch).await
    }

    async fn load(&self, partition: u16, keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<Loaded> {
        read::load(self, partition, keys, blobs).await
    }

    async fn ready_groups(
        &self,
        partition: u16,
        after: Option<&ReadyGroup>,
        limit: usize,
    ) -> StoreResult<Vec<ReadyGroup>> {
        read::ready_groups(self, partition, after, limit).await
    }

    async fn scan_ready(
        &self,
        partition: u16,
        group: &ReadyGroup,
        after: Option<(i64, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>> {
        read::scan_ready(self, partition, group, after, limit).await
    }

    async fn scan_eligible(&self, partition: u16, lane: &LaneId, limit: usize) -> StoreResult<Vec<ExecutionId>> {
        read::scan_eligible(self, partition, lane, limit).await
    }

    async fn scan_due(
        &self,
        partition: u16,
        after: Option<(TimestampMs, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<DueEntry>> {
        read::scan_due(self, partition, after, limit).await
    }

    async fn scan_active(&self, partition: u16, after: Option<Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>> {
        read::scan_active(self, partition, after, limit).await
    }

    async fn list_expired_leases(
        &self,
        as_of: TimestampMs,
        after: Option<&ExpiredLeaseCursor>,
        limit: usize,
    ) -> StoreResult<Vec<ExpiredLease>> {
        read::list_expired_leases(self, as_of, after, limit).await
    }

    async fn scan_kept(
        &self,
        partition: u16,
        kind: KeptKind,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> StoreResult<Vec<Record>> {
        read::scan_kept(self, partition, kind, after, limit).await
    }

    async fn list_executions(
        &self,
        partition: u16,
        after: Option<Uuid>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>> {
        read::list_executions(self, partition, after, limit).await
    }

    async fn list_attempts(
        &self,
        execution: ExecutionId,
        after: Option<AttemptIndex>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Attempt>>> {
        read::list_attempts(self, execution, after, limit).await
    }

    async fn list_lanes(&self, after: Option<&LaneId>, limit: usize) -> StoreResult<Vec<LaneId>> {
        read::list_lanes(self, after, limit).await
    }

    async fn read_events(&self, partition: u16, after: Option<EventId>, limit: usize) -> StoreResult<Vec<LoggedEvent>> {
        read::read_events(self, partition, after, limit).await
    }

    async fn stored_index(&self, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
        read::stored_index(self, execution).await
    }

    async fn inbox(&self, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>> {
        read::inbox(self, after, limit).await
    }

    async fn inbox_of(&self, execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
        read::inbox_of(self, execution).await
    }

    fn watch(&self) -> Option<Hints> {
        Some(self.pools.watch.hints())
    }

    fn announce(&self) {
        self.pools.watch.announce();
    }

    async fn close(&self) {
        self.pools.watch.close();
        self.pools.readers.close().await;
        self.pools.commits.close().await;
        self.pools.ownership.close().await;
    }
}
