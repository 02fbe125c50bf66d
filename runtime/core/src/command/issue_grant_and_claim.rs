//! `issue_grant_and_claim`: an operator takes one execution, without regard
//! to capabilities.

use super::Decide;
use super::leasing::{self, ClaimedExecution, FreshAttempt, Grantee};
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, EngineError, StateKind};
use crate::handle::HandleKind;
use crate::ids::{AttemptId, ExecutionId, LaneId, LeaseId, WorkerId, WorkerInstanceId};
use crate::record::Holder;
use crate::state::AttemptState;
use crate::view::View;

/// The worker and process under which an operator holds a lease.
pub const OPERATOR_IDENTITY: &str = "operator";

/// Arguments of `issue_grant_and_claim`.
///
/// Refused, in this order, with `invalid_input` (lease time 0),
/// `execution_not_found`, `execution_not_eligible` (not runnable),
/// `grant_already_exists`, then `execution_not_eligible` for an interrupted
/// attempt or `execution_not_in_eligible_set` for any other that is not
/// eligible now, and `execution_not_in_eligible_set` (it stands in another
/// lane).
#[derive(Clone, Debug)]
pub struct IssueGrantAndClaim {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The lane it is claimed from.
    pub lane_id: LaneId,
    /// Minted by the caller.
    pub lease_id: LeaseId,
    /// Minted by the caller; unused by a continuation.
    pub attempt_id: AttemptId,
    /// How long the lease lasts, in milliseconds; at least 1.
    pub lease_duration_ms: u64,
}

impl Decide for IssueGrantAndClaim {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ClaimedExecution, Rejection> {
        leasing::check_ttl(self.lease_duration_ms)?;
        let now = context.now;
        let execution = view.execution(self.execution_id)?;
        let vector = execution.vector();
        if !vector.is_runnable() {
            return Err(ContentionKind::ExecutionNotEligible.into());
        }
        if execution.live_grant(now).is_some() {
            return Err(StateKind::GrantAlreadyExists.into());
        }
        let interrupted = vector.attempt_state() == AttemptState::AttemptInterrupted;
        if !vector.is_eligible() {
            return Err(if interrupted {
                ContentionKind::ExecutionNotEligible.into()
            } else {
                ContentionKind::ExecutionNotInEligibleSet.into()
            });
        }
        if execution.lane_id != self.lane_id {
            return Err(ContentionKind::ExecutionNotInEligibleSet.into());
        }
        let grantee = Grantee {
            worker_id: WorkerId::new(OPERATOR_IDENTITY),
            worker_instance_id: WorkerInstanceId::new(OPERATOR_IDENTITY),
            holder: Holder::Remote,
            request_id: None,
            lease_id: self.lease_id,
            lease_ttl_ms: self.lease_duration_ms,
        };
        if interrupted {
            let reason = "issue_grant_and_claim_resumed";
            return leasing::resume_attempt(view, &execution, &grantee, None, reason, now).ok_or_else(|| {
                EngineError::corruption("execution", "attempt", "missing on an interrupted execution").into()
            });
        }
        let fresh = FreshAttempt {
            attempt_id: self.attempt_id,
            policy_json: None,
            attempt_timeout_ms: None,
            execution_deadline_at: None,
        };
        let reason = Some("issue_grant_and_claim");
        Ok(leasing::start_attempt(view, &execution, &grantee, fresh, HandleKind::Fresh, reason, now))
    }
}
