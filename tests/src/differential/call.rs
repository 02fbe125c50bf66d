//! Every operation of the contract as a value.

mod flows;
mod waits;

pub use flows::FlowCall;
pub use waits::WaitCall;

use super::ticket::Ticket;
use bytes::Bytes;
use leasehold_contract::{
    BlockExecution, CancelExecution, ChangePriority, ClaimExecution, ClaimForWorker, ClaimPolicy,
    ClaimResumedExecution, CompleteExecution, CreateExecution, ExpireExecution, FailExecution, FailureReason,
    IssueClaimGrant, IssueGrantAndClaim, IssueReclaimGrant, ListExpiredLeases, MarkLeaseExpired, PollTasks,
    PromoteDelayed, ReclaimExecution, RenewLease, ReplayExecution, ResumeToken, RevokeLease, SetExecutionTag,
    UnblockExecution,
};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId};
use leasehold_core::partition::Partition;
use leasehold_core::time::TimestampMs;
use std::time::Duration;

/// A command or read with its arguments.
#[derive(Clone, Debug)]
pub enum Call {
    CreateExecution(Box<CreateExecution>),
    CreateExecutions(Vec<CreateExecution>),
    CancelExecution(CancelExecution),
    Cancel(Ticket, String),
    ReplayExecution(ReplayExecution),
    ChangePriority(ChangePriority),
    Progress(Ticket, Option<u8>, Option<String>),
    ExpireExecution(ExpireExecution),
    PromoteDelayed(PromoteDelayed),
    SetExecutionTag(SetExecutionTag),
    GetExecutionTag(ExecutionId, String),
    Claim(LaneId, CapabilitySet, Box<ClaimPolicy>),
    ScanEligibleExecutions(LaneId, Partition, usize),
    IssueClaimGrant(Box<IssueClaimGrant>),
    ClaimExecution(Box<ClaimExecution>),
    ClaimForWorker(Box<ClaimForWorker>),
    IssueGrantAndClaim(IssueGrantAndClaim),
    ClaimResumedExecution(Box<ClaimResumedExecution>),
    ClaimFromResumeGrant(Box<ResumeToken>),
    Renew(Ticket),
    RenewLease(RenewLease),
    Complete(Ticket, Option<Bytes>),
    CompleteExecution(Box<CompleteExecution>),
    Fail(Ticket, FailureReason, FailureClass),
    FailExecution(Box<FailExecution>),
    Delay(Ticket, TimestampMs),
    WaitChildren(Ticket),
    RevokeLease(RevokeLease),
    MarkLeaseExpiredIfDue(MarkLeaseExpired),
    IssueReclaimGrant(Box<IssueReclaimGrant>),
    ReclaimExecution(Box<ReclaimExecution>),
    ListExpiredLeases(ListExpiredLeases),
    BlockRoute(ExecutionId, Option<String>),
    BlockExecutionForAdmission(BlockExecution),
    UnblockExecution(UnblockExecution),
    DescribeExecution(ExecutionId),
    ReadExecutionContext(ExecutionId),
    ReadExecutionInfo(ExecutionId),
    ReadExecutionState(ExecutionId),
    GetExecutionResult(ExecutionId),
    GetExecutionNamespace(ExecutionId),
    ReadExecCoreFields(Partition, ExecutionId, Vec<String>),
    ReadCurrentAttemptIndex(ExecutionId),
    ReadTotalAttemptCount(ExecutionId),
    ListExecutions(Partition, Option<ExecutionId>, usize),
    ListLanes(Option<LaneId>, usize),
    ListAttempts(ExecutionId, Option<AttemptIndex>, usize),
    PollTasks(Box<PollTasks>),
    WaitTerminal(ExecutionId, Duration),
    Prepare,
    Ping,
    ShutdownPrepare(Duration),
    ServerTimeMs,
    Capabilities,
    BackendLabel,
    Wait(WaitCall),
    Flow(FlowCall),
}

impl Call {
    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateExecution(_) => "create_execution",
            Self::CreateExecutions(_) => "create_executions",
            Self::CancelExecution(_) => "cancel_execution",
            Self::Cancel(..) => "cancel",
            Self::ReplayExecution(_) => "replay_execution",
            Self::ChangePriority(_) => "change_priority",
            Self::Progress(..) => "progress",
            Self::ExpireExecution(_) => "expire_execution",
            Self::PromoteDelayed(_) => "promote_delayed",
            Self::SetExecutionTag(_) => "set_execution_tag",
            Self::GetExecutionTag(..) => "get_execution_tag",
            Self::Claim(..) => "claim",
            Self::ScanEligibleExecutions(..) => "scan_eligible_executions",
            Self::IssueClaimGrant(_) => "issue_claim_grant",
            Self::ClaimExecution(_) => "claim_execution",
            Self::ClaimForWorker(_) => "claim_for_worker",
            Self::IssueGrantAndClaim(_) => "issue_grant_and_claim",
            Self::ClaimResumedExecution(_) => "claim_resumed_execution",
            Self::ClaimFromResumeGrant(_) => "claim_from_resume_grant",
            Self::Renew(_) => "renew",
            Self::RenewLease(_) => "renew_lease",
            Self::Complete(..) => "complete",
            Self::CompleteExecution(_) => "complete_execution",
            Self::Fail(..) => "fail",
            Self::FailExecution(_) => "fail_execution",
            Self::Delay(..) => "delay",
            Self::WaitChildren(_) => "wait_children",
            Self::RevokeLease(_) => "revoke_lease",
            Self::MarkLeaseExpiredIfDue(_) => "mark_lease_expired_if_due",
            Self::IssueReclaimGrant(_) => "issue_reclaim_grant",
            Self::ReclaimExecution(_) => "reclaim_execution",
            Self::ListExpiredLeases(_) => "list_expired_leases",
            Self::BlockRoute(..) => "block_route",
            Self::BlockExecutionForAdmission(_) => "block_execution_for_admission",
            Self::UnblockExecution(_) => "unblock_execution",
            Self::DescribeExecution(_) => "describe_execution",
            Self::ReadExecutionContext(_) => "read_execution_context",
            Self::ReadExecutionInfo(_) => "read_execution_info",
            Self::ReadExecutionState(_) => "read_execution_state",
            Self::GetExecutionResult(_) => "get_execution_result",
            Self::GetExecutionNamespace(_) => "get_execution_namespace",
            Self::ReadExecCoreFields(..) => "read_exec_core_fields",
            Self::ReadCurrentAttemptIndex(_) => "read_current_attempt_index",
            Self::ReadTotalAttemptCount(_) => "read_total_attempt_count",
            Self::ListExecutions(..) => "list_executions",
            Self::ListLanes(..) => "list_lanes",
            Self::ListAttempts(..) => "list_attempts",
            Self::PollTasks(_) => "poll_tasks",
            Self::WaitTerminal(..) => "wait_terminal",
            Self::Prepare => "prepare",
            Self::Ping => "ping",
            Self::ShutdownPrepare(_) => "shutdown_prepare",
            Self::ServerTimeMs => "server_time_ms",
            Self::Capabilities => "capabilities",
            Self::BackendLabel => "backend_label",
            Self::Wait(call) => call.name(),
            Self::Flow(call) => call.name(),
        }
    }

    /// Whether it takes whatever work comes first. While it waits, work that
    /// becomes ready in several partitions at once races for it.
    pub const fn takes_what_comes(&self) -> bool {
        matches!(self, Self::Claim(..) | Self::PollTasks(_))
    }
}
