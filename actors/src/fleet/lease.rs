//! One lease of the fleet, as its handler, the renewals and the settlement
//! see it.

use super::suspending::Pausing;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::error::{ContentionKind, EngineError, Entity, StateKind};
use leasehold_core::time::TimestampMs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use tokio_util::sync::CancellationToken;

/// Renewals that may fail in a row before a lease counts as unhealthy.
const FAILURES_BORNE: u32 = 3;

/// A lease while its handler runs.
#[derive(Debug)]
pub(super) struct Lease {
    /// What was claimed.
    pub(super) claimed: ClaimedExecution,
    /// Cancelled when the lease is lost or given back, or the fleet drains.
    pub(super) token: CancellationToken,
    /// How far its run is with suspending.
    pub(super) pausing: Pausing,
    expires_at_ms: AtomicI64,
    renew_at_ms: AtomicI64,
    renewing: AtomicBool,
    failures: AtomicU32,
    lost: AtomicBool,
}

impl Lease {
    /// A lease that was just claimed.
    pub(super) fn new(claimed: ClaimedExecution) -> Self {
        let expires_at = claimed.lease_expires_at;
        let left = i64::try_from(claimed.lease_ttl_ms).unwrap_or(i64::MAX);
        Self {
            token: CancellationToken::new(),
            pausing: Pausing::default(),
            expires_at_ms: AtomicI64::new(expires_at.0),
            renew_at_ms: AtomicI64::new(expires_at.0.saturating_sub(left - left / 3)),
            renewing: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            lost: AtomicBool::new(false),
            claimed,
        }
    }

    /// When it lapses, as last promised.
    pub(super) fn expires_at(&self) -> TimestampMs {
        TimestampMs(self.expires_at_ms.load(Ordering::Acquire))
    }

    /// Whether it is to be renewed by `now`; whoever is told so renews it.
    pub(super) fn begin_renewal(&self, now: TimestampMs) -> bool {
        now.0 >= self.renew_at_ms.load(Ordering::Acquire)
            && !self.is_lost()
            && !self.renewing.swap(true, Ordering::AcqRel)
    }

    /// The renewal was promised until a time.
    pub(super) fn renewed(&self, until: TimestampMs, next: TimestampMs) {
        self.expires_at_ms.store(until.0, Ordering::Release);
        self.renew_at_ms.store(next.0, Ordering::Release);
        self.failures.store(0, Ordering::Release);
        self.renewing.store(false, Ordering::Release);
    }

    /// The renewal was not answered, or not now; the next round tries again.
    pub(super) fn renewal_failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
        self.renewing.store(false, Ordering::Release);
    }

    /// Whether its time has passed although a renewal was tried. A fleet that
    /// itself stood still tries first: the owner may have waited for it.
    pub(super) fn has_lapsed(&self, now: TimestampMs) -> bool {
        now >= self.expires_at() && (self.renewing.load(Ordering::Acquire) || self.renewal_failures() > 0)
    }

    /// Renewals that failed in a row.
    pub(super) fn renewal_failures(&self) -> u32 {
        self.failures.load(Ordering::Acquire)
    }

    /// Whether renewals work.
    pub(super) fn is_healthy(&self) -> bool {
        self.renewal_failures() < FAILURES_BORNE && !self.is_lost()
    }

    /// It is lost; the handler is told.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Notes what an error of the engine says of it.
    pub(super) fn learn(&self, error: &EngineError) {
        if means_lost(error) && !self.is_lost() {
            tracing::debug!(execution = %self.claimed.execution_id, %error, "a lease is lost");
            self.lose();
        }
    }

    /// Whether it is known to be lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// Whether an error says that a lease is gone for good.
pub(super) fn means_lost(error: &EngineError) -> bool {
    match error.root() {
        EngineError::State { kind } => {
            matches!(kind, StateKind::StaleLease | StateKind::LeaseExpired | StateKind::LeaseRevoked)
        }
        EngineError::Contention { kind } => matches!(kind, ContentionKind::ExecutionNotActive(_)),
        EngineError::NotFound { entity } => matches!(entity, Entity::Execution),
        _ => false,
    }
}
