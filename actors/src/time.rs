//! Partition time: wall time that neither jumps nor goes back.
//!
//! It advances with the monotonic clock and follows wall time by running a
//! tenth faster or slower until both agree, so that a step of the machine's
//! clock neither ends every lease at once nor keeps them alive.

use leasehold_backend::Clock;
use leasehold_core::time::TimestampMs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The share of elapsed time by which partition time may run fast or slow.
const SLEW_PART: i64 = 10;

#[derive(Debug)]
struct Reading {
    monotonic_ms: i64,
    time_ms: i64,
    /// Tenths of a millisecond of slew not yet applied.
    carry: i64,
}

/// The time of all partitions of one node.
pub struct PartitionClock {
    clock: Arc<dyn Clock>,
    last: Mutex<Reading>,
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl PartitionClock {
    /// Starts at wall time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let last = Reading { monotonic_ms: ms(clock.monotonic()), time_ms: clock.now().0, carry: 0 };
        Self { clock, last: Mutex::new(last) }
    }

    /// Partition time; never less than what it returned before.
    pub fn now(&self) -> TimestampMs {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic_ms = ms(self.clock.monotonic());
        let elapsed = (monotonic_ms - last.monotonic_ms).max(0);
        if elapsed > 0 {
            let off = self.clock.now().0 - (last.time_ms + elapsed);
            let allowance = elapsed + last.carry;
            let most = allowance / SLEW_PART;
            let slew = off.clamp(-most.min(elapsed), most);
            last.carry = if off == 0 { 0 } else { allowance - slew.abs() * SLEW_PART };
            last.carry = last.carry.min(SLEW_PART - 1);
            last.time_ms += elapsed + slew;
            last.monotonic_ms = monotonic_ms;
        }
        TimestampMs(last.time_ms)
    }

    /// Moves ahead to a time that a partition has already reached under
    /// another owner.
    pub fn not_before(&self, time: TimestampMs) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.time_ms = last.time_ms.max(time.0);
    }

    /// How long to wait, in monotonic time, until partition time has reached
    /// `at`; by one slewed slower at worst, so a waiter looks again.
    pub fn until(&self, at: TimestampMs) -> Duration {
        Duration::from_millis(at.since(self.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::ManualClock;

    fn clocks() -> (Arc<ManualClock>, PartitionClock) {
        let clock = Arc::new(ManualClock::new(TimestampMs(1_000_000)));
        (clock.clone(), PartitionClock::new(clock))
    }

    #[test]
    fn it_advances_with_the_monotonic_clock() {
        let (clock, time) = clocks();
        clock.advance(250);
        assert_eq!(time.now(), TimestampMs(1_000_250));
    }

    #[test]
    fn a_step_back_slows_it_but_never_turns_it() {
        let (clock, time) = clocks();
        clock.step_wall(-60_000);
        let mut before = time.now();
        for _ in 0..100 {
            clock.advance(10);
            let now = time.now();
            assert!(now > before);
            before = now;
        }
        assert_eq!(before, TimestampMs(1_000_900));
    }

    #[test]
    fn a_step_forward_is_followed_at_a_tenth() {
        let (clock, time) = clocks();
        clock.step_wall(3_600_000);
        clock.advance(1000);
        assert_eq!(time.now(), TimestampMs(1_001_100));
    }

    #[test]
    fn a_small_step_is_caught_up_in_full() {
        let (clock, time) = clocks();
        clock.step_wall(50);
        for _ in 0..1000 {
            clock.advance(1);
            time.now();
        }
        assert_eq!(time.now(), TimestampMs(1_001_050));
    }

    #[test]
    fn it_moves_ahead_to_what_a_partition_has_reached() {
        let (_, time) = clocks();
        time.not_before(TimestampMs(2_000_000));
        assert_eq!(time.now(), TimestampMs(2_000_000));
    }
}
