//! Suspension as pure rules: what an execution may wait for, and when it has
//! come.
//!
//! A suspension binds one or more waitpoints, each with a key, and names a
//! [`ResumeCondition`] over these keys. [`validate()`] refuses what could
//! never be satisfied, before anything is read. [`satisfied`] says what the
//! condition means; [`Progress`] is the same answer kept up to date signal by
//! signal, so that a decision need not read all signals again.

mod condition;
mod evaluate;
mod validate;

pub use condition::{CompositeBody, CountKind, MAX_COMPOSITE_DEPTH, ResumeCondition, SignalMatcher};
pub use evaluate::{COUNTED_IDS_MAX, Heard, Progress, Satisfier, SignalEffect, satisfied};
pub use validate::{
    BINDINGS_MAX, CONDITION_ITEMS_MAX, PAST_TOLERANCE_MS, RESERVED_SIGNAL_NAMES, TIMEOUT_SIGNAL_NAME, WaitpointBinding,
    check_signal_name, validate,
};
