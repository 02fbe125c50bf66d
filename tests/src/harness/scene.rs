//! Executions in every state the rules lead to, by the operations that lead
//! there.

use super::Harness;
use super::act::{self, TTL_MS};
use leasehold_contract::{
    AdmissionBlock, BlockExecution, Claimed, CreateExecution, ExpireExecution, ExpireOutcome, ExpirePhase, FailOutcome,
    MarkExpiredOutcome, MarkLeaseExpired, PromoteDelayed, PromoteOutcome, ReclaimClaim, ReclaimGrantOutcome,
    RevokeOutcome,
};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::TerminalOutcome;

impl Harness {
    /// Created and eligible.
    pub async fn waiting(&self) -> ExecutionId {
        self.created(|_| ()).await
    }

    /// Created, with arguments of the caller's.
    pub async fn created(&self, change: impl FnOnce(&mut CreateExecution)) -> ExecutionId {
        let mut args = self.create(self.id());
        change(&mut args);
        let id = args.execution_id;
        let outcome = self.engine.create_execution(args).await.expect("it can be created");
        assert_eq!(outcome.execution_id(), id, "created under another id");
        id
    }

    /// Created with a policy.
    pub async fn created_under(&self, policy: &'static str) -> ExecutionId {
        self.created(|args| args.policy_json = act::policy(policy)).await
    }

    /// Created, and eligible in so many milliseconds.
    pub async fn delayed(&self, ms: u64) -> ExecutionId {
        let until = self.now().plus(ms);
        self.created(|args| args.delay_until = Some(until)).await
    }

    /// Created and put aside.
    pub async fn blocked(&self, reason: AdmissionBlock) -> ExecutionId {
        let execution_id = self.waiting().await;
        let block = BlockExecution { execution_id, reason, detail: Some("held".to_owned()) };
        self.engine.block_execution_for_admission(block).await.expect("it can be blocked");
        execution_id
    }

    /// Promised to the worker.
    pub async fn granted(&self) -> ExecutionId {
        let id = self.waiting().await;
        self.engine.issue_claim_grant(self.grant(id)).await.expect("it can be promised");
        id
    }

    /// Takes an eligible execution under a grant, as the worker.
    pub async fn lease(&self, id: ExecutionId) -> Claimed {
        self.engine.issue_claim_grant(self.grant(id)).await.expect("it can be promised");
        self.engine.claim_execution(self.claim(id)).await.expect("it can be claimed")
    }

    /// Claimed by the worker.
    pub async fn leased(&self) -> Claimed {
        self.lease(self.waiting().await).await
    }

    /// Claimed by the worker, created with a policy.
    pub async fn leased_under(&self, policy: &'static str) -> Claimed {
        self.lease(self.created_under(policy).await).await
    }

    /// Claimed; the lease has run out and nobody has noticed.
    pub async fn overdue(&self) -> Claimed {
        let held = self.leased().await;
        self.advance(TTL_MS);
        held
    }

    /// Claimed; the lease has run out and is marked.
    pub async fn lapsed(&self) -> Claimed {
        self.lapse(self.leased().await).await
    }

    /// Lets a lease run out, and marks it.
    pub async fn lapse(&self, held: Claimed) -> Claimed {
        self.advance(held.execution.lease_ttl_ms);
        let execution_id = held.execution.execution_id;
        let marked = self.engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id }).await;
        assert_eq!(marked, Ok(MarkExpiredOutcome::MarkedExpired));
        held
    }

    /// Claimed; the lease was taken away.
    pub async fn revoked(&self) -> Claimed {
        let held = self.leased().await;
        let revoked = self.engine.revoke_lease(act::revocation(held.execution.execution_id)).await;
        assert!(matches!(revoked, Ok(RevokeOutcome::Revoked { .. })), "{revoked:?}");
        held
    }

    /// Lost by the worker and reclaimed by the second one.
    pub async fn reclaimed(&self) -> Claimed {
        let lost = self.lapsed().await;
        self.reclaim_lost(lost.execution.execution_id).await
    }

    /// Reclaims a lost execution as the second worker.
    pub async fn reclaim_lost(&self, id: ExecutionId) -> Claimed {
        let granted = self.engine.issue_reclaim_grant(self.reclaim_grant(id)).await;
        assert!(matches!(granted, Ok(ReclaimGrantOutcome::Granted(_))), "{granted:?}");
        match self.engine.reclaim_execution(self.reclaim(id)).await {
            Ok(ReclaimClaim::Claimed(claimed)) => *claimed,
            other => panic!("not reclaimed: {other:?}"),
        }
    }

    /// Claimed and given back until so many milliseconds from now.
    pub async fn parked(&self, ms: u64) -> Claimed {
        let held = self.leased().await;
        self.engine.delay(&held.handle, self.now().plus(ms)).await.expect("it can be delayed");
        held
    }

    /// Claimed, given back, and due to go on.
    pub async fn resumable(&self) -> Claimed {
        let held = self.parked(0).await;
        self.promote(held.execution.execution_id).await;
        held
    }

    /// Makes a delayed execution eligible whose time has come.
    pub async fn promote(&self, execution_id: ExecutionId) {
        let promoted = self.engine.promote_delayed(PromoteDelayed { execution_id }).await;
        assert_eq!(promoted, Ok(PromoteOutcome::Promoted));
    }

    /// Failed once, with a second attempt scheduled in 500 ms.
    pub async fn retrying(&self) -> Claimed {
        let held =
            self.leased_under(r#"{"retry_policy":{"max_retries":2,"backoff":{"type":"fixed","delay_ms":500}}}"#).await;
        let failed = self.engine.fail_execution(act::failure(&held.execution)).await;
        assert!(matches!(failed, Ok(FailOutcome::RetryScheduled { .. })), "{failed:?}");
        held
    }

    /// Claimed, and ended in one of four ways.
    pub async fn ended(&self, outcome: TerminalOutcome) -> Claimed {
        match outcome {
            TerminalOutcome::Success => {
                let held = self.leased().await;
                self.engine.complete_execution(act::completion(&held.execution)).await.expect("it can be completed");
                held
            }
            TerminalOutcome::Failed => {
                let held = self.leased().await;
                let failed = self.engine.fail_execution(act::failure(&held.execution)).await;
                assert_eq!(failed, Ok(FailOutcome::TerminalFailed));
                held
            }
            TerminalOutcome::Cancelled => {
                let held = self.leased().await;
                let cancel = act::cancellation(held.execution.execution_id);
                self.engine.cancel_execution(cancel).await.expect("it can be cancelled");
                held
            }
            TerminalOutcome::Expired => {
                let held = self.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":1000}}"#).await;
                self.advance(1000);
                let execution_id = held.execution.execution_id;
                let phase = ExpirePhase::ExecutionDeadline;
                let expired =
                    self.engine.expire_execution(ExpireExecution { execution_id, phase, attempt_index: None }).await;
                assert_eq!(expired, Ok(ExpireOutcome::Expired));
                held
            }
            TerminalOutcome::None | TerminalOutcome::Skipped => panic!("nothing ends as {outcome}"),
        }
    }

    /// Ended well.
    pub async fn completed(&self) -> Claimed {
        self.ended(TerminalOutcome::Success).await
    }
}
