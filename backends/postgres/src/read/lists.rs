//! Lists for people and for the checker.

use super::scans::bind_after;
use super::{Column, execution, page};
use crate::PostgresBackend;
use crate::binds::Binds;
use crate::write::number;
use leasehold_backend::{ExpiredLease, ExpiredLeaseCursor, LoggedEvent, StoreResult, StoredIndex};
use leasehold_core::event::EventId;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId};
use leasehold_core::record::{Attempt, Execution};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// Executions of a partition by id, from both tables.
const EXECUTIONS: &str = "\
    (SELECT id, record FROM @executions \
        WHERE partition = ? AND id >= ? AND (? OR id <> ?) ORDER BY id LIMIT ?) \
    UNION ALL \
    (SELECT id, record FROM @executions_done \
        WHERE partition = ? AND id >= ? AND (? OR id <> ?) ORDER BY id LIMIT ?) \
    ORDER BY id LIMIT ?";

/// Active executions whose lease ran out. Reads the entries of all that are
/// active: an index by expiry would have to be rewritten by every renewal,
/// and the engine itself never asks.
const EXPIRED: &str = "SELECT id, record, partition FROM @executions \
    WHERE queue = 'active' AND lease_expires_at <= ? AND (lease_expires_at, partition, id) > (?, ?, ?) \
    ORDER BY lease_expires_at, partition, id LIMIT ?";

/// Former attempts of an execution.
const ATTEMPTS: &str = "SELECT idx, record FROM @attempts \
    WHERE execution = ? AND partition = ? AND idx > ? ORDER BY idx LIMIT ?";

/// Lanes of all partitions by name.
const LANES: &str = "SELECT DISTINCT lane FROM @lanes WHERE lane > ? ORDER BY lane LIMIT ?";

/// Events of a partition in commit order.
const EVENTS: &str = "SELECT epoch, number, record FROM @events \
    WHERE partition = ? AND (epoch, number) > (?, ?) ORDER BY epoch, number LIMIT ?";

/// The index columns of one execution.
const INDEX: &str = "SELECT queue, lane, score, due_at FROM @executions WHERE partition = ? AND id = ? \
    UNION ALL SELECT 'terminal', lane, score, NULL FROM @executions_done WHERE partition = ? AND id = ?";

pub(crate) async fn list_executions(
    store: &PostgresBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let rows = store
        .read(EXECUTIONS, || {
            let mut binds = Binds::default();
            for _ in 0..2 {
                binds.partition(partition);
                bind_after(after, &mut binds);
                binds.int(page(limit));
            }
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter().map(|row| execution(row, partition)).collect()
}

pub(crate) async fn list_expired_leases(
    store: &PostgresBackend,
    as_of: TimestampMs,
    after: Option<&ExpiredLeaseCursor>,
    limit: usize,
) -> StoreResult<Vec<ExpiredLease>> {
    let rows = store
        .read(EXPIRED, || {
            let mut binds = Binds::default();
            binds.int(as_of.0);
            if let Some(after) = after {
                binds.int(after.expires_at.0);
                binds.partition(after.execution_id.partition());
                binds.uuid(after.execution_id.uuid());
            } else {
                binds.int(i64::MIN);
                binds.partition(0);
                binds.uuid(Uuid::nil());
            }
            binds.int(page(limit));
            binds
        })
        .await?;
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
    store: &PostgresBackend,
    execution: ExecutionId,
    after: Option<AttemptIndex>,
    limit: usize,
) -> StoreResult<Vec<Arc<Attempt>>> {
    let rows = store
        .read(ATTEMPTS, || {
            let mut binds = Binds::default();
            binds.uuid(execution.uuid());
            binds.partition(execution.partition());
            binds.int(after.map_or(-1, |index| i64::from(index.0)));
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter().map(|row| Column::of(row, "attempts", &execution).decode(1, "record").map(Arc::new)).collect()
}

pub(crate) async fn list_lanes(
    store: &PostgresBackend,
    after: Option<&LaneId>,
    limit: usize,
) -> StoreResult<Vec<LaneId>> {
    let rows = store
        .read(LANES, || {
            let mut binds = Binds::default();
            binds.text(after.map_or("", LaneId::as_str));
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "lanes", &"?");
            LaneId::try_new(column.text(0, "lane")?).map_err(|error| column.corrupt("lane", error))
        })
        .collect()
}

pub(crate) async fn read_events(
    store: &PostgresBackend,
    partition: u16,
    after: Option<EventId>,
    limit: usize,
) -> StoreResult<Vec<LoggedEvent>> {
    let after = after.unwrap_or(EventId { epoch: 0, number: 0 });
    let (epoch, event) = (number("ownership epoch", after.epoch)?, number("event number", after.number)?);
    let rows = store
        .read(EVENTS, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            binds.int(epoch);
            binds.int(event);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "events", &partition);
            let id = EventId { epoch: column.count(0, "epoch")?, number: column.count(1, "number")? };
            let place = format!("{partition}/{}/{}", id.epoch, id.number);
            Ok(LoggedEvent { id, event: Column::of(row, "events", &place).decode(2, "record")? })
        })
        .collect()
}

pub(crate) async fn stored_index(store: &PostgresBackend, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
    let rows = store
        .read(INDEX, || {
            let mut binds = Binds::default();
            for _ in 0..2 {
                binds.partition(execution.partition());
                binds.uuid(execution.uuid());
            }
            binds
        })
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let column = Column::of(row, "executions", &execution);
    if rows.len() > 1 {
        return Err(column.corrupt("queue", "it stands among those that have ended and those that have not"));
    }
    Ok(Some(StoredIndex {
        queue: column.text(0, "queue")?.to_owned(),
        lane_id: LaneId::try_new(column.text(1, "lane")?).map_err(|error| column.corrupt("lane", error))?,
        score: column.int(2, "score")?,
        due_at: column.maybe_int(3, "due_at")?.map(TimestampMs),
    }))
}
