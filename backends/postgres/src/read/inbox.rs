//! What outside writers have left.

use super::{Column, page};
use crate::PostgresBackend;
use crate::binds::Binds;
use leasehold_backend::{INBOX_PAGE_BYTES, InboxEntry, StoreResult};
use leasehold_core::ids::ExecutionId;
use sqlx::postgres::PgRow;

/// Entries by number, as many as fit into a page, but at least one.
const INBOX: &str = "\
    SELECT number, partition, execution, create_bytes FROM ( \
        SELECT i.*, octet_length(create_bytes) AS size, \
            sum(octet_length(create_bytes)) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) AS total \
        FROM (SELECT * FROM @inbox WHERE number >= ? AND (? OR number <> ?) ORDER BY number LIMIT ?) AS i) AS j \
    WHERE total <= ? OR total = size ORDER BY number";

/// The first entry about an execution.
const INBOX_OF: &str = "SELECT number, partition, execution, create_bytes FROM @inbox \
    WHERE partition = ? AND execution = ? ORDER BY number LIMIT 1";

pub(crate) async fn inbox(store: &PostgresBackend, after: Option<i64>, limit: usize) -> StoreResult<Vec<InboxEntry>> {
    let rows = store
        .read(INBOX, || {
            let mut binds = Binds::default();
            binds.int(after.unwrap_or(i64::MIN));
            binds.bool(after.is_none());
            binds.int(after.unwrap_or(i64::MIN));
            binds.int(page(limit));
            binds.int(INBOX_PAGE_BYTES as i64);
            binds
        })
        .await?;
    rows.iter().map(entry).collect()
}

pub(crate) async fn inbox_of(store: &PostgresBackend, execution: ExecutionId) -> StoreResult<Option<InboxEntry>> {
    let rows = store
        .read(INBOX_OF, || {
            let mut binds = Binds::default();
            binds.partition(execution.partition());
            binds.uuid(execution.uuid());
            binds
        })
        .await?;
    rows.first().map(entry).transpose()
}

fn entry(row: &PgRow) -> StoreResult<InboxEntry> {
    let number = Column::of(row, "inbox", &"?").int(0, "number")?;
    let column = Column::of(row, "inbox", &number);
    let execution = ExecutionId::from_parts(column.partition(1, "partition")?, column.uuid(2, "execution")?);
    Ok(InboxEntry { number, execution, create: column.bytes(3, "create_bytes")?.to_vec() })
}
