//! The head of a commit.
//!
//! What a commit *advances* is one row, its node's. The partitions' own rows
//! carry only (epoch, nonce) and are compared: a batch over a hundred
//! partitions writes one head, not a hundred.

use super::rows::number;
use crate::binds::Binds;
use crate::errors;
use crate::read::Column;
use leasehold_backend::{Batch, StoreResult};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::BTreeSet;

/// Opens the statement of a commit: what the snapshot shows of the node, the
/// parts whose partition has another owner, and the advance of the head, which
/// everything after it asks for.
pub(super) const OPENING: &str = "\
    WITH given AS MATERIALIZED (SELECT ?::uuid AS node, ?::int8 AS seq, ?::int8 AS time, ?::int4[] AS refused, \
        ?::int8 AS fence), \
    seen AS MATERIALIZED (SELECT n.commit_seq, n.dead, n.fence FROM @nodes AS n WHERE n.node = (SELECT node FROM given)), \
    differing AS MATERIALIZED (SELECT v.partition FROM unnest(?::int4[], ?::int8[], ?::int8[]) AS v(partition, epoch, nonce) \
        LEFT JOIN @partitions AS p ON p.partition = v.partition AND p.epoch = v.epoch AND p.nonce = v.nonce \
        WHERE p.partition IS NULL), \
    head AS (UPDATE @nodes AS n SET commit_seq = n.commit_seq + 1, \
            time = greatest(n.time, (SELECT time FROM given)), refused = (SELECT refused FROM given) \
        WHERE n.node = (SELECT node FROM given) AND n.commit_seq = (SELECT seq FROM given) AND NOT n.dead \
            AND n.fence = coalesce((SELECT fence FROM given), (SELECT fence FROM seen)) \
            AND NOT EXISTS (SELECT FROM differing) \
        RETURNING 1)";

/// Ends it: whether the head advanced, what differed, and what the snapshot
/// shows of the node; none of the last two where it is not known.
pub(super) const ENDING: &str = "\
    SELECT EXISTS (SELECT FROM head), ARRAY(SELECT partition FROM differing), \
        (SELECT s.commit_seq = g.seq AND NOT s.dead FROM seen AS s, given AS g), (SELECT fence FROM seen)";

/// One attempt to advance the head.
pub(super) struct Advance<'b> {
    pub(super) batch: &'b Batch,
    /// The partitions whose parts are left out.
    pub(super) refused: &'b BTreeSet<u16>,
    /// The fence that must stand; none for the one of the snapshot.
    pub(super) fence: Option<i64>,
}

/// How it went.
pub(super) enum Head {
    /// It advanced, and everything was written.
    Advanced,
    /// The node is dead, unknown or elsewhere in its sequence.
    Elsewhere,
    /// A takeover or another commit came in between.
    Overtaken,
    /// Partitions have another owner.
    Differs { partitions: BTreeSet<u16>, fence: i64 },
}

impl Advance<'_> {
    pub(super) fn bind(&self, binds: &mut Binds) -> StoreResult<()> {
        let parts = || {
            let stays = |partition| !self.refused.contains(partition);
            self.batch.parts.iter().map(|part| &part.expected).filter(move |expected| stays(&expected.partition))
        };
        let epochs: Vec<i64> =
            parts().map(|expected| number("ownership epoch", expected.epoch)).collect::<StoreResult<_>>()?;
        binds.uuid(self.batch.node.as_uuid());
        binds.int(number("commit sequence", self.batch.seq)?);
        binds.int(self.batch.parts.iter().map(|part| part.time.0).max().unwrap_or(0));
        binds.maybe_partitions((!self.refused.is_empty()).then(|| self.refused.iter().copied().collect()));
        binds.maybe_int(self.fence);
        binds.partitions(parts().map(|expected| expected.partition));
        binds.ints(epochs.into_iter());
        binds.ints(parts().map(|expected| expected.nonce.cast_signed()));
        Ok(())
    }
}

/// Reads the answer of a commit's statement.
pub(super) fn answer(rows: &[PgRow], advance: &Advance<'_>) -> StoreResult<Head> {
    let node = advance.batch.node;
    let Some(row) = rows.first() else {
        return Err(errors::corrupt("nodes", node, "commit_seq", "a commit without an answer"));
    };
    let column = Column::of(row, "nodes", &node);
    if column.bool(0, "advanced")? {
        return Ok(Head::Advanced);
    }
    let standing: Option<bool> = row.try_get(2).map_err(|error| column.corrupt("commit_seq", error))?;
    if standing != Some(true) {
        return Ok(Head::Elsewhere);
    }
    let partitions = column.partitions(1, "differing")?;
    if partitions.is_empty() {
        return Ok(Head::Overtaken);
    }
    Ok(Head::Differs { partitions, fence: column.int(3, "fence")? })
}
