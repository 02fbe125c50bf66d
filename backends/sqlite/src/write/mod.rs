//! Committing a batch.
//!
//! ```text
//!  trip 1   BEGIN IMMEDIATE; advance the node's head; find parts whose head differs
//!  trip 2…  one statement per table and up to 128 rows
//!  last     …; COMMIT
//! ```
//!
//! A small batch goes in one trip ([`whole`]).
//!
//! A constraint that does not hold ends the transaction (`OR ROLLBACK`): the
//! batch is over anyway, and SQLite is spared the journal that would undo the
//! one statement.
//!
//! Records are encoded before the writer is taken, so that the next batch is
//! prepared while this one is written.

mod blobs;
mod events;
mod executions;
mod head;
mod inbox;
mod kept;
mod landed;
mod others;
#[cfg(test)]
mod plans;
mod rows;
mod whole;

pub(crate) use landed::landed;
pub(crate) use rows::number;

use crate::SqliteBackend;
use crate::errors;
use crate::stats::Counters;
use crate::writer::{Step, Writer};
use leasehold_backend::{Batch, PartOutcome, StoreResult};
use rows::Rows;
use std::collections::HashSet;

/// Applies a batch.
pub(crate) async fn commit(store: &SqliteBackend, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
    let rows = Rows::of(batch)?;
    let mut writer = store.writer().await?;
    let mut count = rows.counts().iter().sum();
    let mut rows = Some(rows);
    let outcomes = if whole::commit(&mut writer, batch, &mut rows).await? {
        vec![PartOutcome::Applied; batch.parts.len()]
    } else {
        let rows = match rows {
            Some(rows) => rows,
            None => Rows::of(batch)?,
        };
        let Some((outcomes, written)) = by_trips(&mut writer, batch, rows).await? else {
            return Ok(vec![PartOutcome::Refused; batch.parts.len()]);
        };
        count = written;
        outcomes
    };
    Counters::add(&store.counters().commits, 1);
    Counters::add(&store.counters().rows_written, count as u64);
    store.after_commit(&mut writer, count as u64).await;
    Ok(outcomes)
}

/// Applies a batch in one trip per statement, with how many rows it wrote.
/// None when it is refused as a whole.
async fn by_trips(
    writer: &mut Writer,
    batch: &Batch,
    mut rows: Rows,
) -> StoreResult<Option<(Vec<PartOutcome>, usize)>> {
    let Some(refused) = head::advance(writer, batch).await? else {
        writer.roll_back().await;
        return Ok(None);
    };
    if !refused.is_empty() {
        rows.drop_partitions(&refused);
        head::note_refused(writer, batch, &refused).await?;
    }
    let count = rows.counts().iter().sum();
    let mut steps = rows.into_steps(writer);
    writer.append_commit(&mut steps);
    for step in steps {
        run_exactly(writer, step).await?;
    }
    Ok(Some((batch.parts.iter().map(|part| outcome(&refused, part.expected.partition)).collect(), count)))
}

fn outcome(refused: &HashSet<u16>, partition: u16) -> PartOutcome {
    if refused.contains(&partition) { PartOutcome::Refused } else { PartOutcome::Applied }
}

/// Runs a step and makes sure that it changed the rows it was about. A record
/// that the engine knows and the store does not is damage, and the batch must
/// not become durable without it.
async fn run_exactly(writer: &mut Writer, step: Step) -> StoreResult<()> {
    let expected = step.expect_changes;
    let name = step.name();
    let answers = writer.run(step).await?;
    let changed = answers.first().map_or(0, |answer| answer.changes);
    match expected {
        Some(expected) if changed != expected => {
            writer.roll_back().await;
            Err(errors::corrupt(name, "batch", "rows", format!("{changed} rows found, {expected} known to the engine")))
        }
        _ => Ok(()),
    }
}
