//! A submission: a new execution as it is filled in.

use super::Client;
use futures::future::{BoxFuture, FutureExt};
use leasehold_actors::EngineHandle;
use leasehold_contract::{CreateExecution, CreateOutcome, EngineResult};
use leasehold_core::command::{Operation, Reply};
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::ids::{ExecutionId, LaneId, Namespace};
use leasehold_core::policy::ExecutionPolicy;
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use std::time::Duration;

/// What a submission came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The execution: the new one, or the one its key or id already stood
    /// for.
    pub execution_id: ExecutionId,
    /// Whether it had been there before. Its content was neither compared nor
    /// changed.
    pub duplicate: bool,
}

/// A new execution that is not sent yet; await it, or [`Self::send`] it.
#[must_use = "a submission does nothing until it is awaited"]
#[derive(Clone, Debug)]
pub struct Submission {
    client: Client,
    args: CreateExecution,
    given_id: Option<ExecutionId>,
    names_namespace: bool,
    delay: Option<Duration>,
    deadline: Option<Duration>,
    /// The first refused argument.
    refused: Option<EngineError>,
}

impl Submission {
    pub(super) fn new(client: Client, args: CreateExecution) -> Self {
        Self { client, args, given_id: None, names_namespace: false, delay: None, deadline: None, refused: None }
    }

    pub(super) fn refuse(mut self, error: EngineError) -> Self {
        self.refused = self.refused.or(Some(error));
        self
    }

    /// The queue it stands in; `default` unless said.
    pub fn lane(mut self, lane: impl AsRef<str>) -> Self {
        match LaneId::try_new(lane) {
            Ok(lane) => {
                self.args.lane_id = lane;
                self
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    /// The tenant; `default` unless said.
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        match Namespace::try_new(namespace) {
            Ok(namespace) => {
                self.args.namespace = namespace;
                self.names_namespace = true;
                self
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    /// Higher first; clamped to 0..=9000.
    pub fn priority(mut self, priority: i32) -> Self {
        self.args.priority = priority;
        self
    }

    /// A label; keys follow the grammar of tags.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.args.tags.insert(key.into(), value.into());
        self
    }

    /// How it is retried, timed out and routed.
    pub fn policy(mut self, policy: &ExecutionPolicy) -> Self {
        match serde_json::to_vec(policy) {
            Ok(json) => {
                self.args.policy_json = Some(json.into());
                self
            }
            Err(error) => self.refuse(EngineError::invalid_input(format!("policy: {error}"))),
        }
    }

    /// As [`Self::policy`], as JSON.
    pub fn policy_json(mut self, json: impl Into<bytes::Bytes>) -> Self {
        self.args.policy_json = Some(json.into());
        self
    }

    /// Not before this time has passed.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Not before this time.
    pub fn delay_until(mut self, at: TimestampMs) -> Self {
        self.args.delay_until = Some(at);
        self
    }

    /// Expires, whatever it does, when this time has passed.
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// Expires then, whatever it does.
    pub fn deadline_at(mut self, at: TimestampMs) -> Self {
        self.args.execution_deadline_at = Some(at);
        self
    }

    /// A repeat with the same key and namespace within the deduplication
    /// window finds the first one, whatever its content.
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.args.idempotency_key = Some(key.into());
        self
    }

    /// How the payload is encoded, for whoever reads it.
    pub fn payload_encoding(mut self, encoding: impl Into<Arc<str>>) -> Self {
        self.args.payload_encoding = Some(encoding.into());
        self
    }

    /// Who creates it; `client` unless said.
    pub fn creator(mut self, creator: impl Into<Arc<str>>) -> Self {
        self.args.creator_identity = creator.into();
        self
    }

    /// Under this id instead of a minted one, so that a submission whose
    /// outcome is unknown can be repeated. It narrows the deduplication of an
    /// idempotency key to the id's own partition.
    pub fn execution_id(mut self, id: ExecutionId) -> Self {
        self.given_id = Some(id);
        self
    }

    /// Sends it; the answer is durable.
    ///
    /// # Errors
    ///
    /// `invalid_input` and its kin for what it was filled with, and the
    /// retryable errors of the machinery.
    pub async fn send(self) -> EngineResult<Submitted> {
        let client = self.client.clone();
        let (args, minted) = self.finish()?;
        let router = client.inner.engine.router();
        submitted(router.submit_command(args.into_command(), minted).await?)
    }

    /// The arguments it would be sent with, under an id of its own, for a
    /// transactional create: the application leaves them in the store's inbox
    /// inside its own transaction.
    ///
    /// # Errors
    ///
    /// `invalid_input` and its kin for what it was filled with.
    pub fn into_create(self) -> EngineResult<CreateExecution> {
        let (args, _) = self.finish()?;
        args.check()?;
        Ok(args)
    }

    /// Whether it is to be made under an id of the caller's.
    pub(super) fn has_id(&self) -> bool {
        self.given_id.is_some()
    }

    /// The arguments as a node of a flow: under this id, and in this
    /// namespace, unless it names its own.
    pub(super) fn into_member(mut self, id: ExecutionId, namespace: &Namespace) -> EngineResult<CreateExecution> {
        self.given_id = self.given_id.or(Some(id));
        if !self.names_namespace {
            self.args.namespace = namespace.clone();
        }
        self.finish().map(|(args, _)| args)
    }

    /// The arguments, and whether the id was minted just now.
    fn finish(self) -> EngineResult<(CreateExecution, bool)> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let env = self.client.inner.engine.env();
        let mut args = self.args;
        let now = env.time.now();
        let after = |time: Duration| now.plus(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        if let Some(delay) = self.delay {
            args.delay_until = Some(after(delay));
        }
        if let Some(deadline) = self.deadline {
            args.execution_deadline_at = Some(after(deadline));
        }
        let partitions = &env.options.partitions;
        args.execution_id = self.given_id.unwrap_or_else(|| {
            let uuid = env.entropy.ordered_uuid(now.0);
            match args.idempotency_key.as_deref().filter(|key| !key.is_empty()) {
                Some(key) => ExecutionId::keyed(&args.namespace, key, uuid, partitions),
                None => ExecutionId::spread(uuid, partitions),
            }
        });
        Ok((args, self.given_id.is_none()))
    }
}

impl IntoFuture for Submission {
    type Output = EngineResult<Submitted>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

/// Sends submissions together and adds their answers in order.
pub(super) async fn send_chunk(
    engine: &EngineHandle,
    submissions: impl Iterator<Item = Submission>,
    answers: &mut Vec<EngineResult<Submitted>>,
) {
    let first = answers.len();
    let mut commands = Vec::with_capacity(submissions.size_hint().0);
    for submission in submissions {
        match submission.finish() {
            Ok((args, minted)) => {
                commands.push((args.into_command(), minted));
                // Stands for the answer until it is here.
                answers.push(Err(EngineError::OutcomeUnknown { op: "create_executions" }));
            }
            Err(error) => answers.push(Err(error)),
        }
    }
    let replies = engine.router().submit_bulk(commands).await;
    let waiting =
        answers[first..].iter_mut().filter(|answer| matches!(answer, Err(EngineError::OutcomeUnknown { .. })));
    for (answer, reply) in waiting.zip(replies) {
        *answer = reply.and_then(submitted);
    }
}

fn submitted(reply: Reply) -> EngineResult<Submitted> {
    match CreateExecution::outcome(reply) {
        Ok(CreateOutcome::Created { execution_id, .. }) => Ok(Submitted { execution_id, duplicate: false }),
        Ok(CreateOutcome::Duplicate { execution_id }) => Ok(Submitted { execution_id, duplicate: true }),
        Err(_) => Err(EngineError::bug(BugKind::Panic, "a submission was answered by another operation")),
    }
}
