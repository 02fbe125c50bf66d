//! The inbox: one actor per node that takes in what outside writers left.
//!
//! ```text
//!  announce, watch ──▶ hint ─┐
//!  every 1.5 s ──▶ tick ─────┴─▶ sweep: page by page until an empty one
//!                                  │ per partition
//!                                  ▼
//!                                Router ──▶ admit, with the entry's deletion
//! ```
//!
//! # Model
//!
//! A sweep reads the inbox from its beginning, since a low number may become
//! visible after a higher one. Entries of partitions that are not served here
//! are passed over. What is on its way is not sent again, also not when its
//! answer comes while a page is read that still shows it.
//!
//! # Bounds
//!
//! At most [`IN_FLIGHT_MAX`] entries are on their way, at most
//! [`PARTITION_MAX`] of one partition, so that a partition that does not
//! answer stops nobody else. The router's permits apply as to every caller; an
//! entry that gets none stays where it is.
//!
//! # Failures
//!
//! Nothing is lost by forgetting: the entry stays in the inbox until the
//! commit that makes its execution. What failed for a passing reason comes up
//! with the next sweep; what the store refuses for good comes up ever more
//! rarely, and is logged each time. What can never become an execution is
//! refused by the `admit` command, which leaves an event.

use crate::env::Env;
use crate::router::Router;
use leasehold_backend::{Hints, InboxEntry, StoreResult};
use leasehold_contract::EngineResult;
use leasehold_core::command::{Admit, AdmitOutcome, CreateOutcome, Operation, Reply};
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// Entries on their way at once.
pub const IN_FLIGHT_MAX: usize = 1024;

/// Entries of one partition on their way at once.
pub const PARTITION_MAX: usize = 256;

/// Entries one page has at most.
const PAGE: usize = 256;

/// The most an entry that the store refuses for good is put off.
const PUT_OFF_MAX: Duration = Duration::from_mins(1);

/// What the actor is told.
pub enum InboxMsg {
    /// Something new may be in the inbox.
    Hint,
    /// Time to look without a hint.
    Tick,
    /// A page came.
    Page(StoreResult<Vec<InboxEntry>>),
    /// Entries were dealt with, or not.
    Settled(Vec<(i64, ExecutionId, EngineResult<Reply>)>),
}

impl std::fmt::Debug for InboxMsg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InboxMsg")
    }
}

/// The actor.
pub struct InboxActor;

/// What it starts with.
pub struct InboxArgs {
    /// The store, time and options.
    pub env: Arc<Env>,
    /// The way to the partitions.
    pub router: Router,
    /// What the store hears of outside writers.
    pub hints: Hints,
}

/// Ends a task with its owner.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Resting,
    /// A page is being read.
    Reading,
    /// Too much is on its way to read on.
    Full,
}

/// An entry that the store refused for good.
#[derive(Clone, Copy)]
struct PutOff {
    until: Duration,
    by: Duration,
}

/// The state of the actor.
pub struct InboxState {
    env: Arc<Env>,
    router: Router,
    myself: ActorRef<InboxMsg>,
    stage: Stage,
    after: Option<i64>,
    /// A hint came during a sweep.
    again: bool,
    /// A sweep passed over entries for want of room.
    crowded: bool,
    /// By number, with their partition.
    in_flight: BTreeMap<i64, u16>,
    /// What was dealt with while a page was being read.
    settled_meanwhile: BTreeSet<i64>,
    put_off: BTreeMap<i64, PutOff>,
    alarm: Option<Task>,
    _listener: Task,
}

impl Actor for InboxActor {
    type Msg = InboxMsg;
    type State = InboxState;
    type Arguments = InboxArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let listener = listen(args.env.announcements.hints(), args.hints, myself.clone());
        let mut state = InboxState {
            env: args.env,
            router: args.router,
            myself,
            stage: Stage::Resting,
            after: None,
            again: false,
            crowded: false,
            in_flight: BTreeMap::new(),
            settled_meanwhile: BTreeSet::new(),
            put_off: BTreeMap::new(),
            alarm: None,
            _listener: listener,
        };
        // The first look comes with the partitions.
        state.rest();
        Ok(state)
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

/// Passes hints on.
fn listen(mut announced: Hints, mut told: Hints, actor: ActorRef<InboxMsg>) -> Task {
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = announced.next() => {}
                () = told.next() => {}
            }
            if actor.cast(InboxMsg::Hint).is_err() {
                return;
            }
        }
    });
    Task(task.abort_handle())
}

impl InboxState {
    fn handle(&mut self, message: InboxMsg) {
        match message {
            InboxMsg::Hint | InboxMsg::Tick if self.stage == Stage::Resting => self.begin(),
            InboxMsg::Hint | InboxMsg::Tick => self.again = true,
            InboxMsg::Page(Ok(entries)) => self.page(entries),
            InboxMsg::Page(Err(error)) => {
                tracing::warn!(%error, "the inbox could not be read");
                self.settled_meanwhile.clear();
                self.rest();
            }
            InboxMsg::Settled(answers) => self.settled(answers),
        }
    }

    /// Begins a sweep.
    fn begin(&mut self) {
        self.alarm = None;
        self.after = None;
        self.again = false;
        self.crowded = false;
        self.read();
    }

    /// Waits for a hint or the next tick.
    fn rest(&mut self) {
        self.stage = Stage::Resting;
        if !self.env.options.automatic {
            return;
        }
        let (sleep, myself) = (self.env.clock.sleep(self.env.options.inbox_sweep_every), self.myself.clone());
        let task = tokio::spawn(async move {
            sleep.await;
            if myself.cast(InboxMsg::Tick).is_err() {
                tracing::debug!("the time to look into the inbox came after its actor had gone");
            }
        });
        self.alarm = Some(Task(task.abort_handle()));
    }

    fn read(&mut self) {
        self.stage = Stage::Reading;
        let (env, myself, after) = (self.env.clone(), self.myself.clone(), self.after);
        tokio::spawn(async move {
            let page = env.backend.inbox(after, PAGE).await;
            if myself.cast(InboxMsg::Page(page)).is_err() {
                tracing::debug!("a page of the inbox came after its actor had gone");
            }
        });
    }

    fn page(&mut self, entries: Vec<InboxEntry>) {
        let Some(last) = entries.last() else {
            self.settled_meanwhile.clear();
            if self.again {
                self.begin();
            } else {
                self.rest();
            }
            return;
        };
        self.after = Some(last.number);
        self.send(entries);
        self.settled_meanwhile.clear();
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            self.stage = Stage::Full;
        } else {
            self.read();
        }
    }

    /// Sends what is not on its way already, by partition.
    fn send(&mut self, entries: Vec<InboxEntry>) {
        let now = self.env.clock.monotonic();
        let mut groups: BTreeMap<u16, Vec<InboxEntry>> = BTreeMap::new();
        for entry in entries {
            let partition = entry.execution.partition();
            let known = self.in_flight.contains_key(&entry.number) || self.settled_meanwhile.contains(&entry.number);
            let put_off = self.put_off.get(&entry.number).is_some_and(|put_off| now < put_off.until);
            if known || put_off {
                continue;
            }
            if partition >= self.router.routes().count() {
                // Written by hand: no node will ever serve it.
                self.put_off(entry.number, entry.execution, &EngineError::execution_not_found());
                continue;
            }
            if self.router.routes().get(partition).is_none() {
                continue;
            }
            if self.in_flight.values().filter(|other| **other == partition).count() >= PARTITION_MAX {
                self.crowded = true;
                continue;
            }
            self.in_flight.insert(entry.number, partition);
            groups.entry(partition).or_default().push(entry);
        }
        for group in groups.into_values() {
            let (router, myself) = (self.router.clone(), self.myself.clone());
            tokio::spawn(async move {
                let names: Vec<_> = group.iter().map(|entry| (entry.number, entry.execution)).collect();
                let admit = |entry: InboxEntry| Admit::new(entry.number, entry.execution, &entry.create);
                let commands = group.into_iter().map(|entry| (admit(entry).into_command(), false)).collect();
                let replies = router.submit_bulk(commands).await;
                let answers = names.into_iter().zip(replies).map(|((number, id), reply)| (number, id, reply)).collect();
                if myself.cast(InboxMsg::Settled(answers)).is_err() {
                    tracing::debug!("entries of the inbox were dealt with after its actor had gone");
                }
            });
        }
    }

    fn settled(&mut self, answers: Vec<(i64, ExecutionId, EngineResult<Reply>)>) {
        let mut moved = false;
        for (number, id, reply) in answers {
            self.in_flight.remove(&number);
            if self.stage == Stage::Reading {
                self.settled_meanwhile.insert(number);
            }
            match reply {
                Ok(reply) => {
                    moved = true;
                    self.put_off.remove(&number);
                    tell(number, id, reply);
                }
                Err(error) if error.is_retryable() => {
                    tracing::debug!(number, execution = %id, %error, "an entry of the inbox stays for now");
                }
                Err(error) => self.put_off(number, id, &error),
            }
        }
        match self.stage {
            Stage::Full if self.in_flight.len() <= IN_FLIGHT_MAX / 2 => self.read(),
            // Without anything having moved it would go round in circles.
            Stage::Resting if self.crowded && moved => self.begin(),
            _ => {}
        }
    }

    fn put_off(&mut self, number: i64, id: ExecutionId, error: &EngineError) {
        tracing::error!(number, execution = %id, %error, "an entry of the inbox is refused by the store");
        let last = self.put_off.get(&number).map(|put_off| put_off.by);
        let by = last.map_or(self.env.options.inbox_sweep_every, |last| (last * 2).min(PUT_OFF_MAX));
        if last.is_some() || self.put_off.len() < IN_FLIGHT_MAX {
            self.put_off.insert(number, PutOff { until: self.env.clock.monotonic() + by, by });
        }
    }
}

/// Leaves word of an entry that became no execution of its own.
fn tell(number: i64, id: ExecutionId, reply: Reply) {
    match Admit::outcome(reply) {
        Ok(AdmitOutcome::Admitted(CreateOutcome::Created { .. })) => {}
        Ok(AdmitOutcome::Admitted(CreateOutcome::Duplicate { execution_id })) => {
            tracing::info!(number, execution = %id, stands_for = %execution_id, "an entry of the inbox was a repeat");
        }
        Ok(AdmitOutcome::Refused { error }) => {
            tracing::warn!(number, execution = %id, %error, "a create in the inbox was refused");
        }
        Err(other) => tracing::error!(number, execution = %id, ?other, "an entry was answered by another operation"),
    }
}
