//! Restart intensity: how often something may fail within a while.

use std::collections::VecDeque;
use std::time::Duration;

/// Counts failures in a sliding window.
#[derive(Debug)]
pub(super) struct Intensity {
    most: usize,
    window: Duration,
    failures: VecDeque<Duration>,
}

impl Intensity {
    /// Bears `most` failures within `window`.
    pub(super) fn new(most: usize, window: Duration) -> Self {
        Self { most, window, failures: VecDeque::new() }
    }

    /// Notes a failure at a monotonic time; whether it is still borne.
    pub(super) fn bears(&mut self, now: Duration) -> bool {
        while self.failures.front().is_some_and(|at| now.saturating_sub(*at) > self.window) {
            self.failures.pop_front();
        }
        if self.failures.len() >= self.most {
            return false;
        }
        self.failures.push_back(now);
        true
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.failures.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_borne_until_too_many_fall_into_one_window() {
        let mut intensity = Intensity::new(2, Duration::from_secs(10));
        assert!(intensity.bears(Duration::from_secs(0)));
        assert!(intensity.bears(Duration::from_secs(1)));
        assert!(!intensity.bears(Duration::from_secs(2)));
        assert!(intensity.bears(Duration::from_secs(12)));
        intensity.reset();
        assert!(intensity.bears(Duration::from_secs(12)));
    }
}
