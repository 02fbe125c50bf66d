//! Applying batches.
//!
//! A batch is one statement, and directly at the server the statement is its
//! own transaction: one trip. Where a part is refused, nothing is written and
//! the rest is sent again without it, together with the note what was left
//! out.
//!
//! # What keeps a late writer out
//!
//! The partitions are compared in the statement's snapshot, the node's row is
//! advanced in its newest version, for which the server waits if it must. In
//! between a takeover may have come: it makes the `fence` of the previous
//! owner's row grow in the transaction that changes the partition. So the
//! update asks for the fence of the snapshot, and finds nothing where the
//! snapshot was too old; the batch is then sent again. A takeover that comes
//! later waits for the node's row until the commit is over.

mod form;
mod head;
mod landed;
mod rows;
mod sections;
mod statement;
mod values;

pub(crate) use landed::landed;
pub(crate) use rows::number;

use crate::binds::Binds;
use crate::stats::Counters;
use crate::{PostgresBackend, errors, read};
use head::{Advance, Head};
use leasehold_backend::{Batch, PartOutcome, StoreError, StoreResult};
use rows::Rows;
use statement::Shape;
use std::collections::BTreeSet;

/// How often a batch is sent again because a takeover came in between. Each
/// time another one must have.
const TRIES_MAX: usize = 16;

/// Applies a batch.
pub(crate) async fn commit(store: &PostgresBackend, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
    let mut rows = Rows::of(batch)?;
    let mut refused = BTreeSet::new();
    let mut fence = None;
    for _ in 0..TRIES_MAX {
        let advance = Advance { batch, refused: &refused, fence };
        match send(store, &advance, &rows).await? {
            Head::Advanced => {
                Counters::add(&store.counters().commits, 1);
                Counters::add(&store.counters().rows_written, rows.len() as u64);
                let outcome = |partition| {
                    if refused.contains(partition) { PartOutcome::Refused } else { PartOutcome::Applied }
                };
                return Ok(batch.parts.iter().map(|part| outcome(&part.expected.partition)).collect());
            }
            Head::Elsewhere => {
                store.place().lost_by(batch.node);
                return Ok(vec![PartOutcome::Refused; batch.parts.len()]);
            }
            Head::Overtaken => fence = None,
            Head::Differs { partitions, fence: seen } => {
                rows.drop_partitions(&partitions);
                refused.extend(partitions);
                // What is sent next must not go through after another takeover.
                fence = Some(seen);
            }
        }
    }
    Err(StoreError::busy("the partitions of the batch are being taken over all the time"))
}

async fn send(store: &PostgresBackend, advance: &Advance<'_>, rows: &Rows) -> StoreResult<Head> {
    let shape = Shape::of(advance, rows);
    let text = store.texts().made_of("commit", shape.number(), || shape.template());
    let mut binds = Binds::default();
    shape.bind(advance, rows, &mut binds)?;
    let copy = store.recorder().copy(&text, &binds, rows.events.len());
    let answer = store.write_batch(text, binds).await?;
    let Some(row) = answer.first() else {
        return Err(errors::corrupt("nodes", advance.batch.node, "commit_seq", "a commit without an answer"));
    };
    if !read::Column::of(row, "nodes", &advance.batch.node).bool(0, "advanced")? {
        return advance.hindrance(store).await;
    }
    if let Some(copy) = copy {
        store.recorder().push(copy);
    }
    Ok(Head::Advanced)
}
