//! Timers, active executions and kept records of a partition.

use super::{Column, execution, page};
use crate::SqliteBackend;
use crate::binds::Binds;
use leasehold_backend::{DueEntry, StoreResult, kept_bounds, kept_record};
use leasehold_core::record::{Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// Timers in the order in which they are due.
pub(super) const DUE: &str = "SELECT due_at, id FROM executions \
    WHERE due_at IS NOT NULL AND partition = ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?";

/// Active executions by id.
pub(super) const ACTIVE: &str = "SELECT id, record FROM executions \
    WHERE queue = 'active' AND partition = ? AND id > ? ORDER BY id LIMIT ?";

/// Kept records of one kind by name.
pub(super) const KEPT: &str =
    "SELECT name, record FROM kept WHERE partition = ? AND name > ? AND name < ? ORDER BY name LIMIT ?";

pub(crate) async fn scan_due(
    store: &SqliteBackend,
    partition: u16,
    after: Option<(TimestampMs, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<DueEntry>> {
    let mut binds = Binds::with_capacity(4);
    binds.int(i64::from(partition));
    if let Some((at, id)) = after {
        binds.int(at.0);
        binds.uuid(id);
    } else {
        binds.int(i64::MIN);
        binds.bytes(Vec::new());
    }
    binds.int(page(limit));
    let rows = store.read(DUE.into(), binds).await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "executions", &"due");
            Ok(DueEntry { due_at: TimestampMs(column.int(0, "due_at")?), execution: column.uuid(1, "id")? })
        })
        .collect()
}

pub(crate) async fn scan_active(
    store: &SqliteBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let mut binds = Binds::with_capacity(3);
    binds.int(i64::from(partition));
    binds.bytes(after.map_or_else(Vec::new, |id| id.as_bytes().to_vec()));
    binds.int(page(limit));
    store.read(ACTIVE.into(), binds).await?.iter().map(|row| execution(row, partition)).collect()
}

pub(crate) async fn scan_kept(
    store: &SqliteBackend,
    partition: u16,
    kind: KeptKind,
    after: Option<&RecordKey>,
    limit: usize,
) -> StoreResult<Vec<Record>> {
    let (lower, upper) = kept_bounds(kind, after)?;
    let mut binds = Binds::with_capacity(4);
    binds.int(i64::from(partition));
    binds.bytes(lower);
    binds.bytes(upper);
    binds.int(page(limit));
    let rows = store.read(KEPT.into(), binds).await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "kept", &partition);
            kept_record(partition, kind, column.bytes(0, "name")?, column.bytes(1, "record")?)
        })
        .collect()
}
