//! The router: from an operation to its partition's actor and back.

use crate::delivery::ClaimInbox;
use crate::engine::store_error::full;
use crate::env::Env;
use crate::partition::{ClaimRequest, PartitionHandle, PartitionMsg, Submit};
use crate::permits::{self, NamespacePermits};
use crate::routes::Routes;
use leasehold_contract::{EngineResult, Task};
use leasehold_core::command::{Command, Operation, Reply};
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::ids::{ExecutionId, RequestId};
use leasehold_core::record::{Execution, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// How a caller reaches partitions.
#[derive(Clone)]
pub struct Router {
    inner: Arc<Inner>,
}

struct Inner {
    env: Arc<Env>,
    routes: Arc<Routes>,
    draining: AtomicBool,
    under_way: AtomicUsize,
    quiet: Notify,
    namespaces: NamespacePermits,
}

/// Counts a call as under way while it lives.
struct UnderWay<'a>(&'a Inner);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

impl Router {
    /// A router over a route table.
    pub fn new(env: Arc<Env>, routes: Arc<Routes>) -> Self {
        let namespaces = NamespacePermits::new(env.options.permits_namespace, env.options.permit_wait);
        let inner = Inner {
            env,
            routes,
            draining: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            quiet: Notify::new(),
            namespaces,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The route table.
    pub fn routes(&self) -> &Arc<Routes> {
        &self.inner.routes
    }

    /// Partition time.
    pub fn partition_time(&self) -> TimestampMs {
        self.inner.env.time.now()
    }

    /// Where a command is decided.
    pub fn partition_of(&self, command: &Command) -> u16 {
        command.subject().partition(&self.inner.env.options.partitions)
    }

    fn enter(&self) -> UnderWay<'_> {
        self.inner.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(&self.inner)
    }

    fn handle(&self, partition: u16) -> EngineResult<PartitionHandle> {
        if partition >= self.inner.routes.count() {
            return Err(EngineError::execution_not_found());
        }
        self.inner.routes.get(partition).ok_or(EngineError::PartitionUnavailable { partition, retry_after_ms: 500 })
    }

    fn admit(&self, command: &Command) -> EngineResult<permits::Class> {
        let class = permits::class(command);
        if class == permits::Class::Outside && self.inner.draining.load(Ordering::Acquire) {
            let partition = self.partition_of(command);
            return Err(EngineError::PartitionUnavailable { partition, retry_after_ms: 1000 });
        }
        if command.grows() && self.inner.env.backend.is_full() {
            return Err(full());
        }
        Ok(class)
    }

    /// Carries an operation out; the answer is durable.
    ///
    /// # Errors
    ///
    /// What the operation's rule refuses, and the three retryable errors of
    /// the machinery.
    pub async fn submit<O: Operation>(&self, operation: O) -> EngineResult<O::Outcome> {
        self.submit_as(operation, false).await
    }

    /// As [`Router::submit`]. `minted`: its ids were minted for this command,
    /// so what it makes need not be looked for.
    ///
    /// # Errors
    ///
    /// As [`Router::submit`].
    pub async fn submit_as<O: Operation>(&self, operation: O, minted: bool) -> EngineResult<O::Outcome> {
        let reply = self.submit_command(operation.into_command(), minted).await?;
        O::outcome(reply).map_err(|_| EngineError::bug(BugKind::Panic, "a reply of another operation"))
    }

    /// As [`Router::submit_as`], untyped.
    pub async fn submit_command(&self, command: Command, minted: bool) -> EngineResult<Reply> {
        let mut replies = self.send(vec![(command, minted)]).await?;
        match replies.pop() {
            Some(reply) => receive(reply).await,
            None => Err(EngineError::OutcomeUnknown { op: "submit" }),
        }
    }

    /// Refuses claims while the node is being drained.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` of the pool `draining`.
    pub fn admit_claims(&self) -> EngineResult<()> {
        if self.inner.draining.load(Ordering::Acquire) {
            return Err(EngineError::ResourceExhausted { pool: "draining", max: 0, retry_after_ms: Some(1000) });
        }
        Ok(())
    }

    /// Sends a command and does not wait for its answer: at most once, and
    /// nobody learns whether it was carried out. Takes a permit.
    ///
    /// # Errors
    ///
    /// What keeps the command from being sent at all.
    pub async fn tell(&self, command: Command) -> EngineResult<()> {
        self.send(vec![(command, false)]).await.map(drop)
    }

    /// Sends commands of one partition together.
    async fn send(&self, commands: Vec<(Command, bool)>) -> EngineResult<Vec<Waiting<'_>>> {
        let under_way: Vec<_> = commands.iter().map(|_| self.enter()).collect();
        let Some((first, _)) = commands.first() else { return Ok(Vec::new()) };
        let class = self.admit(first)?;
        let (partition, count) = (self.partition_of(first), self.inner.routes.count());
        if partition >= count && matches!(first, Command::CreateExecution(_)) {
            let detail = format!("execution_id: no partition {partition}, there are {count}");
            return Err(EngineError::invalid_input(detail));
        }
        let handle = self.handle(partition)?;
        let env = &self.inner.env;
        let clock = env.clock.as_ref();
        // The namespace's first: while a tenant waits for its own bound it
        // holds nothing that others wait for.
        let share = self.inner.namespaces.acquire(commands.iter().map(|(command, _)| command), clock).await?;
        let own = handle.permits().acquire(class, commands.len(), clock).await?;
        let mut permit = match (own, share) {
            (Some(own), Some(share)) => Some(own.and(share)),
            (own, share) => own.or(share),
        };
        let deadline = env.clock.monotonic() + env.options.command_deadline;
        let mut submits = Vec::with_capacity(commands.len());
        let mut waiting = Vec::with_capacity(commands.len());
        for ((command, minted), under_way) in commands.into_iter().zip(under_way) {
            let (port, reply) = oneshot::channel();
            let op = command.name();
            // The first command carries the permits of all of them.
            submits.push(Submit { command, minted, deadline, port, permit: permit.take() });
            waiting.push(Waiting { op, reply, _under_way: under_way });
        }
        handle.send(PartitionMsg::Commands(submits))?;
        Ok(waiting)
    }

    /// Carries many operations out, those of one partition together; answers
    /// in the order of the commands.
    pub async fn submit_bulk(&self, commands: Vec<(Command, bool)>) -> Vec<EngineResult<Reply>> {
        let count = commands.len();
        let mut by_partition: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for (index, command) in commands.into_iter().enumerate() {
            by_partition.entry(self.partition_of(&command.0)).or_default().push((index, command));
        }
        let mut answers: Vec<Option<EngineResult<Reply>>> = (0..count).map(|_| None).collect();
        let mut waiting = Vec::with_capacity(count);
        for (_, group) in by_partition {
            let (indexes, commands): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            match self.send(commands).await {
                Ok(replies) => waiting.extend(indexes.into_iter().zip(replies)),
                Err(error) => {
                    for index in indexes {
                        answers[index] = Some(Err(error.clone()));
                    }
                }
            }
        }
        for (index, reply) in waiting {
            answers[index] = Some(receive(reply).await);
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(EngineError::OutcomeUnknown { op: "submit" }))).collect()
    }

    /// Records of a partition as they are durable, where its owner is here and
    /// has all of them at hand; none otherwise, and the store knows.
    pub async fn recall(&self, partition: u16, keys: Vec<RecordKey>) -> Option<Vec<Option<Record>>> {
        let handle = self.inner.routes.get(partition)?;
        let (port, reply) = oneshot::channel();
        handle.send(PartitionMsg::Recall(keys, port)).ok()?;
        reply.await.ok().flatten()
    }

    /// Until when the owner promises a live lease; none when there is none.
    ///
    /// # Errors
    ///
    /// `partition_unavailable`.
    pub async fn lease_expires_at(&self, id: ExecutionId) -> EngineResult<Option<TimestampMs>> {
        let handle = self.handle(id.partition())?;
        let (port, reply) = oneshot::channel();
        handle.send(PartitionMsg::LeaseExpiresAt(id.uuid(), port))?;
        reply.await.map_err(|_| handle.unavailable())
    }

    /// Executions of a partition that a request has claimed and still holds.
    ///
    /// # Errors
    ///
    /// `partition_unavailable`.
    pub async fn claimed_before(&self, partition: u16, request: RequestId) -> EngineResult<Vec<ExecutionId>> {
        let handle = self.handle(partition)?;
        let (port, reply) = oneshot::channel();
        handle.send(PartitionMsg::ClaimedBefore(request, port))?;
        let ids = reply.await.map_err(|_| handle.unavailable())?;
        Ok(ids.into_iter().map(|id| ExecutionId::from_parts(partition, id)).collect())
    }

    /// Waits until an execution has ended; the execution as it ended.
    ///
    /// # Errors
    ///
    /// `execution_not_found`, `partition_unavailable`.
    pub async fn watch(&self, id: ExecutionId) -> EngineResult<Arc<Execution>> {
        let handle = self.handle(id.partition())?;
        let (port, reply) = oneshot::channel();
        handle.send(PartitionMsg::Watch(id.uuid(), port))?;
        reply.await.map_err(|_| handle.unavailable())?
    }

    /// Claims from one partition.
    ///
    /// # Errors
    ///
    /// `partition_unavailable`, `outcome_unknown`.
    pub async fn claim_from(&self, partition: u16, request: ClaimRequest) -> EngineResult<Vec<Task>> {
        let _under_way = self.enter();
        self.admit_claims()?;
        let handle = self.handle(partition)?;
        let (inbox, sink) = ClaimInbox::new(self.clone());
        handle.send(PartitionMsg::Claim(Box::new(request), sink))?;
        inbox.tasks().await
    }

    /// Claims one execution, trying every partition once from `start` on.
    ///
    /// # Errors
    ///
    /// The last error, when no partition had work and one could not answer.
    pub async fn claim_one(&self, start: u16, request: ClaimRequest) -> EngineResult<Option<Task>> {
        let count = self.inner.routes.count().max(1);
        let mut failed = None;
        for step in 0..count {
            let partition = ((u32::from(start) + u32::from(step)) % u32::from(count)) as u16;
            let request = ClaimRequest { max: 1, ..request.clone() };
            match self.claim_from(partition, request).await {
                Ok(mut tasks) => {
                    if let Some(task) = tasks.pop() {
                        return Ok(Some(task));
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Takes nothing new from callers without a lease, and waits for what is
    /// under way.
    ///
    /// # Errors
    ///
    /// `timeout` after `grace`.
    pub async fn drain(&self, grace: Duration) -> EngineResult<()> {
        self.inner.draining.store(true, Ordering::Release);
        let timeout = self.inner.env.clock.sleep(grace);
        let quiet = async {
            loop {
                let notified = self.inner.quiet.notified();
                if self.inner.under_way.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        tokio::select! {
            biased;
            () = quiet => Ok(()),
            () = timeout => Err(EngineError::Timeout {
                op: "shutdown_prepare",
                elapsed_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    /// Takes everything again, after a drain.
    pub fn undrain(&self) {
        self.inner.draining.store(false, Ordering::Release);
    }
}

struct Waiting<'a> {
    op: &'static str,
    reply: oneshot::Receiver<EngineResult<Reply>>,
    _under_way: UnderWay<'a>,
}

async fn receive(waiting: Waiting<'_>) -> EngineResult<Reply> {
    // An actor that died with the command in hand leaves its outcome open.
    waiting.reply.await.map_err(|_| EngineError::OutcomeUnknown { op: waiting.op })?
}
