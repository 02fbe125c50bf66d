//! The committer: one per node, merging what all partitions have staged.
//!
//! # Failures
//!
//! * *Busy*: the batch is tried again unchanged, a few times, with growing
//!   pauses.
//! * *Permanent* or *full*: the batch is halved until the part that causes it stands
//!   alone; that part fails, the others go through.
//! * *Unknown*: the partitions of the batch are taken anew, which shuts the
//!   late commit out; then the store tells which parts landed.
//! * *Refused*: somebody else owns the partition; its actor stops.

use crate::env::Env;
use crate::slot::Slot;
use leasehold_backend::{Batch, Part, PartOutcome, StoreError};
use leasehold_core::error::{ContentionKind, EngineError};
use leasehold_core::ids::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;
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
        /// Whether one of its commands caused it, so that the others deserve
        /// another try.
        poisonous: bool,
    },
    /// Somebody else owns the partition.
    Lost,
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
}

/// How partitions reach the committer.
#[derive(Clone)]
pub struct CommitterHandle {
    sender: mpsc::UnboundedSender<(u16, Client)>,
}

impl CommitterHandle {
    /// Tells the committer that a slot has something. Each partition does so
    /// at most once until it was taken, so the channel holds at most one
    /// entry per partition.
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
}

/// Who is told about a part.
struct Job {
    partition: u16,
    commit: u64,
    client: Client,
}

impl Committer {
    /// A committer for `node`, whose partitions carry `nonce`.
    pub fn new(env: Arc<Env>, node: NodeId, nonce: u64) -> (Self, CommitterHandle) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { env, node, nonce, seq: 0, receiver }, CommitterHandle { sender })
    }

    /// Runs until every handle is gone.
    pub async fn run(mut self) {
        let mut ready = Vec::new();
        let most = self.env.options.commit_parts.max(1);
        while self.receiver.recv_many(&mut ready, most).await > 0 {
            // By partition, each once: a partition restarted meanwhile has a
            // new slot, and the old one is poisoned or empty.
            let mut jobs = BTreeMap::new();
            let mut doubles = Vec::new();
            for (partition, client) in ready.drain(..) {
                let Some((commit, part)) = client.slot.take() else { continue };
                let job = Job { partition, commit, client };
                if let Some(earlier) = jobs.insert(partition, (job, part)) {
                    doubles.push(earlier);
                }
            }
            for (job, part) in doubles {
                self.commit(vec![job], vec![part]).await;
            }
            let (jobs, parts): (Vec<_>, Vec<_>) = jobs.into_values().unzip();
            if !jobs.is_empty() {
                self.commit(jobs, parts).await;
            }
        }
    }

    /// Commits parts, each with its job in the same place.
    async fn commit(&mut self, jobs: Vec<Job>, parts: Vec<Part>) {
        // Halves wait on the stack rather than in nested calls.
        let mut stack = vec![(jobs, parts)];
        while let Some((jobs, parts)) = stack.pop() {
            let mut batch = Batch { node: self.node, seq: self.seq, parts };
            match self.attempt(&batch).await {
                Ok(outcomes) => {
                    self.seq += 1;
                    for (job, outcome) in jobs.iter().zip(outcomes) {
                        match outcome {
                            PartOutcome::Applied => job.tell(Settled::Durable),
                            PartOutcome::Refused => job.tell(Settled::Lost),
                        }
                    }
                }
                Err(
                    StoreError::Permanent { .. }
                    | StoreError::Full { .. }
                    | StoreError::Corrupt(_)
                    | StoreError::Refused { .. },
                ) if jobs.len() > 1 => {
                    let mut first = jobs;
                    let middle = first.len() / 2;
                    let second = (first.split_off(middle), batch.parts.split_off(middle));
                    stack.push(second);
                    stack.push((first, batch.parts));
                }
                Err(StoreError::Busy { message }) => {
                    tracing::warn!(message, "the store stayed busy");
                    for job in &jobs {
                        job.fail(ContentionKind::RetryExhausted.into(), false);
                    }
                }
                Err(StoreError::Unknown { message }) => {
                    tracing::warn!(message, "a commit's outcome is unknown; taking its partitions anew");
                    self.resolve(&jobs, &batch).await;
                }
                Err(error) => {
                    tracing::error!(%error, "a commit was refused for good");
                    let error = crate::engine::store_error::engine_error("commit", self.env.backend.tag(), error);
                    for job in &jobs {
                        job.fail(error.clone(), true);
                    }
                }
            }
        }
    }

    async fn attempt(&self, batch: &Batch) -> Result<Vec<PartOutcome>, StoreError> {
        let mut pause = BUSY_PAUSE;
        for _ in 1..BUSY_TRIES {
            match self.env.backend.commit(batch).await {
                Err(StoreError::Busy { message }) => {
                    tracing::debug!(message, "the store is busy");
                    self.env.clock.sleep(pause).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        self.env.backend.commit(batch).await
    }

    /// Shuts out a commit that may still be on its way, and finds out what
    /// landed of it.
    async fn resolve(&mut self, jobs: &[Job], batch: &Batch) {
        let partitions: Vec<_> = jobs.iter().map(|job| job.partition).collect();
        let floor = u64::try_from(self.env.time.now().0).unwrap_or(0);
        let mut pause = BUSY_PAUSE;
        for _ in 0..BUSY_TRIES {
            let taken = self.env.backend.take_partitions(self.node, self.nonce, &partitions, floor).await;
            let answer = match taken {
                Ok(taken) => self.env.backend.landed(batch).await.map(|landed| (taken, landed)),
                Err(error) => Err(error),
            };
            match answer {
                Ok((taken, landed)) => {
                    if landed.iter().any(|landed| *landed) {
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
                                    poisonous: false,
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
    fn tell(&self, settled: Settled) {
        if settled == Settled::Lost {
            self.client.slot.poison();
        }
        self.client.listener.settled(self.commit, settled);
    }

    fn fail(&self, error: EngineError, poisonous: bool) {
        self.client.slot.poison();
        self.client.listener.settled(self.commit, Settled::Failed { error, epoch: None, poisonous });
    }
}
