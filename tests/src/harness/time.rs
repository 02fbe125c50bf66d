//! Time in the caller's hand.

use super::Harness;
use leasehold_backend::Clock;
use leasehold_core::time::TimestampMs;
use std::time::Duration;

/// Turns of the scheduler within which a message has gone from actor to actor
/// as far as it goes without the store.
const TURNS: usize = 100;

impl Harness {
    /// The time it is.
    pub fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// Lets time pass in one leap. Whoever slept meanwhile wakes late.
    pub fn advance(&self, ms: u64) {
        self.clock.advance(ms);
    }

    /// Lets time pass the way it does: whoever sleeps wakes on time, and
    /// everything that can run does so before time goes on.
    pub async fn pass(&self, ms: u64) {
        let end = self.clock.monotonic() + Duration::from_millis(ms);
        self.settle().await;
        loop {
            let now = self.clock.monotonic();
            let step = self.clock.next_wake().unwrap_or(end).clamp(now, end);
            self.clock.advance(u64::try_from(step.saturating_sub(now).as_millis()).unwrap_or(u64::MAX));
            self.settle().await;
            if step == end {
                return;
            }
        }
    }

    /// Waits until the engine has nothing left to do at the time it is.
    pub async fn settle(&self) {
        loop {
            let before = self.calls.seen();
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.calls.idle().await;
            // A call that ended meanwhile may have set off something more.
            if self.calls.seen() == before {
                return;
            }
        }
    }
}
