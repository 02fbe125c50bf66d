//! Suspending executions, sending them signals, and the key ring.

mod keys;
mod reads;

use super::EngineHandle;
use async_trait::async_trait;
use leasehold_contract::{
    EngineResult, Handle, ListPendingWaitpoints, PartitionRotation, PendingWaitpointPage, ResumeSignal,
    RotateHmacSecret, SeedHmacSecret, SuspendArgs, SuspendOutcome, SuspendedPage, Suspension, SuspensionView,
    WaitpointTokenRead,
};
use leasehold_core::command::{
    CloseWaitpoint, CloseWaitpointOutcome, CreateWaitpoint, DeliverApprovalSignal, DeliverSignal, ExpireSuspension,
    ExpireSuspensionOutcome, FenceTriple, PendingWaitpoint, ResumeExecution, Resumed, SignalOutcome, Suspend,
};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::partition::Partition;
use leasehold_core::record;
use leasehold_core::token::{Kids, Seeded};
use leasehold_core::wait_lists::SuspendedCursor;
use tracing::instrument;

#[async_trait]
impl Suspension for EngineHandle {
    async fn create_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_key: String,
        expires_in_ms: u64,
    ) -> EngineResult<PendingWaitpoint> {
        let held = self.open(handle)?;
        let create = CreateWaitpoint {
            execution_id: held.execution_id,
            fence: held.fence().into(),
            attempt_index: Some(held.attempt_index),
            waitpoint_id: self.env.entropy.uuid().into(),
            waitpoint_key,
            expires_in_ms,
        };
        self.submit_as(held.execution_id, create, true).await
    }

    async fn suspend(&self, handle: &Handle, args: SuspendArgs) -> EngineResult<SuspendOutcome> {
        let held = self.open(handle)?;
        let of_handle = Some((handle.kind, held.attempt_index));
        self.suspend_with(args.into_command(held.execution_id, held.fence().into(), of_handle)).await
    }

    async fn suspend_by_triple(
        &self,
        execution_id: ExecutionId,
        fence: FenceTriple,
        args: SuspendArgs,
    ) -> EngineResult<SuspendOutcome> {
        self.suspend_with(args.into_command(execution_id, fence, None)).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn observe_signals(&self, handle: &Handle) -> EngineResult<Vec<ResumeSignal>> {
        let held = self.open(handle)?;
        self.observed(&held).await
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_suspension(&self, execution_id: ExecutionId) -> EngineResult<Option<SuspensionView>> {
        self.last_suspension(execution_id).await
    }

    async fn deliver_signal(&self, args: DeliverSignal) -> EngineResult<SignalOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn deliver_approval_signal(&self, args: DeliverApprovalSignal) -> EngineResult<SignalOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn resume_execution(&self, args: ResumeExecution) -> EngineResult<Resumed> {
        self.submit(args.execution_id, args).await
    }

    #[instrument(level = "debug", skip_all, fields(%partition, %waitpoint_id))]
    async fn read_waitpoint_token(
        &self,
        partition: Partition,
        waitpoint_id: WaitpointId,
    ) -> EngineResult<Option<WaitpointTokenRead>> {
        self.token_of(partition, waitpoint_id).await
    }

    #[instrument(level = "debug", skip_all, fields(execution_id = %args.execution_id))]
    async fn list_pending_waitpoints(&self, args: ListPendingWaitpoints) -> EngineResult<PendingWaitpointPage> {
        self.pending_waitpoints(args).await
    }

    #[instrument(level = "debug", skip_all, fields(%partition))]
    async fn list_suspended(
        &self,
        partition: Partition,
        cursor: Option<SuspendedCursor>,
        limit: usize,
    ) -> EngineResult<SuspendedPage> {
        self.suspended(partition, cursor, limit).await
    }

    async fn close_waitpoint(&self, args: CloseWaitpoint) -> EngineResult<CloseWaitpointOutcome> {
        self.submit(args.execution_id, args).await
    }

    async fn expire_suspension(&self, execution_id: ExecutionId) -> EngineResult<ExpireSuspensionOutcome> {
        if execution_id.partition() >= self.partition_count() {
            return Ok(ExpireSuspensionOutcome::NotFoundCleaned);
        }
        let expire = ExpireSuspension { execution_id, timeout_signal_id: self.env.entropy.uuid().into() };
        self.submit(execution_id, expire).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn seed_waitpoint_hmac_secret(&self, args: SeedHmacSecret) -> EngineResult<Seeded> {
        self.seed_all(&args).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn rotate_waitpoint_hmac_secret_all(&self, args: RotateHmacSecret) -> EngineResult<Vec<PartitionRotation>> {
        Ok(self.rotate_all(&args).await)
    }

    #[instrument(level = "debug", skip_all, fields(%partition))]
    async fn list_waitpoint_hmac_kids(&self, partition: Partition) -> EngineResult<Kids> {
        self.kids(partition).await
    }
}

impl EngineHandle {
    /// Delivers a signal whose id was minted for this call, so that only its
    /// idempotency key can make it a duplicate.
    ///
    /// # Errors
    ///
    /// As [`Suspension::deliver_signal`].
    pub async fn deliver_new_signal(&self, args: DeliverSignal) -> EngineResult<SignalOutcome> {
        self.submit_as(args.execution_id, args, true).await
    }

    async fn suspend_with(&self, suspend: Suspend) -> EngineResult<SuspendOutcome> {
        Ok(match *self.submit(suspend.execution_id, suspend).await? {
            record::SuspendOutcome::Suspended { details, held } => {
                SuspendOutcome::Suspended { details, handle: Handle::encode(self.tag(), HandleKind::Suspended, &held) }
            }
            record::SuspendOutcome::AlreadySatisfied { details } => SuspendOutcome::AlreadySatisfied { details },
        })
    }
}
