//! Rows of the table of kept records.

use super::rows::In;
use crate::texts::Shape;
use crate::writer::{Step, Writer};

/// Writes kept records, over what was there.
pub(super) static PUT: Shape = Shape {
    name: "put kept",
    head: "INSERT OR ROLLBACK INTO kept (partition, name, record) SELECT * FROM (VALUES ",
    columns: 3,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (partition, name) DO UPDATE SET record = excluded.record",
};

/// Removes kept records.
pub(super) static DELETE: Shape = Shape {
    name: "delete kept",
    head: "DELETE FROM kept WHERE (partition, name) IN (SELECT * FROM (VALUES ",
    columns: 2,
    tail: "))",
};

pub(super) fn put(writer: &mut Writer, rows: Vec<In<(Vec<u8>, Vec<u8>)>>) -> Vec<Step> {
    writer.steps(&PUT, rows, false, |(partition, (name, record)), binds| {
        binds.int(i64::from(partition));
        binds.bytes(name);
        binds.bytes(record);
    })
}

pub(super) fn delete(writer: &mut Writer, rows: Vec<In<Vec<u8>>>) -> Vec<Step> {
    writer.steps(&DELETE, rows, false, |(partition, name), binds| {
        binds.int(i64::from(partition));
        binds.bytes(name);
    })
}
