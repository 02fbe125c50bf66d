//! Grants, claims of named executions, leases and what ends them.

pub(crate) mod block_execution;
pub(crate) mod claim_execution;
pub(crate) mod claim_from_resume_grant;
pub(crate) mod claim_resumed_execution;
pub(crate) mod complete;
pub(crate) mod delay;
pub(crate) mod fail;
pub(crate) mod issue_claim_grant;
pub(crate) mod issue_grant_and_claim;
pub(crate) mod issue_reclaim_grant;
pub(crate) mod list_expired_leases;
pub(crate) mod mark_lease_expired;
pub(crate) mod reclaim_execution;
pub(crate) mod renew;
pub(crate) mod revoke_lease;
pub(crate) mod scan_eligible_executions;
pub(crate) mod unblock_execution;
pub(crate) mod wait_children;

/// The longest a grant may last, in milliseconds.
pub(crate) const GRANT_TTL_MS_MAX: u64 = 60_000;
