//! A bounded part of an ordered index, kept true while the index changes.
//!
//! A window holds every key up to its *edge*; a *complete* window holds all
//! there are. An insert inside the edge enters, one beyond it does not. When
//! room is left in an incomplete window, the caller scans the store beyond
//! the edge. The store shows committed state only, so the window keeps the
//! changes that are not durable yet, or came after the scan was asked for,
//! and replays them over the result.

use std::collections::{BTreeSet, VecDeque};

#[derive(Clone, Copy, Debug)]
struct Logged<K> {
    commit: u64,
    key: K,
    present: bool,
}

/// A bounded, ordered part of an index.
#[derive(Debug)]
pub struct Window<K> {
    entries: BTreeSet<K>,
    /// The last key known to be covered; none while nothing was scanned.
    edge: Option<K>,
    complete: bool,
    capacity: usize,
    scanning: bool,
    log: VecDeque<Logged<K>>,
}

impl<K: Ord + Copy> Window<K> {
    /// A window that has not been scanned yet.
    pub fn unknown(capacity: usize) -> Self {
        Self {
            entries: BTreeSet::new(),
            edge: None,
            complete: false,
            capacity: capacity.max(1),
            scanning: false,
            log: VecDeque::new(),
        }
    }

    /// A window over an index that is known to be empty.
    pub fn empty(capacity: usize) -> Self {
        Self { complete: true, ..Self::unknown(capacity) }
    }

    /// The first key.
    #[cfg(test)]
    pub fn first(&self) -> Option<K> {
        self.entries.first().copied()
    }

    /// All keys held, in order.
    pub fn iter(&self) -> impl Iterator<Item = K> + '_ {
        self.entries.iter().copied()
    }

    /// How many keys are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the window holds nothing and there is nothing to scan.
    pub fn is_exhausted(&self) -> bool {
        self.entries.is_empty() && self.complete && self.log.is_empty()
    }

    /// Notes that a staged change added a key. `commit` is the commit it goes
    /// out with.
    pub fn insert(&mut self, key: K, commit: u64) {
        self.log.push_back(Logged { commit, key, present: true });
        self.place(key);
    }

    /// Notes that a staged change removed a key.
    pub fn remove(&mut self, key: K, commit: u64) {
        self.log.push_back(Logged { commit, key, present: false });
        self.entries.remove(&key);
    }

    fn place(&mut self, key: K) {
        if !self.complete && self.edge.is_none_or(|edge| key > edge) {
            return;
        }
        self.entries.insert(key);
        if self.entries.len() > self.capacity {
            self.entries.pop_last();
            self.complete = false;
            self.edge = self.entries.last().copied();
        }
    }

    /// Forgets the changes up to a durable commit; a scan from now on shows
    /// them.
    pub fn durable(&mut self, commit: u64) {
        if self.scanning {
            return;
        }
        while self.log.front().is_some_and(|logged| logged.commit <= commit) {
            self.log.pop_front();
        }
    }

    /// If room is left, starts a scan: the place to scan after and how many
    /// keys to ask for.
    pub fn begin_scan(&mut self) -> Option<(Option<K>, usize)> {
        if self.scanning || self.complete || self.entries.len() > self.capacity / 4 {
            return None;
        }
        self.scanning = true;
        Some((self.edge, self.capacity - self.entries.len()))
    }

    /// Takes the result of the scan that [`Window::begin_scan`] asked for.
    /// Fewer keys than asked for mean that there are no more.
    pub fn finish_scan(&mut self, found: &[K], asked: usize) {
        self.finish_scan_without(found, &[], asked);
    }

    /// The same, where the store lists keys that do not belong here. A change
    /// that came after the scan was asked for still counts: it may be the one
    /// that makes such a key belong.
    pub fn finish_scan_without(&mut self, found: &[K], foreign: &[K], asked: usize) {
        self.scanning = false;
        if found.len() < asked {
            self.complete = true;
        } else if let Some(last) = found.last() {
            self.edge = Some(*last);
        }
        self.entries.extend(found.iter().filter(|key| !foreign.contains(key)).copied());
        // The bound is applied to the final state only: a bound met on the
        // way would move the edge back, and the same scan would follow.
        for logged in &self.log {
            if !logged.present {
                self.entries.remove(&logged.key);
            } else if self.complete || self.edge.is_some_and(|edge| logged.key <= edge) {
                self.entries.insert(logged.key);
            }
        }
        if self.entries.len() > self.capacity {
            while self.entries.len() > self.capacity {
                self.entries.pop_last();
            }
            self.complete = false;
            self.edge = self.entries.last().copied();
        }
    }

    /// The scan failed; another may be started.
    pub fn abandon_scan(&mut self) {
        self.scanning = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_beyond_the_edge_is_left_to_a_later_scan() {
        let mut window = Window::unknown(4);
        assert_eq!(window.begin_scan(), Some((None, 4)));
        window.finish_scan(&[10, 20, 30, 40], 4);
        window.insert(50, 1);
        assert_eq!(window.iter().collect::<Vec<_>>(), [10, 20, 30, 40]);
        window.insert(15, 1);
        assert_eq!(window.iter().collect::<Vec<_>>(), [10, 15, 20, 30]);
        window.durable(1);
        for key in [10, 15, 20] {
            window.remove(key, 2);
        }
        window.durable(2);
        assert_eq!(window.begin_scan(), Some((Some(30), 3)));
        window.finish_scan(&[40, 50], 3);
        assert_eq!(window.iter().collect::<Vec<_>>(), [30, 40, 50]);
    }

    #[test]
    fn what_is_not_durable_yet_survives_a_scan_that_cannot_see_it() {
        let mut window = Window::unknown(4);
        window.insert(5, 1);
        window.begin_scan().unwrap();
        window.finish_scan(&[], 4);
        assert_eq!(window.first(), Some(5));
    }

    #[test]
    fn what_was_removed_does_not_come_back_with_a_scan() {
        let mut window = Window::unknown(4);
        window.begin_scan().unwrap();
        window.remove(7, 1);
        window.durable(1);
        window.finish_scan(&[7, 8], 4);
        assert_eq!(window.iter().collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn a_key_that_comes_to_belong_while_it_is_scanned_is_kept() {
        let mut window = Window::unknown(4);
        window.begin_scan().unwrap();
        window.insert(7, 1);
        window.durable(1);
        window.finish_scan_without(&[6, 7, 8], &[6, 7], 4);
        assert_eq!(window.iter().collect::<Vec<_>>(), [7, 8]);
    }

    #[test]
    fn every_scan_gets_further_even_while_nothing_becomes_durable() {
        let mut window = Window::unknown(4);
        for key in 0..8 {
            window.insert(key, 1);
        }
        for key in 0..8 {
            window.remove(key, 1);
        }
        let stored = [10, 11, 12, 13, 14];
        let (after, asked) = window.begin_scan().unwrap();
        assert_eq!((after, asked), (None, 4));
        window.finish_scan(&stored[..4], asked);
        assert_eq!(window.iter().collect::<Vec<_>>(), [10, 11, 12, 13]);
        for key in [10, 11, 12] {
            window.remove(key, 1);
        }
        assert_eq!(window.begin_scan(), Some((Some(13), 3)));
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let mut window = Window::empty(3);
        for key in 0..100 {
            window.insert(key, 1);
            assert!(window.len() <= 3);
        }
        assert_eq!(window.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn it_agrees_with_the_whole_index_under_random_changes() {
        let mut seed = 42_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..200 {
            let mut staged: BTreeSet<u64> = BTreeSet::new();
            let mut committed: BTreeSet<u64> = BTreeSet::new();
            let mut window = Window::unknown(5);
            let mut commit = 1;
            let mut scan: Option<(usize, Vec<u64>)> = None;
            for _ in 0..300 {
                match random() % 6 {
                    0 | 1 => {
                        let key = random() % 40;
                        if staged.insert(key) {
                            window.insert(key, commit);
                        }
                    }
                    2 => {
                        if let Some(key) = window.first() {
                            staged.remove(&key);
                            window.remove(key, commit);
                        }
                    }
                    3 => {
                        committed.clone_from(&staged);
                        window.durable(commit);
                        commit += 1;
                    }
                    4 if scan.is_none() => {
                        if let Some((after, limit)) = window.begin_scan() {
                            let found =
                                committed.iter().filter(|key| after.is_none_or(|a| **key > a)).take(limit).copied();
                            scan = Some((limit, found.collect()));
                        }
                    }
                    _ => {
                        if let Some((limit, found)) = scan.take() {
                            window.finish_scan(&found, limit);
                        }
                    }
                }
                let held: Vec<_> = window.iter().collect();
                let expected: Vec<_> = staged.iter().take(held.len()).copied().collect();
                assert_eq!(held, expected);
            }
        }
    }
}
