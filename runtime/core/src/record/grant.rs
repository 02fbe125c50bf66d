//! The grant: short-lived permission for one worker to take a lease.

use crate::ids::{WorkerId, WorkerInstanceId};
use crate::time::TimestampMs;

/// What a grant may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum GrantPurpose {
    /// To claim an eligible execution, fresh or resumed.
    Claim,
    /// To reclaim an execution whose lease lapsed or was revoked.
    Reclaim,
}

/// Permission for a named worker; consumed at most once.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Grant {
    /// What it may be used for.
    pub purpose: GrantPurpose,
    /// The logical worker it names.
    pub worker_id: WorkerId,
    /// The process it names.
    pub worker_instance_id: WorkerInstanceId,
    /// Digest of the worker's capabilities, for logs.
    pub capability_hash: Option<String>,
    /// The scheduler's own record of its decision, opaque here.
    pub route_snapshot_json: Option<String>,
    /// What admission said, opaque here.
    pub admission_summary: Option<String>,
    /// When it was issued.
    pub created_at: TimestampMs,
    /// When it is void.
    pub expires_at: TimestampMs,
}

impl Grant {
    /// Whether it may still be used at `now`. It is void only after its last
    /// millisecond.
    pub fn is_live(&self, now: TimestampMs) -> bool {
        self.expires_at >= now
    }

    /// Whether it names this worker and this process.
    pub fn names(&self, worker_id: &WorkerId, worker_instance_id: &WorkerInstanceId) -> bool {
        self.worker_id == *worker_id && self.worker_instance_id == *worker_instance_id
    }
}
