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
mod flows;
mod leases;
mod maintenance;
mod reads;
mod suspension;
mod work;

pub use executions::{BULK_MAX, Executions};
pub use flows::{
    EdgeDirection, EdgeGroupSnapshot, EdgeSnapshot, FlowEdgeSpec, FlowEntry, FlowMember, FlowMemberPage, FlowNodeSpec,
    FlowPage, FlowSnapshot, FlowSpec, FlowStatus, Flows, InboundEdge, SubmitFlowOutcome,
};
pub use leases::{
    ClaimForWorker, ClaimGrant, ClaimPolicy, Claimed, ExpiredLeaseEntry, ExpiredLeasesPage, FailureReason, GrantKey,
    Leases, ListExpiredLeases, ReclaimClaim, ReclaimGrant, ReclaimGrantOutcome, ResumeGrant, ResumeToken,
};
pub use maintenance::{Capabilities, Identity, Maintenance, Prepared, Supports, Version};
pub use reads::{
    AttemptPage, AttemptView, CurrentAttempt, CurrentLease, ExecutionContext, ExecutionInfo, ExecutionPage,
    ExecutionSnapshot, LanePage, Reads,
};
pub use suspension::{
    ClosedView, DEFAULT_HMAC_GRACE_MS, KeyedSignal, ListPendingWaitpoints, PartitionRotation, PendingWaitpointPage,
    ResumeSignal, RotateHmacSecret, SeedHmacSecret, SuspendArgs, SuspendOutcome, SuspendedPage, Suspension,
    SuspensionView, WaitpointTokenRead,
};
pub use work::{CREDITS_MAX, POLL_WAIT_MAX, PollTasks, Task, Work};

pub use leasehold_core::command::flow::{
    AddOutcome, ApplyDependencyToChild, ApplyOutcome, CancelFlow, CancelFlowHeader, CancelFlowOutcome,
    CancelHeaderOutcome, CancelWait, CascadeOutcome, CreateFlowOutcome, DrainOutcome, FlowEligibility, FlowTagSet,
    ReconcileOutcome, ResolveDependency, SetEdgeGroupPolicy, SetFlowTag, SetPolicyOutcome, StageDependencyEdge, Staged,
};
pub use leasehold_core::command::{
    AdmissionBlock, BlockExecution, BlockOutcome, CancelExecution, Cancelled, ChangePriority, Changed, ClaimExecution,
    ClaimResumedExecution, ClaimedExecution, CloseWaitpoint, CloseWaitpointOutcome, CommandSource, CompleteExecution,
    Completed, CreateExecution, CreateOutcome, Delayed, DeliverApprovalSignal, DeliverSignal, ExpireExecution,
    ExpireOutcome, ExpirePhase, ExpireSuspensionOutcome, FailExecution, FailOutcome, FenceTriple, GiveUp, GrantIssued,
    IssueClaimGrant, IssueGrantAndClaim, IssueReclaimGrant, MarkExpiredOutcome, MarkLeaseExpired, PendingWaitpoint,
    ProgressUpdated, PromoteDelayed, PromoteOutcome, ReclaimExecution, RenewLease, Renewed, ReplayExecution, Replayed,
    ResumeExecution, Resumed, RevokeLease, RevokeOutcome, SetExecutionTag, SignalOutcome, TagSet, UnblockExecution,
    Unblocked,
};
pub use leasehold_core::error::EngineError;
pub use leasehold_core::handle::Handle;
pub use leasehold_core::token::SecretHex;

/// Result of an engine call.
pub type EngineResult<T> = Result<T, EngineError>;

/// Everything an engine does.
pub trait Engine: Executions + Leases + Suspension + Flows + Reads + Maintenance + Work {}

impl<T: Executions + Leases + Suspension + Flows + Reads + Maintenance + Work + ?Sized> Engine for T {}
