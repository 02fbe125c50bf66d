//! Randomness that can begin anew.

use leasehold_backend::{Entropy, SeededEntropy};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Repeatable randomness, whose numbers follow from the last seed it was given.
#[derive(Debug)]
pub(super) struct Reseeded(Mutex<SeededEntropy>);

impl Reseeded {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SeededEntropy::new(seed)))
    }

    /// The numbers of another seed from now on.
    pub fn reseed(&self, seed: u64) {
        *self.numbers() = SeededEntropy::new(seed);
    }

    fn numbers(&self) -> MutexGuard<'_, SeededEntropy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entropy for Reseeded {
    fn next_u64(&self) -> u64 {
        self.numbers().next_u64()
    }
}
