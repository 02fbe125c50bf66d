//! Creating executions and changing them from outside.

pub(crate) mod cancel_execution;
pub(crate) mod change_priority;
pub(crate) mod create_execution;
pub(crate) mod create_executions;
pub(crate) mod expire_execution;
pub(crate) mod get_execution_tag;
pub(crate) mod progress;
pub(crate) mod promote_delayed;
pub(crate) mod replay_execution;
pub(crate) mod set_execution_tag;
