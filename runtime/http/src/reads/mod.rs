//! Reads of executions, attempts and lanes, and waiting for an end.

pub(crate) mod describe_execution;
pub(crate) mod get_execution_namespace;
pub(crate) mod get_execution_result;
pub(crate) mod list_attempts;
pub(crate) mod list_executions;
pub(crate) mod list_lanes;
pub(crate) mod read_current_attempt_index;
pub(crate) mod read_exec_core_fields;
pub(crate) mod read_execution_context;
pub(crate) mod read_execution_info;
pub(crate) mod read_execution_state;
pub(crate) mod read_total_attempt_count;
pub(crate) mod wait_terminal;

/// Entries of a page unless the caller says otherwise.
pub(crate) const PAGE_DEFAULT: usize = 50;
