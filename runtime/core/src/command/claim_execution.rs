//! `claim_execution`: use a grant and start a new attempt.

use super::leasing::{self, ClaimedExecution, FreshAttempt, Grantee};
use super::{Decide, grants, text};
use crate::decision::{Context, Rejection};
use crate::error::{ConflictKind, ContentionKind};
use crate::handle::HandleKind;
use crate::ids::{AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, WorkerId, WorkerInstanceId};
use crate::record::{Execution, Holder};
use crate::state::{AttemptState, OwnershipState};
use crate::time::TimestampMs;
use crate::view::View;

/// Arguments of `claim_execution`.
#[derive(Clone, Debug)]
pub struct ClaimExecution {
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
    /// How long the lease lasts.
    pub lease_ttl_ms: u64,
    /// Minted by the caller.
    pub attempt_id: AttemptId,
    /// Refused when the next attempt would have another index.
    pub expected_attempt_index: Option<AttemptIndex>,
    /// Kept with the attempt, opaque here.
    pub attempt_policy_json: Option<String>,
    /// Ends the attempt after so long; absent or 0 leaves it to the policy.
    pub attempt_timeout_ms: Option<u64>,
    /// Replaces the execution's deadline; absent or 0 keeps it.
    pub execution_deadline_at: Option<TimestampMs>,
}

/// The checks that every claim of a fresh attempt shares, in their order.
pub(super) fn check_fresh(execution: &Execution) -> Result<(), Rejection> {
    let vector = execution.vector();
    if !vector.is_runnable() {
        return Err(ContentionKind::ExecutionNotLeaseable.into());
    }
    if vector.ownership_state() != OwnershipState::Unowned {
        return Err(ContentionKind::LeaseConflict.into());
    }
    if !vector.is_eligible() {
        return Err(ContentionKind::ExecutionNotLeaseable.into());
    }
    match vector.attempt_state() {
        AttemptState::RunningAttempt => Err(ConflictKind::ActiveAttemptExists.into()),
        AttemptState::AttemptInterrupted => Err(ContentionKind::UseClaimResumedExecution.into()),
        _ => Ok(()),
    }
}

impl Decide for ClaimExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ClaimedExecution, Rejection> {
        leasing::check_ttl(self.lease_ttl_ms)?;
        text::optional(text::document, "attempt_policy_json", self.attempt_policy_json.as_deref())?;
        let now = context.now;
        let execution = view.execution(self.execution_id)?;
        check_fresh(&execution)?;
        if self.expected_attempt_index.is_some_and(|index| index.0 != execution.total_attempt_count) {
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
        let fresh = FreshAttempt {
            attempt_id: self.attempt_id,
            policy_json: self.attempt_policy_json.clone(),
            attempt_timeout_ms: self.attempt_timeout_ms,
            execution_deadline_at: self.execution_deadline_at,
        };
        Ok(leasing::start_attempt(view, &execution, &grantee, fresh, HandleKind::Fresh, None, now))
    }
}
