//! What a handler is given besides its task.

use super::lease::Lease;
use super::pool::Pool;
use crate::engine::EngineHandle;
use leasehold_contract::{EngineResult, Handle};
use leasehold_core::command::{ProgressUpdated, UpdateProgress};
use leasehold_core::ids::{ExecutionId, LeaseFence};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A handler's lease, and its way to the engine.
#[derive(Clone)]
pub struct HandlerContext {
    pub(super) pool: Arc<Pool>,
    pub(super) lease: Arc<Lease>,
}

impl HandlerContext {
    pub(super) fn new(pool: Arc<Pool>, lease: Arc<Lease>) -> Self {
        Self { pool, lease }
    }

    /// Cancelled when the lease is lost, the execution is suspended or the
    /// fleet drains. A handler that
    /// goes on keeps its slot taken; what it says afterwards is refused if the
    /// lease was lost.
    pub fn token(&self) -> &CancellationToken {
        &self.lease.token
    }

    /// The execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.lease.claimed.execution_id
    }

    /// What proves the lease; for writes to systems that check it.
    pub fn fence(&self) -> LeaseFence {
        self.lease.claimed.fence()
    }

    /// The lease as the opaque handle of the engine's handle forms.
    pub fn handle(&self) -> Handle {
        self.lease.claimed.handle(self.pool.engine.tag())
    }

    /// The engine.
    pub fn engine(&self) -> &EngineHandle {
        &self.pool.engine
    }

    /// When the lease lapses, as last promised.
    pub fn lease_expires_at(&self) -> TimestampMs {
        self.lease.expires_at()
    }

    /// Whether the lease is known to be lost.
    pub fn is_lease_lost(&self) -> bool {
        self.lease.is_lost()
    }

    /// Whether the lease is held and fewer than three renewals in a row have
    /// failed.
    pub fn is_lease_healthy(&self) -> bool {
        self.lease.is_healthy()
    }

    /// Renewals that failed in a row.
    pub fn consecutive_renewal_failures(&self) -> u32 {
        self.lease.renewal_failures()
    }

    /// Partition time, by which delays and deadlines are measured.
    pub fn now(&self) -> TimestampMs {
        self.pool.now()
    }

    /// Notes how far the handler is, durably; none leaves a part as it was.
    ///
    /// # Errors
    ///
    /// `invalid_input` for a percentage over 100, what the fence refuses, and
    /// the retryable errors of the machinery.
    pub async fn progress(&self, percent: Option<u8>, message: Option<String>) -> EngineResult<ProgressUpdated> {
        let execution_id = self.lease.claimed.execution_id;
        let update = UpdateProgress { execution_id, fence: self.fence().into(), percent, message };
        let answer = self.pool.engine.router().submit(update).await;
        if let Err(error) = &answer {
            self.lease.learn(error);
        }
        answer
    }
}

impl std::fmt::Debug for HandlerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerContext").field("lease", &self.lease.claimed).finish_non_exhaustive()
    }
}
