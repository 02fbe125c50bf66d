//! Grants, claims, leases and what ends them.

use crate::EngineResult;
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    BlockExecution, BlockOutcome, ClaimExecution, ClaimResumedExecution, ClaimedExecution, CompleteExecution,
    Completed, Delayed, FailExecution, FailOutcome, GrantIssued, IssueClaimGrant, IssueGrantAndClaim,
    IssueReclaimGrant, MarkExpiredOutcome, MarkLeaseExpired, ReclaimExecution, RenewLease, Renewed, RevokeLease,
    RevokeOutcome, UnblockExecution, Unblocked,
};
use leasehold_core::handle::Handle;
use leasehold_core::ids::{
    AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId, Namespace, RequestId, WorkerId, WorkerInstanceId,
};
use leasehold_core::partition::{Partition, PartitionKey};
use leasehold_core::time::TimestampMs;

/// Who polls, and how long its leases last.
#[derive(Clone, Debug)]
pub struct ClaimPolicy {
    /// The logical worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// How long the lease lasts, 1 ms to 24 days.
    pub lease_ttl_ms: u32,
    /// How long to wait for work; none answers at once.
    pub max_wait_ms: Option<u64>,
    /// A repeat with the same id is given the same execution again while its
    /// lease lives. Without one a claim is not repeatable.
    pub request_id: Option<RequestId>,
}

/// An issued lease with the handle its worker carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The lease.
    pub execution: ClaimedExecution,
    /// The same as an opaque handle.
    pub handle: Handle,
}

/// An opaque name of a grant; consumers only echo it.
pub type GrantKey = String;

/// Arguments of `claim_for_worker`.
#[derive(Clone, Debug)]
pub struct ClaimForWorker {
    /// From which lane.
    pub lane_id: LaneId,
    /// The logical worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// What it offers.
    pub worker_capabilities: CapabilitySet,
    /// How long the grant lasts.
    pub grant_ttl_ms: u64,
}

/// Permission to claim one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimGrant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its partition.
    pub partition_key: PartitionKey,
    /// The grant.
    pub grant_key: GrantKey,
    /// When it is void.
    pub expires_at_ms: TimestampMs,
}

/// Permission to continue an interrupted execution: an ordinary claim grant
/// with the lane it was issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeGrant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its partition.
    pub partition_key: PartitionKey,
    /// The grant.
    pub grant_key: GrantKey,
    /// When it is void.
    pub expires_at_ms: TimestampMs,
    /// The lane.
    pub lane_id: LaneId,
}

/// A resume grant and who uses it.
#[derive(Clone, Debug)]
pub struct ResumeToken {
    /// The grant.
    pub grant: ResumeGrant,
    /// The logical worker it names.
    pub worker_id: WorkerId,
    /// The process it names.
    pub worker_instance_id: WorkerInstanceId,
    /// How long the lease lasts.
    pub lease_ttl_ms: u64,
}

/// Permission to reclaim one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReclaimGrant {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its partition.
    pub partition_key: PartitionKey,
    /// The grant.
    pub grant_key: GrantKey,
    /// When it is void.
    pub expires_at_ms: TimestampMs,
    /// The lane.
    pub lane_id: LaneId,
}

/// Answer of `issue_reclaim_grant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReclaimGrantOutcome {
    /// The worker may reclaim it.
    Granted(ReclaimGrant),
    /// It is not reclaimable, or not by this worker.
    NotReclaimable {
        /// The execution.
        execution_id: ExecutionId,
        /// Why.
        detail: String,
    },
    /// It was reclaimed too often and has ended.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// How often.
        reclaim_count: u32,
    },
}

/// Answer of `reclaim_execution`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReclaimClaim {
    /// The worker has it, under a new attempt.
    Claimed(Box<Claimed>),
    /// It is not reclaimable.
    NotReclaimable {
        /// The execution.
        execution_id: ExecutionId,
        /// Why.
        detail: String,
    },
    /// It was reclaimed too often and has ended.
    ReclaimCapExceeded {
        /// The execution.
        execution_id: ExecutionId,
        /// How often.
        reclaim_count: u32,
    },
    /// No live reclaim grant names this worker.
    GrantNotFound,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureReason {
    /// For people, at most 4096 bytes.
    pub message: String,
    /// For the retry rule, when it is UTF-8; otherwise the class stands for
    /// it.
    pub detail: Option<Bytes>,
}

/// Arguments of `list_expired_leases`.
#[derive(Clone, Debug, Default)]
pub struct ListExpiredLeases {
    /// Leases that ran out by then; none means now.
    pub as_of: Option<TimestampMs>,
    /// The last entry seen.
    pub after: Option<(TimestampMs, ExecutionId)>,
    /// At most so many; 1000 when absent, 10 000 at most.
    pub limit: Option<usize>,
    /// Only of this namespace.
    pub namespace: Option<Namespace>,
}

/// One expired lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredLeaseEntry {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Its epoch.
    pub lease_epoch: LeaseEpoch,
    /// Who had it.
    pub worker_instance_id: WorkerInstanceId,
    /// When it ran out.
    pub expires_at: TimestampMs,
    /// The attempt it drove.
    pub attempt_index: AttemptIndex,
}

/// A page of expired leases by (expiry, execution).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpiredLeasesPage {
    /// The entries.
    pub entries: Vec<ExpiredLeaseEntry>,
    /// Where to go on; none at the end.
    pub next: Option<(TimestampMs, ExecutionId)>,
}

/// Operations around leases.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Finds work on a lane and takes it: a fresh attempt, the continuation
    /// of an interrupted one or a reclaim, told apart by the handle's kind.
    async fn claim(
        &self,
        lane_id: &LaneId,
        capabilities: &CapabilitySet,
        policy: &ClaimPolicy,
    ) -> EngineResult<Option<Handle>>;

    /// Eligible executions of one partition in their order; at most `limit`,
    /// 1000 at most.
    async fn scan_eligible_executions(
        &self,
        lane_id: &LaneId,
        partition: Partition,
        limit: usize,
    ) -> EngineResult<Vec<ExecutionId>>;

    /// Permits one worker to claim one execution.
    async fn issue_claim_grant(&self, args: IssueClaimGrant) -> EngineResult<GrantIssued>;

    /// Uses a grant and starts a new attempt.
    async fn claim_execution(&self, args: ClaimExecution) -> EngineResult<Claimed>;

    /// Finds work on a lane and permits the worker to claim it.
    async fn claim_for_worker(&self, args: ClaimForWorker) -> EngineResult<Option<ClaimGrant>>;

    /// An operator takes one execution.
    async fn issue_grant_and_claim(&self, args: IssueGrantAndClaim) -> EngineResult<Claimed>;

    /// Uses a grant and continues an interrupted attempt.
    async fn claim_resumed_execution(&self, args: ClaimResumedExecution) -> EngineResult<Claimed>;

    /// As [`Leases::claim_resumed_execution`] with minted ids; none when it is
    /// no longer claimable.
    async fn claim_from_resume_grant(&self, token: ResumeToken) -> EngineResult<Option<Handle>>;

    /// Renews for the handle's time.
    async fn renew(&self, handle: &Handle) -> EngineResult<Renewed>;

    /// Renews; may shorten.
    async fn renew_lease(&self, args: RenewLease) -> EngineResult<Renewed>;

    /// Ends the execution well.
    async fn complete(&self, handle: &Handle, result: Option<Bytes>) -> EngineResult<Completed>;

    /// Ends the execution well.
    async fn complete_execution(&self, args: CompleteExecution) -> EngineResult<Completed>;

    /// Ends the attempt in failure.
    async fn fail(&self, handle: &Handle, reason: FailureReason, class: FailureClass) -> EngineResult<FailOutcome>;

    /// Ends the attempt in failure.
    async fn fail_execution(&self, args: FailExecution) -> EngineResult<FailOutcome>;

    /// Gives the lease back until a time; the same attempt goes on then.
    async fn delay(&self, handle: &Handle, delay_until: TimestampMs) -> EngineResult<Delayed>;

    /// Gives the lease back until the children have ended.
    async fn wait_children(&self, handle: &Handle) -> EngineResult<Delayed>;

    /// Takes a lease away.
    async fn revoke_lease(&self, args: RevokeLease) -> EngineResult<RevokeOutcome>;

    /// Marks a lapsed lease.
    async fn mark_lease_expired_if_due(&self, args: MarkLeaseExpired) -> EngineResult<MarkExpiredOutcome>;

    /// Permits one worker to reclaim one execution.
    async fn issue_reclaim_grant(&self, args: IssueReclaimGrant) -> EngineResult<ReclaimGrantOutcome>;

    /// Uses a reclaim grant and starts a new attempt.
    async fn reclaim_execution(&self, args: ReclaimExecution) -> EngineResult<ReclaimClaim>;

    /// Active executions whose lease ran out.
    async fn list_expired_leases(&self, args: ListExpiredLeases) -> EngineResult<ExpiredLeasesPage>;

    /// Puts an eligible execution aside because no worker fits.
    async fn block_route(&self, execution_id: ExecutionId, detail: Option<String>) -> EngineResult<BlockOutcome>;

    /// Puts an eligible execution aside for a reason of admission.
    async fn block_execution_for_admission(&self, args: BlockExecution) -> EngineResult<BlockOutcome>;

    /// Makes a blocked execution eligible again.
    async fn unblock_execution(&self, args: UnblockExecution) -> EngineResult<Unblocked>;
}
