//! Members of a flow.

use crate::flow::EdgeGroup;
use crate::ids::{ExecutionId, FlowId};
use crate::time::TimestampMs;

/// How many members a page lists.
pub const PAGE_MEMBERS: u32 = 256;

/// What kept an execution back before its dependencies did. It keeps it back
/// again once they let go.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Beneath {
    /// A start time was asked for.
    Delay(TimestampMs),
    /// A failed attempt is retried later.
    RetryBackoff(TimestampMs),
    /// A resume was given a delay.
    ResumeDelay(TimestampMs),
    /// An operator held it, with this detail.
    Hold(Option<String>),
}

/// One execution in its flow; membership is for life.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Member {
    /// The flow.
    pub flow_id: FlowId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its place in the order of joining, from 0.
    pub ordinal: u32,
    /// How many dependencies leave it.
    pub out_edges: u32,
    /// The dependencies it waits for.
    pub inbound: EdgeGroup,
    /// What else keeps it back while its dependencies do.
    pub beneath: Option<Beneath>,
    /// What its author calls it, where the flow was declared as a whole.
    pub name: Option<String>,
    /// The revision its last dependency was applied at, as the caller says.
    pub last_flow_graph_revision: u64,
    /// When its dependencies last changed.
    pub last_dependency_update_at: TimestampMs,
}

/// Members in the order in which they joined.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct MemberPage {
    /// The flow.
    pub flow_id: FlowId,
    /// Which page, from 0.
    pub page: u32,
    /// At most [`PAGE_MEMBERS`].
    pub members: Vec<ExecutionId>,
}
