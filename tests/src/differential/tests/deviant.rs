//! Stores that are not quite what they should be.

use crate::harness::watched::delegate_backend;
use async_trait::async_trait;
use leasehold_backend::{
    Backend, Batch, DueEntry, ExpiredLease, ExpiredLeaseCursor, Hints, InboxEntry, Loaded, LoggedEvent, NodeRow,
    PartOutcome, ReadyGroup, StoreIdentity, StoreResult, StoredIndex, Taken,
};
use leasehold_core::decision::ChangeSet;
use leasehold_core::event::EventId;
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, NodeId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Attempt, BlobKey, Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Of so many commits with events, one loses its last event.
const LOST_EVERY: u64 = 9;

/// How a store deviates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Not at all.
    Nothing,
    /// Executions of equal rank come in the opposite order.
    OrderOfEquals,
    /// An event is lost now and then.
    LostEvent,
    /// What was eligible once is listed for ever.
    StaleEntry,
}

/// A store that deviates.
pub struct Deviant {
    store: Layer,
}

impl Deviant {
    /// Puts a deviation in front of a store.
    pub fn wrap(store: Arc<dyn Backend>, deviation: Deviation) -> Arc<dyn Backend> {
        let layer = Layer { store, deviation, commits: AtomicU64::new(0), listed: Mutex::default() };
        Arc::new(Self { store: layer })
    }

    const fn enter(&self) -> &Self {
        self
    }
}

delegate_backend!(Deviant);

/// The calls that deviate; all others are those of the store.
struct Layer {
    store: Arc<dyn Backend>,
    deviation: Deviation,
    commits: AtomicU64,
    listed: Mutex<BTreeSet<(ExecutionId, LaneId)>>,
}

impl Deref for Layer {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}

impl Layer {
    /// Remembers what becomes eligible.
    fn list(&self, changes: &ChangeSet) {
        let records = changes.changes.iter().filter_map(|change| change.new.as_ref()?.as_execution());
        let eligible = records.filter(|execution| execution.vector().is_eligible());
        let mut listed = self.listed.lock().expect("nobody panics while holding it");
        listed.extend(eligible.map(|execution| (execution.id, execution.lane_id.clone())));
    }

    async fn scan_ready(
        &self,
        partition: u16,
        group: &ReadyGroup,
        after: Option<(i64, Uuid)>,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Execution>>> {
        let mut found = self.store.scan_ready(partition, group, after, limit).await?;
        if self.deviation == Deviation::OrderOfEquals {
            found.chunk_by_mut(|one, two| one.rank() == two.rank()).for_each(<[_]>::reverse);
        }
        Ok(found)
    }

    async fn scan_eligible(&self, partition: u16, lane: &LaneId, limit: usize) -> StoreResult<Vec<ExecutionId>> {
        let mut found = self.store.scan_eligible(partition, lane, limit).await?;
        if self.deviation == Deviation::StaleEntry {
            let listed = self.listed.lock().expect("nobody panics while holding it");
            let stale = listed.iter().filter(|(id, at)| id.partition() == partition && at == lane);
            let stale: Vec<_> = stale.map(|(id, _)| *id).filter(|id| !found.contains(id)).collect();
            found.extend(stale);
        }
        Ok(found)
    }

    async fn commit(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        let mut batch = batch.clone();
        for part in &mut batch.parts {
            if self.deviation == Deviation::StaleEntry {
                self.list(&part.changes);
            }
            if self.deviation == Deviation::LostEvent
                && !part.changes.events.is_empty()
                && self.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOST_EVERY)
            {
                part.changes.events.pop();
            }
        }
        self.store.commit(&batch).await
    }
}
