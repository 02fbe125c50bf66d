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

/// The payload is not what the handler asks for.
pub const EXTRACTOR_PAYLOAD_DECODE: &str = "extractor_payload_decode";

/// The worker has no handler for this kind of execution.
pub const RUNTIME_NO_HANDLER: &str = "runtime_no_handler";

/// The actor that ran the execution has ended, or let go of it.
pub const ACTOR_DIED: &str = "actor_died";
