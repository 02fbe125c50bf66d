//! Taking work over the dispatcher, and waiting for its end.

use super::EngineHandle;
use super::reads::in_record;
use crate::delivery::PollInbox;
use crate::dispatcher::WorkerSpec;
use crate::partition;
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_contract::{CREDITS_MAX, EngineResult, POLL_WAIT_MAX, PollTasks, Reads, Task, Work};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::error::EngineError;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{ExecutionId, RequestId, WorkerInstanceId};
use leasehold_core::record::{BlobKey, BlobKind, Execution, Holder};
use leasehold_core::state::{AttemptType, PublicState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The shortest lease of a worker that polls.
const LEASE_TTL_MS_MIN: u64 = 100;

/// How long tasks that have come wait for claims under way.
const CLAIMS_WAIT: Duration = Duration::from_millis(100);

/// The most lanes one poll names.
const LANES_MAX: usize = 64;

fn validate(args: &PollTasks) -> EngineResult<()> {
    if args.lanes.is_empty() || args.lanes.len() > LANES_MAX {
        return Err(EngineError::invalid_input(format!("lanes: {}, 1 to {LANES_MAX}", args.lanes.len())));
    }
    if args.credits == 0 || args.credits > CREDITS_MAX {
        return Err(EngineError::invalid_input(format!("credits: {}, 1 to {CREDITS_MAX}", args.credits)));
    }
    if args.lease_ttl_ms < LEASE_TTL_MS_MIN {
        return Err(EngineError::invalid_input(format!(
            "lease_ttl_ms: {}, at least {LEASE_TTL_MS_MIN}",
            args.lease_ttl_ms
        )));
    }
    super::limits::lease_ttl("lease_ttl_ms", args.lease_ttl_ms)?;
    super::limits::offered(&args.capabilities)?;
    if args.max_wait > POLL_WAIT_MAX {
        return Err(EngineError::invalid_input(format!(
            "max_wait: {} ms, at most {}",
            args.max_wait.as_millis(),
            POLL_WAIT_MAX.as_millis()
        )));
    }
    Ok(())
}

#[async_trait]
impl Work for EngineHandle {
    async fn poll_tasks(&self, args: PollTasks) -> EngineResult<Vec<Task>> {
        validate(&args)?;
        self.router.admit_claims()?;
        let spec = WorkerSpec {
            lanes: args.lanes,
            worker_id: args.worker_id,
            worker_instance_id: args.worker_instance_id,
            holder: Holder::Remote,
            capabilities: args.capabilities,
            lease_ttl_ms: args.lease_ttl_ms,
            request_id: args.request_id,
        };
        if let Some(request_id) = spec.request_id {
            let again = self.claimed_before(request_id, &spec.worker_instance_id, args.credits as usize).await?;
            if !again.is_empty() {
                return Ok(again);
            }
        }
        let dispatcher = self.node.dispatcher.get();
        let (sink, tasks) = mpsc::channel(args.credits as usize);
        let worker = dispatcher.open(spec, sink, args.credits);
        // Leaving in any way closes the inbox; what was claimed for it and not
        // taken is given back.
        let mut inbox = PollInbox::new(self.router.clone(), dispatcher, worker, tasks);
        tokio::select! {
            biased;
            () = inbox.first() => {}
            () = self.env.clock.sleep(args.max_wait) => {}
        }
        tokio::select! {
            biased;
            () = inbox.claimed() => {}
            () = self.env.clock.sleep(CLAIMS_WAIT) => {}
        }
        Ok(inbox.take())
    }

    async fn wait_terminal(&self, execution_id: ExecutionId, max_wait: Duration) -> EngineResult<Option<PublicState>> {
        let ended = self.wait_ended(execution_id, max_wait).await?;
        Ok(ended.map(|execution| execution.vector().public_state()))
    }
}

impl EngineHandle {
    /// [`Work::wait_terminal`] with the result: a small one has come with the
    /// end, and needs no read of its own.
    ///
    /// # Errors
    ///
    /// Those of [`Work::wait_terminal`] and [`Reads::get_execution_result`].
    pub async fn wait_outcome(
        &self,
        execution_id: ExecutionId,
        max_wait: Duration,
    ) -> EngineResult<Option<(PublicState, Option<Bytes>)>> {
        let Some(execution) = self.wait_ended(execution_id, max_wait).await? else { return Ok(None) };
        let result = match execution.result.as_ref().map(in_record) {
            None => None,
            Some(Some(bytes)) => Some(bytes),
            Some(None) => self.get_execution_result(execution_id).await?,
        };
        Ok(Some((execution.vector().public_state(), result)))
    }

    /// An execution as it ended; none when it has not within this time.
    async fn wait_ended(&self, execution_id: ExecutionId, max_wait: Duration) -> EngineResult<Option<Arc<Execution>>> {
        tokio::select! {
            biased;
            ended = self.watch(execution_id) => ended.map(Some),
            () = self.env.clock.sleep(max_wait) => {
                // Whoever does not wait is told of an end all the same.
                let execution = self.get("wait_terminal", execution_id).await?;
                Ok(execution.vector().is_terminal().then_some(execution))
            }
        }
    }

    /// Tasks that an earlier delivery of the same request has claimed and
    /// that are still leased.
    pub(super) async fn claimed_before(
        &self,
        request_id: RequestId,
        worker: &WorkerInstanceId,
        most: usize,
    ) -> EngineResult<Vec<Task>> {
        let mut tasks = Vec::new();
        for partition in 0..self.partition_count() {
            for id in self.router.claimed_before(partition, request_id).await? {
                let payload = BlobKey { execution: id.uuid(), kind: BlobKind::Payload };
                let (Some(execution), blobs) = self.load("poll_tasks", id, &[payload]).await? else { continue };
                let Some(payload) = blobs.into_iter().next().flatten() else {
                    return Err(EngineError::corruption("execution", "payload", "missing"));
                };
                // The lease may have ended between the two reads.
                if let Some(claimed) = held_by(&execution, request_id, worker) {
                    tasks.push(partition::task(&execution, claimed, payload));
                }
            }
            if tasks.len() >= most {
                break;
            }
        }
        Ok(tasks)
    }
}

/// The lease of an execution as it was claimed, if this worker's request did.
fn held_by(execution: &Execution, request_id: RequestId, worker: &WorkerInstanceId) -> Option<ClaimedExecution> {
    let attempt = execution.attempt.as_ref()?;
    let lease = execution
        .lease
        .as_ref()
        .filter(|lease| lease.request_id == Some(request_id) && lease.worker_instance_id == *worker)?;
    let kind = match (attempt.resumed_at, attempt.lineage.attempt_type()) {
        (Some(_), _) => HandleKind::Resumed,
        (None, AttemptType::Reclaim) => HandleKind::Reclaimed,
        (None, _) => HandleKind::Fresh,
    };
    Some(ClaimedExecution {
        execution_id: execution.id,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        attempt_index: attempt.index,
        attempt_id: lease.attempt_id,
        attempt_type: attempt.lineage.attempt_type(),
        lease_expires_at: lease.expires_at,
        lease_ttl_ms: lease.ttl_ms,
        lane_id: execution.lane_id.clone(),
        worker_instance_id: lease.worker_instance_id.clone(),
        kind,
    })
}
