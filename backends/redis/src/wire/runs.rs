//! Whether the servers are still those that they were.
//!
//! A server that was started again, and one that took the place of another,
//! may have less than what was written before: its file ended earlier, a
//! backup was put in its place, a replica had not received everything. Whoever
//! keeps in memory what it has read there has to begin anew. A server tells
//! which run it is on every connection that is made to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The runs that were met.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// By address.
    met: Mutex<HashMap<String, String>>,
    changed: AtomicBool,
}

impl Runs {
    /// Notes which run answers at an address.
    pub(crate) fn meet(&self, address: &str, run: &str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let before = met.insert(address.to_owned(), run.to_owned());
        if before.is_some_and(|before| before != run) {
            tracing::warn!(address, "the server was started again");
            self.changed.store(true, Relaxed);
        }
    }

    /// Notes that another server serves what one served before.
    pub(crate) fn replaced(&self) {
        tracing::warn!("another server of the Cluster took over");
        self.changed.store(true, Relaxed);
    }

    /// Whether any is another one than when [`Self::begin`] was called.
    pub(crate) fn have_changed(&self) -> bool {
        self.changed.load(Relaxed)
    }

    /// From here on everything is read afresh.
    pub(crate) fn begin(&self) {
        self.changed.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_run_at_a_known_address_is_a_change_until_everything_is_read_afresh() {
        let runs = Runs::default();
        runs.meet("a:1", "x");
        runs.meet("b:1", "y");
        runs.meet("a:1", "x");
        assert!(!runs.have_changed());
        runs.meet("a:1", "z");
        assert!(runs.have_changed());
        runs.begin();
        runs.meet("a:1", "z");
        assert!(!runs.have_changed());
        runs.replaced();
        assert!(runs.have_changed());
    }
}
