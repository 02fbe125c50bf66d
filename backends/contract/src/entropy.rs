//! Randomness as a parameter.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::{ContextV7, Timestamp, Uuid};

/// Where random numbers and new identifiers come from.
pub trait Entropy: Send + Sync + 'static {
    /// A uniform number.
    fn next_u64(&self) -> u64;

    /// A uniform number in `[0, 1)`.
    fn unit(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A random (version 4) uuid.
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A time-ordered (version 7) uuid, so that records made together lie
    /// together in a store's trees. Within a millisecond the order is random,
    /// unless a source says more.
    fn ordered_uuid(&self, unix_ms: i64) -> Uuid {
        let bytes = self.bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[..10]);
        uuid::Builder::from_unix_timestamp_millis(unix_ms.unsigned_abs(), &random).into_uuid()
    }

    /// Sixteen random bytes.
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next_u64().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next_u64().to_le_bytes());
        bytes
    }
}

/// Randomness of the operating system, through a generator per process. Its
/// ordered uuids rise strictly, within a millisecond too, so that what one
/// process submits in a row keeps its order.
#[derive(Debug)]
pub struct SystemEntropy {
    numbers: Mutex<StdRng>,
    order: Mutex<ContextV7>,
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self { numbers: Mutex::new(StdRng::from_os_rng()), order: Mutex::new(ContextV7::new()) }
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    fn ordered_uuid(&self, unix_ms: i64) -> Uuid {
        let since = Duration::from_millis(unix_ms.unsigned_abs());
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*order, since.as_secs(), since.subsec_nanos()))
    }
}

/// Repeatable randomness for simulations.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_ids_of_one_process_rise_within_a_millisecond_and_when_the_clock_steps_back() {
        let entropy = SystemEntropy::default();
        let times = std::iter::repeat_n(1_000, 5_000).chain([999, 1_001]);
        let ids: Vec<_> = times.map(|at| entropy.ordered_uuid(at)).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
