//! The store in Valkey or Redis, one server or a Cluster.
//!
//! # Model
//!
//! A partition is a handful of keys with one hash tag. One function call
//! applies a partition's change set behind its head; several partitions are
//! pipelined, one pipeline per primary. The server knows no rule of the
//! engine: what is written is derived here from the change set and from
//! `core::index`, and the function verifies and writes it.
//!
//! # Keys
//!
//! Every key begins with the prefix, `leasehold` unless configured; `N` is a
//! partition's number. Records are the core's encoding, with its version
//! byte in front.
//!
//! | key | type | content | written by |
//! |---|---|---|---|
//! | `P:{s}:meta` | hash | schema, identity, partition counts | `setup` |
//! | `P:{s}:nodes` | hash | node → when its lease lapses, whether it was buried | `register`, `heartbeat`, `bury` |
//! | `P:{pN}:head` | hash | owner, epoch, nonce, seq, time, last event; `previous_*`: the last head under which anything was written; `broken`: why the partition is out of service | `take`, `commit` |
//! | `P:{pN}:execution` | hash | uuid → execution | `commit` |
//! | `P:{pN}:ids` | sorted set | uuids of all executions | `commit` |
//! | `P:{pN}:index` | sorted set | `r` lane 0 requirements 0 rank uuid: ready; `a` uuid: active; `d` time uuid: timer | `commit` |
//! | `P:{pN}:blob` | hash | uuid and `p` or `r` → payload or large result | `commit` |
//! | `P:{pN}:event` | stream | id epoch-number of the last event, field `e` repeated: the events of a commit, up to 64 | `commit` |
//! | `P:{pN}:attempt`, `attempts` | hash, sorted set | uuid index → attempt that another followed; the names | `commit` |
//! | `P:{pN}:idempotency` | hash | namespace and key → what it stands for | `commit` |
//! | `P:{pN}:lane`, `lanes` | hash, sorted set | name → lane; the names | `commit` |
//! | `P:{pN}:kept`, `listed` | hash, sorted set | kind and name → record of a suspension or a flow; the names of the kinds that are listed | `commit` |
//!
//! Nothing expires by itself. Sorted sets are ordered by their members, whose
//! numbers are bytes; a score is a double and does not order every `i64`.
//! What waits, is suspended or has ended has no entry beyond its timer: no
//! scan asks for it, and the record says where it stands.
//!
//! # Round trips
//!
//! One per commit and per page, to all primaries concerned at the same time;
//! `take_partitions` four (nodes, heads, takeover, nodes), `stored_index` two,
//! `list_expired_leases` one per thousand active executions of the fullest
//! partition. A heartbeat is one command, one more per primary of a Cluster,
//! and one more per primary while memory is full.
//!
//! # Durability
//!
//! [`Durability`] says what an acknowledged commit survives. The wait for the
//! disk or for replicas travels behind the commits in the same pipeline on a
//! connection of its own, so that nobody else waits; too few acknowledgements
//! make the outcome unknown. A takeover waits in the same way, and what it
//! waits for includes all that was written before, so that a commit found to
//! have landed afterwards is as durable as any other.
//!
//! # Failures
//!
//! The functions verify everything before their first write. If a write
//! fails all the same, the partition's head is marked and everything about
//! the partition is refused from then on, loudly. A pipeline without an
//! answer leaves a commit's outcome unknown and is never sent again by
//! itself; a read is sent once more. Calls that a server refused to begin
//! (the slot moved, the functions are gone) are sent again once that is
//! mended.
//!
//! A server that was started again, or one that took the place of another,
//! may have less than what was written. The next heartbeat then ends the
//! node's life, and the next life reads everything afresh.
//!
//! When memory is full, change sets that add executions, payloads or flows are
//! refused; all others go through a function that the server runs all the
//! same, so that what runs can end, suspend and be signalled.

mod commit;
mod errors;
pub mod inspect;
mod keys;
mod keyspace;
mod library;
mod memory;
mod nodes;
mod options;
mod prepare;
mod read;
mod server;
mod stats;
mod values;
mod wire;

pub use keyspace::{KeyCount, Keyspace};
pub use options::{Durability, RedisOptions};
pub use server::Server;
pub use stats::Stats;

use async_trait::async_trait;
use keys::{Keys, SYSTEM_TAG};
use leasehold_backend::{
    Backend, Batch, DueEntry, ExpiredLease, ExpiredLeaseCursor, Hints, InboxEntry, Loaded, LoggedEvent, NodeRow,
    PartOutcome, ReadyGroup, StoreError, StoreIdentity, StoreResult, StoredIndex, Taken,
};
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use memory::Memory;
use redis::IntoConnectionInfo;
use stats::Counters;
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;
use wire::{Call, How, Runs, Surveyor, Timeouts, Wait, Wire, WireTimeouts};

/// A store in Valkey or Redis.
pub struct RedisBackend {
    options: RedisOptions,
    keys: Keys,
    wire: Wire,
    memory: Memory,
    prepared: RwLock<Option<Prepared>>,
}

/// What is known once the store was prepared.
#[derive(Clone)]
struct Prepared {
    config: PartitionConfig,
    wait: Option<Wait>,
}

impl std::fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBackend").field("options", &self.options).finish_non_exhaustive()
    }
}

impl RedisBackend {
    /// Connects, and finds out whether it is a Cluster. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for an unusable address or prefix and when no
    /// server can be reached.
    pub async fn open(options: RedisOptions) -> StoreResult<Self> {
        if options.prefix.is_empty() || options.prefix.contains(['{', '}']) {
            return Err(StoreError::refused(format!(
                "The key prefix {:?} is unusable: it must not be empty, and braces would change where a Cluster keeps \
                 the keys.",
                options.prefix
            )));
        }
        let seeds = options.urls.iter().map(|url| seed(url)).collect::<StoreResult<Vec<_>>>()?;
        let reads = Timeouts { connect: options.connect_timeout, response: options.response_timeout };
        let writes = Timeouts { response: options.response_timeout + options.durability_timeout, ..reads };
        let surveyor = Surveyor {
            seeds,
            readers: options.readers,
            timeouts: WireTimeouts { reads, writes },
            counters: Arc::<Counters>::default(),
            runs: Arc::<Runs>::default(),
        };
        let wire = Wire::new(surveyor);
        wire.find_cluster().await.map_err(|cut| server::of_cut(&cut))?;
        Ok(Self {
            keys: Keys::new(&options.prefix),
            options,
            wire,
            memory: Memory::default(),
            prepared: RwLock::default(),
        })
    }

    /// What the store was asked so far.
    pub fn stats(&self) -> Stats {
        self.wire.counters.read()
    }

    /// Whether it is a Cluster.
    pub fn is_cluster(&self) -> bool {
        self.wire.topology().clustered
    }

    fn prepared(&self) -> Option<Prepared> {
        self.prepared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_prepared(&self, config: PartitionConfig, wait: Option<Wait>) {
        *self.prepared.write().unwrap_or_else(PoisonError::into_inner) = Some(Prepared { config, wait });
    }

    fn config(&self) -> StoreResult<PartitionConfig> {
        self.prepared().map(|prepared| prepared.config).ok_or_else(nodes::not_prepared)
    }

    fn wait(&self) -> Option<Wait> {
        self.prepared().and_then(|prepared| prepared.wait)
    }

    /// The time to be sent along; empty where the server's own counts.
    fn given_time(&self) -> String {
        self.options.clock.as_ref().map(|clock| clock.now().0.to_string()).unwrap_or_default()
    }
}

fn seed(url: &str) -> StoreResult<redis::ConnectionInfo> {
    let info = url.into_connection_info().map_err(|error| {
        StoreError::refused(format!(
            "The store's address {} cannot be read: {error}. It is written redis://[user:password@]host:port.",
            options::without_password(url)
        ))
    })?;
    // The older protocol answers every command in one shape on every server.
    let settings = info.redis_settings().clone().set_protocol(redis::ProtocolVersion::RESP2);
    Ok(info.set_redis_settings(settings))
}

#[async_trait]
impl Backend for RedisBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Valkey
    }

    fn exclusive(&self) -> bool {
        self.options.exclusive
    }

    fn committers(&self) -> usize {
        // While the server executes one batch, the other is built or taken
        // apart. A wait for the disk or for replicas holds up the connection
        // and with it the second batch, which would only be shorter for it.
        if self.options.durability == Durability::Acknowledged { 2 } else { 1 }
    }

    fn is_full(&self) -> bool {
        self.memory.is_full()
    }

    async fn prepare(&self, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
        prepare::prepare(self, config).await
    }

    async fn ping(&self) -> StoreResult<()> {
        let call = Call::new(SYSTEM_TAG, vec![redis::cmd("PING")]);
        self.wire.call(&How::READ, call).await.read().map(drop)
    }

    async fn now(&self) -> StoreResult<TimestampMs> {
        nodes::now(self).await
    }

    async fn register_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
        nodes::register(self, node, ttl_ms).await
    }

    async fn heartbeat_node(&self, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
        nodes::heartbeat(self, node, ttl_ms).await
    }

    async fn bury_node(&self, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
        nodes::bury(self, node, proven_gone).await
    }

    async fn nodes(&self) -> StoreResult<Vec<NodeRow>> {
        nodes::nodes(self).await
    }

    async fn take_partitions(
        &self,
        node: NodeId,
        nonce: u64,
        partitions: &[u16],
        epoch_floor: u64,
    ) -> StoreResult<Vec<Taken>> {
        nodes::take(self, node, nonce, partitions, epoch_floor).await
    }

    async fn commit(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        commit::commit(self, batch).await
    }

    async fn landed(&self, batch: &Batch) -> StoreResult<Vec<bool>> {
        commit::landed(self, batch).await
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

    async fn scan_kept(
        &self,
        partition: u16,
        kind: KeptKind,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> StoreResult<Vec<Record>> {
        read::scan_kept(self, partition, kind, after, limit).await
    }

    async fn list_expired_leases(
        &self,
        as_of: TimestampMs,
        after: Option<&ExpiredLeaseCursor>,
        limit: usize,
    ) -> StoreResult<Vec<ExpiredLease>> {
        read::list_expired_leases(self, as_of, after, limit).await
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

    async fn inbox(&self, _after: Option<i64>, _limit: usize) -> StoreResult<Vec<InboxEntry>> {
        // An application's transaction cannot span this store.
        Ok(Vec::new())
    }

    async fn inbox_of(&self, _execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
        Ok(None)
    }

    fn watch(&self) -> Option<Hints> {
        None
    }

    /// There are no outside writers.
    fn announce(&self) {}

    async fn close(&self) {
        self.wire.close().await;
    }
}
