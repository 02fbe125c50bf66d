//! The fleets of an engine, for whoever drains it or asks for its health.

use super::actor::{FleetHandle, WeakFleet};
use std::sync::{Mutex, PoisonError};

/// Fleets of one engine. They hold their engine, so it holds them weakly.
#[derive(Default)]
pub struct Fleets {
    known: Mutex<Vec<WeakFleet>>,
}

impl Fleets {
    /// A fleet has started.
    pub(super) fn add(&self, fleet: &FleetHandle) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|fleet| fleet.upgrade().is_some());
        known.push(fleet.downgrade());
    }

    /// Fleets that have not ended.
    pub fn living(&self) -> Vec<FleetHandle> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(WeakFleet::upgrade).collect()
    }
}
