//! The account of a run, made of what the store holds and of nothing that was
//! counted on the way.

use super::check;
use leasehold::event::Fact;
use leasehold_actors::EngineHandle;
use leasehold_contract::{AttemptView, EngineResult, Reads};
use leasehold_core::error::{BackendErrorKind, EngineError};
use leasehold_core::ids::{ExecutionId, WorkerInstanceId};
use leasehold_core::partition::Partition;
use leasehold_core::record::{Execution, Record, RecordKey};
use leasehold_core::state::{AttemptLifecycle, AttemptType, PublicState, TerminalOutcome};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Entries of one page of a list.
const PAGE: usize = 500;

/// One row of the closing table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The kind of execution.
    pub kind: String,
    /// The lane.
    pub lane: String,
    /// Executions in the store.
    pub submitted: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended in failure.
    pub failed: u64,
    /// Ran out of time.
    pub expired: u64,
    /// Cancelled by an operator.
    pub cancelled: u64,
    /// Not ended.
    pub open: u64,
    /// Attempts of every type.
    pub attempts: u64,
    /// Attempts that followed a failure.
    pub retries: u64,
    /// Attempts that followed a lost lease.
    pub reclaims: u64,
    /// Attempts that followed a replay.
    pub replays: u64,
    /// Completion events.
    pub completions: u64,
}

impl Row {
    /// Adds another row's numbers.
    pub fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.completed += other.completed;
        self.failed += other.failed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.open += other.open;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.reclaims += other.reclaims;
        self.replays += other.replays;
        self.completions += other.completions;
    }
}

/// What the store tells of one execution.
#[derive(Debug)]
pub(super) struct Story {
    /// Its record.
    pub execution: Arc<Execution>,
    /// Its attempts, by index.
    pub attempts: Vec<AttemptView>,
    /// How it ended, each time.
    pub endings: Vec<TerminalOutcome>,
    /// Leases that took the place of a lost one.
    pub reclaim_events: u64,
}

impl Story {
    /// How it stands.
    pub fn state(&self) -> PublicState {
        self.execution.vector().public_state()
    }

    /// Attempts of a type.
    pub fn attempts_of(&self, kind: AttemptType) -> u64 {
        self.attempts.iter().filter(|attempt| attempt.attempt_type == kind).count() as u64
    }

    fn row(&self) -> Row {
        let state = self.state();
        Row {
            kind: self.execution.spec.kind.to_string(),
            lane: self.execution.lane_id.to_string(),
            submitted: 1,
            completed: u64::from(state == PublicState::Completed),
            failed: u64::from(state == PublicState::Failed),
            expired: u64::from(state == PublicState::Expired),
            cancelled: u64::from(state == PublicState::Cancelled),
            open: u64::from(!self.execution.vector().is_terminal()),
            attempts: self.attempts.len() as u64,
            retries: self.attempts_of(AttemptType::Retry),
            reclaims: self.attempts_of(AttemptType::Reclaim),
            replays: self.attempts_of(AttemptType::Replay),
            completions: self.endings.len() as u64,
        }
    }
}

/// The account.
#[derive(Debug, Default, Serialize)]
pub(super) struct Audit {
    /// Per kind and lane.
    pub rows: Vec<Row>,
    /// Their sum.
    pub total: Row,
    /// Leases the killed worker lost to another, each reclaimed since.
    pub lost_with_killed_worker: u64,
    /// What is missing or wrong; nothing when every execution is accounted
    /// for.
    pub problems: Vec<String>,
}

/// Reads everything and checks it against what was acknowledged.
pub(super) async fn audit(
    engine: &EngineHandle,
    acknowledged: &[(ExecutionId, &'static str)],
    killed: &WorkerInstanceId,
) -> EngineResult<Audit> {
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    let mut audit = Audit { total: Row { kind: "total".to_owned(), ..Row::default() }, ..Audit::default() };
    let mut expected: HashMap<ExecutionId, &str> = acknowledged.iter().copied().collect();
    if expected.len() != acknowledged.len() {
        audit.problems.push("two submissions were given the same execution".to_owned());
    }
    let mut strangers = BTreeSet::new();
    for partition in 0..engine.env().options.partitions.num_flow_partitions {
        for story in stories(engine, partition, &mut strangers).await? {
            let row = story.row();
            audit.total.add(&row);
            audit.lost_with_killed_worker += lost_with(&story, killed);
            audit.problems.extend(check::problems(&story));
            match expected.remove(&story.execution.id) {
                Some(kind) if kind == row.kind => {}
                Some(kind) => {
                    audit.problems.push(format!("{}: submitted as {kind}, stored as {}", story.execution.id, row.kind));
                }
                None => audit.problems.push(format!("{}: in the store, yet never acknowledged", story.execution.id)),
            }
            let key = (row.lane.clone(), row.kind.clone());
            rows.entry(key)
                .or_insert_with(|| Row { kind: row.kind.clone(), lane: row.lane.clone(), ..Row::default() })
                .add(&row);
        }
    }
    audit.problems.extend(strangers.iter().map(|id| format!("{id}: has events, but is not in the store")));
    audit.problems.extend(expected.keys().map(|id| format!("{id}: acknowledged, but not in the store")));
    if audit.lost_with_killed_worker == 0 {
        audit.problems.push("the killed worker held no lease that was reclaimed".to_owned());
    }
    audit.rows = rows.into_values().collect();
    Ok(audit)
}

/// Attempts of the killed worker whose lease lapsed, apart from the first ones
/// of the kind that it lets lapse on purpose.
fn lost_with(story: &Story, killed: &WorkerInstanceId) -> u64 {
    let on_purpose = usize::from(&*story.execution.spec.kind == super::workload::STALL);
    let attempts = story.attempts.iter().skip(on_purpose);
    let lost = attempts.filter(|attempt| {
        attempt.worker_instance_id == *killed && attempt.lifecycle == AttemptLifecycle::InterruptedReclaimed
    });
    lost.count() as u64
}

/// Everything one partition knows of its executions.
async fn stories(
    engine: &EngineHandle,
    partition: u16,
    strangers: &mut BTreeSet<ExecutionId>,
) -> EngineResult<Vec<Story>> {
    let mut stories: BTreeMap<ExecutionId, Story> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = engine.list_executions(Partition::flow(partition), cursor, PAGE).await?;
        let keys: Vec<_> = page.executions.iter().map(|id| RecordKey::Execution(id.uuid())).collect();
        let loaded = engine.env().backend.load(partition, &keys, &[]).await.map_err(unreadable)?;
        for (id, record) in page.executions.iter().zip(loaded.records) {
            let Some(Record::Execution(execution)) = record else {
                return Err(EngineError::corruption("execution", "record", "listed, but missing"));
            };
            let attempts = attempts(engine, *id).await?;
            stories.insert(*id, Story { execution, attempts, endings: Vec::new(), reclaim_events: 0 });
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        let events = engine.env().backend.read_events(partition, after, PAGE).await.map_err(unreadable)?;
        let Some(last) = events.last() else { break };
        after = Some(last.id);
        for logged in &events {
            let Some(story) = stories.get_mut(&logged.event.execution_id) else {
                strangers.insert(logged.event.execution_id);
                continue;
            };
            for fact in &logged.event.facts {
                match fact {
                    Fact::Completed { outcome, .. } => story.endings.push(*outcome),
                    Fact::Lease { what: leasehold::event::LeaseFact::Reclaimed { .. }, .. } => {
                        story.reclaim_events += 1;
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(stories.into_values().collect())
}

async fn attempts(engine: &EngineHandle, id: ExecutionId) -> EngineResult<Vec<AttemptView>> {
    let mut attempts = Vec::new();
    let mut cursor = None;
    loop {
        let page = engine.list_attempts(id, cursor, PAGE).await?;
        attempts.extend(page.attempts);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(attempts);
        }
    }
}

fn unreadable(error: leasehold_backend::StoreError) -> EngineError {
    EngineError::Transport { backend: "sqlite", kind: BackendErrorKind::Other, message: error.to_string() }
}
