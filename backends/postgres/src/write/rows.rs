//! What a batch writes, sorted by table and encoded.

use leasehold_backend::{Batch, Part, StoreError, StoreResult, kept_name, kept_row};
use leasehold_core::codec;
use leasehold_core::decision::Change;
use leasehold_core::ids::LaneId;
use leasehold_core::index::{self, IndexEntries};
use leasehold_core::record::{
    Attempt, AttemptKey, Blob, BlobKey, BlobKind, Execution, Idempotency, IdempotencyKey, Lane, Record, RecordKey,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A row with the partition it belongs to.
pub(super) type In<T> = (u16, T);

/// An execution with its encoding and its index entries.
pub(super) struct EncodedExecution {
    pub(super) execution: Arc<Execution>,
    pub(super) entries: IndexEntries,
    /// Whether the store must not know it yet.
    pub(super) is_new: bool,
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

/// What happens to the rows of one table of executions.
#[derive(Default)]
pub(super) struct ExecutionRows {
    pub(super) inserted: Vec<In<EncodedExecution>>,
    pub(super) updated: Vec<In<EncodedExecution>>,
    pub(super) deleted: Vec<In<Uuid>>,
}

/// Everything a batch writes.
#[derive(Default)]
pub(super) struct Rows {
    /// Executions that have not ended.
    pub(super) hot: ExecutionRows,
    /// Executions that have.
    pub(super) done: ExecutionRows,
    /// Payloads of executions made here: nothing can be there yet.
    pub(super) new_blobs: Vec<In<(BlobKey, Blob)>>,
    pub(super) blobs: Vec<In<(BlobKey, Blob)>>,
    pub(super) deleted_blobs: Vec<In<BlobKey>>,
    pub(super) attempts: Vec<In<(AttemptKey, Vec<u8>)>>,
    pub(super) deleted_attempts: Vec<In<AttemptKey>>,
    pub(super) idempotency: Vec<In<Arc<Idempotency>>>,
    pub(super) deleted_idempotency: Vec<In<IdempotencyKey>>,
    pub(super) lanes: Vec<In<Arc<Lane>>>,
    pub(super) deleted_lanes: Vec<In<LaneId>>,
    /// Names and bytes of what the store does not know yet, and of what it
    /// does.
    pub(super) new_kept: Vec<In<(Vec<u8>, Vec<u8>)>>,
    pub(super) kept: Vec<In<(Vec<u8>, Vec<u8>)>>,
    pub(super) deleted_kept: Vec<In<Vec<u8>>>,
    pub(super) events: Vec<In<EncodedEvent>>,
    /// Entries of the inbox that are dealt with.
    pub(super) inbox: Vec<In<i64>>,
}

/// Which table an execution lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Hot,
    Done,
}

fn place(record: Option<&Record>) -> Place {
    match record.and_then(Record::as_execution) {
        None => Place::Nowhere,
        Some(execution) if execution.vector().is_terminal() => Place::Done,
        Some(_) => Place::Hot,
    }
}

impl Rows {
    /// Sorts and encodes a batch.
    ///
    /// # Errors
    ///
    /// `Permanent` for a record over the size limit or a number that the
    /// store cannot hold.
    pub(super) fn of(batch: &Batch) -> StoreResult<Self> {
        let mut rows = Self::default();
        for part in &batch.parts {
            rows.add(part)?;
        }
        Ok(rows)
    }

    fn add(&mut self, part: &Part) -> StoreResult<()> {
        let partition = part.expected.partition;
        let mut created = HashSet::new();
        for change in &part.changes.changes {
            if let RecordKey::Execution(id) = change.key {
                self.add_execution(partition, id, change)?;
                if change.old.is_none() {
                    created.insert(id);
                }
            } else {
                self.add_other(partition, change)?;
            }
        }
        self.add_blobs(part, &created);
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
        self.inbox.extend(part.changes.inbox.iter().map(|number| (partition, *number)));
        Ok(())
    }

    /// An execution that ends moves to the other table, one that is replayed
    /// moves back.
    fn add_execution(&mut self, partition: u16, id: Uuid, change: &Change) -> StoreResult<()> {
        let (from, to) = (place(change.old.as_ref()), place(change.new.as_ref()));
        if from != to {
            match from {
                Place::Nowhere => {}
                Place::Hot => self.hot.deleted.push((partition, id)),
                Place::Done => self.done.deleted.push((partition, id)),
            }
        }
        let Some(execution) = change.new.as_ref().and_then(Record::as_execution) else { return Ok(()) };
        let row = EncodedExecution {
            execution: Arc::clone(execution),
            entries: index::index_entries(execution),
            is_new: from == Place::Nowhere,
            record: encode(&**execution)?,
        };
        let table = if to == Place::Done { &mut self.done } else { &mut self.hot };
        let rows = if from == to { &mut table.updated } else { &mut table.inserted };
        rows.push((partition, row));
        Ok(())
    }

    fn add_other(&mut self, partition: u16, change: &Change) -> StoreResult<()> {
        match (&change.new, &change.key) {
            (Some(Record::Attempt(attempt)), _) => {
                self.attempts.push((partition, (attempt.key(), encode::<Attempt>(attempt)?)));
            }
            (Some(Record::Idempotency(idempotency)), _) => self.idempotency.push((partition, Arc::clone(idempotency))),
            (Some(Record::Lane(lane)), _) => self.lanes.push((partition, Arc::clone(lane))),
            (Some(record @ (Record::Wait(_) | Record::Flow(_))), _) => {
                let kept = if change.old.is_none() { &mut self.new_kept } else { &mut self.kept };
                kept.push((partition, kept_row(record)?));
            }
            // Made and deleted within the batch: the store never saw it.
            (None, _) if change.old.is_none() => {}
            (None, RecordKey::Attempt(key)) => self.deleted_attempts.push((partition, *key)),
            (None, RecordKey::Idempotency(key)) => self.deleted_idempotency.push((partition, key.clone())),
            (None, RecordKey::Lane(lane)) => self.deleted_lanes.push((partition, lane.clone())),
            (None, key @ (RecordKey::Wait(_) | RecordKey::Flow(_))) => {
                self.deleted_kept.push((partition, kept_name(key)?.1));
            }
            (_, RecordKey::Execution(_)) | (Some(Record::Execution(_)), _) => {
                return Err(StoreError::permanent(format!("{:?} is not the key of its record", change.key)));
            }
        }
        Ok(())
    }

    /// The last write of each blob, since tables are written set by set.
    fn add_blobs(&mut self, part: &Part, created: &HashSet<Uuid>) {
        let partition = part.expected.partition;
        let writes = &part.changes.blobs;
        let last: HashMap<BlobKey, usize> = writes.iter().enumerate().map(|(at, write)| (write.key, at)).collect();
        for (at, write) in writes.iter().enumerate() {
            if last.get(&write.key) != Some(&at) {
                continue;
            }
            let is_new = write.key.kind == BlobKind::Payload && created.contains(&write.key.execution);
            match &write.bytes {
                Some(bytes) if is_new => self.new_blobs.push((partition, (write.key, bytes.clone()))),
                Some(bytes) => self.blobs.push((partition, (write.key, bytes.clone()))),
                None => self.deleted_blobs.push((partition, write.key)),
            }
        }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        let of = |rows: &ExecutionRows| rows.inserted.len() + rows.updated.len() + rows.deleted.len();
        of(&self.hot)
            + of(&self.done)
            + self.new_blobs.len()
            + self.blobs.len()
            + self.deleted_blobs.len()
            + self.attempts.len()
            + self.deleted_attempts.len()
            + self.idempotency.len()
            + self.deleted_idempotency.len()
            + self.lanes.len()
            + self.deleted_lanes.len()
            + self.new_kept.len()
            + self.kept.len()
            + self.deleted_kept.len()
            + self.events.len()
            + self.inbox.len()
    }

    /// Leaves out what belongs to the given partitions.
    pub(super) fn drop_partitions(&mut self, refused: &BTreeSet<u16>) {
        fn keep<T>(rows: &mut Vec<In<T>>, refused: &BTreeSet<u16>) {
            rows.retain(|(partition, _)| !refused.contains(partition));
        }
        for table in [&mut self.hot, &mut self.done] {
            keep(&mut table.inserted, refused);
            keep(&mut table.updated, refused);
            keep(&mut table.deleted, refused);
        }
        keep(&mut self.new_blobs, refused);
        keep(&mut self.blobs, refused);
        keep(&mut self.deleted_blobs, refused);
        keep(&mut self.attempts, refused);
        keep(&mut self.deleted_attempts, refused);
        keep(&mut self.idempotency, refused);
        keep(&mut self.deleted_idempotency, refused);
        keep(&mut self.lanes, refused);
        keep(&mut self.deleted_lanes, refused);
        keep(&mut self.new_kept, refused);
        keep(&mut self.kept, refused);
        keep(&mut self.deleted_kept, refused);
        keep(&mut self.events, refused);
        keep(&mut self.inbox, refused);
    }
}

fn encode<T: codec::Stored>(value: &T) -> StoreResult<Vec<u8>> {
    codec::encode(value).map_err(|error| StoreError::permanent(error.to_string()))
}

/// A number that the store can keep in order; its integers are signed.
pub(crate) fn number(what: &str, value: u64) -> StoreResult<i64> {
    i64::try_from(value).map_err(|_| StoreError::permanent(format!("{what} {value} is out of the store's range")))
}
