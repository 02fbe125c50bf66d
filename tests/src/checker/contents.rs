//! Reading everything a store shows of a partition.

use super::{Report, Rule};
use leasehold_backend::{
    Backend, DueEntry, ExpiredLease, ExpiredLeaseCursor, Loaded, LoggedEvent, PAGE_MAX, ReadyGroup, StoreResult,
    StoredIndex,
};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{Attempt, Blob, BlobKey, BlobKind, Execution};
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;

/// Short enough that reading a store of some size turns pages.
const PAGE: usize = 100;

/// What a store shows of all partitions together.
pub struct Global {
    /// Every lease that lapses some day, by partition.
    pub lapsing: BTreeMap<u16, Vec<ExpiredLease>>,
    /// The lanes.
    pub lanes: BTreeSet<LaneId>,
}

/// An execution with what lies beside its record.
pub struct Stored {
    /// The record.
    pub execution: Arc<Execution>,
    /// Its attempts that others followed.
    pub attempts: Vec<Arc<Attempt>>,
    /// Its index entries as the store keeps them.
    pub index: Option<StoredIndex>,
    /// Its payload.
    pub payload: Option<Blob>,
    /// Its result, if it is stored beside the record.
    pub result: Option<Blob>,
}

/// What a store shows of one partition.
pub struct Contents {
    /// Which one.
    pub partition: u16,
    /// Executions by uuid.
    pub executions: BTreeMap<Uuid, Stored>,
    /// The log.
    pub events: Vec<LoggedEvent>,
    /// The ready scan of each group.
    pub ready: Vec<(ReadyGroup, Vec<Arc<Execution>>)>,
    /// The eligible scan of each lane, one page.
    pub eligible: BTreeMap<LaneId, Vec<ExecutionId>>,
    /// The timers.
    pub due: Vec<DueEntry>,
    /// The active scan.
    pub active: Vec<Arc<Execution>>,
}

/// What the store answers, or nothing, which is noted.
pub fn answer<T: Default>(answer: StoreResult<T>, what: &str, report: &mut Report) -> T {
    answer.unwrap_or_else(|error| {
        report.add(None, Rule::Readable, format!("{what}: {error}"));
        T::default()
    })
}

/// Pages put together. Entries that do not ascend break the rule of what is
/// read, and where they make no headway the reading ends.
pub struct Pages<T, P> {
    rule: Rule,
    what: &'static str,
    place: fn(&T) -> P,
    after: Option<P>,
    more: bool,
    all: Vec<T>,
}

impl<T, P: Ord + Clone + Debug> Pages<T, P> {
    /// Nothing read yet. `place` is where an entry stands in the order.
    pub const fn new(rule: Rule, what: &'static str, place: fn(&T) -> P) -> Self {
        Self { rule, what, place, after: None, more: true, all: Vec::new() }
    }

    /// Whether another page may follow.
    pub const fn more(&self) -> bool {
        self.more
    }

    /// Where the next page begins.
    pub fn after(&self) -> Option<P> {
        self.after.clone()
    }

    /// Everything that was read.
    pub fn into_all(self) -> Vec<T> {
        self.all
    }

    /// Takes a page.
    pub fn add(&mut self, page: StoreResult<Vec<T>>, report: &mut Report) {
        let what = self.what;
        // What cannot be read ends, so that the rest is checked all the same.
        let page = answer(page, what, report);
        if page.len() > PAGE {
            report.add(None, Rule::PageOrder, format!("{what}: a page of {} where {PAGE} were asked for", page.len()));
        }
        let start = self.after.clone();
        for here in page.iter().map(self.place) {
            if self.after.as_ref().is_some_and(|before| *before >= here) {
                report.add(None, self.rule, format!("{what}: {here:?} after {:?}", self.after));
            }
            self.after = Some(here);
        }
        self.more = !page.is_empty() && (start.is_none() || start < self.after);
        self.all.extend(page);
    }
}

/// Reads what belongs to no single partition.
pub async fn read_global(backend: &dyn Backend, report: &mut Report) -> Global {
    let end_of_time = TimestampMs(i64::MAX);
    let mut leases = Pages::new(Rule::LapseScan, "list_expired_leases", |lease: &ExpiredLease| ExpiredLeaseCursor {
        expires_at: lease.expires_at,
        execution_id: lease.execution_id,
    });
    while leases.more() {
        let after = leases.after();
        leases.add(backend.list_expired_leases(end_of_time, after.as_ref(), PAGE).await, report);
    }
    let mut lapsing: BTreeMap<u16, Vec<ExpiredLease>> = BTreeMap::new();
    for lease in leases.into_all() {
        lapsing.entry(lease.execution_id.partition()).or_default().push(lease);
    }
    let mut lanes = Pages::new(Rule::LaneList, "list_lanes", LaneId::clone);
    while lanes.more() {
        let after = lanes.after();
        lanes.add(backend.list_lanes(after.as_ref(), PAGE).await, report);
    }
    Global { lapsing, lanes: lanes.into_all().into_iter().collect() }
}

fn id_of(execution: &Arc<Execution>) -> Uuid {
    execution.id.uuid()
}

impl Contents {
    /// Reads one partition.
    pub async fn read(backend: &dyn Backend, partition: u16, report: &mut Report) -> Self {
        let mut listed = Pages::new(Rule::PageOrder, "list_executions", id_of);
        while listed.more() {
            listed.add(backend.list_executions(partition, listed.after(), PAGE).await, report);
        }
        let mut executions = BTreeMap::new();
        for execution in listed.into_all() {
            let stored = read_beside(backend, partition, execution, report).await;
            executions.insert(stored.execution.id.uuid(), stored);
        }
        let mut events = Pages::new(Rule::EventOrder, "read_events", |event: &LoggedEvent| event.id);
        while events.more() {
            events.add(backend.read_events(partition, events.after(), PAGE).await, report);
        }
        let ready = read_ready(backend, partition, report).await;
        let lanes: BTreeSet<LaneId> =
            executions.values().map(|stored: &Stored| stored.execution.lane_id.clone()).collect();
        let mut eligible = BTreeMap::new();
        for lane in lanes {
            let found = backend.scan_eligible(partition, &lane, PAGE_MAX).await;
            let found = answer(found, "scan_eligible", report);
            eligible.insert(lane, found);
        }
        let mut due = Pages::new(Rule::DueScan, "scan_due", |due: &DueEntry| (due.due_at, due.execution));
        while due.more() {
            due.add(backend.scan_due(partition, due.after(), PAGE).await, report);
        }
        let mut active = Pages::new(Rule::ActiveScan, "scan_active", id_of);
        while active.more() {
            active.add(backend.scan_active(partition, active.after(), PAGE).await, report);
        }
        Self {
            partition,
            executions,
            events: events.into_all(),
            ready,
            eligible,
            due: due.into_all(),
            active: active.into_all(),
        }
    }
}

async fn read_ready(
    backend: &dyn Backend,
    partition: u16,
    report: &mut Report,
) -> Vec<(ReadyGroup, Vec<Arc<Execution>>)> {
    let mut groups = Pages::new(Rule::ReadyScan, "ready_groups", ReadyGroup::clone);
    while groups.more() {
        let after = groups.after();
        groups.add(backend.ready_groups(partition, after.as_ref(), PAGE).await, report);
    }
    let mut ready = Vec::new();
    for group in groups.into_all() {
        let place = |execution: &Arc<Execution>| (execution.rank(), execution.id.uuid());
        let mut found = Pages::new(Rule::ReadyScan, "scan_ready", place);
        while found.more() {
            found.add(backend.scan_ready(partition, &group, found.after(), PAGE).await, report);
        }
        ready.push((group, found.into_all()));
    }
    ready
}

async fn read_beside(backend: &dyn Backend, partition: u16, execution: Arc<Execution>, report: &mut Report) -> Stored {
    let id = execution.id;
    // By where it was found, not by what it says, so that a record in the
    // wrong place is met with what lies beside it there.
    let found_at = ExecutionId::from_parts(partition, id.uuid());
    let mut attempts = Pages::new(Rule::AttemptRows, "list_attempts", |attempt: &Arc<Attempt>| attempt.index);
    while attempts.more() {
        attempts.add(backend.list_attempts(found_at, attempts.after(), PAGE).await, report);
    }
    let index = answer(backend.stored_index(found_at).await, "stored_index", report);
    let blob = |kind| BlobKey { execution: id.uuid(), kind };
    let loaded = backend.load(partition, &[], &[blob(BlobKind::Payload), blob(BlobKind::Result)]).await;
    let Loaded { blobs, .. } = answer(loaded, "load", report);
    let mut blobs = blobs.into_iter();
    let (payload, result) = (blobs.next().flatten(), blobs.next().flatten());
    Stored { execution, attempts: attempts.into_all(), index, payload, result }
}
