//! Why a wait does not return what it waited for.

use crate::worker::{HandlerError, category};
use leasehold_core::backoff::FailureClass;
use leasehold_core::error::{ContentionKind, EngineError, Entity, StateKind};

/// Why a wait came to nothing. It is not an error of the handler's own: `?`
/// turns it into a [`HandlerError`] of the category that fits.
///
/// That the execution was suspended is never among these: the run has ended
/// then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a handler that is told to halt returns"]
pub enum Halt {
    /// The execution has ended meanwhile, by a cancellation or a deadline, or
    /// is not running for another reason.
    Ended(String),
    /// The lease is gone; somebody else goes on with the execution.
    LeaseLost(String),
    /// The engine refuses the wait, or could not be asked.
    Refused {
        /// What it says.
        message: String,
        /// Whether the same may go well later.
        retryable: bool,
    },
    /// Nobody could be told of the waitpoint; nothing was suspended.
    Untold(HandlerError),
    /// The handler waits in a way that cannot work.
    Misused(String),
}

impl Halt {
    /// What an error of the engine means for a wait.
    pub(super) fn of(error: EngineError) -> Self {
        let message = error.to_string();
        match error.root() {
            EngineError::Contention { kind: ContentionKind::ExecutionNotActive(_) }
            | EngineError::NotFound { entity: Entity::Execution } => Self::Ended(message),
            EngineError::State { kind: StateKind::StaleLease | StateKind::LeaseExpired | StateKind::LeaseRevoked } => {
                Self::LeaseLost(message)
            }
            _ => Self::Refused { message, retryable: error.is_retryable() },
        }
    }
}

impl From<Halt> for HandlerError {
    fn from(halt: Halt) -> Self {
        match halt {
            // Nobody hears it; the lease it would be said under is gone.
            Halt::Ended(message) | Halt::LeaseLost(message) => {
                Self::transient(message).with_category(category::WAIT_LEASE_LOST)
            }
            Halt::Refused { message, retryable } => {
                let class = if retryable { FailureClass::Transient } else { FailureClass::Permanent };
                Self::new(message, class).with_category(category::WAIT_REFUSED)
            }
            Halt::Untold(error) => error,
            Halt::Misused(mistake) => Self::permanent(mistake).with_category(category::WAIT_MISUSED),
        }
    }
}
