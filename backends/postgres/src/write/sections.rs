//! The statement of a commit, put together of one section per table and kind
//! of change.
//!
//! Which sections a batch needs makes its text; few combinations occur, and
//! each is prepared once. Every section asks for the head, so that it writes
//! nothing where that did not advance; the sections see one snapshot, and no
//! row is in two of them.

use super::head;
use super::rows::Rows;
use super::values::{bind_blobs, bind_changing, bind_ended, bind_fixed, bind_ids, bind_keys, bind_new};
use crate::binds::Binds;

/// A table of the statement that changes rows, and what is looked at after
/// it.
struct Section {
    /// Its name within the statement.
    name: &'static str,
    /// The change.
    change: &'static str,
    /// Makes the statement fail where the change went wrong.
    check: Option<&'static str>,
    count: fn(&Rows) -> usize,
    bind: fn(&Rows, &mut Binds),
    /// Binds what the check needs.
    bind_check: fn(&Rows, &mut Binds),
}

const fn no_check(_: &Rows, _: &mut Binds) {}

/// Fails where a section found fewer rows than the engine knows.
macro_rules! exactly {
    ($section:literal, $table:literal) => {
        concat!(
            "(SELECT CASE WHEN f.found <> k.known AND EXISTS (SELECT FROM head) \
             THEN @damaged('",
            $table,
            "', f.found, k.known) END FROM (SELECT count(*) AS found FROM ",
            $section,
            ") AS f, (SELECT ?::int8 AS known) AS k)"
        )
    };
}

/// Fails where a table holds what another one is to hold anew.
macro_rules! nowhere_else {
    ($other:literal, $table:literal) => {
        concat!(
            "(SELECT CASE WHEN f.found > 0 AND EXISTS (SELECT FROM head) THEN @exists_already('",
            $table,
            "', f.found) END FROM (SELECT count(*) AS found FROM unnest(?::int4[], ?::uuid[]) AS x(partition, id) \
             JOIN @",
            $other,
            " AS o ON o.partition = x.partition AND o.id = x.id) AS f)"
        )
    };
}

static SECTIONS: [Section; 19] = [
    Section {
        name: "hot_updated",
        change: "UPDATE @executions AS e SET lane = x.lane, priority = x.priority, \
            lifecycle_phase = x.lifecycle_phase, public_state = x.public_state, queue = x.queue, rank = x.rank, \
            score = x.score, due_at = x.due_at, lease_expires_at = x.lease_expires_at, \
            worker_instance = x.worker_instance, record = x.record \
            FROM unnest(?::int4[], ?::uuid[], ?::text[], ?::int4[], ?::text[], ?::text[], ?::text[], ?::int8[], \
                ?::int8[], ?::int8[], ?::int8[], ?::text[], ?::bytea[]) \
                AS x(partition, id, lane, priority, lifecycle_phase, public_state, queue, rank, score, due_at, \
                lease_expires_at, worker_instance, record) \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        check: Some(exactly!("hot_updated", "executions")),
        count: |rows| rows.hot.updated.len(),
        bind: |rows, binds| {
            bind_keys(&rows.hot.updated, binds);
            bind_changing(&rows.hot.updated, binds);
        },
        bind_check: |rows, binds| binds.int(rows.hot.updated.len() as i64),
    },
    Section {
        name: "hot_deleted",
        change: "DELETE FROM @executions AS e USING unnest(?::int4[], ?::uuid[]) AS x(partition, id) \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        check: Some(exactly!("hot_deleted", "executions")),
        count: |rows| rows.hot.deleted.len(),
        bind: |rows, binds| bind_ids(&rows.hot.deleted, binds),
        bind_check: |rows, binds| binds.int(rows.hot.deleted.len() as i64),
    },
    Section {
        name: "hot_inserted",
        change: "INSERT INTO @executions (partition, id, lane, priority, lifecycle_phase, public_state, queue, rank, \
                score, due_at, lease_expires_at, worker_instance, record, namespace, kind, requirements, created_at) \
            SELECT x.partition, x.id, x.lane, x.priority, x.lifecycle_phase, x.public_state, x.queue, x.rank, \
                x.score, x.due_at, x.lease_expires_at, x.worker_instance, x.record, x.namespace, x.kind, \
                @group_key(x.requirements), x.created_at \
            FROM unnest(?::int4[], ?::uuid[], ?::text[], ?::int4[], ?::text[], ?::text[], ?::text[], ?::int8[], \
                ?::int8[], ?::int8[], ?::int8[], ?::text[], ?::bytea[], ?::text[], ?::text[], ?::text[], ?::int8[]) \
                AS x(partition, id, lane, priority, lifecycle_phase, public_state, queue, rank, score, due_at, \
                lease_expires_at, worker_instance, record, namespace, kind, requirements, created_at) \
            WHERE EXISTS (SELECT FROM head)",
        check: Some(nowhere_else!("executions_done", "executions")),
        count: |rows| rows.hot.inserted.len(),
        bind: |rows, binds| {
            bind_keys(&rows.hot.inserted, binds);
            bind_changing(&rows.hot.inserted, binds);
            bind_fixed(&rows.hot.inserted, binds);
        },
        bind_check: |rows, binds| bind_new(&rows.hot.inserted, binds),
    },
    Section {
        name: "done_updated",
        change: "UPDATE @executions_done AS e SET lane = x.lane, priority = x.priority, \
            public_state = x.public_state, score = x.score, completed_at = x.completed_at, record = x.record \
            FROM unnest(?::int4[], ?::uuid[], ?::text[], ?::int4[], ?::text[], ?::int8[], ?::int8[], ?::bytea[]) \
                AS x(partition, id, lane, priority, public_state, score, completed_at, record) \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        check: Some(exactly!("done_updated", "executions_done")),
        count: |rows| rows.done.updated.len(),
        bind: |rows, binds| {
            bind_keys(&rows.done.updated, binds);
            bind_ended(&rows.done.updated, binds);
        },
        bind_check: |rows, binds| binds.int(rows.done.updated.len() as i64),
    },
    Section {
        name: "done_deleted",
        change: "DELETE FROM @executions_done AS e USING unnest(?::int4[], ?::uuid[]) AS x(partition, id) \
            WHERE e.partition = x.partition AND e.id = x.id AND EXISTS (SELECT FROM head) RETURNING 1",
        check: Some(exactly!("done_deleted", "executions_done")),
        count: |rows| rows.done.deleted.len(),
        bind: |rows, binds| bind_ids(&rows.done.deleted, binds),
        bind_check: |rows, binds| binds.int(rows.done.deleted.len() as i64),
    },
    Section {
        name: "done_inserted",
        change: "INSERT INTO @executions_done (partition, id, lane, priority, public_state, score, completed_at, \
                record, namespace, kind, requirements, created_at) \
            SELECT x.partition, x.id, x.lane, x.priority, x.public_state, x.score, x.completed_at, x.record, \
                x.namespace, x.kind, @group_key(x.requirements), x.created_at \
            FROM unnest(?::int4[], ?::uuid[], ?::text[], ?::int4[], ?::text[], ?::int8[], ?::int8[], ?::bytea[], \
                ?::text[], ?::text[], ?::text[], ?::int8[]) \
                AS x(partition, id, lane, priority, public_state, score, completed_at, record, namespace, kind, \
                requirements, created_at) \
            WHERE EXISTS (SELECT FROM head)",
        check: Some(nowhere_else!("executions", "executions_done")),
        count: |rows| rows.done.inserted.len(),
        bind: |rows, binds| {
            bind_keys(&rows.done.inserted, binds);
            bind_ended(&rows.done.inserted, binds);
            bind_fixed(&rows.done.inserted, binds);
        },
        bind_check: |rows, binds| bind_new(&rows.done.inserted, binds),
    },
    Section {
        name: "blobs_inserted",
        change: "INSERT INTO @blobs (execution, partition, kind, bytes) \
            SELECT * FROM unnest(?::uuid[], ?::int4[], ?::text[], ?::bytea[]) WHERE EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.new_blobs.len(),
        bind: |rows, binds| bind_blobs(&rows.new_blobs, binds),
        bind_check: no_check,
    },
    Section {
        name: "blobs_put",
        change: "INSERT INTO @blobs (execution, partition, kind, bytes) \
            SELECT * FROM unnest(?::uuid[], ?::int4[], ?::text[], ?::bytea[]) WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (execution, partition, kind) DO UPDATE SET bytes = excluded.bytes",
        check: None,
        count: |rows| rows.blobs.len(),
        bind: |rows, binds| bind_blobs(&rows.blobs, binds),
        bind_check: no_check,
    },
    Section {
        name: "blobs_deleted",
        change: "DELETE FROM @blobs AS b USING unnest(?::uuid[], ?::int4[], ?::text[]) AS x(execution, partition, kind) \
            WHERE b.execution = x.execution AND b.partition = x.partition AND b.kind = x.kind \
            AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.deleted_blobs.len(),
        bind: |rows, binds| {
            binds.uuids(rows.deleted_blobs.iter().map(|(_, key)| key.execution));
            binds.partitions(rows.deleted_blobs.iter().map(|(partition, _)| *partition));
            binds.texts(rows.deleted_blobs.iter().map(|(_, key)| key.kind.as_str()));
        },
        bind_check: no_check,
    },
    Section {
        name: "attempts_put",
        change: "INSERT INTO @attempts (execution, partition, idx, record) \
            SELECT * FROM unnest(?::uuid[], ?::int4[], ?::int8[], ?::bytea[]) WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (execution, partition, idx) DO UPDATE SET record = excluded.record",
        check: None,
        count: |rows| rows.attempts.len(),
        bind: |rows, binds| {
            binds.uuids(rows.attempts.iter().map(|(_, (key, _))| key.execution));
            binds.partitions(rows.attempts.iter().map(|(partition, _)| *partition));
            binds.ints(rows.attempts.iter().map(|(_, (key, _))| i64::from(key.index.0)));
            binds.byte_strings(rows.attempts.iter().map(|(_, (_, record))| &record[..]));
        },
        bind_check: no_check,
    },
    Section {
        name: "attempts_deleted",
        change: "DELETE FROM @attempts AS a USING unnest(?::uuid[], ?::int4[], ?::int8[]) AS x(execution, partition, idx) \
            WHERE a.execution = x.execution AND a.partition = x.partition AND a.idx = x.idx \
            AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.deleted_attempts.len(),
        bind: |rows, binds| {
            binds.uuids(rows.deleted_attempts.iter().map(|(_, key)| key.execution));
            binds.partitions(rows.deleted_attempts.iter().map(|(partition, _)| *partition));
            binds.ints(rows.deleted_attempts.iter().map(|(_, key)| i64::from(key.index.0)));
        },
        bind_check: no_check,
    },
    Section {
        name: "idempotency_put",
        change: "INSERT INTO @idempotency (partition, namespace, key, execution_partition, execution, expires_at) \
            SELECT * FROM unnest(?::int4[], ?::text[], ?::text[], ?::int4[], ?::uuid[], ?::int8[]) \
            WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (partition, namespace, key) DO UPDATE SET execution_partition = excluded.execution_partition, \
            execution = excluded.execution, expires_at = excluded.expires_at",
        check: None,
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
        bind_check: no_check,
    },
    Section {
        name: "idempotency_deleted",
        change: "DELETE FROM @idempotency AS i USING unnest(?::int4[], ?::text[], ?::text[]) AS x(partition, namespace, key) \
            WHERE i.partition = x.partition AND i.namespace = x.namespace AND i.key = x.key \
            AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.deleted_idempotency.len(),
        bind: |rows, binds| {
            let rows = &rows.deleted_idempotency;
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.texts(rows.iter().map(|(_, key)| key.namespace.as_str()));
            binds.texts(rows.iter().map(|(_, key)| &*key.key));
        },
        bind_check: no_check,
    },
    Section {
        name: "lanes_put",
        change: "INSERT INTO @lanes (lane, partition, state, registered_at) \
            SELECT * FROM unnest(?::text[], ?::int4[], ?::text[], ?::int8[]) WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (lane, partition) DO UPDATE SET state = excluded.state, registered_at = excluded.registered_at",
        check: None,
        count: |rows| rows.lanes.len(),
        bind: |rows, binds| {
            let rows = &rows.lanes;
            binds.texts(rows.iter().map(|(_, lane)| lane.lane_id.as_str()));
            binds.partitions(rows.iter().map(|(partition, _)| *partition));
            binds.texts(rows.iter().map(|(_, lane)| lane.state.as_str()));
            binds.ints(rows.iter().map(|(_, lane)| lane.registered_at.0));
        },
        bind_check: no_check,
    },
    Section {
        name: "lanes_deleted",
        change: "DELETE FROM @lanes AS l USING unnest(?::text[], ?::int4[]) AS x(lane, partition) \
            WHERE l.lane = x.lane AND l.partition = x.partition AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.deleted_lanes.len(),
        bind: |rows, binds| {
            binds.texts(rows.deleted_lanes.iter().map(|(_, lane)| lane.as_str()));
            binds.partitions(rows.deleted_lanes.iter().map(|(partition, _)| *partition));
        },
        bind_check: no_check,
    },
    Section {
        name: "kept_put",
        change: "INSERT INTO @kept (partition, name, record) \
            SELECT * FROM unnest(?::int4[], ?::bytea[], ?::bytea[]) WHERE EXISTS (SELECT FROM head) \
            ON CONFLICT (partition, name) DO UPDATE SET record = excluded.record",
        check: None,
        count: |rows| rows.kept.len(),
        bind: |rows, binds| {
            binds.partitions(rows.kept.iter().map(|(partition, _)| *partition));
            binds.byte_strings(rows.kept.iter().map(|(_, (name, _))| &name[..]));
            binds.byte_strings(rows.kept.iter().map(|(_, (_, record))| &record[..]));
        },
        bind_check: no_check,
    },
    Section {
        name: "kept_deleted",
        change: "DELETE FROM @kept AS k USING unnest(?::int4[], ?::bytea[]) AS x(partition, name) \
            WHERE k.partition = x.partition AND k.name = x.name AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.deleted_kept.len(),
        bind: |rows, binds| {
            binds.partitions(rows.deleted_kept.iter().map(|(partition, _)| *partition));
            binds.byte_strings(rows.deleted_kept.iter().map(|(_, name)| &name[..]));
        },
        bind_check: no_check,
    },
    Section {
        name: "events_appended",
        change: "INSERT INTO @events (partition, epoch, number, execution, at, record) \
            SELECT * FROM unnest(?::int4[], ?::int8[], ?::int8[], ?::uuid[], ?::int8[], ?::bytea[]) \
            WHERE EXISTS (SELECT FROM head)",
        check: None,
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
        bind_check: no_check,
    },
    Section {
        name: "inbox_deleted",
        change: "DELETE FROM @inbox WHERE number = ANY(?::int8[]) AND EXISTS (SELECT FROM head)",
        check: None,
        count: |rows| rows.inbox.len(),
        bind: |rows, binds| binds.ints(rows.inbox.iter().map(|(_, number)| *number)),
        bind_check: no_check,
    },
];

/// The sections that a batch needs, a bit for each.
pub(super) fn used(rows: &Rows) -> u32 {
    let bit = |(at, section): (usize, &Section)| u32::from((section.count)(rows) > 0) << at;
    SECTIONS.iter().enumerate().map(bit).sum()
}

fn of(used: u32) -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().enumerate().filter(move |(at, _)| used & (1 << at) != 0).map(|(_, section)| section)
}

/// The statement of the given sections.
pub(super) fn template(used: u32) -> String {
    let mut text = head::OPENING.to_owned();
    for section in of(used) {
        text.push_str(", ");
        text.push_str(section.name);
        text.push_str(" AS (");
        text.push_str(section.change);
        text.push(')');
    }
    text.push(' ');
    text.push_str(head::ENDING);
    for check in of(used).filter_map(|section| section.check) {
        text.push_str(", ");
        text.push_str(check);
    }
    text
}

/// Binds the values of the given sections and then those of their checks.
pub(super) fn bind(used: u32, rows: &Rows, binds: &mut Binds) {
    for section in of(used) {
        (section.bind)(rows, binds);
    }
    for section in of(used) {
        (section.bind_check)(rows, binds);
    }
}
