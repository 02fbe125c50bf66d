//! Reads: short pages on connections of their own.
//!
//! Every read is one statement and therefore one snapshot. A long read would
//! keep the log from being emptied, so nothing returns more than a page.

mod inbox;
mod lists;
mod load;
#[cfg(test)]
mod plans;
mod ready;
mod scans;

pub(crate) use inbox::{inbox, inbox_of};
pub(crate) use lists::{list_attempts, list_executions, list_expired_leases, list_lanes, read_events, stored_index};
pub(crate) use load::load;
pub(crate) use ready::{ready_groups, scan_eligible, scan_ready};
pub(crate) use scans::{scan_active, scan_due, scan_kept};

use crate::errors;
use leasehold_backend::{PAGE_MAX, StoreError, StoreResult};
use leasehold_core::codec;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::Execution;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::fmt::Display;
use std::sync::Arc;
use uuid::Uuid;

/// The columns of one row; a value that does not parse is reported with
/// table, row and column.
pub(crate) struct Column<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    key: &'r dyn Display,
}

impl<'r> Column<'r> {
    pub(crate) fn of(row: &'r SqliteRow, table: &'static str, key: &'r dyn Display) -> Self {
        Self { row, table, key }
    }

    pub(crate) fn corrupt(&self, column: &str, why: impl Display) -> StoreError {
        errors::corrupt(self.table, self.key, column, why)
    }

    pub(crate) fn int(&self, index: usize, column: &str) -> StoreResult<i64> {
        self.row.try_get(index).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn maybe_int(&self, index: usize, column: &str) -> StoreResult<Option<i64>> {
        self.row.try_get(index).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn text(&self, index: usize, column: &str) -> StoreResult<&'r str> {
        self.row.try_get(index).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn maybe_text(&self, index: usize, column: &str) -> StoreResult<Option<&'r str>> {
        self.row.try_get(index).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn bytes(&self, index: usize, column: &str) -> StoreResult<&'r [u8]> {
        self.row.try_get(index).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn maybe_uuid(&self, index: usize, column: &str) -> StoreResult<Option<Uuid>> {
        let bytes: Option<&[u8]> = self.row.try_get(index).map_err(|error| self.corrupt(column, error))?;
        bytes.map(|bytes| Uuid::from_slice(bytes).map_err(|error| self.corrupt(column, error))).transpose()
    }

    pub(crate) fn uuid(&self, index: usize, column: &str) -> StoreResult<Uuid> {
        let bytes = self.bytes(index, column)?;
        Uuid::from_slice(bytes).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn partition(&self, index: usize, column: &str) -> StoreResult<u16> {
        let number = self.int(index, column)?;
        u16::try_from(number).map_err(|error| self.corrupt(column, error))
    }

    /// A number that the engine counts without a sign.
    pub(crate) fn count(&self, index: usize, column: &str) -> StoreResult<u64> {
        let number = self.int(index, column)?;
        u64::try_from(number).map_err(|error| self.corrupt(column, error))
    }

    pub(crate) fn decode<T: codec::Stored>(&self, index: usize, column: &str) -> StoreResult<T> {
        codec::decode(self.bytes(index, column)?).map_err(|error| self.corrupt(column, error))
    }
}

/// The execution in a row of (id, record), which must be the one the key
/// names.
fn execution(row: &SqliteRow, partition: u16) -> StoreResult<Arc<Execution>> {
    let nameless = "?";
    let id = Column::of(row, "executions", &nameless).uuid(0, "id")?;
    let id = ExecutionId::from_parts(partition, id);
    let column = Column::of(row, "executions", &id);
    let execution: Execution = column.decode(1, "record")?;
    if execution.id != id {
        return Err(column.corrupt("record", format!("it is about {}", execution.id)));
    }
    Ok(Arc::new(execution))
}

/// A page's length as SQLite takes it.
fn page(limit: usize) -> i64 {
    limit.min(PAGE_MAX) as i64
}
