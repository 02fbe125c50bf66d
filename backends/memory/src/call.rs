//! How a call reaches the store, or does not.

use crate::backend::MemoryBackend;
use crate::data::Data;
use crate::fault::{CallFault, CommitFault, Crash, CrashPoint, HeartbeatFault, PartFault};
use leasehold_backend::{Batch, Part, PartOutcome, StoreError, StoreResult};
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl MemoryBackend {
    /// Never returns once the node has crashed: a dead process hears nothing.
    async fn unless_crashed(&self) {
        if self.crashed.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// One visit to the store, before which late commits arrive.
    async fn visit<T>(&self, f: impl FnOnce(&mut Data) -> T + Send) -> T {
        self.unless_crashed().await;
        self.store.with(|data| {
            data.arrive(self.clock.as_ref());
            f(data)
        })
    }

    async fn wait(&self, ms: u64) {
        self.clock.sleep(Duration::from_millis(ms)).await;
    }

    async fn call<T>(
        &self,
        fault: Option<CallFault>,
        f: impl FnOnce(&mut Data) -> StoreResult<T> + Send,
    ) -> StoreResult<T> {
        match fault {
            Some(CallFault::Busy) => return Err(StoreError::busy("injected")),
            Some(CallFault::Delay(ms)) => self.wait(ms).await,
            Some(CallFault::Lost) => {
                self.visit(|data| f(data).map(drop)).await?;
                return Err(StoreError::unknown("injected"));
            }
            None => {}
        }
        self.visit(f).await
    }

    /// A load or scan.
    pub(crate) async fn read<T>(&self, f: impl FnOnce(&mut Data) -> StoreResult<T> + Send) -> StoreResult<T> {
        self.unless_crashed().await;
        self.call(self.faults.on_read(), f).await
    }

    /// A call about nodes or ownership.
    pub(crate) async fn ownership<T>(&self, f: impl FnOnce(&mut Data) -> StoreResult<T> + Send) -> StoreResult<T> {
        self.unless_crashed().await;
        self.call(self.faults.on_ownership(), f).await
    }

    pub(crate) async fn heartbeat(&self, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
        self.unless_crashed().await;
        match self.faults.on_heartbeat() {
            Some(HeartbeatFault::Busy) => return Err(StoreError::busy("injected")),
            Some(HeartbeatFault::Delay(ms)) => self.wait(ms).await,
            Some(HeartbeatFault::Lost) => {
                let now = self.clock.now();
                self.visit(|data| data.nodes.bury(node, now, true)).await;
                return Ok(None);
            }
            None => {}
        }
        // The time is that of the arrival, not that of the sending.
        Ok(self
            .visit(|data| {
                let now = self.clock.now();
                data.nodes.heartbeat(node, now, ttl_ms).then_some(now)
            })
            .await)
    }

    pub(crate) async fn apply(&self, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
        self.unless_crashed().await;
        let Some(fault) = self.faults.on_commit(batch) else {
            return self.visit(|data| data.commit(batch)).await;
        };
        match fault {
            CommitFault::Busy => Err(StoreError::busy("injected")),
            CommitFault::Permanent => Err(StoreError::permanent("injected")),
            CommitFault::Full => Err(StoreError::full("injected")),
            CommitFault::Part { partition, fault } => {
                self.visit(|data| {
                    let is_it = |part: &Part| part.expected.partition == partition;
                    let mut sent = batch.clone();
                    sent.parts.retain(|part| !is_it(part) || fault == PartFault::Lost);
                    let mut answers = data.commit(&sent)?.into_iter().peekable();
                    let mut answer = |part: &Part| {
                        if is_it(part) {
                            answers.next_if(|_| fault == PartFault::Lost);
                            return Ok(PartOutcome::Failed(fault.error()));
                        }
                        answers.next().ok_or_else(|| StoreError::permanent("an answer is missing"))
                    };
                    batch.parts.iter().map(&mut answer).collect()
                })
                .await
            }
            CommitFault::Lost => {
                // Whatever the store said, nobody heard it.
                drop(self.visit(|data| data.commit(batch)).await);
                Err(StoreError::unknown("injected"))
            }
            CommitFault::Late(after) => {
                self.visit(|data| data.delay(batch.clone(), after, self.clock.as_ref())).await;
                Err(StoreError::unknown("injected"))
            }
            CommitFault::DelayBefore(ms) => {
                self.wait(ms).await;
                self.visit(|data| data.commit(batch)).await
            }
            CommitFault::DelayAfter(ms) => {
                let outcome = self.visit(|data| data.commit(batch)).await;
                self.wait(ms).await;
                self.unless_crashed().await;
                outcome
            }
            CommitFault::Crash(point) => {
                if point == CrashPoint::AfterCommit {
                    drop(self.visit(|data| data.commit(batch)).await);
                }
                self.crashed.store(true, Ordering::SeqCst);
                self.faults.report(Crash { node: batch.node, point });
                std::future::pending().await
            }
        }
    }
}
