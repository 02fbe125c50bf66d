//! The head of a commit.
//!
//! What a commit *advances* is one row, its node's. The partitions' own rows
//! carry only (epoch, nonce) and are compared: a batch over a hundred
//! partitions writes one head, not a hundred.

use super::rows::number;
use crate::binds::Binds;
use crate::errors;
use crate::texts::{Shape, size_for};
use crate::writer::{Step, Writer};
use leasehold_backend::{Batch, Part, StoreResult};
use sqlx::Row;
use std::collections::HashSet;
use std::sync::Arc;

/// Opens the transaction and advances the node's head if it is alive and at
/// the expected place.
macro_rules! advance {
    () => {
        "BEGIN IMMEDIATE; UPDATE nodes SET commit_seq = commit_seq + 1, time = max(time, ?), refused = NULL \
         WHERE node = ? AND commit_seq = ? AND dead = 0"
    };
}

/// Lists the parts that follow as rows and pass [`elsewhere`].
macro_rules! refused {
    () => {
        "SELECT v.column1 FROM (VALUES "
    };
}

/// Keeps of parts those whose partition has another owner.
macro_rules! elsewhere {
    () => {
        ") AS v LEFT JOIN partitions AS p \
         ON p.partition = v.column1 AND p.epoch = v.column2 AND p.nonce = v.column3 \
         WHERE p.partition IS NULL AND v.column1 IS NOT NULL"
    };
}

/// Opens the transaction, advances the node's head if it is alive and at the
/// expected place, and lists the parts whose partition has another owner.
pub(super) static ADVANCE: Shape =
    Shape { name: "advance", head: concat!(advance!(), "; ", refused!()), columns: 3, tail: elsewhere!() };

/// Opens the transaction and advances the head for a batch without parts.
const ADVANCE_ONLY: &str = advance!();

/// Opens the transaction and advances the head; what it finds otherwise than
/// expected ends the transaction.
const ADVANCE_EXPECTED: &str = concat!(advance!(), "; INSERT INTO temp.expected VALUES (changes(), 1)");

/// Counts the parts whose partition has another owner, where none is expected.
static COMPARE_EXPECTED: Shape = Shape {
    name: "compare expected",
    head: "; INSERT INTO temp.expected SELECT count(*), 0 FROM (VALUES ",
    columns: 3,
    tail: elsewhere!(),
};

/// Lists further parts of a batch over very many partitions.
pub(super) static COMPARE: Shape = Shape { name: "compare", head: refused!(), columns: 3, tail: elsewhere!() };

/// Notes which parts the commit leaves out, for a committer that does not
/// learn the outcome.
const NOTE_REFUSED: &str = "UPDATE nodes SET refused = ? WHERE node = ?";

/// The most parts one statement compares.
const PARTS_MAX: usize = crate::texts::ROWS_MAX;

/// Opens the transaction and advances the head. None when the node is dead,
/// unknown or elsewhere in its sequence; otherwise the partitions whose parts
/// are refused.
pub(super) async fn advance(writer: &mut Writer, batch: &Batch) -> StoreResult<Option<HashSet<u16>>> {
    let (first, rest) = batch.parts.split_at(batch.parts.len().min(PARTS_MAX));
    let size = size_for(first.len());
    let mut binds = Binds::with_capacity(3 + 3 * size);
    bind_node(batch, &mut binds)?;
    let sql: Arc<str> = if first.is_empty() {
        ADVANCE_ONLY.into()
    } else {
        bind_parts(first, size, &mut binds)?;
        writer.texts.get(&ADVANCE, size, "")
    };
    let answers = writer.run(Step::new(sql, binds)).await?;
    if answers.get(1).is_none_or(|advance| advance.changes == 0) {
        return Ok(None);
    }
    let mut refused = HashSet::new();
    collect(answers, &mut refused)?;
    for parts in rest.chunks(PARTS_MAX) {
        let size = size_for(parts.len());
        let mut binds = Binds::with_capacity(3 * size);
        bind_parts(parts, size, &mut binds)?;
        let sql = writer.texts.get(&COMPARE, size, "");
        collect(writer.run(Step::new(sql, binds)).await?, &mut refused)?;
    }
    Ok(Some(refused))
}

fn bind_node(batch: &Batch, binds: &mut Binds) -> StoreResult<()> {
    binds.int(batch.parts.iter().map(|part| part.time.0).max().unwrap_or(0));
    binds.uuid(batch.node.as_uuid());
    binds.int(number("commit sequence", batch.seq)?);
    Ok(())
}

/// What advances the head for a batch of so many parts, of which none may be
/// refused.
pub(super) fn expected_text(parts: usize) -> String {
    format!("{ADVANCE_EXPECTED}{}", COMPARE_EXPECTED.text(size_for(parts), ""))
}

/// The values of [`expected_text`].
pub(super) fn bind_expected(batch: &Batch, binds: &mut Binds) -> StoreResult<()> {
    bind_node(batch, binds)?;
    bind_parts(&batch.parts, size_for(batch.parts.len()), binds)
}

fn bind_parts(parts: &[Part], size: usize, binds: &mut Binds) -> StoreResult<()> {
    for part in parts {
        binds.int(i64::from(part.expected.partition));
        binds.int(number("ownership epoch", part.expected.epoch)?);
        binds.int(part.expected.nonce.cast_signed());
    }
    binds.pad((size - parts.len()) * 3);
    Ok(())
}

fn collect(answers: Vec<crate::writer::Answer>, refused: &mut HashSet<u16>) -> StoreResult<()> {
    for row in answers.into_iter().flat_map(|answer| answer.rows) {
        let partition: i64 = row.try_get(0).map_err(errors::of_read)?;
        refused.insert(
            u16::try_from(partition).map_err(|error| errors::corrupt("partitions", partition, "partition", error))?,
        );
    }
    Ok(())
}

/// Notes which parts are left out.
pub(super) async fn note_refused(writer: &mut Writer, batch: &Batch, refused: &HashSet<u16>) -> StoreResult<()> {
    let list: Vec<String> = refused.iter().map(u16::to_string).collect();
    let mut binds = Binds::with_capacity(2);
    binds.text(&list.join(","));
    binds.uuid(batch.node.as_uuid());
    writer.run(Step::new(NOTE_REFUSED, binds)).await?;
    Ok(())
}
