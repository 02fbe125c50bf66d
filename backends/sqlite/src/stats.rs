//! Counters for benches, and the record of write transactions they replay.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What the writing connection has done so far, and how often was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// SQL statements, with `BEGIN` and `COMMIT`.
    pub statements: u64,
    /// Statements of the reading connections.
    pub reads: u64,
    /// Trips to the connection's thread; one carries several statements.
    pub round_trips: u64,
    /// Batches committed.
    pub commits: u64,
    /// Rows those batches wrote or deleted.
    pub rows_written: u64,
    /// Bytes of the values bound, a number counting as eight.
    pub bytes_bound: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) statements: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) round_trips: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) rows_written: AtomicU64,
    pub(crate) bytes_bound: AtomicU64,
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
        }
    }
}

/// A bound value, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedValue {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The statements of one committed write transaction as they were sent, from
/// `BEGIN` to `COMMIT`. An entry may hold several statements, whose values
/// follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTransaction {
    /// Text and values.
    pub statements: Vec<(String, Vec<RecordedValue>)>,
}

/// Where recorded transactions are kept until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    on: AtomicBool,
    done: Mutex<Vec<RecordedTransaction>>,
}

impl Recorder {
    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub(crate) fn push(&self, transaction: RecordedTransaction) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(transaction);
    }

    pub(crate) fn take(&self) -> Vec<RecordedTransaction> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
