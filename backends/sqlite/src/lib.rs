//! The store in one SQLite file.
//!
//! # Model
//!
//! One connection writes, a few read. A batch is one transaction of few
//! set-based statements; its head is the row of the node that commits, and
//! the partitions' rows are compared inside the transaction. Reads are one
//! statement each and see every acknowledged commit.
//!
//! # Authority
//!
//! An operating-system lock beside the file keeps a second process out.
//! Inside the file, (epoch, nonce) of a partition decides who may write to
//! it, as for every other store.
//!
//! # Failures
//!
//! A failed transaction is rolled back before its error is returned; a
//! connection that does not take the rollback is replaced. Only a failure
//! that leaves open whether a commit counts is reported as unknown.

#[cfg(test)]
extern crate self as leasehold_sqlite;

mod binds;
mod errors;
#[cfg(test)]
mod failures;
mod flush;
pub mod inbox;
mod inspect;
mod lock;
mod open;
mod options;
mod ownership;
#[cfg(test)]
mod plan;
mod prepare;
mod read;
mod stats;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod texts;
mod wal;
mod write;
mod writer;

pub use inspect::{FileKind, FileReport, inspect};
pub use options::{SqliteOptions, Synchronous};
pub use stats::{RecordedTransaction, RecordedValue, Stats};

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
use lock::FileLock;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Executor};
use stats::{Counters, Recorder};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use wal::Wal;
use writer::Writer;

/// A store in one SQLite file.
pub struct SqliteBackend {
    // Dropped in this order: the lock outlives the connections.
    writer: Mutex<Writer>,
    readers: SqlitePool,
    wal: Wal,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    recorder: Arc<Recorder>,
    path: PathBuf,
    path_text: String,
    lock: std::sync::Mutex<Option<FileLock>>,
}

impl std::fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteBackend").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteBackend {
    /// Opens the file, making it when it is missing, and locks it for this
    /// object.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when the file is in use, naming its owner, or
    /// when it cannot be opened.
    pub async fn open(options: SqliteOptions, clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let counters = Arc::<Counters>::default();
        let recorder = Arc::<Recorder>::default();
        let opened = open::open(&options, &counters, &recorder).await?;
        Ok(Self {
            writer: Mutex::new(opened.writer),
            readers: opened.readers,
            wal: Wal::beside(&opened.path, options.wal_limit_bytes, options.checkpoint_pages, opened.copying),
            clock,
            counters,
            recorder,
            path_text: opened.path.display().to_string(),
            path: opened.path,
            lock: std::sync::Mutex::new(Some(opened.lock)),
        })
    }

    /// What the writing connection has done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Starts or stops keeping the statements of write transactions.
    pub fn record_statements(&self, on: bool) {
        self.recorder.switch(on);
    }

    /// Takes the write transactions recorded so far.
    pub fn take_recorded(&self) -> Vec<RecordedTransaction> {
        self.recorder.take()
    }

    /// The log's size on the disk.
    pub fn wal_bytes(&self) -> u64 {
        self.wal.bytes()
    }

    /// Whether the log is over its limit and could not be emptied, so that no
    /// new work should be taken.
    pub fn is_wal_over_limit(&self) -> bool {
        self.wal.is_over()
    }

    /// The writing connection, without a transaction.
    async fn writer(&self) -> StoreResult<MutexGuard<'_, Writer>> {
        let mut writer = self.writer.lock().await;
        writer.ready().await?;
        Ok(writer)
    }

    async fn after_commit(&self, writer: &mut Writer, rows: u64) {
        self.wal.check(self, writer, rows).await;
    }

    /// Runs one reading statement.
    async fn read(&self, sql: Arc<str>, binds: Binds) -> StoreResult<Vec<SqliteRow>> {
        Counters::add(&self.counters.reads, 1);
        let args = binds.finish().map_err(errors::of_read)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), args);
        (&self.readers).fetch_all(query).await.map_err(errors::of_read)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn time(&self) -> TimestampMs {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn path_text(&self) -> &str {
        &self.path_text
    }

    fn note_node(&self, node: NodeId) -> StoreResult<()> {
        match self.lock.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(lock) => lock.note_node(node),
            None => Err(StoreError::permanent("the store is closed")),
        }
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Sqlite
    }

    fn exclusive(&self) -> bool {
        true
    }

    fn committers(&self) -> usize {
        1
    }

    fn is_full(&self) -> bool {
        self.is_wal_over_limit()
    }

    async fn prepare(&self, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
        prepare::prepare(self, config).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.read("SELECT 1".into(), Binds::default()).await.map(drop)
    }

    async fn now(&self) -> StoreResult<TimestampMs> {
        Ok(self.time())
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

    async fn inbox(&self, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>> {
        read::inbox(self, after, limit).await
    }

    async fn inbox_of(&self, execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
        read::inbox_of(self, execution).await
    }

    /// SQLite does not tell one connection what another one does.
    fn watch(&self) -> Option<Hints> {
        Some(Hints::never())
    }

    /// The file belongs to one node, which has heard it already.
    fn announce(&self) {}

    async fn stored_index(&self, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
        read::stored_index(self, execution).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.wal.close().await;
        self.writer.lock().await.close().await;
        // The lock goes last: whoever gets it finds a file nobody works on.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
