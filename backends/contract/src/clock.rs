//! Time as a parameter.
//!
//! Two kinds of time: *wall* time is what records carry, and may step; the
//! *monotonic* time of a process only grows, and is what waiting and the
//! node's own lease are measured by.

use leasehold_core::time::TimestampMs;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// A wait on a clock.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Wall time.
    fn now(&self) -> TimestampMs;

    /// Time since some fixed moment of this process; only grows.
    fn monotonic(&self) -> Duration;

    /// Ends when [`Clock::monotonic`] has reached `until`.
    fn sleep_until(&self, until: Duration) -> Sleep;

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.monotonic() + duration)
    }
}

/// The machine's clock, waiting on tokio's timer.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
mod ambient {
    use super::{Duration, Instant, SystemTime, UNIX_EPOCH};

    pub fn instant() -> Instant {
        Instant::now()
    }

    pub fn unix_ms() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    pub async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: ambient::instant() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(ambient::unix_ms())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep_until(&self, until: Duration) -> Sleep {
        let wait = until.saturating_sub(self.monotonic());
        Box::pin(ambient::sleep(wait))
    }
}

/// A clock that stands still until it is moved, for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<Manual>,
}

#[derive(Debug)]
struct Manual {
    wall_ms: i64,
    monotonic: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl ManualClock {
    /// A clock that shows `wall` and has run for no time.
    pub fn new(wall: TimestampMs) -> Self {
        Self { state: Mutex::new(Manual { wall_ms: wall.0, monotonic: Duration::ZERO, sleepers: Vec::new() }) }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Manual) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets time pass, waking everybody whose wait ends on the way.
    pub fn advance(&self, ms: u64) {
        let due = self.with(|state| {
            state.wall_ms = state.wall_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
            state.monotonic += Duration::from_millis(ms);
            let now = state.monotonic;
            let mut due: Vec<_> = Vec::new();
            let mut index = 0;
            while index < state.sleepers.len() {
                if state.sleepers[index].0 <= now {
                    due.push(state.sleepers.remove(index));
                } else {
                    index += 1;
                }
            }
            due
        });
        let mut due = due;
        due.sort_by_key(|(until, _)| *until);
        for (_, wake) in due {
            // A sleeper that was dropped meanwhile needs no waking.
            wake.send(()).unwrap_or(());
        }
    }

    /// Moves wall time alone, as an operator or a time daemon does.
    pub fn step_wall(&self, by_ms: i64) {
        self.with(|state| state.wall_ms = state.wall_ms.saturating_add(by_ms));
    }

    /// When the next sleeper wakes, in monotonic time, if anybody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        self.with(|state| {
            state.sleepers.retain(|(_, wake)| !wake.is_closed());
            state.sleepers.iter().map(|(until, _)| *until).min()
        })
    }
}

impl Clock for ManualClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(self.with(|state| state.wall_ms))
    }

    fn monotonic(&self) -> Duration {
        self.with(|state| state.monotonic)
    }

    fn sleep_until(&self, until: Duration) -> Sleep {
        let receiver = self.with(|state| {
            if until <= state.monotonic {
                return None;
            }
            let (wake, receiver) = oneshot::channel();
            state.sleepers.retain(|(_, wake)| !wake.is_closed());
            state.sleepers.push((until, wake));
            Some(receiver)
        });
        Box::pin(async move {
            if let Some(receiver) = receiver {
                // The clock itself going away ends every wait.
                drop(receiver.await);
            }
        })
    }
}
