//! Partition time: store time that neither jumps nor goes back.
//!
//! It advances with the monotonic clock and follows the store's clock by
//! running a tenth faster or slower until both agree, so that a step of the
//! machine's or the store's clock neither ends every lease at once nor keeps
//! them alive. The store's clock is known as an offset to the wall clock,
//! measured with every heartbeat.

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
    /// How far the store's clock is ahead of the wall clock.
    offset_ms: i64,
    /// Whether the store's clock was ever measured.
    measured: bool,
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
    /// Starts at wall time, until the store's clock is measured.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let last = Reading {
            monotonic_ms: ms(clock.monotonic()),
            time_ms: clock.now().0,
            carry: 0,
            offset_ms: 0,
            measured: false,
        };
        Self { clock, last: Mutex::new(last) }
    }

    /// Partition time; never less than what it returned before.
    pub fn now(&self) -> TimestampMs {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic_ms = ms(self.clock.monotonic());
        let elapsed = (monotonic_ms - last.monotonic_ms).max(0);
        if elapsed > 0 {
            let off = self.clock.now().0 + last.offset_ms - (last.time_ms + elapsed);
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

    /// The store said that it was `store` at some moment between `sent`
    /// (monotonic) and now.
    ///
    /// An offset that differs by less than the answer's way is not a
    /// difference: the clock of a store in the same process is never off. The
    /// first measurement sets partition time, which nobody has read yet; the
    /// later ones are followed slowly.
    pub fn measured(&self, sent: Duration, store: TimestampMs) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let way = (ms(self.clock.monotonic()) - ms(sent)).max(0);
        let offset = store.0 - (self.clock.now().0 - way / 2);
        if (offset - last.offset_ms).abs() > way / 2 + 1 {
            last.offset_ms = offset;
            if !last.measured {
                last.time_ms = self.clock.now().0 + offset;
                last.monotonic_ms = ms(self.clock.monotonic());
            }
        }
        last.measured = true;
    }

    /// How far the store's clock is ahead of this machine's, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).offset_ms
    }

    /// Moves ahead to a time that a partition has already reached under
    /// another owner.
    pub fn not_before(&self, time: TimestampMs) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.time_ms = last.time_ms.max(time.0);
    }

    /// The monotonic moment at which partition time reaches `at`, in the next
    /// millisecond at the earliest; one slewed slower is later, so a waiter
    /// looks again.
    pub fn reaches(&self, at: TimestampMs) -> Duration {
        let wait = at.since(self.now()).max(1);
        // It advances where a millisecond of monotonic time begins.
        let now_ms = u64::try_from(ms(self.clock.monotonic())).unwrap_or(0);
        Duration::from_millis(now_ms.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::ManualClock;

    /// In the middle of every millisecond.
    struct Fine(ManualClock);

    impl Clock for Fine {
        fn now(&self) -> TimestampMs {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic() + Duration::from_micros(700)
        }

        fn sleep_until(&self, until: Duration) -> leasehold_backend::Sleep {
            self.0.sleep_until(until)
        }
    }

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
    fn the_first_measurement_of_the_store_sets_it_and_later_ones_are_followed_slowly() {
        let (clock, time) = clocks();
        time.measured(clock.monotonic(), TimestampMs(400_000));
        assert_eq!((time.now(), time.offset_ms()), (TimestampMs(400_000), -600_000));
        time.measured(clock.monotonic(), TimestampMs(900_000));
        assert_eq!(time.now(), TimestampMs(400_000));
        clock.advance(1000);
        assert_eq!(time.now(), TimestampMs(401_100));
    }

    #[test]
    fn a_difference_within_the_answers_way_is_none() {
        let (clock, time) = clocks();
        let sent = clock.monotonic();
        clock.advance(100);
        time.measured(sent, TimestampMs(1_000_100));
        time.measured(sent, TimestampMs(1_000_000));
        assert_eq!(time.offset_ms(), 0);
    }

    #[test]
    fn a_time_is_reached_where_its_millisecond_begins_and_not_in_this_one() {
        let clock = Arc::new(Fine(ManualClock::new(TimestampMs(1_000_000))));
        let time = PartitionClock::new(clock);
        assert_eq!(time.reaches(TimestampMs(1_000_005)), Duration::from_millis(5));
        assert_eq!(time.reaches(TimestampMs(999_000)), Duration::from_millis(1));
    }

    #[test]
    fn it_moves_ahead_to_what_a_partition_has_reached() {
        let (_, time) = clocks();
        time.not_before(TimestampMs(2_000_000));
        assert_eq!(time.now(), TimestampMs(2_000_000));
    }
}
