//! A node on a store, the payloads and the handler of the benches.

use super::stores::{Place, Store};
use super::{BenchError, BenchResult};
use bytes::Bytes;
use leasehold::{Client, Node, PayloadBytes, WorkerBuilder};
use leasehold_backend::{Backend, Clock, Entropy, SystemClock, SystemEntropy};
use leasehold_contract::EngineResult;
use leasehold_core::partition::fnv1a64;
use leasehold_core::time::TimestampMs;
use leasehold_sdk::{HandlerError, Submission, Submitted};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The bytes of a payload.
pub(super) const PAYLOAD_BYTES: usize = 1024;

/// The bytes of them that are the checksum of the others.
const CHECKSUM_BYTES: usize = 8;

/// The kind of all executions.
pub(super) const KIND: &str = "checksum";

/// Callers that submit singly at the same time.
const SINGLE_CALLERS: usize = 256;

/// Callers that submit in bulk at the same time.
const BULK_CALLERS: usize = 4;

/// Executions per call of a bulk submission.
const BULK: usize = 500;

/// How long handlers have to end; none takes longer than a moment.
const GRACE: Duration = Duration::from_mins(1);

/// A running node with its store at hand.
pub(super) struct Rig {
    pub(super) node: Node,
    pub(super) store: Box<dyn Store>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Rig {
    /// Opens a node with the defaults of the product on a new store.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub(super) async fn fresh(place: &dyn Place) -> BenchResult<Self> {
        Self::open(place.fresh().await?).await
    }

    /// Opens a node with the defaults of the product on a store.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub(super) async fn open(mut store: Box<dyn Store>) -> BenchResult<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let backend = store.open(clock.clone()).await?;
        let node = Node::builder().backend(backend.clone()).clock(clock.clone()).entropy(entropy.clone());
        let node = node.open().await?;
        Ok(Self { node, store, backend, clock, entropy })
    }

    /// Ends the node; its store stays.
    pub(super) async fn close(self) -> Box<dyn Store> {
        self.node.shutdown().await;
        self.store
    }

    /// Ends the node and removes its store.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    pub(super) async fn remove(self) -> BenchResult<()> {
        self.close().await.remove().await
    }

    /// How many partitions the node has.
    pub(super) fn partitions(&self) -> u16 {
        self.node.engine().env().options.partitions.num_flow_partitions
    }

    /// Time since some moment of this process.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Submits singly from many callers at once; the rate per second.
    ///
    /// # Errors
    ///
    /// The first submission that was refused.
    pub(super) async fn submit_singly(&self, count: usize) -> BenchResult<f64> {
        let payloads = payloads(count, &*self.entropy);
        let shares = shares(payloads, count.div_ceil(SINGLE_CALLERS));
        let began = self.elapsed();
        let callers = shares.into_iter().map(|share| {
            let client = self.node.client();
            tokio::spawn(async move {
                for payload in share {
                    client.submit(KIND, payload).await?;
                }
                Ok::<_, BenchError>(())
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await??;
        }
        Ok(rate(count, self.elapsed().saturating_sub(began)))
    }

    /// Submits 500 per call from a few callers at once; the rate per second.
    ///
    /// # Errors
    ///
    /// The first submission that was refused.
    pub(super) async fn submit_in_bulk(&self, count: usize) -> BenchResult<f64> {
        let payloads = payloads(count, &*self.entropy);
        let calls = shares(payloads, BULK);
        let share = calls.len().div_ceil(BULK_CALLERS);
        let began = self.elapsed();
        let callers = shares(calls, share).into_iter().map(|calls| {
            let client = self.node.client();
            tokio::spawn(async move {
                for call in calls {
                    let submissions: Vec<_> = call.into_iter().map(|payload| client.submit(KIND, payload)).collect();
                    submit_all(&client, submissions).await?;
                }
                Ok::<_, BenchError>(())
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await??;
        }
        Ok(rate(count, self.elapsed().saturating_sub(began)))
    }

    /// Drains `count` executions with so many slots; the rate per second from
    /// the worker's start until the last completion is durable.
    ///
    /// # Errors
    ///
    /// What the engine refuses, and a drain that leaves a handler behind.
    pub(super) async fn drain(&self, count: usize, workers: u32) -> BenchResult<f64> {
        let started = Arc::new(Started { left: AtomicUsize::new(count), all: Notify::new() });
        let counted = started.clone();
        let handler = move |payload: PayloadBytes| {
            counted.one();
            std::future::ready(check(&payload.0))
        };
        let began = self.elapsed();
        let worker = self.worker(workers).on(KIND, handler).start().await?;
        started.all.notified().await;
        // Ends when the last handler's completion is durable.
        let report = worker.drain(GRACE).await;
        let elapsed = self.elapsed().saturating_sub(began);
        if report.given_back > 0 || report.stuck > 0 {
            return Err(format!("the drain left work behind: {report:?}").into());
        }
        Ok(rate(count, elapsed))
    }

    /// A worker of one fleet with so many slots.
    pub(super) fn worker(&self, slots: u32) -> WorkerBuilder {
        self.node.worker("bench").slots(slots)
    }
}

/// Sends submissions together and fails on the first refusal.
///
/// # Errors
///
/// The first refusal.
pub(super) async fn submit_all(client: &Client, submissions: Vec<Submission>) -> BenchResult<()> {
    let answers = client.submit_many(submissions).await;
    answers.into_iter().collect::<EngineResult<Vec<Submitted>>>()?;
    Ok(())
}

/// Counts handlers down.
struct Started {
    left: AtomicUsize,
    all: Notify,
}

impl Started {
    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }
}

/// What every handler does: checks the checksum and returns sixteen bytes,
/// the checksum twice.
pub(super) fn check(payload: &Bytes) -> Result<Vec<u8>, HandlerError> {
    let Some((content, checksum)) = payload.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(HandlerError::permanent("a payload without a checksum"));
    };
    if fnv1a64(content).to_be_bytes() != *checksum {
        return Err(HandlerError::permanent("a payload with another checksum"));
    }
    Ok([*checksum, *checksum].concat())
}

/// Random bytes with their checksum.
pub(super) fn payload(entropy: &dyn Entropy) -> Bytes {
    let mut bytes = Vec::with_capacity(PAYLOAD_BYTES);
    while bytes.len() < PAYLOAD_BYTES - CHECKSUM_BYTES {
        bytes.extend_from_slice(&entropy.next_u64().to_le_bytes());
    }
    let checksum = fnv1a64(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn payloads(count: usize, entropy: &dyn Entropy) -> Vec<Bytes> {
    (0..count).map(|_| payload(entropy)).collect()
}

fn shares<T>(items: Vec<T>, each: usize) -> Vec<Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| {
        let share: Vec<_> = items.by_ref().take(each.max(1)).collect();
        (!share.is_empty()).then_some(share)
    })
    .collect()
}

/// Per second.
pub(super) fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(f64::EPSILON)
}

/// In milliseconds.
pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The due time that a payload begins with.
///
/// # Errors
///
/// A payload that is too short for one.
pub(super) fn due_of(payload: &[u8]) -> Result<TimestampMs, HandlerError> {
    let due = payload.first_chunk().ok_or_else(|| HandlerError::permanent("a payload without a due time"))?;
    Ok(TimestampMs(i64::from_be_bytes(*due)))
}
