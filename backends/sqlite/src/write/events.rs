//! Rows of the events table.

use super::rows::{EncodedEvent, In};
use crate::texts::Shape;
use crate::writer::{Step, Writer};

/// Appends events.
pub(super) static APPEND: Shape = Shape {
    name: "append events",
    head: "INSERT OR ROLLBACK INTO events (partition, epoch, number, execution, at, record) SELECT * FROM (VALUES ",
    columns: 6,
    tail: ") WHERE column1 IS NOT NULL",
};

pub(super) fn append(writer: &mut Writer, rows: Vec<In<EncodedEvent>>) -> Vec<Step> {
    writer.steps(&APPEND, rows, false, |(partition, event), binds| {
        binds.int(i64::from(partition));
        binds.int(event.epoch);
        binds.int(event.number);
        binds.uuid(event.execution);
        binds.int(event.at);
        binds.bytes(event.record);
    })
}
