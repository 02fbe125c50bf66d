//! Rows of the blobs table.

use super::rows::In;
use crate::texts::Shape;
use crate::writer::{Step, Writer};
use leasehold_core::record::BlobKey;

/// Writes blobs, over what was there.
pub(super) static PUT: Shape = Shape {
    name: "put blobs",
    head: "INSERT OR REPLACE INTO blobs (execution, partition, kind, bytes) SELECT * FROM (VALUES ",
    columns: 4,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Removes blobs.
pub(super) static DELETE: Shape = Shape {
    name: "delete blobs",
    head: "DELETE FROM blobs WHERE (execution, partition, kind) IN (SELECT * FROM (VALUES ",
    columns: 3,
    tail: "))",
};

pub(super) fn put(writer: &mut Writer, rows: Vec<In<(BlobKey, Vec<u8>)>>) -> Vec<Step> {
    writer.steps(&PUT, rows, false, |(partition, (key, bytes)), binds| {
        binds.uuid(key.execution);
        binds.int(i64::from(partition));
        binds.text(key.kind.as_str());
        binds.bytes(bytes);
    })
}

pub(super) fn delete(writer: &mut Writer, rows: Vec<In<BlobKey>>) -> Vec<Step> {
    writer.steps(&DELETE, rows, false, |(partition, key), binds| {
        binds.uuid(key.execution);
        binds.int(i64::from(partition));
        binds.text(key.kind.as_str());
    })
}
