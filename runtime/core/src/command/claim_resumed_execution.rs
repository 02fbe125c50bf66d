//! `claim_resumed_execution`: use a grant and continue an interrupted
//! attempt.

use super::leasing::{self, ClaimedExecution, Grantee};
use super::{Decide, grants};
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, EngineError};
use crate::ids::{AttemptIndex, ExecutionId, LaneId, LeaseId, WorkerId, WorkerInstanceId};
use crate::record::Holder;
use crate::state::AttemptState;
use crate::view::View;

/// Arguments of `claim_resumed_execution`.
///
/// Refused, in this order, with `invalid_input` (lease time 0),
/// `execution_not_found`, `execution_not_leaseable` (not runnable),
/// `not_a_resumed_execution`, `execution_not_leaseable` (not eligible now, or
/// another attempt), `invalid_claim_grant` and `claim_grant_expired`, which
/// deletes the grant.
#[derive(Clone, Debug)]
pub struct ClaimResumedExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The logical worker the grant names.
    pub worker_id: WorkerId,
    /// The process the grant names.
    pub worker_instance_id: WorkerInstanceId,
    /// The lane it is claimed from.
    pub lane_id: LaneId,
    /// Minted by the caller.
    pub lease_id: LeaseId,
    /// How long the lease lasts, in milliseconds; at least 1.
    pub lease_ttl_ms: u64,
    /// Refused when another attempt would go on.
    pub current_attempt_index: Option<AttemptIndex>,
    /// Ends the attempt after so many milliseconds; absent or 0 leaves it
    /// what it had left when it was interrupted.
    pub remaining_attempt_timeout_ms: Option<u64>,
}

impl Decide for ClaimResumedExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ClaimedExecution, Rejection> {
        leasing::check_ttl(self.lease_ttl_ms)?;
        let now = context.now;
        let execution = view.execution(self.execution_id)?;
        let vector = execution.vector();
        if !vector.is_runnable() {
            return Err(ContentionKind::ExecutionNotLeaseable.into());
        }
        if vector.attempt_state() != AttemptState::AttemptInterrupted {
            return Err(ContentionKind::NotAResumedExecution.into());
        }
        let other_attempt = self.current_attempt_index.is_some_and(|index| index != execution.current_attempt_index());
        if !vector.is_eligible() || other_attempt {
            return Err(ContentionKind::ExecutionNotLeaseable.into());
        }
        grants::require(view, &execution, &self.worker_id, &self.worker_instance_id, now)?;
        let grantee = Grantee {
            worker_id: self.worker_id.clone(),
            worker_instance_id: self.worker_instance_id.clone(),
            holder: Holder::Remote,
            request_id: None,
            lease_id: self.lease_id,
            lease_ttl_ms: self.lease_ttl_ms,
        };
        leasing::resume_attempt(view, &execution, &grantee, self.remaining_attempt_timeout_ms, "claim_resumed", now)
            .ok_or_else(|| {
                EngineError::corruption("execution", "attempt", "missing on an interrupted execution").into()
            })
    }
}
