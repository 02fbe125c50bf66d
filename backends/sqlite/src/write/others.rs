//! Rows of the tables that few commits touch: attempts, idempotency keys and
//! lanes.

use super::rows::In;
use crate::texts::Shape;
use crate::writer::{Step, Writer};
use leasehold_core::ids::LaneId;
use leasehold_core::record::{Attempt, AttemptKey, Idempotency, IdempotencyKey, Lane};
use std::sync::Arc;

/// Writes attempts, over what was there.
pub(super) static PUT_ATTEMPTS: Shape = Shape {
    name: "put attempts",
    head: "INSERT OR REPLACE INTO attempts (execution, partition, idx, record) SELECT * FROM (VALUES ",
    columns: 4,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Removes attempts.
pub(super) static DELETE_ATTEMPTS: Shape = Shape {
    name: "delete attempts",
    head: "DELETE FROM attempts WHERE (execution, partition, idx) IN (SELECT * FROM (VALUES ",
    columns: 3,
    tail: "))",
};

/// Writes idempotency keys, over what was there.
pub(super) static PUT_IDEMPOTENCY: Shape = Shape {
    name: "put idempotency",
    head: "INSERT OR REPLACE INTO idempotency (partition, namespace, key, execution_partition, execution, expires_at) \
           SELECT * FROM (VALUES ",
    columns: 6,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Removes idempotency keys.
pub(super) static DELETE_IDEMPOTENCY: Shape = Shape {
    name: "delete idempotency",
    head: "DELETE FROM idempotency WHERE (partition, namespace, key) IN (SELECT * FROM (VALUES ",
    columns: 3,
    tail: "))",
};

/// Writes lanes, over what was there.
pub(super) static PUT_LANES: Shape = Shape {
    name: "put lanes",
    head: "INSERT OR REPLACE INTO lanes (lane, partition, state, registered_at) SELECT * FROM (VALUES ",
    columns: 4,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Removes lanes.
pub(super) static DELETE_LANES: Shape = Shape {
    name: "delete lanes",
    head: "DELETE FROM lanes WHERE (lane, partition) IN (SELECT * FROM (VALUES ",
    columns: 2,
    tail: "))",
};

pub(super) fn put_attempts(writer: &mut Writer, rows: Vec<In<(Arc<Attempt>, Vec<u8>)>>) -> Vec<Step> {
    writer.steps(&PUT_ATTEMPTS, rows, false, |(partition, (attempt, record)), binds| {
        let key = attempt.key();
        binds.uuid(key.execution);
        binds.int(i64::from(partition));
        binds.int(i64::from(key.index.0));
        binds.bytes(record);
    })
}

pub(super) fn delete_attempts(writer: &mut Writer, rows: Vec<In<AttemptKey>>) -> Vec<Step> {
    writer.steps(&DELETE_ATTEMPTS, rows, false, |(partition, key), binds| {
        binds.uuid(key.execution);
        binds.int(i64::from(partition));
        binds.int(i64::from(key.index.0));
    })
}

pub(super) fn put_idempotency(writer: &mut Writer, rows: Vec<In<Arc<Idempotency>>>) -> Vec<Step> {
    writer.steps(&PUT_IDEMPOTENCY, rows, false, |(partition, idempotency), binds| {
        binds.int(i64::from(partition));
        binds.text(idempotency.key.namespace.as_str());
        binds.shared(&idempotency.key.key);
        binds.int(i64::from(idempotency.execution_id.partition()));
        binds.uuid(idempotency.execution_id.uuid());
        binds.int(idempotency.expires_at.0);
    })
}

pub(super) fn delete_idempotency(writer: &mut Writer, rows: Vec<In<IdempotencyKey>>) -> Vec<Step> {
    writer.steps(&DELETE_IDEMPOTENCY, rows, false, |(partition, key), binds| {
        binds.int(i64::from(partition));
        binds.text(key.namespace.as_str());
        binds.shared(&key.key);
    })
}

pub(super) fn put_lanes(writer: &mut Writer, rows: Vec<In<Arc<Lane>>>) -> Vec<Step> {
    writer.steps(&PUT_LANES, rows, false, |(partition, lane), binds| {
        binds.text(lane.lane_id.as_str());
        binds.int(i64::from(partition));
        binds.text(lane.state.as_str());
        binds.int(lane.registered_at.0);
    })
}

pub(super) fn delete_lanes(writer: &mut Writer, rows: Vec<In<LaneId>>) -> Vec<Step> {
    writer.steps(&DELETE_LANES, rows, false, |(partition, lane), binds| {
        binds.text(lane.as_str());
        binds.int(i64::from(partition));
    })
}
