//! `issue_reclaim_grant`: promise an execution whose lease was lost to one
//! worker for a short time.

use super::{Decide, grants, reclaim_execution};
use crate::capability::CapabilitySet;
use crate::decision::{Context, Rejection};
use crate::error::StateKind;
use crate::ids::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use crate::record::GrantPurpose;
use crate::time::TimestampMs;
use crate::view::View;

/// Arguments of `issue_reclaim_grant`.
///
/// Refused with `invalid_input` (texts), `execution_not_found` and
/// `grant_already_exists`; the other obstacles are outcomes. The checks run
/// in the order: reclaimable, grant, cap, capabilities.
#[derive(Clone, Debug)]
pub struct IssueReclaimGrant {
    /// Which execution.
    pub execution_id: ExecutionId,
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

/// Answer of `issue_reclaim_grant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueReclaimOutcome {
    /// The worker may reclaim it.
    Granted {
        /// The execution.
        execution_id: ExecutionId,
        /// The lane it stands in.
        lane_id: LaneId,
        /// The last millisecond in which the grant may be used.
        expires_at: TimestampMs,
    },
    /// Its lease is not lost, or the worker lacks a capability.
    NotReclaimable {
        /// The execution.
        execution_id: ExecutionId,
        /// Why: `execution_not_reclaimable` or `capability_mismatch: ` and
        /// the missing tokens.
        detail: String,
    },
    /// It was reclaimed too often and ended now.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// How often it had been reclaimed.
        reclaim_count: u32,
    },
}

impl Decide for IssueReclaimGrant {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<IssueReclaimOutcome, Rejection> {
        let now = context.now;
        let terms = grants::Terms {
            purpose: GrantPurpose::Reclaim,
            worker_id: &self.worker_id,
            worker_instance_id: &self.worker_instance_id,
            capability_hash: self.capability_hash.as_deref(),
            route_snapshot_json: self.route_snapshot_json.as_deref(),
            admission_summary: self.admission_summary.as_deref(),
            grant_ttl_ms: self.grant_ttl_ms,
        };
        terms.validate()?;
        let execution_id = self.execution_id;
        let execution = view.execution(execution_id)?;
        if !execution.vector().is_reclaimable() {
            let detail = reclaim_execution::NOT_RECLAIMABLE.to_owned();
            return Ok(IssueReclaimOutcome::NotReclaimable { execution_id, detail });
        }
        if execution.live_grant(now).is_some() {
            return Err(StateKind::GrantAlreadyExists.into());
        }
        if let Some(reclaim_count) = reclaim_execution::end_if_capped(view, &execution, None, now) {
            return Ok(IssueReclaimOutcome::ReclaimCapExceeded { execution_id, reclaim_count });
        }
        if let Some(missing) = grants::note_mismatch(view, &execution, &self.capabilities, now) {
            let detail = format!("capability_mismatch: {missing}");
            return Ok(IssueReclaimOutcome::NotReclaimable { execution_id, detail });
        }
        let expires_at = grants::issue(view, &execution, &terms, now);
        Ok(IssueReclaimOutcome::Granted { execution_id, lane_id: execution.lane_id.clone(), expires_at })
    }
}
