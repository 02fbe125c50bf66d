//! The operations of suspension as values, and their answers in words.

use crate::differential::answer::Answer;
use crate::differential::seen::{Learned, SeenWaitpoint};
use crate::differential::ticket::Ticket;
use leasehold_actors::EngineHandle;
use leasehold_contract::{
    CloseWaitpoint, DeliverApprovalSignal, DeliverSignal, EngineResult, FenceTriple, ListPendingWaitpoints,
    ResumeExecution, RotateHmacSecret, SeedHmacSecret, SuspendArgs, SuspendOutcome, Suspension,
};
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::partition::Partition;
use leasehold_core::wait_lists::SuspendedCursor;

/// A command or read of suspension with its arguments.
#[derive(Clone, Debug)]
pub enum WaitCall {
    CreateWaitpoint(Ticket, String, u64),
    Suspend(Ticket, Box<SuspendArgs>),
    SuspendByTriple(ExecutionId, FenceTriple, Box<SuspendArgs>),
    ObserveSignals(Ticket),
    ReadSuspension(ExecutionId),
    DeliverSignal(Box<DeliverSignal>),
    DeliverApprovalSignal(Box<DeliverApprovalSignal>),
    ResumeExecution(ResumeExecution),
    ReadWaitpointToken(Partition, WaitpointId),
    ListPendingWaitpoints(ListPendingWaitpoints),
    ListSuspended(Partition, Option<SuspendedCursor>, usize),
    CloseWaitpoint(CloseWaitpoint),
    ExpireSuspension(ExecutionId),
    SeedWaitpointHmacSecret(SeedHmacSecret),
    RotateWaitpointHmacSecretAll(RotateHmacSecret),
    ListWaitpointHmacKids(Partition),
}

impl WaitCall {
    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateWaitpoint(..) => "create_waitpoint",
            Self::Suspend(..) => "suspend",
            Self::SuspendByTriple(..) => "suspend_by_triple",
            Self::ObserveSignals(_) => "observe_signals",
            Self::ReadSuspension(_) => "read_suspension",
            Self::DeliverSignal(_) => "deliver_signal",
            Self::DeliverApprovalSignal(_) => "deliver_approval_signal",
            Self::ResumeExecution(_) => "resume_execution",
            Self::ReadWaitpointToken(..) => "read_waitpoint_token",
            Self::ListPendingWaitpoints(_) => "list_pending_waitpoints",
            Self::ListSuspended(..) => "list_suspended",
            Self::CloseWaitpoint(_) => "close_waitpoint",
            Self::ExpireSuspension(_) => "expire_suspension",
            Self::SeedWaitpointHmacSecret(_) => "seed_waitpoint_hmac_secret",
            Self::RotateWaitpointHmacSecretAll(_) => "rotate_waitpoint_hmac_secret_all",
            Self::ListWaitpointHmacKids(_) => "list_waitpoint_hmac_kids",
        }
    }

    /// Runs it.
    pub async fn answer(self, engine: &EngineHandle, tag: BackendTag) -> EngineResult<Answer> {
        Ok(match self {
            Self::CreateWaitpoint(ticket, key, expires_in_ms) => {
                let made = engine.create_waitpoint(&ticket.handle, key.clone(), expires_in_ms).await?;
                let waitpoint = SeenWaitpoint {
                    execution_id: ticket.says.execution_id,
                    waitpoint_id: made.waitpoint_id,
                    key,
                    token: made.hmac_token.clone(),
                    pending: true,
                };
                Answer::telling(&made, Learned::Waitpoints(vec![waitpoint]))
            }
            Self::Suspend(ticket, args) => {
                let id = ticket.says.execution_id;
                suspended(id, engine.suspend(&ticket.handle, *args).await?, tag)
            }
            Self::SuspendByTriple(id, fence, args) => {
                suspended(id, engine.suspend_by_triple(id, fence, *args).await?, tag)
            }
            Self::ObserveSignals(ticket) => Answer::plain(&engine.observe_signals(&ticket.handle).await?),
            Self::ReadSuspension(id) => Answer::plain(&engine.read_suspension(id).await?),
            Self::DeliverSignal(args) => Answer::plain(&engine.deliver_signal(*args).await?),
            Self::DeliverApprovalSignal(args) => Answer::plain(&engine.deliver_approval_signal(*args).await?),
            Self::ResumeExecution(args) => Answer::plain(&engine.resume_execution(args).await?),
            Self::ReadWaitpointToken(partition, id) => {
                Answer::plain(&engine.read_waitpoint_token(partition, id).await?)
            }
            Self::ListPendingWaitpoints(args) => Answer::plain(&engine.list_pending_waitpoints(args).await?),
            Self::ListSuspended(partition, cursor, limit) => {
                let page = engine.list_suspended(partition, cursor, limit).await?;
                Answer::telling(&page, Learned::Suspended(page.next_cursor))
            }
            Self::CloseWaitpoint(args) => Answer::plain(&engine.close_waitpoint(args).await?),
            Self::ExpireSuspension(id) => Answer::plain(&engine.expire_suspension(id).await?),
            Self::SeedWaitpointHmacSecret(args) => Answer::plain(&engine.seed_waitpoint_hmac_secret(args).await?),
            Self::RotateWaitpointHmacSecretAll(args) => {
                Answer::plain(&engine.rotate_waitpoint_hmac_secret_all(args).await?)
            }
            Self::ListWaitpointHmacKids(partition) => Answer::plain(&engine.list_waitpoint_hmac_kids(partition).await?),
        })
    }
}

/// The waitpoints with their tokens, which the text does not show, and the
/// handle without the store that issued it.
fn suspended(execution_id: ExecutionId, outcome: SuspendOutcome, tag: BackendTag) -> Answer {
    let details = outcome.details().clone();
    let issued = std::iter::once(&details.primary).chain(&details.additional_waitpoints);
    let waitpoints = issued.map(|issued| SeenWaitpoint {
        execution_id,
        waitpoint_id: issued.waitpoint_id,
        key: issued.waitpoint_key.to_string(),
        token: issued.waitpoint_token.clone(),
        pending: false,
    });
    let mut learned = vec![Learned::Waitpoints(waitpoints.collect())];
    let text = match outcome {
        SuspendOutcome::Suspended { handle, .. } => {
            learned.push(Learned::Interrupted(execution_id));
            format!("suspended {details:?} {:?}", Ticket::read(handle, tag))
        }
        SuspendOutcome::AlreadySatisfied { .. } => format!("already satisfied {details:?}"),
    };
    Answer::new(text, learned)
}
