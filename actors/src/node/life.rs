//! One life of a node: an identity, a lease, and the actors under it.

use super::{NodeArgs, NodeMsg};
use crate::committer::{Committer, CommitterHandle};
use crate::dispatcher::{DispatcherActor, DispatcherHandle};
use crate::env::Env;
use crate::inbox::{InboxActor, InboxArgs};
use crate::partition::{PartitionActor, PartitionArgs, PartitionHandle, PartitionMsg};
use crate::permits::{NodePermits, Permits};
use crate::routes::Routes;
use leasehold_backend::{StoreResult, Taken};
use leasehold_core::ids::NodeId;
use ractor::{Actor, ActorCell, ActorId, ActorRef, SpawnErr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Registers a node and takes what is free.
pub(super) async fn register(env: &Arc<Env>, node: NodeId, nonce: u64, partitions: &[u16]) -> StoreResult<Vec<Taken>> {
    let ttl_ms = u64::try_from(env.options.node_lease.as_millis()).unwrap_or(u64::MAX);
    env.backend.register_node(node, ttl_ms).await?;
    take(env, node, nonce, partitions).await
}

/// Buries nodes that are gone and takes what is free.
pub(super) async fn take(env: &Arc<Env>, node: NodeId, nonce: u64, partitions: &[u16]) -> StoreResult<Vec<Taken>> {
    let sent = env.clock.monotonic();
    let now = env.backend.now().await?;
    env.time.measured(sent, now);
    for row in env.backend.nodes().await? {
        if row.node != node && !row.dead && (env.backend.exclusive() || row.expires_at <= now) {
            env.backend.bury_node(row.node, env.backend.exclusive()).await?;
        }
    }
    let floor = u64::try_from(env.time.now().0).unwrap_or(0);
    env.backend.take_partitions(node, nonce, partitions, floor).await
}

/// Lets partitions say again what they have.
pub(super) fn advertise(routes: &Routes) {
    for partition in 0..routes.count() {
        if let Some(handle) = routes.get(partition)
            && handle.send(PartitionMsg::Advertise).is_err()
        {
            tracing::debug!(partition, "a partition that has ended was not asked what it has");
        }
    }
}

/// One life of a node.
pub(super) struct Life {
    pub(super) node: NodeId,
    pub(super) nonce: u64,
    dispatcher: DispatcherHandle,
    dispatcher_cell: ActorCell,
    /// Only where there are outside writers.
    inbox_cell: Option<ActorCell>,
    /// Each with partitions of its own.
    committers: Vec<(CommitterHandle, tokio::task::AbortHandle)>,
    heartbeat: tokio::task::AbortHandle,
    partitions: BTreeMap<u16, ActorCell>,
    node_permits: NodePermits,
}

impl Life {
    /// Starts what partitions need.
    pub(super) async fn start(
        args: &NodeArgs,
        supervisor: &ActorRef<NodeMsg>,
        node: NodeId,
        nonce: u64,
    ) -> Result<Self, SpawnErr> {
        let dispatcher = DispatcherHandle::default();
        let dispatcher_args = dispatcher.args(args.routes.clone(), args.env.options.claim_batch);
        let (actor, _) = Actor::spawn_linked(None, DispatcherActor, dispatcher_args, supervisor.get_cell()).await?;
        dispatcher.connect(actor.clone());
        let inbox_cell = match args.env.backend.watch() {
            Some(hints) => {
                let inbox_args = InboxArgs { env: args.env.clone(), router: args.router.clone(), hints };
                Some(Actor::spawn_linked(None, InboxActor, inbox_args, supervisor.get_cell()).await?.0.get_cell())
            }
            None => None,
        };
        let committers = (0..args.env.backend.committers().max(1)).map(|_| commit(args, supervisor, node, nonce));
        let committers = committers.collect();
        let heartbeat = heartbeat(args.env.clone(), supervisor.clone(), node);
        args.dispatcher.set(dispatcher.clone());
        Ok(Self {
            node,
            nonce,
            dispatcher,
            dispatcher_cell: actor.get_cell(),
            inbox_cell,
            committers,
            heartbeat,
            partitions: BTreeMap::new(),
            node_permits: NodePermits::new(args.env.options.permits_node),
        })
    }

    /// Starts the actor of a partition and routes to it.
    pub(super) async fn serve(
        &mut self,
        args: &NodeArgs,
        supervisor: &ActorRef<NodeMsg>,
        taken: Taken,
    ) -> Result<(), SpawnErr> {
        let partition = taken.partition;
        if args.routes.get(partition).is_some() {
            // Taken twice by overlapping attempts: the actor that runs finds
            // its epoch refused, ends, and the partition is taken once more.
            return Ok(());
        }
        let options = &args.env.options;
        let arguments = PartitionArgs {
            env: args.env.clone(),
            node: self.node,
            node_lease: args.lease.clone(),
            nonce: self.nonce,
            taken,
            committer: self.committers[usize::from(partition) % self.committers.len()].0.clone(),
            dispatcher: self.dispatcher.clone(),
            events: args.events.clone(),
        };
        let (actor, _) = Actor::spawn_linked(None, PartitionActor, arguments, supervisor.get_cell()).await?;
        let permits = Permits::new(
            options.permits_partition,
            options.permits_holders,
            self.node_permits.clone(),
            options.permit_wait,
        );
        self.partitions.insert(partition, actor.get_cell());
        args.routes.set(partition, Some(PartitionHandle::new(partition, actor, Arc::new(permits))));
        Ok(())
    }

    /// The dispatcher of this life.
    pub(super) fn dispatcher_handle(&self) -> &DispatcherHandle {
        &self.dispatcher
    }

    /// Whether this life ends with an actor: its dispatcher or its inbox.
    pub(super) fn depends_on(&self, id: ActorId) -> bool {
        let inbox = self.inbox_cell.as_ref().is_some_and(|cell| cell.get_id() == id);
        inbox || self.dispatcher_cell.get_id() == id
    }

    /// Forgets an actor that has ended; which partition it served.
    pub(super) fn forget(&mut self, id: ActorId) -> Option<u16> {
        let partition =
            self.partitions.iter().find(|(_, cell)| cell.get_id() == id).map(|(partition, _)| *partition)?;
        self.partitions.remove(&partition);
        Some(partition)
    }

    /// Ends everything at once. Partitions stop between two messages, so that
    /// their callers are told.
    pub(super) fn end(self, routes: &Routes) {
        self.heartbeat.abort();
        for (partition, cell) in &self.partitions {
            routes.set(*partition, None);
            cell.stop(Some("the node's life has ended".to_owned()));
        }
        self.dispatcher_cell.stop(None);
        if let Some(inbox) = &self.inbox_cell {
            inbox.stop(None);
        }
        // A commit under way is let go: its outcome is unknown to those who
        // wait, and the next epoch shuts it out.
        for (_, task) in &self.committers {
            task.abort();
        }
    }
}

/// Starts a committer.
fn commit(
    args: &NodeArgs,
    supervisor: &ActorRef<NodeMsg>,
    node: NodeId,
    nonce: u64,
) -> (CommitterHandle, tokio::task::AbortHandle) {
    let (committer, handle) = Committer::new(args.env.clone(), node, nonce);
    let task = tokio::spawn(committer.run());
    let aborted = task.abort_handle();
    let watcher = supervisor.clone();
    tokio::spawn(async move {
        // Whether it ended, panicked or was aborted: without it nothing
        // becomes durable.
        drop(task.await);
        drop(watcher.cast(NodeMsg::CommitterEnded(node)));
    });
    (handle, aborted)
}

fn heartbeat(env: Arc<Env>, supervisor: ActorRef<NodeMsg>, node: NodeId) -> tokio::task::AbortHandle {
    let ttl_ms = u64::try_from(env.options.node_lease.as_millis()).unwrap_or(u64::MAX);
    let task = tokio::spawn(async move {
        loop {
            env.clock.sleep(env.options.heartbeat_every).await;
            let sent = env.clock.monotonic();
            let result = env.backend.heartbeat_node(node, ttl_ms).await;
            if let Ok(Some(store)) = result {
                env.time.measured(sent, store);
            }
            let result = result.map(|renewed| renewed.is_some());
            if supervisor.cast(NodeMsg::Beat { node, sent, result }).is_err() {
                return;
            }
        }
    });
    task.abort_handle()
}
