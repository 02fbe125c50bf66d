//! One execution: its handler, and what follows from how it ends.

use super::lease::Lease;
use super::pool::Pool;
use super::settle::{self, Settled, Verdict};
use super::suspending::Pause;
use super::{HandlerContext, HandlerOutcome};
use futures::FutureExt;
use leasehold_contract::Task;
use leasehold_core::handle::HandleKind;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Frees the slot when everything about an execution has ended, in whatever
/// way.
struct Slot {
    pool: Arc<Pool>,
    lease: Arc<Lease>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.release(&self.lease);
    }
}

/// How a handler's future ended.
enum Ended {
    Outcome(HandlerOutcome),
    Panicked(String),
    /// Where it stood, by its own wish.
    Left,
    Abandoned,
}

/// Runs the handler and settles what it says; again on the same lease, when
/// what it wanted to wait for is there already.
pub(super) async fn run(pool: Arc<Pool>, lease: Arc<Lease>, task: Task) {
    let slot = Slot { pool: pool.clone(), lease: lease.clone() };
    lease.pausing.enter();
    let mut task = task;
    loop {
        let ended = once(&pool, &lease, task.clone()).await;
        if let Ended::Panicked(message) = &ended {
            tracing::warn!(execution = %lease.claimed.execution_id, message, "a handler panicked");
            pool.panicked();
        }
        let verdict = match (lease.pausing.take(), ended) {
            (Pause::Done, ended) => {
                if matches!(ended, Ended::Outcome(_)) {
                    tracing::warn!(execution = %lease.claimed.execution_id, "a handler went on after it was suspended");
                }
                break;
            }
            (Pause::Asked(args), _) => Verdict::Suspend(args),
            (Pause::None, Ended::Outcome(outcome)) => Verdict::of(outcome),
            (Pause::None, Ended::Panicked(message)) => Verdict::panicked(&message),
            (Pause::None, Ended::Left | Ended::Abandoned) => Verdict::GiveBack,
        };
        match settle::settle(&pool, &lease, verdict).await {
            Settled::Ended => break,
            Settled::Satisfied if pool.abandon.is_cancelled() => {
                settle::settle(&pool, &lease, Verdict::GiveBack).await;
                break;
            }
            Settled::Satisfied => task.claimed.kind = HandleKind::Resumed,
        }
    }
    drop(slot);
}

/// One run of the handler. Its future is gone when this ends.
async fn once(pool: &Arc<Pool>, lease: &Arc<Lease>, task: Task) -> Ended {
    let context = HandlerContext::new(pool.clone(), lease.clone());
    let handler = AssertUnwindSafe(async { pool.handler.run(task, context).await }).catch_unwind();
    tokio::select! {
        biased;
        ended = handler => match ended {
            Ok(outcome) => Ended::Outcome(outcome),
            Err(panic) => Ended::Panicked(panic_message(&*panic)),
        },
        () = lease.pausing.left() => Ended::Left,
        () = pool.abandon.cancelled() => Ended::Abandoned,
    }
}

/// Gives back the lease of a task whose handler was never started.
pub(super) async fn give_back(pool: Arc<Pool>, lease: Arc<Lease>) {
    let slot = Slot { pool: pool.clone(), lease: lease.clone() };
    settle::settle(&pool, &lease, Verdict::GiveBack).await;
    drop(slot);
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
