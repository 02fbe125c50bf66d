//! A client of an engine in the same process.

mod events;
mod flow;
mod signal;
mod submission;

pub use events::forward_events;
pub use flow::{Flow, SubmittedFlow};
pub use signal::Signal;
pub use submission::{Submission, Submitted};

use bytes::Bytes;
use leasehold_actors::EngineHandle;
use leasehold_actors::events::Subscription;
use leasehold_contract::{
    CancelExecution, Cancelled, CommandSource, CreateExecution, EngineResult, ExecutionSnapshot, Executions,
    FenceTriple, Reads, ReplayExecution, Replayed,
};
use leasehold_core::command::Operation;
use leasehold_core::error::EngineError;
use leasehold_core::ids::{ExecutionId, LaneId, Namespace};
use leasehold_core::state::PublicState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The lane of submissions and workers that name none.
pub const DEFAULT_LANE: &str = "default";

/// The namespace of submissions that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Who submits, unless a submission says it.
const CREATOR: &str = "client";

/// How many executions go to the engine together.
const BULK: usize = 500;

/// The pause before a wait that was interrupted goes on.
const WAIT_PAUSE: Duration = Duration::from_millis(50);

/// Submits executions and asks about them. Clones are cheap and mean the same
/// engine.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    engine: EngineHandle,
    lane: LaneId,
    namespace: Namespace,
    creator: Arc<str>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The label shown to people.
    pub public_state: PublicState,
    /// What its handler returned; none where there is no result.
    pub result: Option<Bytes>,
}

impl Outcome {
    /// Whether it ended well.
    pub fn is_success(&self) -> bool {
        self.public_state == PublicState::Completed
    }

    /// The result, read as JSON.
    ///
    /// # Errors
    ///
    /// What serde says; no result is read as `null`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.result.as_deref().unwrap_or(b"null"))
    }
}

impl Client {
    /// A client of an engine.
    pub fn new(engine: EngineHandle) -> Self {
        let inner = Inner {
            engine,
            lane: LaneId::new(DEFAULT_LANE),
            namespace: Namespace::new(DEFAULT_NAMESPACE),
            creator: CREATOR.into(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The engine.
    pub fn engine(&self) -> &EngineHandle {
        &self.inner.engine
    }

    /// A new execution of a kind, to be filled in and awaited.
    pub fn submit(&self, kind: impl Into<Arc<str>>, payload: impl Into<Bytes>) -> Submission {
        let inner = &self.inner;
        let args = CreateExecution {
            execution_id: ExecutionId::from_parts(0, uuid::Uuid::nil()),
            namespace: inner.namespace.clone(),
            lane_id: inner.lane.clone(),
            execution_kind: kind.into(),
            input_payload: payload.into(),
            payload_encoding: None,
            priority: 0,
            creator_identity: inner.creator.clone(),
            idempotency_key: None,
            tags: BTreeMap::new(),
            policy_json: None,
            delay_until: None,
            execution_deadline_at: None,
        };
        Submission::new(self.clone(), args)
    }

    /// As [`Self::submit`], with a payload that is written as JSON. What
    /// cannot be written is told when the submission is sent.
    pub fn submit_json(&self, kind: impl Into<Arc<str>>, payload: &impl Serialize) -> Submission {
        match serde_json::to_vec(payload) {
            Ok(json) => self.submit(kind, json).payload_encoding("json"),
            Err(error) => {
                self.submit(kind, Bytes::new()).refuse(EngineError::invalid_input(format!("payload: {error}")))
            }
        }
    }

    /// A flow of this kind, to be declared node by node and awaited. The kind
    /// is what the author calls it, at most 256 bytes.
    pub fn flow(&self, kind: impl Into<String>) -> Flow {
        Flow::new(self.clone(), kind.into())
    }

    /// Sends many submissions, 500 at a time; an answer each, in order.
    /// Those of one partition become durable together.
    pub async fn submit_many(&self, submissions: impl IntoIterator<Item = Submission>) -> Vec<EngineResult<Submitted>> {
        let mut submissions = submissions.into_iter().peekable();
        let mut answers = Vec::with_capacity(submissions.size_hint().0);
        while submissions.peek().is_some() {
            submission::send_chunk(&self.inner.engine, submissions.by_ref().take(BULK), &mut answers).await;
        }
        answers
    }

    /// Waits until an execution has ended, at most `max`.
    ///
    /// # Errors
    ///
    /// `timeout` when it has not; `execution_not_found`. A partition without
    /// an owner is waited for.
    pub async fn wait(&self, id: ExecutionId, max: Duration) -> EngineResult<Outcome> {
        let clock = &self.inner.engine.env().clock;
        let end = clock.monotonic() + max;
        let timeout = || EngineError::Timeout {
            op: "wait_terminal",
            elapsed_ms: u64::try_from(max.as_millis()).unwrap_or(u64::MAX),
        };
        loop {
            let left = end.saturating_sub(clock.monotonic());
            match self.inner.engine.wait_outcome(id, left).await {
                Ok(Some((public_state, result))) => return Ok(Outcome { public_state, result }),
                Ok(None) => return Err(timeout()),
                Err(error) if error.is_retryable() && clock.monotonic() < end => clock.sleep(WAIT_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// A snapshot; none when there is no such execution.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn inspect(&self, id: ExecutionId) -> EngineResult<Option<ExecutionSnapshot>> {
        self.inner.engine.describe_execution(id).await
    }

    /// The result; none when none is stored.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn result(&self, id: ExecutionId) -> EngineResult<Option<Bytes>> {
        self.inner.engine.get_execution_result(id).await
    }

    /// Cancels an execution, whatever it does.
    ///
    /// # Errors
    ///
    /// `execution_not_found`, `execution_not_active` where it has ended
    /// otherwise, and the retryable errors of the machinery.
    pub async fn cancel(&self, id: ExecutionId, reason: impl Into<String>) -> EngineResult<Cancelled> {
        let args = CancelExecution {
            execution_id: id,
            reason: reason.into(),
            source: CommandSource::OperatorOverride,
            fence: FenceTriple::NONE,
        };
        self.inner.engine.cancel_execution(args).await
    }

    /// Runs an execution that has ended once more.
    ///
    /// # Errors
    ///
    /// `execution_not_found`, `execution_not_terminal`,
    /// `max_replays_exhausted`.
    pub async fn replay(&self, id: ExecutionId, reason: impl Into<String>) -> EngineResult<Replayed> {
        let args = ReplayExecution {
            execution_id: id,
            requested_by: Some(self.inner.creator.to_string()),
            reason: Some(reason.into()),
        };
        self.inner.engine.replay_execution(args).await
    }

    /// Sends any operation to the actor of its partition and waits until its
    /// effect is durable. Takes a permit.
    ///
    /// # Errors
    ///
    /// What the operation's rule refuses, and the retryable errors of the
    /// machinery.
    pub async fn ask<O: Operation>(&self, operation: O) -> EngineResult<O::Outcome> {
        self.inner.engine.router().submit(operation).await
    }

    /// Sends any operation to the actor of its partition and waits for
    /// nothing: it is carried out at most once, and nobody learns whether.
    /// Takes a permit.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` and `partition_unavailable`, when it was not even
    /// sent.
    pub async fn tell<O: Operation>(&self, operation: O) -> EngineResult<()> {
        self.inner.engine.router().tell(operation.into_command()).await
    }

    /// Events of this node as they become durable, from now on. A subscriber
    /// that is too slow is told how many it lost.
    ///
    /// # Errors
    ///
    /// `unavailable` on an engine without a node.
    pub fn subscribe(&self) -> EngineResult<Subscription> {
        self.inner.engine.subscribe().ok_or(EngineError::Unavailable { op: "subscribe" })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("lane", &self.inner.lane).finish_non_exhaustive()
    }
}
