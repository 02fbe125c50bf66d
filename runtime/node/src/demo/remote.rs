//! The remote worker: a process of its own that knows the node by its HTTP
//! address alone.

use super::workload::{Job, LEASE_TTL, REMOTE_CAPABILITY, REMOTE_LANE, STALL};
use leasehold_backend::{Clock, SystemClock};
use leasehold_cli::http_client::{ClientError, HttpClient, base64, execution_path, from_base64};
use leasehold_cli::{DemoWorkerArgs, output};
use leasehold_core::ids::ExecutionId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many executions it works on at once.
const SLOTS: u32 = 16;

/// How often a call may fail in a row before the worker gives up.
const FAILURES_BORNE: u32 = 20;

/// The status of what a lost lease is refused with.
const CONFLICT: u16 = 409;

/// Why the worker cannot go on.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug, Deserialize)]
struct Tasks {
    tasks: Vec<Task>,
}

/// What the worker needs of a task.
#[derive(Debug, Deserialize)]
struct Task {
    execution_id: ExecutionId,
    handle: Value,
    execution_kind: String,
    payload: String,
    lease_reclaim_count: u32,
}

struct Worker {
    client: HttpClient,
    clock: SystemClock,
    instance: String,
}

/// Runs the worker, whose instance is named by the only argument beside the
/// address, until its input is closed, as it is when the demo ends or dies.
pub async fn worker(args: DemoWorkerArgs) -> ExitCode {
    let ended = tokio::select! {
        ended = serve(args) => ended,
        () = input_closed() => Ok(()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("the remote worker gives up: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: DemoWorkerArgs) -> Result<(), Failure> {
    let client = HttpClient::new(&args.url, args.token.as_deref())?;
    let instance = args.rest.into_iter().next().ok_or("the instance has no name")?;
    Arc::new(Worker { client, clock: SystemClock::default(), instance }).run().await
}

/// Ends when standard input does. A thread of its own waits for it, since the
/// runtime would wait for one of its threads when the worker ends otherwise.
async fn input_closed() {
    let (closed, wait) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut input = std::io::stdin();
        while input.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        drop(closed);
    });
    drop(wait.await);
}

impl Worker {
    async fn run(self: &Arc<Self>) -> Result<(), Failure> {
        let slots = Arc::new(Semaphore::new(SLOTS as usize));
        let mut failures = 0;
        loop {
            let first = slots.clone().acquire_owned().await?;
            let mut free = vec![first];
            while let Ok(permit) = slots.clone().try_acquire_owned() {
                free.push(permit);
            }
            match self.claim(free.len()).await {
                Ok(tasks) => {
                    failures = 0;
                    for (task, slot) in tasks.into_iter().zip(free) {
                        let worker = self.clone();
                        tokio::spawn(async move { worker.work(task, slot).await });
                    }
                }
                Err(error) if failures >= FAILURES_BORNE => return Err(error),
                Err(_) => {
                    failures += 1;
                    self.clock.sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Waits for work and takes at most `credits` executions.
    async fn claim(&self, credits: usize) -> Result<Vec<Task>, Failure> {
        let body = json!({
            "worker_instance_id": self.instance,
            "lanes": [REMOTE_LANE],
            "capabilities": [REMOTE_CAPABILITY],
            "credits": credits,
            "lease_ttl_ms": ttl_ms(),
            // Short, so that slots that become free meanwhile are soon offered.
            "max_wait_ms": 250,
        });
        let answer = self.client.post("/v1/workers/render-farm/claim", &body).await?;
        Ok(serde_json::from_slice::<Tasks>(&answer.bytes)?.tasks)
    }

    async fn work(&self, task: Task, slot: OwnedSemaphorePermit) {
        if task.execution_kind == STALL && task.lease_reclaim_count == 0 {
            // As if it had been forgotten: no renewal and no answer.
            return;
        }
        if let Err(error) = self.finish(&task).await {
            output::note(&format!("{}: {error}", task.execution_id));
        }
        drop(slot);
    }

    /// Works on a task, renewing its lease, and completes it.
    async fn finish(&self, task: &Task) -> Result<(), Failure> {
        let job: Job = serde_json::from_slice(&from_base64(&task.payload)?)?;
        let mut left = Duration::from_millis(job.pause_ms);
        while left > LEASE_TTL / 3 {
            self.clock.sleep(LEASE_TTL / 3).await;
            left -= LEASE_TTL / 3;
            if !self.tell(task, "/renew", json!({"handle": task.handle})).await? {
                return Ok(());
            }
        }
        self.clock.sleep(left).await;
        let result = json!({"number": job.number, "by": self.instance}).to_string();
        let body = json!({
            "handle": task.handle, "result_payload": base64(result.as_bytes()), "result_encoding": "json",
        });
        self.tell(task, "/complete", body).await?;
        Ok(())
    }

    /// Says something about a task, again while the node cannot answer. False
    /// when its lease is gone: somebody else has it by now, or it has ended.
    async fn tell(&self, task: &Task, what: &str, body: Value) -> Result<bool, ClientError> {
        let path = execution_path(task.execution_id, what);
        let mut failures = 0;
        loop {
            let error = match self.client.post(&path, &body).await {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            if error.refusal().is_some_and(|refusal| refusal.status.as_u16() == CONFLICT) {
                return Ok(false);
            }
            failures += 1;
            if failures > FAILURES_BORNE {
                return Err(error);
            }
            self.clock.sleep(Duration::from_millis(50)).await;
        }
    }
}

fn ttl_ms() -> u64 {
    u64::try_from(LEASE_TTL.as_millis()).unwrap_or(u64::MAX)
}
