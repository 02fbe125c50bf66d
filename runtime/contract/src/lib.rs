//! The contract of the engine: one trait per concern, object safe.
//!
//! Code asks for the narrowest trait it needs; [`Engine`] is all of them.
//! No method has a default body: an engine that lacks an operation does not
//! compile. The *handle form* of an operation takes the [`Handle`] a worker
//! carries, the *service form* takes ids and an optional fence; both run the
//! same rule.
//!
//! # Errors
//!
//! Every method returns [`EngineError`]. Besides the errors its specification
//! names, any write may answer `resource_exhausted` (back-pressure),
//! `outcome_unknown` (the store did not say) and `partition_unavailable` (no
//! owner right now); all three are retryable, and repeating a write that the
//! specification calls repeatable is safe.

mod executions;
mod leases;
mod maintenance;
mod reads;
mod work;

pub use executions::{BULK_MAX, Executions};
pub use leases::{
    ClaimForWorker, ClaimGrant, ClaimPolicy, Claimed, ExpiredLeaseEntry, ExpiredLeasesPage, FailureReason, GrantKey,
    Leases, ListExpiredLeases, ReclaimClaim, ReclaimGrant, ReclaimGrantOutcome, ResumeGrant, ResumeToken,
};
pub use maintenance::{Capabilities, Identity, Maintenance, Prepared, Supports, Version};
pub use reads::{
    AttemptPage, AttemptView, CurrentAttempt, CurrentLease, ExecutionContext, ExecutionInfo, ExecutionPage,
    ExecutionSnapshot, LanePage, Reads,
};

pub use work::{CREDITS_MAX, POLL_WAIT_MAX, PollTasks, Task, Work};

pub use leasehold_core::command::{
    AdmissionBlock, BlockExecution, BlockOutcome, CancelExecution, Cancelled, ChangePriority, Changed, ClaimExecution,
    ClaimResumedExecution, ClaimedExecution, CommandSource, CompleteExecution, Completed, CreateExecution,
    CreateOutcome, Delayed, ExpireExecution, ExpireOutcome, ExpirePhase, FailExecution, FailOutcome, FenceTriple,
    GrantIssued, IssueClaimGrant, IssueGrantAndClaim, IssueReclaimGrant, MarkExpiredOutcome, MarkLeaseExpired,
    ProgressUpdated, PromoteDelayed, PromoteOutcome, ReclaimExecution, RenewLease, Renewed, ReplayExecution, Replayed,
    RevokeLease, RevokeOutcome, SetExecutionTag, TagSet, UnblockExecution, Unblocked,
};
pub use leasehold_core::error::EngineError;
pub use leasehold_core::handle::Handle;

/// Result of an engine call.
pub type EngineResult<T> = Result<T, EngineError>;

/// Everything an engine does.
pub trait Engine: Executions + Leases + Reads + Maintenance + Work {}

impl<T: Executions + Leases + Reads + Maintenance + Work + ?Sized> Engine for T {}
