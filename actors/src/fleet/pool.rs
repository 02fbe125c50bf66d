//! What the loops and handlers of a fleet share: slots, leases and health.

use super::Handler;
use super::intensity::Intensity;
use super::lease::Lease;
use super::options::FleetOptions;
use crate::dispatcher::{DispatcherHandle, WorkerKey, WorkerSpec};
use crate::engine::EngineHandle;
use leasehold_contract::Task;
use leasehold_core::ids::LeaseId;
use leasehold_core::record::Holder;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How a fleet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetHealth {
    /// It claims.
    Claiming,
    /// Its handlers, or its own loops, have failed too often; it claims
    /// nothing until it is told to resume.
    Unhealthy,
    /// It claims nothing any more and waits for its handlers.
    Draining,
    /// It has ended.
    Stopped,
}

/// How a fleet stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetStatus {
    /// How it is.
    pub health: FleetHealth,
    /// How many executions it may run at once.
    pub slots: u32,
    /// How many handlers have not ended.
    pub running: u32,
    /// Handlers that panicked since the start.
    pub panics: u64,
}

/// What the intake is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Claim; a new number asks for opening anew.
    Claim(u64),
    /// Claim nothing.
    Rest,
    /// End.
    Stop,
}

struct Session {
    dispatcher: DispatcherHandle,
    key: WorkerKey,
}

struct State {
    health: FleetHealth,
    slots: u32,
    /// Credits at the dispatcher and tasks on their way.
    offered: u32,
    session: Option<Session>,
    /// Tasks may still come in, or have to be given back.
    taking: bool,
    leases: BTreeMap<LeaseId, Arc<Lease>>,
    panics: Intensity,
    openings: u64,
}

/// What a fleet shares.
pub(super) struct Pool {
    pub(super) engine: EngineHandle,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) options: FleetOptions,
    /// Futures of handlers are dropped from here on.
    pub(super) abandon: CancellationToken,
    /// There is a lease to renew.
    pub(super) busy: Notify,
    /// The last handler has ended.
    idle: Notify,
    wanted: watch::Sender<Wanted>,
    state: Mutex<State>,
    panics: AtomicU64,
    given_back: AtomicU64,
    over: AtomicBool,
}

impl Pool {
    pub(super) fn new(engine: EngineHandle, options: FleetOptions, handler: Arc<dyn Handler>) -> Self {
        let state = State {
            health: FleetHealth::Claiming,
            slots: options.slots,
            offered: 0,
            session: None,
            taking: false,
            leases: BTreeMap::new(),
            panics: Intensity::new(options.panics_max, options.panics_window),
            openings: 0,
        };
        Self {
            engine,
            handler,
            options,
            abandon: CancellationToken::new(),
            busy: Notify::new(),
            idle: Notify::new(),
            wanted: watch::Sender::new(Wanted::Claim(0)),
            state: Mutex::new(state),
            panics: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Partition time.
    pub(super) fn now(&self) -> TimestampMs {
        self.engine.env().time.now()
    }

    /// What the intake is to do, and word of every change.
    pub(super) fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// How it stands.
    pub(super) fn status(&self) -> FleetStatus {
        let state = self.lock();
        FleetStatus {
            health: if self.is_over() { FleetHealth::Stopped } else { state.health },
            slots: state.slots,
            running: state.running(),
            panics: self.panics.load(Ordering::Relaxed),
        }
    }

    /// Opens with a dispatcher under the identity of the present life, with a
    /// credit for every free slot. False before the first life.
    pub(super) fn open(&self, dispatcher: DispatcherHandle, sink: mpsc::Sender<Vec<Task>>) -> bool {
        let Some(node) = self.engine.identity() else { return false };
        let spec = WorkerSpec {
            lanes: self.options.lanes.clone(),
            worker_id: self.options.worker_id.clone(),
            worker_instance_id: self.options.worker_instance_id.clone(),
            holder: Holder::Node(node),
            capabilities: self.options.capabilities.clone(),
            lease_ttl_ms: self.options.lease_ttl_ms(),
            request_id: None,
        };
        let mut state = self.lock();
        let credits = state.slots.saturating_sub(state.running());
        let key = dispatcher.open(spec, sink, credits);
        state.offered = credits;
        state.session = Some(Session { dispatcher, key });
        state.taking = true;
        true
    }

    /// Leaves the dispatcher; its credits are void.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.offered = 0;
        if let Some(session) = state.session.take() {
            session.dispatcher.close(session.key);
        }
    }

    /// What had been delivered before the fleet left has been taken in.
    pub(super) fn closed(&self) {
        self.lock().taking = false;
        self.idle.notify_waiters();
    }

    /// Takes tasks in: each gets the slot its credit stood for.
    pub(super) fn admit(&self, tasks: &[Task]) -> Vec<Arc<Lease>> {
        let leases: Vec<_> = tasks.iter().map(|task| Arc::new(Lease::new(task.claimed.clone()))).collect();
        let mut state = self.lock();
        let first = state.leases.is_empty();
        state.offered = state.offered.saturating_sub(u32::try_from(leases.len()).unwrap_or(u32::MAX));
        for lease in &leases {
            state.leases.insert(lease.claimed.lease_id, lease.clone());
        }
        drop(state);
        if first {
            self.busy.notify_one();
        }
        leases
    }

    /// Frees the slot of a handler that has ended, and offers it again.
    pub(super) fn release(&self, lease: &Lease) {
        let mut state = self.lock();
        state.leases.remove(&lease.claimed.lease_id);
        state.offer();
        let idle = state.leases.is_empty();
        drop(state);
        if idle {
            self.idle.notify_waiters();
        }
    }

    /// Changes the number of slots. Fewer take effect as handlers end.
    pub(super) fn resize(&self, slots: u32) {
        let mut state = self.lock();
        state.slots = slots;
        if state.offered > 0 && state.offered.saturating_add(state.running()) > slots {
            // Credits cannot be taken back one by one.
            self.open_anew(&mut state);
        } else {
            state.offer();
        }
    }

    fn open_anew(&self, state: &mut State) {
        if state.health == FleetHealth::Claiming {
            state.openings += 1;
            self.wanted.send_replace(Wanted::Claim(state.openings));
        }
    }

    /// A handler has panicked.
    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        let now = self.engine.env().clock.monotonic();
        let mut state = self.lock();
        if !state.panics.bears(now) && state.health == FleetHealth::Claiming {
            tracing::error!(worker = %self.options.worker_instance_id, "too many panics; claiming nothing more");
            self.rest(&mut state, FleetHealth::Unhealthy);
        }
    }

    /// The fleet's own loops have failed too often.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        if state.health == FleetHealth::Claiming {
            self.rest(&mut state, FleetHealth::Unhealthy);
        }
    }

    fn rest(&self, state: &mut State, health: FleetHealth) {
        state.health = health;
        self.wanted.send_replace(Wanted::Rest);
    }

    /// Claims again after having been unhealthy.
    pub(super) fn resume(&self) {
        let mut state = self.lock();
        if state.health == FleetHealth::Unhealthy {
            state.health = FleetHealth::Claiming;
            state.panics.reset();
            self.open_anew(&mut state);
        }
    }

    /// Claims nothing any more.
    pub(super) fn begin_drain(&self) {
        let mut state = self.lock();
        state.health = FleetHealth::Draining;
        self.wanted.send_replace(Wanted::Stop);
    }

    /// Whether tasks that arrive now may still be started.
    pub(super) fn takes_tasks(&self) -> bool {
        self.lock().health == FleetHealth::Claiming && !self.is_over()
    }

    /// Ends when no handler runs and no task can come.
    pub(super) async fn until_idle(&self) {
        loop {
            let ended = self.idle.notified();
            if self.lock().is_quiet() {
                return;
            }
            ended.await;
        }
    }

    /// Whether no handler runs.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().leases.is_empty()
    }

    /// The leases whose renewal is to be sent by `by`; those whose time has
    /// passed at `now` are lost.
    pub(super) fn to_renew(&self, now: TimestampMs, by: TimestampMs) -> Vec<Arc<Lease>> {
        let state = self.lock();
        let mut due = Vec::new();
        for lease in state.leases.values() {
            if lease.has_lapsed(now) {
                lease.lose();
            }
            if lease.begin_renewal(by) {
                due.push(lease.clone());
            }
        }
        due
    }

    /// Cancels the tokens of all handlers.
    pub(super) fn cancel_all(&self) {
        for lease in self.lock().leases.values() {
            lease.token.cancel();
        }
    }

    /// A lease was given back for a handler whose future was dropped.
    pub(super) fn gave_back(&self) {
        self.given_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Leases given back so far.
    pub(super) fn given_back(&self) -> u64 {
        self.given_back.load(Ordering::Relaxed)
    }

    /// The fleet's actor has gone, in whatever way: nothing goes on.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.wanted.send_replace(Wanted::Stop);
        self.close();
        self.cancel_all();
        self.abandon.cancel();
    }

    /// Whether the fleet has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits in the engine's time.
    pub(super) async fn sleep(&self, duration: Duration) {
        self.engine.env().clock.sleep(duration).await;
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.leases.is_empty() && !self.taking
    }

    fn running(&self) -> u32 {
        u32::try_from(self.leases.len()).unwrap_or(u32::MAX)
    }

    /// Gives the dispatcher a credit for every slot that is free.
    fn offer(&mut self) {
        let room = self.slots.saturating_sub(self.offered.saturating_add(self.running()));
        if room > 0
            && let Some(session) = &self.session
        {
            session.dispatcher.credit(session.key, room);
            self.offered += room;
        }
    }
}
