//! Loading records and blobs by key.
//!
//! Keys of several kinds are looked up by one statement, so that all of them
//! come from one snapshot in one trip. The join is a `CROSS JOIN`, which keeps
//! SQLite from visiting the table and looking its rows up among the keys.

use super::Column;
use crate::SqliteBackend;
use crate::binds::Binds;
use crate::texts::size_for;
use leasehold_backend::{Loaded, StoreResult, kept_name, kept_record};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{BlobKey, Idempotency, Lane, Record, RecordKey};
use leasehold_core::state::LaneState;
use leasehold_core::time::TimestampMs;
use sqlx::sqlite::SqliteRow;
use std::fmt::Write as _;
use std::sync::Arc;
use uuid::Uuid;

/// The most keys one statement looks up; six values each stay below SQLite's
/// limit.
const KEYS_MAX: usize = 4096;

/// What a row of the answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Execution,
    Attempt,
    Idempotency,
    Lane,
    Blob,
    Kept,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Execution, Self::Attempt, Self::Idempotency, Self::Lane, Self::Blob, Self::Kept];

    /// How many values name one row.
    pub(super) const fn columns(self) -> usize {
        match self {
            Self::Execution | Self::Lane | Self::Kept => 2,
            Self::Attempt | Self::Idempotency | Self::Blob => 3,
        }
    }

    /// The answer's columns and how they are found. Each answer is (kind,
    /// position, four columns of that kind).
    pub(super) const fn query(self) -> (&'static str, &'static str) {
        match self {
            Self::Execution => (
                "SELECT 0, v.column1, t.record, NULL, NULL FROM (VALUES ",
                ") AS v CROSS JOIN executions AS t ON t.partition = ?1 AND t.id = v.column2",
            ),
            Self::Attempt => (
                "SELECT 1, v.column1, t.record, NULL, NULL FROM (VALUES ",
                ") AS v CROSS JOIN attempts AS t ON t.execution = v.column2 AND t.partition = ?1 AND t.idx = v.column3",
            ),
            Self::Idempotency => (
                "SELECT 2, v.column1, t.execution, t.execution_partition, t.expires_at FROM (VALUES ",
                ") AS v CROSS JOIN idempotency AS t \
                 ON t.partition = ?1 AND t.namespace = v.column2 AND t.key = v.column3",
            ),
            Self::Lane => (
                "SELECT 3, v.column1, t.state, t.registered_at, NULL FROM (VALUES ",
                ") AS v CROSS JOIN lanes AS t ON t.lane = v.column2 AND t.partition = ?1",
            ),
            Self::Blob => (
                "SELECT 4, v.column1, t.bytes, NULL, NULL FROM (VALUES ",
                ") AS v CROSS JOIN blobs AS t ON t.execution = v.column2 AND t.partition = ?1 AND t.kind = v.column3",
            ),
            Self::Kept => (
                "SELECT 5, v.column1, t.record, NULL, NULL FROM (VALUES ",
                ") AS v CROSS JOIN kept AS t ON t.partition = ?1 AND t.name = v.column2",
            ),
        }
    }
}

const fn kind_of(key: &RecordKey) -> Kind {
    match key {
        RecordKey::Execution(_) => Kind::Execution,
        RecordKey::Attempt(_) => Kind::Attempt,
        RecordKey::Idempotency(_) => Kind::Idempotency,
        RecordKey::Lane(_) => Kind::Lane,
        RecordKey::Wait(_) | RecordKey::Flow(_) => Kind::Kept,
    }
}

pub(crate) async fn load(
    store: &SqliteBackend,
    partition: u16,
    keys: &[RecordKey],
    blobs: &[BlobKey],
) -> StoreResult<Loaded> {
    let mut loaded = Loaded { records: vec![None; keys.len()], blobs: vec![None; blobs.len()] };
    if keys.len() + blobs.len() > KEYS_MAX {
        return Err(leasehold_backend::StoreError::permanent(format!(
            "{} keys in one load, at most {KEYS_MAX} are possible",
            keys.len() + blobs.len()
        )));
    }
    if keys.is_empty() && blobs.is_empty() {
        return Ok(loaded);
    }
    let (sql, binds) = statement(partition, keys, blobs)?;
    for row in &store.read(sql, binds).await? {
        let column = Column::of(row, "load", &partition);
        let (kind, at) = (column.count(0, "kind")?, column.count(1, "position")? as usize);
        if kind == Kind::Blob as u64 {
            if let Some(place) = loaded.blobs.get_mut(at) {
                *place = Some(column.bytes(2, "bytes")?.to_vec().into());
            }
        } else if let (Some(place), Some(key)) = (loaded.records.get_mut(at), keys.get(at)) {
            *place = Some(record(row, partition, key)?);
        }
    }
    Ok(loaded)
}

/// One `SELECT` per kind that is asked for, as one statement. Positions are
/// written into the text of a size, so that few texts exist: position `n` of
/// a kind is bound beside its key.
fn statement(partition: u16, keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<(Arc<str>, Binds)> {
    let mut binds = Binds::with_capacity(1 + (keys.len() + blobs.len()) * 6);
    binds.int(i64::from(partition));
    let mut sql = String::new();
    // Every value is numbered, since the partition is used many times.
    let mut next = 2;
    for kind in Kind::ALL {
        let count = match kind {
            Kind::Blob => blobs.len(),
            _ => keys.iter().filter(|key| kind_of(key) == kind).count(),
        };
        if count == 0 {
            continue;
        }
        let size = size_beyond(count);
        let (head, tail) = kind.query();
        sql.push_str(if sql.is_empty() { "" } else { " UNION ALL " });
        sql.push_str(head);
        for row in 0..size {
            sql.push_str(if row == 0 { "(" } else { ",(" });
            for value in 0..kind.columns() {
                // Writing to a string cannot fail.
                let _ = write!(sql, "{}?{next}", if value == 0 { "" } else { "," });
                next += 1;
            }
            sql.push(')');
        }
        sql.push_str(tail);
        match kind {
            Kind::Blob => blobs.iter().enumerate().for_each(|(at, key)| bind_blob(at, key, &mut binds)),
            _ => keys
                .iter()
                .enumerate()
                .filter(|(_, key)| kind_of(key) == kind)
                .try_for_each(|(at, key)| bind_key(at, key, &mut binds))?,
        }
        binds.pad((size - count) * kind.columns());
    }
    Ok((sql.into(), binds))
}

/// Beyond the sizes of writes, whole multiples of the largest one.
fn size_beyond(count: usize) -> usize {
    use crate::texts::ROWS_MAX;
    if count <= ROWS_MAX { size_for(count) } else { count.next_multiple_of(ROWS_MAX) }
}

fn bind_key(at: usize, key: &RecordKey, binds: &mut Binds) -> StoreResult<()> {
    binds.int(at as i64);
    match key {
        RecordKey::Execution(id) => binds.uuid(*id),
        RecordKey::Attempt(key) => {
            binds.uuid(key.execution);
            binds.int(i64::from(key.index.0));
        }
        RecordKey::Idempotency(key) => {
            binds.text(key.namespace.as_str());
            binds.shared(&key.key);
        }
        RecordKey::Lane(lane) => binds.text(lane.as_str()),
        RecordKey::Wait(_) | RecordKey::Flow(_) => binds.bytes(kept_name(key)?.1),
    }
    Ok(())
}

fn bind_blob(at: usize, key: &BlobKey, binds: &mut Binds) {
    binds.int(at as i64);
    binds.uuid(key.execution);
    binds.text(key.kind.as_str());
}

fn record(row: &SqliteRow, partition: u16, key: &RecordKey) -> StoreResult<Record> {
    match key {
        RecordKey::Execution(id) => {
            let id = ExecutionId::from_parts(partition, *id);
            Ok(Record::Execution(Arc::new(Column::of(row, "executions", &id).decode(2, "record")?)))
        }
        RecordKey::Attempt(key) => {
            let place = format!("{}/{}", key.execution, key.index);
            Ok(Record::Attempt(Arc::new(Column::of(row, "attempts", &place).decode(2, "record")?)))
        }
        RecordKey::Idempotency(key) => {
            let place = format!("{partition}/{}/{}", key.namespace, key.key);
            let column = Column::of(row, "idempotency", &place);
            let execution: Uuid = column.uuid(2, "execution")?;
            Ok(Record::Idempotency(Arc::new(Idempotency {
                key: key.clone(),
                execution_id: ExecutionId::from_parts(column.partition(3, "execution_partition")?, execution),
                expires_at: TimestampMs(column.int(4, "expires_at")?),
            })))
        }
        RecordKey::Lane(lane) => Ok(Record::Lane(Arc::new(stored_lane(row, partition, lane)?))),
        RecordKey::Wait(_) | RecordKey::Flow(_) => {
            let (kind, name) = kept_name(key)?;
            kept_record(partition, kind, &name, Column::of(row, "kept", &partition).bytes(2, "record")?)
        }
    }
}

fn stored_lane(row: &SqliteRow, partition: u16, lane: &LaneId) -> StoreResult<Lane> {
    let place = format!("{partition}/{lane}");
    let column = Column::of(row, "lanes", &place);
    let state = column.text(2, "state")?;
    Ok(Lane {
        lane_id: lane.clone(),
        state: LaneState::parse(state).ok_or_else(|| column.corrupt("state", state))?,
        registered_at: TimestampMs(column.int(3, "registered_at")?),
    })
}
