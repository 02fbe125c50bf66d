//! The fleet's actor: resizes, drains, and restarts the fleet's loops.

use super::intensity::Intensity;
use super::options::{self, FleetOptions};
use super::pool::{FleetHealth, FleetStatus, Pool};
use super::{Handler, intake, renewals};
use crate::engine::EngineHandle;
use leasehold_contract::EngineResult;
use leasehold_core::error::EngineError;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How often the fleet's own loops may fail within [`LOOP_WINDOW`].
const LOOP_FAILURES_MAX: usize = 10;

/// See [`LOOP_FAILURES_MAX`].
const LOOP_WINDOW: Duration = Duration::from_mins(1);

/// The pause before a loop that failed is started again.
const LOOP_PAUSE: Duration = Duration::from_millis(100);

/// How long a drain waits for the engine's answers after it has dropped the
/// last futures.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// One of the fleet's loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetLoop {
    /// Takes tasks in.
    Intake,
    /// Renews leases.
    Renewals,
}

/// What a fleet's actor is told.
#[derive(Debug)]
pub enum FleetMsg {
    /// Run so many at once.
    Resize(u32),
    /// Claim again after having been unhealthy.
    Resume,
    /// End: claim nothing, wait so long, cancel, give back.
    Drain(Duration, oneshot::Sender<DrainReport>),
    /// A loop has panicked.
    LoopFailed(FleetLoop),
    /// The pause after a loop's failure is over.
    StartLoop(FleetLoop),
}

/// What a drain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Leases given back, for handlers that did not end in time.
    pub given_back: u64,
    /// Handlers that could not be ended: they block their thread. Their
    /// leases lapse when they are not renewed any more.
    pub stuck: u32,
}

/// The actor.
struct FleetActor;

struct FleetState {
    pool: Arc<Pool>,
    loops: Vec<(FleetLoop, AbortHandle)>,
    failures: Intensity,
}

impl Drop for FleetState {
    // The actor may be killed with its node; its loops and handlers must not
    // outlive it.
    fn drop(&mut self) {
        self.pool.end();
        for (_, task) in &self.loops {
            task.abort();
        }
    }
}

impl Actor for FleetActor {
    type Msg = FleetMsg;
    type State = FleetState;
    type Arguments = Arc<Pool>;

    async fn pre_start(&self, _: ActorRef<FleetMsg>, pool: Arc<Pool>) -> Result<FleetState, ActorProcessingErr> {
        Ok(FleetState { pool, loops: Vec::new(), failures: Intensity::new(LOOP_FAILURES_MAX, LOOP_WINDOW) })
    }

    async fn post_start(&self, myself: ActorRef<FleetMsg>, state: &mut FleetState) -> Result<(), ActorProcessingErr> {
        state.start(&myself, FleetLoop::Intake);
        state.start(&myself, FleetLoop::Renewals);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<FleetMsg>,
        message: FleetMsg,
        state: &mut FleetState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FleetMsg::Resize(slots) => state.pool.resize(slots),
            FleetMsg::Resume => state.pool.resume(),
            FleetMsg::Drain(grace, port) => {
                state.pool.begin_drain();
                tokio::spawn(drain(state.pool.clone(), grace, port, myself));
            }
            FleetMsg::LoopFailed(which) => state.loop_failed(&myself, which),
            FleetMsg::StartLoop(which) => state.start(&myself, which),
        }
        Ok(())
    }
}

impl FleetState {
    fn start(&mut self, myself: &ActorRef<FleetMsg>, which: FleetLoop) {
        let pool = self.pool.clone();
        let task = match which {
            FleetLoop::Intake => tokio::spawn(intake::run(pool)),
            FleetLoop::Renewals => tokio::spawn(renewals::run(pool)),
        };
        self.loops.retain(|(other, _)| *other != which);
        self.loops.push((which, task.abort_handle()));
        let myself = myself.clone();
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) && myself.cast(FleetMsg::LoopFailed(which)).is_err() {
                tracing::debug!(?which, "a loop failed after its fleet had ended");
            }
        });
    }

    fn loop_failed(&mut self, myself: &ActorRef<FleetMsg>, which: FleetLoop) {
        tracing::error!(?which, "a loop of a fleet has panicked");
        if which == FleetLoop::Intake {
            self.pool.close();
            self.pool.closed();
        }
        if !self.failures.bears(self.pool.engine.env().clock.monotonic()) {
            // Renewals go on whatever happens: handlers still run.
            self.pool.give_up();
        }
        let (pool, myself) = (self.pool.clone(), myself.clone());
        tokio::spawn(async move {
            pool.sleep(LOOP_PAUSE).await;
            if myself.cast(FleetMsg::StartLoop(which)).is_err() {
                tracing::debug!(?which, "a fleet ended before its loop was started again");
            }
        });
    }
}

/// Ends a fleet whose intake was told to stop.
async fn drain(pool: Arc<Pool>, grace: Duration, port: oneshot::Sender<DrainReport>, actor: ActorRef<FleetMsg>) {
    let mut quiet = within(&pool, grace).await;
    if !quiet {
        pool.cancel_all();
        quiet = within(&pool, pool.options.cancel_grace).await;
    }
    if !quiet {
        // A future that is dropped has ended; only then may its lease go to
        // somebody else.
        pool.abandon.cancel();
        quiet = within(&pool, ANSWER_GRACE).await;
    }
    let stuck = if quiet { 0 } else { pool.status().running };
    if stuck > 0 {
        tracing::error!(worker = %pool.options.worker_instance_id, stuck, "handlers block their threads");
    }
    let report = DrainReport { given_back: pool.given_back(), stuck };
    actor.stop(None);
    // Whoever asked may have gone.
    port.send(report).unwrap_or_default();
}

/// Whether all handlers end within a time.
async fn within(pool: &Pool, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = pool.until_idle() => true,
        () = pool.sleep(time) => false,
    }
}

/// How a fleet is reached. Clones mean the same fleet; dropping them does not
/// end it.
#[derive(Clone)]
pub struct FleetHandle {
    actor: ActorRef<FleetMsg>,
    pool: Arc<Pool>,
}

impl FleetHandle {
    /// Starts a fleet on an engine. It claims at once, and ends with the
    /// engine's node at the latest.
    ///
    /// # Errors
    ///
    /// `invalid_input` for bad options; `unavailable` on an engine without a
    /// running node.
    pub async fn start(engine: EngineHandle, options: FleetOptions, handler: Arc<dyn Handler>) -> EngineResult<Self> {
        options.validate()?;
        let unavailable = || EngineError::Unavailable { op: "fleet" };
        let node = engine.node_cell().ok_or_else(unavailable)?;
        let pool = Arc::new(Pool::new(engine, options, handler));
        let (actor, _) = Actor::spawn_linked(None, FleetActor, pool.clone(), node).await.map_err(|_| unavailable())?;
        let fleet = Self { actor, pool };
        fleet.pool.engine.node.fleets.add(&fleet);
        Ok(fleet)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.pool.is_over() || self.actor.get_status() == ActorStatus::Stopped
    }

    /// A handle that does not keep the fleet's engine alive.
    pub(super) fn downgrade(&self) -> WeakFleet {
        WeakFleet { actor: self.actor.clone(), pool: Arc::downgrade(&self.pool) }
    }

    /// Changes how many executions run at once. With fewer, those that run
    /// go on to their end.
    ///
    /// # Errors
    ///
    /// `invalid_input` for a number outside 1 to
    /// [`SLOTS_MAX`](super::SLOTS_MAX).
    pub fn resize(&self, slots: u32) -> EngineResult<()> {
        options::check_slots(slots)?;
        self.tell(FleetMsg::Resize(slots));
        Ok(())
    }

    /// Claims again after the fleet has become unhealthy.
    pub fn resume(&self) {
        self.tell(FleetMsg::Resume);
    }

    fn tell(&self, message: FleetMsg) {
        if self.actor.cast(message).is_err() {
            tracing::debug!(worker = %self.pool.options.worker_instance_id, "the fleet has ended");
        }
    }

    /// Ends the fleet: claims nothing more, waits `grace` for the handlers,
    /// then cancels their tokens, gives back the leases of those that still do
    /// not end, and stops.
    pub async fn drain(&self, grace: Duration) -> DrainReport {
        let (port, report) = oneshot::channel();
        self.tell(FleetMsg::Drain(grace, port));
        report
            .await
            .unwrap_or_else(|_| DrainReport { given_back: self.pool.given_back(), stuck: self.pool.status().running })
    }

    /// How the fleet stands.
    pub fn status(&self) -> FleetStatus {
        let mut status = self.pool.status();
        if self.has_ended() {
            status.health = FleetHealth::Stopped;
        }
        status
    }

    /// What it was started with.
    pub fn options(&self) -> &FleetOptions {
        &self.pool.options
    }
}

/// See [`FleetHandle::downgrade`].
pub(super) struct WeakFleet {
    actor: ActorRef<FleetMsg>,
    pool: Weak<Pool>,
}

impl WeakFleet {
    /// The fleet, unless it has ended.
    pub(super) fn upgrade(&self) -> Option<FleetHandle> {
        let fleet = FleetHandle { actor: self.actor.clone(), pool: self.pool.upgrade()? };
        (!fleet.has_ended()).then_some(fleet)
    }
}

impl std::fmt::Debug for FleetHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetHandle").field("status", &self.status()).finish_non_exhaustive()
    }
}
