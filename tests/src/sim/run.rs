//! Running a command against the engine.

use super::done::Done;
use super::op::{Held, Op};
use bytes::Bytes;
use leasehold_actors::EngineHandle;
use leasehold_contract::{
    BlockExecution, CancelExecution, ChangePriority, ClaimExecution, CommandSource, EngineError, Executions,
    ExpireExecution, FailOutcome, FailureReason, FenceTriple, Handle, Leases, MarkLeaseExpired, PromoteDelayed, Reads,
    ReclaimClaim, ReclaimExecution, ReplayExecution, RevokeLease, SetExecutionTag, UnblockExecution, Work,
};
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{AttemptId, LeaseId};
use leasehold_core::time::TimestampMs;

impl Op {
    /// Runs it.
    pub async fn run(self, engine: EngineHandle) -> Done {
        match self.attempt(&engine).await {
            Ok(done) => done,
            Err(error) => Done::Refused(error),
        }
    }

    async fn attempt(self, engine: &EngineHandle) -> Result<Done, EngineError> {
        let other = |text: String| Ok(Done::Other(text));
        match self {
            Self::Wait(op) => op.run(engine).await,
            Self::Flow(op) => op.run(engine).await,
            Self::Create(args) => {
                let key = args.idempotency_key.clone();
                let outcome = engine.create_execution(*args).await?;
                Ok(Done::Created(vec![(outcome.execution_id(), key)]))
            }
            Self::CreateMany(all) => {
                let keys: Vec<_> = all.iter().map(|args| args.idempotency_key.clone()).collect();
                let outcomes = engine.create_executions(all).await?;
                let created = outcomes
                    .into_iter()
                    .zip(keys)
                    .filter_map(|(outcome, key)| outcome.ok().map(|outcome| (outcome.execution_id(), key)))
                    .collect();
                Ok(Done::Created(created))
            }
            Self::Claim(lane, offered, policy) => {
                let handle = engine.claim(&lane, &offered, &policy).await?;
                Ok(Done::Claimed(handle.into_iter().map(|handle| held(handle, TimestampMs(0))).collect()))
            }
            Self::Poll(args) => {
                let tasks = engine.poll_tasks(*args).await?;
                let claimed = tasks
                    .into_iter()
                    .map(|task| {
                        let until = task.claimed.lease_expires_at;
                        held(task.claimed.handle(BackendTag::Memory), until)
                    })
                    .collect();
                Ok(Done::Claimed(claimed))
            }
            Self::GrantAndClaim(grant, lease, attempt) => {
                engine.issue_claim_grant((*grant).clone()).await?;
                let claimed = engine
                    .claim_execution(ClaimExecution {
                        execution_id: grant.execution_id,
                        worker_id: grant.worker_id,
                        worker_instance_id: grant.worker_instance_id,
                        lane_id: grant.lane_id,
                        lease_id: LeaseId::from_uuid(lease),
                        lease_ttl_ms: 3000,
                        attempt_id: AttemptId::from_uuid(attempt),
                        expected_attempt_index: None,
                        attempt_policy_json: None,
                        attempt_timeout_ms: None,
                        execution_deadline_at: None,
                    })
                    .await?;
                Ok(Done::Claimed(vec![held(claimed.handle, claimed.execution.lease_expires_at)]))
            }
            Self::Reclaim(grant, lease, attempt) => {
                let granted = engine.issue_reclaim_grant((*grant).clone()).await?;
                let outcome = engine
                    .reclaim_execution(ReclaimExecution {
                        execution_id: grant.execution_id,
                        worker_id: grant.worker_id,
                        worker_instance_id: grant.worker_instance_id,
                        lease_id: LeaseId::from_uuid(lease),
                        lease_ttl_ms: 3000,
                        attempt_id: AttemptId::from_uuid(attempt),
                        attempt_policy_json: None,
                        max_reclaim_count: None,
                    })
                    .await?;
                match outcome {
                    ReclaimClaim::Claimed(claimed) => {
                        Ok(Done::Claimed(vec![held(claimed.handle, claimed.execution.lease_expires_at)]))
                    }
                    refused => other(format!("{granted:?} {refused:?}")),
                }
            }
            Self::ClaimForWorker(args) => {
                let grant = engine.claim_for_worker(*args).await?;
                other(format!("{grant:?}"))
            }
            Self::OperatorClaim(args) => {
                let claimed = engine.issue_grant_and_claim(args).await?;
                Ok(Done::Claimed(vec![held(claimed.handle, claimed.execution.lease_expires_at)]))
            }
            Self::Renew(held) => {
                let renewed = engine.renew(&held.handle).await?;
                Ok(Done::Renewed(held.lease_id, renewed.expires_at))
            }
            Self::Progress(held, percent) => {
                let progress = engine.progress(&held.handle, Some(percent), None).await?;
                other(format!("{progress:?}"))
            }
            Self::Complete(held) => {
                let result = (held.lease_id.as_uuid().as_u128() % 2 == 0).then(|| Bytes::from(vec![1; 400]));
                engine.complete(&held.handle, result).await?;
                Ok(Done::Released(held, "completed"))
            }
            Self::Fail(held, class) => {
                let reason = FailureReason { message: "asked to".to_owned(), detail: None };
                let outcome = engine.fail(&held.handle, reason, class).await?;
                Ok(Done::Released(
                    held,
                    match outcome {
                        FailOutcome::TerminalFailed => "failed_terminal",
                        FailOutcome::RetryScheduled { .. } => "failed_retry_scheduled",
                    },
                ))
            }
            Self::Delay(held, until) => {
                engine.delay(&held.handle, until).await?;
                Ok(Done::Released(held, "worker_delay"))
            }
            Self::WaitChildren(held) => {
                engine.wait_children(&held.handle).await?;
                Ok(Done::Released(held, "waiting_children"))
            }
            Self::Cancel(held) => {
                engine.cancel(&held.handle, "asked to".to_owned()).await?;
                Ok(Done::Cancelled(held.execution_id))
            }
            Self::CancelExecution(id) => {
                let args = CancelExecution {
                    execution_id: id,
                    reason: "asked to".to_owned(),
                    source: CommandSource::OperatorOverride,
                    fence: FenceTriple::NONE,
                };
                engine.cancel_execution(args).await?;
                Ok(Done::Cancelled(id))
            }
            Self::Revoke(id) => {
                let args = RevokeLease {
                    execution_id: id,
                    expected_lease_id: None,
                    worker_instance_id: None,
                    reason: "asked to".to_owned(),
                };
                other(format!("{:?}", engine.revoke_lease(args).await?))
            }
            Self::MarkExpired(execution_id) => {
                other(format!("{:?}", engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id }).await?))
            }
            Self::Replay(execution_id) => {
                engine.replay_execution(ReplayExecution { execution_id, requested_by: None, reason: None }).await?;
                Ok(Done::Replayed(execution_id))
            }
            Self::Priority(execution_id, new_priority) => {
                other(format!("{:?}", engine.change_priority(ChangePriority { execution_id, new_priority }).await?))
            }
            Self::Tag(execution_id, value) => {
                let args = SetExecutionTag { execution_id, key: "sim.tag".to_owned(), value };
                other(format!("{:?}", engine.set_execution_tag(args).await?))
            }
            Self::Expire(execution_id, phase) => {
                let args = ExpireExecution { execution_id, phase, attempt_index: None };
                other(format!("{:?}", engine.expire_execution(args).await?))
            }
            Self::Promote(execution_id) => {
                other(format!("{:?}", engine.promote_delayed(PromoteDelayed { execution_id }).await?))
            }
            Self::Block(execution_id, reason) => {
                let args = BlockExecution { execution_id, reason, detail: None };
                other(format!("{:?}", engine.block_execution_for_admission(args).await?))
            }
            Self::Unblock(execution_id) => {
                let args = UnblockExecution { execution_id, expected_reason: None };
                other(format!("{:?}", engine.unblock_execution(args).await?))
            }
            Self::Describe(id) => {
                let snapshot = engine.describe_execution(id).await?;
                other(format!("{:?}", snapshot.map(|snapshot| snapshot.public_state)))
            }
        }
    }
}

fn held(handle: Handle, until: TimestampMs) -> (Held, TimestampMs) {
    let payload = handle.decode(BackendTag::Memory).expect("a handle of this store");
    (Held { execution_id: payload.execution_id, lease_id: payload.lease_id, handle }, until)
}
