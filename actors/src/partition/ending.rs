//! How a commit ends, and how a partition does: what waited is let go or
//! fails.

use super::release::{self, Release, answer};
use super::state::{Alone, Parked, State};
use crate::committer::Settled;
use leasehold_core::error::EngineError;
use leasehold_core::record::Execution;
use std::sync::Arc;

impl State {
    /// A commit has ended.
    pub(super) fn settled(&mut self, commit: u64, settled: Settled, life: u64) {
        if life != self.life || self.lost {
            return;
        }
        match settled {
            Settled::Durable | Settled::Recovered { .. } => self.became_durable(commit),
            Settled::Failed { error, epoch, blame } => {
                tracing::warn!(partition = self.partition, commit, %error, "a commit failed; reloading");
                let waiting = self.waiting.take_all();
                let verdict = release::judge(waiting, &error, blame);
                self.restart(epoch);
                self.retry_together(verdict.together);
                self.retry_alone(verdict.alone);
            }
            Settled::Lost => {
                tracing::warn!(partition = self.partition, "the partition has another owner");
                self.lose();
            }
        }
    }

    fn became_durable(&mut self, commit: u64) {
        self.durable = commit;
        for window in self.ready.values_mut() {
            window.durable(commit);
        }
        self.due.durable(commit);
        for release in self.waiting.take_until(commit) {
            match release {
                Release::Answer { submit, outcome } => answer(*submit, outcome),
                Release::Tasks { sink, tasks, request } => self.deliver(sink, tasks, &request),
                Release::Event(event) => self.events.publish(event),
                Release::Ended(execution) => self.ended(&execution),
            }
        }
        if self.walks == 0 {
            self.hot.evict(commit);
        }
        if matches!(self.alone_now, Alone::Committing(alone) if alone <= commit) {
            self.alone_now = Alone::Nobody;
        }
    }

    fn ended(&mut self, execution: &Arc<Execution>) {
        let id = execution.id.uuid();
        for port in self.watchers.remove(&id).unwrap_or_default() {
            drop(port.send(Ok(Arc::clone(execution))));
        }
        self.hot.forget(id, self.durable);
    }

    /// Gives the partition up.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.slot.poison();
        self.fail_everything();
    }

    fn fail_everything(&mut self) {
        let error = EngineError::PartitionUnavailable { partition: self.partition, retry_after_ms: 100 };
        for release in self.waiting.take_all() {
            // What was staged and not yet told may or may not have landed.
            release.fail(&EngineError::OutcomeUnknown { op: "commit" });
        }
        for submit in std::mem::take(&mut self.alone) {
            answer(submit, Err(error.clone()));
        }
        for parked in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Command(submit) => answer(*submit, Err(error.clone())),
                Parked::Claim(_, sink, _) => {
                    sink(Err(error.clone()));
                }
                Parked::Watch(_, port) => drop(port.send(Err(error.clone()))),
                // Whose port is dropped is told that the partition has gone.
                Parked::Due(_) | Parked::Own(_) | Parked::ClaimedBefore(..) => {}
            }
        }
        for (_, ports) in std::mem::take(&mut self.watchers) {
            for port in ports {
                drop(port.send(Err(error.clone())));
            }
        }
    }

    /// The actor stops.
    pub(super) fn end(&mut self) {
        self.slot.poison();
        self.fail_everything();
        if let Some((_, alarm)) = self.alarm.take() {
            alarm.abort();
        }
        self.dispatcher.gone(self.partition);
    }
}
