//! Permits: the bound in front of the unbounded mailboxes.
//!
//! Lease holders and signals have their own reserve, so that a flood of
//! creates never makes running work fail. Renewals need no permit.

use leasehold_backend::Clock;
use leasehold_core::command::Command;
use leasehold_core::error::EngineError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A command's share of the bounds; given back when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its Drop")] Vec<OwnedSemaphorePermit>);

/// Which bound a command counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// None.
    Free,
    /// The reserve of lease holders.
    Holder,
    /// The bound of everybody else.
    Outside,
}

/// The class of a command.
pub fn class(command: &Command) -> Class {
    match command {
        Command::RenewLease(_) => Class::Free,
        Command::CompleteExecution(_)
        | Command::FailExecution(_)
        | Command::UpdateProgress(_)
        | Command::Delay(_)
        | Command::WaitChildren(_) => Class::Holder,
        Command::CancelExecution(args) if args.source.is_worker() => Class::Holder,
        _ => Class::Outside,
    }
}

/// The bounds of one partition, with the node's behind them.
#[derive(Debug)]
pub struct Permits {
    outside: Arc<Semaphore>,
    holders: Arc<Semaphore>,
    node: Arc<Semaphore>,
    outside_max: usize,
    holders_max: usize,
    node_max: usize,
    wait: Duration,
}

impl Permits {
    /// Bounds of a partition; `node` is shared by all of them.
    pub fn new(outside: usize, holders: usize, node: Arc<Semaphore>, node_max: usize, wait: Duration) -> Self {
        Self {
            outside: Arc::new(Semaphore::new(outside)),
            holders: Arc::new(Semaphore::new(holders)),
            node,
            outside_max: outside,
            holders_max: holders,
            node_max,
            wait,
        }
    }

    /// Waits for `count` permits of a class, a little.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` naming the bound, with a hint when to come back.
    pub async fn acquire(&self, class: Class, count: usize, clock: &dyn Clock) -> Result<Option<Permit>, EngineError> {
        match class {
            Class::Free => Ok(None),
            Class::Holder => {
                let permit = self.wait_for(&self.holders, "partition_holders", self.holders_max, count, clock).await?;
                Ok(Some(Permit(vec![permit])))
            }
            Class::Outside => {
                let node = self.wait_for(&self.node, "node", self.node_max, count, clock).await?;
                let own = self.wait_for(&self.outside, "partition", self.outside_max, count, clock).await?;
                Ok(Some(Permit(vec![node, own])))
            }
        }
    }

    async fn wait_for(
        &self,
        semaphore: &Arc<Semaphore>,
        pool: &'static str,
        max: usize,
        count: usize,
        clock: &dyn Clock,
    ) -> Result<OwnedSemaphorePermit, EngineError> {
        // More than there will ever be would wait for ever.
        let count = u32::try_from(count.min(max)).unwrap_or(u32::MAX);
        if let Ok(permit) = semaphore.clone().try_acquire_many_owned(count) {
            return Ok(permit);
        }
        let exhausted = || EngineError::ResourceExhausted {
            pool,
            max: max as u64,
            retry_after_ms: Some(u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX)),
        };
        tokio::select! {
            biased;
            permit = semaphore.clone().acquire_many_owned(count) => permit.map_err(|_| exhausted()),
            () = clock.sleep(self.wait) => Err(exhausted()),
        }
    }
}
