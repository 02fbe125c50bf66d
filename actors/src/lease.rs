//! The node's own lease, counted on the monotonic clock.

use leasehold_backend::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Until when this node may answer without asking the store.
///
/// It counts from before the last successful heartbeat was sent, so it ends
/// no later than the store's own count does.
pub struct NodeLease {
    clock: Arc<dyn Clock>,
    valid_until_ms: AtomicU64,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl NodeLease {
    /// A lease that does not hold yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, valid_until_ms: AtomicU64::new(0) }
    }

    /// A heartbeat sent at `sent` (monotonic) was answered.
    pub fn extend(&self, sent: Duration, ttl: Duration) {
        self.valid_until_ms.fetch_max(ms(sent + ttl), Ordering::AcqRel);
    }

    /// The lease is lost.
    pub fn end(&self) {
        self.valid_until_ms.store(0, Ordering::Release);
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        !self.left().is_zero()
    }

    /// How much longer it holds.
    pub fn left(&self) -> Duration {
        let until = self.valid_until_ms.load(Ordering::Acquire);
        Duration::from_millis(until.saturating_sub(ms(self.clock.monotonic())))
    }
}
