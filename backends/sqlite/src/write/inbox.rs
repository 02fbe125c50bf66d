//! Rows of the inbox table, which commits only take away.

use super::rows::In;
use crate::texts::Shape;
use crate::writer::{Step, Writer};

/// Takes entries away; one that is gone already is gone.
pub(super) static LEAVE: Shape = Shape {
    name: "leave inbox",
    head: "DELETE FROM inbox WHERE number IN (SELECT * FROM (VALUES ",
    columns: 1,
    tail: "))",
};

pub(super) fn leave(writer: &mut Writer, rows: Vec<In<i64>>) -> Vec<Step> {
    writer.steps(&LEAVE, rows, false, |(_, number), binds| binds.int(number))
}
