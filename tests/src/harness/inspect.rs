//! What is in the store, read past the engine.

use super::Harness;
use leasehold_backend::{LoggedEvent, StoredIndex};
use leasehold_core::event::{Event, Fact, LeaseFact};
use leasehold_core::ids::ExecutionId;
use leasehold_core::index::next_due;
use leasehold_core::record::{BlobKey, BlobKind, Execution, RecordKey};
use leasehold_core::state::StateVector;
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

/// Where a store lists an execution: the queue, its score, the next timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The queue's name.
    pub queue: String,
    /// What the queue is ordered by.
    pub score: i64,
    /// The timer.
    pub due_at: Option<TimestampMs>,
}

impl Harness {
    /// An execution's record as stored; none when there is no such execution.
    pub async fn find_record(&self, id: ExecutionId) -> Option<Arc<Execution>> {
        let keys = [RecordKey::Execution(id.uuid())];
        let loaded = self.backend.load(id.partition(), &keys, &[]).await.expect("the store can be read");
        loaded.records.into_iter().next().flatten().and_then(|record| record.as_execution().cloned())
    }

    /// The record of an execution that exists.
    pub async fn record(&self, id: ExecutionId) -> Arc<Execution> {
        self.find_record(id).await.unwrap_or_else(|| panic!("{id} is not stored"))
    }

    /// Payload or result as stored beside the record.
    pub async fn blob(&self, id: ExecutionId, kind: BlobKind) -> Option<bytes::Bytes> {
        let keys = [BlobKey { execution: id.uuid(), kind }];
        let loaded = self.backend.load(id.partition(), &[], &keys).await.expect("the store can be read");
        loaded.blobs.into_iter().next().flatten()
    }

    /// Where an execution stands, in the order phase, ownership, eligibility,
    /// blocking reason, outcome, attempt.
    pub async fn vector(&self, id: ExecutionId) -> [&'static str; 6] {
        words(self.record(id).await.vector())
    }

    /// Where the store lists an execution.
    pub async fn entry(&self, id: ExecutionId) -> Entry {
        let stored = self.backend.stored_index(id).await.expect("the store can be read");
        let StoredIndex { queue, score, due_at, .. } = stored.unwrap_or_else(|| panic!("{id} is not listed"));
        Entry { queue, score, due_at }
    }

    /// The earliest of an execution's timers other than its lease's.
    pub async fn timer(&self, id: ExecutionId) -> Option<TimestampMs> {
        next_due(&*self.record(id).await).map(|(at, _)| at)
    }

    /// The log of a partition, oldest first.
    pub async fn log(&self, partition: u16) -> Vec<LoggedEvent> {
        let mut all: Vec<LoggedEvent> = Vec::new();
        loop {
            let after = all.last().map(|logged| logged.id);
            let page = self.backend.read_events(partition, after, 1000).await.expect("the store can be read");
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Events of one execution, oldest first.
    pub async fn events(&self, id: ExecutionId) -> Vec<Event> {
        let log = self.log(id.partition()).await;
        log.into_iter().map(|logged| logged.event).filter(|event| event.execution_id == id).collect()
    }

    /// What the log tells of one execution, in words.
    pub async fn story(&self, id: ExecutionId) -> Vec<String> {
        self.events(id).await.iter().flat_map(|event| &event.facts).map(describe_fact).collect()
    }
}

/// The six dimensions in their wire spelling.
fn words(vector: &StateVector) -> [&'static str; 6] {
    [
        vector.lifecycle_phase().as_str(),
        vector.ownership_state().as_str(),
        vector.eligibility_state().as_str(),
        vector.blocking_reason().as_str(),
        vector.terminal_outcome().as_str(),
        vector.attempt_state().as_str(),
    ]
}

/// A fact in words: its kind and what is particular to it. Facts about a
/// lease carry its epoch.
pub fn describe_fact(fact: &Fact) -> String {
    match fact {
        Fact::Lease { what, lease_epoch, .. } => {
            let kind = what.kind();
            match what {
                LeaseFact::Acquired { reason: Some(reason) }
                | LeaseFact::Released { reason }
                | LeaseFact::Revoked { reason } => format!("{kind} {lease_epoch} {reason}"),
                LeaseFact::Reclaimed { old_lease_epoch } => format!("{kind} {lease_epoch} after {old_lease_epoch}"),
                LeaseFact::Acquired { reason: None } | LeaseFact::Renewed | LeaseFact::Expired => {
                    format!("{kind} {lease_epoch}")
                }
            }
        }
        Fact::Completed { outcome, cascade: true, .. } => format!("completed {outcome} by cascade"),
        Fact::Completed { outcome, .. } => format!("completed {outcome}"),
        Fact::PriorityChanged { old, new } => format!("priority_changed {old} {new}"),
        Fact::Replayed { replay_count, replay_type } => format!("replay_initiated {replay_count} {replay_type}"),
        Fact::CreateRefused { code, .. } => format!("create_refused {code}"),
        Fact::SignalDelivered { effect, source_identity, .. } => {
            format!("signal_delivered {} from {source_identity}", effect.as_str())
        }
    }
}
