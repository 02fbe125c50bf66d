//! Creating executions and changing them from outside.

use crate::EngineResult;
use async_trait::async_trait;
use leasehold_core::command::{
    CancelExecution, Cancelled, ChangePriority, Changed, CreateExecution, CreateOutcome, ExpireExecution,
    ExpireOutcome, ProgressUpdated, PromoteDelayed, PromoteOutcome, ReplayExecution, Replayed, SetExecutionTag, TagSet,
};
use leasehold_core::handle::Handle;
use leasehold_core::ids::ExecutionId;

/// Operations on executions that need no lease, and progress.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Creates an execution, or finds the one its key or id stands for.
    async fn create_execution(&self, args: CreateExecution) -> EngineResult<CreateOutcome>;

    /// Creates many; an outcome per item, in order. Atomic per partition: of
    /// the items that fall on one partition, either all that pass validation
    /// become durable together or none does. At most
    /// [`BULK_MAX`] items.
    async fn create_executions(&self, args: Vec<CreateExecution>) -> EngineResult<Vec<EngineResult<CreateOutcome>>>;

    /// Cancels, whatever it does.
    async fn cancel_execution(&self, args: CancelExecution) -> EngineResult<Cancelled>;

    /// Cancels under a lease.
    async fn cancel(&self, handle: &Handle, reason: String) -> EngineResult<Cancelled>;

    /// Runs a terminal execution once more.
    async fn replay_execution(&self, args: ReplayExecution) -> EngineResult<Replayed>;

    /// Changes the priority of an eligible execution.
    async fn change_priority(&self, args: ChangePriority) -> EngineResult<Changed>;

    /// Notes how far a worker is; none leaves a part as it was.
    async fn progress(
        &self,
        handle: &Handle,
        percent: Option<u8>,
        message: Option<String>,
    ) -> EngineResult<ProgressUpdated>;

    /// Expires an execution whose attempt timeout or deadline is due.
    async fn expire_execution(&self, args: ExpireExecution) -> EngineResult<ExpireOutcome>;

    /// Makes a delayed execution eligible when its time has come.
    async fn promote_delayed(&self, args: PromoteDelayed) -> EngineResult<PromoteOutcome>;

    /// Sets one tag.
    async fn set_execution_tag(&self, args: SetExecutionTag) -> EngineResult<TagSet>;

    /// Reads one tag; none when the execution or the tag does not exist.
    async fn get_execution_tag(&self, execution_id: ExecutionId, key: &str) -> EngineResult<Option<String>>;
}

/// The most items of one bulk create.
pub const BULK_MAX: usize = 1000;
