//! Identifiers and the small values that fence a lease.
//!
//! Every identifier has exactly one spelling and serialises as a bare string.
//! Reading one from outside checks that spelling, so a value of these types is
//! always safe to use as a key in a store.

mod execution_id;
mod name;
mod random;
mod text;

pub use execution_id::{ExecutionId, ExecutionIdError};
pub use name::{LANE_BYTES_MAX, LaneId, LaneIdError, NAME_BYTES_MAX, NameError, Namespace, WorkerId, WorkerInstanceId};
pub use random::{
    AttemptId, BudgetId, EdgeId, FlowId, IdError, LeaseId, NodeId, QuotaPolicyId, RequestId, SignalId, SuspensionId,
    WaitpointId,
};

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$meta:meta])* $name:ident($number:ty)) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            bincode::Encode, bincode::Decode,
        )]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl $name {
            /// The one that follows.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

counter!(
    /// Counts the leases issued on one execution; 0 means never leased.
    LeaseEpoch(u64)
);

counter!(
    /// The zero-based number of an attempt within its execution.
    AttemptIndex(u32)
);

/// What proves that a caller still holds a lease: all three must be current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct LeaseFence {
    /// The lease.
    pub lease_id: LeaseId,
    /// Its place in the execution's sequence of leases.
    pub lease_epoch: LeaseEpoch,
    /// The attempt it drives.
    pub attempt_id: AttemptId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_count_and_stay_at_their_last_value() {
        assert_eq!(LeaseEpoch::default().next(), LeaseEpoch(1));
        assert_eq!(AttemptIndex(u32::MAX).next(), AttemptIndex(u32::MAX));
        assert_eq!(serde_json::to_string(&AttemptIndex(4)).unwrap(), "4");
        assert_eq!(LeaseEpoch(9).to_string(), "9");
    }

    #[test]
    fn a_fence_serialises_field_by_field() {
        let id = "00000000-0000-0000-0000-000000000001";
        let fence = LeaseFence {
            lease_id: LeaseId::parse(id).unwrap(),
            lease_epoch: LeaseEpoch(3),
            attempt_id: AttemptId::parse(id).unwrap(),
        };
        let json = serde_json::json!({ "lease_id": id, "lease_epoch": 3, "attempt_id": id });
        assert_eq!(serde_json::to_value(fence).unwrap(), json);
        assert_eq!(serde_json::from_value::<LeaseFence>(json).unwrap(), fence);
    }
}
