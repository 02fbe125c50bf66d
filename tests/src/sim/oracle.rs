//! What was acknowledged must be in the store, and what was promised must
//! have been kept.

mod flows;
mod waits;

use super::judge::{self, Judged, Setting};
use super::kept;
use super::world::PARTITIONS;
use flows::FlowsOracle;
use leasehold_backend::{Backend, LoggedEvent, PAGE_MAX};
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::{ExecutionId, LeaseId};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use waits::WaitsOracle;

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub struct Oracle {
    created: BTreeSet<ExecutionId>,
    left: BTreeMap<ExecutionId, String>,
    by_key: BTreeMap<String, BTreeSet<ExecutionId>>,
    claimed: BTreeMap<LeaseId, ExecutionId>,
    promised: BTreeMap<LeaseId, TimestampMs>,
    released: BTreeMap<LeaseId, &'static str>,
    cancelled: BTreeSet<ExecutionId>,
    replayed: BTreeMap<ExecutionId, u32>,
    /// Of waitpoints and signals.
    pub waits: WaitsOracle,
    /// Of flows.
    pub flows: FlowsOracle,
}

impl Oracle {
    /// A create was acknowledged.
    pub fn created(&mut self, id: ExecutionId, key: Option<&str>) {
        self.created.insert(id);
        if let Some(key) = key {
            self.by_key.entry(key.to_owned()).or_default().insert(id);
        }
    }

    /// An outside writer left a create in the inbox. It is as good as an
    /// acknowledged one, except that its key may stand for another execution,
    /// of which nobody may have heard.
    pub fn left(&mut self, id: ExecutionId, key: Option<&str>) {
        match key {
            None => self.created(id, None),
            Some(key) => drop(self.left.insert(id, key.to_owned())),
        }
    }

    /// A lease was handed out, good until a time.
    pub fn claimed(&mut self, id: ExecutionId, lease: LeaseId, until: TimestampMs) {
        self.claimed.insert(lease, id);
        self.promised.insert(lease, until);
    }

    /// A lease was promised until a time.
    pub fn renewed(&mut self, lease: LeaseId, until: TimestampMs) {
        self.promised.insert(lease, until);
    }

    /// A lease was given back.
    pub fn released(&mut self, lease: LeaseId, how: &'static str) {
        self.released.insert(lease, how);
    }

    /// An execution was cancelled.
    pub fn cancelled(&mut self, id: ExecutionId) {
        self.cancelled.insert(id);
    }

    /// An execution is run again.
    pub fn replayed(&mut self, id: ExecutionId) {
        *self.replayed.entry(id).or_default() += 1;
    }

    /// Executions that were acknowledged.
    pub fn executions(&self) -> Vec<ExecutionId> {
        self.created.iter().copied().collect()
    }

    /// Compares what was acknowledged with the store, in which every execution
    /// has ended.
    pub async fn judge(&self, backend: &dyn Backend, cascades_fit: bool, judged: &mut Judged) -> Vec<String> {
        let log = read_log(backend, PARTITIONS).await;
        let mut found = self.judge_executions(backend, &log).await;
        let executions = kept::executions(backend, PARTITIONS).await;
        found.extend(self.waits.judge(backend, &log, &executions, judged).await);
        let flows = kept::flows(backend, PARTITIONS).await;
        found.extend(self.flows.judge(&flows));
        for flow in &flows {
            let interfered = self.flows.was_interfered_with(flow.flow.flow_id);
            found.extend(judge::judge(flow, &executions, &log, Setting { cascades_fit, interfered }, judged));
        }
        found
    }

    async fn judge_executions(&self, backend: &dyn Backend, log: &[LoggedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let stored: BTreeSet<_> = final_states(backend).await.into_iter().map(|(id, _)| id).collect();
        let mut by_key = self.by_key.clone();
        for (id, key) in &self.left {
            let ids = by_key.entry(key.clone()).or_default();
            ids.extend(stored.contains(id).then_some(*id));
        }
        for (key, ids) in by_key {
            if ids.len() > 1 {
                found.push(format!("the key {key} stands for {} executions", ids.len()));
            }
        }
        for entry in backend.inbox(None, PAGE_MAX).await.expect("nothing goes wrong here") {
            found.push(format!("{}: entry {} is still in the inbox", entry.execution, entry.number));
        }
        for id in self.created.difference(&stored) {
            found.push(format!("{id}: its creation was acknowledged and it does not exist"));
        }
        let mut opened = BTreeSet::new();
        let mut ended: BTreeMap<LeaseId, Vec<String>> = BTreeMap::new();
        let mut cancelled = BTreeSet::new();
        let mut replays: BTreeMap<ExecutionId, u32> = BTreeMap::new();
        for logged in log {
            let event = &logged.event;
            for fact in &event.facts {
                match fact {
                    Fact::Lease { what, lease_id, .. } => match what {
                        LeaseFact::Acquired { .. } | LeaseFact::Reclaimed { .. } => {
                            opened.insert(*lease_id);
                        }
                        LeaseFact::Released { reason } => {
                            ended.entry(*lease_id).or_default().push(reason.clone());
                        }
                        LeaseFact::Expired => {
                            if let Some(until) = self.promised.get(lease_id).filter(|until| event.at < **until) {
                                found.push(format!(
                                    "{}: lease {lease_id} was promised until {until} and lapsed at {}",
                                    event.execution_id, event.at
                                ));
                            }
                        }
                        LeaseFact::Renewed | LeaseFact::Revoked { .. } => {}
                    },
                    Fact::Completed { outcome: TerminalOutcome::Cancelled, .. } => {
                        cancelled.insert(event.execution_id);
                    }
                    Fact::Replayed { .. } => *replays.entry(event.execution_id).or_default() += 1,
                    Fact::Completed { .. }
                    | Fact::PriorityChanged { .. }
                    | Fact::CreateRefused { .. }
                    | Fact::SignalDelivered { .. } => {}
                }
            }
        }
        for (lease, id) in &self.claimed {
            if !opened.contains(lease) {
                found.push(format!("{id}: lease {lease} was handed out and is not in the log"));
            }
        }
        for (lease, how) in &self.released {
            // A failure that finds the execution failed already, under the
            // same lease, is told that it has failed: by too many reclaims, or
            // by the deadline of a suspension nobody had heard of.
            let failed_otherwise = |reason: &String| matches!(&**reason, "max_reclaims_exceeded" | "suspend");
            let fits = |reason: &String| reason == how || (*how == "failed_terminal" && failed_otherwise(reason));
            if !ended.get(lease).is_some_and(|reasons| reasons.iter().any(fits)) {
                found.push(format!("lease {lease}: its end ({how}) was acknowledged and is not in the log"));
            }
        }
        for id in self.cancelled.difference(&cancelled) {
            found.push(format!("{id}: its cancellation was acknowledged and is not in the log"));
        }
        for (id, count) in &self.replayed {
            let logged = replays.get(id).copied().unwrap_or(0);
            if logged < *count {
                found.push(format!("{id}: {count} replays were acknowledged and {logged} are in the log"));
            }
        }
        found
    }
}

/// The log of each partition, one after another.
pub async fn read_log(backend: &dyn Backend, partitions: u16) -> Vec<LoggedEvent> {
    let mut log = Vec::new();
    for partition in 0..partitions {
        let mut after = None;
        loop {
            let page = backend.read_events(partition, after, PAGE_MAX).await.expect("nothing goes wrong here");
            after = page.last().map(|event| event.id);
            let end = page.len() < PAGE_MAX;
            log.extend(page);
            if end {
                break;
            }
        }
    }
    log
}

/// Every execution in the store with its public state.
pub async fn final_states(backend: &dyn Backend) -> Vec<(ExecutionId, &'static str)> {
    let executions = kept::executions(backend, PARTITIONS).await;
    executions.into_iter().map(|(id, execution)| (id, execution.vector().public_state().as_str())).collect()
}
