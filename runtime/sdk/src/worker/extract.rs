//! Extractors: what the arguments of a handler are made of.

use super::category;
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
pub(super) struct DataMap(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl DataMap {
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }
}

/// One call of a handler: its task, its lease and the worker's shared data.
pub struct Call {
    /// What is to be done.
    pub task: Task,
    /// Under which lease.
    pub context: HandlerContext,
    pub(super) data: Arc<DataMap>,
    waits_taken: AtomicBool,
}

impl Call {
    pub(super) fn new(task: Task, context: HandlerContext, data: Arc<DataMap>) -> Self {
        Self { task, context, data, waits_taken: AtomicBool::new(false) }
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
        Ok(Self(call.context.token().clone()))
    }
}

/// What proves the lease, for writes to systems that check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FenceOf(pub LeaseFence);

impl FromCall for FenceOf {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        Ok(Self(call.context.fence()))
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
        Ok(Self(call.context.clone()))
    }
}
