//! Creating executions and changing them from outside.

use super::EngineHandle;
use async_trait::async_trait;
use leasehold_contract::{BULK_MAX, EngineResult, Executions, Handle};
use leasehold_core::command::{
    CancelExecution, Cancelled, ChangePriority, Changed, CommandSource, CreateExecution, CreateOutcome,
    ExpireExecution, ExpireOutcome, Operation, ProgressUpdated, PromoteDelayed, PromoteOutcome, ReplayExecution,
    Replayed, SetExecutionTag, TagSet, UpdateProgress,
};
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::ids::ExecutionId;
use tracing::instrument;

#[async_trait]
impl Executions for EngineHandle {
    async fn create_execution(&self, args: CreateExecution) -> EngineResult<CreateOutcome> {
        self.submit(args.execution_id, args).await
    }

    #[instrument(level = "debug", skip_all, fields(count = args.len()))]
    async fn create_executions(&self, args: Vec<CreateExecution>) -> EngineResult<Vec<EngineResult<CreateOutcome>>> {
        if args.len() > BULK_MAX {
            return Err(EngineError::invalid_input(format!("{} executions at once, at most {BULK_MAX}", args.len())));
        }
        if args.is_empty() {
            return Ok(Vec::new());
        }
        // The caller chose the ids, so each may exist already.
        let commands = args.into_iter().map(|args| (args.into_command(), false)).collect();
        let replies = self.router.submit_bulk(commands).await;
        Ok(replies.into_iter().map(|reply| reply.and_then(created)).collect())
    }

    async fn cancel_execution(&self, args: CancelExecution) -> EngineResult<Cancelled> {
        self.submit(args.execution_id, args).await
    }

    async fn cancel(&self, handle: &Handle, reason: String) -> EngineResult<Cancelled> {
        let held = self.open(handle)?;
        self.cancel_execution(CancelExecution {
            execution_id: held.execution_id,
            reason,
            source: CommandSource::Custom("worker".to_owned()),
            fence: held.fence().into(),
        })
        .await
    }

    async fn replay_execution(&self, args: ReplayExecution) -> EngineResult<Replayed> {
        self.submit(args.execution_id, args).await
    }

    async fn change_priority(&self, args: ChangePriority) -> EngineResult<Changed> {
        self.submit(args.execution_id, args).await
    }

    async fn progress(
        &self,
        handle: &Handle,
        percent: Option<u8>,
        message: Option<String>,
    ) -> EngineResult<ProgressUpdated> {
        let held = self.open(handle)?;
        let update = UpdateProgress { execution_id: held.execution_id, fence: held.fence().into(), percent, message };
        self.submit(held.execution_id, update).await
    }

    async fn expire_execution(&self, args: ExpireExecution) -> EngineResult<ExpireOutcome> {
        if args.execution_id.partition() >= self.partition_count() {
            return Ok(ExpireOutcome::NotFoundCleaned);
        }
        self.submit(args.execution_id, args).await
    }

    async fn promote_delayed(&self, args: PromoteDelayed) -> EngineResult<PromoteOutcome> {
        if args.execution_id.partition() >= self.partition_count() {
            return Ok(PromoteOutcome::NotFoundCleaned);
        }
        self.submit(args.execution_id, args).await
    }

    async fn set_execution_tag(&self, args: SetExecutionTag) -> EngineResult<TagSet> {
        self.submit(args.execution_id, args).await
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn get_execution_tag(&self, execution_id: ExecutionId, key: &str) -> EngineResult<Option<String>> {
        let execution = self.find("get_execution_tag", execution_id).await?;
        Ok(execution.and_then(|execution| execution.tags.get(key).cloned()))
    }
}

fn created(reply: leasehold_core::command::Reply) -> EngineResult<CreateOutcome> {
    CreateExecution::outcome(reply)
        .map_err(|_| EngineError::bug(BugKind::Panic, "create_executions was answered by another operation"))
}
