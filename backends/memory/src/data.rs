//! The data: what survives every node.

use crate::fault::LateAfter;
use crate::inbox::Inbox;
use crate::nodes::Nodes;
use crate::partition::Partition;
use leasehold_backend::{Batch, Clock, PartOutcome, StoreError, StoreIdentity, StoreResult};
use leasehold_core::ids::NodeId;
use leasehold_core::partition::PartitionConfig;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

const SCHEMA_VERSION: u32 = 1;

/// The shared data of a simulated store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
}

/// What became of commits that were on their way while their sender was told
/// that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateCommits {
    /// Commits still on their way.
    pub pending: usize,
    /// Parts that arrived and were applied.
    pub landed: u64,
    /// Parts that arrived and were refused by their partition's head.
    pub refused: u64,
}

#[derive(Debug)]
enum Arrival {
    AfterCalls(u32),
    At(Duration),
}

#[derive(Debug)]
struct Late {
    batch: Batch,
    arrival: Arrival,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Data {
    store_id: Uuid,
    config: Option<PartitionConfig>,
    pub nodes: Nodes,
    pub partitions: BTreeMap<u16, Partition>,
    /// None where there are no outside writers.
    pub inbox: Option<Inbox>,
    late: Vec<Late>,
    counts: LateCommits,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_identity(Uuid::from_u128(1))
    }

    /// An empty store with an identity of its own, for tests with several.
    pub fn with_identity(store_id: Uuid) -> Self {
        let data = Data {
            store_id,
            config: None,
            nodes: Nodes::default(),
            partitions: BTreeMap::new(),
            inbox: None,
            late: Vec::new(),
            counts: LateCommits::default(),
        };
        Self { data: Arc::new(Mutex::new(data)) }
    }

    /// The same store, open to outside writers.
    #[must_use]
    pub fn with_outside_writers(self) -> Self {
        self.with(|data| {
            data.inbox.get_or_insert_default();
        });
        self
    }

    /// What became of late commits so far.
    pub fn late_commits(&self) -> LateCommits {
        self.with(|data| LateCommits { pending: data.late.len(), ..data.counts })
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Data) -> T) -> T {
        f(&mut self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Data {
    pub fn prepare(&mut self, config: PartitionConfig) -> StoreResult<StoreIdentity> {
        config.validate().map_err(|error| StoreError::refused(error.to_string()))?;
        match &self.config {
            Some(stored) if *stored != config => Err(StoreError::refused(format!(
                "the store was made for {stored:?} and cannot be used with {config:?}"
            ))),
            _ => {
                self.config = Some(config);
                Ok(StoreIdentity { store_id: self.store_id, schema_version: SCHEMA_VERSION })
            }
        }
    }

    /// How many partitions there are.
    pub fn count(&self) -> StoreResult<u16> {
        let config = self.config.ok_or_else(|| StoreError::refused("the store has not been prepared"))?;
        Ok(config.num_flow_partitions)
    }

    /// Whether `node` may take a partition with this owner.
    pub fn may_take(&self, node: NodeId, owner: Option<NodeId>) -> bool {
        owner.is_none_or(|owner| owner == node || !self.nodes.is_alive(owner))
    }

    /// Applies a batch, having looked at all of it first.
    pub fn commit(&mut self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        let ascending = batch.parts.windows(2).all(|pair| pair[0].expected.partition < pair[1].expected.partition);
        if !ascending {
            return Err(StoreError::permanent("the parts of a batch are not in ascending order of partition"));
        }
        let mut outcomes = Vec::with_capacity(batch.parts.len());
        for part in &batch.parts {
            let partition = self.partitions.get(&part.expected.partition);
            let Some(partition) = partition.filter(|partition| partition.expects(&part.expected)) else {
                outcomes.push(PartOutcome::Refused);
                continue;
            };
            if let Some(obstacle) = partition.obstacle(part) {
                return Err(StoreError::permanent(obstacle));
            }
            outcomes.push(PartOutcome::Applied);
        }
        for (part, outcome) in batch.parts.iter().zip(&outcomes) {
            if *outcome == PartOutcome::Applied {
                self.partitions.entry(part.expected.partition).or_default().apply(part);
                if let Some(inbox) = &mut self.inbox {
                    inbox.remove(&part.changes.inbox);
                }
            }
        }
        Ok(outcomes)
    }

    /// Sends a batch on its way.
    pub fn delay(&mut self, batch: Batch, after: LateAfter, clock: &dyn Clock) {
        let arrival = match after {
            LateAfter::Calls(calls) => Arrival::AfterCalls(calls),
            LateAfter::Ms(ms) => Arrival::At(clock.monotonic() + Duration::from_millis(ms)),
        };
        self.late.push(Late { batch, arrival });
    }

    /// Lets late commits arrive, in the order they were sent. Done as the
    /// first thing of every call, which is all a caller can tell of when they
    /// arrived.
    pub fn arrive(&mut self, clock: &dyn Clock) {
        let now = clock.monotonic();
        let mut waiting = Vec::new();
        for mut late in std::mem::take(&mut self.late) {
            let arrived = match &mut late.arrival {
                Arrival::AfterCalls(calls) if *calls == 0 => true,
                Arrival::AfterCalls(calls) => {
                    *calls -= 1;
                    false
                }
                Arrival::At(at) => *at <= now,
            };
            if !arrived {
                waiting.push(late);
                continue;
            }
            // What is permanently wrong with a batch is nobody's to hear.
            for outcome in self.commit(&late.batch).unwrap_or_default() {
                match outcome {
                    PartOutcome::Applied => self.counts.landed += 1,
                    PartOutcome::Refused | PartOutcome::Failed(_) => self.counts.refused += 1,
                }
            }
        }
        self.late = waiting;
    }
}
