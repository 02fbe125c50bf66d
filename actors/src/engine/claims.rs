//! Finding work for a worker: `claim`, `claim_for_worker` and
//! `claim_from_resume_grant`.

use super::{EngineHandle, limits, rotation};
use crate::partition::ClaimRequest;
use leasehold_backend::{PAGE_MAX, StoreError};
use leasehold_contract::{
    ClaimForWorker, ClaimGrant, ClaimPolicy, EngineResult, Handle, Leases, PollTasks, ResumeToken, Work,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{AdmissionBlock, BlockExecution, ClaimResumedExecution, IssueClaimGrant};
use leasehold_core::error::{ContentionKind, EngineError, Entity, ErrorClass, ValidationKind};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{Execution, Holder, RecordKey};
use std::sync::Arc;
use std::time::Duration;

/// Executions of one partition a scheduling call looks at before it goes on
/// to the next partition. Those promised to other workers do not count.
const CANDIDATES: usize = 10;

/// Partitions whose queues are read ahead of the one being looked at.
const READ_AHEAD: usize = 4;

/// What an execution says that this call put aside.
const NO_CAPABLE_WORKER: &str = "no connected worker satisfies required_capabilities";

/// What a failed attempt at one candidate means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Somebody else was faster, or this one record is unusable.
    NextCandidate,
    /// Nothing can be had from this partition now.
    NextPartition,
    /// The caller must know.
    Fail,
}

/// What a partition had to offer.
enum Found {
    /// A grant.
    Grant(ClaimGrant),
    /// Nothing.
    Nothing,
    /// Nothing but executions promised to other workers.
    AllPromised,
}

impl EngineHandle {
    /// Takes the next execution of a lane, waiting for one if asked to.
    pub(super) async fn claim_next(
        &self,
        lane_id: &LaneId,
        capabilities: &CapabilitySet,
        policy: &ClaimPolicy,
    ) -> EngineResult<Option<Handle>> {
        let lease_ttl_ms = u64::from(policy.lease_ttl_ms);
        limits::lease_ttl("lease_ttl_ms", lease_ttl_ms)?;
        limits::offered(capabilities)?;
        let task = if let Some(wait_ms) = policy.max_wait_ms.filter(|ms| *ms > 0) {
            let poll = PollTasks {
                lanes: vec![lane_id.clone()],
                worker_id: policy.worker_id.clone(),
                worker_instance_id: policy.worker_instance_id.clone(),
                capabilities: capabilities.clone(),
                credits: 1,
                lease_ttl_ms,
                max_wait: Duration::from_millis(wait_ms),
                request_id: policy.request_id,
            };
            self.poll_tasks(poll).await?.into_iter().next()
        } else {
            let request = ClaimRequest {
                lanes: vec![lane_id.clone()],
                worker_id: policy.worker_id.clone(),
                worker_instance_id: policy.worker_instance_id.clone(),
                holder: Holder::Remote,
                capabilities: capabilities.clone(),
                lease_ttl_ms,
                request_id: policy.request_id,
                max: 1,
                group: None,
            };
            if let Some(request_id) = policy.request_id {
                let worker = &policy.worker_instance_id;
                if let Some(task) = self.claimed_before(request_id, worker, 1).await?.into_iter().next() {
                    return Ok(Some(task.claimed.handle(self.tag())));
                }
            }
            let start = rotation::home(&policy.worker_instance_id, self.partition_count());
            self.router.claim_one(start, request).await?
        };
        Ok(task.map(|task| task.claimed.handle(self.tag())))
    }

    /// Promises the next execution of a lane to a worker.
    ///
    /// Every partition is looked at once, from a start that depends on the
    /// worker and moves with time, so that waiting work is found by one call
    /// however many partitions there are. A candidate that asks for more than
    /// the worker offers is put aside as waiting for a capable worker.
    pub(super) async fn grant_next(&self, args: &ClaimForWorker) -> EngineResult<Option<ClaimGrant>> {
        limits::grant_ttl(args.grant_ttl_ms)?;
        limits::offered(&args.worker_capabilities)?;
        let order = self.rotation.order(&args.worker_instance_id, self.router.partition_time(), self.partition_count());
        let order: Vec<u16> = order.collect();
        for ahead in order.chunks(READ_AHEAD) {
            // Read to the end before a queue is looked at: a read that waits
            // half done may hold the connection that looking needs.
            let scans = ahead.iter().map(|partition| self.candidates(args, *partition, CANDIDATES));
            let scanned = futures::future::join_all(scans).await;
            for (partition, candidates) in ahead.iter().zip(scanned) {
                if let Some(grant) = self.grant_in(args, *partition, candidates?).await? {
                    return Ok(Some(grant));
                }
            }
        }
        Ok(None)
    }

    async fn candidates(&self, args: &ClaimForWorker, partition: u16, limit: usize) -> EngineResult<Vec<ExecutionId>> {
        let scanned = self.env.backend.scan_eligible(partition, &args.lane_id, limit).await;
        scanned.map_err(self.store_failed("claim_for_worker"))
    }

    /// Promises one execution of a partition. A head of the queue that is
    /// promised already, which stays in the queue until it is claimed, is
    /// looked past.
    async fn grant_in(
        &self,
        args: &ClaimForWorker,
        partition: u16,
        mut candidates: Vec<ExecutionId>,
    ) -> EngineResult<Option<ClaimGrant>> {
        let mut limit = CANDIDATES;
        loop {
            match self.grant_among(args, partition, &candidates).await? {
                Found::Grant(grant) => return Ok(Some(grant)),
                Found::AllPromised if candidates.len() >= limit && limit < PAGE_MAX => {
                    limit = (limit * 10).min(PAGE_MAX);
                    candidates = self.candidates(args, partition, limit).await?;
                }
                Found::Nothing | Found::AllPromised => return Ok(None),
            }
        }
    }

    async fn grant_among(
        &self,
        args: &ClaimForWorker,
        partition: u16,
        candidates: &[ExecutionId],
    ) -> EngineResult<Found> {
        if candidates.is_empty() {
            return Ok(Found::Nothing);
        }
        let now = self.router.partition_time();
        let executions = self.load_candidates(partition, candidates).await?;
        let mut looked_at = 0;
        for execution in &executions {
            if !execution.is_claimable(now) {
                continue;
            }
            if looked_at == CANDIDATES {
                break;
            }
            looked_at += 1;
            match self.try_candidate(args, execution).await {
                Ok(Some(grant)) => return Ok(Found::Grant(grant)),
                Ok(None) => {}
                Err(error) => match verdict(&error) {
                    Verdict::NextCandidate => {
                        tracing::debug!(execution_id = %execution.id, %error, "candidate passed over");
                    }
                    Verdict::NextPartition => return Ok(Found::Nothing),
                    Verdict::Fail => return Err(error),
                },
            }
        }
        Ok(if looked_at == 0 { Found::AllPromised } else { Found::Nothing })
    }

    /// Promises a candidate the worker can do; puts aside one it cannot.
    async fn try_candidate(&self, args: &ClaimForWorker, execution: &Execution) -> EngineResult<Option<ClaimGrant>> {
        if execution.spec.requirements.is_subset_of(&args.worker_capabilities) {
            return self.grant(args, execution).await.map(Some);
        }
        self.put_aside(execution).await?;
        Ok(None)
    }

    /// The records of the candidates, in order. One that cannot be read must
    /// not keep the others from being found.
    async fn load_candidates(&self, partition: u16, candidates: &[ExecutionId]) -> EngineResult<Vec<Arc<Execution>>> {
        let keys: Vec<_> = candidates.iter().map(|id| RecordKey::Execution(id.uuid())).collect();
        match self.env.backend.load(partition, &keys, &[]).await {
            Ok(loaded) => {
                Ok(loaded.records.iter().flatten().filter_map(|record| record.as_execution().cloned()).collect())
            }
            Err(StoreError::Corrupt(error)) => {
                tracing::warn!(partition, %error, "a queue holds an execution that cannot be read");
                let mut readable = Vec::with_capacity(candidates.len());
                for id in candidates {
                    readable.extend(self.find("claim_for_worker", *id).await.ok().flatten());
                }
                Ok(readable)
            }
            Err(error) => Err(self.store_failed("claim_for_worker")(error)),
        }
    }

    async fn grant(&self, args: &ClaimForWorker, execution: &Execution) -> EngineResult<ClaimGrant> {
        let issued = self
            .issue_claim_grant(IssueClaimGrant {
                execution_id: execution.id,
                lane_id: args.lane_id.clone(),
                worker_id: args.worker_id.clone(),
                worker_instance_id: args.worker_instance_id.clone(),
                capabilities: args.worker_capabilities.clone(),
                capability_hash: Some(args.worker_capabilities.digest()),
                route_snapshot_json: None,
                admission_summary: None,
                grant_ttl_ms: args.grant_ttl_ms,
            })
            .await?;
        Ok(ClaimGrant {
            execution_id: issued.execution_id,
            partition_key: issued.execution_id.home().into(),
            grant_key: format!("{}:claim", issued.execution_id),
            expires_at_ms: issued.expires_at,
        })
    }

    async fn put_aside(&self, execution: &Execution) -> EngineResult<()> {
        let reason = AdmissionBlock::WaitingForCapableWorker;
        let detail = Some(NO_CAPABLE_WORKER.to_owned());
        self.block_execution_for_admission(BlockExecution { execution_id: execution.id, reason, detail }).await?;
        Ok(())
    }

    /// Continues an interrupted attempt under a grant; none when the
    /// execution is no longer claimable. The name of the grant is not looked
    /// at: an execution has at most one, and that one names its worker.
    pub(super) async fn use_resume_grant(&self, token: ResumeToken) -> EngineResult<Option<Handle>> {
        let execution_id = token.grant.execution_id;
        if token.grant.partition_key != execution_id.home().into() {
            return Err(EngineError::invalid_input("partition_key: not the partition of execution_id"));
        }
        let claim = ClaimResumedExecution {
            execution_id,
            worker_id: token.worker_id,
            worker_instance_id: token.worker_instance_id,
            lane_id: token.grant.lane_id,
            lease_id: self.mint_lease_id(),
            lease_ttl_ms: token.lease_ttl_ms,
            current_attempt_index: None,
            remaining_attempt_timeout_ms: None,
        };
        match self.claim_resumed_execution(claim).await {
            Ok(claimed) => Ok(Some(claimed.handle)),
            Err(error) if lost_to_others(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn verdict(error: &EngineError) -> Verdict {
    match error {
        EngineError::PartitionUnavailable { .. } | EngineError::OutcomeUnknown { .. } => Verdict::NextPartition,
        // Going on would only add to the load that is being refused.
        EngineError::ResourceExhausted { .. } => Verdict::Fail,
        EngineError::NotFound { entity: Entity::Execution }
        | EngineError::Contention { kind: ContentionKind::ExecutionNotActive(_) }
        | EngineError::Validation { kind: ValidationKind::Corruption, .. }
        | EngineError::Bug { .. } => Verdict::NextCandidate,
        other => match other.class() {
            ErrorClass::Retryable | ErrorClass::Informational => Verdict::NextCandidate,
            _ => Verdict::Fail,
        },
    }
}

/// Whether a resume was refused because the execution is not claimable any
/// more. A missing or void grant is the caller's to know, and so is a failure
/// of the machinery, after which the execution may still be claimable.
fn lost_to_others(error: &EngineError) -> bool {
    match error {
        EngineError::Contention {
            kind: ContentionKind::InvalidClaimGrant | ContentionKind::ClaimGrantExpired | ContentionKind::RetryExhausted,
        } => false,
        EngineError::Contention { .. } | EngineError::Conflict { .. } | EngineError::State { .. } => {
            matches!(error.class(), ErrorClass::Retryable | ErrorClass::Informational)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::error::{BackendErrorKind, StateKind};

    #[test]
    fn a_lost_race_costs_one_candidate_and_trouble_reaches_the_caller() {
        for (error, expected) in [
            (ContentionKind::ExecutionNotEligible.into(), Verdict::NextCandidate),
            (StateKind::GrantAlreadyExists.into(), Verdict::NextCandidate),
            (EngineError::execution_not_found(), Verdict::NextCandidate),
            (EngineError::validation(ValidationKind::CapabilityMismatch, "gpu"), Verdict::NextCandidate),
            (EngineError::corruption("execution", "priority", "x"), Verdict::NextCandidate),
            (EngineError::PartitionUnavailable { partition: 3, retry_after_ms: 50 }, Verdict::NextPartition),
            (EngineError::OutcomeUnknown { op: "issue_claim_grant" }, Verdict::NextPartition),
            (EngineError::ResourceExhausted { pool: "node", max: 1, retry_after_ms: None }, Verdict::Fail),
            (EngineError::invalid_input("capability_hash"), Verdict::Fail),
            (
                EngineError::Transport { backend: "sqlite", kind: BackendErrorKind::Other, message: String::new() },
                Verdict::Fail,
            ),
        ] {
            assert_eq!(verdict(&error), expected, "{error}");
        }
    }

    #[test]
    fn only_a_lost_race_makes_a_resume_come_back_empty() {
        for (error, lost) in [
            (ContentionKind::ExecutionNotLeaseable.into(), true),
            (ContentionKind::NotAResumedExecution.into(), true),
            (ContentionKind::LeaseConflict.into(), true),
            (ContentionKind::InvalidClaimGrant.into(), false),
            (ContentionKind::ClaimGrantExpired.into(), false),
            (ContentionKind::RetryExhausted.into(), false),
            (EngineError::execution_not_found(), false),
            (EngineError::OutcomeUnknown { op: "claim_resumed_execution" }, false),
            (EngineError::invalid_input("lease_ttl_ms"), false),
        ] {
            assert_eq!(lost_to_others(&error), lost, "{error}");
        }
    }
}
