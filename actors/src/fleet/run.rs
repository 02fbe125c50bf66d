//! One execution: its handler, and what follows from how it ends.

use super::lease::Lease;
use super::pool::Pool;
use super::settle::{self, Verdict};
use super::{HandlerContext, HandlerOutcome};
use futures::FutureExt;
use leasehold_contract::Task;
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
    Abandoned,
}

/// Runs the handler and settles what it says.
pub(super) async fn run(pool: Arc<Pool>, lease: Arc<Lease>, task: Task) {
    let slot = Slot { pool: pool.clone(), lease: lease.clone() };
    let ended = {
        let context = HandlerContext::new(pool.clone(), lease.clone());
        let handler = AssertUnwindSafe(async { pool.handler.run(task, context).await }).catch_unwind();
        tokio::select! {
            biased;
            ended = handler => match ended {
                Ok(outcome) => Ended::Outcome(outcome),
                Err(panic) => Ended::Panicked(panic_message(&*panic)),
            },
            () = pool.abandon.cancelled() => Ended::Abandoned,
        }
    };
    let verdict = match ended {
        Ended::Outcome(outcome) => Verdict::of(outcome),
        Ended::Panicked(message) => {
            tracing::warn!(execution = %lease.claimed.execution_id, message, "a handler panicked");
            pool.panicked();
            Verdict::panicked(&message)
        }
        Ended::Abandoned => Verdict::GiveBack,
    };
    settle::settle(&pool, &lease, verdict).await;
    drop(slot);
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
