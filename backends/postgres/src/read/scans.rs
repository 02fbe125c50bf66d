//! Timers, active executions and kept records of a partition.

use super::{Column, execution, page};
use crate::PostgresBackend;
use crate::binds::Binds;
use leasehold_backend::{DueEntry, StoreResult, kept_bounds, kept_record};
use leasehold_core::record::{Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// Timers in the order in which they are due.
const DUE: &str = "SELECT due_at, id FROM @executions \
    WHERE due_at IS NOT NULL AND partition = ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?";

/// Active executions by id.
const ACTIVE: &str = "SELECT id, record FROM @executions \
    WHERE queue = 'active' AND partition = ? AND id >= ? AND (? OR id <> ?) ORDER BY id LIMIT ?";

/// Kept records of one kind by name.
const KEPT: &str = "SELECT name, record FROM @kept WHERE partition = ? AND name > ? AND name < ? ORDER BY name LIMIT ?";

pub(crate) async fn scan_due(
    store: &PostgresBackend,
    partition: u16,
    after: Option<(TimestampMs, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<DueEntry>> {
    let (at, id) = after.unwrap_or((TimestampMs(i64::MIN), Uuid::nil()));
    let rows = store
        .read(DUE, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            binds.int(at.0);
            binds.uuid(id);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "executions", &"due");
            Ok(DueEntry { due_at: TimestampMs(column.int(0, "due_at")?), execution: column.uuid(1, "id")? })
        })
        .collect()
}

pub(crate) async fn scan_active(
    store: &PostgresBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let rows = store
        .read(ACTIVE, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            bind_after(after, &mut binds);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter().map(|row| execution(row, partition)).collect()
}

pub(crate) async fn scan_kept(
    store: &PostgresBackend,
    partition: u16,
    kind: KeptKind,
    after: Option<&RecordKey>,
    limit: usize,
) -> StoreResult<Vec<Record>> {
    let (lower, upper) = kept_bounds(kind, after)?;
    let rows = store
        .read(KEPT, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            binds.bytes(&lower);
            binds.bytes(&upper);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter()
        .map(|row| {
            let column = Column::of(row, "kept", &partition);
            kept_record(partition, kind, column.bytes(0, "name")?, column.bytes(1, "record")?)
        })
        .collect()
}

/// A place among ids: a lower bound that the index knows, and whether the
/// bound itself belongs to the page, which it does only at the beginning.
pub(super) fn bind_after(after: Option<Uuid>, binds: &mut Binds) {
    let bound = after.unwrap_or_default();
    binds.uuid(bound);
    binds.bool(after.is_none());
    binds.uuid(bound);
}
