//! A store whose calls are counted while they are under way, so that a test
//! knows when the engine has come to rest.

use async_trait::async_trait;
use leasehold_backend::{
    Backend, Batch, DueEntry, ExpiredLease, ExpiredLeaseCursor, Hints, InboxEntry, Loaded, LoggedEvent, NodeRow,
    PartOutcome, ReadyGroup, StoreIdentity, StoreResult, StoredIndex, Taken,
};
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;
use uuid::Uuid;

/// Calls to a store, begun and ended.
#[derive(Debug, Default)]
pub(super) struct Calls {
    begun: AtomicU64,
    ended: AtomicU64,
    end: Notify,
}

impl Calls {
    /// How many have begun and ended.
    pub(super) fn seen(&self) -> (u64, u64) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }

    /// Waits until none is under way.
    pub(super) async fn idle(&self) {
        loop {
            let end = self.end.notified();
            let (begun, ended) = self.seen();
            if begun == ended {
                return;
            }
            end.await;
        }
    }

    /// A call that ends, in whatever way, when this is dropped.
    fn enter(&self) -> Call<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Call(self)
    }
}

struct Call<'a>(&'a Calls);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        self.0.end.notify_waiters();
    }
}

/// A store that the end of an engine leaves open: whoever has opened it closes
/// it, having looked at what is in it.
pub(super) struct LeftOpen(pub(super) Arc<dyn Backend>);

impl Deref for LeftOpen {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl LeftOpen {
    /// Comes before that of the store.
    #[expect(clippy::unused_async, reason = "stands in for a method of the store")]
    async fn close(&self) {}
}

/// A store and the calls to it.
pub(super) struct Watched {
    pub(super) store: LeftOpen,
    pub(super) calls: Arc<Calls>,
}

impl Watched {
    fn enter(&self) -> Call<'_> {
        self.calls.enter()
    }
}

/// A store in front of `self.store`: every call is passed on, and what
/// `self.enter()` gives lives as long as the call.
macro_rules! delegated {
    ($wrapper:ty { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+ }) => {
        #[async_trait]
        impl Backend for $wrapper {
            fn tag(&self) -> BackendTag {
                self.store.tag()
            }

            fn exclusive(&self) -> bool {
                self.store.exclusive()
            }

            fn committers(&self) -> usize {
                self.store.committers()
            }

            fn is_full(&self) -> bool {
                self.store.is_full()
            }

            fn watch(&self) -> Option<Hints> {
                self.store.watch()
            }

            fn announce(&self) {
                self.store.announce();
            }

            $(async fn $name(&self, $($argument: $kind),*) -> $answer {
                let _call = self.enter();
                self.store.$name($($argument),*).await
            })+
        }
    };
}

/// Makes a type with a `store` a store, by passing every call on to it. Where
/// `store` dereferences to the store itself, methods of its own come first.
macro_rules! delegate_backend {
    ($wrapper:ty) => {
        $crate::harness::watched::delegated! { $wrapper {
            prepare(config: &PartitionConfig) -> StoreResult<StoreIdentity>;
            ping() -> StoreResult<()>;
            now() -> StoreResult<TimestampMs>;
            register_node(node: NodeId, ttl_ms: u64) -> StoreResult<()>;
            heartbeat_node(node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>>;
            bury_node(node: NodeId, proven_gone: bool) -> StoreResult<bool>;
            nodes() -> StoreResult<Vec<NodeRow>>;
            take_partitions(node: NodeId, nonce: u64, partitions: &[u16], epoch_floor: u64) -> StoreResult<Vec<Taken>>;
            commit(batch: &Batch) -> StoreResult<Vec<PartOutcome>>;
            landed(batch: &Batch) -> StoreResult<Vec<bool>>;
            load(partition: u16, keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<Loaded>;
            ready_groups(partition: u16, after: Option<&ReadyGroup>, limit: usize) -> StoreResult<Vec<ReadyGroup>>;
            scan_ready(
                partition: u16,
                group: &ReadyGroup,
                after: Option<(i64, Uuid)>,
                limit: usize
            ) -> StoreResult<Vec<Arc<Execution>>>;
            scan_eligible(partition: u16, lane: &LaneId, limit: usize) -> StoreResult<Vec<ExecutionId>>;
            scan_due(partition: u16, after: Option<(TimestampMs, Uuid)>, limit: usize) -> StoreResult<Vec<DueEntry>>;
            scan_active(partition: u16, after: Option<Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>>;
            scan_kept(
                partition: u16,
                kind: KeptKind,
                after: Option<&RecordKey>,
                limit: usize
            ) -> StoreResult<Vec<Record>>;
            list_expired_leases(
                as_of: TimestampMs,
                after: Option<&ExpiredLeaseCursor>,
                limit: usize
            ) -> StoreResult<Vec<ExpiredLease>>;
            list_executions(partition: u16, after: Option<Uuid>, limit: usize) -> StoreResult<Vec<Arc<Execution>>>;
            list_attempts(
                execution: ExecutionId,
                after: Option<AttemptIndex>,
                limit: usize
            ) -> StoreResult<Vec<Arc<Attempt>>>;
            list_lanes(after: Option<&LaneId>, limit: usize) -> StoreResult<Vec<LaneId>>;
            read_events(partition: u16, after: Option<EventId>, limit: usize) -> StoreResult<Vec<LoggedEvent>>;
            inbox(after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>>;
            inbox_of(execution: ExecutionId) -> StoreResult<Option<InboxEntry>>;
            stored_index(execution: ExecutionId) -> StoreResult<Option<StoredIndex>>;
            close() -> ();
        } }
    };
}

delegate_backend!(Watched);

#[cfg(test)]
pub(crate) use delegate_backend;
pub(crate) use delegated;
