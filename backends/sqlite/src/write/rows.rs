//! What a batch writes, sorted by table and encoded.

use super::{blobs, events, executions, inbox, kept, others};
use crate::writer::{Step, Writer};
use leasehold_backend::{Batch, Part, StoreError, StoreResult, kept_name, kept_row};
use leasehold_core::codec;
use leasehold_core::decision::Change;
use leasehold_core::ids::LaneId;
use leasehold_core::record::{
    Attempt, AttemptKey, BlobKey, Execution, Idempotency, IdempotencyKey, Lane, Record, RecordKey,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A row with the partition it belongs to.
pub(super) type In<T> = (u16, T);

/// An execution with its encoding.
pub(super) struct EncodedExecution {
    pub(super) execution: Arc<Execution>,
    pub(super) record: Vec<u8>,
}

/// An event with its place and its encoding.
pub(super) struct EncodedEvent {
    pub(super) epoch: i64,
    pub(super) number: i64,
    pub(super) execution: Uuid,
    pub(super) at: i64,
    pub(super) record: Vec<u8>,
}

/// Everything a batch writes.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) created: Vec<In<EncodedExecution>>,
    pub(super) updated: Vec<In<EncodedExecution>>,
    pub(super) deleted: Vec<In<Uuid>>,
    pub(super) blobs: Vec<In<(BlobKey, Vec<u8>)>>,
    pub(super) deleted_blobs: Vec<In<BlobKey>>,
    pub(super) attempts: Vec<In<(Arc<Attempt>, Vec<u8>)>>,
    pub(super) deleted_attempts: Vec<In<AttemptKey>>,
    pub(super) idempotency: Vec<In<Arc<Idempotency>>>,
    pub(super) deleted_idempotency: Vec<In<IdempotencyKey>>,
    pub(super) lanes: Vec<In<Arc<Lane>>>,
    pub(super) deleted_lanes: Vec<In<LaneId>>,
    /// Names and bytes.
    pub(super) kept: Vec<In<(Vec<u8>, Vec<u8>)>>,
    pub(super) deleted_kept: Vec<In<Vec<u8>>>,
    pub(super) events: Vec<In<EncodedEvent>>,
    pub(super) left_inbox: Vec<In<i64>>,
}

impl Rows {
    /// Sorts and encodes a batch.
    ///
    /// # Errors
    ///
    /// `Permanent` for a record over the size limit or a number that SQLite
    /// cannot hold.
    pub(super) fn of(batch: &Batch) -> StoreResult<Self> {
        let mut rows = Self::default();
        for part in &batch.parts {
            rows.add(part)?;
        }
        Ok(rows)
    }

    fn add(&mut self, part: &Part) -> StoreResult<()> {
        let partition = part.expected.partition;
        for change in &part.changes.changes {
            self.add_change(partition, change)?;
        }
        self.add_blobs(part);
        self.left_inbox.extend(part.changes.inbox.iter().map(|number| (partition, *number)));
        let epoch = number("ownership epoch", part.expected.epoch)?;
        self.events.reserve(part.changes.events.len());
        for (offset, event) in part.changes.events.iter().enumerate() {
            let event = EncodedEvent {
                epoch,
                number: number("event number", part.first_event + offset as u64)?,
                execution: event.execution_id.uuid(),
                at: event.at.0,
                record: encode(event)?,
            };
            self.events.push((partition, event));
        }
        Ok(())
    }

    fn add_change(&mut self, partition: u16, change: &Change) -> StoreResult<()> {
        match &change.new {
            Some(Record::Execution(execution)) => {
                let row = EncodedExecution { execution: Arc::clone(execution), record: encode(&**execution)? };
                let rows = if change.old.is_some() { &mut self.updated } else { &mut self.created };
                rows.push((partition, row));
            }
            Some(Record::Attempt(attempt)) => {
                self.attempts.push((partition, (Arc::clone(attempt), encode(&**attempt)?)));
            }
            Some(Record::Idempotency(idempotency)) => self.idempotency.push((partition, Arc::clone(idempotency))),
            Some(Record::Lane(lane)) => self.lanes.push((partition, Arc::clone(lane))),
            Some(record @ (Record::Wait(_) | Record::Flow(_))) => self.kept.push((partition, kept_row(record)?)),
            // Made and deleted within the batch: the store never saw it.
            None if change.old.is_none() => {}
            None => match &change.key {
                RecordKey::Execution(id) => self.deleted.push((partition, *id)),
                RecordKey::Attempt(key) => self.deleted_attempts.push((partition, *key)),
                RecordKey::Idempotency(key) => self.deleted_idempotency.push((partition, key.clone())),
                RecordKey::Lane(lane) => self.deleted_lanes.push((partition, lane.clone())),
                key @ (RecordKey::Wait(_) | RecordKey::Flow(_)) => {
                    self.deleted_kept.push((partition, kept_name(key)?.1));
                }
            },
        }
        Ok(())
    }

    /// The last write of each blob, since tables are written set by set.
    fn add_blobs(&mut self, part: &Part) {
        let partition = part.expected.partition;
        let writes = &part.changes.blobs;
        let last: HashMap<BlobKey, usize> = writes.iter().enumerate().map(|(at, write)| (write.key, at)).collect();
        for (at, write) in writes.iter().enumerate() {
            if last.get(&write.key) != Some(&at) {
                continue;
            }
            match &write.bytes {
                Some(bytes) => self.blobs.push((partition, (write.key, bytes.to_vec()))),
                None => self.deleted_blobs.push((partition, write.key)),
            }
        }
    }

    /// How many rows there are, table by table.
    pub(super) fn counts(&self) -> [usize; 15] {
        [
            self.updated.len(),
            self.deleted.len(),
            self.created.len(),
            self.blobs.len(),
            self.deleted_blobs.len(),
            self.attempts.len(),
            self.deleted_attempts.len(),
            self.idempotency.len(),
            self.deleted_idempotency.len(),
            self.lanes.len(),
            self.deleted_lanes.len(),
            self.kept.len(),
            self.deleted_kept.len(),
            self.left_inbox.len(),
            self.events.len(),
        ]
    }

    /// Leaves out what belongs to the given partitions.
    pub(super) fn drop_partitions(&mut self, refused: &HashSet<u16>) {
        fn keep<T>(rows: &mut Vec<In<T>>, refused: &HashSet<u16>) {
            rows.retain(|(partition, _)| !refused.contains(partition));
        }
        keep(&mut self.created, refused);
        keep(&mut self.updated, refused);
        keep(&mut self.deleted, refused);
        keep(&mut self.blobs, refused);
        keep(&mut self.deleted_blobs, refused);
        keep(&mut self.attempts, refused);
        keep(&mut self.deleted_attempts, refused);
        keep(&mut self.idempotency, refused);
        keep(&mut self.deleted_idempotency, refused);
        keep(&mut self.lanes, refused);
        keep(&mut self.deleted_lanes, refused);
        keep(&mut self.kept, refused);
        keep(&mut self.deleted_kept, refused);
        keep(&mut self.events, refused);
        keep(&mut self.left_inbox, refused);
    }

    /// As statements. Events come last: nothing looks at their count, so the
    /// `COMMIT` can ride on them.
    pub(super) fn into_steps(self, writer: &mut Writer) -> Vec<Step> {
        let mut steps = Vec::with_capacity(4);
        steps.extend(executions::update(writer, self.updated));
        steps.extend(executions::delete(writer, self.deleted));
        steps.extend(executions::insert(writer, self.created));
        steps.extend(blobs::put(writer, self.blobs));
        steps.extend(blobs::delete(writer, self.deleted_blobs));
        steps.extend(others::put_attempts(writer, self.attempts));
        steps.extend(others::delete_attempts(writer, self.deleted_attempts));
        steps.extend(others::put_idempotency(writer, self.idempotency));
        steps.extend(others::delete_idempotency(writer, self.deleted_idempotency));
        steps.extend(others::put_lanes(writer, self.lanes));
        steps.extend(others::delete_lanes(writer, self.deleted_lanes));
        steps.extend(kept::put(writer, self.kept));
        steps.extend(kept::delete(writer, self.deleted_kept));
        steps.extend(inbox::leave(writer, self.left_inbox));
        steps.extend(events::append(writer, self.events));
        steps
    }
}

fn encode<T: codec::Stored>(value: &T) -> StoreResult<Vec<u8>> {
    codec::encode(value).map_err(|error| StoreError::permanent(error.to_string()))
}

/// A number that SQLite can keep in order; its integers are signed.
pub(crate) fn number(what: &str, value: u64) -> StoreResult<i64> {
    i64::try_from(value).map_err(|_| StoreError::permanent(format!("{what} {value} is out of SQLite's range")))
}
