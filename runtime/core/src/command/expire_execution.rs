//! `expire_execution`: end an execution that ran out of time. Expiry never
//! retries.

use super::{Decide, leasing};
use crate::decision::{Context, Rejection};
use crate::ids::{AttemptIndex, ExecutionId};
use crate::record::Execution;
use crate::state::{AttemptLifecycle, TerminalOutcome};
use crate::time::TimestampMs;
use crate::view::View;
use std::sync::Arc;

/// Which clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpirePhase {
    /// That of the running attempt.
    AttemptTimeout,
    /// That of the whole execution.
    ExecutionDeadline,
}

impl ExpirePhase {
    /// The wire spelling; also the failure reason it leaves.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptTimeout => "attempt_timeout",
            Self::ExecutionDeadline => "execution_deadline",
        }
    }

    /// Reads the wire spelling; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "attempt_timeout" => Some(Self::AttemptTimeout),
            "execution_deadline" => Some(Self::ExecutionDeadline),
            _ => None,
        }
    }
}

/// Arguments of `expire_execution`. Never refused: what does not apply is an
/// outcome.
#[derive(Clone, Debug)]
pub struct ExpireExecution {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Which clock.
    pub phase: ExpirePhase,
    /// The attempt whose timeout was armed; absent means the running one.
    /// Not looked at for the deadline.
    pub attempt_index: Option<AttemptIndex>,
}

/// Answer of `expire_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireOutcome {
    /// It ended now.
    Expired,
    /// It had ended before.
    AlreadyTerminal,
    /// There is no such execution.
    NotFoundCleaned,
    /// The clock runs, but is not out yet.
    NotYetDue,
    /// No such clock runs: none was set, the attempt is interrupted, or the
    /// timeout was armed for another attempt.
    NotArmed,
}

impl ExpireOutcome {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::AlreadyTerminal => "already_terminal",
            Self::NotFoundCleaned => "not_found_cleaned",
            Self::NotYetDue => "not_yet_due",
            Self::NotArmed => "not_armed",
        }
    }
}

impl Decide for ExpireExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<ExpireOutcome, Rejection> {
        let Some(execution) = view.find_execution(self.execution_id) else {
            return Ok(ExpireOutcome::NotFoundCleaned);
        };
        if execution.vector().is_terminal() {
            return Ok(ExpireOutcome::AlreadyTerminal);
        }
        let due = match self.phase {
            ExpirePhase::ExecutionDeadline => execution.deadline_at,
            ExpirePhase::AttemptTimeout => execution
                .attempt_timeout_at()
                .filter(|_| self.attempt_index.is_none_or(|index| index == execution.current_attempt_index())),
        };
        match due {
            None => Ok(ExpireOutcome::NotArmed),
            Some(at) if at > context.now => Ok(ExpireOutcome::NotYetDue),
            Some(_) => {
                expire(view, &execution, self.phase, context.now);
                Ok(ExpireOutcome::Expired)
            }
        }
    }
}

/// Ends an execution that has not ended, because its time is out.
pub(super) fn expire(view: &mut View<'_>, execution: &Execution, phase: ExpirePhase, now: TimestampMs) {
    let mut next = execution.clone();
    leasing::end_attempt(&mut next, AttemptLifecycle::EndedFailure, Some(phase.as_str()), None, now);
    next.failure_reason = Some(phase.as_str().to_owned());
    leasing::release(view, &mut next, &format!("expired:{}", phase.as_str()), now);
    leasing::terminate(view, &mut next, TerminalOutcome::Expired, false, now);
    view.put_execution(Arc::new(next));
}
