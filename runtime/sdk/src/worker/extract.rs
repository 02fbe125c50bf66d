//! Extractors: what the arguments of a handler are made of.

use super::category;
use crate::waits::{Door, InProcess};
use bytes::Bytes;
use leasehold_actors::fleet::{HandlerContext, HandlerOutcome};
use leasehold_contract::Task;
use leasehold_core::backoff::FailureClass;
use leasehold_core::ids::LeaseFence;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// Shared values by their type.
#[derive(Clone, Default)]
pub(crate) struct DataMap(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl DataMap {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }
}

/// Where a call comes from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A fleet of the engine's own process.
    Fleet(HandlerContext),
    /// A worker that reaches the engine by HTTP.
    Remote {
        /// Cancelled when the lease is lost or given back, or the worker
        /// stops.
        token: CancellationToken,
        /// The way to the engine.
        door: Arc<dyn Door>,
    },
}

/// One call of a handler: its task, its lease and the worker's shared data.
pub struct Call {
    /// What is to be done.
    pub task: Task,
    origin: Origin,
    data: Arc<DataMap>,
    waits_taken: AtomicBool,
}

impl Call {
    pub(crate) fn new(task: Task, origin: Origin, data: Arc<DataMap>) -> Self {
        Self { task, origin, data, waits_taken: AtomicBool::new(false) }
    }

    /// The lease and the way to the engine.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] of the category `extractor_not_remote` in a worker that
    /// reaches its engine by HTTP.
    pub fn context(&self) -> Result<&HandlerContext, Rejection> {
        match &self.origin {
            Origin::Fleet(context) => Ok(context),
            Origin::Remote { .. } => Err(Rejection {
                reason: "only a worker in the engine's process has this".to_owned(),
                category: category::EXTRACTOR_NOT_REMOTE,
                class: FailureClass::Permanent,
            }),
        }
    }

    /// Cancelled when the lease is lost or given back, or the worker stops.
    pub fn token(&self) -> &CancellationToken {
        match &self.origin {
            Origin::Fleet(context) => context.token(),
            Origin::Remote { token, .. } => token,
        }
    }

    pub(crate) fn door(&self) -> Arc<dyn Door> {
        match &self.origin {
            Origin::Fleet(context) => Arc::new(InProcess::new(context.clone())),
            Origin::Remote { door, .. } => door.clone(),
        }
    }

    /// Whether this is the first to take the call's waits.
    pub(crate) fn take_waits(&self) -> bool {
        !self.waits_taken.swap(true, Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("execution", &self.task.claimed.execution_id).finish_non_exhaustive()
    }
}

/// Why an argument could not be made; the attempt fails with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For people.
    pub reason: String,
    /// For the retry policy.
    pub category: &'static str,
    /// What kind of failure.
    pub class: FailureClass,
}

impl From<Rejection> for HandlerOutcome {
    fn from(rejection: Rejection) -> Self {
        let Rejection { reason, category, class } = rejection;
        Self::Fail { reason, category: category.to_owned(), class }
    }
}

/// An argument of a handler.
pub trait FromCall: Sized + Send {
    /// Makes the argument.
    ///
    /// # Errors
    ///
    /// A [`Rejection`]; the handler is not called and the attempt fails.
    fn from_call(call: &Call) -> Result<Self, Rejection>;
}

/// The payload, read as JSON. What is no such JSON fails the attempt for good
/// with `extractor_payload_decode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<P>(pub P);

impl<P: DeserializeOwned + Send> FromCall for Payload<P> {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        serde_json::from_slice(&call.task.payload).map(Self).map_err(|error| Rejection {
            reason: format!("the payload is not a {}: {error}", type_name::<P>()),
            category: category::EXTRACTOR_PAYLOAD_DECODE,
            // The same bytes will not decode next time either.
            class: FailureClass::Permanent,
        })
    }
}

/// The payload as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadBytes(pub Bytes);

impl FromCall for PayloadBytes {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        Ok(Self(call.task.payload.clone()))
    }
}

/// A value the worker was given with `data`. A missing one fails the attempt
/// with `extractor_missing_state`.
#[derive(Debug)]
pub struct Data<T>(pub Arc<T>);

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> FromCall for Data<T> {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        call.data.get().map(Self).ok_or_else(|| Rejection {
            reason: format!("the worker was given no {}", type_name::<T>()),
            category: category::EXTRACTOR_MISSING_STATE,
            // Another worker, or this one after its next release, has it.
            class: FailureClass::Transient,
        })
    }
}

/// The task: ids, lane, kind, tags, counts.
#[derive(Clone, Debug)]
pub struct TaskInfo(pub Task);

impl Deref for TaskInfo {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.0
    }
}

impl FromCall for TaskInfo {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        Ok(Self(call.task.clone()))
    }
}

/// The token that is cancelled when the lease is lost or the worker drains.
#[derive(Clone, Debug)]
pub struct Cancel(pub CancellationToken);

impl Deref for Cancel {
    type Target = CancellationToken;

    fn deref(&self) -> &CancellationToken {
        &self.0
    }
}

impl FromCall for Cancel {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        Ok(Self(call.token().clone()))
    }
}

/// What proves the lease, for writes to systems that check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FenceOf(pub LeaseFence);

impl FromCall for FenceOf {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        Ok(Self(call.task.claimed.fence()))
    }
}

/// The lease and the way to the engine: progress, handle, partition time.
#[derive(Clone, Debug)]
pub struct Context(pub HandlerContext);

impl Deref for Context {
    type Target = HandlerContext;

    fn deref(&self) -> &HandlerContext {
        &self.0
    }
}

impl FromCall for Context {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        call.context().cloned().map(Self)
    }
}
