//! `cancel_flow`: the header, and the wait for the members.
//!
//! The commit that cancels the flow ends as many members as fit and notes the
//! rest, which the partition's owner ends in the commits that follow. Here is
//! only whoever wants to know when they have ended.

use super::super::EngineHandle;
use futures::{StreamExt, stream};
use leasehold_contract::EngineResult;
use leasehold_core::command::flow::{
    CancelFlow, CancelFlowOutcome, CancelHeaderOutcome, CancelWait, CancelWaited, cancel_flow_outcome,
};
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::ids::ExecutionId;
use std::time::Duration;

/// Members that are watched at the same time.
const AT_ONCE: usize = 64;

/// When a partition that moves between owners is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl EngineHandle {
    pub(super) async fn cancel_and_wait(&self, args: CancelFlow, wait: CancelWait) -> EngineResult<CancelFlowOutcome> {
        let requested = args.cancellation_policy;
        let header = self.submit_to_flow(args.flow_id, args).await?;
        let waited = match (&header, wait.deadline_ms()) {
            (CancelHeaderOutcome::Cancelled { selected, .. }, Some(ms)) => {
                self.until_ended(selected, Duration::from_millis(ms)).await
            }
            _ => CancelWaited::NotAtAll,
        };
        cancel_flow_outcome(requested, header, wait, waited)
    }

    async fn until_ended(&self, members: &[ExecutionId], longest: Duration) -> CancelWaited {
        let ended = stream::iter(members.iter().copied())
            .map(|id| async move { (id, self.until_one_ended(id).await) })
            .buffer_unordered(AT_ONCE)
            .filter_map(|(id, ended)| std::future::ready(ended.err().map(|error| (id, error))))
            .collect::<Vec<_>>();
        tokio::select! {
            biased;
            failed = ended => {
                for (id, error) in &failed {
                    tracing::warn!(execution = %id, %error, "a member of a cancelled flow could not be watched");
                }
                CancelWaited::Settled { failed: failed.into_iter().map(|(id, _)| id).collect() }
            }
            () = self.env.clock.sleep(longest) => CancelWaited::Overran,
        }
    }

    async fn until_one_ended(&self, id: ExecutionId) -> EngineResult<()> {
        loop {
            match self.router.watch(id).await {
                // What does not exist needs no ending.
                Ok(_) | Err(EngineError::NotFound { entity: Entity::Execution }) => return Ok(()),
                Err(error) if error.is_retryable() => self.env.clock.sleep(ASK_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }
}
