//! Permits: the bound in front of the unbounded mailboxes.
//!
//! Lease holders and signals have their own reserve, so that a flood of
//! creates never makes running work fail. Renewals need no permit. What a
//! namespace creates counts against a bound of its own first, so that one
//! tenant's flood leaves room for the others.

use dashmap::DashMap;
use leasehold_backend::Clock;
use leasehold_core::command::Command;
use leasehold_core::error::EngineError;
use leasehold_core::ids::Namespace;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A command's share of the bounds; given back when dropped.
#[derive(Debug)]
pub struct Permit(Vec<OwnedSemaphorePermit>);

impl Permit {
    /// Both shares in one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

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
        | Command::WaitChildren(_)
        | Command::CreateWaitpoint(_)
        | Command::Suspend(_)
        | Command::DeliverSignal(_)
        | Command::DeliverApprovalSignal(_) => Class::Holder,
        Command::CancelExecution(args) if args.source.is_worker() => Class::Holder,
        _ => Class::Outside,
    }
}

/// A bound, and what is left of it.
#[derive(Debug)]
struct Pool {
    name: &'static str,
    left: Arc<Semaphore>,
    max: usize,
}

impl Pool {
    fn new(name: &'static str, max: usize) -> Self {
        Self { name, left: Arc::new(Semaphore::new(max)), max }
    }

    async fn take(&self, count: usize, wait: Duration, clock: &dyn Clock) -> Result<OwnedSemaphorePermit, EngineError> {
        // More than there will ever be would wait for ever.
        let count = u32::try_from(count.min(self.max)).unwrap_or(u32::MAX);
        if let Ok(permit) = self.left.clone().try_acquire_many_owned(count) {
            return Ok(permit);
        }
        let exhausted = || EngineError::ResourceExhausted {
            pool: self.name,
            max: self.max as u64,
            retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        tokio::select! {
            biased;
            permit = self.left.clone().acquire_many_owned(count) => permit.map_err(|_| exhausted()),
            () = clock.sleep(wait) => Err(exhausted()),
        }
    }
}

/// The bound of a whole node, shared by its partitions.
#[derive(Clone, Debug)]
pub struct NodePermits(Arc<Pool>);

impl NodePermits {
    /// So many.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Pool::new("node", max)))
    }
}

/// The bounds of one partition, with the node's behind them.
#[derive(Debug)]
pub struct Permits {
    outside: Pool,
    holders: Pool,
    node: NodePermits,
    wait: Duration,
}

impl Permits {
    /// Bounds of a partition; a caller waits at most so long for each.
    pub fn new(outside: usize, holders: usize, node: NodePermits, wait: Duration) -> Self {
        let outside = Pool::new("partition", outside);
        Self { outside, holders: Pool::new("partition_holders", holders), node, wait }
    }

    /// Waits for `count` permits of a class, a little.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` naming the bound, with a hint when to come back.
    pub async fn acquire(&self, class: Class, count: usize, clock: &dyn Clock) -> Result<Option<Permit>, EngineError> {
        match class {
            Class::Free => Ok(None),
            Class::Holder => Ok(Some(Permit(vec![self.holders.take(count, self.wait, clock).await?]))),
            Class::Outside => {
                let node = self.node.0.take(count, self.wait, clock).await?;
                let own = self.outside.take(count, self.wait, clock).await?;
                Ok(Some(Permit(vec![node, own])))
            }
        }
    }
}

/// What each namespace may be creating on a node at once.
#[derive(Debug)]
pub struct NamespacePermits {
    pools: DashMap<Namespace, Arc<Pool>>,
    max: usize,
    wait: Duration,
}

impl NamespacePermits {
    /// So many for each; a caller waits at most so long.
    pub fn new(max: usize, wait: Duration) -> Self {
        Self { pools: DashMap::new(), max, wait }
    }

    /// Waits for the permits of all creates among the commands, a little.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` of the pool `namespace`.
    pub async fn acquire<'c>(
        &self,
        commands: impl Iterator<Item = &'c Command>,
        clock: &dyn Clock,
    ) -> Result<Option<Permit>, EngineError> {
        let mut counts: BTreeMap<&Namespace, usize> = BTreeMap::new();
        for command in commands {
            if let Command::CreateExecution(args) = command {
                *counts.entry(&args.namespace).or_default() += 1;
            }
        }
        if counts.is_empty() {
            return Ok(None);
        }
        let mut taken = Vec::with_capacity(counts.len());
        for (namespace, count) in counts {
            taken.push(self.pool(namespace).take(count, self.wait, clock).await?);
        }
        Ok(Some(Permit(taken)))
    }

    fn pool(&self, namespace: &Namespace) -> Arc<Pool> {
        if let Some(pool) = self.pools.get(namespace) {
            return Arc::clone(&pool);
        }
        if self.pools.len() >= POOLS_KEPT {
            // One that nobody uses is as good as a new one.
            self.pools.retain(|_, pool| Arc::strong_count(pool) > 1 || pool.left.available_permits() < pool.max);
        }
        let fresh = || Arc::new(Pool::new("namespace", self.max));
        Arc::clone(&self.pools.entry(namespace.clone()).or_insert_with(fresh))
    }
}

/// Namespaces remembered while none of their permits is out.
const POOLS_KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::ManualClock;
    use leasehold_core::time::TimestampMs;

    fn permits() -> NamespacePermits {
        NamespacePermits::new(1, Duration::from_secs(1))
    }

    fn namespace(number: usize) -> Namespace {
        Namespace::try_new(format!("tenant-{number}")).unwrap()
    }

    async fn take(permits: &NamespacePermits, number: usize) -> OwnedSemaphorePermit {
        let clock = ManualClock::new(TimestampMs(0));
        permits.pool(&namespace(number)).take(1, permits.wait, &clock).await.unwrap()
    }

    #[tokio::test]
    async fn namespaces_that_create_nothing_are_forgotten() {
        let permits = permits();
        for number in 0..3 * POOLS_KEPT {
            drop(take(&permits, number).await);
            assert!(permits.pools.len() <= POOLS_KEPT);
        }
    }

    #[tokio::test]
    async fn a_namespace_that_creates_is_remembered_whoever_comes() {
        let permits = permits();
        let held = take(&permits, 0).await;
        for number in 1..3 * POOLS_KEPT {
            drop(take(&permits, number).await);
        }
        assert_eq!(permits.pool(&namespace(0)).left.available_permits(), 0);
        drop(held);
        assert_eq!(permits.pool(&namespace(0)).left.available_permits(), 1);
    }
}
