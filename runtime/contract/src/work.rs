//! Taking work: claims that wait, and the task they hand out.

use crate::EngineResult;
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::{ExecutionId, LaneId, Namespace, RequestId, WorkerId, WorkerInstanceId};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The most credits one poll may carry.
pub const CREDITS_MAX: u32 = 1024;

/// The longest a poll waits.
pub const POLL_WAIT_MAX: Duration = Duration::from_secs(60);

/// A claimed execution with all a handler needs; no second read.
#[derive(Clone, Debug)]
pub struct Task {
    /// The lease.
    pub claimed: ClaimedExecution,
    /// The namespace.
    pub namespace: Namespace,
    /// Which handler runs it.
    pub execution_kind: Arc<str>,
    /// What it was created with.
    pub payload: Bytes,
    /// How the caller encoded the payload.
    pub payload_encoding: Option<Arc<str>>,
    /// Its tags.
    pub tags: Arc<BTreeMap<String, String>>,
    /// 0 to 9000.
    pub priority: i32,
    /// When it was created.
    pub created_at: TimestampMs,
    /// Retries before this attempt.
    pub retry_count: u32,
    /// Reclaims before this attempt, this one included.
    pub lease_reclaim_count: u32,
}

/// Arguments of `poll_tasks`.
#[derive(Clone, Debug)]
pub struct PollTasks {
    /// From which lanes; 1 to 64.
    pub lanes: Vec<LaneId>,
    /// The logical worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// What it offers.
    pub capabilities: CapabilitySet,
    /// How many more executions it can take; 1 to [`CREDITS_MAX`].
    pub credits: u32,
    /// How long each lease lasts, in ms; at least 100.
    pub lease_ttl_ms: u64,
    /// How long to wait for the first task; at most [`POLL_WAIT_MAX`].
    pub max_wait: Duration,
    /// A repeat with the same id is given the same tasks again while their
    /// leases live.
    pub request_id: Option<RequestId>,
}

/// Taking work and waiting for its end.
#[async_trait]
pub trait Work: Send + Sync {
    /// Waits for work and takes as much of it as there are credits. Empty when
    /// none came in time. Dropping the future gives back what could not be
    /// delivered.
    async fn poll_tasks(&self, args: PollTasks) -> EngineResult<Vec<Task>>;

    /// Waits until an execution has ended; none when `max_wait` passes first.
    /// `execution_not_found`.
    async fn wait_terminal(&self, execution_id: ExecutionId, max_wait: Duration) -> EngineResult<Option<PublicState>>;
}
