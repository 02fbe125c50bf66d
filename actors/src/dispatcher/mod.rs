//! The dispatcher: one per node, matching demand and supply by push.
//!
//! Partitions say what they have (*heads*), workers say how much more they
//! can take (*credits*). The dispatcher asks the partition with the best head
//! to claim for a worker; the tasks go from the partition to the worker once
//! they are durable. What it asks for counts as taken on both sides, so that a
//! claim that gets it all needs no further word. It holds no durable state:
//! heads are absolute, said again every few seconds, so that losing one costs
//! nothing for long.

mod current;
mod heads;

use crate::partition::{ClaimRequest, ClaimSink, PartitionMsg};
use crate::routes::Routes;
pub use current::CurrentDispatcher;
use heads::Heads;
use leasehold_backend::ReadyGroup;
use leasehold_contract::Task;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{LaneId, RequestId, WorkerId, WorkerInstanceId};
use leasehold_core::record::Holder;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// A worker as the dispatcher sees it.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    /// From which lanes.
    pub lanes: Vec<LaneId>,
    /// The logical worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// Where it runs.
    pub holder: Holder,
    /// What it offers.
    pub capabilities: CapabilitySet,
    /// How long each lease lasts.
    pub lease_ttl_ms: u64,
    /// The request this answers, for one that polls.
    pub request_id: Option<RequestId>,
}

/// Names a worker while it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerKey(u64);

/// What the dispatcher is told.
pub enum DispatcherMsg {
    /// A partition has, or no longer has, work of a group.
    Head {
        /// Which partition.
        partition: u16,
        /// Which group.
        group: ReadyGroup,
        /// Best rank and how many.
        head: Option<(i64, usize)>,
    },
    /// A partition is no longer here.
    Gone(u16),
    /// A worker comes, with credits.
    Open(WorkerKey, Box<WorkerSpec>, mpsc::Sender<Vec<Task>>, u32),
    /// A worker can take more.
    Credit(WorkerKey, u32),
    /// A worker leaves.
    Close(WorkerKey),
    /// A claim has ended with fewer than were asked for.
    Claimed {
        /// For whom.
        worker: WorkerKey,
        /// Where.
        partition: u16,
        /// How many were asked for.
        asked: u32,
        /// How many came.
        got: u32,
    },
    /// Match what has gathered.
    Match,
    /// Tell a partition once what it has offered so far is matched.
    Gather {
        /// Which actor.
        partition: ActorRef<PartitionMsg>,
        /// Its incarnation.
        life: u64,
        /// The start of its slot.
        turn: u64,
    },
}

/// How everybody reaches the dispatcher.
///
/// A handle exists before its actor and survives it: partitions are started
/// with one, and a restarted dispatcher takes the place of the old.
#[derive(Clone, Default)]
pub struct DispatcherHandle {
    inner: Arc<HandleInner>,
}

#[derive(Default)]
struct HandleInner {
    actor: OnceLock<ActorRef<DispatcherMsg>>,
    next_worker: AtomicU64,
    /// Whether a worker has credits left, about.
    hungry: Arc<AtomicBool>,
}

impl DispatcherHandle {
    /// What an actor starts with that this handle is for.
    pub fn args(&self, routes: Arc<Routes>, claim_batch: u32) -> DispatcherArgs {
        DispatcherArgs { routes, claim_batch, hungry: self.inner.hungry.clone() }
    }

    /// Connects the handle to its actor; the first one stays.
    pub fn connect(&self, actor: ActorRef<DispatcherMsg>) {
        drop(self.inner.actor.set(actor));
    }

    fn send(&self, message: DispatcherMsg) -> bool {
        // A dispatcher that is gone is replaced with its node's whole life.
        let sent = self.inner.actor.get().is_some_and(|actor| actor.cast(message).is_ok());
        if !sent {
            tracing::debug!("the dispatcher is gone");
        }
        sent
    }

    /// Asks to be told [`PartitionMsg::Gathered`] behind the claims for what
    /// the partition has offered so far. False, and no word comes, while no
    /// worker waits.
    pub fn gather(&self, partition: &ActorRef<PartitionMsg>, life: u64, turn: u64) -> bool {
        self.inner.hungry.load(Ordering::Relaxed)
            && self.send(DispatcherMsg::Gather { partition: partition.clone(), life, turn })
    }

    /// A partition has, or no longer has, work of a group.
    pub fn head(&self, partition: u16, group: ReadyGroup, head: Option<(i64, usize)>) {
        self.send(DispatcherMsg::Head { partition, group, head });
    }

    /// A partition is no longer here.
    pub fn gone(&self, partition: u16) {
        self.send(DispatcherMsg::Gone(partition));
    }

    /// A worker comes; tasks arrive on `sink`.
    pub fn open(&self, spec: WorkerSpec, sink: mpsc::Sender<Vec<Task>>, credits: u32) -> WorkerKey {
        let key = WorkerKey(self.inner.next_worker.fetch_add(1, Ordering::Relaxed));
        self.send(DispatcherMsg::Open(key, Box::new(spec), sink, credits));
        key
    }

    /// A worker can take more.
    pub fn credit(&self, worker: WorkerKey, credits: u32) {
        self.send(DispatcherMsg::Credit(worker, credits));
    }

    /// A worker leaves; tasks already claimed for it are given back when its
    /// sink is closed.
    pub fn close(&self, worker: WorkerKey) {
        self.send(DispatcherMsg::Close(worker));
    }
}

/// The actor.
pub struct DispatcherActor;

/// What it starts with.
pub struct DispatcherArgs {
    routes: Arc<Routes>,
    /// Executions one claim takes from one partition at most.
    claim_batch: u32,
    hungry: Arc<AtomicBool>,
}

struct Worker {
    spec: Box<WorkerSpec>,
    sink: mpsc::Sender<Vec<Task>>,
    credits: u32,
}

/// The state of the dispatcher.
pub struct DispatcherState {
    routes: Arc<Routes>,
    claim_batch: u32,
    heads: Heads,
    workers: BTreeMap<WorkerKey, Worker>,
    /// Where the next round begins, so that no worker is always first.
    turn: WorkerKey,
    match_queued: bool,
    /// Who is told once what was offered is matched.
    gathering: Vec<Gathering>,
    hungry: Arc<AtomicBool>,
    myself: ActorRef<DispatcherMsg>,
}

/// A partition that waits for claims before it commits.
struct Gathering {
    partition: ActorRef<PartitionMsg>,
    life: u64,
    turn: u64,
}

impl Actor for DispatcherActor {
    type Msg = DispatcherMsg;
    type State = DispatcherState;
    type Arguments = DispatcherArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(DispatcherState {
            routes: args.routes,
            claim_batch: args.claim_batch.max(1),
            heads: Heads::default(),
            workers: BTreeMap::new(),
            turn: WorkerKey(0),
            match_queued: false,
            gathering: Vec::new(),
            hungry: args.hungry,
            myself,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(message);
        Ok(())
    }
}

impl DispatcherState {
    fn handle(&mut self, message: DispatcherMsg) {
        match message {
            DispatcherMsg::Head { partition, group, head } => self.heads.set(partition, group, head),
            DispatcherMsg::Gone(partition) => self.heads.forget(partition),
            DispatcherMsg::Open(key, spec, sink, credits) => {
                self.workers.insert(key, Worker { spec, sink, credits });
                self.got_credits(credits);
            }
            DispatcherMsg::Credit(key, credits) => {
                if let Some(worker) = self.workers.get_mut(&key) {
                    worker.credits = worker.credits.saturating_add(credits);
                    self.got_credits(credits);
                }
            }
            DispatcherMsg::Close(key) => {
                self.workers.remove(&key);
                self.count_credits();
            }
            DispatcherMsg::Gather { partition, life, turn } => {
                self.gathering.push(Gathering { partition, life, turn });
            }
            DispatcherMsg::Claimed { worker, partition, asked, got } => {
                let left = asked.saturating_sub(got);
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.credits += left;
                    self.got_credits(left);
                }
                // The head was wrong; the partition says it again.
                self.tell_partition(partition, PartitionMsg::Advertise);
            }
            DispatcherMsg::Match => {
                self.match_queued = false;
                self.match_all();
                self.count_credits();
                self.tell_gathered();
                return;
            }
        }
        // What is already in the mailbox is taken in first: sixteen credits
        // that arrive together make one claim of sixteen.
        if !self.match_queued && !self.heads.is_empty() {
            self.match_queued = self.myself.cast(DispatcherMsg::Match).is_ok();
        }
        if !self.match_queued {
            self.tell_gathered();
        }
    }

    fn got_credits(&self, credits: u32) {
        if credits > 0 {
            self.hungry.store(true, Ordering::Relaxed);
        }
    }

    fn count_credits(&self) {
        self.hungry.store(self.workers.values().any(|worker| worker.credits > 0), Ordering::Relaxed);
    }

    /// Behind the claims for what they offered, partitions learn that there
    /// are no more.
    fn tell_gathered(&mut self) {
        for Gathering { partition, life, turn } in self.gathering.drain(..) {
            if partition.cast(PartitionMsg::Gathered { life, turn }).is_err() {
                tracing::debug!("a partition ended while the dispatcher matched what it offered");
            }
        }
    }

    fn match_all(&mut self) {
        let order: Vec<_> =
            self.workers.range(self.turn..).chain(self.workers.range(..self.turn)).map(|(key, _)| *key).collect();
        for key in order {
            while let Some(worker) = self.workers.get_mut(&key).filter(|worker| worker.credits > 0) {
                if worker.sink.is_closed() {
                    self.workers.remove(&key);
                    break;
                }
                let spec = &worker.spec;
                let Some((group, partition, count)) = self.heads.best(&spec.lanes, &spec.capabilities) else {
                    break;
                };
                let asked = worker.credits.min(self.claim_batch).min(u32::try_from(count).unwrap_or(u32::MAX)).max(1);
                worker.credits -= asked;
                self.heads.took(partition, &group, asked as usize);
                let (request, sink) = self.claim(key, partition, group, asked);
                self.tell_partition(partition, PartitionMsg::Claim(Box::new(request), sink));
                self.turn = WorkerKey(key.0 + 1);
            }
        }
    }

    fn claim(&self, key: WorkerKey, partition: u16, group: Arc<ReadyGroup>, asked: u32) -> (ClaimRequest, ClaimSink) {
        let worker = &self.workers[&key];
        let spec = &worker.spec;
        let request = ClaimRequest {
            lanes: spec.lanes.clone(),
            worker_id: spec.worker_id.clone(),
            worker_instance_id: spec.worker_instance_id.clone(),
            holder: spec.holder,
            capabilities: spec.capabilities.clone(),
            lease_ttl_ms: spec.lease_ttl_ms,
            // A repeat is found by the poll itself, before it comes here.
            request_id: spec.request_id,
            max: asked,
            group: Some(group),
        };
        let deliver = worker.sink.clone();
        let report = Report { dispatcher: self.myself.clone(), worker: key, partition, asked, got: 0 };
        let sink: ClaimSink = Box::new(move |result| {
            let mut report = report;
            let tasks = match result {
                Ok(tasks) => tasks,
                Err(error) => {
                    tracing::debug!(partition, %error, "a claim failed");
                    Vec::new()
                }
            };
            report.got = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
            if tasks.is_empty() {
                return Vec::new();
            }
            match deliver.try_send(tasks) {
                Ok(()) => Vec::new(),
                Err(mpsc::error::TrySendError::Full(tasks) | mpsc::error::TrySendError::Closed(tasks)) => tasks,
            }
        });
        (request, sink)
    }

    fn tell_partition(&mut self, partition: u16, message: PartitionMsg) {
        let sent = self.routes.get(partition).map(|handle| handle.send(message));
        if !matches!(sent, Some(Ok(()))) {
            self.heads.forget(partition);
        }
    }
}

/// Tells the dispatcher of a claim that ended with less than it asked for.
/// Dropped unanswered, because its partition has gone, it gives the credits
/// back: a worker must not lose them with a partition.
struct Report {
    dispatcher: ActorRef<DispatcherMsg>,
    worker: WorkerKey,
    partition: u16,
    asked: u32,
    got: u32,
}

impl Drop for Report {
    fn drop(&mut self) {
        let Self { worker, partition, asked, got, .. } = *self;
        if got == asked {
            return;
        }
        if self.dispatcher.cast(DispatcherMsg::Claimed { worker, partition, asked, got }).is_err() {
            tracing::debug!("a claim ended after its dispatcher did");
        }
    }
}
