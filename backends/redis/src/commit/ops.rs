//! What a part writes, as the arguments of one function call.

use crate::keys::{self, Keys, Kind};
use crate::library::Function;
use leasehold_backend::{Part, StoreError, StoreResult};
use leasehold_core::codec;
use leasehold_core::decision::Change;
use leasehold_core::index::{IndexEntries, index_entries};
use leasehold_core::record::{BlobKey, BlobKind, Execution, KeptKind, Record, RecordKey};
use redis::Cmd;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A command of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    HSet,
    HDel,
    ZAdd,
    ZRem,
    XAdd,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::HSet => "HSET",
            Self::HDel => "HDEL",
            Self::ZAdd => "ZADD",
            Self::ZRem => "ZREM",
            Self::XAdd => "XADD",
        }
    }
}

/// Everything one part writes.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// Executions that must not exist, in the order of the change set.
    pub(crate) created: Vec<Uuid>,
    /// Executions that must exist.
    pub(crate) known: Vec<Uuid>,
    groups: BTreeMap<(Kind, Verb), Vec<Vec<u8>>>,
    /// Whether it adds work, which is refused when memory is full.
    pub(crate) grows: bool,
    /// Records, blobs and events.
    pub(crate) rows: usize,
    /// Members of sorted sets.
    pub(crate) members: usize,
}

impl Operations {
    /// Derives what a part writes.
    ///
    /// # Errors
    ///
    /// `Permanent` for a change set that contradicts itself and for a record
    /// over the size limit.
    pub(crate) fn of(part: &Part) -> StoreResult<Self> {
        if !part.changes.inbox.is_empty() {
            return Err(StoreError::permanent("this store has no inbox, and the change set deletes from it"));
        }
        let mut operations = Self::default();
        let mut seen = HashSet::with_capacity(part.changes.changes.len());
        for change in &part.changes.changes {
            if !seen.insert(&change.key) {
                return Err(StoreError::permanent(format!("{:?} is changed twice in one part", change.key)));
            }
            if change.new.as_ref().is_some_and(|record| record.key() != change.key) {
                return Err(StoreError::permanent(format!(
                    "{:?} is not the key of the record written under it",
                    change.key
                )));
            }
            operations.change(change)?;
        }
        operations.blobs(part);
        for (number, event) in (part.first_event..).zip(&part.changes.events) {
            let id = format!("{}-{number}", part.expected.epoch).into_bytes();
            operations.row(Kind::Event, Verb::XAdd, [id, encode(event)?]);
        }
        Ok(operations)
    }

    /// One record, blob or event, written or deleted.
    fn row<const N: usize>(&mut self, kind: Kind, verb: Verb, arguments: [Vec<u8>; N]) {
        self.rows += 1;
        self.groups.entry((kind, verb)).or_default().extend(arguments);
    }

    fn put_member(&mut self, kind: Kind, member: Vec<u8>) {
        self.members += 1;
        self.groups.entry((kind, Verb::ZAdd)).or_default().extend([b"0".to_vec(), member]);
    }

    fn remove_member(&mut self, kind: Kind, member: Vec<u8>) {
        self.members += 1;
        self.groups.entry((kind, Verb::ZRem)).or_default().push(member);
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
                // A flow is new work as an execution is; what either leaves
                // behind on its way is not.
                self.grows |= of == KeptKind::Flow && change.old.is_none() && change.new.is_some();
                (Kind::Kept, of.is_listed().then_some(Kind::Listed), name)
            }
        };
        match &change.new {
            Some(record) => {
                if let Some(names) = names
                    && change.old.is_none()
                {
                    self.put_member(names, field.clone());
                }
                self.row(kind, Verb::HSet, [field, encode_record(record)?]);
            }
            // Made and deleted within the batch: the store never saw it.
            None if change.old.is_none() => {}
            None => {
                if let Some(names) = names {
                    self.remove_member(names, field.clone());
                }
                self.row(kind, Verb::HDel, [field]);
            }
        }
        Ok(())
    }

    fn execution(&mut self, id: Uuid, old: Option<&Execution>, new: Option<&Execution>) -> StoreResult<()> {
        let field = id.as_bytes().to_vec();
        match (old, new) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                self.created.push(id);
                self.grows = true;
                self.put_member(Kind::Ids, field.clone());
            }
            (Some(_), _) => self.known.push(id),
        }
        let (before, after) = (old.map(index_entries), new.map(index_entries));
        self.follow(id, before.as_ref(), after.as_ref());
        match new {
            Some(execution) => self.row(Kind::Execution, Verb::HSet, [field, encode(execution)?]),
            None => {
                self.remove_member(Kind::Ids, field.clone());
                self.row(Kind::Execution, Verb::HDel, [field]);
            }
        }
        Ok(())
    }

    /// What only the old version is found by goes, what only the new one is
    /// found by comes.
    fn follow(&mut self, id: Uuid, before: Option<&IndexEntries>, after: Option<&IndexEntries>) {
        let members = |entries: Option<&IndexEntries>| entries.map(|entries| keys::members(entries, id));
        let (before, after) = (members(before).unwrap_or_default(), members(after).unwrap_or_default());
        for member in &before {
            if !after.contains(member) {
                self.remove_member(Kind::Index, member.clone());
            }
        }
        for member in after {
            if !before.contains(&member) {
                self.put_member(Kind::Index, member);
            }
        }
    }

    /// The last write of each blob, since writes and deletions are separate
    /// groups.
    fn blobs(&mut self, part: &Part) {
        let writes = &part.changes.blobs;
        let last: HashMap<BlobKey, usize> = writes.iter().enumerate().map(|(at, write)| (write.key, at)).collect();
        for (at, write) in writes.iter().enumerate() {
            if last.get(&write.key) != Some(&at) {
                continue;
            }
            let field = keys::blob_field(&write.key);
            match &write.bytes {
                Some(bytes) => {
                    self.grows |= write.key.kind == BlobKind::Payload;
                    self.row(Kind::Blob, Verb::HSet, [field, bytes.to_vec()]);
                }
                None => self.row(Kind::Blob, Verb::HDel, [field]),
            }
        }
    }

    /// The call that applies the part.
    pub(crate) fn call(&self, part: &Part, keys: &Keys) -> Cmd {
        let expected = &part.expected;
        let mut names = vec![keys.of(expected.partition, Kind::Head), keys.of(expected.partition, Kind::Execution)];
        let mut kinds = vec![Kind::Head, Kind::Execution];
        for (kind, _) in self.groups.keys() {
            if !kinds.contains(kind) {
                kinds.push(*kind);
                names.push(keys.of(expected.partition, *kind));
            }
        }
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let function = if self.grows { Function::Commit } else { Function::CommitFinishing };
        let mut call = function.call(&names);
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
        for ((kind, verb), arguments) in &self.groups {
            let place = kinds.iter().position(|other| other == kind).unwrap_or_default();
            call.arg(verb.as_str()).arg(place + 1).arg(arguments.len());
            for argument in arguments {
                call.arg(argument.as_slice());
            }
        }
        call
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

fn encode<T: codec::Stored>(value: &T) -> StoreResult<Vec<u8>> {
    codec::encode(value).map_err(|error| StoreError::permanent(error.to_string()))
}
