//! Whether a batch whose outcome got lost was applied.

use super::rows::number;
use crate::PostgresBackend;
use crate::binds::Binds;
use crate::read::Column;
use leasehold_backend::{Batch, StoreError, StoreResult};
use sqlx::postgres::PgRow;

/// The place of a node's committer in its sequence, and what its last commit
/// left out.
const HEAD: &str = "SELECT commit_seq, coalesce(refused, '{}') FROM @nodes WHERE node = ?";

/// Takes back the step of a commit that wrote nothing.
const TAKE_BACK: &str = "UPDATE @nodes SET commit_seq = ? WHERE node = ? AND commit_seq = ?";

/// Tells part by part.
///
/// A committer sends one batch after the other, so the node's row stands
/// either where this batch found it or one further; only that last commit's
/// refusals have to be remembered. A commit that was refused for every part
/// wrote nothing, and the committer, which counts what landed, must find the
/// row where the batch found it.
pub(crate) async fn landed(store: &PostgresBackend, batch: &Batch) -> StoreResult<Vec<bool>> {
    let seq = number("commit sequence", batch.seq)?;
    let rows = store
        .read(HEAD, || {
            let mut binds = Binds::default();
            binds.uuid(batch.node.as_uuid());
            binds
        })
        .await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::permanent(format!("node {} is not known to the store", batch.node)));
    };
    let (steps, parts) = by_part(row, batch, seq)?;
    if steps == 1 && !parts.contains(&true) {
        store
            .own_again(TAKE_BACK, || {
                let mut binds = Binds::default();
                binds.int(seq);
                binds.uuid(batch.node.as_uuid());
                binds.int(seq.saturating_add(1));
                binds
            })
            .await?;
    }
    Ok(parts)
}

/// How far the node's row is beyond the batch's place, and what landed.
fn by_part(row: &PgRow, batch: &Batch, seq: i64) -> StoreResult<(i64, Vec<bool>)> {
    let column = Column::of(row, "nodes", &batch.node);
    let steps = column.int(0, "commit_seq")?.saturating_sub(seq);
    let refused = column.partitions(1, "refused")?;
    let landed = |partition| match steps {
        ..=0 => false,
        1 => !refused.contains(partition),
        _ => true,
    };
    Ok((steps, batch.parts.iter().map(|part| landed(&part.expected.partition)).collect()))
}
