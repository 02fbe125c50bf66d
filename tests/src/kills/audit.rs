//! Comparing the store with what was acknowledged.

use super::Fallible;
use super::acks::Ack;
use super::node::life_of;
use super::task::{self, Task};
use crate::checker::check_store;
use leasehold_backend::{Backend, PAGE_MAX, SystemClock};
use leasehold_core::event::{Event, Fact, LeaseFact};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{BlobKey, BlobKind, Execution, ResultRef};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::time::TimestampMs;
use leasehold_sqlite::{SqliteBackend, SqliteOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Leases of a dead node have to be given up within this long after a
/// restart; it is far below the time they would take to lapse.
const GIVE_UP_MAX_MS: i64 = 10_000;

/// A life of the node.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// When its process was started.
    pub begun_at: TimestampMs,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Executions in the store.
    pub executions: usize,
    /// Events in the store.
    pub events: usize,
    /// How executions have ended.
    pub outcomes: BTreeMap<String, u64>,
    /// Leases of a node's own fleet given up in a later life.
    pub given_up: u64,
    /// Leases that lapsed in the life they were issued in, or of a remote
    /// worker.
    pub lapsed: u64,
    /// Leases that took the place of a lost one.
    pub reclaims: u64,
    /// The longest time from a restart to a lease given up.
    pub last_given_up_ms: i64,
    /// The longest time from a restart to the reclaim of a lease given up in
    /// the same life.
    pub last_reclaimed_ms: i64,
    /// Acknowledgements that might be lost and were.
    pub lost: u64,
    /// What must not be.
    pub problems: Vec<String>,
}

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promises<'a> {
    /// What has to be in the store.
    pub firm: &'a [Ack],
    /// What the declared durability allows to be gone.
    pub loose: &'a [Ack],
}

/// What the log and the record tell of one execution.
#[derive(Default)]
struct Told {
    record: Option<Arc<Execution>>,
    key: String,
    completions: u64,
    cancellations: u64,
    replays: u64,
    acquired: BTreeSet<u64>,
    /// When leases were lost, by their epochs.
    lost_at: BTreeMap<u64, i64>,
    completed: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    /// In which life the last lease was given up, if that is how it ended.
    given_up_in: Option<usize>,
}

/// Checks the store with the checker and against the acknowledgements.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn run(store: &Path, acks: &[Ack], lives: &[Life]) -> Fallible<Found> {
    let config = PartitionConfig::default();
    let backend = SqliteBackend::open(SqliteOptions::new(store), Arc::new(SystemClock::default())).await?;
    backend.prepare(&config).await?;
    let found = run_on(&backend, config.num_flow_partitions, Promises { firm: acks, loose: &[] }, lives).await;
    backend.close().await;
    let mut found = found?;
    if found.last_given_up_ms > GIVE_UP_MAX_MS {
        found.problems.push(format!("a dead node's lease was given up only after {} ms", found.last_given_up_ms));
    }
    Ok(found)
}

/// As [`run`], on a store that is open and at rest.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn run_on(backend: &dyn Backend, partitions: u16, acks: Promises<'_>, lives: &[Life]) -> Fallible<Found> {
    let mut found = Found::default();
    let report = check_store(backend, partitions).await;
    (found.executions, found.events) = (report.executions, report.events);
    found.problems.extend(report.violations.iter().map(ToString::to_string));
    let mut told = BTreeMap::new();
    for partition in 0..partitions {
        read(backend, partition, lives, &mut told, &mut found).await?;
    }
    ends(&told, &mut found);
    keys(&told, acks.firm, &mut found);
    for ack in acks.firm {
        promise(ack, &told, &mut found);
    }
    replays(&told, acks.firm, &mut found);
    for ack in acks.loose {
        match ack {
            Ack::Fault { .. } => found.problems.push(ack.name()),
            _ => found.lost += u64::from(!is_kept(ack, &told)),
        }
    }
    Ok(found)
}

async fn read(
    backend: &dyn Backend,
    partition: u16,
    lives: &[Life],
    told: &mut BTreeMap<String, Told>,
    found: &mut Found,
) -> Fallible {
    let mut after = None;
    loop {
        let page = backend.list_executions(partition, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.uuid());
        for execution in page {
            let payload = BlobKey { execution: execution.id.uuid(), kind: BlobKind::Payload };
            let loaded = backend.load(partition, &[], &[payload]).await?;
            let payload = loaded.blobs.into_iter().flatten().next();
            let entry = told.entry(execution.id.to_string()).or_default();
            match payload.as_deref().map(serde_json::from_slice::<Task>) {
                Some(Ok(task)) => entry.key = task.key,
                other => found.problems.push(format!("{}: its payload reads as {other:?}", execution.id)),
            }
            entry.record = Some(execution);
        }
    }
    let mut after = None;
    loop {
        let page = backend.read_events(partition, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for logged in &page {
            let entry = told.entry(logged.event.execution_id.to_string()).or_default();
            entry.follow(&logged.event, lives, found);
        }
    }
}

/// The life that runs at a time, counted from 1, and since when it does.
fn life_at(lives: &[Life], at: TimestampMs) -> (usize, i64) {
    let life = lives.partition_point(|life| life.begun_at <= at);
    let since = life.checked_sub(1).map_or(0, |index| at.0 - lives[index].begun_at.0);
    (life, since)
}

impl Told {
    fn follow(&mut self, event: &Event, lives: &[Life], found: &mut Found) {
        let (life, since) = life_at(lives, event.at);
        for fact in &event.facts {
            match fact {
                Fact::Lease { what, lease_epoch, worker_instance_id, .. } => {
                    if *what == LeaseFact::Expired {
                        self.lost_at.insert(lease_epoch.0, event.at.0);
                    }
                    let inherited = life_of(worker_instance_id.as_str()).is_some_and(|of| of < life as u64);
                    self.lease(what, lease_epoch.0, inherited.then_some((life, since)), (life, since), found);
                }
                Fact::Completed { outcome, .. } => {
                    self.completions += 1;
                    self.cancellations += u64::from(*outcome == TerminalOutcome::Cancelled);
                }
                Fact::Replayed { .. } => self.replays += 1,
                Fact::PriorityChanged { .. } | Fact::CreateRefused { .. } | Fact::SignalDelivered { .. } => {}
            }
        }
    }

    fn lease(
        &mut self,
        what: &LeaseFact,
        epoch: u64,
        inherited: Option<(usize, i64)>,
        (life, since): (usize, i64),
        found: &mut Found,
    ) {
        match what {
            LeaseFact::Acquired { .. } => {
                self.acquired.insert(epoch);
            }
            LeaseFact::Reclaimed { .. } => {
                self.acquired.insert(epoch);
                found.reclaims += 1;
                if self.given_up_in.take() == Some(life) {
                    found.last_reclaimed_ms = found.last_reclaimed_ms.max(since);
                }
            }
            LeaseFact::Expired => {
                if let Some((life, since)) = inherited {
                    self.given_up_in = Some(life);
                    found.given_up += 1;
                    found.last_given_up_ms = found.last_given_up_ms.max(since);
                } else {
                    found.lapsed += 1;
                }
            }
            LeaseFact::Released { reason } if reason == "completed" => {
                self.completed.insert(epoch);
            }
            LeaseFact::Released { reason } if reason.starts_with("failed_") => {
                self.failed.insert(epoch);
            }
            LeaseFact::Released { .. } | LeaseFact::Renewed | LeaseFact::Revoked { .. } => {}
        }
    }
}

/// Every execution is over, and ended once for its creation and once for
/// each replay.
fn ends(told: &BTreeMap<String, Told>, found: &mut Found) {
    for (id, told) in told {
        let Some(record) = &told.record else {
            found.problems.push(format!("{id}: events and no record"));
            continue;
        };
        let state = record.vector().public_state();
        *found.outcomes.entry(state.as_str().to_owned()).or_default() += 1;
        if !record.vector().is_terminal() {
            found.problems.push(format!("{id}: never ended, it is {}", state.as_str()));
        } else if told.completions != 1 + told.replays {
            let (completions, replays) = (told.completions, told.replays);
            found.problems.push(format!("{id}: ended {completions} times with {replays} replays"));
        }
    }
}

/// One submission is one execution, however often it was sent.
fn keys(told: &BTreeMap<String, Told>, acks: &[Ack], found: &mut Found) {
    let mut by_key: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, told) in told {
        if let Some(other) = by_key.insert(&told.key, id) {
            found.problems.push(format!("submission {} exists twice: {other} and {id}", told.key));
        }
    }
    for ack in acks {
        if let Ack::Created { id, key, .. } = ack
            && by_key.get(key.as_str()) != Some(&id.as_str())
        {
            let is = by_key.get(key.as_str());
            found.problems.push(format!("submission {key} was acknowledged as {id}, the store has {is:?}"));
        }
    }
}

/// What was promised is in the store.
fn promise(ack: &Ack, told: &BTreeMap<String, Told>, found: &mut Found) {
    if let Ack::Fault { .. } = ack {
        found.problems.push(ack.name());
    } else if !is_kept(ack, told) {
        found.problems.push(format!("LOST {ack:?}"));
    }
}

/// Whether the store has what was promised; where nothing was, it has that.
fn is_kept(ack: &Ack, told: &BTreeMap<String, Told>) -> bool {
    let of = |id: &String| told.get(id);
    match ack {
        Ack::Created { id, .. } => of(id).is_some_and(|told| told.record.is_some()),
        Ack::Claimed { id, lease_epoch, expires_at } | Ack::Renewed { id, lease_epoch, expires_at } => {
            of(id).is_some_and(|told| told.has_leased(*lease_epoch, *expires_at))
        }
        Ack::Completed { id, lease_epoch } => of(id).is_some_and(|told| told.has_completed(*lease_epoch)),
        Ack::Failed { id, lease_epoch } => of(id).is_some_and(|told| told.failed.contains(lease_epoch)),
        Ack::Cancelled { id } => of(id).is_some_and(|told| told.cancellations > 0),
        Ack::Replayed { id } => of(id).is_some_and(|told| told.replays > 0),
        Ack::Unknown { .. } | Ack::Retried { .. } | Ack::Refused { .. } | Ack::Fault { .. } => true,
    }
}

impl Told {
    /// Whether a lease was issued and not lost before its time.
    fn has_leased(&self, lease_epoch: u64, expires_at: i64) -> bool {
        self.acquired.contains(&lease_epoch) && self.lost_at.get(&lease_epoch).is_none_or(|lost| *lost >= expires_at)
    }

    /// Whether the completion under a lease is in the log and, where nothing
    /// came after it, its result in the record.
    fn has_completed(&self, lease_epoch: u64) -> bool {
        let result_stands = self.record.as_ref().is_some_and(|record| {
            let last = record.lease_epoch.0 == lease_epoch && self.replays == 0;
            let wanted = task::remote_result(&record.id.to_string(), lease_epoch);
            !last || matches!(&record.result, Some(ResultRef::Inline(bytes)) if *bytes == wanted)
        });
        self.completed.contains(&lease_epoch) && result_stands
    }
}

/// As many replays as were acknowledged, at least.
fn replays(told: &BTreeMap<String, Told>, acks: &[Ack], found: &mut Found) {
    let mut promised: BTreeMap<&str, u64> = BTreeMap::new();
    for ack in acks {
        if let Ack::Replayed { id } = ack {
            *promised.entry(id).or_default() += 1;
        }
    }
    for (id, promised) in promised {
        let replays = told.get(id).map_or(0, |told| told.replays);
        if replays < promised {
            found.problems.push(format!("{id}: {promised} replays were acknowledged, {replays} happened"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> BTreeMap<String, Told> {
        let told = Told {
            key: "a".to_owned(),
            acquired: BTreeSet::from([1]),
            lost_at: BTreeMap::from([(1, 50)]),
            completed: BTreeSet::from([1]),
            replays: 1,
            ..Told::default()
        };
        BTreeMap::from([("x".to_owned(), told)])
    }

    fn problems_of(ack: Ack) -> Vec<String> {
        let mut found = Found::default();
        promise(&ack, &told(), &mut found);
        keys(&told(), std::slice::from_ref(&ack), &mut found);
        replays(&told(), &[ack.clone(), ack], &mut found);
        found.problems
    }

    #[test]
    fn a_kept_promise_is_no_problem() {
        for ack in [
            Ack::Claimed { id: "x".to_owned(), lease_epoch: 1, expires_at: 50 },
            Ack::Renewed { id: "x".to_owned(), lease_epoch: 1, expires_at: 20 },
            Ack::Unknown { op: "complete".to_owned() },
        ] {
            assert_eq!(problems_of(ack), Vec::<String>::new());
        }
    }

    #[test]
    fn every_broken_promise_is_found() {
        let id = || "x".to_owned();
        for ack in [
            Ack::Created { id: "y".to_owned(), key: "b".to_owned(), bulk: false, duplicate: false },
            Ack::Created { id: "y".to_owned(), key: "a".to_owned(), bulk: true, duplicate: true },
            Ack::Claimed { id: id(), lease_epoch: 2, expires_at: 50 },
            Ack::Renewed { id: id(), lease_epoch: 1, expires_at: 51 },
            Ack::Completed { id: id(), lease_epoch: 2 },
            Ack::Failed { id: id(), lease_epoch: 1 },
            Ack::Cancelled { id: id() },
            Ack::Replayed { id: id() },
            Ack::Fault { op: "renew".to_owned(), detail: "500".to_owned() },
        ] {
            assert!(!problems_of(ack.clone()).is_empty(), "{ack:?}");
        }
    }

    #[test]
    fn an_execution_that_ended_too_often_or_not_at_all_is_found() {
        let mut found = Found::default();
        ends(&told(), &mut found);
        assert_eq!(found.problems, ["x: events and no record"]);
    }

    #[test]
    fn time_since_a_restart_is_that_of_the_life_that_runs() {
        let lives = [100, 200].map(|begun| Life { begun_at: TimestampMs(begun) });
        assert_eq!(life_at(&lives, TimestampMs(150)), (1, 50));
        assert_eq!(life_at(&lives, TimestampMs(230)), (2, 30));
        assert_eq!(life_at(&lives, TimestampMs(20)), (0, 0));
    }
}
