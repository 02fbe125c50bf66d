//! What outside writers have left.

use super::{Column, page};
use crate::SqliteBackend;
use crate::binds::Binds;
use leasehold_backend::{INBOX_PAGE_BYTES, InboxEntry, StoreResult};
use leasehold_core::ids::ExecutionId;
use sqlx::sqlite::SqliteRow;

/// Entries by number up to a number of rows and of bytes. The bytes are summed
/// over the lengths alone, which SQLite knows without reading the entries.
pub(super) const PAGE: &str = "WITH sized AS \
    (SELECT number, length(create_bytes) AS bytes FROM inbox WHERE number > ? ORDER BY number LIMIT ?), \
    placed AS (SELECT number, bytes, sum(bytes) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) AS until FROM sized) \
    SELECT i.number, i.partition, i.execution, i.create_bytes FROM placed AS p JOIN inbox AS i ON i.number = p.number \
    WHERE p.until <= ? OR p.until = p.bytes ORDER BY p.number";

/// The first entry about one execution.
pub(super) const OF: &str = "SELECT number, partition, execution, create_bytes FROM inbox \
    WHERE partition = ? AND execution = ? ORDER BY number LIMIT 1";

pub(crate) async fn inbox(store: &SqliteBackend, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>> {
    let mut binds = Binds::with_capacity(3);
    binds.int(after.unwrap_or(i64::MIN));
    binds.int(page(limit));
    binds.int(INBOX_PAGE_BYTES as i64);
    store.read(PAGE.into(), binds).await?.iter().map(entry).collect()
}

pub(crate) async fn inbox_of(store: &SqliteBackend, execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
    let mut binds = Binds::with_capacity(2);
    binds.int(i64::from(execution.partition()));
    binds.uuid(execution.uuid());
    store.read(OF.into(), binds).await?.first().map(entry).transpose()
}

fn entry(row: &SqliteRow) -> StoreResult<InboxEntry> {
    let number = Column::of(row, "inbox", &"?").int(0, "number")?;
    let column = Column::of(row, "inbox", &number);
    let execution = ExecutionId::from_parts(column.partition(1, "partition")?, column.uuid(2, "execution")?);
    Ok(InboxEntry { number, execution, create: column.bytes(3, "create_bytes")?.to_vec() })
}
