//! The worker runtime: a fleet whose handlers are chosen by kind.

use super::category;
use super::extract::{Call, DataMap, Origin};
use super::handler::{IntoHandler, KindHandler};
use futures::future::{BoxFuture, FutureExt};
use leasehold_actors::EngineHandle;
use leasehold_actors::fleet::{
    DrainReport, FleetHandle, FleetOptions, FleetStatus, Handler, HandlerContext, HandlerOutcome,
};
use leasehold_contract::{EngineResult, Task};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::error::EngineError;
use leasehold_core::ids::{LaneId, WorkerId, WorkerInstanceId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Where workers are made.
#[derive(Debug)]
pub struct WorkerRuntime;

impl WorkerRuntime {
    /// A worker on an engine, with the defaults: the name `worker`, the lane
    /// `default`, no capabilities, 64 slots, leases of 30 seconds.
    pub fn builder(engine: EngineHandle) -> WorkerBuilder {
        let instance = engine.env().entropy.uuid();
        let worker_id = WorkerId::new("worker");
        // A name and a uuid are always a name.
        let instance_id =
            WorkerInstanceId::try_new(format!("worker-{instance}")).unwrap_or_else(|_| WorkerInstanceId::new("worker"));
        let options = FleetOptions::new(worker_id, instance_id, vec![LaneId::new(crate::client::DEFAULT_LANE)]);
        WorkerBuilder { engine, options, handlers: HashMap::new(), data: DataMap::default(), refused: None }
    }
}

/// A worker that is not started yet.
pub struct WorkerBuilder {
    engine: EngineHandle,
    options: FleetOptions,
    handlers: HashMap<Arc<str>, Arc<dyn KindHandler>>,
    data: DataMap,
    /// The first refused argument; told by [`Self::start`].
    refused: Option<EngineError>,
}

impl WorkerBuilder {
    fn set<T, E: Into<EngineError>>(mut self, value: Result<T, E>, apply: impl FnOnce(&mut FleetOptions, T)) -> Self {
        match value {
            Ok(value) => apply(&mut self.options, value),
            Err(error) => self.refused = self.refused.or(Some(error.into())),
        }
        self
    }

    /// Names the logical worker; its instance gets a name that begins with
    /// it.
    #[must_use]
    pub fn worker_id(self, worker_id: impl AsRef<str>) -> Self {
        let worker_id = worker_id.as_ref();
        let instance = WorkerInstanceId::try_new(format!("{worker_id}-{}", self.engine.env().entropy.uuid()));
        self.set(WorkerId::try_new(worker_id), |options, id| options.worker_id = id)
            .set(instance, |options, id| options.worker_instance_id = id)
    }

    /// Names this instance of the worker; no two may run under one name.
    #[must_use]
    pub fn worker_instance_id(self, id: impl AsRef<str>) -> Self {
        self.set(WorkerInstanceId::try_new(id), |options, id| options.worker_instance_id = id)
    }

    /// From which lanes it takes work; 1 to 64.
    #[must_use]
    pub fn lanes<L: AsRef<str>>(self, lanes: impl IntoIterator<Item = L>) -> Self {
        let lanes: Result<Vec<_>, _> = lanes.into_iter().map(LaneId::try_new).collect();
        self.set(lanes, |options, lanes| options.lanes = lanes)
    }

    /// What it offers.
    #[must_use]
    pub fn capabilities<'a>(self, tokens: impl IntoIterator<Item = &'a str>) -> Self {
        self.set(CapabilitySet::parse_offered(tokens), |options, offered| options.capabilities = offered)
    }

    /// How many executions it runs at once; 1 to
    /// [`SLOTS_MAX`](crate::SLOTS_MAX).
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.options.slots = slots;
        self
    }

    /// How long each lease lasts; renewed every third of it. At least 100 ms.
    #[must_use]
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.options.lease_ttl = ttl;
        self
    }

    /// How many panics within a while are borne before it claims nothing
    /// more.
    #[must_use]
    pub fn panics(mut self, most: usize, window: Duration) -> Self {
        self.options.panics_max = most;
        self.options.panics_window = window;
        self
    }

    /// How long a drain waits, after it has cancelled the tokens, before it
    /// drops the futures of handlers that still run.
    #[must_use]
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.options.cancel_grace = grace;
        self
    }

    /// Shares a value with all handlers, which extract it as `Data<T>`. One
    /// of each type.
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// Registers the handler of a kind; a later one takes the place of an
    /// earlier.
    #[must_use]
    pub fn on<Marker>(mut self, kind: impl Into<Arc<str>>, handler: impl IntoHandler<Marker>) -> Self {
        self.handlers.insert(kind.into(), handler.into_handler());
        self
    }

    /// Starts the worker; it claims at once.
    ///
    /// # Errors
    ///
    /// `invalid_input` or `invalid_capabilities` for what it was built with;
    /// `unavailable` on an engine without a running node.
    pub async fn start(self) -> EngineResult<Worker> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let router = KindRouter { handlers: self.handlers, data: Arc::new(self.data) };
        let fleet = FleetHandle::start(self.engine, self.options, Arc::new(router)).await?;
        Ok(Worker { fleet })
    }
}

impl std::fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("options", &self.options)
            .field("kinds", &self.handlers.keys())
            .finish_non_exhaustive()
    }
}

/// Finds the handler of a task's kind.
struct KindRouter {
    handlers: HashMap<Arc<str>, Arc<dyn KindHandler>>,
    data: Arc<DataMap>,
}

impl Handler for KindRouter {
    fn run(&self, task: Task, context: HandlerContext) -> BoxFuture<'static, HandlerOutcome> {
        match self.handlers.get(&task.execution_kind) {
            Some(handler) => handler.call(Call::new(task, Origin::Fleet(context), self.data.clone())),
            None => std::future::ready(HandlerOutcome::Fail {
                reason: format!("no handler for {:?}", task.execution_kind),
                category: category::RUNTIME_NO_HANDLER.to_owned(),
                // Another worker of the lane may have one.
                class: FailureClass::Transient,
            })
            .boxed(),
        }
    }
}

/// A running worker. Clones mean the same one; dropping them does not end it.
#[derive(Clone, Debug)]
pub struct Worker {
    fleet: FleetHandle,
}

impl Worker {
    /// Changes how many executions run at once.
    ///
    /// # Errors
    ///
    /// `invalid_input` for a number outside 1 to
    /// [`SLOTS_MAX`](crate::SLOTS_MAX).
    pub fn resize(&self, slots: u32) -> EngineResult<()> {
        self.fleet.resize(slots)
    }

    /// Claims again after the worker has become unhealthy.
    pub fn resume(&self) {
        self.fleet.resume();
    }

    /// Ends the worker: claims nothing more, waits `grace` for the handlers,
    /// then cancels their tokens and gives back what still does not end.
    pub async fn drain(&self, grace: Duration) -> DrainReport {
        self.fleet.drain(grace).await
    }

    /// How it stands.
    pub fn status(&self) -> FleetStatus {
        self.fleet.status()
    }

    /// The fleet behind it.
    pub fn fleet(&self) -> &FleetHandle {
        &self.fleet
    }
}
