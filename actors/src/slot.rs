//! Where a partition's staged changes wait for the committer.
//!
//! The partition adds while an earlier commit is in flight; the committer
//! takes everything at once when it is ready. That is all of group commit: no
//! timer, and a batch is what arrived during the last commit.
//!
//! After a failure the slot is *poisoned*: what was staged behind a failed
//! commit was decided on state that never came to be, so nothing of it may
//! leave until the partition has reloaded and starts over.

use leasehold_backend::{Expected, Part};
use leasehold_core::decision::{ChangeSet, Merged};
use leasehold_core::time::TimestampMs;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A partition's staged changes.
#[derive(Debug)]
pub struct Slot {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    partition: u16,
    epoch: u64,
    nonce: u64,
    /// Commits of this epoch so far.
    seq: u64,
    /// The number of the next event of this epoch.
    next_event: u64,
    /// The number of the commit that takes what is staged now.
    commit: u64,
    time: TimestampMs,
    staged: Merged,
    queued: bool,
    poisoned: bool,
    /// How often it was started over.
    turn: u64,
}

/// What staging did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The commit the changes go out with.
    pub commit: u64,
    /// Whether the committer must be told.
    pub announce: bool,
    /// What it must be told, to take what is staged.
    pub turn: u64,
    /// Rows staged for that commit so far.
    pub rows: usize,
}

impl Slot {
    /// An empty slot of a partition that was just taken.
    pub fn new(partition: u16, epoch: u64, nonce: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                partition,
                epoch,
                nonce,
                seq: 0,
                next_event: 1,
                commit: 1,
                time: TimestampMs::default(),
                staged: Merged::default(),
                queued: false,
                poisoned: false,
                turn: 0,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds changes decided at `time`.
    pub fn stage(&self, changes: ChangeSet, time: TimestampMs) -> Staged {
        let mut inner = self.lock();
        inner.time = inner.time.max(time);
        inner.staged.absorb(changes);
        let announce = !inner.queued;
        inner.queued = true;
        Staged { commit: inner.commit, announce, turn: inner.turn, rows: inner.staged.rows() }
    }

    /// The commit that would take changes staged now.
    pub fn commit(&self) -> u64 {
        self.lock().commit
    }

    /// Rows staged for the next commit so far.
    pub fn rows(&self) -> usize {
        self.lock().staged.rows()
    }

    /// The ownership epoch.
    pub fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Takes what is staged, with its number. Nothing after a failure, and
    /// nothing for whoever was told before the slot was started over: the one
    /// who listens there is not the one who waits for what is staged now.
    pub fn take(&self, turn: u64) -> Option<(u64, Part)> {
        let mut inner = self.lock();
        if inner.turn != turn {
            return None;
        }
        inner.queued = false;
        if inner.poisoned || inner.staged.is_empty() {
            return None;
        }
        let changes = inner.staged.take();
        let commit = inner.commit;
        let part = Part {
            expected: Expected { partition: inner.partition, epoch: inner.epoch, nonce: inner.nonce, seq: inner.seq },
            time: inner.time,
            first_event: inner.next_event,
            changes,
        };
        inner.commit += 1;
        inner.seq += 1;
        inner.next_event += part.changes.events.len() as u64;
        Some((commit, part))
    }

    /// A commit failed: nothing leaves any more.
    pub fn poison(&self) {
        self.lock().poisoned = true;
    }

    /// The partition was taken anew and its last commit had landed: what is
    /// staged goes on under the new epoch.
    pub fn renew(&self, epoch: u64) {
        let mut inner = self.lock();
        inner.epoch = epoch;
        inner.seq = 0;
        inner.next_event = 1;
    }

    /// The partition starts over under a new epoch.
    pub fn reset(&self, epoch: u64) {
        let mut inner = self.lock();
        inner.epoch = epoch;
        inner.seq = 0;
        inner.next_event = 1;
        inner.commit += 1;
        inner.staged.take();
        inner.queued = false;
        inner.poisoned = false;
        inner.turn += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(number: i64) -> ChangeSet {
        ChangeSet { inbox: vec![number], ..ChangeSet::default() }
    }

    #[test]
    fn word_from_before_a_new_start_takes_nothing_and_leaves_it_to_the_next() {
        let slot = Slot::new(1, 10, 7);
        let before = slot.stage(changes(1), TimestampMs(1));
        slot.poison();
        assert!(slot.take(before.turn).is_none());
        let unheard = slot.stage(changes(2), TimestampMs(1));
        slot.reset(11);
        let after = slot.stage(changes(3), TimestampMs(2));
        assert!(unheard.announce && after.announce);
        assert!(slot.take(unheard.turn).is_none());
        let (commit, part) = slot.take(after.turn).unwrap();
        assert_eq!((commit, part.expected.epoch), (after.commit, 11));
    }
}
