//! Counters for benches, and the record of commits they replay.

use crate::binds::Binds;
use sqlx::postgres::PgArguments;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// What the store has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// SQL statements of all connections, with `BEGIN` and `COMMIT`.
    pub statements: u64,
    /// Reading calls.
    pub reads: u64,
    /// Trips to the server and back, with those that prepare a statement for
    /// the first time on a connection.
    pub round_trips: u64,
    /// Batches committed.
    pub commits: u64,
    /// Rows those batches inserted, updated or deleted, the head's not
    /// counted.
    pub rows_written: u64,
    /// Bytes of the values bound.
    pub bytes_bound: u64,
    /// Connections made.
    pub connects: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) statements: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) round_trips: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) bytes_bound: AtomicU64,
    pub(crate) connects: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            statements: self.statements.load(Relaxed),
            reads: self.reads.load(Relaxed),
            round_trips: self.round_trips.load(Relaxed),
            commits: self.commits.load(Relaxed),
            rows_written: self.rows_written.load(Relaxed),
            bytes_bound: self.bytes_bound.load(Relaxed),
            connects: self.connects.load(Relaxed),
        }
    }
}

/// The statement of a commit that went through, as it was sent.
#[derive(Clone, Debug)]
pub struct RecordedCommit {
    /// The text.
    pub text: Arc<str>,
    /// The values bound to it.
    pub arguments: PgArguments,
    /// How many events it appended.
    pub events: usize,
}

/// Where recorded commits are kept until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    on: AtomicBool,
    done: Mutex<Vec<RecordedCommit>>,
}

impl Recorder {
    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    /// A copy of what is about to be sent, while recording.
    pub(crate) fn copy(&self, text: &Arc<str>, binds: &Binds, events: usize) -> Option<RecordedCommit> {
        let copy = || RecordedCommit { text: Arc::clone(text), arguments: binds.arguments().clone(), events };
        self.on.load(Relaxed).then(copy)
    }

    pub(crate) fn push(&self, commit: RecordedCommit) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(commit);
    }

    pub(crate) fn take(&self) -> Vec<RecordedCommit> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
