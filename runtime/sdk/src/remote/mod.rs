//! Workers in other processes than the engine's: the same handlers, over HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), leasehold_sdk::RemoteError> {
//! use leasehold_sdk::{HandlerError, RemoteWorker, Wait, Waits};
//! use tokio_util::sync::CancellationToken;
//!
//! async fn ship(mut waits: Waits) -> Result<&'static str, HandlerError> {
//!     waits.wait("pickup", Wait::callback()).await?;
//!     Ok("shipped")
//! }
//!
//! let stop = CancellationToken::new();
//! let worker = RemoteWorker::new("http://127.0.0.1:7420", None)?.worker_id("shipping").on("ship", ship);
//! worker.run(stop).await
//! # }
//! ```
//!
//! Handlers and extractors are those of [`crate::worker`], waits those of
//! [`crate::waits`]; only what needs the engine in the same process,
//! [`crate::Context`] and [`crate::ActorHandler`], fails the attempt here. A
//! worker claims by long polls with as many credits as it has free slots,
//! renews each lease every third of its time, and says how a handler ended
//! again while the server cannot answer, until the lease has lapsed.

mod door;
mod http;
mod lease;
mod run;

pub use http::RemoteError;

use crate::worker::{DataMap, IntoHandler, KindHandler};
use bytes::Bytes;
use http::Connection;
use lease::RemoteLease;
use leasehold_backend::{Clock, Entropy, SystemClock, SystemEntropy};
use leasehold_contract::Task;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId, Namespace, WorkerInstanceId,
};
use leasehold_core::state::AttemptType;
use leasehold_core::time::TimestampMs;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long one poll waits for work: short, so that slots that become free
/// meanwhile are soon offered.
const POLL_WAIT: Duration = Duration::from_secs(2);

/// The pause after a poll that was not answered.
const PAUSE: Duration = Duration::from_millis(500);

/// A worker that reaches its engine by HTTP.
pub struct RemoteWorker {
    connection: Arc<Connection>,
    worker_id: String,
    entropy: Arc<dyn Entropy>,
    lanes: Vec<String>,
    capabilities: Vec<String>,
    slots: u32,
    lease_ttl: Duration,
    cancel_grace: Duration,
    handlers: HashMap<Arc<str>, Arc<dyn KindHandler>>,
    data: DataMap,
}

/// A task as a claim shows it.
#[derive(Deserialize)]
struct TaskView {
    execution_id: ExecutionId,
    handle: String,
    kind: HandleKind,
    lease_id: LeaseId,
    lease_epoch: LeaseEpoch,
    attempt_id: AttemptId,
    attempt_index: AttemptIndex,
    attempt_type: AttemptType,
    lease_expires_at: TimestampMs,
    lease_ttl_ms: u64,
    lane_id: LaneId,
    worker_instance_id: WorkerInstanceId,
    namespace: Namespace,
    execution_kind: String,
    #[serde(deserialize_with = "lease::bytes")]
    payload: Bytes,
    #[serde(default)]
    payload_encoding: Option<String>,
    tags: BTreeMap<String, String>,
    priority: i32,
    created_at: TimestampMs,
    retry_count: u32,
    lease_reclaim_count: u32,
}

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<TaskView>,
}

impl TaskView {
    fn into_task(self) -> (Task, String) {
        let claimed = ClaimedExecution {
            execution_id: self.execution_id,
            lease_id: self.lease_id,
            lease_epoch: self.lease_epoch,
            attempt_index: self.attempt_index,
            attempt_id: self.attempt_id,
            attempt_type: self.attempt_type,
            lease_expires_at: self.lease_expires_at,
            lease_ttl_ms: self.lease_ttl_ms,
            lane_id: self.lane_id,
            worker_instance_id: self.worker_instance_id,
            kind: self.kind,
        };
        let task = Task {
            claimed,
            namespace: self.namespace,
            execution_kind: self.execution_kind.into(),
            payload: self.payload,
            payload_encoding: self.payload_encoding.map(Into::into),
            tags: Arc::new(self.tags),
            priority: self.priority,
            created_at: self.created_at,
            retry_count: self.retry_count,
            lease_reclaim_count: self.lease_reclaim_count,
        };
        (task, self.handle)
    }
}

impl RemoteWorker {
    /// A worker of the server at `http://host[:port]`, with the defaults: the
    /// name `worker`, the lane `default`, no capabilities, 64 slots, leases
    /// of 30 seconds.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`].
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, RemoteError> {
        Ok(Self {
            connection: Arc::new(Connection::new(url, token)?),
            worker_id: "worker".to_owned(),
            entropy: Arc::new(SystemEntropy::default()),
            lanes: vec![crate::client::DEFAULT_LANE.to_owned()],
            capabilities: Vec::new(),
            slots: 64,
            lease_ttl: Duration::from_secs(30),
            cancel_grace: Duration::from_secs(5),
            handlers: HashMap::new(),
            data: DataMap::default(),
        })
    }

    /// Names the logical worker.
    #[must_use]
    pub fn worker_id(mut self, worker_id: impl Into<String>) -> Self {
        self.worker_id = worker_id.into();
        self
    }

    /// From which lanes it takes work.
    #[must_use]
    pub fn lanes<L: Into<String>>(mut self, lanes: impl IntoIterator<Item = L>) -> Self {
        self.lanes = lanes.into_iter().map(Into::into).collect();
        self
    }

    /// What it offers.
    #[must_use]
    pub fn capabilities<C: Into<String>>(mut self, tokens: impl IntoIterator<Item = C>) -> Self {
        self.capabilities = tokens.into_iter().map(Into::into).collect();
        self
    }

    /// How many executions it runs at once; at least 1.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// How long each lease lasts; renewed every third of it.
    #[must_use]
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = ttl;
        self
    }

    /// How long it waits for its handlers when it stops and has cancelled
    /// their tokens, before it drops them and gives their leases back.
    #[must_use]
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.cancel_grace = grace;
        self
    }

    /// Shares a value with all handlers, which extract it as `Data<T>`.
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// Registers the handler of a kind.
    #[must_use]
    pub fn on<Marker>(mut self, kind: impl Into<Arc<str>>, handler: impl IntoHandler<Marker>) -> Self {
        self.handlers.insert(kind.into(), handler.into_handler());
        self
    }

    /// Works until `stop` is cancelled and its handlers have ended.
    ///
    /// # Errors
    ///
    /// What the server refuses of its claims for good, such as a wrong token
    /// or lane; what it cannot answer now is asked for again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RemoteError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let instance = format!("{}-{}", self.worker_id, self.entropy.uuid());
        let data = Arc::new(self.data.clone());
        let slots = Arc::new(Semaphore::new(self.slots as usize));
        let abandon = CancellationToken::new();
        let mut running = JoinSet::new();
        let ended = loop {
            while running.try_join_next().is_some() {}
            let Ok(first) = (tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                first = slots.clone().acquire_owned() => first,
            }) else {
                break Ok(());
            };
            let mut free = vec![first];
            while let Ok(slot) = slots.clone().try_acquire_owned() {
                free.push(slot);
            }
            let claimed = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                claimed = self.claim(&instance, free.len()) => claimed,
            };
            match claimed {
                Ok(tasks) => {
                    for (task, slot) in tasks.into_iter().zip(free) {
                        let (task, handle) = task.into_task();
                        let handler = self.handlers.get(&task.execution_kind).cloned();
                        let lease = RemoteLease::new(
                            self.connection.clone(),
                            (clock.clone(), self.entropy.clone()),
                            task,
                            handle,
                            &stop,
                        );
                        let run = run::run(Arc::new(lease), handler, data.clone(), abandon.clone());
                        running.spawn(async move {
                            run.await;
                            drop(slot);
                        });
                    }
                }
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "a claim was not answered");
                    clock.sleep(PAUSE).await;
                }
                Err(error) => break Err(error),
            }
        };
        stop.cancel();
        let all = async { while running.join_next().await.is_some() {} };
        let mut all = std::pin::pin!(all);
        tokio::select! {
            biased;
            () = &mut all => return ended,
            () = clock.sleep(self.cancel_grace) => abandon.cancel(),
        }
        all.await;
        ended
    }

    /// Waits for work. A worker that stops while it waits hangs up, and what
    /// was claimed for it is given back by the server.
    async fn claim(&self, instance: &str, credits: usize) -> Result<Vec<TaskView>, RemoteError> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let body = json!({
            "worker_instance_id": instance,
            "lanes": self.lanes,
            "capabilities": self.capabilities,
            "credits": credits,
            "lease_ttl_ms": ms(self.lease_ttl),
            "max_wait_ms": ms(POLL_WAIT),
        });
        let path = format!("/v1/workers/{}/claim", self.worker_id);
        let answer = self.connection.post(&path, &body).await?;
        let tasks: Tasks = serde_json::from_value(answer).map_err(|error| RemoteError::Garbled(error.to_string()))?;
        Ok(tasks.tasks)
    }
}

impl std::fmt::Debug for RemoteWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteWorker")
            .field("worker_id", &self.worker_id)
            .field("lanes", &self.lanes)
            .field("kinds", &self.handlers.keys())
            .finish_non_exhaustive()
    }
}
