//! In which order a scheduling call looks at the partitions.
//!
//! Workers start at different partitions, so that they do not all contend for
//! the work of the first; the start moves on with time, so that no partition
//! is always looked at last.

use leasehold_core::ids::WorkerInstanceId;
use leasehold_core::partition::fnv1a64;
use leasehold_core::time::TimestampMs;
use std::sync::{Mutex, PoisonError};

/// How far the start moves in one step.
const STEP: u32 = 32;

/// How long the start stays where it is.
const WINDOW_MS: i64 = 250;

/// Where the next scheduling call starts.
#[derive(Debug, Default)]
pub(super) struct Rotation(Mutex<Cursor>);

#[derive(Debug, Default)]
struct Cursor {
    window: Option<i64>,
    offset: u16,
}

/// The partition a worker starts at before the start moves.
pub(super) fn home(instance: &WorkerInstanceId, count: u16) -> u16 {
    fnv1a64(instance.as_str().as_bytes()) as u16 % count.max(1)
}

impl Rotation {
    /// All partitions, each once, from where this worker starts now.
    pub(super) fn order(
        &self,
        instance: &WorkerInstanceId,
        now: TimestampMs,
        count: u16,
    ) -> impl Iterator<Item = u16> + Send + use<> {
        let home = u32::from(home(instance, count));
        let count = u32::from(count.max(1));
        let start = (home + u32::from(self.offset(now, count))) % count;
        (0..count).map(move |step| ((start + step) % count) as u16)
    }

    fn offset(&self, now: TimestampMs, count: u32) -> u16 {
        let window = now.0.div_euclid(WINDOW_MS);
        let mut cursor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cursor.window.is_some_and(|seen| seen != window) {
            cursor.offset = ((u32::from(cursor.offset) + STEP) % count) as u16;
        }
        cursor.window = Some(window);
        cursor.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn first(rotation: &Rotation, instance: &'static str, now: i64, count: u16) -> u16 {
        rotation.order(&WorkerInstanceId::new(instance), TimestampMs(now), count).next().unwrap()
    }

    #[test]
    fn every_partition_is_seen_once_whatever_the_count() {
        for count in [1, 2, 31, 32, 33, 256, u16::MAX] {
            let rotation = Rotation::default();
            for now in [0, 250, 99_999] {
                let seen: Vec<u16> = rotation.order(&WorkerInstanceId::new("w-1"), TimestampMs(now), count).collect();
                assert_eq!(seen.len(), usize::from(count));
                assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), usize::from(count));
                assert!(seen.iter().all(|partition| *partition < count));
            }
        }
    }

    #[test]
    fn the_start_moves_by_32_in_each_window() {
        let rotation = Rotation::default();
        let home = first(&rotation, "w-1", 1000, 256);
        assert_eq!(first(&rotation, "w-1", 1249, 256), home);
        assert_eq!(first(&rotation, "w-1", 1250, 256), (home + 32) % 256);
        assert_eq!(first(&rotation, "w-1", 9000, 256), (home + 64) % 256);
    }

    #[test]
    fn the_start_is_the_low_half_of_the_hash_of_the_process() {
        let low = fnv1a64(b"w-1") as u16;
        assert_eq!(first(&Rotation::default(), "w-1", 0, 256), low % 256);
        assert_eq!(first(&Rotation::default(), "w-1", 0, 100), low % 100);
    }
}
