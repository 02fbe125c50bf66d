//! The committer, merging what its partitions have staged: one per node, or as
//! many as the store asks for, each with partitions of its own.
//!
//! # Failures
//!
//! * *Busy*: the batch is tried again unchanged, a few times, with growing
//!   pauses.
//! * *Permanent*: the batch is halved until the part that causes it stands
//!   alone; that part fails, the others go through.
//! * *Full*: the parts that add executions fail, and their partitions refuse
//!   the creates and decide the rest again. The other parts are sent again
//!   without them; if there is no room for these either, they are halved.
//! * *Unknown*: the partitions of the batch are taken anew, which shuts the
//!   late commit out; then the store tells which parts landed.
//! * *Refused*: somebody else owns the partition; its actor stops.
//!
//! A store that answers part by part gets each part that failed treated by its
//! own error; the others are done.

use crate::engine::store_error::engine_error;
use crate::env::Env;
use crate::slot::Slot;
use leasehold_backend::{Batch, Part, PartOutcome, StoreError};
use leasehold_core::error::{ContentionKind, EngineError};
use leasehold_core::ids::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Tries of a busy batch before its commands are told to come back later.
const BUSY_TRIES: u32 = 8;

/// The first pause after a busy store; doubled each time.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What became of a partition's commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It is durable.
    Durable,
    /// It landed although the store did not say so; the partition goes on
    /// under a new epoch.
    Recovered {
        /// The new epoch.
        epoch: u64,
    },
    /// It did not land and never will. The partition starts over, under the
    /// new epoch where there is one.
    Failed {
        /// What the callers are told.
        error: EngineError,
        /// A new epoch, where one was taken.
        epoch: Option<u64>,
        /// Which of its commands deserve another try.
        blame: Blame,
    },
    /// Somebody else owns the partition.
    Lost,
}

/// What about a commit made it fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the store did not answer as it should.
    Nothing,
    /// One of its commands; the others deserve another try.
    Command,
    /// The executions it adds: the store has no room for them, and may have
    /// some for the rest.
    Growth,
}

/// Whoever is told what became of commits.
pub trait CommitListener: Send + Sync {
    /// The commit of that number has ended.
    fn settled(&self, commit: u64, settled: Settled);
}

/// A partition's staged changes and who is told about them.
#[derive(Clone)]
pub struct Client {
    /// Where the changes wait.
    pub slot: Arc<Slot>,
    /// Who is told.
    pub listener: Arc<dyn CommitListener>,
    /// Of which start of the slot the changes are.
    pub turn: u64,
}

/// How partitions reach the committer.
#[derive(Clone)]
pub struct CommitterHandle {
    sender: mpsc::UnboundedSender<(u16, Client)>,
    busy: Arc<AtomicBool>,
}

impl CommitterHandle {
    /// Whether a batch is on its way to the store. What is staged now goes out
    /// after it.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Tells the committer that a slot has something. Each partition does so
    /// at most once until it was taken or the slot was started over, which it
    /// is after a failed commit of its own; what was said before that takes
    /// nothing.
    ///
    /// # Errors
    ///
    /// The committer is gone; the node is going down.
    pub fn announce(&self, partition: u16, client: Client) -> Result<(), EngineError> {
        self.sender
            .send((partition, client))
            .map_err(|_| EngineError::PartitionUnavailable { partition, retry_after_ms: 100 })
    }
}

/// The committer of a node.
pub struct Committer {
    env: Arc<Env>,
    node: NodeId,
    nonce: u64,
    seq: u64,
    receiver: mpsc::UnboundedReceiver<(u16, Client)>,
    busy: Arc<AtomicBool>,
}

/// Parts that go out together, and how often they have been sent unchanged.
struct Round {
    jobs: Vec<Job>,
    tries: u32,
}

/// Whether a batch already counts among those of this committer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    /// The store answered for other parts of it.
    Done,
    /// Only if it landed.
    Open,
}

struct Job {
    partition: u16,
    commit: u64,
    client: Client,
    part: Part,
}

impl Committer {
    /// A committer for `node`, whose partitions carry `nonce`.
    pub fn new(env: Arc<Env>, node: NodeId, nonce: u64) -> (Self, CommitterHandle) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let busy = Arc::new(AtomicBool::new(false));
        (Self { env, node, nonce, seq: 0, receiver, busy: busy.clone() }, CommitterHandle { sender, busy })
    }

    /// Runs until every handle is gone.
    pub async fn run(mut self) {
        let mut ready = Vec::new();
        let most = self.env.options.commit_parts.max(1);
        while self.receiver.recv_many(&mut ready, most).await > 0 {
            self.busy.store(true, Ordering::Relaxed);
            // By partition, each once: an actor that replaced another has a
            // new slot, and the old one is poisoned or empty.
            let mut jobs = BTreeMap::new();
            let mut doubles = Vec::new();
            for (partition, client) in ready.drain(..) {
                let Some((commit, part)) = client.slot.take(client.turn) else { continue };
                let job = Job { partition, commit, client, part };
                if let Some(earlier) = jobs.insert(partition, job) {
                    doubles.push(earlier);
                }
            }
            for job in doubles {
                self.commit(vec![job]).await;
            }
            let jobs: Vec<_> = jobs.into_values().collect();
            if !jobs.is_empty() {
                self.commit(jobs).await;
            }
            self.busy.store(false, Ordering::Relaxed);
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        // What is left of a batch waits on the stack rather than in nested
        // calls.
        let mut stack = vec![Round { jobs, tries: 1 }];
        while let Some(Round { mut jobs, tries }) = stack.pop() {
            let parts = jobs.iter_mut().map(Job::lend).collect();
            let batch = Batch { node: self.node, seq: self.seq, parts };
            let answer = self.env.backend.commit(&batch).await;
            for (job, part) in jobs.iter_mut().zip(batch.parts) {
                job.part = part;
            }
            match answer {
                Ok(outcomes) => {
                    self.seq += 1;
                    let (busy, unknown) = self.tell(jobs, outcomes);
                    if !unknown.is_empty() {
                        self.resolve(&unknown, batch.seq, Count::Done).await;
                    }
                    if !busy.is_empty() {
                        stack.extend(self.pause(Round { jobs: busy, tries }).await);
                    }
                }
                Err(StoreError::Busy { message }) => {
                    tracing::debug!(message, "the store is busy");
                    stack.extend(self.pause(Round { jobs, tries }).await);
                }
                Err(StoreError::Unknown { message }) => {
                    tracing::warn!(message, "a commit's outcome is unknown; taking its partitions anew");
                    self.resolve(&jobs, batch.seq, Count::Open).await;
                }
                Err(StoreError::Full { message }) if jobs.len() > 1 && jobs.iter().any(|job| job.part.grows()) => {
                    let (growing, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.part.grows());
                    for job in &growing {
                        self.refuse(job, StoreError::full(message.clone()));
                    }
                    if !others.is_empty() {
                        stack.push(Round { jobs: others, tries: 1 });
                    }
                }
                Err(error) if jobs.len() > 1 => {
                    tracing::debug!(%error, "a batch was refused; halving it");
                    let mut first = jobs;
                    let second = first.split_off(first.len() / 2);
                    stack.push(Round { jobs: second, tries: 1 });
                    stack.push(Round { jobs: first, tries: 1 });
                }
                Err(error) => {
                    for job in &jobs {
                        self.refuse(job, error.clone());
                    }
                }
            }
        }
    }

    /// Tells partitions what became of their parts; those whose part found
    /// the store busy, and those of whose part nobody knows, come back.
    fn tell(&self, jobs: Vec<Job>, outcomes: Vec<PartOutcome>) -> (Vec<Job>, Vec<Job>) {
        let (mut busy, mut unknown) = (Vec::new(), Vec::new());
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                PartOutcome::Applied => job.tell(Settled::Durable),
                PartOutcome::Refused => job.tell(Settled::Lost),
                PartOutcome::Failed(StoreError::Busy { message }) => {
                    tracing::debug!(partition = job.partition, message, "the store is busy");
                    busy.push(job);
                }
                PartOutcome::Failed(StoreError::Unknown { message }) => {
                    tracing::warn!(partition = job.partition, message, "the outcome of a part is unknown");
                    unknown.push(job);
                }
                PartOutcome::Failed(error) => self.refuse(&job, error),
            }
        }
        (busy, unknown)
    }

    /// Lets a busy store rest before the same is sent again; nothing is left
    /// to send once it has been busy too often.
    async fn pause(&self, round: Round) -> Option<Round> {
        let Round { jobs, tries } = round;
        if tries == BUSY_TRIES {
            tracing::warn!("the store stayed busy");
            for job in &jobs {
                job.fail(ContentionKind::RetryExhausted.into(), Blame::Nothing);
            }
            return None;
        }
        self.env.clock.sleep(BUSY_PAUSE * 2_u32.pow(tries - 1)).await;
        Some(Round { jobs, tries: tries + 1 })
    }

    /// Ends a commit that the store refuses for a reason of its own.
    fn refuse(&self, job: &Job, error: StoreError) {
        let blame = match &error {
            StoreError::Full { message } if job.part.grows() => {
                tracing::warn!(partition = job.partition, message, "the store has no room for new executions");
                Blame::Growth
            }
            _ => {
                tracing::error!(partition = job.partition, %error, "a commit was refused for good");
                Blame::Command
            }
        };
        job.fail(engine_error("commit", self.env.backend.tag(), error), blame);
    }

    /// Shuts out the commit of that number, which may still be on its way, and
    /// finds out what landed of these parts of it.
    async fn resolve(&mut self, jobs: &[Job], seq: u64, count: Count) {
        let batch = Batch { node: self.node, seq, parts: jobs.iter().map(|job| job.part.clone()).collect() };
        let partitions: Vec<_> = jobs.iter().map(|job| job.partition).collect();
        let floor = u64::try_from(self.env.time.now().0).unwrap_or(0);
        let mut pause = BUSY_PAUSE;
        for _ in 0..BUSY_TRIES {
            let taken = self.env.backend.take_partitions(self.node, self.nonce, &partitions, floor).await;
            let answer = match taken {
                Ok(taken) => self.env.backend.landed(&batch).await.map(|landed| (taken, landed)),
                Err(error) => Err(error),
            };
            match answer {
                Ok((taken, landed)) => {
                    if count == Count::Open && landed.iter().any(|landed| *landed) {
                        self.seq += 1;
                    }
                    let epochs: BTreeMap<_, _> = taken.iter().map(|taken| (taken.partition, taken.epoch)).collect();
                    for (job, landed) in jobs.iter().zip(landed) {
                        match epochs.get(&job.partition) {
                            None => job.tell(Settled::Lost),
                            Some(&epoch) if landed => {
                                job.client.slot.renew(epoch);
                                job.tell(Settled::Recovered { epoch });
                            }
                            Some(&epoch) => {
                                job.client.slot.poison();
                                job.tell(Settled::Failed {
                                    error: EngineError::OutcomeUnknown { op: "commit" },
                                    epoch: Some(epoch),
                                    blame: Blame::Nothing,
                                });
                            }
                        }
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the store does not say what landed");
                    self.env.clock.sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        // The node cannot tell what it owns. Its partitions stop; a takeover
        // sorts it out.
        for job in jobs {
            job.tell(Settled::Lost);
        }
    }
}

impl Job {
    /// The part, to be sent. What it changes is too much to be copied for
    /// every commit; it comes back with the answer.
    fn lend(&mut self) -> Part {
        let changes = std::mem::take(&mut self.part.changes);
        Part { changes, ..self.part }
    }

    fn tell(&self, settled: Settled) {
        if settled == Settled::Lost {
            self.client.slot.poison();
        }
        self.client.listener.settled(self.commit, settled);
    }

    fn fail(&self, error: EngineError, blame: Blame) {
        self.client.slot.poison();
        self.client.listener.settled(self.commit, Settled::Failed { error, epoch: None, blame });
    }
}
