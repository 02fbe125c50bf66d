//! Whether a batch whose outcome got lost was applied.

use super::rows::number;
use crate::SqliteBackend;
use crate::binds::Binds;
use crate::read::Column;
use crate::writer::Step;
use leasehold_backend::{Batch, StoreError, StoreResult};
use sqlx::sqlite::SqliteRow;
use std::collections::HashSet;

/// The place of a node's committer in its sequence, and what its last commit
/// left out.
const HEAD: &str = "SELECT commit_seq, refused FROM nodes WHERE node = ?";

/// Takes back the step of a commit that wrote nothing.
const TAKE_BACK: &str = "BEGIN IMMEDIATE; UPDATE nodes SET commit_seq = ? WHERE node = ? AND commit_seq = ?; COMMIT";

/// Tells part by part.
///
/// A committer sends one batch after the other, so the node's row stands
/// either where this batch found it or one further; only that last commit's
/// refusals have to be remembered. A commit that was refused for every part
/// wrote nothing, and the committer, which counts what landed, must find the
/// row where the batch found it.
pub(crate) async fn landed(store: &SqliteBackend, batch: &Batch) -> StoreResult<Vec<bool>> {
    let seq = number("commit sequence", batch.seq)?;
    let mut binds = Binds::with_capacity(1);
    binds.uuid(batch.node.as_uuid());
    let rows = store.read(HEAD.into(), binds).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::permanent(format!("node {} is not known to the store", batch.node)));
    };
    let landed = by_part(row, batch, seq)?;
    if landed.steps == 1 && !landed.parts.contains(&true) {
        take_back(store, batch, seq).await?;
    }
    Ok(landed.parts)
}

struct Landed {
    /// How far the node's row is beyond the batch's place.
    steps: i64,
    parts: Vec<bool>,
}

fn by_part(row: &SqliteRow, batch: &Batch, seq: i64) -> StoreResult<Landed> {
    let column = Column::of(row, "nodes", &batch.node);
    let steps = column.int(0, "commit_seq")?.saturating_sub(seq);
    let refused: HashSet<u16> = column
        .maybe_text(1, "refused")?
        .unwrap_or_default()
        .split(',')
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|error| column.corrupt("refused", error)))
        .collect::<StoreResult<_>>()?;
    let landed = |partition| match steps {
        ..=0 => false,
        1 => !refused.contains(&partition),
        _ => true,
    };
    Ok(Landed { steps, parts: batch.parts.iter().map(|part| landed(part.expected.partition)).collect() })
}

async fn take_back(store: &SqliteBackend, batch: &Batch, seq: i64) -> StoreResult<()> {
    let mut writer = store.writer().await?;
    let mut binds = Binds::with_capacity(3);
    binds.int(seq);
    binds.uuid(batch.node.as_uuid());
    binds.int(seq.saturating_add(1));
    writer.run(Step::new(TAKE_BACK, binds)).await.map(drop)
}
