//! Grants: promising an execution to a worker, using the promise, and what a
//! mismatch leaves behind.

use super::text;
use crate::capability::CapabilitySet;
use crate::decision::Rejection;
use crate::error::{ContentionKind, EngineError, ValidationKind};
use crate::ids::{WorkerId, WorkerInstanceId};
use crate::record::{Execution, Grant, GrantPurpose};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// A worker that lacks a capability leaves a mark at most once in so many
/// milliseconds, so that a flood of mismatches does not buy a flood of
/// commits.
pub const MISMATCH_STAMP_INTERVAL_MS: u64 = 1000;

/// What a grant is issued with.
pub(super) struct Terms<'a> {
    pub purpose: GrantPurpose,
    pub worker_id: &'a WorkerId,
    pub worker_instance_id: &'a WorkerInstanceId,
    pub capability_hash: Option<&'a str>,
    pub route_snapshot_json: Option<&'a str>,
    pub admission_summary: Option<&'a str>,
    pub grant_ttl_ms: u64,
}

impl Terms<'_> {
    /// Refuses texts that no store may see.
    pub fn validate(&self) -> Result<(), EngineError> {
        text::optional(text::label, "capability_hash", self.capability_hash)?;
        text::optional(text::document, "route_snapshot_json", self.route_snapshot_json)?;
        text::optional(text::reason, "admission_summary", self.admission_summary)
    }
}

/// Stages a grant in the place of none or a void one. Returns its expiry.
pub(super) fn issue(view: &mut View<'_>, execution: &Execution, terms: &Terms<'_>, now: TimestampMs) -> TimestampMs {
    let expires_at = now.plus(terms.grant_ttl_ms);
    let mut next = execution.clone();
    next.grant = Some(Grant {
        purpose: terms.purpose,
        worker_id: terms.worker_id.clone(),
        worker_instance_id: terms.worker_instance_id.clone(),
        capability_hash: terms.capability_hash.map(str::to_owned),
        route_snapshot_json: terms.route_snapshot_json.map(str::to_owned),
        admission_summary: terms.admission_summary.map(str::to_owned),
        created_at: now,
        expires_at,
    });
    next.last_mutation_at = now;
    view.put_execution(Arc::new(next));
    expires_at
}

/// What a worker has of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A grant it may use.
    Live,
    /// A grant that ran out.
    Void,
    /// None, or one for another worker or purpose.
    Absent,
}

/// What the named worker has of a grant for the purpose.
pub(super) fn standing(
    execution: &Execution,
    purpose: GrantPurpose,
    worker_id: &WorkerId,
    worker_instance_id: &WorkerInstanceId,
    now: TimestampMs,
) -> Standing {
    match &execution.grant {
        Some(grant) if grant.purpose == purpose && grant.names(worker_id, worker_instance_id) => {
            if grant.is_live(now) {
                Standing::Live
            } else {
                Standing::Void
            }
        }
        _ => Standing::Absent,
    }
}

/// Stages the deletion of the grant.
pub(super) fn withdraw(view: &mut View<'_>, execution: &Execution, now: TimestampMs) {
    let mut next = execution.clone();
    next.grant = None;
    next.last_mutation_at = now;
    view.put_execution(Arc::new(next));
}

/// Checks that the named worker holds a live claim grant. A void one is
/// deleted, although the call fails.
pub(super) fn require(
    view: &mut View<'_>,
    execution: &Execution,
    worker_id: &WorkerId,
    worker_instance_id: &WorkerInstanceId,
    now: TimestampMs,
) -> Result<(), Rejection> {
    match standing(execution, GrantPurpose::Claim, worker_id, worker_instance_id, now) {
        Standing::Live => Ok(()),
        Standing::Absent => Err(ContentionKind::InvalidClaimGrant.into()),
        Standing::Void => {
            withdraw(view, execution, now);
            Err(Rejection::keeping(ContentionKind::ClaimGrantExpired))
        }
    }
}

/// What the worker lacks, as sorted text, or none if it fits. A mismatch is
/// noted on the execution.
pub(super) fn note_mismatch(
    view: &mut View<'_>,
    execution: &Execution,
    offered: &CapabilitySet,
    now: TimestampMs,
) -> Option<String> {
    if execution.spec.requirements.is_subset_of(offered) {
        return None;
    }
    let recent = execution.last_capability_mismatch_at.is_some_and(|at| now.since(at) < MISMATCH_STAMP_INTERVAL_MS);
    if !recent {
        let mut next = execution.clone();
        next.last_capability_mismatch_at = Some(now);
        next.last_mutation_at = now;
        view.put_execution(Arc::new(next));
    }
    Some(execution.spec.requirements.missing_from(offered))
}

/// Checks that a worker offers what the execution requires. A mismatch is
/// noted on the execution, although the call fails.
pub(super) fn require_capabilities(
    view: &mut View<'_>,
    execution: &Execution,
    offered: &CapabilitySet,
    now: TimestampMs,
) -> Result<(), Rejection> {
    match note_mismatch(view, execution, offered, now) {
        None => Ok(()),
        Some(missing) => Err(Rejection::keeping(EngineError::validation(ValidationKind::CapabilityMismatch, missing))),
    }
}
