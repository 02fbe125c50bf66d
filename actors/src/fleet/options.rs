//! What a fleet is started with.

use leasehold_contract::EngineResult;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::error::EngineError;
use leasehold_core::ids::{LaneId, WorkerId, WorkerInstanceId};
use std::time::Duration;

/// The most slots a fleet may have.
pub const SLOTS_MAX: u32 = 65_536;

/// The most lanes a fleet may serve.
const LANES_MAX: usize = 64;

/// The shortest lease; a shorter one would be renewed all the time.
const LEASE_TTL_MIN: Duration = Duration::from_millis(100);

/// Who a fleet is, what it takes and how much of it.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The logical worker.
    pub worker_id: WorkerId,
    /// This instance of it.
    pub worker_instance_id: WorkerInstanceId,
    /// From which lanes; 1 to 64.
    pub lanes: Vec<LaneId>,
    /// What it offers.
    pub capabilities: CapabilitySet,
    /// How many executions it runs at once; 1 to [`SLOTS_MAX`].
    pub slots: u32,
    /// How long each lease lasts; renewed every third of it. At least 100 ms.
    pub lease_ttl: Duration,
    /// How many panics within [`Self::panics_window`] are borne; one more and
    /// the fleet stops claiming.
    pub panics_max: usize,
    /// See [`Self::panics_max`].
    pub panics_window: Duration,
    /// How long a drain waits, after it has cancelled the tokens, before it
    /// drops the futures of handlers that still run.
    pub cancel_grace: Duration,
}

impl FleetOptions {
    /// Options with the defaults: 64 slots, leases of 30 seconds, no
    /// capabilities, 1000 panics a minute, a second between cancelling and
    /// dropping.
    pub fn new(worker_id: WorkerId, worker_instance_id: WorkerInstanceId, lanes: Vec<LaneId>) -> Self {
        Self {
            worker_id,
            worker_instance_id,
            lanes,
            capabilities: CapabilitySet::default(),
            slots: 64,
            lease_ttl: Duration::from_secs(30),
            panics_max: 1000,
            panics_window: Duration::from_mins(1),
            cancel_grace: Duration::from_secs(1),
        }
    }

    /// Checks lanes, slots and the lease.
    ///
    /// # Errors
    ///
    /// `invalid_input` naming the option.
    pub fn validate(&self) -> EngineResult<()> {
        if self.lanes.is_empty() || self.lanes.len() > LANES_MAX {
            return Err(EngineError::invalid_input(format!("lanes: {}, 1 to {LANES_MAX}", self.lanes.len())));
        }
        check_slots(self.slots)?;
        if self.lease_ttl < LEASE_TTL_MIN {
            return Err(EngineError::invalid_input(format!(
                "lease_ttl_ms: {}, at least {}",
                self.lease_ttl.as_millis(),
                LEASE_TTL_MIN.as_millis()
            )));
        }
        crate::engine::check_lease_ttl(self.lease_ttl_ms())
    }

    /// The lease in ms.
    pub(super) fn lease_ttl_ms(&self) -> u64 {
        u64::try_from(self.lease_ttl.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Refuses a number of slots nobody can have.
pub(super) fn check_slots(slots: u32) -> EngineResult<()> {
    if slots == 0 || slots > SLOTS_MAX {
        return Err(EngineError::invalid_input(format!("slots: {slots}, 1 to {SLOTS_MAX}")));
    }
    Ok(())
}
