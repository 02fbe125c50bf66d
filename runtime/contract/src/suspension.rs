//! Suspending executions, sending them signals, and the keys of the tokens
//! that senders prove themselves with.

mod args;
mod views;

pub use args::{DEFAULT_HMAC_GRACE_MS, ListPendingWaitpoints, RotateHmacSecret, SeedHmacSecret, SuspendArgs};
pub use views::{
    ClosedView, KeyedSignal, PartitionRotation, PendingWaitpointPage, ResumeSignal, SuspendOutcome, SuspendedPage,
    SuspensionView, WaitpointTokenRead,
};

use crate::EngineResult;
use async_trait::async_trait;
use leasehold_core::command::{
    CloseWaitpoint, CloseWaitpointOutcome, DeliverApprovalSignal, DeliverSignal, ExpireSuspensionOutcome, FenceTriple,
    PendingWaitpoint, ResumeExecution, Resumed, SignalOutcome,
};
use leasehold_core::handle::Handle;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::partition::Partition;
use leasehold_core::token::{Kids, Seeded};
use leasehold_core::wait_lists::SuspendedCursor;

/// Operations on suspensions, waitpoints, signals and the key ring.
///
/// Times are Unix ms, durations ms. Whole tokens leave by
/// [`Suspension::suspend`], [`Suspension::create_waitpoint`] and
/// [`Suspension::read_waitpoint_token`] only; secrets never.
#[async_trait]
pub trait Suspension: Send + Sync {
    /// Makes a waitpoint before suspending, so that its token can be handed
    /// out first. It stays pending for `expires_in_ms`. Calling again makes
    /// another one. Refused as [`leasehold_core::command::CreateWaitpoint`]
    /// says.
    async fn create_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_key: String,
        expires_in_ms: u64,
    ) -> EngineResult<PendingWaitpoint>;

    /// Gives the lease back until a condition is met; or keeps it, when
    /// signals that came before meet it already. Refused as
    /// [`leasehold_core::command::Suspend`] says. A repeat with the same
    /// idempotency key answers what the first call answered.
    async fn suspend(&self, handle: &Handle, args: SuspendArgs) -> EngineResult<SuspendOutcome>;

    /// As [`Suspension::suspend`], for a caller who knows the fence and has
    /// no handle.
    async fn suspend_by_triple(
        &self,
        execution_id: ExecutionId,
        fence: FenceTriple,
        args: SuspendArgs,
    ) -> EngineResult<SuspendOutcome>;

    /// The signals that resumed the handle's attempt, in order: those that
    /// brought the condition further, and the one a deadline left. Empty
    /// unless the last suspension was of this attempt and ended with a
    /// resume.
    async fn observe_signals(&self, handle: &Handle) -> EngineResult<Vec<ResumeSignal>>;

    /// The suspension that goes on, or the last that ended, with what resumed
    /// it; none when the execution never waited, or is not there.
    async fn read_suspension(&self, execution_id: ExecutionId) -> EngineResult<Option<SuspensionView>>;

    /// Sends a signal. Refused as [`DeliverSignal`] says; nothing is revealed
    /// before the token is verified.
    async fn deliver_signal(&self, args: DeliverSignal) -> EngineResult<SignalOutcome>;

    /// Sends a signal on behalf of somebody whom the caller has
    /// authenticated; the token is read inside. Refused as
    /// [`DeliverApprovalSignal`] says.
    async fn deliver_approval_signal(&self, args: DeliverApprovalSignal) -> EngineResult<SignalOutcome>;

    /// Lets a suspended execution go on, whatever its condition says.
    /// `execution_not_found`; `execution_not_suspended`, which a repeat gets
    /// as well.
    async fn resume_execution(&self, args: ResumeExecution) -> EngineResult<Resumed>;

    /// The token of a waitpoint, for a trusted caller; none when there is no
    /// such waitpoint or it has none. `invalid_input` for a partition that
    /// holds no executions.
    async fn read_waitpoint_token(
        &self,
        partition: Partition,
        waitpoint_id: WaitpointId,
    ) -> EngineResult<Option<WaitpointTokenRead>>;

    /// Waitpoints of an execution that are pending or active, by id, without
    /// their tokens; `execution_not_found`.
    async fn list_pending_waitpoints(&self, args: ListPendingWaitpoints) -> EngineResult<PendingWaitpointPage>;

    /// Suspended executions of one partition, the longest suspended first,
    /// then by id; a limit of 0 gives an empty page, 1000 is the most. The
    /// cursor stays good when what it names is suspended no more.
    async fn list_suspended(
        &self,
        partition: Partition,
        cursor: Option<SuspendedCursor>,
        limit: usize,
    ) -> EngineResult<SuspendedPage>;

    /// Gives up a pending waitpoint. Refused as [`CloseWaitpoint`] says.
    async fn close_waitpoint(&self, args: CloseWaitpoint) -> EngineResult<CloseWaitpointOutcome>;

    /// Lets the deadline of a suspension act, if it is reached. Never refused:
    /// what does not apply is an outcome.
    async fn expire_suspension(&self, execution_id: ExecutionId) -> EngineResult<ExpireSuspensionOutcome>;

    /// Installs the first key in every partition. `Seeded` when a partition
    /// had none; `same_secret` says whether the secret given is the one in use
    /// everywhere. The first partition's refusal is the answer when one
    /// refuses; the others are seeded all the same.
    async fn seed_waitpoint_hmac_secret(&self, args: SeedHmacSecret) -> EngineResult<Seeded>;

    /// Makes another key current in every partition and lets the one before
    /// verify for `grace_ms` more. An outcome per partition, by its number; a
    /// partition that fails does not keep the others from it. Repeating it is
    /// safe.
    async fn rotate_waitpoint_hmac_secret_all(&self, args: RotateHmacSecret) -> EngineResult<Vec<PartitionRotation>>;

    /// Which keys mint and verify in one partition; never their secrets.
    async fn list_waitpoint_hmac_kids(&self, partition: Partition) -> EngineResult<Kids>;
}
