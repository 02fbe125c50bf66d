//! What the overlay reads and stages about suspensions, waitpoints and
//! signals.

use crate::ids::{ExecutionId, WaitpointId};
use crate::record::{
    Record, RecordKey, Signal, SignalDedup, SignalDedupKey, SignalKey, SuspendDedup, SuspendDedupKey, Suspended,
    WaitKey, WaitRecord, Waitpoint, Waits, WaitsMark,
};
use crate::time::TimestampMs;
use crate::token::Keyring;
use crate::view::View;
use std::sync::Arc;

impl View<'_> {
    fn wait_record(&mut self, key: WaitKey) -> Option<WaitRecord> {
        match self.get(&RecordKey::Wait(key)) {
            Some(Record::Wait(record)) => Some(record),
            _ => None,
        }
    }

    /// What an execution waits for, if it ever did. One whose stored id
    /// carries another partition is a different execution.
    pub fn find_waits(&mut self, id: ExecutionId) -> Option<Arc<Waits>> {
        match self.wait_record(WaitKey::Waits(id.uuid())) {
            Some(WaitRecord::Waits(waits)) if waits.execution_id == id => Some(waits),
            _ => None,
        }
    }

    /// What an execution waits for, ready to be changed.
    pub fn waits(&mut self, id: ExecutionId) -> Waits {
        self.find_waits(id).map_or_else(|| Waits::new(id), |waits| (*waits).clone())
    }

    /// A waitpoint, or none.
    pub fn waitpoint(&mut self, id: WaitpointId) -> Option<Arc<Waitpoint>> {
        match self.wait_record(WaitKey::Waitpoint(id)) {
            Some(WaitRecord::Waitpoint(waitpoint)) => Some(waitpoint),
            _ => None,
        }
    }

    /// A signal, or none.
    pub fn signal(&mut self, key: SignalKey) -> Option<Arc<Signal>> {
        match self.wait_record(WaitKey::Signal(key)) {
            Some(WaitRecord::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// What an idempotency key of signals stands for, unless it has lapsed.
    pub fn signal_dedup(&mut self, key: SignalDedupKey, now: TimestampMs) -> Option<Arc<SignalDedup>> {
        match self.wait_record(WaitKey::SignalDedup(key)) {
            Some(WaitRecord::SignalDedup(dedup)) if now < dedup.expires_at => Some(dedup),
            _ => None,
        }
    }

    /// What an idempotency key of suspends stands for, unless it has lapsed.
    pub fn suspend_dedup(&mut self, key: SuspendDedupKey, now: TimestampMs) -> Option<Arc<SuspendDedup>> {
        match self.wait_record(WaitKey::SuspendDedup(key)) {
            Some(WaitRecord::SuspendDedup(dedup)) if now < dedup.expires_at => Some(dedup),
            _ => None,
        }
    }

    /// The key ring; one without keys where none is installed.
    pub fn keyring(&mut self) -> Arc<Keyring> {
        match self.wait_record(WaitKey::Keyring) {
            Some(WaitRecord::Keyring(ring)) => ring,
            _ => Arc::default(),
        }
    }

    /// Stages a record of suspension.
    pub fn put_wait(&mut self, record: WaitRecord) {
        self.put(Record::Wait(record));
    }

    /// Stages what an execution waits for.
    pub fn put_waits(&mut self, waits: Waits) {
        self.put_wait(WaitRecord::Waits(Arc::new(waits)));
    }

    /// Stages a waitpoint.
    pub fn put_waitpoint(&mut self, waitpoint: Waitpoint) {
        self.put_wait(WaitRecord::Waitpoint(Arc::new(waitpoint)));
    }

    /// Brings what is derived from changed waits up to date: the mark on the
    /// execution, and its entry in the list of suspended executions.
    pub(crate) fn follow_waits(&mut self) {
        let changed: Vec<(Option<Arc<Waits>>, Arc<Waits>)> = self
            .staged()
            .filter_map(|change| match (&change.old, &change.new) {
                (old, Some(Record::Wait(WaitRecord::Waits(new)))) => {
                    let old = match old {
                        Some(Record::Wait(WaitRecord::Waits(old))) => Some(Arc::clone(old)),
                        _ => None,
                    };
                    Some((old, Arc::clone(new)))
                }
                _ => None,
            })
            .collect();
        for (old, new) in changed {
            let mark = Some(WaitsMark { due_at: new.due_at() });
            if let Some(execution) = self.find_execution(new.execution_id).filter(|execution| execution.waits != mark) {
                let mut execution = (*execution).clone();
                execution.waits = mark;
                self.put_execution(Arc::new(execution));
            }
            let record = |entry| Record::Wait(WaitRecord::Suspended(Arc::new(entry)));
            let (before, after) = (old.and_then(|waits| entry(&waits)), entry(&new));
            if before != after {
                self.set_derived(before.map(record), after.map(record));
            }
        }
    }
}

fn entry(waits: &Waits) -> Option<Suspended> {
    let suspension = waits.open()?;
    Some(Suspended {
        since: suspension.created_at,
        execution_id: waits.execution_id,
        reason: suspension.reason.clone(),
    })
}
