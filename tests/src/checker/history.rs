//! The log: what the events of each execution tell, folded into a history and
//! compared with its record.

use super::contents::{Contents, Stored};
use super::{Report, Rule};
use leasehold_core::event::{Event, Fact, LeaseFact};
use leasehold_core::ids::{AttemptId, AttemptIndex, ExecutionId, LeaseEpoch, LeaseId, WorkerInstanceId};
use leasehold_core::record::Attempt;
use leasehold_core::state::{OwnershipState, TerminalOutcome};
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A lease as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    lease_id: LeaseId,
    lease_epoch: LeaseEpoch,
    attempt_index: AttemptIndex,
    attempt_id: AttemptId,
    worker_instance_id: WorkerInstanceId,
}

/// A lease and what became of it.
#[derive(Clone, Debug)]
struct Lease {
    told: Told,
    expired: bool,
    revoked: bool,
    released: bool,
}

/// What the events of one execution tell.
#[derive(Default)]
struct History {
    leases: Vec<Lease>,
    /// Not told of again before a replay.
    ended: bool,
    completions: u32,
    outcome: Option<TerminalOutcome>,
    replays: u32,
    reclaims: u32,
    /// Since the last replay.
    retries: u32,
    priority: Option<i32>,
}

/// Checks the log of a partition.
pub fn check(contents: &Contents, report: &mut Report) {
    let mut histories: BTreeMap<Uuid, History> = BTreeMap::new();
    let mut last: Option<TimestampMs> = None;
    for logged in &contents.events {
        let event = &logged.event;
        let id = event.execution_id;
        report.ensure(last.is_none_or(|last| last <= event.at), id, Rule::EventTime, || {
            format!("{:?} at {} after one at {last:?}", logged.id, event.at)
        });
        last = last.max(Some(event.at));
        let known = contents.executions.get(&id.uuid()).is_some_and(|stored| stored.execution.id == id);
        // What was refused at the inbox never became anything.
        let refused = event.facts.iter().all(|fact| matches!(fact, Fact::CreateRefused { .. }));
        report.ensure(known || refused, id, Rule::EventSubject, || format!("{:?} is about it", logged.id));
        histories.entry(id.uuid()).or_default().follow(event, report);
    }
    for (id, stored) in &contents.executions {
        histories.remove(id).unwrap_or_default().compare(stored, report);
    }
}

impl History {
    fn follow(&mut self, event: &Event, report: &mut Report) {
        let id = event.execution_id;
        for fact in &event.facts {
            let revives = matches!(fact, Fact::Replayed { .. });
            let anytime = matches!(fact, Fact::Completed { .. } | Fact::CreateRefused { .. });
            report.ensure(self.ended == revives || anytime, id, Rule::AfterEnd, || {
                format!("{} while it {}", fact.kind(), if self.ended { "was over" } else { "was not over" })
            });
            match fact {
                Fact::Lease { what, lease_id, lease_epoch, attempt_index, attempt_id, worker_instance_id } => {
                    let told = Told {
                        lease_id: *lease_id,
                        lease_epoch: *lease_epoch,
                        attempt_index: *attempt_index,
                        attempt_id: *attempt_id,
                        worker_instance_id: worker_instance_id.clone(),
                    };
                    self.lease(id, what, told, report);
                }
                Fact::Completed { outcome, .. } => self.complete(id, *outcome, report),
                Fact::PriorityChanged { old, new } => {
                    report.ensure(self.priority.is_none_or(|known| known == *old), id, Rule::Priority, || {
                        format!("a change from {old} where {:?} was told", self.priority)
                    });
                    self.priority = Some(*new);
                }
                Fact::Replayed { replay_count, .. } => {
                    self.replays += 1;
                    self.retries = 0;
                    self.ended = false;
                    report.ensure(*replay_count == self.replays, id, Rule::ReplayCount, || {
                        format!("replay {replay_count} is told as number {}", self.replays)
                    });
                }
                Fact::CreateRefused { .. } | Fact::SignalDelivered { .. } => {}
            }
        }
    }

    fn complete(&mut self, id: ExecutionId, outcome: TerminalOutcome, report: &mut Report) {
        report.ensure(!self.ended, id, Rule::CompletionCount, || format!("{outcome} after it was over"));
        let over = self.leases.last().is_none_or(|lease| lease.released);
        report.ensure(over, id, Rule::LeaseClosing, || "it ended and its lease was not given back".to_owned());
        self.completions += 1;
        self.outcome = Some(outcome);
        self.ended = true;
    }

    fn lease(&mut self, id: ExecutionId, what: &LeaseFact, told: Told, report: &mut Report) {
        if matches!(what, LeaseFact::Acquired { .. } | LeaseFact::Reclaimed { .. }) {
            return self.open(id, what, told, report);
        }
        let Some(lease) = self.leases.last_mut().filter(|lease| lease.told.lease_id == told.lease_id) else {
            return report.add(Some(id), Rule::LeaseOpening, format!("{} of {} unopened", what.kind(), told.lease_id));
        };
        report.ensure(lease.told == told, id, Rule::LeaseOpening, || {
            format!("{} tells {told:?}, the opening told {:?}", what.kind(), lease.told)
        });
        let lost = lease.expired || lease.revoked;
        let allowed = !lease.released && (!lost || matches!(what, LeaseFact::Released { .. }));
        report.ensure(allowed, id, Rule::LeaseClosing, || format!("{} of {lease:?}", what.kind()));
        match what {
            LeaseFact::Expired => lease.expired = true,
            LeaseFact::Revoked { .. } => lease.revoked = true,
            LeaseFact::Released { reason } => {
                lease.released = true;
                self.retries += u32::from(reason == "failed_retry_scheduled");
            }
            _ => {}
        }
    }

    fn open(&mut self, id: ExecutionId, what: &LeaseFact, told: Told, report: &mut Report) {
        let same = |lease: &&Lease| lease.told.lease_id == told.lease_id || lease.told.lease_epoch == told.lease_epoch;
        let twice = self.leases.iter().find(same);
        report.ensure(twice.is_none(), id, Rule::LeaseIdentity, || format!("{told:?} after {twice:?}"));
        let last = self.leases.last();
        let epoch = last.map_or(LeaseEpoch(0), |last| last.told.lease_epoch);
        report.ensure(epoch < told.lease_epoch, id, Rule::LeaseIdentity, || {
            format!("epoch {} after epoch {epoch}", told.lease_epoch)
        });
        let follows = match (what, last) {
            (LeaseFact::Reclaimed { old_lease_epoch }, Some(last)) => {
                self.reclaims += 1;
                *old_lease_epoch == epoch && (last.expired || last.revoked) && !last.released
            }
            (LeaseFact::Reclaimed { .. }, None) => false,
            (_, last) => last.is_none_or(|last| last.released),
        };
        report.ensure(follows, id, Rule::LeaseSuccession, || format!("{what:?} after {last:?}"));
        let reclaims = matches!(what, LeaseFact::Reclaimed { .. });
        let attempt = match last.map(|last| &last.told) {
            None => told.attempt_index == AttemptIndex(0),
            Some(last) if last.attempt_id == told.attempt_id => last.attempt_index == told.attempt_index && !reclaims,
            Some(last) => {
                last.attempt_index.next() == told.attempt_index
                    && self.leases.iter().all(|lease| lease.told.attempt_id != told.attempt_id)
            }
        };
        report.ensure(attempt, id, Rule::AttemptHistory, || format!("{told:?} after {last:?}"));
        self.leases.push(Lease { told, expired: false, revoked: false, released: false });
    }

    fn compare(&self, stored: &Stored, report: &mut Report) {
        let execution = stored.execution.as_ref();
        let id = execution.id;
        let vector = execution.vector();
        let ends = execution.replay_count.saturating_add(u32::from(vector.is_terminal()));
        report.ensure(self.completions == ends, id, Rule::CompletionCount, || {
            format!("{} ends told, {ends} by the record", self.completions)
        });
        report.ensure(
            !vector.is_terminal() || self.outcome.is_none_or(|told| told == vector.terminal_outcome()),
            id,
            Rule::CompletionOutcome,
            || format!("{:?} told, {} stored", self.outcome, vector.terminal_outcome()),
        );
        self.compare_lease(stored, report);
        self.compare_attempts(stored, report);
        for (rule, told, counted) in [
            (Rule::RetryCount, self.retries, execution.retry_count),
            (Rule::ReclaimCount, self.reclaims, execution.lease_reclaim_count),
            (Rule::ReplayCount, self.replays, execution.replay_count),
        ] {
            report.ensure(told == counted, id, rule, || format!("{told} told, {counted} counted"));
        }
        report.ensure(self.priority.is_none_or(|told| told == execution.priority), id, Rule::Priority, || {
            format!("{:?} told, {} stored", self.priority, execution.priority)
        });
    }

    fn compare_lease(&self, stored: &Stored, report: &mut Report) {
        let execution = stored.execution.as_ref();
        let last = self.leases.last();
        let epoch = last.map_or(LeaseEpoch(0), |last| last.told.lease_epoch);
        let state = last.map(|last| (last.expired, last.revoked, last.released));
        let standing = match execution.vector().ownership_state() {
            OwnershipState::Leased => state == Some((false, false, false)),
            OwnershipState::LeaseExpiredReclaimable => state == Some((true, false, false)),
            OwnershipState::LeaseRevoked => state == Some((false, true, false)),
            OwnershipState::Unowned => state.is_none_or(|(_, _, released)| released),
        };
        let same = execution.lease.as_ref().is_none_or(|lease| {
            last.is_some_and(|last| {
                last.told.lease_id == lease.lease_id
                    && last.told.attempt_id == lease.attempt_id
                    && last.told.worker_instance_id == lease.worker_instance_id
            })
        });
        let agrees = epoch == execution.lease_epoch && standing && same;
        report.ensure(agrees, execution.id, Rule::LeaseRecord, || {
            let vector = execution.vector();
            format!("told {last:?}, stored {} {:?}", vector.ownership_state(), execution.lease)
        });
    }

    fn compare_attempts(&self, stored: &Stored, report: &mut Report) {
        let execution = stored.execution.as_ref();
        let mut told: BTreeMap<AttemptIndex, &Told> = BTreeMap::new();
        for lease in &self.leases {
            told.insert(lease.told.attempt_index, &lease.told);
        }
        let count = told.len();
        report.ensure(count == execution.total_attempt_count as usize, execution.id, Rule::AttemptHistory, || {
            format!("{count} told, {} counted", execution.total_attempt_count)
        });
        let agrees = |attempt: &Attempt| {
            told.get(&attempt.index).is_some_and(|told| {
                told.attempt_id == attempt.attempt_id
                    && told.lease_id == attempt.lease_id
                    && told.lease_epoch == attempt.lease_epoch
                    && told.worker_instance_id == attempt.worker_instance_id
            })
        };
        for attempt in stored.attempts.iter().map(AsRef::as_ref).chain(&execution.attempt) {
            report.ensure(agrees(attempt), execution.id, Rule::AttemptHistory, || {
                format!("attempt {} is stored as {} and told otherwise", attempt.index, attempt.attempt_id)
            });
        }
    }
}
