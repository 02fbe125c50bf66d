//! What looking at a store tells people who want to know how it stands.
//!
//! A store that the engine must not run on is described by an [`Obstacle`].
//! [`prepare`](crate::Backend::prepare) refuses with it and whoever only looks
//! shows it, so that the two cannot disagree.

use crate::error::StoreError;
use crate::scan::NodeRow;
use leasehold_core::ids::NodeId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::fmt;

/// Why the engine must not run on a store, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What is wrong; a sentence without its full stop.
    pub what: String,
    /// How to mend it; the same.
    pub mend: String,
}

impl Obstacle {
    /// An obstacle.
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    /// A newer version of the program has worked on the store.
    pub fn newer_schema(place: impl fmt::Display, version: u32, known: u32) -> Self {
        Self::new(
            format!(
                "{place} has schema version {version} and this program knows versions up to {known}: a newer version \
                 has worked on it"
            ),
            "Run that one, or go back to a backup from before",
        )
    }

    /// The store was set up for other partition counts than those asked for.
    pub fn other_partitions(
        place: impl fmt::Display,
        stored: PartitionConfig,
        asked: PartitionConfig,
        another: &str,
    ) -> Self {
        let counts = |of: PartitionConfig| {
            format!("{}/{}/{}", of.num_flow_partitions, of.num_budget_partitions, of.num_quota_partitions)
        };
        Self::new(
            format!(
                "{place} was set up with {} flow, budget and quota partitions, and the configuration asks for {}; the \
                 counts are part of every id and fixed for the life of a store",
                counts(stored),
                counts(asked)
            ),
            format!("Configure the stored ones, or use another {another}"),
        )
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}.", self.what, self.mend)
    }
}

impl From<Obstacle> for StoreError {
    fn from(obstacle: Obstacle) -> Self {
        Self::refused(obstacle.to_string())
    }
}

/// The store's clock beside this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// This machine's time before the store was asked.
    pub before: TimestampMs,
    /// The store's answer.
    pub store: TimestampMs,
    /// This machine's time after it.
    pub after: TimestampMs,
}

impl ClockReading {
    /// How far the store's clock is ahead, at least; negative when it is
    /// behind. Between the question and the answer any time is right.
    pub const fn ahead_ms(&self) -> i64 {
        if self.store.0 < self.before.0 {
            self.store.0.saturating_sub(self.before.0)
        } else if self.store.0 > self.after.0 {
            self.store.0.saturating_sub(self.after.0)
        } else {
            0
        }
    }
}

/// Nodes, and how many partitions each of them holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// All nodes not yet forgotten.
    pub nodes: Vec<NodeRow>,
    /// How many partitions a node holds, where it holds any.
    pub held: BTreeMap<NodeId, u32>,
    /// How many partitions nobody holds.
    pub free: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_between_question_and_answer_is_right() {
        let reading =
            |store| ClockReading { before: TimestampMs(10), store: TimestampMs(store), after: TimestampMs(20) };
        for (store, ahead) in
            [(10, 0), (15, 0), (20, 0), (9, -1), (25, 5), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX - 20)]
        {
            assert_eq!(reading(store).ahead_ms(), ahead, "{store}");
        }
    }

    #[test]
    fn an_obstacle_is_one_paragraph_of_two_sentences() {
        let asked = PartitionConfig { num_flow_partitions: 4, ..PartitionConfig::default() };
        let told = Obstacle::other_partitions("The file", PartitionConfig::default(), asked, "file").to_string();
        assert!(told.contains("256/32/32") && told.contains("asks for 4/32/32") && !told.contains('\n'), "{told}");
        assert!(told.ends_with("Configure the stored ones, or use another file."), "{told}");
        let told = StoreError::from(Obstacle::newer_schema("The file", 9, 2)).to_string();
        assert!(told.starts_with("The file has schema version 9") && told.contains("up to 2: "), "{told}");
    }
}
