//! What executions wait for: suspensions, waitpoints, signals and the key
//! ring, at rest, against each other and against what the log tells.
//!
//! Waitpoints have no index, so those are looked at that something names: the
//! execution they belong to, its last suspension, or the log.

use super::contents::{Contents, Pages};
use super::{Report, Rule};
use leasehold_backend::{Backend, PAGE_MAX};
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::invariant::{check_waitpoint, check_waits, check_waits_of};
use leasehold_core::record::{
    Execution, KeptKind, Record, RecordKey, Signal, SignalKey, Suspended, Suspension, WaitKey, WaitRecord, Waitpoint,
    WaitpointState, Waits,
};
use leasehold_core::suspension::SignalEffect;
use leasehold_core::token::Keyring;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const PAGE: usize = 100;

/// What the log tells of the signals of one execution.
#[derive(Default)]
struct Told {
    suspended: bool,
    delivered: Vec<(SignalKey, SignalEffect)>,
}

/// Checks everything that executions of a partition wait for.
pub async fn check(backend: &dyn Backend, contents: &Contents, report: &mut Report) {
    let store = Kept { backend, partition: contents.partition };
    let executions: Vec<&Arc<Execution>> = contents.executions.values().map(|stored| &stored.execution).collect();
    let keys: Vec<WaitKey> = executions.iter().map(|execution| WaitKey::Waits(execution.id.uuid())).collect();
    let ring = match store.load(&[WaitKey::Keyring], report).await.pop().flatten() {
        Some(WaitRecord::Keyring(ring)) => Some(ring),
        _ => None,
    };
    keyring(contents, ring.as_deref(), report);
    let waits: Vec<Option<Arc<Waits>>> = store.load(&keys, report).await.into_iter().map(as_waits).collect();
    let mut told = told(contents, report);
    let mut listed = BTreeSet::new();
    for (execution, waits) in executions.into_iter().zip(waits) {
        let told = told.remove(&execution.id.uuid()).unwrap_or_default();
        if let Err(violation) = check_waits_of(execution, waits.as_deref()) {
            report.add(Some(execution.id), Rule::Waits, format!("{} ({})", violation.rule, violation.detail));
        }
        let Some(waits) = waits else {
            report.ensure(told.delivered.is_empty(), execution.id, Rule::SignalRecord, || {
                format!("{} signals are told and nothing was waited for", told.delivered.len())
            });
            continue;
        };
        if let Some(open) = waits.open() {
            listed.insert((open.created_at, execution.id.uuid(), open.reason.as_str().to_owned()));
        }
        of_execution(&store, &waits, &told, ring.as_deref(), report).await;
    }
    list(&store, &listed, report).await;
}

fn as_waits(record: Option<WaitRecord>) -> Option<Arc<Waits>> {
    match record {
        Some(WaitRecord::Waits(waits)) => Some(waits),
        _ => None,
    }
}

/// Records of suspension in one partition.
struct Kept<'a> {
    backend: &'a dyn Backend,
    partition: u16,
}

impl Kept<'_> {
    /// Records in the order of their keys; none where there is none or none
    /// of suspension.
    async fn load(&self, keys: &[WaitKey], report: &mut Report) -> Vec<Option<WaitRecord>> {
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(PAGE) {
            let named: Vec<RecordKey> = keys.iter().cloned().map(Into::into).collect();
            match self.backend.load(self.partition, &named, &[]).await {
                Ok(loaded) => records.extend(loaded.records.into_iter().map(|record| match record {
                    Some(Record::Wait(record)) => Some(record),
                    _ => None,
                })),
                Err(error) => {
                    report.add(None, Rule::Readable, format!("load: {error}"));
                    records.extend(keys.iter().map(|_| None));
                }
            }
        }
        records
    }
}

async fn of_execution(store: &Kept<'_>, waits: &Waits, told: &Told, ring: Option<&Keyring>, report: &mut Report) {
    let id = waits.execution_id;
    if let Err(violation) = check_waits(waits) {
        report.add(Some(id), Rule::Waits, format!("{} ({})", violation.rule, violation.detail));
    }
    let bound = waits.current.iter().flat_map(|suspension| &suspension.waitpoints).map(|bound| bound.waitpoint_id);
    let named = told.delivered.iter().map(|(key, _)| key.waitpoint_id);
    let ids: BTreeSet<WaitpointId> = waits.open_waitpoints.iter().copied().chain(bound).chain(named).collect();
    let keys: Vec<WaitKey> = ids.iter().copied().map(WaitKey::Waitpoint).collect();
    let mut kept = BTreeSet::new();
    for (waitpoint_id, record) in ids.iter().zip(store.load(&keys, report).await) {
        let Some(WaitRecord::Waitpoint(waitpoint)) = record else {
            report.add(Some(id), Rule::Waitpoint, format!("{waitpoint_id} is named and not stored"));
            continue;
        };
        of_waitpoint(waits, &waitpoint, ring, report);
        let here = told.delivered.iter().filter(|(key, _)| key.waitpoint_id == *waitpoint_id).count() as u64;
        report.ensure(here <= waitpoint.signal_count, id, Rule::SignalRecord, || {
            format!("{here} signals to {waitpoint_id} are told, {} are counted", waitpoint.signal_count)
        });
        kept.extend(waitpoint.buffered.iter().map(|signal| (*waitpoint_id, *signal)));
    }
    let counted = told.delivered.len() as u64 + kept.len() as u64;
    report.ensure(counted <= waits.signal_count, id, Rule::SignalRecord, || {
        format!("{counted} signals are told or kept, {} are counted", waits.signal_count)
    });
    signals(store, waits, told, &kept, report).await;
}

/// A waitpoint against its execution and its token.
fn of_waitpoint(waits: &Waits, waitpoint: &Waitpoint, ring: Option<&Keyring>, report: &mut Report) {
    let id = waits.execution_id;
    let waitpoint_id = waitpoint.waitpoint_id;
    let mut rule = |holds: bool, what: &str| {
        report.ensure(holds, id, Rule::Waitpoint, || format!("{waitpoint_id}: {what}: {waitpoint:?}"));
    };
    rule(waitpoint.execution_id == id, "it belongs to another execution");
    rule(waits.open_waitpoints.contains(&waitpoint_id) == waitpoint.is_open(), "it is listed unless it is closed");
    let runs_out = waits.expiries.iter().find(|(expiring, _)| *expiring == waitpoint_id).map(|(_, at)| *at);
    rule(runs_out == waitpoint.due_at(), "a pending waitpoint has its timer");
    let suspension = waits.current.as_ref().filter(|current| Some(current.suspension_id) == waitpoint.suspension_id);
    let bound = suspension.and_then(|current| {
        current.waitpoints.iter().find(|bound| bound.waitpoint_id == waitpoint_id).map(|bound| &bound.waitpoint_key)
    });
    rule(bound.is_none_or(|key| *key == waitpoint.waitpoint_key), "it is bound under its key");
    let active = suspension.is_some_and(Suspension::is_open) && bound.is_some();
    rule((waitpoint.state == WaitpointState::Active) == active, "it is active as long as its suspension is open");
    let reason = suspension.and_then(|current| current.closed.as_ref()).map(|closed| closed.reason);
    rule(reason.is_none() || waitpoint.close_reason == reason, "it closes as its suspension does");
    if let Err(violation) = check_waitpoint(waitpoint) {
        report.add(Some(id), Rule::Waitpoint, format!("{} ({})", violation.rule, violation.detail));
    }
    let Some(token) = &waitpoint.token else {
        return report.add(Some(id), Rule::Token, format!("{waitpoint_id} has none"));
    };
    // The key of an old token may have been forgotten.
    let known = ring.is_some_and(|ring| ring.keys.contains_key(token.kid()));
    let minted = ring.map(|ring| ring.verify(token, Some(&waitpoint.bound()), waitpoint.created_at));
    report.ensure(minted.is_some() && (!known || minted == Some(Ok(()))), id, Rule::Token, || {
        format!("that of {waitpoint_id} was not minted for it: {minted:?}")
    });
    hides(&format!("{waitpoint:?}"), token.reveal(), id, report);
}

/// What is shown of a record must not show its token.
pub(super) fn hides(shown: &str, token: &str, id: ExecutionId, report: &mut Report) {
    let digest = token.rsplit(':').next().unwrap_or(token);
    report.ensure(digest.is_empty() || !shown.contains(digest), id, Rule::Secrecy, || "a token is shown".to_owned());
}

async fn signals(
    store: &Kept<'_>,
    waits: &Waits,
    told: &Told,
    kept: &BTreeSet<(WaitpointId, leasehold_core::ids::SignalId)>,
    report: &mut Report,
) {
    let id = waits.execution_id;
    let mut expected: BTreeMap<SignalKey, Option<SignalEffect>> = BTreeMap::new();
    let observed = waits.current.iter().flat_map(Suspension::observed);
    expected.extend(observed.map(|key| (key, None)));
    expected.extend(kept.iter().map(|(waitpoint_id, signal_id)| {
        let key = SignalKey { waitpoint_id: *waitpoint_id, signal_id: *signal_id };
        (key, Some(SignalEffect::BufferedForPendingWaitpoint))
    }));
    for (key, effect) in &told.delivered {
        let before = expected.insert(*key, Some(*effect)).flatten();
        report.ensure(before.is_none(), id, Rule::SignalRecord, || format!("{} is told twice", key.signal_id));
    }
    let keys: Vec<WaitKey> = expected.keys().copied().map(WaitKey::Signal).collect();
    let mut bytes = Vec::new();
    for ((key, effect), record) in expected.iter().zip(store.load(&keys, report).await) {
        let Some(WaitRecord::Signal(signal)) = record else {
            report.add(Some(id), Rule::SignalRecord, format!("{} is named and not stored", key.signal_id));
            continue;
        };
        let same = signal.execution_id == id && effect.is_none_or(|effect| effect == signal.observed_effect);
        report.ensure(same, id, Rule::SignalRecord, || format!("{} is stored as {signal:?}", key.signal_id));
        bytes.extend(stored_bytes(&signal).map(|length| (*key, length)));
    }
    let keys: Vec<WaitKey> = bytes.iter().map(|(key, _)| WaitKey::SignalBytes(*key)).collect();
    for ((key, length), record) in bytes.iter().zip(store.load(&keys, report).await) {
        let found = match record {
            Some(WaitRecord::SignalBytes(bytes)) => Some(bytes.bytes.len()),
            _ => None,
        };
        report.ensure(found == Some(*length), id, Rule::SignalRecord, || {
            format!("{length} bytes of {} by the record, {found:?} in the store", key.signal_id)
        });
    }
}

fn stored_bytes(signal: &Signal) -> Option<usize> {
    match signal.payload {
        Some(leasehold_core::record::SignalPayload::Stored(length)) => Some(length as usize),
        _ => None,
    }
}

/// Folds the log: who is told of while suspended, and what satisfied.
fn told(contents: &Contents, report: &mut Report) -> BTreeMap<Uuid, Told> {
    let mut all: BTreeMap<Uuid, Told> = BTreeMap::new();
    for event in contents.events.iter().map(|logged| &logged.event) {
        let id = event.execution_id;
        let told = all.entry(id.uuid()).or_default();
        for fact in &event.facts {
            match fact {
                Fact::Lease { what: LeaseFact::Released { reason }, .. } => told.suspended = reason == "suspend",
                Fact::Lease { .. } | Fact::Completed { .. } => told.suspended = false,
                Fact::SignalDelivered { signal_id, waitpoint_id, effect, .. } => {
                    report.ensure(told.suspended, id, Rule::SignalHistory, || {
                        format!("{signal_id} ({}) while it was not suspended", effect.as_str())
                    });
                    told.suspended &= *effect != SignalEffect::ResumeConditionSatisfied;
                    let key = SignalKey { waitpoint_id: *waitpoint_id, signal_id: *signal_id };
                    told.delivered.push((key, *effect));
                }
                _ => {}
            }
        }
    }
    all
}

fn keyring(contents: &Contents, ring: Option<&Keyring>, report: &mut Report) {
    let Some(ring) = ring else { return };
    let current = ring.current_kid.as_ref().and_then(|kid| ring.keys.get(kid));
    let others = ring.keys.iter().filter(|(kid, _)| Some(*kid) != ring.current_kid.as_ref());
    let holds =
        current.is_some_and(|key| key.expires_at.is_none()) && others.clone().all(|(_, key)| key.expires_at.is_some());
    if !holds {
        report.add(None, Rule::KeyRing, format!("partition {}: {ring:?}", contents.partition));
    }
}

async fn list(
    store: &Kept<'_>,
    expected: &BTreeSet<(leasehold_core::time::TimestampMs, Uuid, String)>,
    report: &mut Report,
) {
    let mut pages = Pages::new(Rule::SuspendedList, "scan_kept", Record::key);
    while pages.more() {
        let after = pages.after();
        let page = store.backend.scan_kept(store.partition, KeptKind::Suspended, after.as_ref(), PAGE.min(PAGE_MAX));
        pages.add(page.await, report);
    }
    let entry = |record: Record| match record {
        Record::Wait(WaitRecord::Suspended(entry)) => {
            let Suspended { since, execution_id, reason } = entry.as_ref();
            Some((*since, execution_id.uuid(), reason.as_str().to_owned()))
        }
        _ => None,
    };
    let found: Vec<_> = pages.into_all().into_iter().map(entry).collect();
    let expected: Vec<_> = expected.iter().cloned().map(Some).collect();
    if found != expected {
        report.add(
            None,
            Rule::SuspendedList,
            format!("partition {}: {found:?} instead of {expected:?}", store.partition),
        );
    }
}
