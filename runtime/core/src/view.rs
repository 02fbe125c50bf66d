//! The overlay a command works on.
//!
//! Reads go through to the records as staged by earlier commands; writes stay
//! in the overlay until the command succeeds. A refused or panicking command
//! leaves no trace.
//!
//! What a command needs often shows only while it looks: a suspension names
//! its waitpoints, a dependency the member it leads to. So a record that is
//! not in memory reads as absent and is noted as missing, and a decision that
//! missed anything counts for nothing: it is made again once that is loaded.

use crate::decision::{BlobWrite, Change, ChangeSet};
use crate::error::EngineError;
use crate::event::{Event, Fact};
use crate::ids::{ExecutionId, LaneId};
use crate::record::flow::FlowKey;
use crate::record::{Blob, BlobKey, Execution, Idempotency, IdempotencyKey, Lane, Record, RecordKey};
use crate::time::TimestampMs;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Something that must be in memory before a decision can be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A record.
    Record(RecordKey),
    /// Bytes beside an execution.
    Blob(BlobKey),
}

impl Need {
    /// An execution.
    pub const fn execution(id: ExecutionId) -> Self {
        Self::Record(RecordKey::Execution(id.uuid()))
    }

    /// A record of a flow.
    pub const fn flow(key: FlowKey) -> Self {
        Self::Record(RecordKey::Flow(key))
    }
}

/// Where current records come from: the versions that earlier commands have
/// staged, and under them what the store holds.
pub trait Source {
    /// The current version of a record, or the knowledge that there is none;
    /// nothing while neither is in memory.
    fn find(&self, key: &RecordKey) -> Option<Option<Record>>;

    /// Bytes beside an execution, in the same way.
    fn find_blob(&self, key: &BlobKey) -> Option<Option<Blob>>;
}

/// All records there are, without blobs: for whoever decides without a store.
impl<S: BuildHasher> Source for HashMap<RecordKey, Record, S> {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        Some(self.get(key).cloned())
    }

    fn find_blob(&self, _key: &BlobKey) -> Option<Option<Blob>> {
        Some(None)
    }
}

/// Up to so many keys a walk along a list is faster than a table.
const FEW: usize = 16;

/// An overlay over a [`Source`] for the time of one command.
pub struct View<'a> {
    source: &'a dyn Source,
    set: ChangeSet,
    /// Where the change of a key stands, once there are more than a few.
    position: HashMap<RecordKey, usize>,
    touched: Vec<RecordKey>,
    /// The keys in `touched`, once there are more than a few.
    known: HashSet<RecordKey>,
    missing: Vec<Need>,
}

impl<'a> View<'a> {
    /// An overlay without changes.
    pub fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            set: ChangeSet::default(),
            position: HashMap::new(),
            touched: Vec::new(),
            known: HashSet::new(),
            missing: Vec::new(),
        }
    }

    /// What was staged and which records were looked at; what was not in
    /// memory, where anything was not.
    ///
    /// # Errors
    ///
    /// What has to be loaded before the decision is made again.
    pub fn finish(mut self) -> Result<(ChangeSet, Vec<RecordKey>), Vec<Need>> {
        if self.missing.is_empty() {
            // Records of flows are staged by whoever looks at them, changed
            // or not.
            self.set.changes.retain(|change| !matches!(change.key, RecordKey::Flow(_)) || change.old != change.new);
            return Ok((self.set, self.touched));
        }
        self.missing.sort_unstable();
        self.missing.dedup();
        Err(self.missing)
    }

    /// Whether anything was looked for that is not in memory.
    pub(crate) const fn is_missing_something(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Notes what is not in memory of things that are about to be looked at.
    pub(crate) fn expect(&mut self, needs: impl IntoIterator<Item = Need>) {
        for need in needs {
            let known = match &need {
                Need::Record(key) => self.change_of(key).is_some() || self.source.find(key).is_some(),
                Need::Blob(key) => self.source.find_blob(key).is_some(),
            };
            if !known {
                self.missing.push(need);
            }
        }
    }

    /// What is staged so far, as a whole.
    pub(crate) const fn staged_set(&self) -> &ChangeSet {
        &self.set
    }

    fn change_of(&self, key: &RecordKey) -> Option<usize> {
        if self.set.changes.len() <= FEW {
            return self.set.changes.iter().position(|change| change.key == *key);
        }
        self.position.get(key).copied()
    }

    fn touch(&mut self, key: &RecordKey) {
        if self.touched.len() <= FEW {
            if self.touched.contains(key) {
                return;
            }
            if self.touched.len() == FEW {
                self.known.extend(self.touched.iter().cloned());
                self.known.insert(key.clone());
            }
        } else if !self.known.insert(key.clone()) {
            return;
        }
        self.touched.push(key.clone());
    }

    fn look(&mut self, key: &RecordKey) -> Option<Record> {
        self.source.find(key).unwrap_or_else(|| {
            self.missing.push(Need::Record(key.clone()));
            None
        })
    }

    /// The current version of a record.
    pub(crate) fn get(&mut self, key: &RecordKey) -> Option<Record> {
        self.touch(key);
        match self.change_of(key) {
            Some(at) => self.set.changes[at].new.clone(),
            None => self.look(key),
        }
    }

    /// Stages a record or its deletion.
    pub(crate) fn set(&mut self, key: RecordKey, new: Option<Record>) {
        if let Some(at) = self.change_of(&key) {
            self.set.changes[at].new = new;
            return;
        }
        let old = self.look(&key);
        self.push(key, old, new);
    }

    /// Stages a record that other records prove to be new where it is not in
    /// memory, or its deletion.
    pub(crate) fn set_proven(&mut self, key: RecordKey, new: Option<Record>) {
        if let Some(at) = self.change_of(&key) {
            self.set.changes[at].new = new;
            return;
        }
        let old = self.source.find(&key).flatten();
        self.push(key, old, new);
    }

    /// Stages a record that other records prove to be new.
    pub(crate) fn put_new(&mut self, record: Record) {
        self.set_proven(record.key(), Some(record));
    }

    /// Stages the change of a record that is derived from another one, whose
    /// change tells both versions.
    pub(crate) fn set_derived(&mut self, old: Option<Record>, new: Option<Record>) {
        for (old, new) in [(old, None), (None, new)] {
            let Some(key) = old.as_ref().or(new.as_ref()).map(Record::key) else { continue };
            match self.change_of(&key) {
                Some(at) => self.set.changes[at].new = new,
                None => self.push(key, old, new),
            }
        }
    }

    fn push(&mut self, key: RecordKey, old: Option<Record>, new: Option<Record>) {
        self.touch(&key);
        let at = self.set.changes.len();
        if at == FEW {
            self.position.extend(self.set.changes.iter().enumerate().map(|(at, change)| (change.key.clone(), at)));
        }
        if at >= FEW {
            self.position.insert(key.clone(), at);
        }
        self.set.changes.push(Change { key, old, new });
    }

    /// An execution, or none. One whose stored id carries another partition
    /// is a different execution.
    pub fn find_execution(&mut self, id: ExecutionId) -> Option<Arc<Execution>> {
        match self.get(&RecordKey::Execution(id.uuid())) {
            Some(Record::Execution(execution)) if execution.id == id => Some(execution),
            _ => None,
        }
    }

    /// An execution.
    ///
    /// # Errors
    ///
    /// `execution_not_found`.
    pub fn execution(&mut self, id: ExecutionId) -> Result<Arc<Execution>, EngineError> {
        self.find_execution(id).ok_or_else(EngineError::execution_not_found)
    }

    /// A lane, if this partition has seen it.
    pub fn lane(&mut self, id: &LaneId) -> Option<Arc<Lane>> {
        match self.get(&RecordKey::Lane(id.clone())) {
            Some(Record::Lane(lane)) => Some(lane),
            _ => None,
        }
    }

    /// What an idempotency key stands for, lapsed or not.
    pub fn idempotency(&mut self, key: &IdempotencyKey) -> Option<Arc<Idempotency>> {
        match self.get(&RecordKey::Idempotency(key.clone())) {
            Some(Record::Idempotency(idempotency)) => Some(idempotency),
            _ => None,
        }
    }

    /// Stages a record.
    pub fn put(&mut self, record: Record) {
        self.set(record.key(), Some(record));
    }

    /// Stages an execution.
    pub fn put_execution(&mut self, execution: Arc<Execution>) {
        self.put(Record::Execution(execution));
    }

    /// Bytes beside an execution, as staged so far.
    pub(crate) fn blob(&mut self, key: BlobKey) -> Option<Blob> {
        if let Some(write) = self.set.blobs.iter().rev().find(|write| write.key == key) {
            return write.bytes.clone();
        }
        self.source.find_blob(&key).unwrap_or_else(|| {
            self.missing.push(Need::Blob(key));
            None
        })
    }

    /// Stages bytes beside an execution; none deletes them.
    pub fn put_blob(&mut self, key: BlobKey, bytes: Option<Blob>) {
        self.set.blobs.push(BlobWrite { key, bytes });
    }

    /// Takes an entry out of the inbox.
    pub fn leave_inbox(&mut self, number: i64) {
        self.set.inbox.push(number);
    }

    /// What was staged so far, record by record.
    pub(crate) fn staged(&self) -> impl Iterator<Item = &Change> {
        self.set.changes.iter()
    }

    /// Takes back everything staged so far, for a command that answers a
    /// refusal instead of being refused.
    pub fn take_back(&mut self) {
        self.set = ChangeSet::default();
        self.position.clear();
    }

    /// Tells something. Facts of one execution share an event.
    pub fn tell(&mut self, execution_id: ExecutionId, at: TimestampMs, fact: Fact) {
        if let Some(event) = self.set.events.iter_mut().find(|event| event.execution_id == execution_id) {
            event.facts.push(fact);
            return;
        }
        self.set.events.push(Event { execution_id, at, facts: vec![fact] });
    }
}
