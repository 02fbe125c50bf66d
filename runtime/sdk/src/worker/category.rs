//! The categories under which attempts fail, for `retryable_categories` of a
//! retry policy.

/// The handler returned an error without a category of its own.
pub const HANDLER_ERROR: &str = "handler_error";

/// The handler panicked.
pub const HANDLER_PANIC: &str = leasehold_actors::fleet::CATEGORY_PANIC;

/// The engine refuses the handler's result, for instance as too large.
pub const HANDLER_RESULT: &str = leasehold_actors::fleet::CATEGORY_RESULT;

/// The handler asks for shared data that the worker was not given.
pub const EXTRACTOR_MISSING_STATE: &str = "extractor_missing_state";

/// The handler asks for what only a worker in the engine's process has.
pub const EXTRACTOR_NOT_REMOTE: &str = "extractor_not_remote";

/// The payload is not what the handler asks for.
pub const EXTRACTOR_PAYLOAD_DECODE: &str = "extractor_payload_decode";

/// The worker has no handler for this kind of execution.
pub const RUNTIME_NO_HANDLER: &str = "runtime_no_handler";

/// The actor that ran the execution has ended, or let go of it.
pub const ACTOR_DIED: &str = "actor_died";

/// The handler waits in a way that cannot work.
pub const WAIT_MISUSED: &str = "wait_misused";

/// The engine refuses a wait, or could not be asked.
pub const WAIT_REFUSED: &str = "wait_refused";

/// The lease was lost before the wait began.
pub const WAIT_LEASE_LOST: &str = "wait_lease_lost";

/// The engine refuses the suspension that the handler returned.
pub const HANDLER_SUSPEND: &str = leasehold_actors::fleet::CATEGORY_SUSPEND;
