//! Counters for benches.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
