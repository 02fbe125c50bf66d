//! The lease: a time-bounded exclusive right to drive the current attempt.

use crate::ids::{AttemptId, LeaseEpoch, LeaseFence, LeaseId, NodeId, RequestId, WorkerId, WorkerInstanceId};
use crate::time::TimestampMs;

/// Who drives a leased execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Holder {
    /// A worker of another process; only time tells that it is gone.
    Remote,
    /// A worker inside the process of this node; it is gone when the node is.
    Node(NodeId),
}

/// A live lease as stored with its execution.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Lease {
    /// New for every lease.
    pub lease_id: LeaseId,
    /// Grows with every lease of the execution.
    pub lease_epoch: LeaseEpoch,
    /// The attempt it drives.
    pub attempt_id: AttemptId,
    /// The logical worker.
    pub worker_id: WorkerId,
    /// The worker's process.
    pub worker_instance_id: WorkerInstanceId,
    /// Where the worker runs.
    pub holder: Holder,
    /// The request that asked for it, so that a repeat finds it again.
    pub request_id: Option<RequestId>,
    /// When it was issued.
    pub acquired_at: TimestampMs,
    /// When it lapses unless renewed.
    pub expires_at: TimestampMs,
    /// The last renewal, or the issue.
    pub last_renewed_at: TimestampMs,
    /// Advice to the worker: renew before this.
    pub renewal_deadline: TimestampMs,
    /// How long one renewal lasts.
    pub ttl_ms: u64,
}

impl Lease {
    /// The triple that proves the lease.
    pub const fn fence(&self) -> LeaseFence {
        LeaseFence { lease_id: self.lease_id, lease_epoch: self.lease_epoch, attempt_id: self.attempt_id }
    }

    /// Sets the expiry `ttl_ms` from `now` and the advice at two thirds of it.
    pub fn renew(&mut self, now: TimestampMs, ttl_ms: u64) {
        self.ttl_ms = ttl_ms;
        self.expires_at = now.plus(ttl_ms);
        self.renewal_deadline = now.plus(renewal_advice_ms(ttl_ms));
        self.last_renewed_at = now;
    }
}

/// Two thirds of a lease's time, rounded down.
pub const fn renewal_advice_ms(ttl_ms: u64) -> u64 {
    ((ttl_ms as u128 * 2) / 3) as u64
}
