//! Restart intensity: how often a partition may fail within a while.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Counts failures per partition.
#[derive(Debug)]
pub struct Restarts {
    most: usize,
    window: Duration,
    failures: HashMap<u16, VecDeque<Duration>>,
}

impl Restarts {
    /// At most `most` restarts within `window`.
    pub fn new(most: usize, window: Duration) -> Self {
        Self { most, window, failures: HashMap::new() }
    }

    /// Notes a failure at a monotonic time; whether the partition may be
    /// restarted at once.
    pub fn allow(&mut self, partition: u16, now: Duration) -> bool {
        let failures = self.failures.entry(partition).or_default();
        while failures.front().is_some_and(|at| now.saturating_sub(*at) > self.window) {
            failures.pop_front();
        }
        if failures.len() >= self.most {
            return false;
        }
        failures.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_failures_in_a_short_time_are_not_answered_by_a_restart() {
        let mut restarts = Restarts::new(2, Duration::from_secs(10));
        assert!(restarts.allow(1, Duration::from_secs(0)));
        assert!(restarts.allow(1, Duration::from_secs(1)));
        assert!(!restarts.allow(1, Duration::from_secs(2)));
        assert!(restarts.allow(2, Duration::from_secs(2)));
        assert!(restarts.allow(1, Duration::from_secs(12)));
    }
}
