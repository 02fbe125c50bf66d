//! One partition: its head, records, blobs, events and indexes.

use crate::entries::Entries;
use bytes::Bytes;
use leasehold_backend::{Expected, Part};
use leasehold_core::decision::Change;
use leasehold_core::event::{Event, EventId};
use leasehold_core::ids::NodeId;
use leasehold_core::record::{BlobKey, Execution, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a writer must know to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub epoch: u64,
    pub nonce: u64,
    pub seq: u64,
}

/// One partition of the store.
#[derive(Debug, Default)]
pub struct Partition {
    pub head: Mark,
    pub owner: Option<NodeId>,
    pub time: TimestampMs,
    /// The last head under which anything was written before this one. It
    /// tells an owner whether its last commit landed, also when it took the
    /// partition several times before it came to ask.
    previous: Option<Mark>,
    pub records: BTreeMap<RecordKey, Record>,
    pub blobs: BTreeMap<BlobKey, Bytes>,
    pub events: BTreeMap<EventId, Event>,
    pub entries: Entries,
}

impl Partition {
    /// Puts a new owner in place under a new epoch.
    pub fn take(&mut self, node: NodeId, nonce: u64, epoch_floor: u64) {
        if self.head.seq > 0 {
            self.previous = Some(self.head);
        }
        let epoch = self.head.epoch.saturating_add(1).max(epoch_floor);
        self.head = Mark { epoch, nonce, seq: 0 };
        self.owner = Some(node);
    }

    /// Whether the head is what a writer believes it is.
    pub fn expects(&self, expected: &Expected) -> bool {
        self.head == Mark { epoch: expected.epoch, nonce: expected.nonce, seq: expected.seq }
    }

    /// Whether the commit that carried `expected` was applied.
    pub fn landed(&self, expected: &Expected) -> bool {
        [Some(self.head), self.previous]
            .into_iter()
            .flatten()
            .any(|mark| mark.epoch == expected.epoch && mark.nonce == expected.nonce && mark.seq > expected.seq)
    }

    /// The first thing about a part that makes it impossible to write, where
    /// the head does not already refuse it.
    pub fn obstacle(&self, part: &Part) -> Option<String> {
        let mut keys: Vec<&RecordKey> = part.changes.changes.iter().map(|change| &change.key).collect();
        keys.sort();
        if let Some([key, _]) = keys.array_windows().find(|[one, two]| one == two) {
            return Some(format!("{key:?} is changed twice in one part"));
        }
        let misplaced = |change: &&Change| change.new.as_ref().is_some_and(|record| record.key() != change.key);
        if let Some(change) = part.changes.changes.iter().find(misplaced) {
            return Some(format!("{:?} is not the key of the record written under it", change.key));
        }
        let collides = |(id, _): &(EventId, &Event)| self.events.contains_key(id);
        numbered(part).find(collides).map(|(id, _)| format!("event {id:?} exists"))
    }

    /// Writes a part and advances the head. Nothing here can fail.
    pub fn apply(&mut self, part: &Part) {
        for change in &part.changes.changes {
            if let RecordKey::Execution(id) = change.key {
                self.entries.follow(id, execution(change.old.as_ref()), execution(change.new.as_ref()));
            }
            match &change.new {
                Some(record) => self.records.insert(change.key.clone(), record.clone()),
                None => self.records.remove(&change.key),
            };
        }
        for write in &part.changes.blobs {
            match &write.bytes {
                Some(bytes) => self.blobs.insert(write.key, bytes.clone()),
                None => self.blobs.remove(&write.key),
            };
        }
        self.events.extend(numbered(part).map(|(id, event)| (id, event.clone())));
        self.head.seq += 1;
        self.time = self.time.max(part.time);
    }

    /// The record of an execution.
    pub fn execution(&self, id: Uuid) -> Option<&Arc<Execution>> {
        self.records.get(&RecordKey::Execution(id)).and_then(Record::as_execution)
    }
}

fn execution(record: Option<&Record>) -> Option<&Execution> {
    record.and_then(Record::as_execution).map(Arc::as_ref)
}

fn numbered(part: &Part) -> impl Iterator<Item = (EventId, &Event)> {
    let id = |number| EventId { epoch: part.expected.epoch, number };
    (part.first_event..).map(id).zip(&part.changes.events)
}
