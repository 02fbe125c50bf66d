//! Lists for people and for the checker.

use super::{Column, execution, page};
use crate::SqliteBackend;
use crate::binds::Binds;
use crate::write::number;
use leasehold_backend::{ExpiredLease, ExpiredLeaseCursor, LoggedEvent, StoreResult, StoredIndex};
use leasehold_core::event::EventId;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId};
use leasehold_core::record::{Attempt, Execution};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// Executions of a partition by id.
pub(super) const EXECUTIONS: &str =
    "SELECT id, record FROM executions WHERE partition = ? AND id > ? ORDER BY id LIMIT ?";

/// Active executions whose lease ran out. Reads the entries of all that are
/// active: an index by expiry would have to be rewritten by every renewal,
/// and the engine itself never asks.
pub(super) const EXPIRED: &str = "SELECT id, record, partition FROM executions \
    WHERE queue = 'active' AND lease_expires_at <= ? AND (lease_expires_at, partition, id) > (?, ?, ?) \
    ORDER BY lease_expires_at, partition, id LIMIT ?";

/// Former attempts of an execution.
pub(super) const ATTEMPTS: &str = "SELECT idx, record FROM attempts \
    WHERE execution = ? AND partition = ? AND idx > ? ORDER BY idx LIMIT ?";

/// Lanes of all partitions by name.
pub(super) const LANES: &str = "SELECT DISTINCT lane FROM lanes WHERE lane > ? ORDER BY lane LIMIT ?";

/// Events of a partition in commit order.
pub(super) const EVENTS: &str = "SELECT epoch, number, record FROM events \
    WHERE partition = ? AND (epoch, number) > (?, ?) ORDER BY epoch, number LIMIT ?";

/// The index columns of one execution.
pub(super) const INDEX: &str = "SELECT queue, lane, score, due_at FROM executions WHERE partition = ? AND id = ?";

pub(crate) async fn list_executions(
    store: &SqliteBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let mut binds = Binds::with_capacity(3);
    binds.int(i64::from(partition));
    binds.bytes(after.map_or_else(Vec::new, |id| id.as_bytes().to_vec()));
    binds.int(page(limit));
    store.read(EXECUTIONS.into(), binds).await?.iter().map(|row| execution(row, partition)).collect()
}

pub(crate) async fn list_expired_leases(
    store: &SqliteBackend,
    as_of: TimestampMs,
    after: Option<&ExpiredLeaseCursor>,
    limit: usize,
) -> StoreResult<Vec<ExpiredLease>> {
    let mut binds = Binds::with_capacity(5);
    binds.int(as_of.0);
    if let Some(after) = after {
        binds.int(after.expires_at.0);
        binds.int(i64::from(after.execution_id.partition()));
        binds.uuid(after.execution_id.uuid());
    } else {
        binds.int(i64::MIN);
        binds.int(-1);
        binds.bytes(Vec::new());
    }
    binds.int(page(limit));
    let rows = store.read(EXPIRED.into(), binds).await?;
    rows.iter()
        .map(|row| {
            let partition = Column::of(row, "executions", &"active").partition(2, "partition")?;
            let execution = execution(row, partition)?;
            let column = Column::of(row, "executions", &execution.id);
            let lease = execution.lease.as_ref().ok_or_else(|| column.corrupt("record", "active without a lease"))?;
            Ok(ExpiredLease {
                execution_id: execution.id,
                lease_id: lease.lease_id,
                lease_epoch: lease.lease_epoch,
                worker_instance_id: lease.worker_instance_id.clone(),
                expires_at: lease.expires_at,
                attempt_index: execution.current_attempt_index(),
            })
        })
        .collect()
}

pub(crate) async fn list_attempts(
    store: &SqliteBackend,
    execution: ExecutionId,
    after: Option<AttemptIndex>,
    limit: usize,
) -> StoreResult<Vec<Arc<Attempt>>> {
    let mut binds = Binds::with_capacity(4);
    binds.uuid(execution.uuid());
    binds.int(i64::from(execution.partition()));
    binds.int(after.map_or(-1, |index| i64::from(index.0)));
    binds.int(page(limit));
    let rows = store.read(ATTEMPTS.into(), binds).await?;
    rows.iter().map(|row| Column::of(row, "attempts", &execution).decode(1, "record").map(Arc::new)).collect()
}

pub(crate) async fn list_lanes(
    store: &SqliteBackend,
    after: Option<&LaneId>,
    limit: usize,
) -> StoreResult<Vec<LaneId>> {
    let mut binds = Binds::with_capacity(2);
    binds.text(after.map_or("", LaneId::as_str));
    binds.int(page(limit));
    let rows = store.read(LANES.into(), binds).await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "lanes", &"?");
            LaneId::try_new(column.text(0, "lane")?).map_err(|error| column.corrupt("lane", error))
        })
        .collect()
}

pub(crate) async fn read_events(
    store: &SqliteBackend,
    partition: u16,
    after: Option<EventId>,
    limit: usize,
) -> StoreResult<Vec<LoggedEvent>> {
    let mut binds = Binds::with_capacity(4);
    let after = after.unwrap_or(EventId { epoch: 0, number: 0 });
    binds.int(i64::from(partition));
    binds.int(number("ownership epoch", after.epoch)?);
    binds.int(number("event number", after.number)?);
    binds.int(page(limit));
    let rows = store.read(EVENTS.into(), binds).await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "events", &partition);
            let id = EventId { epoch: column.count(0, "epoch")?, number: column.count(1, "number")? };
            let place = format!("{partition}/{}/{}", id.epoch, id.number);
            Ok(LoggedEvent { id, event: Column::of(row, "events", &place).decode(2, "record")? })
        })
        .collect()
}

pub(crate) async fn stored_index(store: &SqliteBackend, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
    let mut binds = Binds::with_capacity(2);
    binds.int(i64::from(execution.partition()));
    binds.uuid(execution.uuid());
    let rows = store.read(INDEX.into(), binds).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let column = Column::of(row, "executions", &execution);
    Ok(Some(StoredIndex {
        queue: column.text(0, "queue")?.to_owned(),
        lane_id: LaneId::try_new(column.text(1, "lane")?).map_err(|error| column.corrupt("lane", error))?,
        score: column.int(2, "score")?,
        due_at: column.maybe_int(3, "due_at")?.map(TimestampMs),
    }))
}
