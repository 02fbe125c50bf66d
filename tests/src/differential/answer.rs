//! Running a call and putting its answer into words.

use super::call::Call;
use super::seen::Learned;
use super::ticket::Ticket;
use leasehold_actors::EngineHandle;
use leasehold_contract::{
    Claimed, CreateOutcome, EngineError, EngineResult, Executions, Handle, Leases, Maintenance, MarkExpiredOutcome,
    Prepared, Reads, ReclaimClaim, RevokeOutcome, Task, Work,
};
use leasehold_core::error::ValidationKind;
use leasehold_core::handle::BackendTag;
use std::fmt::Debug;

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// All of it in words.
    pub text: String,
    /// The code, if it was refused.
    pub error: Option<&'static str>,
    /// What it tells.
    pub learned: Vec<Learned>,
}

impl Answer {
    /// An answer that is no refusal.
    pub const fn new(text: String, learned: Vec<Learned>) -> Self {
        Self { text, error: None, learned }
    }

    /// One that tells nothing beyond its words.
    pub fn plain<T: Debug>(value: &T) -> Self {
        plain(value)
    }

    /// One that tells something.
    pub fn telling<T: Debug>(value: &T, learned: Learned) -> Self {
        telling(value, learned)
    }
}

fn plain<T: Debug>(value: &T) -> Answer {
    Answer::new(format!("{value:?}"), Vec::new())
}

fn telling<T: Debug>(value: &T, learned: Learned) -> Answer {
    Answer::new(format!("{value:?}"), vec![learned])
}

/// An error: what it is, what to do about it, and its details. Where it names
/// the store, the name is left out.
fn refused(error: &EngineError) -> String {
    let details = match error.root() {
        EngineError::Transport { kind, message, .. } => format!("{kind:?} {message}"),
        EngineError::Validation { kind: kind @ ValidationKind::HandleFromOtherBackend, .. } => format!("{kind:?}"),
        root => format!("{root:?}"),
    };
    format!("refused: {} {:?} {details}", error.code(), error.class())
}

impl Call {
    /// Runs it.
    pub async fn run(self, engine: EngineHandle, tag: BackendTag) -> Answer {
        match self.answer(&engine, tag).await {
            Ok(answer) => answer,
            Err(error) => Answer { text: refused(&error), error: Some(error.code()), learned: Vec::new() },
        }
    }

    async fn answer(self, engine: &EngineHandle, tag: BackendTag) -> EngineResult<Answer> {
        let call = match self {
            Self::Wait(call) => return call.answer(engine, tag).await,
            Self::Flow(call) => return call.answer(engine).await,
            call => call,
        };
        let call = match call.execution(engine).await? {
            Ok(answer) => return Ok(answer),
            Err(call) => call,
        };
        let call = match call.lease(engine, tag).await? {
            Ok(answer) => return Ok(answer),
            Err(call) => call,
        };
        match call.under_lease(engine).await? {
            Ok(answer) => Ok(answer),
            Err(call) => call.read(engine, tag).await,
        }
    }

    /// Operations on executions, and holding them back.
    async fn execution(self, engine: &EngineHandle) -> EngineResult<Result<Answer, Self>> {
        Ok(Ok(match self {
            Self::CreateExecution(args) => plain(&engine.create_execution(*args).await?),
            Self::CreateExecutions(args) => created_all(&engine.create_executions(args).await?),
            Self::CancelExecution(args) => {
                let id = args.execution_id;
                telling(&engine.cancel_execution(args).await?, Learned::Ended(id))
            }
            Self::ReplayExecution(args) => plain(&engine.replay_execution(args).await?),
            Self::ChangePriority(args) => plain(&engine.change_priority(args).await?),
            Self::ExpireExecution(args) => plain(&engine.expire_execution(args).await?),
            Self::PromoteDelayed(args) => plain(&engine.promote_delayed(args).await?),
            Self::SetExecutionTag(args) => plain(&engine.set_execution_tag(args).await?),
            Self::GetExecutionTag(id, key) => plain(&engine.get_execution_tag(id, &key).await?),
            Self::BlockRoute(id, detail) => telling(&engine.block_route(id, detail).await?, Learned::Blocked(id)),
            Self::BlockExecutionForAdmission(args) => {
                let id = args.execution_id;
                telling(&engine.block_execution_for_admission(args).await?, Learned::Blocked(id))
            }
            Self::UnblockExecution(args) => plain(&engine.unblock_execution(args).await?),
            other => return Ok(Err(other)),
        }))
    }

    /// Operations that hand out leases or take them away.
    async fn lease(self, engine: &EngineHandle, tag: BackendTag) -> EngineResult<Result<Answer, Self>> {
        Ok(Ok(match self {
            Self::Claim(lane, offered, policy) => handle(engine.claim(&lane, &offered, &policy).await?, tag),
            Self::PollTasks(args) => tasks(&engine.poll_tasks(*args).await?, tag),
            Self::ScanEligibleExecutions(lane, partition, limit) => {
                let found = engine.scan_eligible_executions(&lane, partition, limit).await?;
                telling(&found, Learned::Eligible(found.clone()))
            }
            Self::IssueClaimGrant(args) => plain(&engine.issue_claim_grant(*args).await?),
            Self::ClaimExecution(args) => claimed(engine.claim_execution(*args).await?, tag),
            Self::ClaimForWorker(args) => {
                let grant = engine.claim_for_worker(*args).await?;
                telling(&grant, Learned::Eligible(grant.iter().map(|grant| grant.execution_id).collect()))
            }
            Self::IssueGrantAndClaim(args) => claimed(engine.issue_grant_and_claim(args).await?, tag),
            Self::ClaimResumedExecution(args) => claimed(engine.claim_resumed_execution(*args).await?, tag),
            Self::ClaimFromResumeGrant(token) => handle(engine.claim_from_resume_grant(*token).await?, tag),
            Self::RevokeLease(args) => {
                let id = args.execution_id;
                let outcome = engine.revoke_lease(args).await?;
                let lost = matches!(outcome, RevokeOutcome::Revoked { .. }).then_some(id);
                telling(&outcome, Learned::Lost(lost.into_iter().collect()))
            }
            Self::MarkLeaseExpiredIfDue(args) => {
                let id = args.execution_id;
                let outcome = engine.mark_lease_expired_if_due(args).await?;
                let lost = (outcome == MarkExpiredOutcome::MarkedExpired).then_some(id);
                telling(&outcome, Learned::Lost(lost.into_iter().collect()))
            }
            Self::IssueReclaimGrant(args) => plain(&engine.issue_reclaim_grant(*args).await?),
            Self::ReclaimExecution(args) => match engine.reclaim_execution(*args).await? {
                ReclaimClaim::Claimed(lease) => claimed(*lease, tag),
                other => plain(&other),
            },
            Self::ListExpiredLeases(args) => {
                let page = engine.list_expired_leases(args).await?;
                let lost = page.entries.iter().map(|entry| entry.execution_id).collect();
                telling(&page, Learned::Lost(lost))
            }
            other => return Ok(Err(other)),
        }))
    }

    /// Operations of whoever holds a lease.
    async fn under_lease(self, engine: &EngineHandle) -> EngineResult<Result<Answer, Self>> {
        Ok(Ok(match self {
            Self::Renew(ticket) => plain(&engine.renew(&ticket.handle).await?),
            Self::RenewLease(args) => plain(&engine.renew_lease(args).await?),
            Self::Progress(ticket, percent, message) => {
                plain(&engine.progress(&ticket.handle, percent, message).await?)
            }
            Self::Complete(ticket, result) => {
                telling(&engine.complete(&ticket.handle, result).await?, Learned::Ended(ticket.says.execution_id))
            }
            Self::CompleteExecution(args) => {
                let id = args.execution_id;
                telling(&engine.complete_execution(*args).await?, Learned::Ended(id))
            }
            Self::Fail(ticket, reason, class) => {
                telling(&engine.fail(&ticket.handle, reason, class).await?, Learned::Ended(ticket.says.execution_id))
            }
            Self::FailExecution(args) => {
                let id = args.execution_id;
                telling(&engine.fail_execution(*args).await?, Learned::Ended(id))
            }
            Self::Cancel(ticket, reason) => {
                telling(&engine.cancel(&ticket.handle, reason).await?, Learned::Ended(ticket.says.execution_id))
            }
            Self::Delay(ticket, until) => {
                telling(&engine.delay(&ticket.handle, until).await?, Learned::Interrupted(ticket.says.execution_id))
            }
            Self::WaitChildren(ticket) => {
                // What it waits for never ends here, so that it stays parked.
                telling(&engine.wait_children(&ticket.handle).await?, Learned::Parked(ticket.says.execution_id))
            }
            other => return Ok(Err(other)),
        }))
    }

    /// Reads, waits and the engine as a whole.
    async fn read(self, engine: &EngineHandle, tag: BackendTag) -> EngineResult<Answer> {
        Ok(match self {
            Self::DescribeExecution(id) => plain(&engine.describe_execution(id).await?),
            Self::ReadExecutionContext(id) => plain(&engine.read_execution_context(id).await?),
            Self::ReadExecutionInfo(id) => plain(&engine.read_execution_info(id).await?),
            Self::ReadExecutionState(id) => plain(&engine.read_execution_state(id).await?),
            Self::GetExecutionResult(id) => plain(&engine.get_execution_result(id).await?),
            Self::GetExecutionNamespace(id) => plain(&engine.get_execution_namespace(id).await?),
            Self::ReadExecCoreFields(partition, id, names) => {
                plain(&engine.read_exec_core_fields(partition, id, &names).await?)
            }
            Self::ReadCurrentAttemptIndex(id) => plain(&engine.read_current_attempt_index(id).await?),
            Self::ReadTotalAttemptCount(id) => plain(&engine.read_total_attempt_count(id).await?),
            Self::ListExecutions(partition, cursor, limit) => {
                plain(&engine.list_executions(partition, cursor, limit).await?)
            }
            Self::ListLanes(cursor, limit) => plain(&engine.list_lanes(cursor, limit).await?),
            Self::ListAttempts(id, cursor, limit) => plain(&engine.list_attempts(id, cursor, limit).await?),
            Self::WaitTerminal(id, wait) => plain(&engine.wait_terminal(id, wait).await?),
            Self::Prepare => match engine.prepare().await? {
                Prepared::NoOp => plain(&"nothing to do"),
                // What was done is told in the words of the store.
                Prepared::Applied { .. } => plain(&"applied"),
            },
            Self::Ping => plain(&engine.ping().await?),
            Self::ShutdownPrepare(grace) => plain(&engine.shutdown_prepare(grace).await?),
            Self::ServerTimeMs => plain(&engine.server_time_ms().await?),
            Self::Capabilities => {
                let all = engine.capabilities();
                // The family is the store's name; that it is the right one is
                // all that can be alike.
                let known = all.identity.family == engine.backend_label();
                plain(&(known, all.identity.version, all.supports))
            }
            Self::BackendLabel => plain(&(engine.backend_label() == tag.as_str())),
            other => unreachable!("{} is run elsewhere", other.name()),
        })
    }
}

fn created_all(outcomes: &[EngineResult<CreateOutcome>]) -> Answer {
    let texts: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => refused(error),
        })
        .collect();
    plain(&texts)
}

fn handle(handle: Option<Handle>, tag: BackendTag) -> Answer {
    let ticket = handle.map(|handle| Ticket::read(handle, tag));
    Answer::new(format!("{ticket:?}"), ticket.into_iter().map(Learned::Held).collect())
}

fn claimed(lease: Claimed, tag: BackendTag) -> Answer {
    let ticket = Ticket::read(lease.handle, tag);
    Answer::new(format!("{:?} {ticket:?}", lease.execution), vec![Learned::Held(ticket)])
}

fn tasks(tasks: &[Task], tag: BackendTag) -> Answer {
    let held = tasks.iter().map(|task| Learned::Held(Ticket::read(task.claimed.handle(tag), tag))).collect();
    Answer::new(format!("{tasks:?}"), held)
}
