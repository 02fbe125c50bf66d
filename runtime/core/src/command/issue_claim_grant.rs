//! `issue_claim_grant`: promise an eligible execution to one worker for a
//! short time.
//!
//! The execution stays eligible and in its queue, so that a grant nobody uses
//! heals by its expiry. One kind of grant serves fresh and resumed claims.

use super::{Decide, grants};
use crate::capability::CapabilitySet;
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, StateKind};
use crate::ids::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use crate::record::GrantPurpose;
use crate::time::TimestampMs;
use crate::view::View;

/// Arguments of `issue_claim_grant`.
///
/// Refused, in this order, with `invalid_input` (texts),
/// `execution_not_found`, `execution_not_eligible`, `grant_already_exists`,
/// `execution_not_in_eligible_set` (it stands in another lane) and
/// `capability_mismatch`, which leaves a mark on the execution.
#[derive(Clone, Debug)]
pub struct IssueClaimGrant {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The lane whose queue it was found in.
    pub lane_id: LaneId,
    /// The logical worker it is promised to.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// What the worker offers.
    pub capabilities: CapabilitySet,
    /// Digest of the capabilities, kept for logs; at most 256 bytes.
    pub capability_hash: Option<String>,
    /// The scheduler's record of its decision, kept with the grant.
    pub route_snapshot_json: Option<String>,
    /// What admission said, kept with the grant.
    pub admission_summary: Option<String>,
    /// How long the grant may be used, in milliseconds.
    pub grant_ttl_ms: u64,
}

/// Answer of `issue_claim_grant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantIssued {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The last millisecond in which the grant may be used.
    pub expires_at: TimestampMs,
}

impl Decide for IssueClaimGrant {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<GrantIssued, Rejection> {
        let now = context.now;
        let terms = grants::Terms {
            purpose: GrantPurpose::Claim,
            worker_id: &self.worker_id,
            worker_instance_id: &self.worker_instance_id,
            capability_hash: self.capability_hash.as_deref(),
            route_snapshot_json: self.route_snapshot_json.as_deref(),
            admission_summary: self.admission_summary.as_deref(),
            grant_ttl_ms: self.grant_ttl_ms,
        };
        terms.validate()?;
        let execution = view.execution(self.execution_id)?;
        if !execution.vector().is_eligible() {
            return Err(ContentionKind::ExecutionNotEligible.into());
        }
        if execution.live_grant(now).is_some() {
            return Err(StateKind::GrantAlreadyExists.into());
        }
        if execution.lane_id != self.lane_id {
            return Err(ContentionKind::ExecutionNotInEligibleSet.into());
        }
        grants::require_capabilities(view, &execution, &self.capabilities, now)?;
        let expires_at = grants::issue(view, &execution, &terms, now);
        Ok(GrantIssued { execution_id: self.execution_id, expires_at })
    }
}
