//! The header of a flow and its counts.

use crate::error::EngineError;
use crate::flow::{PublicFlowState, StateCounts};
use crate::ids::{FlowId, Namespace};
use crate::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which members the cancellation of a flow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub enum CancellationPolicy {
    /// Every one that has not ended.
    CancelAll,
    /// Those that wait; the active and the suspended finish.
    CancelPending,
    /// None.
    FlowOnly,
}

impl CancellationPolicy {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelAll => "cancel_all",
            Self::CancelPending => "cancel_pending",
            Self::FlowOnly => "flow_only",
        }
    }

    /// Reads the wire spelling, or the older name of `flow_only`.
    ///
    /// # Errors
    ///
    /// `invalid_input` for anything else.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        match text {
            "cancel_all" => Ok(Self::CancelAll),
            "cancel_pending" => Ok(Self::CancelPending),
            "flow_only" | "cancel_flow_only" => Ok(Self::FlowOnly),
            other => {
                let shown: String = other.chars().take(64).collect();
                Err(EngineError::invalid_input(format!("unknown cancellation_policy: {shown}")))
            }
        }
    }
}

/// How a flow was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FlowCancellation {
    /// When.
    pub at: TimestampMs,
    /// Why.
    pub reason: String,
    /// Whom it ends.
    pub policy: CancellationPolicy,
}

/// The header of a flow: what it is and how far its graph has grown.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Flow {
    /// Its identity.
    pub flow_id: FlowId,
    /// The partition that holds it and all its members.
    pub partition: u16,
    /// What the caller calls this kind of flow.
    pub flow_kind: String,
    /// Keeps tenants apart.
    pub namespace: Namespace,
    /// Grows by one with every member and every dependency.
    pub graph_revision: u64,
    /// How many members.
    pub node_count: u32,
    /// How many dependencies.
    pub edge_count: u32,
    /// When it was created.
    pub created_at: TimestampMs,
    /// When the header last changed.
    pub last_mutation_at: TimestampMs,
    /// Set once, by the cancellation.
    pub cancelled: Option<FlowCancellation>,
    /// Caller's labels, shared between versions of the record.
    pub tags: Arc<BTreeMap<String, String>>,
    /// Whether its members may run; false only while it is built from a
    /// declaration.
    pub sealed: bool,
    /// Of the declaration it is built from, so that a repeat is recognised.
    pub digest: Option<u64>,
}

/// How far the building of a flow from a declaration has come. It exists
/// until the flow is sealed or cancelled.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FlowBuild {
    /// The flow.
    pub flow_id: FlowId,
    /// The part that is to follow.
    pub next_part: u32,
    /// When the flow is cancelled unless it is sealed.
    pub expires_at: TimestampMs,
}

/// How many members stand where.
///
/// A record of its own, because it moves with every step of every member
/// while the header does not.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FlowSummary {
    /// The flow.
    pub flow_id: FlowId,
    /// How many members stand in which state.
    pub counts: StateCounts,
    /// Whether the cancellation of the flow still has members to end. Stands
    /// here so that a step of a member of a healthy flow needs nothing else.
    pub cancels_pending: bool,
    /// Whether a [`super::Continuation`] exists, for the same reason.
    pub work_left: bool,
    /// When it last changed.
    pub last_summary_update_at: TimestampMs,
}

impl FlowSummary {
    /// Of a flow without members.
    pub fn new(flow_id: FlowId, now: TimestampMs) -> Self {
        Self {
            flow_id,
            counts: StateCounts::default(),
            cancels_pending: false,
            work_left: false,
            last_summary_update_at: now,
        }
    }
}

impl Flow {
    /// A flow without members, sealed: it takes whatever is added.
    pub fn new(flow_id: FlowId, partition: u16, flow_kind: String, namespace: Namespace, now: TimestampMs) -> Self {
        Self {
            flow_id,
            partition,
            flow_kind,
            namespace,
            graph_revision: 0,
            node_count: 0,
            edge_count: 0,
            created_at: now,
            last_mutation_at: now,
            cancelled: None,
            tags: Arc::default(),
            sealed: true,
            digest: None,
        }
    }

    /// What the flow is doing.
    pub fn public_flow_state(&self, summary: &FlowSummary) -> PublicFlowState {
        if self.cancelled.is_some() { PublicFlowState::Cancelled } else { summary.counts.public_flow_state() }
    }
}
