//! A small batch in one trip.
//!
//! A trip to the connection's thread and back costs about a tenth of what a
//! durable commit does, so a batch of few rows must not take one per table.
//! Nobody looks between its statements; each says what it expects to find,
//! and where one finds something else, the transaction ends without effect.
//! The same batch is then sent trip by trip, which tells what it was.

use super::head;
use super::rows::Rows;
use crate::binds::Binds;
use crate::texts::{Kind, size_for};
use crate::writer::{AND_COMMIT, Step, Writer};
use leasehold_backend::{Batch, StoreResult};

/// The most parts of a batch that goes in one trip. With more of them hardly
/// two batches are of the same kind, and each kind has its own text.
const PARTS_MAX: usize = 4;

/// The most rows of a batch that goes in one trip.
const ROWS_MAX: usize = 64;

/// Fails the transaction unless the statement before it changed so many rows.
const EXPECT_CHANGES: &str = "; INSERT INTO temp.expected VALUES (changes(), ?)";

/// Applies the batch if it is small and of a kind that keeps coming. False
/// when it has to go trip by trip: nothing of it has happened.
pub(super) async fn commit(writer: &mut Writer, batch: &Batch, rows: &mut Option<Rows>) -> StoreResult<bool> {
    let Some(kind) = rows.as_ref().and_then(|rows| kind(batch, rows)) else { return Ok(false) };
    // A recording is replayed on connections that expect nothing.
    if writer.is_recording() || !writer.wholes.note(&kind) {
        return Ok(false);
    }
    let Some(rows) = rows.take() else { return Ok(false) };
    let steps = rows.into_steps(writer);
    let sql = writer.wholes.text(kind, || text(batch, &steps));
    let mut binds = Binds::with_capacity(steps.len() * 16);
    head::bind_expected(batch, &mut binds)?;
    for step in steps {
        binds.append(step.binds);
        if let Some(expected) = step.expect_changes {
            binds.int(super::number("number of rows", expected)?);
        }
    }
    writer.run_whole(Step::new(sql, binds)).await
}

/// The kind of a small batch.
fn kind(batch: &Batch, rows: &Rows) -> Option<Kind> {
    let counts = rows.counts();
    let small = (1..=PARTS_MAX).contains(&batch.parts.len()) && counts.iter().sum::<usize>() <= ROWS_MAX;
    let size = |count: &usize| if *count == 0 { 0 } else { size_for(*count) };
    small.then(|| std::iter::once(batch.parts.len()).chain(counts.iter().map(size)).collect())
}

fn text(batch: &Batch, steps: &[Step]) -> String {
    let mut text = head::expected_text(batch.parts.len());
    for step in steps {
        text.push_str("; ");
        text.push_str(&step.sql);
        if step.expect_changes.is_some() {
            text.push_str(EXPECT_CHANGES);
        }
    }
    text.push_str(AND_COMMIT);
    text
}
