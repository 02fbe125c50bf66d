//! What was acknowledged of waitpoints, suspensions and signals, and what
//! must hold of them in the end.

use crate::sim::judge::{Judged, heard};
use crate::sim::kept;
use crate::sim::known::KnownWaitpoint;
use crate::sim::world::PARTITIONS;
use leasehold_backend::{Backend, LoggedEvent};
use leasehold_core::event::Fact;
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::invariant::{check_waitpoint, check_waits, check_waits_of};
use leasehold_core::record::{
    Execution, KeptKind, RecordKey, SignalKey, SuspendDetails, WaitKey, Waitpoint, WaitpointState,
};
use leasehold_core::suspension::SignalEffect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub struct WaitsOracle {
    waitpoints: BTreeMap<WaitpointId, (ExecutionId, String)>,
    suspended: BTreeMap<WaitpointId, SuspensionId>,
    signals: BTreeMap<SignalKey, (ExecutionId, SignalEffect)>,
    heard_of: BTreeSet<SignalKey>,
    closed: BTreeSet<WaitpointId>,
}

impl WaitsOracle {
    /// A waitpoint was made.
    pub fn waitpoint(&mut self, made: &KnownWaitpoint) {
        self.waitpoints.insert(made.waitpoint_id, (made.execution_id, made.key.clone()));
    }

    /// An execution was suspended, or was found satisfied already.
    pub fn suspended(&mut self, details: &SuspendDetails) {
        for issued in std::iter::once(&details.primary).chain(&details.additional_waitpoints) {
            self.suspended.insert(issued.waitpoint_id, details.suspension_id);
        }
    }

    /// A signal was accepted.
    pub fn signal(&mut self, id: ExecutionId, waitpoint_id: WaitpointId, signal_id: SignalId, effect: SignalEffect) {
        self.signals.insert(SignalKey { waitpoint_id, signal_id }, (id, effect));
    }

    /// A signal was said to have been accepted before.
    pub fn known_signal(&mut self, waitpoint_id: WaitpointId, signal_id: SignalId) {
        self.heard_of.insert(SignalKey { waitpoint_id, signal_id });
    }

    /// A waitpoint was closed.
    pub fn closed(&mut self, waitpoint: WaitpointId) {
        self.closed.insert(waitpoint);
    }

    /// Compares with the store, in which every execution has ended.
    pub async fn judge(
        &self,
        backend: &dyn Backend,
        log: &[LoggedEvent],
        executions: &BTreeMap<ExecutionId, Arc<Execution>>,
        judged: &mut Judged,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for execution in executions.values() {
            let waits = kept::waits(backend, execution.id).await;
            let checked = waits.as_deref().map_or(Ok(()), check_waits);
            let checked = checked.and_then(|()| check_waits_of(execution, waits.as_deref()));
            found.extend(checked.err().map(|violation| violation.to_string()));
            if let Some(waits) = &waits {
                judged.heard += u64::from(heard::compare(backend, waits, log, &mut found).await);
            }
        }
        for partition in 0..PARTITIONS {
            let listed = kept::scan(backend, partition, KeptKind::Suspended).await;
            found.extend(listed.iter().map(|entry| format!("all have ended and {entry:?} is listed as suspended")));
        }
        let waitpoints = self.waitpoints(backend, &mut found).await;
        self.signals(backend, log, &waitpoints, &mut found).await;
        found
    }

    async fn waitpoints(
        &self,
        backend: &dyn Backend,
        found: &mut Vec<String>,
    ) -> BTreeMap<WaitpointId, Arc<Waitpoint>> {
        let mut waitpoints = BTreeMap::new();
        for (id, (execution, key)) in &self.waitpoints {
            let record = kept::load(backend, execution.partition(), &[WaitKey::Waitpoint(*id).into()]).await.pop();
            let Some(waitpoint) = kept::as_waitpoint(record.flatten()) else {
                found.push(format!("waitpoint {id} of {execution} was acknowledged and does not exist"));
                continue;
            };
            found.extend(check_waitpoint(&waitpoint).err().map(|violation| violation.to_string()));
            let mut ensure = |holds: bool, rule: &str| {
                if !holds {
                    found.push(format!("waitpoint {id}: {rule}: {waitpoint:?}"));
                }
            };
            ensure(waitpoint.execution_id == *execution && *waitpoint.waitpoint_key == **key, "it is as acknowledged");
            // The checker of closing by hand and of everything else that ends an execution.
            ensure(waitpoint.state == WaitpointState::Closed, "its execution has ended, so it is closed");
            if let Some(suspension) = self.suspended.get(id) {
                ensure(waitpoint.suspension_id == Some(*suspension), "it is part of the suspension it was given to");
            }
            waitpoints.insert(*id, waitpoint);
        }
        for id in self.closed.iter().filter(|id| !waitpoints.contains_key(id)) {
            found.push(format!("waitpoint {id} was closed and nobody was told of it"));
        }
        waitpoints
    }

    async fn signals(
        &self,
        backend: &dyn Backend,
        log: &[LoggedEvent],
        waitpoints: &BTreeMap<WaitpointId, Arc<Waitpoint>>,
        found: &mut Vec<String>,
    ) {
        let mut told: BTreeMap<SignalKey, Vec<(ExecutionId, SignalEffect)>> = BTreeMap::new();
        for event in log.iter().map(|logged| &logged.event) {
            for fact in &event.facts {
                if let Fact::SignalDelivered { signal_id, waitpoint_id, effect, .. } = fact {
                    let key = SignalKey { waitpoint_id: *waitpoint_id, signal_id: *signal_id };
                    told.entry(key).or_default().push((event.execution_id, *effect));
                }
            }
        }
        let acknowledged = self.signals.iter().map(|(key, (id, effect))| (*key, *id, *effect));
        let logged = told.iter().map(|(key, told)| (*key, told[0].0, told[0].1));
        let all: Vec<_> = acknowledged.chain(logged).collect();
        for (key, id, effect) in all {
            let record = RecordKey::from(WaitKey::Signal(key));
            let Some(signal) = kept::as_signal(kept::load(backend, id.partition(), &[record]).await.pop().flatten())
            else {
                found.push(format!("{key:?} of {id} was accepted and does not exist"));
                continue;
            };
            if (signal.execution_id, signal.observed_effect) != (id, effect) {
                found.push(format!("{key:?} was accepted with {effect:?} and is stored as {signal:?}"));
            }
            let times = told.get(&key).map_or(0, Vec::len);
            let kept = effect == SignalEffect::BufferedForPendingWaitpoint;
            if times != usize::from(!kept) {
                found.push(format!("{key:?} did {effect:?} and was told {times} times"));
            }
            let closed = waitpoints.get(&key.waitpoint_id).and_then(|waitpoint| waitpoint.closed_at);
            if closed.is_some_and(|at| signal.accepted_at > at) {
                found.push(format!(
                    "{key:?} was accepted at {} and its waitpoint closed at {closed:?}",
                    signal.accepted_at
                ));
            }
        }
        for key in &self.heard_of {
            let Some((execution, _)) = self.waitpoints.get(&key.waitpoint_id) else { continue };
            let record = RecordKey::from(WaitKey::Signal(*key));
            if kept::load(backend, execution.partition(), &[record]).await.pop().flatten().is_none() {
                found.push(format!("{key:?} was said to be there and is not"));
            }
        }
    }
}
