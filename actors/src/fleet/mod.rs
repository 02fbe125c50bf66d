//! Worker fleets: handlers of this process, with bounded concurrency.
//!
//! # Model
//!
//! ```text
//! NodeActor
//!  └── FleetActor          resize, drain, restart of its two loops
//!       ├── intake         opens with the dispatcher, starts handlers
//!       ├── renewals       one loop renews every lease of the fleet
//!       └── handler × n    one tokio task per execution, at most `slots`
//! ```
//!
//! A slot is taken by a credit at the dispatcher, by a task on its way and by
//! a running handler; together they are never more than `slots`. The slot is
//! free again when the handler's future has ended and its last word to the
//! engine was answered.
//!
//! # Authority
//!
//! The engine decides whether a lease still holds. The fleet only learns of a
//! loss, from a refused renewal or from its own clock, and then cancels the
//! handler's token; what a handler does afterwards is refused by its fence.
//!
//! # Failures
//!
//! A handler that panics fails its attempt at once. One that hangs is ended
//! by the engine's attempt timeout: its lease is lost, its token cancelled,
//! and its slot stays taken until its future has ended. Too many panics within
//! a while make the fleet stop claiming and report itself unhealthy.
//!
//! A handler that suspends its execution ends its run where it stands
//! ([`suspending`]): its slot is free and its future dropped as soon as the
//! suspension is durable.
//!
//! A completion whose outcome is unknown is sent again until the lease has
//! lapsed; the engine recognises the repeat.

mod actor;
mod context;
mod intake;
mod intensity;
mod lease;
mod options;
mod pool;
mod registry;
mod renewals;
mod run;
mod settle;
mod suspending;

pub use actor::{DrainReport, FleetHandle, FleetMsg};
pub use context::HandlerContext;
pub use options::{FleetOptions, SLOTS_MAX};
pub use pool::{FleetHealth, FleetStatus};
pub use registry::Fleets;
pub use settle::{CATEGORY_PANIC, CATEGORY_RESULT, CATEGORY_SUSPEND};
pub use suspending::{Asking, Pause, Pausing, SuspendError};

use bytes::Bytes;
use futures::future::BoxFuture;
use leasehold_contract::{SuspendArgs, Task};
use leasehold_core::backoff::FailureClass;
use leasehold_core::time::TimestampMs;

/// What a fleet runs for every execution it is given.
pub trait Handler: Send + Sync + 'static {
    /// Works on one execution. The future runs in a tokio task of its own; a
    /// panic in here or in the future fails the attempt.
    fn run(&self, task: Task, context: HandlerContext) -> BoxFuture<'static, HandlerOutcome>;
}

impl<F> Handler for F
where
    F: Fn(Task, HandlerContext) -> BoxFuture<'static, HandlerOutcome> + Send + Sync + 'static,
{
    fn run(&self, task: Task, context: HandlerContext) -> BoxFuture<'static, HandlerOutcome> {
        self(task, context)
    }
}

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerOutcome {
    /// Well, with a result; empty is present and empty, other than none. At
    /// most 1 MiB, or the attempt fails instead.
    Complete(Option<Bytes>),
    /// In failure; the retry policy decides what follows.
    Fail {
        /// For people; cut at 4096 bytes.
        reason: String,
        /// What the retry policy goes by; cut at 256 bytes.
        category: String,
        /// What kind of failure.
        class: FailureClass,
    },
    /// Not yet: the lease goes back and the same attempt goes on at this
    /// time. Does not count as a failure or a reclaim.
    Delay(TimestampMs),
    /// Not before something comes: the lease goes back until the condition is
    /// met, and then the handler is run anew on the same attempt; at once, if
    /// signals that came before meet it. Refused, it fails the attempt.
    Suspend(Box<SuspendArgs>),
    /// The execution is to end as cancelled.
    Cancel(
        /// Why, for people; cut at 4096 bytes.
        String,
    ),
}
