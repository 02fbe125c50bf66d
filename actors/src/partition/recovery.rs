//! The start of a life: taking a new epoch where needed, loading active
//! leases and ready groups, then letting commands in.
//!
//! A start, a restart after a panic, a takeover and a reload after a failed
//! commit all come through here.

use super::PartitionMsg;
use super::flows::FlowsLeft;
use super::hot::Hot;
use super::leases::LeaseTable;
use super::state::{Parked, State};
use super::window::Window;
use leasehold_backend::{PAGE_MAX, ReadyGroup, StoreError, StoreResult, Taken};
use leasehold_core::command::{Operation, Settle};
use leasehold_core::error::EngineError;
use leasehold_core::record::{Execution, Holder, KeptKind, Record, RecordKey};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The pause before a load that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What a life starts with.
#[derive(Debug)]
pub struct Recovered {
    /// The new epoch, where one was taken.
    taken: Option<Taken>,
    /// Active executions, with their leases.
    active: Vec<Arc<Execution>>,
    /// Which ready groups exist.
    groups: Vec<ReadyGroup>,
    /// What the commits of flows have left to do.
    flows_left: Vec<Record>,
    /// Nothing is stored; nothing had to be read.
    empty: bool,
}

impl State {
    /// Begins to load what a life starts with.
    pub(super) fn begin_life(&mut self) {
        self.recovered = false;
        let (env, myself) = (self.env.clone(), self.myself.clone());
        let (partition, life, node, nonce) = (self.partition, self.life, self.node, self.nonce);
        let retake = self.retake;
        let empty = self.first_life_is_empty && life == 1;
        tokio::spawn(async move {
            let backend = env.backend.as_ref();
            let result: StoreResult<Recovered> = async {
                let mut recovered =
                    Recovered { taken: None, active: Vec::new(), groups: Vec::new(), flows_left: Vec::new(), empty };
                if retake {
                    let floor = u64::try_from(env.time.now().0).unwrap_or(0);
                    let taken = backend.take_partitions(node, nonce, &[partition], floor).await?;
                    let Some(taken) = taken.first() else {
                        return Err(StoreError::refused("the partition has another owner"));
                    };
                    recovered.taken = Some(*taken);
                }
                if empty {
                    return Ok(recovered);
                }
                loop {
                    let after = recovered.active.last().map(|execution| execution.id.uuid());
                    let page = backend.scan_active(partition, after, PAGE_MAX).await?;
                    let end = page.len() < PAGE_MAX;
                    recovered.active.extend(page);
                    if end {
                        break;
                    }
                }
                loop {
                    let page = backend.ready_groups(partition, recovered.groups.last(), PAGE_MAX).await?;
                    let end = page.len() < PAGE_MAX;
                    recovered.groups.extend(page);
                    if end {
                        break;
                    }
                }
                for kind in [KeptKind::Continuation, KeptKind::PendingCancels, KeptKind::Build] {
                    let mut after = None;
                    loop {
                        let page = backend.scan_kept(partition, kind, after.as_ref(), PAGE_MAX).await?;
                        after = page.last().map(Record::key);
                        let end = page.len() < PAGE_MAX;
                        recovered.flows_left.extend(page);
                        if end {
                            break;
                        }
                    }
                }
                Ok(recovered)
            }
            .await;
            if matches!(result, Err(StoreError::Busy { .. } | StoreError::Unknown { .. })) {
                env.clock.sleep(RETRY_PAUSE).await;
            }
            if myself.cast(PartitionMsg::Recovered { result, life }).is_err() {
                tracing::debug!(partition, "a partition was loaded after its actor had gone");
            }
        });
    }

    /// The load has ended.
    pub(super) fn recovered(&mut self, result: StoreResult<Recovered>, life: u64) {
        if life != self.life || self.lost {
            return;
        }
        let recovered = match result {
            Ok(recovered) => recovered,
            Err(error @ (StoreError::Busy { .. } | StoreError::Unknown { .. })) => {
                tracing::warn!(partition = self.partition, %error, "loading a partition failed; trying again");
                self.begin_life();
                return;
            }
            Err(error) => {
                tracing::error!(partition = self.partition, %error, "a partition cannot be loaded");
                self.lose();
                return;
            }
        };
        if let Some(taken) = recovered.taken {
            self.env.time.not_before(taken.time);
            self.slot.reset(taken.epoch);
            self.retake = false;
        }
        self.durable = self.slot.commit() - 1;
        self.recovered = true;
        let capacity = self.env.options.ready_window;
        for group in recovered.groups {
            self.ready.insert(group.clone(), Window::unknown(capacity));
            self.dirty_groups.insert(group);
        }
        if recovered.empty {
            self.due = Window::empty(self.env.options.due_window);
        }
        let mut gone = Vec::new();
        for execution in recovered.active {
            self.leases.inherit(&execution);
            self.follow_reclaimable(&execution, true);
            self.follow_claimed(&execution, true);
            if let Some(lease) = self.leases.get(execution.id.uuid())
                && self.env.backend.exclusive()
                && matches!(lease.holder, Holder::Node(node) if node != self.node)
            {
                gone.push((execution.id, lease.fence.lease_epoch));
            }
            self.hot.loaded(RecordKey::Execution(execution.id.uuid()), Some(Record::Execution(execution)));
        }
        if self.env.options.automatic {
            // Whoever ran inside the process before is gone with it.
            for (execution_id, lease_epoch) in gone {
                self.act(Settle { execution_id, holder_gone: Some(lease_epoch) }.into_command());
            }
        }
        for record in recovered.flows_left {
            let now = self.env.time.now();
            self.flows.note(&record, now);
            self.hot.loaded(record.key(), Some(record));
        }
        self.run_parked();
    }

    /// Starts a new life after a failed commit: everything in memory was
    /// decided on state that never came to be.
    pub(super) fn restart(&mut self, epoch: Option<u64>) {
        self.life += 1;
        self.retake = epoch.is_none();
        if let Some(epoch) = epoch {
            self.slot.reset(epoch);
        }
        self.unannounced = None;
        let options = &self.env.options;
        let partitions = usize::from(options.partitions.num_flow_partitions.max(1));
        self.hot = Hot::new((options.cache_bytes / partitions).max(64 << 10));
        self.wanted = (BTreeSet::new(), BTreeSet::new());
        self.loading = (BTreeSet::new(), BTreeSet::new());
        self.walks = 0;
        for group in self.told.keys() {
            self.dirty_groups.insert(group.clone());
        }
        self.ready.clear();
        self.reclaimable.clear();
        self.reserved.clear();
        self.due = Window::unknown(options.due_window);
        self.claimed_due.clear();
        self.settling.clear();
        self.flows = FlowsLeft::default();
        self.leases = LeaseTable::default();
        // Due work is found again by the window; who watches looks again.
        self.parked.retain(|parked| !matches!(parked, Parked::Due(_) | Parked::Own(_)));
        for (id, ports) in std::mem::take(&mut self.watchers) {
            self.parked.extend(ports.into_iter().map(|port| Parked::Watch(id, port)));
        }
        self.begin_life();
    }

    /// What callers are told while nothing can be decided.
    pub(super) fn unavailable(&self) -> EngineError {
        EngineError::PartitionUnavailable { partition: self.partition, retry_after_ms: 100 }
    }
}
