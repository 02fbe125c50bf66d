//! Grants, claims, leases and what ends them.
//!
//! A handle form opens the handle and takes the way of its service form.

use super::{EngineHandle, limits};
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_backend::PAGE_MAX;
use leasehold_contract::{
    ClaimForWorker, ClaimGrant, ClaimPolicy, Claimed, EngineResult, ExpiredLeasesPage, FailureReason, Handle, Leases,
    ListExpiredLeases, ReclaimClaim, ReclaimGrant, ReclaimGrantOutcome, ResumeToken,
};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, BlockOutcome, ClaimExecution, ClaimResumedExecution, CommandSource,
    CompleteExecution, Completed, Delay, Delayed, FailExecution, FailOutcome, GrantIssued, IssueClaimGrant,
    IssueGrantAndClaim, IssueReclaimGrant, IssueReclaimOutcome, MarkExpiredOutcome, MarkLeaseExpired, ReclaimExecution,
    ReclaimOutcome, RenewLease, Renewed, RevokeLease, RevokeOutcome, UnblockExecution, Unblocked, WaitChildren,
};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::partition::Partition;
use leasehold_core::time::TimestampMs;
use tracing::instrument;

#[async_trait]
impl Leases for EngineHandle {
    #[instrument(level = "debug", skip_all, fields(lane = %lane_id))]
    async fn claim(
        &self,
        lane_id: &LaneId,
        capabilities: &CapabilitySet,
        policy: &ClaimPolicy,
    ) -> EngineResult<Option<Handle>> {
        self.claim_next(lane_id, capabilities, policy).await
    }

    #[instrument(level = "debug", skip_all, fields(lane = %lane_id, %partition))]
    async fn scan_eligible_executions(
        &self,
        lane_id: &LaneId,
        partition: Partition,
        limit: usize,
    ) -> EngineResult<Vec<ExecutionId>> {
        let index = self.flow_partition(partition)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let scanned = self.env.backend.scan_eligible(index, lane_id, limit.min(PAGE_MAX)).await;
        scanned.map_err(self.store_failed("scan_eligible_executions"))
    }

    async fn issue_claim_grant(&self, args: IssueClaimGrant) -> EngineResult<GrantIssued> {
        limits::grant_ttl(args.grant_ttl_ms)?;
        self.submit(args.execution_id, args).await
    }

    async fn claim_execution(&self, args: ClaimExecution) -> EngineResult<Claimed> {
        limits::lease_ttl("lease_ttl_ms", args.lease_ttl_ms)?;
        self.submit(args.execution_id, args).await.map(|execution| self.claimed(execution))
    }

    #[instrument(level = "debug", skip_all, fields(lane = %args.lane_id))]
    async fn claim_for_worker(&self, args: ClaimForWorker) -> EngineResult<Option<ClaimGrant>> {
        self.grant_next(&args).await
    }

    async fn issue_grant_and_claim(&self, args: IssueGrantAndClaim) -> EngineResult<Claimed> {
        limits::lease_ttl("lease_duration_ms", args.lease_duration_ms)?;
        self.submit(args.execution_id, args).await.map(|execution| self.claimed(execution))
    }

    async fn claim_resumed_execution(&self, args: ClaimResumedExecution) -> EngineResult<Claimed> {
        limits::lease_ttl("lease_ttl_ms", args.lease_ttl_ms)?;
        self.submit(args.execution_id, args).await.map(|execution| self.claimed(execution))
    }

    async fn claim_from_resume_grant(&self, token: ResumeToken) -> EngineResult<Option<Handle>> {
        self.use_resume_grant(token).await
    }

    async fn renew(&self, handle: &Handle) -> EngineResult<Renewed> {
        let held = self.open(handle)?;
        self.renew_lease(RenewLease {
            execution_id: held.execution_id,
            attempt_index: held.attempt_index,
            fence: held.fence().into(),
            lease_ttl_ms: held.lease_ttl_ms,
        })
        .await
    }

    async fn renew_lease(&self, args: RenewLease) -> EngineResult<Renewed> {
        limits::lease_ttl("lease_ttl_ms", args.lease_ttl_ms)?;
        self.submit(args.execution_id, args).await
    }

    async fn complete(&self, handle: &Handle, result: Option<Bytes>) -> EngineResult<Completed> {
        let held = self.open(handle)?;
        self.complete_execution(CompleteExecution {
            execution_id: held.execution_id,
            fence: held.fence().into(),
            attempt_index: Some(held.attempt_index),
            result_payload: result,
            result_encoding: None,
            source: CommandSource::LeaseHolder,
        })
        .await
    }

    async fn complete_execution(&self, args: CompleteExecution) -> EngineResult<Completed> {
        self.submit(args.execution_id, args).await
    }

    async fn fail(&self, handle: &Handle, reason: FailureReason, class: FailureClass) -> EngineResult<FailOutcome> {
        let held = self.open(handle)?;
        self.fail_execution(FailExecution {
            execution_id: held.execution_id,
            fence: held.fence().into(),
            attempt_index: Some(held.attempt_index),
            failure_category: failure_category(reason.detail.as_ref(), class),
            failure_reason: reason.message,
            failure_class: Some(class),
            retry_policy_json: None,
            source: CommandSource::LeaseHolder,
        })
        .await
    }

    async fn fail_execution(&self, args: FailExecution) -> EngineResult<FailOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn delay(&self, handle: &Handle, delay_until: TimestampMs) -> EngineResult<Delayed> {
        let held = self.open(handle)?;
        let delay = Delay {
            execution_id: held.execution_id,
            fence: held.fence().into(),
            source: CommandSource::LeaseHolder,
            delay_until,
        };
        self.submit(held.execution_id, delay).await
    }

    async fn wait_children(&self, handle: &Handle) -> EngineResult<Delayed> {
        let held = self.open(handle)?;
        let wait = WaitChildren {
            execution_id: held.execution_id,
            fence: held.fence().into(),
            source: CommandSource::LeaseHolder,
        };
        self.submit(held.execution_id, wait).await
    }

    async fn revoke_lease(&self, args: RevokeLease) -> EngineResult<RevokeOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn mark_lease_expired_if_due(&self, args: MarkLeaseExpired) -> EngineResult<MarkExpiredOutcome> {
        if args.execution_id.partition() >= self.partition_count() {
            return Ok(MarkExpiredOutcome::AlreadySatisfied { reason: "execution_not_found" });
        }
        self.submit(args.execution_id, args).await
    }

    async fn issue_reclaim_grant(&self, args: IssueReclaimGrant) -> EngineResult<ReclaimGrantOutcome> {
        limits::grant_ttl(args.grant_ttl_ms)?;
        self.submit(args.execution_id, args).await.map(reclaim_grant)
    }

    async fn reclaim_execution(&self, args: ReclaimExecution) -> EngineResult<ReclaimClaim> {
        limits::lease_ttl("lease_ttl_ms", args.lease_ttl_ms)?;
        let outcome = self.submit(args.execution_id, args).await?;
        Ok(match outcome {
            ReclaimOutcome::Claimed(execution) => ReclaimClaim::Claimed(Box::new(self.claimed(execution))),
            ReclaimOutcome::NotReclaimable { execution_id, detail } => {
                ReclaimClaim::NotReclaimable { execution_id, detail }
            }
            ReclaimOutcome::ReclaimCapExceeded { execution_id, reclaim_count } => {
                ReclaimClaim::ReclaimCapExceeded { execution_id, reclaim_count }
            }
            ReclaimOutcome::GrantNotFound { .. } => ReclaimClaim::GrantNotFound,
        })
    }

    #[instrument(level = "debug", skip_all)]
    async fn list_expired_leases(&self, args: ListExpiredLeases) -> EngineResult<ExpiredLeasesPage> {
        self.expired_leases(args).await
    }

    async fn block_route(&self, execution_id: ExecutionId, detail: Option<String>) -> EngineResult<BlockOutcome> {
        let reason = AdmissionBlock::WaitingForCapableWorker;
        self.block_execution_for_admission(BlockExecution { execution_id, reason, detail }).await
    }

    async fn block_execution_for_admission(&self, args: BlockExecution) -> EngineResult<BlockOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn unblock_execution(&self, args: UnblockExecution) -> EngineResult<Unblocked> {
        self.submit(args.execution_id, args).await
    }
}

/// What the retry rule goes by: the worker's own word where it is one, else
/// the class.
fn failure_category(detail: Option<&Bytes>, class: FailureClass) -> String {
    detail
        .and_then(|detail| std::str::from_utf8(detail).ok())
        .filter(|detail| !detail.is_empty())
        .unwrap_or(class.as_str())
        .to_owned()
}

fn reclaim_grant(outcome: IssueReclaimOutcome) -> ReclaimGrantOutcome {
    match outcome {
        IssueReclaimOutcome::Granted { execution_id, lane_id, expires_at } => {
            ReclaimGrantOutcome::Granted(ReclaimGrant {
                execution_id,
                partition_key: execution_id.home().into(),
                grant_key: format!("{execution_id}:reclaim"),
                expires_at_ms: expires_at,
                lane_id,
            })
        }
        IssueReclaimOutcome::NotReclaimable { execution_id, detail } => {
            ReclaimGrantOutcome::NotReclaimable { execution_id, detail }
        }
        IssueReclaimOutcome::ReclaimCapExceeded { execution_id, reclaim_count } => {
            ReclaimGrantOutcome::ReclaimCapExceeded { execution_id, reclaim_count }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_detail_is_the_category_and_the_class_stands_for_any_other() {
        for (detail, category) in [
            (Some(&b"net.timeout"[..]), "net.timeout"),
            (Some(&b"\xff\xfe"[..]), "infra_crash"),
            (Some(&b""[..]), "infra_crash"),
            (None, "infra_crash"),
        ] {
            let detail = detail.map(Bytes::from_static);
            assert_eq!(failure_category(detail.as_ref(), FailureClass::InfraCrash), category);
        }
    }

    #[test]
    fn a_reclaim_grant_names_its_partition_and_is_told_from_a_claim_grant() {
        let execution_id = ExecutionId::from_parts(7, uuid::Uuid::nil());
        let lane_id = LaneId::new("mail");
        let issued = IssueReclaimOutcome::Granted { execution_id, lane_id, expires_at: TimestampMs(9) };
        let ReclaimGrantOutcome::Granted(grant) = reclaim_grant(issued) else { panic!("not granted") };
        assert_eq!(grant.partition_key.as_str(), "{fp:7}");
        assert_eq!(grant.grant_key, "{fp:7}:00000000-0000-0000-0000-000000000000:reclaim");
        assert_eq!(grant.expires_at_ms, TimestampMs(9));
    }
}
