//! The partition actor: the only writer of its partition's records.
//!
//! Commands are decided on records in memory, as staged; what they change
//! goes to the [`Slot`](crate::slot::Slot) and every answer waits until the
//! last change it may have read is durable. Nothing here awaits the store:
//! loads, scans and commits run beside the actor and come back as messages.

mod claims;
mod commands;
mod ending;
mod flows;
mod hot;
mod leases;
mod recovery;
mod release;
mod state;
mod timers;
mod window;

use crate::committer::{CommitListener, CommitterHandle, Settled};
use crate::dispatcher::DispatcherHandle;
use crate::env::Env;
use crate::events::EventHub;
use crate::lease::NodeLease;
use crate::permits::{Permit, Permits};
pub use claims::task;
use leasehold_backend::{DueEntry, Loaded, ReadyGroup, StoreResult, Taken};
use leasehold_contract::{EngineResult, Task};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{Command, Reply};
use leasehold_core::error::EngineError;
use leasehold_core::ids::{LaneId, NodeId, RequestId, WorkerId, WorkerInstanceId};
use leasehold_core::record::{BlobKey, Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use state::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;

/// A command on its way, with whoever waits for the answer.
pub struct Submit {
    /// What is asked.
    pub command: Command,
    /// Its ids were minted for it, so nothing can be stored under them.
    pub minted: bool,
    /// Not decided after this monotonic time.
    pub deadline: Duration,
    /// Who waits.
    pub port: oneshot::Sender<EngineResult<Reply>>,
    /// Its share of the bound on commands.
    pub permit: Option<Permit>,
}

/// A claim for a worker: any work of these lanes that it can do.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
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
    /// The request this answers.
    pub request_id: Option<RequestId>,
    /// At most so many.
    pub max: u32,
    /// Only of this group, where the dispatcher has one in mind.
    pub group: Option<Arc<ReadyGroup>>,
}

/// Takes the tasks of a claim once they are durable; gives back what could
/// not be delivered.
pub type ClaimSink = Box<dyn FnOnce(EngineResult<Vec<Task>>) -> Vec<Task> + Send>;

/// Is told of an execution as it ended.
pub type Watcher = oneshot::Sender<EngineResult<Arc<Execution>>>;

/// What a partition actor is told.
pub enum PartitionMsg {
    /// Commands, decided in order and staged together.
    Commands(Vec<Submit>),
    /// A worker wants work.
    Claim(Box<ClaimRequest>, ClaimSink),
    /// Records and blobs came from the store.
    Loaded {
        /// The keys asked for.
        keys: Vec<RecordKey>,
        /// The blobs asked for.
        blobs: Vec<BlobKey>,
        /// What came.
        result: StoreResult<Loaded>,
        /// The incarnation that asked.
        life: u64,
    },
    /// A ready window's scan has ended.
    ReadyScanned {
        /// Which window.
        group: Arc<ReadyGroup>,
        /// How many were asked for.
        asked: usize,
        /// What came.
        result: StoreResult<Vec<Arc<Execution>>>,
        /// The incarnation that asked.
        life: u64,
    },
    /// The due window's scan has ended.
    DueScanned {
        /// How many were asked for.
        asked: usize,
        /// What came.
        result: StoreResult<Vec<DueEntry>>,
        /// The incarnation that asked.
        life: u64,
    },
    /// Active leases and ready groups were read at the start of a life.
    Recovered {
        /// What came.
        result: StoreResult<recovery::Recovered>,
        /// The incarnation that asked.
        life: u64,
    },
    /// A commit has ended.
    Settled {
        /// Which.
        commit: u64,
        /// How.
        settled: Settled,
        /// The incarnation whose slot it was.
        life: u64,
    },
    /// The dispatcher has asked for what it was offered; the committer can be
    /// told.
    Gathered {
        /// Which start of the slot has something.
        turn: u64,
        /// The incarnation whose slot it is.
        life: u64,
    },
    /// The next timer may be due.
    Tick,
    /// The next turn of what flows have left to do.
    Advance,
    /// Records as they are durable, where all of them are at hand.
    Recall(Vec<RecordKey>, oneshot::Sender<Option<Vec<Option<Record>>>>),
    /// Until when a lease is promised.
    LeaseExpiresAt(Uuid, oneshot::Sender<Option<TimestampMs>>),
    /// Which executions a request has claimed and still holds.
    ClaimedBefore(RequestId, oneshot::Sender<Vec<Uuid>>),
    /// Tell when an execution has ended.
    Watch(Uuid, Watcher),
    /// Say again what is ready, in full.
    Advertise,
    /// Panic inside the actor, so that a test sees it recover.
    #[cfg(any(test, feature = "chaos"))]
    Panic,
}

impl std::fmt::Debug for PartitionMsg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartitionMsg")
    }
}

/// What a partition actor starts with.
pub struct PartitionArgs {
    /// The store, time and options.
    pub env: Arc<Env>,
    /// This node.
    pub node: NodeId,
    /// Its lease.
    pub node_lease: Arc<NodeLease>,
    /// The nonce of its partitions.
    pub nonce: u64,
    /// The partition as it was taken.
    pub taken: Taken,
    /// Where changes go.
    pub committer: CommitterHandle,
    /// Who is told what is ready.
    pub dispatcher: DispatcherHandle,
    /// Who is told what happened.
    pub events: EventHub,
}

/// The actor.
pub struct PartitionActor;

impl Actor for PartitionActor {
    type Msg = PartitionMsg;
    type State = State;
    type Arguments = PartitionArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(State::new(myself, args))
    }

    async fn post_start(&self, _: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        state.begin_life();
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(message);
        if state.is_lost() {
            myself.stop(Some("the partition has another owner".to_owned()));
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        state.end();
        Ok(())
    }
}

/// How everybody else reaches a partition.
#[derive(Clone)]
pub struct PartitionHandle {
    partition: u16,
    actor: ActorRef<PartitionMsg>,
    permits: Arc<Permits>,
}

impl PartitionHandle {
    /// A handle to a running actor.
    pub fn new(partition: u16, actor: ActorRef<PartitionMsg>, permits: Arc<Permits>) -> Self {
        Self { partition, actor, permits }
    }

    /// The permits in front of the mailbox.
    pub fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// `partition_unavailable` when the actor is gone.
    pub fn send(&self, message: PartitionMsg) -> Result<(), EngineError> {
        self.actor.cast(message).map_err(|_| self.unavailable())
    }

    /// What callers are told while the actor is gone.
    pub fn unavailable(&self) -> EngineError {
        EngineError::PartitionUnavailable { partition: self.partition, retry_after_ms: 100 }
    }
}

/// Turns the end of a commit into a message.
struct Listener {
    actor: ActorRef<PartitionMsg>,
    life: u64,
}

impl CommitListener for Listener {
    fn settled(&self, commit: u64, settled: Settled) {
        if self.actor.cast(PartitionMsg::Settled { commit, settled, life: self.life }).is_err() {
            tracing::debug!(commit, "a commit ended after its partition's actor did");
        }
    }
}
