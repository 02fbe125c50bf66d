//! Suspending from within a run of a handler.
//!
//! The handler's call tells the engine while the handler waits for the
//! answer. Once the execution is suspended somebody else may have it, so the
//! run ends where it stands: its future is dropped by [`super::run`] and
//! nothing behind the call happens. A call that is itself dropped halfway, by
//! a timeout around it for instance, ends the run too; what it asked for is
//! then asked for again by the settlement.

use super::HandlerContext;
use super::settle::{self, Verdict, suspend_outcome};
use futures::FutureExt;
use leasehold_contract::{EngineError, Handle, SuspendArgs, SuspendOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::record;
use std::convert::Infallible;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;
use tokio::task::Id;

/// Why a handler's suspend came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuspendError {
    /// The call came from another task than the handler's own, whose run
    /// could not be ended by it.
    OutsideHandler,
    /// The run has suspended its execution already, or is about to.
    Twice,
    /// The engine refuses it.
    Refused(EngineError),
}

impl std::fmt::Display for SuspendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutsideHandler => f.write_str("a handler suspends from its own task, not from one it spawned"),
            Self::Twice => f.write_str("a run suspends its execution once"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SuspendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Refused(error) = self { std::error::Error::source(error) } else { None }
    }
}

/// How far a run is with suspending.
#[derive(Debug, Default)]
pub enum Pause {
    /// It has not asked.
    #[default]
    None,
    /// It has asked, and was not answered.
    Asked(Box<SuspendArgs>),
    /// The execution is suspended; the lease is gone.
    Done,
}

/// A lease's part in suspending: for whoever runs handlers.
#[derive(Debug, Default)]
pub struct Pausing {
    pause: Mutex<Pause>,
    left: Notify,
    task: OnceLock<Id>,
}

impl Pausing {
    /// The handler runs in the task that calls this.
    pub fn enter(&self) {
        if let Some(task) = tokio::task::try_id() {
            // Set by the same task before, when the handler is run again.
            self.task.get_or_init(|| task);
        }
    }

    /// How far the run has come; it starts anew.
    pub fn take(&self) -> Pause {
        // A wish to leave that came too late is not for the next run.
        self.left.notified().now_or_never().unwrap_or_default();
        std::mem::take(&mut *self.pause.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends when the run is to end where it stands.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// Ends the run where it stands, and with it this future.
    pub async fn leave(&self) -> Infallible {
        self.left.notify_one();
        std::future::pending().await
    }

    /// The run asks to suspend its execution.
    ///
    /// # Errors
    ///
    /// [`SuspendError::OutsideHandler`], [`SuspendError::Twice`].
    pub fn begin(&self, args: &SuspendArgs) -> Result<Asking<'_>, SuspendError> {
        if self.task.get().copied() != tokio::task::try_id() {
            return Err(SuspendError::OutsideHandler);
        }
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*pause, Pause::None) {
            return Err(SuspendError::Twice);
        }
        *pause = Pause::Asked(Box::new(args.clone()));
        Ok(Asking(Some(self)))
    }
}

/// A run that asks to suspend. Dropped before it is answered, it ends the run.
#[derive(Debug)]
#[must_use = "dropping it ends the run"]
pub struct Asking<'a>(Option<&'a Pausing>);

impl Asking<'_> {
    /// The execution is suspended.
    pub fn suspended(self) {
        self.answered(Pause::Done);
    }

    /// The lease is kept, satisfied or refused.
    pub fn kept(self) {
        self.answered(Pause::None);
    }

    fn answered(mut self, pause: Pause) {
        if let Some(pausing) = self.0.take() {
            *pausing.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(pausing) = self.0 {
            pausing.left.notify_one();
        }
    }
}

impl HandlerContext {
    /// Suspends the execution, and says it again while the engine cannot tell
    /// whether it heard. After [`SuspendOutcome::Suspended`] the lease is
    /// gone and the token cancelled: there is nothing left but
    /// [`Self::leave`], and what the handler returns otherwise is dropped.
    /// With [`SuspendOutcome::AlreadySatisfied`] the lease is kept and the
    /// handler goes on.
    ///
    /// # Errors
    ///
    /// [`SuspendError`]; nothing is suspended then, unless the engine could
    /// not say so before the lease lapsed.
    pub async fn suspend(&self, args: SuspendArgs) -> Result<SuspendOutcome, SuspendError> {
        self.suspend_as(args, false).await
    }

    /// As [`Self::suspend`], where the idempotency key and the ids of fresh
    /// waitpoints were minted for this call.
    ///
    /// # Errors
    ///
    /// As [`Self::suspend`].
    pub async fn suspend_anew(&self, args: SuspendArgs) -> Result<SuspendOutcome, SuspendError> {
        self.suspend_as(args, true).await
    }

    async fn suspend_as(&self, args: SuspendArgs, minted: bool) -> Result<SuspendOutcome, SuspendError> {
        let asking = self.lease.pausing.begin(&args)?;
        let told = settle::tell(&self.pool, &self.lease, &Verdict::Suspend(Box::new(args)), minted).await;
        match told.and_then(suspend_outcome) {
            Ok(record::SuspendOutcome::Suspended { details, held }) => {
                asking.suspended();
                self.lease.lose();
                let handle = Handle::encode(self.pool.engine.tag(), HandleKind::Suspended, &held);
                Ok(SuspendOutcome::Suspended { details, handle })
            }
            Ok(record::SuspendOutcome::AlreadySatisfied { details }) => {
                asking.kept();
                Ok(SuspendOutcome::AlreadySatisfied { details })
            }
            Err(error) => {
                asking.kept();
                Err(SuspendError::Refused(error))
            }
        }
    }

    /// Ends the run where it stands: the handler's future is dropped, and
    /// with it this one, which never returns. The lease of an execution that
    /// is not suspended is given back, and its attempt goes on at once.
    pub async fn leave(&self) -> Infallible {
        self.lease.pausing.leave().await
    }
}
