//! Index entries of one partition.
//!
//! Entries are kept twice, by place for scans and by execution for
//! inspection; both change in the same two functions and nowhere else.

use leasehold_backend::{DueEntry, ReadyGroup, StoredIndex};
use leasehold_core::ids::{LaneId, WorkerInstanceId};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::Execution;
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use uuid::Uuid;

/// One place an execution is found at. The order of the variants and of their
/// fields is the order of the scans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    /// Ready, among those that the same workers can do.
    Ready { group: ReadyGroup, rank: i64 },
    /// In a queue of its lane.
    Queued { lane_id: LaneId, queue: Queue },
    /// Has a timer.
    Due(TimestampMs),
    /// Active.
    Active,
    /// Its stored lease lapses.
    Lapses(TimestampMs),
    /// A process holds its lease.
    Held(WorkerInstanceId),
}

/// The indexes of one partition.
#[derive(Debug, Default)]
pub struct Entries {
    places: BTreeSet<(Entry, Uuid)>,
    of: BTreeMap<Uuid, BTreeSet<Entry>>,
}

fn entries_of(execution: Option<&Execution>) -> BTreeSet<Entry> {
    let mut entries = BTreeSet::new();
    let Some(execution) = execution else { return entries };
    let derived = index_entries(execution);
    match derived.queue {
        Queue::Ready { rank } => {
            let group = ReadyGroup { lane_id: derived.lane_id.clone(), requirements: derived.requirements };
            entries.insert(Entry::Ready { group, rank });
        }
        Queue::Active { lease_expires_at } => {
            entries.insert(Entry::Active);
            entries.extend(lease_expires_at.map(Entry::Lapses));
        }
        _ => {}
    }
    entries.insert(Entry::Queued { lane_id: derived.lane_id, queue: derived.queue });
    entries.extend(derived.due_at.map(Entry::Due));
    entries.extend(derived.held_by.map(Entry::Held));
    entries
}

impl Entries {
    /// Follows a change of an execution: what only the old version is found
    /// by goes, what only the new one is found by comes.
    pub fn follow(&mut self, id: Uuid, old: Option<&Execution>, new: Option<&Execution>) {
        let (old, new) = (entries_of(old), entries_of(new));
        for entry in old.difference(&new) {
            self.remove(id, entry);
        }
        for entry in new.difference(&old) {
            self.insert(id, entry.clone());
        }
    }

    fn insert(&mut self, id: Uuid, entry: Entry) {
        self.of.entry(id).or_default().insert(entry.clone());
        self.places.insert((entry, id));
    }

    fn remove(&mut self, id: Uuid, entry: &Entry) {
        self.places.remove(&(entry.clone(), id));
        if let Some(entries) = self.of.get_mut(&id) {
            entries.remove(entry);
            if entries.is_empty() {
                self.of.remove(&id);
            }
        }
    }

    fn from(&self, start: Bound<(Entry, Uuid)>) -> impl Iterator<Item = &(Entry, Uuid)> {
        self.places.range((start, Bound::Unbounded))
    }

    /// The groups that have ready executions, after a place.
    pub fn ready_groups(&self, after: Option<&ReadyGroup>, limit: usize) -> Vec<ReadyGroup> {
        let mut groups: Vec<ReadyGroup> = Vec::new();
        let mut last = after.cloned();
        while groups.len() < limit {
            // The end of one group is where the next one is looked for, so
            // that a long group costs one step.
            let start = match last.take() {
                Some(group) => Bound::Excluded((Entry::Ready { group, rank: i64::MAX }, Uuid::max())),
                None => Bound::Unbounded,
            };
            let Some((Entry::Ready { group, .. }, _)) = self.from(start).next() else { break };
            groups.push(group.clone());
            last = Some(group.clone());
        }
        groups
    }

    /// Ready executions of one group by (rank, id), after a place.
    pub fn ready<'a>(&'a self, group: &'a ReadyGroup, after: Option<(i64, Uuid)>) -> impl Iterator<Item = Uuid> + 'a {
        let at = |rank| Entry::Ready { group: group.clone(), rank };
        let start = match after {
            Some((rank, id)) => Bound::Excluded((at(rank), id)),
            None => Bound::Included((at(i64::MIN), Uuid::nil())),
        };
        self.from(start)
            .take_while(move |(entry, _)| matches!(entry, Entry::Ready { group: other, .. } if other == group))
            .map(|(_, id)| *id)
    }

    /// Ready executions of a lane by (rank, id), whatever they require.
    pub fn eligible<'a>(&'a self, lane: &'a LaneId) -> impl Iterator<Item = Uuid> + 'a {
        let first = Entry::Queued { lane_id: lane.clone(), queue: Queue::Ready { rank: i64::MIN } };
        self.from(Bound::Included((first, Uuid::nil())))
            .take_while(move |(entry, _)| {
                matches!(entry, Entry::Queued { lane_id, queue: Queue::Ready { .. } } if lane_id == lane)
            })
            .map(|(_, id)| *id)
    }

    /// Timers by (time, id), after a place.
    pub fn due(&self, after: Option<(TimestampMs, Uuid)>) -> impl Iterator<Item = DueEntry> + '_ {
        let start = match after {
            Some((at, id)) => Bound::Excluded((Entry::Due(at), id)),
            None => Bound::Included((Entry::Due(TimestampMs(i64::MIN)), Uuid::nil())),
        };
        self.from(start).map_while(|(entry, id)| match entry {
            Entry::Due(due_at) => Some(DueEntry { due_at: *due_at, execution: *id }),
            _ => None,
        })
    }

    /// Active executions by id, after a place.
    pub fn active(&self, after: Option<Uuid>) -> impl Iterator<Item = Uuid> + '_ {
        let start = match after {
            Some(id) => Bound::Excluded((Entry::Active, id)),
            None => Bound::Included((Entry::Active, Uuid::nil())),
        };
        self.from(start).take_while(|(entry, _)| *entry == Entry::Active).map(|(_, id)| *id)
    }

    /// Active executions by (expiry of the stored lease, id), from a time on.
    pub fn lapsing(&self, from: TimestampMs) -> impl Iterator<Item = (TimestampMs, Uuid)> + '_ {
        self.from(Bound::Included((Entry::Lapses(from), Uuid::nil()))).map_while(|(entry, id)| match entry {
            Entry::Lapses(at) => Some((*at, *id)),
            _ => None,
        })
    }

    /// What the indexes say of one execution. One that stands in several
    /// queues shows all their names, which is the name of no queue.
    pub fn stored(&self, id: Uuid) -> Option<StoredIndex> {
        let entries = self.of.get(&id)?;
        let mut found: Option<StoredIndex> = None;
        let mut due = None;
        for entry in entries {
            match entry {
                Entry::Queued { lane_id, queue } => match &mut found {
                    Some(index) => {
                        index.queue.push('+');
                        index.queue.push_str(queue.name());
                    }
                    None => {
                        found = Some(StoredIndex {
                            queue: queue.name().to_owned(),
                            lane_id: lane_id.clone(),
                            score: queue.score(),
                            due_at: None,
                        });
                    }
                },
                // The latest of several; the scan of timers shows the others.
                Entry::Due(at) => due = Some(*at),
                _ => {}
            }
        }
        found.map(|index| StoredIndex { due_at: due, ..index })
    }
}
