//! `claim`: grant and lease in one step, whatever the execution needs: a
//! fresh attempt, the continuation of an interrupted one, or a reclaim.
//!
//! The scheduler offers candidates; one that is gone, promised to another
//! worker or out of this worker's reach is skipped without an error, so that
//! the next candidate is tried.

use super::leasing::{self, ClaimedExecution, FreshAttempt, Grantee};
use super::{Decide, reclaim_execution};
use crate::capability::CapabilitySet;
use crate::decision::{Context, Rejection};
use crate::error::EngineError;
use crate::handle::HandleKind;
use crate::ids::{AttemptId, ExecutionId, LeaseId, RequestId, WorkerId, WorkerInstanceId};
use crate::record::Holder;
use crate::state::AttemptState;
use crate::view::View;

/// Arguments of one candidate's `claim`.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The candidate.
    pub execution_id: ExecutionId,
    /// The logical worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// Where the worker runs.
    pub holder: Holder,
    /// What the worker offers.
    pub capabilities: CapabilitySet,
    /// The request this claim answers.
    pub request_id: Option<RequestId>,
    /// Minted by the caller.
    pub lease_id: LeaseId,
    /// Minted by the caller; unused by a continuation.
    pub attempt_id: AttemptId,
    /// How long the lease lasts.
    pub lease_ttl_ms: u64,
}

/// Why a candidate was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Not claimable any more, or promised to another worker.
    Gone,
    /// The worker lacks a capability.
    Mismatch,
    /// It was reclaimed too often and ended.
    ReclaimCapExceeded,
}

/// Answer of one candidate's `claim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The worker has it.
    Claimed(Box<ClaimedExecution>),
    /// The next candidate is due.
    Skipped(Skip),
}

impl Decide for Claim {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ClaimOutcome, Rejection> {
        leasing::check_ttl(self.lease_ttl_ms)?;
        let now = context.now;
        let Some(execution) = view.find_execution(self.execution_id) else {
            return Ok(ClaimOutcome::Skipped(Skip::Gone));
        };
        let reclaim = execution.vector().is_reclaimable();
        if execution.live_grant(now).is_some() || !(reclaim || execution.vector().is_eligible()) {
            return Ok(ClaimOutcome::Skipped(Skip::Gone));
        }
        if !execution.spec.requirements.is_subset_of(&self.capabilities) {
            return Ok(ClaimOutcome::Skipped(Skip::Mismatch));
        }
        let grantee = Grantee {
            worker_id: self.worker_id.clone(),
            worker_instance_id: self.worker_instance_id.clone(),
            holder: self.holder,
            request_id: self.request_id,
            lease_id: self.lease_id,
            lease_ttl_ms: self.lease_ttl_ms,
        };
        let fresh = FreshAttempt {
            attempt_id: self.attempt_id,
            policy_json: None,
            attempt_timeout_ms: None,
            execution_deadline_at: None,
        };
        let claimed = if reclaim {
            if reclaim_execution::end_if_capped(view, &execution, None, now).is_some() {
                return Ok(ClaimOutcome::Skipped(Skip::ReclaimCapExceeded));
            }
            leasing::start_attempt(view, &execution, &grantee, fresh, HandleKind::Reclaimed, None, now)
        } else if execution.vector().attempt_state() == AttemptState::AttemptInterrupted {
            leasing::resume_attempt(view, &execution, &grantee, None, "claim_resumed", now)
                .ok_or_else(|| EngineError::corruption("execution", "attempt", "missing on an interrupted execution"))?
        } else {
            leasing::start_attempt(view, &execution, &grantee, fresh, HandleKind::Fresh, None, now)
        };
        Ok(ClaimOutcome::Claimed(Box::new(claimed)))
    }
}
