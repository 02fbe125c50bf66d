//! The state of a partition actor, and how messages and staged changes move
//! it.

use super::flows::FlowsLeft;
use super::hot::Hot;
use super::leases::LeaseTable;
use super::release::{Release, Waiting};
use super::window::Window;
use super::{ClaimRequest, ClaimSink, Listener, PartitionArgs, PartitionMsg, Submit, Watcher};
use crate::committer::{Client, CommitterHandle};
use crate::dispatcher::DispatcherHandle;
use crate::env::Env;
use crate::events::EventHub;
use crate::lease::NodeLease;
use crate::slot::Slot;
use leasehold_backend::ReadyGroup;
use leasehold_contract::EngineResult;
use leasehold_core::command::{Command, Reply};
use leasehold_core::decision::ChangeSet;
use leasehold_core::ids::{NodeId, RequestId};
use leasehold_core::index::{next_due, stored_due};
use leasehold_core::record::{BlobKey, Execution, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use ractor::ActorRef;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Work that waits for records.
pub(super) enum Parked {
    /// A command.
    Command(Box<Submit>),
    /// A claim, with the candidates it was waiting for.
    Claim(Box<ClaimRequest>, ClaimSink, Vec<Uuid>),
    /// Due executions.
    Due(Vec<Uuid>),
    /// A command of the partition's own.
    Own(Box<Command>),
    /// A watcher.
    Watch(Uuid, Watcher),
    /// Whoever asks what a request has claimed.
    ClaimedBefore(RequestId, oneshot::Sender<Vec<Uuid>>),
}

/// What became of deciding a command.
pub(super) enum Tried {
    /// It is decided; the answer waits for this commit.
    Decided(EngineResult<Reply>, u64),
    /// Records were missing and have been asked for.
    Missing,
}

/// Where a command that goes alone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// There is none.
    Nobody,
    /// It waits for its records.
    Loading,
    /// It waits for this commit.
    Committing(u64),
}

/// What is ready, as last told to the dispatcher: best rank and how many.
pub(super) type Told = (i64, usize);

/// The state of a partition actor.
pub struct State {
    pub(super) env: Arc<Env>,
    pub(super) node: NodeId,
    pub(super) node_lease: Arc<NodeLease>,
    pub(super) nonce: u64,
    pub(super) partition: u16,
    pub(super) myself: ActorRef<PartitionMsg>,
    pub(super) committer: CommitterHandle,
    pub(super) dispatcher: DispatcherHandle,
    pub(super) events: EventHub,

    pub(super) slot: Arc<Slot>,
    /// The turn of a slot that has something, while the committer has not been
    /// told.
    pub(super) unannounced: Option<u64>,
    pub(super) life: u64,
    pub(super) recovered: bool,
    pub(super) lost: bool,
    /// A new epoch has to be taken before this life begins.
    pub(super) retake: bool,
    pub(super) first_life_is_empty: bool,
    pub(super) durable: u64,

    pub(super) hot: Hot,
    pub(super) waiting: Waiting,
    pub(super) parked: VecDeque<Parked>,
    pub(super) wanted: (BTreeSet<RecordKey>, BTreeSet<BlobKey>),
    pub(super) loading: (BTreeSet<RecordKey>, BTreeSet<BlobKey>),
    /// Decisions that were begun and miss records. What they have come across
    /// stays in memory until they are through, or they might never be.
    pub(super) walks: usize,

    pub(super) ready: BTreeMap<ReadyGroup, Window<(i64, Uuid)>>,
    pub(super) reclaimable: BTreeMap<ReadyGroup, BTreeSet<(i64, Uuid)>>,
    pub(super) reserved: HashSet<Uuid>,
    pub(super) told: BTreeMap<ReadyGroup, Told>,
    pub(super) dirty_groups: BTreeSet<ReadyGroup>,

    pub(super) due: Window<(TimestampMs, Uuid)>,
    /// Timers of claimed executions, all of them.
    pub(super) claimed_due: BTreeSet<(TimestampMs, Uuid)>,
    pub(super) settling: HashSet<Uuid>,
    pub(super) flows: FlowsLeft,
    pub(super) leases: LeaseTable,
    pub(super) alarm: Option<(Duration, tokio::task::AbortHandle)>,
    pub(super) last_turn: Duration,

    pub(super) watchers: BTreeMap<Uuid, Vec<Watcher>>,

    /// Commands that go one by one, because one of them failed a commit.
    pub(super) alone: VecDeque<Submit>,
    /// Where the one of them under way stands.
    pub(super) alone_now: Alone,
}

impl State {
    /// The state of an actor that starts.
    pub(super) fn new(myself: ActorRef<PartitionMsg>, args: PartitionArgs) -> Self {
        let options = &args.env.options;
        let partitions = usize::from(options.partitions.num_flow_partitions.max(1));
        let cache = (options.cache_bytes / partitions).max(64 << 10);
        args.env.time.not_before(args.taken.time);
        let partition = args.taken.partition;
        let due_window = options.due_window;
        let last_turn = args.env.clock.monotonic();
        Self {
            slot: Arc::new(Slot::new(partition, args.taken.epoch, args.nonce)),
            unannounced: None,
            env: args.env,
            node: args.node,
            node_lease: args.node_lease,
            nonce: args.nonce,
            partition,
            myself,
            committer: args.committer,
            dispatcher: args.dispatcher,
            events: args.events,
            life: 1,
            recovered: false,
            lost: false,
            retake: false,
            first_life_is_empty: args.taken.previous_owner.is_none(),
            durable: 0,
            hot: Hot::new(cache),
            waiting: Waiting::default(),
            parked: VecDeque::new(),
            wanted: (BTreeSet::new(), BTreeSet::new()),
            loading: (BTreeSet::new(), BTreeSet::new()),
            walks: 0,
            ready: BTreeMap::new(),
            reclaimable: BTreeMap::new(),
            reserved: HashSet::new(),
            told: BTreeMap::new(),
            dirty_groups: BTreeSet::new(),
            due: Window::unknown(due_window),
            claimed_due: BTreeSet::new(),
            settling: HashSet::new(),
            flows: FlowsLeft::default(),
            leases: LeaseTable::default(),
            alarm: None,
            last_turn,
            watchers: BTreeMap::new(),
            alone: VecDeque::new(),
            alone_now: Alone::Nobody,
        }
    }

    /// Whether somebody else owns the partition.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Handles one message.
    pub(super) fn handle(&mut self, message: PartitionMsg) {
        match message {
            PartitionMsg::Commands(submits) => {
                for submit in submits {
                    self.accept(submit);
                }
            }
            PartitionMsg::Claim(request, sink) => {
                self.took(&request);
                self.claim(request, sink);
            }
            PartitionMsg::Loaded { keys, blobs, result, life } => self.loaded(keys, blobs, result, life),
            PartitionMsg::ReadyScanned { group, asked, result, life } => {
                self.ready_scanned(&group, asked, result, life);
            }
            PartitionMsg::DueScanned { asked, result, life } => self.due_scanned(asked, result, life),
            PartitionMsg::Recovered { result, life } => self.recovered(result, life),
            PartitionMsg::Settled { commit, settled, life } => self.settled(commit, settled, life),
            PartitionMsg::Gathered { turn, life } if life == self.life && !self.lost => self.tell_committer(turn),
            // What was staged in another life is gone.
            PartitionMsg::Gathered { .. } => {}
            PartitionMsg::Tick => self.tick(),
            PartitionMsg::Advance => self.flows.turn_came(),
            // Whoever asked may have gone.
            PartitionMsg::Recall(keys, port) => port.send(self.recall(&keys)).unwrap_or_default(),
            PartitionMsg::LeaseExpiresAt(id, port) => {
                let promised = if self.recovered { self.leases.promised_until(id) } else { None };
                // Whoever asked may have gone.
                port.send(promised).unwrap_or_default();
            }
            PartitionMsg::ClaimedBefore(request, port) => self.claimed_before(request, port),
            PartitionMsg::Watch(id, port) => self.watch(id, port),
            PartitionMsg::Advertise => self.advertise_all(),
            #[cfg(any(test, feature = "chaos"))]
            PartitionMsg::Panic => panic!("asked to"),
        }
        self.run_alone();
        self.advance_flows();
        self.load_wanted();
        self.refill();
        let offered = self.advertise_changes();
        self.announce(offered);
        self.set_alarm();
    }

    /// Stages changes and brings everything derived from records up to date.
    /// Returns the commit they go out with.
    pub(super) fn stage(&mut self, changes: ChangeSet, time: TimestampMs) -> u64 {
        let records = changes.changes.clone();
        let blobs = changes.blobs.clone();
        let heard = self.events.is_heard();
        let events: Vec<_> = if heard { changes.events.clone() } else { Vec::new() };
        let staged = self.slot.stage(changes, time);
        let derived = ChangeSet { changes: records, blobs, ..ChangeSet::default() };
        self.hot.stage(&derived, staged.commit);
        for change in &derived.changes {
            let old = change.old.as_ref().and_then(Record::as_execution);
            let new = change.new.as_ref().and_then(Record::as_execution);
            self.follow(old, new, staged.commit);
            self.flows.follow(change, time);
        }
        for event in events {
            self.waiting.add(staged.commit, Release::Event(Arc::new(event)));
        }
        if staged.announce {
            self.unannounced = Some(staged.turn);
        }
        staged.commit
    }

    /// Tells the committer that something is staged. Where nobody waits for
    /// the store and workers wait for what has just become ready, the word goes
    /// by way of the dispatcher: its claims come back first, and what makes an
    /// execution ready and what claims it are one commit.
    fn announce(&mut self, offered: bool) {
        let Some(turn) = self.unannounced.take() else { return };
        let gathers = offered && !self.committer.is_busy();
        if !gathers || !self.dispatcher.gather(&self.myself, self.life, turn) {
            self.tell_committer(turn);
        }
    }

    fn tell_committer(&mut self, turn: u64) {
        let listener = Arc::new(Listener { actor: self.myself.clone(), life: self.life });
        let client = Client { slot: self.slot.clone(), listener, turn };
        if self.committer.announce(self.partition, client).is_err() {
            // The node is going down; what was staged is never told.
            self.lose();
        }
    }

    fn follow(&mut self, old: Option<&Arc<Execution>>, new: Option<&Arc<Execution>>, commit: u64) {
        let ready_before = old.and_then(|execution| ready_key(execution));
        let ready_after = new.and_then(|execution| ready_key(execution));
        if ready_before != ready_after {
            if let Some((group, key)) = ready_before {
                if let Some(window) = self.ready.get_mut(&group) {
                    window.remove(key, commit);
                }
                self.dirty_groups.insert(group);
            }
            if let Some((group, key)) = ready_after {
                let capacity = self.env.options.ready_window;
                self.ready.entry(group.clone()).or_insert_with(|| Window::empty(capacity)).insert(key, commit);
                self.dirty_groups.insert(group);
            }
        }
        let due_before = old.and_then(|execution| due_key(execution));
        let due_after = new.and_then(|execution| due_key(execution));
        if due_before != due_after {
            if let Some(key) = due_before {
                self.due.remove(key, commit);
            }
            if let Some(key) = due_after {
                self.due.insert(key, commit);
            }
        }
        if let Some(execution) = old {
            self.follow_reclaimable(execution, false);
            self.follow_claimed(execution, false);
        }
        if let Some(execution) = new {
            self.follow_reclaimable(execution, true);
            self.follow_claimed(execution, true);
            self.leases.follow(execution);
            if execution.vector().is_terminal() {
                self.waiting.add(commit, Release::Ended(Arc::clone(execution)));
            }
        }
    }

    /// Notes whether an execution waits to be reclaimed. Only a partition
    /// that acts by itself offers it.
    pub(super) fn follow_reclaimable(&mut self, execution: &Execution, present: bool) {
        if !self.env.options.automatic || !execution.vector().is_reclaimable() || execution.grant.is_some() {
            return;
        }
        let group = group_of(execution);
        let key = (execution.rank(), execution.id.uuid());
        let keys = self.reclaimable.entry(group.clone()).or_default();
        if present {
            keys.insert(key);
        } else {
            keys.remove(&key);
        }
        if keys.is_empty() {
            self.reclaimable.remove(&group);
        }
        self.dirty_groups.insert(group);
    }

    /// Notes when a claimed execution's timer is due.
    pub(super) fn follow_claimed(&mut self, execution: &Execution, present: bool) {
        if !execution.vector().is_active() {
            return;
        }
        let Some((at, _)) = next_due(execution) else { return };
        let key = (at, execution.id.uuid());
        if present {
            self.claimed_due.insert(key);
        } else {
            self.claimed_due.remove(&key);
        }
    }
}

/// The group of an execution.
pub(super) fn group_of(execution: &Execution) -> ReadyGroup {
    ReadyGroup { lane_id: execution.lane_id.clone(), requirements: execution.spec.requirements.clone() }
}

/// Where an execution stands in a ready window. One that is promised to a
/// worker by a grant is left out; the grant's timer brings it back.
pub(super) fn ready_key(execution: &Execution) -> Option<(ReadyGroup, (i64, Uuid))> {
    (execution.vector().is_eligible() && execution.grant.is_none())
        .then(|| (group_of(execution), (execution.rank(), execution.id.uuid())))
}

/// Where an execution stands in the due window.
pub(super) fn due_key(execution: &Execution) -> Option<(TimestampMs, Uuid)> {
    stored_due(execution).map(|at| (at, execution.id.uuid()))
}
