//! Starting and ending an engine.

use super::EngineHandle;
use crate::dispatcher::CurrentDispatcher;
use crate::env::Env;
use crate::events::{EventHub, Subscription};
use crate::fleet::{FleetHandle, Fleets};
use crate::identity::Identity;
use crate::lease::NodeLease;
use crate::node::{self, NodeArgs, NodeMsg, NodeStatus};
use crate::router::Router;
use crate::routes::Routes;
use leasehold_backend::StoreResult;
use leasehold_core::ids::NodeId;
use ractor::ActorRef;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What an engine's handle knows of the node behind it.
#[derive(Clone, Default)]
pub struct Node {
    pub(crate) actor: Option<ActorRef<NodeMsg>>,
    pub(crate) dispatcher: Arc<CurrentDispatcher>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) events: Option<EventHub>,
    pub(crate) fleets: Arc<Fleets>,
}

impl EngineHandle {
    /// Prepares the store, registers a node, takes every free partition and
    /// serves them.
    ///
    /// # Errors
    ///
    /// What the store refuses; nothing is left running then.
    pub async fn start(env: Env) -> StoreResult<Self> {
        let env = Arc::new(env);
        env.backend.prepare(&env.options.partitions).await?;
        let routes = Arc::new(Routes::new(env.options.partitions.num_flow_partitions));
        let events = EventHub::new(env.options.event_buffer);
        let dispatcher = Arc::new(CurrentDispatcher::default());
        let identity = Arc::new(Identity::default());
        let router = Router::new(env.clone(), routes.clone());
        let args = NodeArgs {
            env: env.clone(),
            router: router.clone(),
            routes,
            events: events.clone(),
            dispatcher: dispatcher.clone(),
            lease: Arc::new(NodeLease::new(env.clock.clone())),
            identity: identity.clone(),
        };
        let actor = node::start(args).await?;
        let node = Node { actor: Some(actor), dispatcher, identity, events: Some(events), fleets: Arc::default() };
        Ok(Self::new(env, router, node))
    }

    /// Ends the node at once: partitions stop, the node is buried, the store
    /// is closed. Call `shutdown_prepare` first to let work end.
    pub async fn shutdown(&self) {
        if let Some(actor) = &self.node.actor {
            let (port, done) = oneshot::channel();
            if actor.cast(NodeMsg::Shutdown(port)).is_ok() {
                // The actor going away by itself is as good.
                drop(done.await);
            }
        }
        self.env.backend.close().await;
    }

    /// Ends the node as a crash would: nothing is flushed, nobody is told,
    /// the store is left as it is. For tests of recovery.
    pub async fn crash(&self) {
        if let Some(actor) = &self.node.actor {
            actor.kill();
            let mut waited = 0;
            // Killing is a message too; give it its turns.
            while actor.get_status() != ractor::ActorStatus::Stopped && waited < 1000 {
                tokio::task::yield_now().await;
                waited += 1;
            }
        }
    }

    /// How the node stands; none when it has ended.
    pub async fn status(&self) -> Option<NodeStatus> {
        let (port, status) = oneshot::channel();
        self.node.actor.as_ref()?.cast(NodeMsg::Status(port)).ok()?;
        status.await.ok()
    }

    /// Says that an outside writer has committed something to the inbox, so
    /// that it is taken in at once rather than with the next sweep, also where
    /// another node on the store has to do it. May be left out, and may be
    /// said too often.
    pub fn announce(&self) {
        self.env.announcements.hint();
        self.env.backend.announce();
    }

    /// Durable events of this node from now on; none on a handle without a
    /// node.
    pub fn subscribe(&self) -> Option<Subscription> {
        self.node.events.as_ref().map(EventHub::subscribe)
    }

    /// The identity of the node's present life.
    pub fn identity(&self) -> Option<NodeId> {
        self.node.identity.get()
    }

    /// The node's actor, for what is to end with it; none on a handle without
    /// a node.
    pub(crate) fn node_cell(&self) -> Option<ractor::ActorCell> {
        self.node.actor.as_ref().map(ActorRef::get_cell)
    }

    /// The worker fleets of this engine that have not ended.
    pub fn fleets(&self) -> Vec<FleetHandle> {
        self.node.fleets.living()
    }

    /// What every actor is given.
    pub fn env(&self) -> &Arc<Env> {
        &self.env
    }

    /// The router, for callers that speak to partitions themselves.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// How workers of this process reach the dispatcher.
    pub fn dispatcher(&self) -> &Arc<CurrentDispatcher> {
        &self.node.dispatcher
    }
}
