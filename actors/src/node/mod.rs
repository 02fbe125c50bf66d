//! The node: registers, takes partitions, and supervises what serves them.
//!
//! A node lives under one identity and one lease. When the lease is lost it
//! ends everything at once and begins a new life under a new identity; a
//! lapsed lease is never renewed.
//!
//! ```text
//! NodeActor ── heartbeat task
//!    ├── committer task          (its end ends the life)
//!    ├── DispatcherActor         (its end ends the life)
//!    ├── InboxActor              (its end ends the life)
//!    └── PartitionActor × n      (restarted alone, under a new epoch)
//! ```
//!
//! A partition that fails too often within a minute is released rather than
//! kept dead, and taken again with a later heartbeat.

mod life;
mod restarts;

use crate::env::Env;
use crate::events::EventHub;
use crate::lease::NodeLease;
use crate::router::Router;
use crate::routes::Routes;
use leasehold_backend::{StoreError, StoreResult, Taken};
use leasehold_core::ids::NodeId;
use life::Life;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use restarts::Restarts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a partition may fail within [`RESTART_WINDOW`].
const RESTARTS_MAX: usize = 10;

/// See [`RESTARTS_MAX`].
const RESTART_WINDOW: Duration = Duration::from_mins(1);

/// The pause before a life that could not begin is tried again.
const BEGIN_PAUSE: Duration = Duration::from_millis(200);

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its identity, while it lives.
    pub node: Option<NodeId>,
    /// Partitions it serves.
    pub served: u16,
    /// Partitions there are.
    pub partitions: u16,
    /// Whether its lease holds.
    pub lease_holds: bool,
    /// How much longer its lease holds without another heartbeat.
    pub lease_left: Duration,
}

/// What the node actor is told.
pub enum NodeMsg {
    /// Begin a life; whoever asked is told when it serves.
    Begin(Option<oneshot::Sender<StoreResult<()>>>),
    /// A life was registered and its partitions taken.
    Begun {
        /// Its identity and partitions.
        result: StoreResult<(NodeId, u64, Vec<Taken>)>,
        /// When the registration was sent, in monotonic time.
        sent: Duration,
        /// Who is told.
        port: Option<oneshot::Sender<StoreResult<()>>>,
    },
    /// A heartbeat was answered.
    Beat {
        /// Of which life.
        node: NodeId,
        /// When it was sent.
        sent: Duration,
        /// The answer.
        result: StoreResult<bool>,
    },
    /// Partitions were taken again.
    Retaken {
        /// Of which life.
        node: NodeId,
        /// Which.
        result: StoreResult<Vec<Taken>>,
    },
    /// The committer has ended.
    CommitterEnded(NodeId),
    /// How it stands.
    Status(oneshot::Sender<NodeStatus>),
    /// End this life, bury the node and stop.
    Shutdown(oneshot::Sender<()>),
}

/// The actor.
pub struct NodeActor;

/// What it starts with.
pub struct NodeArgs {
    /// The store, time and options.
    pub env: Arc<Env>,
    /// The way to the partitions.
    pub router: Router,
    /// The routes to fill.
    pub routes: Arc<Routes>,
    /// Where durable events go.
    pub events: EventHub,
    /// How workers reach the dispatcher of the present life.
    pub dispatcher: Arc<crate::dispatcher::CurrentDispatcher>,
    /// The lease to keep.
    pub lease: Arc<NodeLease>,
    /// The identity of the present life.
    pub identity: Arc<crate::identity::Identity>,
}

/// The state of a node actor.
pub struct NodeState {
    args: NodeArgs,
    life: Option<Life>,
    restarts: Restarts,
    retaking: Retaking,
}

/// Whether partitions are being taken again. One attempt at a time: a second
/// one would take the same partitions under another epoch, and whoever works
/// under the first would be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retaking {
    /// No.
    No,
    /// An attempt is under way.
    Once,
    /// And it was asked for again meanwhile.
    Again,
}

impl Actor for NodeActor {
    type Msg = NodeMsg;
    type State = NodeState;
    type Arguments = NodeArgs;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(NodeState {
            args,
            life: None,
            restarts: Restarts::new(RESTARTS_MAX, RESTART_WINDOW),
            retaking: Retaking::No,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(&myself, message).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, failure) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, Some(error.to_string())),
            SupervisionEvent::ActorTerminated(cell, _, reason) => (cell, reason),
            _ => return Ok(()),
        };
        state.child_ended(&myself, &cell, failure.as_deref());
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        state.end_life();
        Ok(())
    }
}

impl NodeState {
    async fn handle(&mut self, myself: &ActorRef<NodeMsg>, message: NodeMsg) {
        match message {
            NodeMsg::Begin(port) => self.begin(myself, port),
            NodeMsg::Begun { result, sent, port } => self.begun(myself, result, sent, port).await,
            NodeMsg::Beat { node, sent, result } => self.beat(myself, node, sent, result),
            NodeMsg::Retaken { node, result } => self.retaken(myself, node, result).await,
            NodeMsg::CommitterEnded(node) => {
                if self.life.as_ref().is_some_and(|life| life.node == node) {
                    tracing::error!("the committer has ended; beginning a new life");
                    self.begin_anew(myself);
                }
            }
            NodeMsg::Status(port) => drop(port.send(self.status())),
            NodeMsg::Shutdown(port) => {
                let node = self.life.as_ref().map(|life| life.node);
                self.end_life();
                let env = self.args.env.clone();
                let myself = myself.clone();
                tokio::spawn(async move {
                    if let Some(node) = node
                        && let Err(error) = env.backend.bury_node(node, true).await
                    {
                        tracing::warn!(%error, "the node could not be buried; its lease lapses by itself");
                    }
                    // Whoever asked may have gone.
                    port.send(()).unwrap_or(());
                    myself.stop(None);
                });
            }
        }
    }

    fn status(&self) -> NodeStatus {
        let partitions = self.args.routes.count();
        let unserved = u16::try_from(self.args.routes.unserved().len()).unwrap_or(u16::MAX);
        NodeStatus {
            node: self.life.as_ref().map(|life| life.node),
            served: partitions.saturating_sub(unserved),
            partitions,
            lease_holds: self.args.lease.holds(),
            lease_left: self.args.lease.left(),
        }
    }

    /// Registers under a new identity and takes what is free.
    fn begin(&mut self, myself: &ActorRef<NodeMsg>, port: Option<oneshot::Sender<StoreResult<()>>>) {
        let (env, myself) = (self.args.env.clone(), myself.clone());
        let partitions: Vec<u16> = (0..self.args.routes.count()).collect();
        tokio::spawn(async move {
            let node = NodeId::from_uuid(env.entropy.uuid());
            let nonce = env.entropy.next_u64();
            let sent = env.clock.monotonic();
            let result = life::register(&env, node, nonce, &partitions).await;
            let result = result.map(|taken| (node, nonce, taken));
            drop(myself.cast(NodeMsg::Begun { result, sent, port }));
        });
    }

    async fn begun(
        &mut self,
        myself: &ActorRef<NodeMsg>,
        result: StoreResult<(NodeId, u64, Vec<Taken>)>,
        sent: Duration,
        port: Option<oneshot::Sender<StoreResult<()>>>,
    ) {
        let (node, nonce, taken) = match result {
            Ok(begun) => begun,
            Err(error) => {
                tracing::error!(%error, "a node's life could not begin");
                match port {
                    Some(port) => drop(port.send(Err(error))),
                    None => self.begin_later(myself),
                }
                return;
            }
        };
        self.args.lease.extend(sent, self.args.env.options.node_lease);
        self.args.identity.set(node);
        let started = match Life::start(&self.args, myself, node, nonce).await {
            Ok(life) => {
                self.life = Some(life);
                self.serve(myself, taken).await;
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "a node's actors could not start");
                Err(StoreError::busy(error.to_string()))
            }
        };
        match port {
            Some(port) => drop(port.send(started)),
            None if started.is_err() => self.begin_later(myself),
            None => {}
        }
    }

    fn begin_later(&self, myself: &ActorRef<NodeMsg>) {
        let (clock, myself) = (self.args.env.clock.clone(), myself.clone());
        tokio::spawn(async move {
            clock.sleep(BEGIN_PAUSE).await;
            drop(myself.cast(NodeMsg::Begin(None)));
        });
    }

    /// Starts actors for partitions that were taken.
    async fn serve(&mut self, myself: &ActorRef<NodeMsg>, taken: Vec<Taken>) {
        let Some(life) = self.life.as_mut() else { return };
        for taken in taken {
            if let Err(error) = life.serve(&self.args, myself, taken).await {
                tracing::error!(partition = taken.partition, %error, "a partition's actor could not start");
            }
        }
        // What waited in the inbox for these partitions can be taken in now.
        self.args.env.announcements.hint();
    }

    fn beat(&mut self, myself: &ActorRef<NodeMsg>, node: NodeId, sent: Duration, result: StoreResult<bool>) {
        if self.life.as_ref().is_none_or(|life| life.node != node) {
            return;
        }
        match result {
            Ok(true) => {
                self.args.lease.extend(sent, self.args.env.options.node_lease);
                self.retake(myself, node);
                life::advertise(&self.args.routes);
            }
            Ok(false) => {
                tracing::error!(%node, "the node's lease is lost; beginning a new life");
                self.begin_anew(myself);
            }
            Err(error) => tracing::warn!(%error, "a heartbeat failed"),
        }
    }

    /// Takes partitions that nobody serves, where that is possible.
    fn retake(&mut self, myself: &ActorRef<NodeMsg>, node: NodeId) {
        let unserved = self.args.routes.unserved();
        let Some(life) = self.life.as_ref().filter(|_| !unserved.is_empty()) else { return };
        if self.retaking != Retaking::No {
            self.retaking = Retaking::Again;
            return;
        }
        self.retaking = Retaking::Once;
        let (env, myself, nonce) = (self.args.env.clone(), myself.clone(), life.nonce);
        tokio::spawn(async move {
            let result = life::take(&env, node, nonce, &unserved).await;
            drop(myself.cast(NodeMsg::Retaken { node, result }));
        });
    }

    async fn retaken(&mut self, myself: &ActorRef<NodeMsg>, node: NodeId, result: StoreResult<Vec<Taken>>) {
        if self.life.as_ref().is_none_or(|life| life.node != node) {
            return;
        }
        let again = std::mem::replace(&mut self.retaking, Retaking::No) == Retaking::Again;
        match result {
            Ok(taken) => self.serve(myself, taken).await,
            Err(error) => tracing::warn!(%error, "partitions could not be taken"),
        }
        if again {
            self.retake(myself, node);
        }
    }

    fn begin_anew(&mut self, myself: &ActorRef<NodeMsg>) {
        self.end_life();
        self.begin(myself, None);
    }

    fn end_life(&mut self) {
        self.args.lease.end();
        self.retaking = Retaking::No;
        if let Some(life) = self.life.take() {
            life.end(&self.args.routes);
        }
    }

    fn child_ended(&mut self, myself: &ActorRef<NodeMsg>, cell: &ractor::ActorCell, failure: Option<&str>) {
        let Some(life) = self.life.as_mut() else { return };
        if life.depends_on(cell.get_id()) {
            tracing::error!(failure, "the dispatcher or the inbox has ended; beginning a new life");
            self.begin_anew(myself);
            return;
        }
        let Some(partition) = life.forget(cell.get_id()) else { return };
        tracing::warn!(partition, failure, "a partition's actor has ended");
        self.args.routes.set(partition, None);
        life.dispatcher_handle().gone(partition);
        let node = life.node;
        if self.restarts.allow(partition, self.args.env.clock.monotonic()) {
            self.retake(myself, node);
        } else {
            tracing::error!(partition, "released after too many failures; the next heartbeat tries again");
        }
    }
}

/// Starts a node and waits until it serves.
///
/// # Errors
///
/// What the store refuses.
pub async fn start(args: NodeArgs) -> StoreResult<ActorRef<NodeMsg>> {
    let (actor, _) = NodeActor::spawn(None, NodeActor, args)
        .await
        .map_err(|error| StoreError::busy(format!("the node's actor could not start: {error}")))?;
    let (port, started) = oneshot::channel();
    if actor.cast(NodeMsg::Begin(Some(port))).is_err() {
        return Err(StoreError::busy("the node's actor has ended"));
    }
    match started.await {
        Ok(Ok(())) => Ok(actor),
        Ok(Err(error)) => {
            actor.stop(None);
            Err(error)
        }
        Err(_) => Err(StoreError::busy("the node's actor has ended")),
    }
}

/// The router over a node's routes.
pub fn router(env: &Arc<Env>, routes: &Arc<Routes>) -> Router {
    Router::new(env.clone(), routes.clone())
}
