//! Whether a batch whose outcome got lost was applied.

use super::rows::number;
use crate::SqliteBackend;
use crate::binds::Binds;
use crate::read::Column;
use leasehold_backend::{Batch, StoreError, StoreResult};
use std::collections::HashSet;

/// The place of a node's committer in its sequence, and what its last commit
/// left out.
const HEAD: &str = "SELECT commit_seq, refused FROM nodes WHERE node = ?";

/// Tells part by part.
///
/// A committer sends one batch after the other, so the node's row stands
/// either where this batch found it or one further; only that last commit's
/// refusals have to be remembered.
pub(crate) async fn landed(store: &SqliteBackend, batch: &Batch) -> StoreResult<Vec<bool>> {
    let mut binds = Binds::for_read(1);
    binds.uuid(batch.node.as_uuid());
    let rows = store.read(HEAD.into(), binds).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::permanent(format!("node {} is not known to the store", batch.node)));
    };
    let column = Column::of(row, "nodes", &batch.node);
    let stored = column.int(0, "commit_seq")?;
    match stored.saturating_sub(number("commit sequence", batch.seq)?) {
        ..=0 => return Ok(vec![false; batch.parts.len()]),
        1 => {}
        _ => return Ok(vec![true; batch.parts.len()]),
    }
    let refused: HashSet<u16> = column
        .maybe_text(1, "refused")?
        .unwrap_or_default()
        .split(',')
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|error| column.corrupt("refused", error)))
        .collect::<StoreResult<_>>()?;
    Ok(batch.parts.iter().map(|part| !refused.contains(&part.expected.partition)).collect())
}
