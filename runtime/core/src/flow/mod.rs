//! What a flow is made of, apart from records and commands: the shape of a
//! graph, the policies of its joins, the state machine that resolves them,
//! and the counts that sum a flow up.

mod counts;
mod group;
mod interpreter;
mod policy;
mod search;
mod shape;

pub use counts::{PublicFlowState, StateCounts};
pub use group::{Bucket, EdgeGroup, GroupState, Resolution, SlotState};
pub use interpreter::{Interpreter, Standing};
pub use policy::{EdgeGroupPolicy, OnSatisfied, PolicySpec, QUORUM_MAX};
pub use search::{CYCLE_SEARCH_NODES_MAX, Reach, reaches};
pub use shape::{Shape, ShapeEdge};

use crate::error::{ContentionKind, EngineError};

/// How many members a flow may have.
pub const FLOW_NODES_MAX: u32 = 10_000;

/// How many dependencies a flow may have.
pub const FLOW_EDGES_MAX: u32 = 50_000;

/// The only kind of dependency there is.
pub const SUCCESS_ONLY: &str = "success_only";

/// Refuses a flow with more members than allowed.
///
/// # Errors
///
/// `invalid_input`.
pub fn check_nodes(count: usize) -> Result<(), EngineError> {
    within("nodes", count, FLOW_NODES_MAX)
}

/// Refuses a flow with more dependencies than allowed.
///
/// # Errors
///
/// `invalid_input`.
pub fn check_edges(count: usize) -> Result<(), EngineError> {
    within("edges", count, FLOW_EDGES_MAX)
}

fn within(what: &str, count: usize, max: u32) -> Result<(), EngineError> {
    if count > max as usize {
        return Err(EngineError::invalid_input(format!("flow {what}: {count}, at most {max}")));
    }
    Ok(())
}

/// Refuses a change that was planned against another version of the graph.
///
/// # Errors
///
/// `stale_graph_revision`.
pub fn check_revision(expected: u64, stored: u64) -> Result<(), EngineError> {
    if expected != stored {
        return Err(ContentionKind::StaleGraphRevision.into());
    }
    Ok(())
}

/// Refuses a kind of dependency that does not exist.
///
/// # Errors
///
/// `invalid_input`.
pub fn check_dependency_kind(kind: &str) -> Result<(), EngineError> {
    if kind != SUCCESS_ONLY {
        let shown: String = kind.chars().take(64).collect();
        return Err(EngineError::invalid_input(format!("unsupported dependency_kind: {shown}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
