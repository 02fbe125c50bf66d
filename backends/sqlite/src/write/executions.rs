//! Rows of the executions table.

use super::rows::{EncodedExecution, In};
use crate::binds::Binds;
use crate::texts::Shape;
use crate::writer::{Step, Writer};
use leasehold_core::ids::WorkerInstanceId;
use leasehold_core::index::{self, Queue};
use leasehold_core::record::Execution;
use uuid::Uuid;

/// Adds executions. One that exists already is an error: a create never
/// overwrites.
pub(super) static INSERT: Shape = Shape {
    name: "insert executions",
    head: "INSERT OR ROLLBACK INTO executions (partition, id, namespace, kind, requirements, created_at, lane, priority, \
           lifecycle_phase, public_state, queue, score, due_at, lease_expires_at, worker_instance, completed_at, \
           record) SELECT * FROM (VALUES ",
    columns: 17,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Writes what of an execution can change.
pub(super) static UPDATE: Shape = Shape {
    name: "update executions",
    head: "UPDATE OR ROLLBACK executions SET lane = v.column3, priority = v.column4, lifecycle_phase = v.column5, \
           public_state = v.column6, queue = v.column7, score = v.column8, due_at = v.column9, \
           lease_expires_at = v.column10, worker_instance = v.column11, completed_at = v.column12, \
           record = v.column13 FROM (VALUES ",
    columns: 13,
    tail: ") AS v WHERE executions.partition = v.column1 AND executions.id = v.column2",
};

/// Removes executions.
pub(super) static DELETE: Shape = Shape {
    name: "delete executions",
    head: "DELETE FROM executions WHERE rowid IN (SELECT e.rowid FROM (VALUES ",
    columns: 2,
    tail: ") AS v CROSS JOIN executions AS e ON e.partition = v.column1 AND e.id = v.column2)",
};

pub(super) fn insert(writer: &mut Writer, mut rows: Vec<In<EncodedExecution>>) -> Vec<Step> {
    // Rows lie in the order of their insertion, and what was made in a row is
    // mostly claimed in a row.
    rows.sort_unstable_by_key(|(_, row)| row.execution.id.uuid());
    writer.steps(&INSERT, rows, false, |(partition, row), binds| {
        let execution = &*row.execution;
        binds.int(i64::from(partition));
        binds.uuid(execution.id.uuid());
        binds.text(execution.spec.namespace.as_str());
        binds.shared(&execution.spec.kind);
        binds.text(&execution.spec.requirements.to_csv());
        binds.int(execution.spec.created_at.0);
        bind_changing(execution, binds);
        binds.bytes(row.record);
    })
}

pub(super) fn update(writer: &mut Writer, rows: Vec<In<EncodedExecution>>) -> Vec<Step> {
    writer.steps(&UPDATE, rows, true, |(partition, row), binds| {
        binds.int(i64::from(partition));
        binds.uuid(row.execution.id.uuid());
        bind_changing(&row.execution, binds);
        binds.bytes(row.record);
    })
}

pub(super) fn delete(writer: &mut Writer, rows: Vec<In<Uuid>>) -> Vec<Step> {
    writer.steps(&DELETE, rows, false, |(partition, id), binds| {
        binds.int(i64::from(partition));
        binds.uuid(id);
    })
}

/// The columns from `lane` to `completed_at`.
fn bind_changing(execution: &Execution, binds: &mut Binds) {
    let entries = index::index_entries(execution);
    let lease_expires_at = match entries.queue {
        Queue::Active { lease_expires_at } => lease_expires_at,
        _ => None,
    };
    binds.text(execution.lane_id.as_str());
    binds.int(i64::from(execution.priority));
    binds.text(execution.vector().lifecycle_phase().as_str());
    binds.text(execution.vector().public_state().as_str());
    binds.text(entries.queue.name());
    binds.int(entries.queue.score());
    binds.maybe_int(entries.due_at.map(|at| at.0));
    binds.maybe_int(lease_expires_at.map(|at| at.0));
    binds.maybe_text(entries.held_by.as_ref().map(WorkerInstanceId::as_str));
    binds.maybe_int(execution.completed_at.map(|at| at.0));
}
