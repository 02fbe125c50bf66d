//! `reclaim_execution`: use a grant and start a new attempt in the place of
//! one whose lease lapsed or was revoked.
//!
//! An execution that kills its workers must not be reclaimed for ever: at the
//! cap it ends as failed.

use super::grants::{self, Standing};
use super::leasing::{self, ClaimedExecution, FreshAttempt, Grantee};
use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::handle::HandleKind;
use crate::ids::{AttemptId, ExecutionId, LeaseId, WorkerId, WorkerInstanceId};
use crate::record::{Execution, GrantPurpose, Holder};
use crate::state::{AttemptLifecycle, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// What an execution that was reclaimed too often says about its end.
pub const MAX_RECLAIMS_EXCEEDED: &str = "max_reclaims_exceeded";

/// What a caller is told whose execution has not lost its lease.
pub(super) const NOT_RECLAIMABLE: &str = "execution_not_reclaimable";

/// Arguments of `reclaim_execution`.
///
/// Refused with `invalid_input` (lease time 0, policy text) and
/// `execution_not_found`; the other obstacles are outcomes. The checks run in
/// the order: reclaimable, grant, cap.
#[derive(Clone, Debug)]
pub struct ReclaimExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The logical worker the grant names.
    pub worker_id: WorkerId,
    /// The process the grant names.
    pub worker_instance_id: WorkerInstanceId,
    /// Minted by the caller.
    pub lease_id: LeaseId,
    /// How long the lease lasts, in milliseconds; at least 1.
    pub lease_ttl_ms: u64,
    /// Minted by the caller.
    pub attempt_id: AttemptId,
    /// Kept with the attempt, opaque here.
    pub attempt_policy_json: Option<String>,
    /// How often the execution may be reclaimed, where its policy does not
    /// say so.
    pub max_reclaim_count: Option<u32>,
}

/// Answer of `reclaim_execution`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReclaimOutcome {
    /// The worker has it.
    Claimed(ClaimedExecution),
    /// Its lease is not lost, or somebody else reclaimed it.
    NotReclaimable {
        /// The execution.
        execution_id: ExecutionId,
        /// Why.
        detail: String,
    },
    /// It was reclaimed too often and ended now.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// How often it had been reclaimed.
        reclaim_count: u32,
    },
    /// The worker holds no live grant for it.
    GrantNotFound {
        /// The execution.
        execution_id: ExecutionId,
    },
}

impl Decide for ReclaimExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ReclaimOutcome, Rejection> {
        leasing::check_ttl(self.lease_ttl_ms)?;
        text::optional(text::document, "attempt_policy_json", self.attempt_policy_json.as_deref())?;
        let now = context.now;
        let execution_id = self.execution_id;
        let execution = view.execution(execution_id)?;
        if !execution.vector().is_reclaimable() {
            return Ok(ReclaimOutcome::NotReclaimable { execution_id, detail: NOT_RECLAIMABLE.to_owned() });
        }
        match grants::standing(&execution, GrantPurpose::Reclaim, &self.worker_id, &self.worker_instance_id, now) {
            Standing::Live => {}
            Standing::Absent => return Ok(ReclaimOutcome::GrantNotFound { execution_id }),
            Standing::Void => {
                grants::withdraw(view, &execution, now);
                return Ok(ReclaimOutcome::GrantNotFound { execution_id });
            }
        }
        if let Some(reclaim_count) = end_if_capped(view, &execution, self.max_reclaim_count, now) {
            return Ok(ReclaimOutcome::ReclaimCapExceeded { execution_id, reclaim_count });
        }
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
            attempt_timeout_ms: None,
            execution_deadline_at: None,
        };
        let claimed = leasing::start_attempt(view, &execution, &grantee, fresh, HandleKind::Reclaimed, None, now);
        Ok(ReclaimOutcome::Claimed(claimed))
    }
}

/// Ends an execution that was reclaimed as often as it may be. Returns how
/// often that was, or none if it may be reclaimed once more.
///
/// Issuing a grant and using it both ask here, so that the cap holds whichever
/// comes first.
pub(super) fn end_if_capped(
    view: &mut View<'_>,
    execution: &Execution,
    cap_argument: Option<u32>,
    now: TimestampMs,
) -> Option<u32> {
    let count = execution.lease_reclaim_count;
    if count < execution.reclaim_cap(cap_argument) {
        return None;
    }
    let mut next = execution.clone();
    leasing::end_attempt(&mut next, AttemptLifecycle::InterruptedReclaimed, None, None, now);
    next.failure_reason = Some(MAX_RECLAIMS_EXCEEDED.to_owned());
    leasing::release(view, &mut next, MAX_RECLAIMS_EXCEEDED, now);
    leasing::terminate(view, &mut next, TerminalOutcome::Failed, false, now);
    view.put_execution(Arc::new(next));
    Some(count)
}
