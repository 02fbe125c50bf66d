//! Dependencies between members of a flow.

use crate::flow::SUCCESS_ONLY;
use crate::ids::{EdgeId, ExecutionId, FlowId};
use crate::time::TimestampMs;

/// How many dependencies a page lists.
pub const PAGE_EDGES: u32 = 128;

/// One dependency. It never changes; whether it is applied or resolved stands
/// in the edge group of its downstream.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Edge {
    /// Its identity.
    pub edge_id: EdgeId,
    /// The flow.
    pub flow_id: FlowId,
    /// What must succeed.
    pub upstream: ExecutionId,
    /// What waits for it.
    pub downstream: ExecutionId,
    /// Its place among the dependencies of the downstream.
    pub slot: u32,
    /// Not empty: the upstream's result becomes the downstream's payload.
    pub data_passing_ref: Option<String>,
    /// When it was staged.
    pub created_at: TimestampMs,
}

impl Edge {
    /// The only kind there is.
    pub const DEPENDENCY_KIND: &'static str = SUCCESS_ONLY;
    /// The only condition there is.
    pub const SATISFACTION_CONDITION: &'static str = "all_required";
    /// The state shown to readers.
    pub const EDGE_STATE: &'static str = "pending";
    /// Who creates dependencies.
    pub const CREATED_BY: &'static str = "engine";

    /// Whether the upstream's result becomes the downstream's payload.
    pub const fn passes_data(&self) -> bool {
        self.data_passing_ref.is_some()
    }
}

/// A dependency as seen from its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct OutEdge {
    /// The dependency.
    pub edge_id: EdgeId,
    /// What waits.
    pub downstream: ExecutionId,
    /// Its place among the dependencies of the downstream.
    pub slot: u32,
    /// Whether the result becomes the downstream's payload.
    pub passes_data: bool,
}

/// Some of the dependencies that leave a member, in the order of staging.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct OutPage {
    /// The flow.
    pub flow_id: FlowId,
    /// The member they leave.
    pub upstream: ExecutionId,
    /// Which page, from 0.
    pub page: u32,
    /// At most [`PAGE_EDGES`].
    pub edges: Vec<OutEdge>,
}

/// A dependency as seen from its downstream; its place there is its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct InEdge {
    /// The dependency.
    pub edge_id: EdgeId,
    /// What must succeed.
    pub upstream: ExecutionId,
    /// Whether the result becomes the downstream's payload.
    pub passes_data: bool,
}

/// Some of the dependencies that enter a member, in the order of their slots.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct InPage {
    /// The flow.
    pub flow_id: FlowId,
    /// The member they enter.
    pub downstream: ExecutionId,
    /// Which page, from 0.
    pub page: u32,
    /// At most [`PAGE_EDGES`].
    pub edges: Vec<InEdge>,
}
