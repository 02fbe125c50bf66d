//! Filling a store with what an engine would have left there.
//!
//! Executions are created, claimed and completed by the rules, with the
//! arguments a client and a worker would send, and written through the
//! store's commit: the three commands of an execution fall into one change
//! set, as they do in an engine whose commits take long. Delayed ones are
//! created and due in a day. Payloads, results and events are all there.

use super::BenchResult;
use super::rig::{self, KIND};
use leasehold::{Client, Node};
use leasehold_backend::{Backend, Batch, Clock, Entropy, Expected, Part, PartOutcome};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    Claim, ClaimOutcome, CommandSource, CompleteExecution, CreateExecution, FenceTriple, Operation, decide,
};
use leasehold_core::decision::{Context, Merged};
use leasehold_core::ids::{AttemptId, LeaseId, NodeId, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{Holder, Record, RecordKey};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Executions per commit.
const BATCH: usize = 2048;

/// How long the delays are.
const DELAY: Duration = Duration::from_hours(24);

/// How long the filler may own the partitions.
const OWNS_FOR_MS: u64 = 6 * 3_600_000;

/// One partition in the filler's hands.
struct Partition {
    epoch: u64,
    seq: u64,
    next_event: u64,
    records: HashMap<RecordKey, Record>,
    merged: Merged,
}

/// What writes.
struct Filler {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: NodeId,
    nonce: u64,
    seq: u64,
    partitions: BTreeMap<u16, Partition>,
    /// Fills in what a client would.
    client: Client,
}

/// Fills a store that nobody serves and closes it.
///
/// # Errors
///
/// What the store or the rules refuse.
pub(super) async fn fill(
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ended: usize,
    delayed: usize,
) -> BenchResult<()> {
    let config = PartitionConfig::default();
    backend.prepare(&config).await?;
    let (node, nonce) = (NodeId::from_uuid(entropy.uuid()), entropy.next_u64());
    backend.register_node(node, OWNS_FOR_MS).await?;
    let all: Vec<u16> = (0..config.num_flow_partitions).collect();
    let floor = u64::try_from(clock.now().0)?;
    let taken = backend.take_partitions(node, nonce, &all, floor).await?;
    if taken.len() != all.len() {
        return Err(format!("{} of {} partitions were free", taken.len(), all.len()).into());
    }
    let fresh = |epoch| Partition { epoch, seq: 0, next_event: 1, records: HashMap::new(), merged: Merged::default() };
    let clerk = Node::builder().memory().clock(clock.clone()).entropy(entropy.clone()).open().await?;
    let mut filler = Filler {
        backend: backend.clone(),
        clock,
        entropy,
        node,
        nonce,
        seq: 0,
        partitions: taken.into_iter().map(|taken| (taken.partition, fresh(taken.epoch))).collect(),
        client: clerk.client(),
    };
    let written = filler.write(ended, delayed).await;
    clerk.shutdown().await;
    written?;
    if !backend.bury_node(node, true).await? {
        return Err("the filler's node could not be buried".into());
    }
    backend.close().await;
    Ok(())
}

impl Filler {
    async fn write(&mut self, ended: usize, delayed: usize) -> BenchResult<()> {
        // Both kinds side by side, as they come in life.
        let total = ended + delayed;
        let mut last: Option<tokio::task::JoinHandle<BenchResult<()>>> = None;
        let mut made_delayed = 0;
        for first in (0..total).step_by(BATCH) {
            for number in first..total.min(first + BATCH) {
                let due = (number + 1) * delayed / total;
                if due > made_delayed {
                    made_delayed = due;
                    self.delay()?;
                } else {
                    self.end()?;
                }
            }
            let batch = self.batch();
            // The next one is decided while this one is written.
            if let Some(last) = last.take() {
                last.await??;
            }
            last = Some(tokio::spawn(send(self.backend.clone(), batch)));
        }
        match last {
            Some(last) => last.await?,
            None => Ok(()),
        }
    }

    fn delay(&mut self) -> BenchResult<()> {
        let payload = rig::payload(&*self.entropy);
        let create = self.client.submit(KIND, payload).delay(DELAY).into_create()?;
        self.decide(create).map(drop)
    }

    fn end(&mut self) -> BenchResult<()> {
        let payload = rig::payload(&*self.entropy);
        let result = rig::check(&payload).map_err(|_| "a payload without its checksum")?;
        let create: CreateExecution = self.client.submit(KIND, payload).into_create()?;
        let execution_id = create.execution_id;
        self.decide(create)?;
        let claim = Claim {
            execution_id,
            worker_id: WorkerId::new("bench"),
            worker_instance_id: WorkerInstanceId::new("bench/filler"),
            holder: Holder::Node(self.node),
            capabilities: CapabilitySet::EMPTY,
            request_id: None,
            lease_id: LeaseId::from_uuid(self.entropy.uuid()),
            attempt_id: AttemptId::from_uuid(self.entropy.uuid()),
            lease_ttl_ms: 30_000,
        };
        let ClaimOutcome::Claimed(claimed) = self.decide(claim)? else {
            return Err(format!("{execution_id} could not be claimed").into());
        };
        self.decide(CompleteExecution {
            execution_id,
            fence: FenceTriple::from(claimed.fence()),
            attempt_index: None,
            result_payload: Some(result.into()),
            result_encoding: None,
            source: CommandSource::LeaseHolder,
        })
        .map(drop)
    }

    /// Decides a command and keeps what it changes for the next batch.
    fn decide<O: Operation>(&mut self, operation: O) -> BenchResult<O::Outcome> {
        let command = operation.into_command();
        let number = command.subject().partition(&PartitionConfig::default());
        let partition = self.partitions.get_mut(&number).ok_or("a partition nobody has")?;
        let context = Context { now: self.clock.now(), random: 0.5, promised_until: None };
        let decision =
            decide(&command, &partition.records, &context).decided().ok_or("records that are not at hand")?;
        for change in &decision.changes.changes {
            match &change.new {
                Some(record) => partition.records.insert(change.key.clone(), record.clone()),
                None => partition.records.remove(&change.key),
            };
        }
        partition.merged.absorb(decision.changes);
        O::outcome(decision.outcome?).map_err(|other| format!("another answer: {other:?}").into())
    }

    fn batch(&mut self) -> Batch {
        let time = self.clock.now();
        let mut parts = Vec::with_capacity(self.partitions.len());
        for (&number, partition) in &mut self.partitions {
            if partition.merged.is_empty() {
                continue;
            }
            let changes = partition.merged.take();
            // Nothing asks for these again.
            partition.records.retain(|key, _| !matches!(key, RecordKey::Execution(_)));
            let first_event = partition.next_event;
            partition.next_event += changes.events.len() as u64;
            let expected =
                Expected { partition: number, epoch: partition.epoch, nonce: self.nonce, seq: partition.seq };
            partition.seq += 1;
            parts.push(Part { expected, time, first_event, changes });
        }
        let batch = Batch { node: self.node, seq: self.seq, parts };
        self.seq += 1;
        batch
    }
}

async fn send(backend: Arc<dyn Backend>, batch: Batch) -> BenchResult<()> {
    let outcomes = backend.commit(&batch).await?;
    if outcomes.iter().any(|outcome| *outcome != PartOutcome::Applied) {
        return Err("a part was refused although nobody else serves the store".into());
    }
    Ok(())
}
