//! The head of a commit.
//!
//! What a commit *advances* is one row, its node's. The partitions' own rows
//! carry only (epoch, nonce) and are compared: a batch over a hundred
//! partitions writes one head, not a hundred.

use super::form::{Column, Form};
use super::rows::number;
use crate::PostgresBackend;
use crate::binds::Binds;
use crate::read;
use leasehold_backend::{Batch, Expected, StoreResult};
use std::collections::BTreeSet;

/// What is compared of a partition.
const EXPECTED: &[Column] = &[("partition", "int4"), ("epoch", "int8"), ("nonce", "int8")];

/// The advance of the head, which everything after it asks for: where the
/// node's row stands as the batch expects, and every part's partition belongs to
/// its owner. It opens the statement, so its node is the third value of it.
pub(super) fn advance(parts: Form) -> String {
    format!(
        "head AS (UPDATE @nodes AS n SET commit_seq = n.commit_seq + 1, time = greatest(n.time, ?::int8), \
         refused = ?::int4[] WHERE n.node = ?::uuid AND n.commit_seq = ?::int8 AND NOT n.dead \
         AND n.fence = coalesce(?::int8, (SELECT s.fence FROM @nodes AS s WHERE s.node = $3)) \
         AND NOT EXISTS (SELECT FROM {} LEFT JOIN @partitions AS p \
         ON p.partition = x.partition AND p.epoch = x.epoch AND p.nonce = x.nonce WHERE p.partition IS NULL) \
         RETURNING 1)",
        parts.rows(EXPECTED)
    )
}

/// What keeps a head from advancing: whether the node's row stands as
/// expected, its fence, and the parts whose partition has another owner.
const HINDRANCE: &str = "\
    SELECT n.commit_seq = ?::int8 AND NOT n.dead, n.fence, \
        ARRAY(SELECT x.partition FROM unnest(?::int4[], ?::int8[], ?::int8[]) AS x(partition, epoch, nonce) \
        LEFT JOIN @partitions AS p ON p.partition = x.partition AND p.epoch = x.epoch AND p.nonce = x.nonce \
        WHERE p.partition IS NULL) \
    FROM @nodes AS n WHERE n.node = ?";

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
    fn expected(&self) -> impl Iterator<Item = &Expected> {
        let stays = |expected: &&Expected| !self.refused.contains(&expected.partition);
        self.batch.parts.iter().map(|part| &part.expected).filter(stays)
    }

    /// How many parts are not left out.
    pub(super) fn parts(&self) -> usize {
        self.expected().count()
    }

    fn seq(&self) -> StoreResult<i64> {
        number("commit sequence", self.batch.seq)
    }

    fn epochs(&self) -> StoreResult<Vec<i64>> {
        self.expected().map(|expected| number("ownership epoch", expected.epoch)).collect()
    }

    fn bind_expected(&self, epochs: &[i64], binds: &mut Binds) {
        binds.partitions(self.expected().map(|expected| expected.partition));
        binds.ints(epochs.iter().copied());
        binds.ints(self.expected().map(|expected| expected.nonce.cast_signed()));
    }

    /// The values of [`advance`].
    pub(super) fn bind(&self, form: Form, binds: &mut Binds) -> StoreResult<()> {
        binds.int(self.batch.parts.iter().map(|part| part.time.0).max().unwrap_or(0));
        binds.maybe_partitions((!self.refused.is_empty()).then(|| self.refused.iter().copied().collect()));
        binds.uuid(self.batch.node.as_uuid());
        binds.int(self.seq()?);
        binds.maybe_int(self.fence);
        let epochs = self.epochs()?;
        form.bind(epochs.len(), binds, |binds| self.bind_expected(&epochs, binds));
        Ok(())
    }

    /// Asks what kept the head from advancing. The answer is of a moment of its
    /// own: it names a fence, and what is sent next asks for that one.
    pub(super) async fn hindrance(&self, store: &PostgresBackend) -> StoreResult<Head> {
        let node = self.batch.node;
        let (seq, epochs) = (self.seq()?, self.epochs()?);
        let asked = || {
            let mut binds = Binds::default();
            binds.int(seq);
            self.bind_expected(&epochs, &mut binds);
            binds.uuid(node.as_uuid());
            binds
        };
        let rows = store.read(HINDRANCE, asked).await?;
        let Some(row) = rows.first() else { return Ok(Head::Elsewhere) };
        let column = read::Column::of(row, "nodes", &node);
        if !column.bool(0, "commit_seq")? {
            return Ok(Head::Elsewhere);
        }
        let partitions = column.partitions(2, "differing")?;
        if partitions.is_empty() {
            return Ok(Head::Overtaken);
        }
        Ok(Head::Differs { partitions, fence: column.int(1, "fence")? })
    }
}
