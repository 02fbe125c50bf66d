//! Counters for benches.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the store was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Pipelines sent and answered; one carries several commands.
    pub round_trips: u64,
    /// Commands in them.
    pub commands: u64,
    /// Batches committed.
    pub commits: u64,
    /// Partitions' change sets applied.
    pub parts: u64,
    /// Records, blobs and entries of events those wrote or deleted.
    pub keys_written: u64,
    /// Members those added to or removed from sorted sets.
    pub index_entries_written: u64,
    /// Connections made.
    pub connections: u64,
    /// How often the function library was loaded.
    pub libraries_loaded: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) round_trips: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) parts: AtomicU64,
    pub(crate) keys_written: AtomicU64,
    pub(crate) index_entries_written: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) libraries_loaded: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            round_trips: self.round_trips.load(Relaxed),
            commands: self.commands.load(Relaxed),
            commits: self.commits.load(Relaxed),
            parts: self.parts.load(Relaxed),
            keys_written: self.keys_written.load(Relaxed),
            index_entries_written: self.index_entries_written.load(Relaxed),
            connections: self.connections.load(Relaxed),
            libraries_loaded: self.libraries_loaded.load(Relaxed),
        }
    }
}
