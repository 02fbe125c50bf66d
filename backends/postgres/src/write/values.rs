//! The values of rows, column by column as the sections of a commit's statement
//! take them.

use super::form::Column;
use super::rows::{EncodedExecution, In};
use crate::binds::Binds;
use leasehold_core::ids::WorkerInstanceId;
use leasehold_core::index::Queue;
use leasehold_core::record::{Blob, BlobKey};
use std::sync::Arc;
use uuid::Uuid;

/// The key of an execution.
pub(super) const KEYS: &[Column] = &[("partition", "int4"), ("id", "uuid")];

pub(super) fn bind_ids(rows: &[In<Uuid>], binds: &mut Binds) {
    binds.partitions(rows.iter().map(|(partition, _)| *partition));
    binds.uuids(rows.iter().map(|(_, id)| *id));
}

pub(super) fn bind_keys(rows: &[In<EncodedExecution>], binds: &mut Binds) {
    binds.partitions(rows.iter().map(|(partition, _)| *partition));
    binds.uuids(rows.iter().map(|(_, row)| row.execution.id.uuid()));
}

/// The keys of those that must be new.
pub(super) fn bind_new(rows: &[In<EncodedExecution>], binds: &mut Binds) {
    let new = || rows.iter().filter(|(_, row)| row.is_new);
    binds.partitions(new().map(|(partition, _)| *partition));
    binds.uuids(new().map(|(_, row)| row.execution.id.uuid()));
}

/// The columns from `lane` to `record` of an execution that has not ended.
pub(super) const CHANGING: &[Column] = &[
    ("lane", "text"),
    ("priority", "int4"),
    ("lifecycle_phase", "text"),
    ("public_state", "text"),
    ("queue", "text"),
    ("rank", "int8"),
    ("score", "int8"),
    ("due_at", "int8"),
    ("lease_expires_at", "int8"),
    ("worker_instance", "text"),
    ("record", "bytea"),
];

pub(super) fn bind_changing(rows: &[In<EncodedExecution>], binds: &mut Binds) {
    let rows = || rows.iter().map(|(_, row)| row);
    binds.texts(rows().map(|row| row.execution.lane_id.as_str()));
    binds.small_ints(rows().map(|row| row.execution.priority));
    binds.texts(rows().map(|row| row.execution.vector().lifecycle_phase().as_str()));
    binds.texts(rows().map(|row| row.execution.vector().public_state().as_str()));
    binds.texts(rows().map(|row| row.entries.queue.name()));
    binds.maybe_ints(rows().map(|row| match row.entries.queue {
        Queue::Ready { rank } => Some(rank),
        _ => None,
    }));
    binds.ints(rows().map(|row| row.entries.queue.score()));
    binds.maybe_ints(rows().map(|row| row.entries.due_at.map(|at| at.0)));
    binds.maybe_ints(rows().map(|row| match row.entries.queue {
        Queue::Active { lease_expires_at } => lease_expires_at.map(|at| at.0),
        _ => None,
    }));
    binds.maybe_texts(rows().map(|row| row.entries.held_by.as_ref().map(WorkerInstanceId::as_str)));
    binds.byte_strings(rows().map(|row| &row.record[..]));
}

/// The columns from `lane` to `record` of an execution that has ended.
pub(super) const ENDED: &[Column] = &[
    ("lane", "text"),
    ("priority", "int4"),
    ("public_state", "text"),
    ("score", "int8"),
    ("completed_at", "int8"),
    ("record", "bytea"),
];

pub(super) fn bind_ended(rows: &[In<EncodedExecution>], binds: &mut Binds) {
    let rows = || rows.iter().map(|(_, row)| row);
    binds.texts(rows().map(|row| row.execution.lane_id.as_str()));
    binds.small_ints(rows().map(|row| row.execution.priority));
    binds.texts(rows().map(|row| row.execution.vector().public_state().as_str()));
    binds.ints(rows().map(|row| row.entries.queue.score()));
    binds.maybe_ints(rows().map(|row| row.execution.completed_at.map(|at| at.0)));
    binds.byte_strings(rows().map(|row| &row.record[..]));
}

/// The columns that never change.
pub(super) const FIXED: &[Column] =
    &[("namespace", "text"), ("kind", "text"), ("requirements", "text"), ("created_at", "int8")];

pub(super) fn bind_fixed(rows: &[In<EncodedExecution>], binds: &mut Binds) {
    let specs = || rows.iter().map(|(_, row)| Arc::as_ref(&row.execution.spec));
    binds.texts(specs().map(|spec| spec.namespace.as_str()));
    binds.texts(specs().map(|spec| &*spec.kind));
    binds.owned_texts(specs().map(|spec| crate::read::group_text(&spec.requirements)));
    binds.ints(specs().map(|spec| spec.created_at.0));
}

/// The key of a blob.
pub(super) const BLOB_KEY: &[Column] = &[("execution", "uuid"), ("partition", "int4"), ("kind", "text")];

/// Its content.
pub(super) const BLOB: &[Column] = &[("bytes", "bytea")];

pub(super) fn bind_blobs(rows: &[In<(BlobKey, Blob)>], binds: &mut Binds) {
    binds.uuids(rows.iter().map(|(_, (key, _))| key.execution));
    binds.partitions(rows.iter().map(|(partition, _)| *partition));
    binds.texts(rows.iter().map(|(_, (key, _))| key.kind.as_str()));
    binds.byte_strings(rows.iter().map(|(_, (_, bytes))| &bytes[..]));
}

/// The key of a record of suspension or of flows.
pub(super) const KEPT_NAME: &[Column] = &[("partition", "int4"), ("name", "bytea")];

/// Its content.
pub(super) const KEPT: &[Column] = &[("record", "bytea")];

pub(super) fn bind_kept(rows: &[In<(Vec<u8>, Vec<u8>)>], binds: &mut Binds) {
    binds.partitions(rows.iter().map(|(partition, _)| *partition));
    binds.byte_strings(rows.iter().map(|(_, (name, _))| &name[..]));
    binds.byte_strings(rows.iter().map(|(_, (_, record))| &record[..]));
}
