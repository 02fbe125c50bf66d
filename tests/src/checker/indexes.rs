//! Indexes against what the records say.
//!
//! What should be found is computed from the records alone; what is found
//! comes from the scans. Whatever is missing, left behind or out of order
//! shows as a difference.

use super::contents::{Contents, Global, Stored};
use super::{Report, Rule};
use leasehold_backend::{DueEntry, ReadyGroup, StoredIndex};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::index::{IndexEntries, Queue, index_entries};
use leasehold_core::record::Execution;
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;

/// What the scans should show.
#[derive(Default)]
struct Expected {
    ready: BTreeMap<ReadyGroup, BTreeSet<(i64, Uuid)>>,
    eligible: BTreeMap<LaneId, BTreeSet<(i64, Uuid)>>,
    due: BTreeSet<(TimestampMs, Uuid)>,
    active: BTreeSet<Uuid>,
    lapsing: BTreeSet<(TimestampMs, Uuid)>,
}

impl Expected {
    fn add(&mut self, id: Uuid, entries: IndexEntries) {
        self.due.extend(entries.due_at.map(|at| (at, id)));
        // A lane without ready executions is scanned too, and shows none.
        let eligible = self.eligible.entry(entries.lane_id.clone()).or_default();
        match entries.queue {
            Queue::Ready { rank } => {
                eligible.insert((rank, id));
                let group = ReadyGroup { lane_id: entries.lane_id, requirements: entries.requirements };
                self.ready.entry(group).or_default().insert((rank, id));
            }
            Queue::Active { lease_expires_at } => {
                self.active.insert(id);
                self.lapsing.extend(lease_expires_at.map(|at| (at, id)));
            }
            _ => {}
        }
    }
}

/// Checks every index of a partition.
pub fn check(contents: &Contents, global: &Global, report: &mut Report) {
    let mut expected = Expected::default();
    for stored in contents.executions.values() {
        let entries = index_entries(&stored.execution);
        stored_index(stored, &entries, report);
        report.ensure(global.lanes.contains(&entries.lane_id), stored.execution.id, Rule::LaneList, || {
            format!("lane {} is not listed", entries.lane_id)
        });
        expected.add(stored.execution.id.uuid(), entries);
    }
    ready(contents, &expected, report);
    for (lane, found) in &contents.eligible {
        let wanted = expected.eligible.get(lane).into_iter().flatten().map(|(_, id)| id);
        let wanted: Vec<ExecutionId> = wanted
            .map(|id| ExecutionId::from_parts(contents.partition, *id))
            .take(leasehold_backend::PAGE_MAX)
            .collect();
        same(&wanted, found, Rule::EligibleScan, &format!("lane {lane}"), report);
    }
    let due: Vec<DueEntry> =
        expected.due.iter().map(|(due_at, execution)| DueEntry { due_at: *due_at, execution: *execution }).collect();
    same(&due, &contents.due, Rule::DueScan, &partition(contents), report);
    let active: Vec<Uuid> = expected.active.iter().copied().collect();
    let found: Vec<Uuid> = contents.active.iter().map(|execution| execution.id.uuid()).collect();
    same(&active, &found, Rule::ActiveScan, &partition(contents), report);
    current(contents, &contents.active, Rule::ActiveScan, report);
    lapsing(contents, global, &expected, report);
}

fn partition(contents: &Contents) -> String {
    format!("partition {}", contents.partition)
}

fn stored_index(stored: &Stored, entries: &IndexEntries, report: &mut Report) {
    let wanted = StoredIndex {
        queue: entries.queue.name().to_owned(),
        lane_id: entries.lane_id.clone(),
        score: entries.queue.score(),
        due_at: entries.due_at,
    };
    report.ensure(stored.index.as_ref() == Some(&wanted), stored.execution.id, Rule::StoredIndex, || {
        format!("{:?} instead of {wanted:?}", stored.index)
    });
}

fn ready(contents: &Contents, expected: &Expected, report: &mut Report) {
    let wanted: Vec<&ReadyGroup> = expected.ready.keys().collect();
    let groups: Vec<&ReadyGroup> = contents.ready.iter().map(|(group, _)| group).collect();
    same(&wanted, &groups, Rule::ReadyScan, &format!("groups of {}", partition(contents)), report);
    for (group, found) in &contents.ready {
        let wanted: Vec<(i64, Uuid)> = expected.ready.get(group).into_iter().flatten().copied().collect();
        let places: Vec<(i64, Uuid)> = found.iter().map(|execution| (execution.rank(), execution.id.uuid())).collect();
        same(&wanted, &places, Rule::ReadyScan, &format!("{group:?} of {}", partition(contents)), report);
        current(contents, found, Rule::ReadyScan, report);
    }
}

/// A scan that shows records shows them as they are.
fn current(contents: &Contents, found: &[Arc<Execution>], rule: Rule, report: &mut Report) {
    for execution in found {
        let listed = contents.executions.get(&execution.id.uuid());
        report.ensure(listed.is_some_and(|listed| listed.execution == *execution), execution.id, rule, || {
            "the scan shows another version than the list".to_owned()
        });
    }
}

fn lapsing(contents: &Contents, global: &Global, expected: &Expected, report: &mut Report) {
    let listed = global.lapsing.get(&contents.partition).map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<(TimestampMs, Uuid)> = expected.lapsing.iter().copied().collect();
    let found: Vec<(TimestampMs, Uuid)> =
        listed.iter().map(|lease| (lease.expires_at, lease.execution_id.uuid())).collect();
    same(&wanted, &found, Rule::LapseScan, &partition(contents), report);
    for entry in listed {
        let Some(stored) = contents.executions.get(&entry.execution_id.uuid()) else { continue };
        let agrees = stored.execution.lease.as_ref().is_some_and(|lease| {
            lease.lease_id == entry.lease_id
                && lease.lease_epoch == entry.lease_epoch
                && lease.worker_instance_id == entry.worker_instance_id
                && stored.execution.current_attempt_index() == entry.attempt_index
        });
        report.ensure(agrees, entry.execution_id, Rule::LapseScan, || format!("{entry:?} is not its lease"));
    }
}

/// Compares what should be found with what was, naming the first difference.
fn same<T: PartialEq + Debug>(wanted: &[T], found: &[T], rule: Rule, what: &str, report: &mut Report) {
    if wanted == found {
        return;
    }
    let at = wanted.iter().zip(found).position(|(wanted, found)| wanted != found);
    let at = at.unwrap_or_else(|| wanted.len().min(found.len()));
    let detail = format!(
        "{what}: {} entries instead of {}; number {at} is {:?} instead of {:?}",
        found.len(),
        wanted.len(),
        found.get(at),
        wanted.get(at)
    );
    report.add(None, rule, detail);
}
