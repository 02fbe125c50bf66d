//! The sections of a commit's statement, one per table and kind of change.
//!
//! Every section asks for the head, so that it writes nothing where that did
//! not advance; the sections see one snapshot, and no row is in two of them.

use super::form::{Column, Form};
use super::rows::Rows;
use super::values::{
    BLOB, BLOB_KEY, CHANGING, ENDED, FIXED, KEPT, KEPT_NAME, KEYS, bind_blobs, bind_changing, bind_ended, bind_fixed,
    bind_ids, bind_kept, bind_keys,
};
use crate::binds::Binds;

/// A table of the statement that changes rows, and what is looked at after
/// it.
pub(super) struct Section {
    /// Its name within the statement.
    pub(super) name: &'static str,
    /// The columns it takes, one group after the other.
    pub(super) takes: &'static [&'static [Column]],
    /// The change; `{x}` stands for its rows, which are called `x`.
    pub(super) change: &'static str,
    /// The table in which it must have found as many rows as the engine knows.
    pub(super) finds: Option<&'static str>,
    /// How a small batch hands over its rows.
    pub(super) small: Form,
    pub(super) count: fn(&Rows) -> usize,
    pub(super) bind: fn(&Rows, &mut Binds),
}

pub(super) static SECTIONS: [Section; 20] = [
    Section {
        name: "hot_updated",
        takes: &[KEYS, CHANGING],
        change: "UPDATE @executions AS e SET lane = x.lane, priority = x.priority, \
            lifecycle_phase = x.lifecycle_phase, public_state = x.public_state, queue = x.queue, rank = x.rank, \
            score = x.score, due_at = x.due_at, lease_expires_at = x.lease_expires_at, \
            worker_instance = x.worker_instance, record = x.record FROM {x} \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        finds: Some("executions"),
        small: Form::One,
        count: |rows| rows.hot.updated.len(),
        bind: |rows, binds| {
            bind_keys(&rows.hot.updated, binds);
            bind_changing(&rows.hot.updated, binds);
        },
    },
    Section {
        name: "hot_deleted",
        takes: &[KEYS],
        change: "DELETE FROM @executions AS e USING {x} \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        finds: Some("executions"),
        small: Form::One,
        count: |rows| rows.hot.deleted.len(),
        bind: |rows, binds| bind_ids(&rows.hot.deleted, binds),
    },
    Section {
        name: "hot_inserted",
        takes: &[KEYS, CHANGING, FIXED],
        change: "INSERT INTO @executions (partition, id, lane, priority, lifecycle_phase, public_state, queue, rank, \
                score, due_at, lease_expires_at, worker_instance, record, namespace, kind, requirements, created_at) \
            SELECT x.partition, x.id, x.lane, x.priority, x.lifecycle_phase, x.public_state, x.queue, x.rank, \
                x.score, x.due_at, x.lease_expires_at, x.worker_instance, x.record, x.namespace, x.kind, \
                @group_key(x.requirements), x.created_at \
            FROM {x} WHERE EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.hot.inserted.len(),
        bind: |rows, binds| {
            bind_keys(&rows.hot.inserted, binds);
            bind_changing(&rows.hot.inserted, binds);
            bind_fixed(&rows.hot.inserted, binds);
        },
    },
    Section {
        name: "done_updated",
        takes: &[KEYS, ENDED],
        change: "UPDATE @executions_done AS e SET lane = x.lane, priority = x.priority, \
            public_state = x.public_state, score = x.score, completed_at = x.completed_at, record = x.record FROM {x} \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        finds: Some("executions_done"),
        small: Form::One,
        count: |rows| rows.done.updated.len(),
        bind: |rows, binds| {
            bind_keys(&rows.done.updated, binds);
            bind_ended(&rows.done.updated, binds);
        },
    },
    Section {
        name: "done_deleted",
        takes: &[KEYS],
        change: "DELETE FROM @executions_done AS e USING {x} \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        finds: Some("executions_done"),
        small: Form::One,
        count: |rows| rows.done.deleted.len(),
        bind: |rows, binds| bind_ids(&rows.done.deleted, binds),
    },
    Section {
        name: "done_inserted",
        takes: &[KEYS, ENDED, FIXED],
        change: "INSERT INTO @executions_done (partition, id, lane, priority, public_state, score, completed_at, \
                record, namespace, kind, requirements, created_at) \
            SELECT x.partition, x.id, x.lane, x.priority, x.public_state, x.score, x.completed_at, x.record, \
                x.namespace, x.kind, @group_key(x.requirements), x.created_at \
            FROM {x} WHERE EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.done.inserted.len(),
        bind: |rows, binds| {
            bind_keys(&rows.done.inserted, binds);
            bind_ended(&rows.done.inserted, binds);
            bind_fixed(&rows.done.inserted, binds);
        },
    },
    Section {
        name: "blobs_inserted",
        takes: &[BLOB_KEY, BLOB],
        change: "INSERT INTO @blobs (execution, partition, kind, bytes) \
            SELECT x.execution, x.partition, x.kind, x.bytes FROM {x} WHERE EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.new_blobs.len(),
        bind: |rows, binds| bind_blobs(&rows.new_blobs, binds),
    },
    Section {
        name: "blobs_put",
        takes: &[BLOB_KEY, BLOB],
        change: "INSERT INTO @blobs (execution, partition, kind, bytes) \
            SELECT x.execution, x.partition, x.kind, x.bytes FROM {x} WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (execution, partition, kind) DO UPDATE SET bytes = excluded.bytes",
        finds: None,
        small: Form::One,
        count: |rows| rows.blobs.len(),
        bind: |rows, binds| bind_blobs(&rows.blobs, binds),
    },
    Section {
        name: "blobs_deleted",
        takes: &[BLOB_KEY],
        change: "DELETE FROM @blobs AS b USING {x} \
            WHERE b.execution = x.execution AND b.partition = x.partition AND b.kind = x.kind \
            AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.deleted_blobs.len(),
        bind: |rows, binds| {
            binds.uuids(rows.deleted_blobs.iter().map(|(_, key)| key.execution));
            binds.partitions(rows.deleted_blobs.iter().map(|(partition, _)| *partition));
            binds.texts(rows.deleted_blobs.iter().map(|(_, key)| key.kind.as_str()));
        },
    },
    Section {
        name: "attempts_put",
        takes: &[&[("execution", "uuid"), ("partition", "int4"), ("idx", "int8"), ("record", "bytea")]],
        change: "INSERT INTO @attempts (execution, partition, idx, record) \
            SELECT x.execution, x.partition, x.idx, x.record FROM {x} WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (execution, partition, idx) DO UPDATE SET record = excluded.record",
        finds: None,
        small: Form::One,
        count: |rows| rows.attempts.len(),
        bind: |rows, binds| {
            binds.uuids(rows.attempts.iter().map(|(_, (key, _))| key.execution));
            binds.partitions(rows.attempts.iter().map(|(partition, _)| *partition));
            binds.ints(rows.attempts.iter().map(|(_, (key, _))| i64::from(key.index.0)));
            binds.byte_strings(rows.attempts.iter().map(|(_, (_, record))| &record[..]));
        },
    },
    Section {
        name: "attempts_deleted",
        takes: &[&[("execution", "uuid"), ("partition", "int4"), ("idx", "int8")]],
        change: "DELETE FROM @attempts AS a USING {x} \
            WHERE a.execution = x.execution AND a.partition = x.partition AND a.idx = x.idx \
            AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.deleted_attempts.len(),
        bind: |rows, binds| {
            binds.uuids(rows.deleted_attempts.iter().map(|(_, key)| key.execution));
            binds.partitions(rows.deleted_attempts.iter().map(|(partition, _)| *partition));
            binds.ints(rows.deleted_attempts.iter().map(|(_, key)| i64::from(key.index.0)));
        },
    },
    Section {
        name: "idempotency_put",
        takes: &[&[
            ("partition", "int4"),
            ("namespace", "text"),
            ("key", "text"),
            ("execution_partition", "int4"),
            ("execution", "uuid"),
            ("expires_at", "int8"),
        ]],
        change: "INSERT INTO @idempotency (partition, namespace, key, execution_partition, execution, expires_at) \
            SELECT x.partition, x.namespace, x.key, x.execution_partition, x.execution, x.expires_at FROM {x} \
            WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (partition, namespace, key) DO UPDATE SET execution_partition = excluded.execution_partition, \
            execution = excluded.execution, expires_at = excluded.expires_at",
        finds: None,
        small: Form::One,
        count: |rows| rows.idempotency.len(),
        bind: |rows, binds| {
            let rows = &rows.idempotency;
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.texts(rows.iter().map(|(_, row)| row.key.namespace.as_str()));
            binds.texts(rows.iter().map(|(_, row)| &*row.key.key));
            binds.partitions(rows.iter().map(|(_, row)| row.execution_id.partition()));
            binds.uuids(rows.iter().map(|(_, row)| row.execution_id.uuid()));
            binds.ints(rows.iter().map(|(_, row)| row.expires_at.0));
        },
    },
    Section {
        name: "idempotency_deleted",
        takes: &[&[("partition", "int4"), ("namespace", "text"), ("key", "text")]],
        change: "DELETE FROM @idempotency AS i USING {x} \
            WHERE i.partition = x.partition AND i.namespace = x.namespace AND i.key = x.key \
            AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.deleted_idempotency.len(),
        bind: |rows, binds| {
            let rows = &rows.deleted_idempotency;
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.texts(rows.iter().map(|(_, key)| key.namespace.as_str()));
            binds.texts(rows.iter().map(|(_, key)| &*key.key));
        },
    },
    Section {
        name: "lanes_put",
        takes: &[&[("lane", "text"), ("partition", "int4"), ("state", "text"), ("registered_at", "int8")]],
        change: "INSERT INTO @lanes (lane, partition, state, registered_at) \
            SELECT x.lane, x.partition, x.state, x.registered_at FROM {x} WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (lane, partition) DO UPDATE SET state = excluded.state, registered_at = excluded.registered_at",
        finds: None,
        small: Form::One,
        count: |rows| rows.lanes.len(),
        bind: |rows, binds| {
            let rows = &rows.lanes;
            binds.texts(rows.iter().map(|(_, lane)| lane.lane_id.as_str()));
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.texts(rows.iter().map(|(_, lane)| lane.state.as_str()));
            binds.ints(rows.iter().map(|(_, lane)| lane.registered_at.0));
        },
    },
    Section {
        name: "lanes_deleted",
        takes: &[&[("lane", "text"), ("partition", "int4")]],
        change: "DELETE FROM @lanes AS l USING {x} \
            WHERE l.lane = x.lane AND l.partition = x.partition AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.deleted_lanes.len(),
        bind: |rows, binds| {
            binds.texts(rows.deleted_lanes.iter().map(|(_, lane)| lane.as_str()));
            binds.partitions(rows.deleted_lanes.iter().map(|(partition, _)| *partition));
        },
    },
    Section {
        name: "kept_inserted",
        takes: &[KEPT_NAME, KEPT],
        change: "INSERT INTO @kept (partition, name, record) \
            SELECT x.partition, x.name, x.record FROM {x} WHERE EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::Few,
        count: |rows| rows.new_kept.len(),
        bind: |rows, binds| bind_kept(&rows.new_kept, binds),
    },
    Section {
        name: "kept_updated",
        takes: &[KEPT_NAME, KEPT],
        change: "UPDATE @kept AS k SET record = x.record FROM {x} \
            WHERE k.partition = x.partition AND k.name = x.name AND EXISTS (SELECT FROM head) RETURNING 1",
        finds: Some("kept"),
        small: Form::Few,
        count: |rows| rows.kept.len(),
        bind: |rows, binds| bind_kept(&rows.kept, binds),
    },
    Section {
        name: "kept_deleted",
        takes: &[KEPT_NAME],
        change: "DELETE FROM @kept AS k USING {x} \
            WHERE k.partition = x.partition AND k.name = x.name AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::Few,
        count: |rows| rows.deleted_kept.len(),
        bind: |rows, binds| {
            binds.partitions(rows.deleted_kept.iter().map(|(partition, _)| *partition));
            binds.byte_strings(rows.deleted_kept.iter().map(|(_, name)| &name[..]));
        },
    },
    Section {
        name: "events_appended",
        takes: &[&[
            ("partition", "int4"),
            ("epoch", "int8"),
            ("number", "int8"),
            ("execution", "uuid"),
            ("at", "int8"),
            ("record", "bytea"),
        ]],
        change: "INSERT INTO @events (partition, epoch, number, execution, at, record) \
            SELECT x.partition, x.epoch, x.number, x.execution, x.at, x.record FROM {x} \
            WHERE EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::Few,
        count: |rows| rows.events.len(),
        bind: |rows, binds| {
            let rows = &rows.events;
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.ints(rows.iter().map(|(_, event)| event.epoch));
            binds.ints(rows.iter().map(|(_, event)| event.number));
            binds.uuids(rows.iter().map(|(_, event)| event.execution));
            binds.ints(rows.iter().map(|(_, event)| event.at));
            binds.byte_strings(rows.iter().map(|(_, event)| &event.record[..]));
        },
    },
    Section {
        name: "inbox_deleted",
        takes: &[&[("number", "int8")]],
        change: "DELETE FROM @inbox AS i USING {x} WHERE i.number = x.number AND EXISTS (SELECT FROM head)",
        finds: None,
        small: Form::One,
        count: |rows| rows.inbox.len(),
        bind: |rows, binds| binds.ints(rows.inbox.iter().map(|(_, number)| *number)),
    },
];
