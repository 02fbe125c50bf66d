//! Timers: what is due, in bounded turns, and when to look again.
//!
//! The due window holds the next timers of executions, the lease table those
//! of leases. The actor sleeps until the earliest; an idle partition asks the
//! store nothing.

use super::PartitionMsg;
use super::state::{Parked, State, Tried};
use leasehold_backend::{DueEntry, ReadyGroup, StoreResult};
use leasehold_core::command::{Operation, Settle, StoreRenewal};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{Execution, RecordKey};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A turn that comes so much later than its alarm means that the actor itself
/// stood still.
const STALL: Duration = Duration::from_secs(1);

impl State {
    /// Something may be due.
    pub(super) fn tick(&mut self) {
        let monotonic = self.env.clock.monotonic();
        if let Some((until, _)) = self.alarm.take() {
            let late = monotonic.saturating_sub(until);
            if late > STALL {
                // Renewals queued behind the stall must not find their leases
                // lapsed.
                self.leases.extend(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
            }
        }
        self.last_turn = monotonic;
        if !self.recovered || !self.env.options.automatic {
            return;
        }
        let now = self.env.time.now();
        let turn = self.env.options.due_turn;
        for (id, entry) in self.leases.to_flush(now, turn) {
            self.flush_renewal(id, &entry);
        }
        let mut due = self.leases.lapsed(now, turn);
        due.extend(self.due.iter().take_while(|(at, _)| *at <= now).take(turn).map(|(_, id)| id));
        due.extend(self.claimed_due.iter().take_while(|(at, _)| *at <= now).take(turn).map(|(_, id)| *id));
        due.retain(|id| self.settling.insert(*id));
        self.flows.tick(now);
        self.settle_all(due);
    }

    /// Stores a renewal that was answered from memory.
    fn flush_renewal(&mut self, id: Uuid, entry: &super::leases::LeaseEntry) {
        if self.want(&[RecordKey::Execution(id)]) {
            // The next turn finds it again.
            return;
        }
        let execution_id = ExecutionId::from_parts(self.partition, id);
        let store = StoreRenewal { execution_id, lease_epoch: entry.fence.lease_epoch };
        self.act(store.into_command());
    }

    /// Settles executions in the given order, once their records are here. One
    /// that misses records holds up those behind it, so that the order does not
    /// hang on which of them happened to be in memory; those only ask for what
    /// they will need.
    pub(super) fn settle_all(&mut self, ids: Vec<Uuid>) {
        let mut later = Vec::new();
        for id in ids {
            if self.want(&[RecordKey::Execution(id)]) {
                later.push(id);
                continue;
            }
            let settle = Settle { execution_id: ExecutionId::from_parts(self.partition, id), holder_gone: None };
            let command = settle.into_command();
            if !later.is_empty() {
                self.look_ahead(&command);
                later.push(id);
                continue;
            }
            match self.decide(&command) {
                Tried::Missing => {
                    later.push(id);
                    continue;
                }
                Tried::Decided(Ok(_), _) => {}
                Tried::Decided(Err(error), _) => {
                    tracing::error!(execution = %id, %error, "what is due could not be settled");
                }
            }
            self.settling.remove(&id);
        }
        if !later.is_empty() {
            self.parked.push_back(Parked::Due(later));
        }
    }

    /// Sleeps until the next timer.
    pub(super) fn set_alarm(&mut self) {
        if !self.recovered || !self.env.options.automatic || self.lost {
            return;
        }
        let due = self.due.iter().find(|(_, id)| !self.settling.contains(id)).map(|(at, _)| at);
        let claimed = self.claimed_due.iter().find(|(_, id)| !self.settling.contains(id)).map(|(at, _)| *at);
        let timers = [due, claimed, self.leases.next_due(), self.flows.next_due()];
        let Some(at) = timers.into_iter().flatten().min() else { return };
        // Not in this millisecond, so that a settlement under way is not
        // chased in circles.
        let until = self.env.time.reaches(at);
        if self.alarm.as_ref().is_some_and(|(set, _)| *set <= until) {
            return;
        }
        if let Some((_, alarm)) = self.alarm.take() {
            alarm.abort();
        }
        let (sleep, myself) = (self.env.clock.sleep_until(until), self.myself.clone());
        let partition = self.partition;
        let task = tokio::spawn(async move {
            sleep.await;
            if myself.cast(PartitionMsg::Tick).is_err() {
                tracing::debug!(partition, "an alarm rang after its partition's actor had gone");
            }
        });
        self.alarm = Some((until, task.abort_handle()));
    }

    /// Scans the store where windows have room.
    pub(super) fn refill(&mut self) {
        if !self.recovered || self.lost {
            return;
        }
        let (partition, life) = (self.partition, self.life);
        if let Some((after, asked)) = self.due.begin_scan() {
            let (env, myself) = (self.env.clone(), self.myself.clone());
            tokio::spawn(async move {
                let result = env.backend.scan_due(partition, after, asked).await;
                drop(myself.cast(PartitionMsg::DueScanned { asked, result, life }));
            });
        }
        for (group, window) in &mut self.ready {
            if let Some((after, asked)) = window.begin_scan() {
                let (env, myself, group) = (self.env.clone(), self.myself.clone(), Arc::new(group.clone()));
                tokio::spawn(async move {
                    let result = env.backend.scan_ready(partition, &group, after, asked).await;
                    drop(myself.cast(PartitionMsg::ReadyScanned { group, asked, result, life }));
                });
            }
        }
    }

    /// Timers came.
    pub(super) fn due_scanned(&mut self, asked: usize, result: StoreResult<Vec<DueEntry>>, life: u64) {
        if life != self.life {
            return;
        }
        match result {
            Ok(found) => {
                let keys: Vec<_> = found.into_iter().map(|entry| (entry.due_at, entry.execution)).collect();
                self.due.finish_scan(&keys, asked);
            }
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "a scan of timers failed");
                self.due.abandon_scan();
            }
        }
    }

    /// Ready executions came.
    pub(super) fn ready_scanned(
        &mut self,
        group: &ReadyGroup,
        asked: usize,
        result: StoreResult<Vec<Arc<Execution>>>,
        life: u64,
    ) {
        if life != self.life {
            return;
        }
        let Some(window) = self.ready.get_mut(group) else { return };
        match result {
            Ok(found) => {
                let key = |execution: &Arc<Execution>| (execution.rank(), execution.id.uuid());
                let keys: Vec<_> = found.iter().map(key).collect();
                // An execution under a grant is listed by the store and left
                // out here.
                let granted: Vec<_> = found.iter().filter(|execution| execution.grant.is_some()).map(key).collect();
                window.finish_scan_without(&keys, &granted, asked);
                self.dirty_groups.insert(group.clone());
            }
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "a scan of ready executions failed");
                window.abandon_scan();
            }
        }
    }
}
