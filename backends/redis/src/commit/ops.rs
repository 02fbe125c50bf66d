//! What a part writes, as the arguments of one function call.

use super::groups::{Groups, Verb};
use crate::keys::{self, Keys, Kind};
use crate::library::Function;
use leasehold_backend::{Part, StoreError, StoreResult};
use leasehold_core::codec;
use leasehold_core::decision::{BlobWrite, Change};
use leasehold_core::record::{Execution, Record, RecordKey};
use redis::Cmd;
use uuid::Uuid;

/// How many events one entry of the stream takes. An entry costs the server a
/// command, and a reader reads whole entries.
const ENTRY_EVENTS_MAX: usize = 64;

/// What is known of one part beside the arguments of its call.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// Executions that must not exist, in the order of the change set.
    pub(crate) created: Vec<Uuid>,
    /// Executions that must exist.
    pub(crate) known: Vec<Uuid>,
    /// Whether it adds work, which is refused when memory is full.
    pub(crate) grows: bool,
    /// Records, blobs and entries of events.
    pub(crate) rows: usize,
    /// Members of sorted sets.
    pub(crate) members: usize,
}

impl Operations {
    /// Derives what a part writes, and adds it to `groups`.
    ///
    /// # Errors
    ///
    /// `Permanent` for a change set that contradicts itself and for a record
    /// over the size limit.
    pub(super) fn of(part: &Part, groups: &mut Groups) -> StoreResult<Self> {
        let changes = &part.changes.changes;
        if !part.changes.inbox.is_empty() {
            return Err(StoreError::permanent("this store has no inbox, and the change set deletes from it"));
        }
        if let Some(key) = twice(changes) {
            return Err(StoreError::permanent(format!("{key:?} is changed twice in one part")));
        }
        let mut writer = Writer { operations: Self { grows: part.grows(), ..Self::default() }, groups };
        for change in changes {
            if change.new.as_ref().is_some_and(|record| record.key() != change.key) {
                return Err(StoreError::permanent(format!(
                    "{:?} is not the key of the record written under it",
                    change.key
                )));
            }
            writer.change(change)?;
        }
        writer.blobs(part);
        writer.events(part)?;
        Ok(writer.operations)
    }

    /// The call that applies the part.
    pub(super) fn call(&self, part: &Part, keys: &Keys, groups: &Groups) -> Cmd {
        let expected = &part.expected;
        let mut kinds = vec![Kind::Head, Kind::Execution];
        kinds.extend(groups.kinds().filter(|kind| !matches!(kind, Kind::Head | Kind::Execution)));
        let function = if self.grows { Function::Commit } else { Function::CommitFinishing };
        let ids = self.created.len() + self.known.len();
        let (arguments, bytes) = groups.size();
        let mut call = Cmd::with_capacity(32 + ids + arguments, 512 + ids * 16 + bytes);
        function.begin(&mut call, kinds.len());
        for kind in &kinds {
            call.arg(keys.of(expected.partition, *kind));
        }
        call.arg(expected.epoch).arg(expected.nonce).arg(expected.seq);
        call.arg(expected.seq.saturating_add(1)).arg(part.time.0);
        match part.changes.events.len() as u64 {
            0 => call.arg("").arg(""),
            count => call.arg(part.first_event).arg(part.first_event.saturating_add(count - 1)),
        };
        for ids in [&self.created, &self.known] {
            call.arg(ids.len());
            for id in ids {
                call.arg(id.as_bytes());
            }
        }
        groups.write(&mut call, |kind| 1 + kinds.iter().position(|other| *other == kind).unwrap_or_default());
        call
    }
}

/// A key that is changed more than once.
fn twice(changes: &[Change]) -> Option<&RecordKey> {
    let mut keys: Vec<&RecordKey> = changes.iter().map(|change| &change.key).collect();
    keys.sort_unstable();
    keys.array_windows().find(|[one, two]| one == two).map(|[one, _]| *one)
}

/// Writes a part into groups.
struct Writer<'a> {
    operations: Operations,
    groups: &'a mut Groups,
}

impl Writer<'_> {
    /// A record or blob that is written.
    fn put(&mut self, kind: Kind, field: &[u8], bytes: &[u8]) {
        self.operations.rows += 1;
        let group = self.groups.of(kind, Verb::HSet);
        group.push(field);
        group.push(bytes);
    }

    /// A record or blob that is deleted.
    fn delete(&mut self, kind: Kind, field: &[u8]) {
        self.operations.rows += 1;
        self.groups.of(kind, Verb::HDel).push(field);
    }

    fn put_member(&mut self, kind: Kind, member: &[u8]) {
        self.operations.members += 1;
        let group = self.groups.of(kind, Verb::ZAdd);
        group.push(b"0");
        group.push(member);
    }

    fn remove_member(&mut self, kind: Kind, member: &[u8]) {
        self.operations.members += 1;
        self.groups.of(kind, Verb::ZRem).push(member);
    }

    fn change(&mut self, change: &Change) -> StoreResult<()> {
        if let RecordKey::Execution(id) = change.key {
            return self.execution(id, execution(change.old.as_ref()), execution(change.new.as_ref()));
        }
        let (kind, names, field) = match &change.key {
            RecordKey::Attempt(key) => (Kind::Attempt, Some(Kind::Attempts), keys::attempt_field(key)),
            RecordKey::Idempotency(key) => (Kind::Idempotency, None, keys::idempotency_field(key)),
            RecordKey::Lane(lane) => (Kind::Lane, Some(Kind::Lanes), lane.as_str().as_bytes().to_vec()),
            RecordKey::Execution(id) => (Kind::Execution, Some(Kind::Ids), id.as_bytes().to_vec()),
            RecordKey::Wait(_) | RecordKey::Flow(_) => {
                let (of, name) = keys::kept(&change.key)?;
                (Kind::Kept, of.is_listed().then_some(Kind::Listed), name)
            }
        };
        match &change.new {
            Some(record) => {
                if let Some(names) = names
                    && change.old.is_none()
                {
                    self.put_member(names, &field);
                }
                self.put(kind, &field, &encode_record(record)?);
            }
            // Made and deleted within the batch: the store never saw it.
            None if change.old.is_none() => {}
            None => {
                if let Some(names) = names {
                    self.remove_member(names, &field);
                }
                self.delete(kind, &field);
            }
        }
        Ok(())
    }

    fn execution(&mut self, id: Uuid, old: Option<&Execution>, new: Option<&Execution>) -> StoreResult<()> {
        let field = id.as_bytes();
        match (old, new) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                self.operations.created.push(id);
                self.put_member(Kind::Ids, field);
            }
            (Some(_), _) => self.operations.known.push(id),
        }
        self.follow(id, old, new);
        match new {
            Some(execution) => {
                self.operations.rows += 1;
                let group = self.groups.of(Kind::Execution, Verb::HSet);
                group.push(field);
                group.push_with(|bytes| encode_into(execution, bytes))?;
            }
            None => {
                self.remove_member(Kind::Ids, field);
                self.delete(Kind::Execution, field);
            }
        }
        Ok(())
    }

    /// What only the old version is found by goes, what only the new one is
    /// found by comes.
    fn follow(&mut self, id: Uuid, old: Option<&Execution>, new: Option<&Execution>) {
        let members = |execution: Option<&Execution>| execution.map(|execution| keys::members(execution, id));
        let (before, after) = (members(old).unwrap_or_default(), members(new).unwrap_or_default());
        for member in before.iter().flatten() {
            if !after.iter().flatten().any(|other| other == member) {
                self.remove_member(Kind::Index, member);
            }
        }
        for member in after.iter().flatten() {
            if !before.iter().flatten().any(|other| other == member) {
                self.put_member(Kind::Index, member);
            }
        }
    }

    /// The last write of each blob, since writes and deletions are separate
    /// groups.
    fn blobs(&mut self, part: &Part) {
        let mut writes: Vec<&BlobWrite> = part.changes.blobs.iter().collect();
        // Stable: of the writes of one blob the last one stays last.
        writes.sort_by_key(|write| write.key);
        for (at, write) in writes.iter().enumerate() {
            if writes.get(at + 1).is_some_and(|later| later.key == write.key) {
                continue;
            }
            let field = keys::blob_field(&write.key);
            match &write.bytes {
                Some(bytes) => self.put(Kind::Blob, &field, bytes),
                None => self.delete(Kind::Blob, &field),
            }
        }
    }

    /// Entries of the stream: each has the number of its last event for a name
    /// and its events in order, so that the first entry behind a number holds
    /// the event that follows.
    fn events(&mut self, part: &Part) -> StoreResult<()> {
        let mut last = part.first_event.saturating_sub(1);
        for (turn, events) in part.changes.events.chunks(ENTRY_EVENTS_MAX).enumerate() {
            last = last.saturating_add(events.len() as u64);
            self.operations.rows += 1;
            let group = self.groups.turn(Kind::Event, Verb::XAdd, turn);
            group.push(format!("{}-{last}", part.expected.epoch).as_bytes());
            for event in events {
                group.push(b"e");
                group.push_with(|bytes| encode_into(event, bytes))?;
            }
        }
        Ok(())
    }
}

fn execution(record: Option<&Record>) -> Option<&Execution> {
    record.and_then(Record::as_execution).map(AsRef::as_ref)
}

fn encode_record(record: &Record) -> StoreResult<Vec<u8>> {
    match record {
        Record::Execution(execution) => encode(&**execution),
        Record::Attempt(attempt) => encode(&**attempt),
        Record::Idempotency(idempotency) => encode(&**idempotency),
        Record::Lane(lane) => encode(&**lane),
        Record::Wait(_) | Record::Flow(_) => match record.kept_bytes() {
            Some(bytes) => bytes.map_err(|error| StoreError::permanent(error.to_string())),
            None => Err(StoreError::permanent(format!("{:?} has no bytes to be kept", record.key()))),
        },
    }
}

fn encode_into<T: codec::Stored>(value: &T, bytes: &mut Vec<u8>) -> StoreResult<()> {
    codec::encode_into(value, bytes).map_err(|error| StoreError::permanent(error.to_string()))
}

fn encode<T: codec::Stored>(value: &T) -> StoreResult<Vec<u8>> {
    codec::encode(value).map_err(|error| StoreError::permanent(error.to_string()))
}
