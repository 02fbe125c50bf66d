//! The overlay a command works on.
//!
//! Reads go through to the records as staged by earlier commands; writes stay
//! in the overlay until the command succeeds. A refused or panicking command
//! leaves no trace.

use crate::decision::{BlobWrite, Change, ChangeSet};
use crate::error::EngineError;
use crate::event::{Event, Fact};
use crate::ids::{ExecutionId, LaneId};
use crate::record::{Blob, BlobKey, Execution, Idempotency, IdempotencyKey, Lane, Record, RecordKey};
use crate::time::TimestampMs;
use std::sync::Arc;

/// Where current records come from. Every record a command names has been
/// loaded before the command is decided; none means it does not exist.
pub trait Source {
    /// The current version of a record.
    fn record(&self, key: &RecordKey) -> Option<Record>;
}

/// An overlay over a [`Source`] for the time of one command.
pub struct View<'a> {
    source: &'a dyn Source,
    set: ChangeSet,
    touched: Vec<RecordKey>,
}

impl<'a> View<'a> {
    /// An overlay without changes.
    pub fn new(source: &'a dyn Source) -> Self {
        Self { source, set: ChangeSet::default(), touched: Vec::new() }
    }

    /// What was staged and which records were looked at.
    pub fn finish(self) -> (ChangeSet, Vec<RecordKey>) {
        (self.set, self.touched)
    }

    /// What is staged so far, as a whole.
    pub(crate) const fn staged_set(&self) -> &ChangeSet {
        &self.set
    }

    fn get(&mut self, key: &RecordKey) -> Option<Record> {
        if !self.touched.contains(key) {
            self.touched.push(key.clone());
        }
        match self.set.changes.iter().find(|change| change.key == *key) {
            Some(change) => change.new.clone(),
            None => self.source.record(key),
        }
    }

    fn set(&mut self, key: RecordKey, new: Option<Record>) {
        if let Some(change) = self.set.changes.iter_mut().find(|change| change.key == key) {
            change.new = new;
            return;
        }
        let old = self.source.record(&key);
        if !self.touched.contains(&key) {
            self.touched.push(key.clone());
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
