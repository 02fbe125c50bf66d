//! The state vector of an execution: six stored dimensions and the derived
//! public label.
//!
//! The fields of [`StateVector`] are private. Values come from the named
//! transitions of [`StateVector`], so an illegal vector cannot be built in
//! memory, and [`StateVector::from_parts`] refuses one that a store hands out.

mod dimension;
mod transition;

pub(crate) use dimension::wire_enum;
pub use dimension::{
    AttemptLifecycle, AttemptState, AttemptType, BlockingReason, EligibilityState, LaneState, LifecyclePhase,
    OwnershipState, PublicState, TerminalOutcome,
};
pub use transition::{BlockedBy, DelayReason, Park, StateVector, SuspendedFor, VectorError};
