//! A wait's way to the engine.

use super::Halt;
use async_trait::async_trait;
use leasehold_actors::fleet::{HandlerContext, SuspendError};
use leasehold_contract::{
    CloseWaitpoint, GiveUp, PendingWaitpoint, Reads, ResumeExecution, SuspendArgs, SuspendOutcome, Suspension,
    SuspensionView,
};
use leasehold_core::ids::{AttemptIndex, WaitpointId};
use leasehold_core::record::{ResumeTrigger, SuspendDetails};
use leasehold_core::state::AttemptType;
use leasehold_core::time::TimestampMs;
use std::convert::Infallible;
use std::time::Duration;
use uuid::Uuid;

/// Attempts that are looked at in one read.
const ATTEMPTS_AT_ONCE: usize = 100;

/// What became of a suspension.
pub(crate) enum Told {
    /// The execution is suspended at these waitpoints.
    Suspended(SuspendDetails),
    /// It goes on.
    Satisfied,
}

/// What a wait asks of the engine, under the lease of its run.
#[async_trait]
pub(crate) trait Door: Send + Sync {
    /// Partition time.
    async fn now(&self) -> Result<TimestampMs, Halt>;

    /// A new identifier.
    fn uuid(&self) -> Uuid;

    /// The last suspension.
    async fn read_suspension(&self) -> Result<Option<SuspensionView>, Halt>;

    /// Whether all attempts behind `from`, up to `to`, only took over from a
    /// worker that died.
    async fn only_reclaimed(&self, from: AttemptIndex, to: AttemptIndex) -> Result<bool, Halt>;

    /// Makes a waitpoint before suspending.
    async fn create_waitpoint(&self, key: String, expires_in: Duration) -> Result<PendingWaitpoint, Halt>;

    /// Gives a waitpoint up that was made before.
    async fn close_waitpoint(&self, waitpoint_id: WaitpointId) -> Result<(), Halt>;

    /// Suspends the execution.
    async fn suspend(&self, args: SuspendArgs) -> Result<Told, Halt>;

    /// Has the suspended handler run again after a pause, to begin its wait
    /// anew. One that was resumed meanwhile is left alone.
    async fn begin_anew(&self, pause: Duration) -> Result<(), Halt>;

    /// Ends the run.
    async fn leave(&self) -> Infallible;
}

/// The engine of the same process.
pub(crate) struct InProcess {
    context: HandlerContext,
    handle: leasehold_contract::Handle,
}

impl InProcess {
    pub(crate) fn new(context: HandlerContext) -> Self {
        Self { handle: context.handle(), context }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Door for InProcess {
    async fn now(&self) -> Result<TimestampMs, Halt> {
        Ok(self.context.now())
    }

    fn uuid(&self) -> Uuid {
        self.context.engine().env().entropy.uuid()
    }

    async fn read_suspension(&self) -> Result<Option<SuspensionView>, Halt> {
        self.context.engine().read_suspension(self.context.execution_id()).await.map_err(Halt::of)
    }

    async fn only_reclaimed(&self, from: AttemptIndex, to: AttemptIndex) -> Result<bool, Halt> {
        let engine = self.context.engine();
        let mut cursor = Some(from);
        while let Some(after) = cursor {
            let page = engine.list_attempts(self.context.execution_id(), Some(after), ATTEMPTS_AT_ONCE).await;
            let page = page.map_err(Halt::of)?;
            let behind = |index: AttemptIndex| index > from && index <= to;
            if page
                .attempts
                .iter()
                .any(|attempt| behind(attempt.attempt_index) && attempt.attempt_type != AttemptType::Reclaim)
            {
                return Ok(false);
            }
            cursor = page.next_cursor;
        }
        Ok(true)
    }

    async fn create_waitpoint(&self, key: String, expires_in: Duration) -> Result<PendingWaitpoint, Halt> {
        self.context.engine().create_waitpoint(&self.handle, key, ms(expires_in)).await.map_err(Halt::of)
    }

    async fn close_waitpoint(&self, waitpoint_id: WaitpointId) -> Result<(), Halt> {
        let execution_id = self.context.execution_id();
        let close = CloseWaitpoint { execution_id, waitpoint_id, because: GiveUp::Abandonment };
        self.context.engine().close_waitpoint(close).await.map(drop).map_err(Halt::of)
    }

    async fn suspend(&self, args: SuspendArgs) -> Result<Told, Halt> {
        match self.context.suspend_anew(args).await {
            Ok(SuspendOutcome::Suspended { details, .. }) => Ok(Told::Suspended(details)),
            Ok(SuspendOutcome::AlreadySatisfied { .. }) => Ok(Told::Satisfied),
            Err(SuspendError::Refused(error)) => Err(Halt::of(error)),
            Err(misused) => Err(Halt::Misused(misused.to_string())),
        }
    }

    async fn begin_anew(&self, pause: Duration) -> Result<(), Halt> {
        let execution_id = self.context.execution_id();
        let resume = ResumeExecution { execution_id, trigger: ResumeTrigger::AutoResume, resume_delay_ms: ms(pause) };
        match self.context.engine().resume_execution(resume).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == "execution_not_suspended" => Ok(()),
            Err(error) => Err(Halt::of(error)),
        }
    }

    async fn leave(&self) -> Infallible {
        self.context.leave().await
    }
}
