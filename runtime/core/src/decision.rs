//! What a decision consists of: changes to records, blobs, events and the
//! answer.

use crate::command::Reply;
use crate::error::EngineError;
use crate::event::Event;
use crate::record::{Blob, BlobKey, Lease, Record, RecordKey};
use crate::time::TimestampMs;
use std::collections::HashMap;

/// What a command may use besides records.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Partition time.
    pub now: TimestampMs,
    /// A number in `[0, 1)`, for jitter.
    pub random: f64,
    /// Until when the owner promised the lease of the execution at hand,
    /// where that is later than what is stored. Renewals are answered from
    /// memory and stored with a later commit.
    pub promised_until: Option<TimestampMs>,
}

impl Context {
    /// When a lease lapses, as its owner promised.
    pub fn lease_expires_at(&self, lease: &Lease) -> TimestampMs {
        self.promised_until.map_or(lease.expires_at, |until| until.max(lease.expires_at))
    }

    /// Whether a lease still holds.
    pub fn lease_is_live(&self, lease: &Lease) -> bool {
        self.now < self.lease_expires_at(lease)
    }
}

/// One record before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which record.
    pub key: RecordKey,
    /// Before; none when it did not exist.
    pub old: Option<Record>,
    /// After; none when it is deleted.
    pub new: Option<Record>,
}

/// Bytes beside a record, written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobWrite {
    /// Which bytes.
    pub key: BlobKey,
    /// What they become; none deletes them.
    pub bytes: Option<Blob>,
}

/// Everything that one commit writes for one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// Records, each at most once.
    pub changes: Vec<Change>,
    /// Blobs, in order.
    pub blobs: Vec<BlobWrite>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Numbers of inbox entries that are dealt with by this commit and leave
    /// the inbox with it.
    pub inbox: Vec<i64>,
}

impl ChangeSet {
    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.blobs.is_empty() && self.events.is_empty() && self.inbox.is_empty()
    }

    /// How many rows or keys it writes.
    pub fn rows(&self) -> usize {
        self.changes.len() + self.blobs.len() + self.events.len() + self.inbox.len()
    }
}

/// Change sets that go out together: a record changed twice is written once.
#[derive(Debug, Default)]
pub struct Merged {
    set: ChangeSet,
    position: HashMap<RecordKey, usize>,
}

impl Merged {
    /// Adds a later change set.
    pub fn absorb(&mut self, later: ChangeSet) {
        for change in later.changes {
            if let Some(&at) = self.position.get(&change.key) {
                self.set.changes[at].new = change.new;
            } else {
                self.position.insert(change.key.clone(), self.set.changes.len());
                self.set.changes.push(change);
            }
        }
        self.set.blobs.extend(later.blobs);
        self.set.events.extend(later.events);
        self.set.inbox.extend(later.inbox);
    }

    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// How many rows or keys it writes.
    pub fn rows(&self) -> usize {
        self.set.rows()
    }

    /// Takes everything out, leaving nothing.
    pub fn take(&mut self) -> ChangeSet {
        self.position.clear();
        std::mem::take(&mut self.set)
    }
}

/// A refusal. Usually nothing is written; a few refusals leave a mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// What the caller is told.
    pub error: EngineError,
    /// Whether what was staged before the refusal is written all the same.
    pub keeps_changes: bool,
}

impl Rejection {
    /// A refusal whose staged changes are written.
    pub fn keeping(error: impl Into<EngineError>) -> Self {
        Self { error: error.into(), keeps_changes: true }
    }
}

impl<E: Into<EngineError>> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self { error: error.into(), keeps_changes: false }
    }
}

/// The outcome of a command: what to write, and what to say once it is
/// written.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What to write.
    pub changes: ChangeSet,
    /// What to say.
    pub outcome: Result<Reply, EngineError>,
    /// The records the answer rests on. It must not leave before every
    /// staged change to one of them is durable.
    pub touched: Vec<RecordKey>,
}
