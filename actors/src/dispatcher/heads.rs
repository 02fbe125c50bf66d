//! Heads: which partition has what, best first.

use leasehold_backend::ReadyGroup;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::LaneId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug)]
struct Group {
    shared: Arc<ReadyGroup>,
    ranked: BTreeSet<(i64, u16)>,
    by_partition: BTreeMap<u16, (i64, usize)>,
}

/// Heads of all partitions.
#[derive(Debug, Default)]
pub struct Heads {
    lanes: BTreeMap<LaneId, BTreeMap<CapabilitySet, Group>>,
}

impl Heads {
    /// Takes in what a partition says of a group.
    pub fn set(&mut self, partition: u16, group: ReadyGroup, head: Option<(i64, usize)>) {
        match head.filter(|(_, count)| *count > 0) {
            Some(head) => {
                let slot = self
                    .lanes
                    .entry(group.lane_id.clone())
                    .or_default()
                    .entry(group.requirements.clone())
                    .or_insert_with(|| Group {
                        shared: Arc::new(group),
                        ranked: BTreeSet::new(),
                        by_partition: BTreeMap::new(),
                    });
                if let Some((rank, _)) = slot.by_partition.insert(partition, head) {
                    slot.ranked.remove(&(rank, partition));
                }
                slot.ranked.insert((head.0, partition));
            }
            None => self.remove(partition, &group),
        }
    }

    fn remove(&mut self, partition: u16, group: &ReadyGroup) {
        let Some(groups) = self.lanes.get_mut(&group.lane_id) else { return };
        if let Some(slot) = groups.get_mut(&group.requirements) {
            if let Some((rank, _)) = slot.by_partition.remove(&partition) {
                slot.ranked.remove(&(rank, partition));
            }
            if slot.by_partition.is_empty() {
                groups.remove(&group.requirements);
            }
        }
        if groups.is_empty() {
            self.lanes.remove(&group.lane_id);
        }
    }

    /// Drops everything of a partition.
    pub fn forget(&mut self, partition: u16) {
        for groups in self.lanes.values_mut() {
            for slot in groups.values_mut() {
                if let Some((rank, _)) = slot.by_partition.remove(&partition) {
                    slot.ranked.remove(&(rank, partition));
                }
            }
            groups.retain(|_, slot| !slot.by_partition.is_empty());
        }
        self.lanes.retain(|_, groups| !groups.is_empty());
    }

    /// The best head among what a worker can do: its group, its partition and
    /// how many are known there. Heads it cannot do never hide others.
    pub fn best(&self, lanes: &[LaneId], offered: &CapabilitySet) -> Option<(Arc<ReadyGroup>, u16, usize)> {
        let (_, group, partition) = lanes
            .iter()
            .filter_map(|lane| self.lanes.get(lane))
            .flat_map(BTreeMap::values)
            .filter(|slot| slot.shared.requirements.is_subset_of(offered))
            .filter_map(|slot| slot.ranked.first().map(|(rank, partition)| (*rank, slot, *partition)))
            .min_by_key(|(rank, _, partition)| (*rank, *partition))?;
        let count = group.by_partition.get(&partition).map_or(0, |(_, count)| *count);
        Some((group.shared.clone(), partition, count))
    }

    /// Notes that so many were asked for; the partition says how it really
    /// stands.
    pub fn took(&mut self, partition: u16, group: &ReadyGroup, taken: usize) {
        let left = self
            .lanes
            .get(&group.lane_id)
            .and_then(|groups| groups.get(&group.requirements))
            .and_then(|slot| slot.by_partition.get(&partition))
            .map(|(rank, count)| (*rank, count.saturating_sub(taken)));
        if let Some(left) = left {
            self.set(partition, group.clone(), Some(left));
        }
    }

    /// Whether nobody has anything.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(lane: &'static str, required: &[&str]) -> ReadyGroup {
        ReadyGroup {
            lane_id: LaneId::new(lane),
            requirements: CapabilitySet::parse_required(required.iter().copied()).unwrap(),
        }
    }

    fn offer(tokens: &[&str]) -> CapabilitySet {
        CapabilitySet::parse_offered(tokens.iter().copied()).unwrap()
    }

    #[test]
    fn the_lowest_rank_is_served_first_whatever_its_partition() {
        let mut heads = Heads::default();
        heads.set(1, group("a", &[]), Some((50, 3)));
        heads.set(2, group("a", &[]), Some((-10, 1)));
        let best = heads.best(&[LaneId::new("a")], &offer(&[])).unwrap();
        assert_eq!((best.1, best.2), (2, 1));
    }

    #[test]
    fn work_a_worker_cannot_do_hides_nothing() {
        let mut heads = Heads::default();
        heads.set(1, group("a", &["gpu"]), Some((-100, 5)));
        heads.set(2, group("a", &[]), Some((0, 1)));
        let lanes = [LaneId::new("a")];
        assert_eq!(heads.best(&lanes, &offer(&[])).unwrap().1, 2);
        assert_eq!(heads.best(&lanes, &offer(&["gpu"])).unwrap().1, 1);
        assert!(heads.best(&[LaneId::new("b")], &offer(&["gpu"])).is_none());
    }

    #[test]
    fn what_was_taken_is_not_offered_again() {
        let mut heads = Heads::default();
        heads.set(1, group("a", &[]), Some((0, 2)));
        heads.took(1, &group("a", &[]), 2);
        assert!(heads.is_empty());
    }

    #[test]
    fn a_partition_that_is_gone_leaves_nothing_behind() {
        let mut heads = Heads::default();
        heads.set(1, group("a", &[]), Some((0, 2)));
        heads.set(1, group("b", &["x"]), Some((0, 2)));
        heads.forget(1);
        assert!(heads.is_empty());
    }
}
