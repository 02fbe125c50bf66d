//! Loading records and blobs by key.
//!
//! Keys of several kinds are looked up by one statement, so that all of them
//! come from one snapshot in one trip.

use super::Column;
use crate::PostgresBackend;
use crate::binds::Binds;
use leasehold_backend::{Loaded, StoreError, StoreResult, kept_name, kept_record};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{BlobKey, Idempotency, IdempotencyKey, Lane, Record, RecordKey};
use leasehold_core::state::LaneState;
use leasehold_core::time::TimestampMs;
use sqlx::postgres::PgRow;
use std::sync::Arc;

/// The most keys one call looks up.
const KEYS_MAX: usize = 4096;

/// What a row of the answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Execution,
    Attempt,
    Idempotency,
    Lane,
    Blob,
    Kept,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Execution, Self::Attempt, Self::Idempotency, Self::Lane, Self::Blob, Self::Kept];

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// How its rows are found. Each answer is (kind, position, bytes, text,
    /// uuid, number, time).
    const fn query(self) -> &'static str {
        match self {
            Self::Execution => {
                "SELECT 0, v.at, t.record, NULL::text, NULL::uuid, NULL::int4, NULL::int8 \
                 FROM given, unnest(?::int4[], ?::uuid[]) AS v(at, id) CROSS JOIN LATERAL ( \
                    SELECT e.record FROM @executions AS e WHERE e.partition = given.partition AND e.id = v.id \
                    UNION ALL \
                    SELECT d.record FROM @executions_done AS d WHERE d.partition = given.partition AND d.id = v.id) AS t"
            }
            Self::Attempt => {
                "SELECT 1, v.at, t.record, NULL, NULL, NULL, NULL \
                 FROM given, unnest(?::int4[], ?::uuid[], ?::int8[]) AS v(at, id, idx), @attempts AS t \
                 WHERE t.execution = v.id AND t.partition = given.partition AND t.idx = v.idx"
            }
            Self::Idempotency => {
                "SELECT 2, v.at, NULL, NULL, t.execution, t.execution_partition, t.expires_at \
                 FROM given, unnest(?::int4[], ?::text[], ?::text[]) AS v(at, namespace, key), @idempotency AS t \
                 WHERE t.partition = given.partition AND t.namespace = v.namespace AND t.key = v.key"
            }
            Self::Lane => {
                "SELECT 3, v.at, NULL, t.state, NULL, NULL, t.registered_at \
                 FROM given, unnest(?::int4[], ?::text[]) AS v(at, lane), @lanes AS t \
                 WHERE t.lane = v.lane AND t.partition = given.partition"
            }
            Self::Blob => {
                "SELECT 4, v.at, t.bytes, NULL, NULL, NULL, NULL \
                 FROM given, unnest(?::int4[], ?::uuid[], ?::text[]) AS v(at, id, kind), @blobs AS t \
                 WHERE t.execution = v.id AND t.partition = given.partition AND t.kind = v.kind"
            }
            Self::Kept => {
                "SELECT 5, v.at, t.record, NULL, NULL, NULL, NULL \
                 FROM given, unnest(?::int4[], ?::bytea[]) AS v(at, name), @kept AS t \
                 WHERE t.partition = given.partition AND t.name = v.name"
            }
        }
    }
}

/// The keys by kind, with their positions.
#[derive(Default)]
struct Wanted<'k> {
    executions: Vec<(usize, uuid::Uuid)>,
    attempts: Vec<(usize, leasehold_core::record::AttemptKey)>,
    idempotency: Vec<(usize, &'k IdempotencyKey)>,
    lanes: Vec<(usize, &'k LaneId)>,
    blobs: &'k [BlobKey],
    kept: Vec<(usize, Vec<u8>)>,
}

impl<'k> Wanted<'k> {
    fn of(keys: &'k [RecordKey], blobs: &'k [BlobKey]) -> StoreResult<Self> {
        let mut wanted = Self { blobs, ..Self::default() };
        for (at, key) in keys.iter().enumerate() {
            match key {
                RecordKey::Execution(id) => wanted.executions.push((at, *id)),
                RecordKey::Attempt(key) => wanted.attempts.push((at, *key)),
                // PostgreSQL keeps no such text, so nothing stands under it.
                RecordKey::Idempotency(key) if key.key.contains('\0') => {}
                RecordKey::Idempotency(key) => wanted.idempotency.push((at, key)),
                RecordKey::Lane(lane) => wanted.lanes.push((at, lane)),
                RecordKey::Wait(_) | RecordKey::Flow(_) => wanted.kept.push((at, kept_name(key)?.1)),
            }
        }
        Ok(wanted)
    }

    fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Execution => self.executions.len(),
            Kind::Attempt => self.attempts.len(),
            Kind::Idempotency => self.idempotency.len(),
            Kind::Lane => self.lanes.len(),
            Kind::Blob => self.blobs.len(),
            Kind::Kept => self.kept.len(),
        }
    }

    fn bind(&self, kind: Kind, binds: &mut Binds) {
        fn places<T>(rows: &[(usize, T)], binds: &mut Binds) {
            binds.small_ints(rows.iter().map(|(at, _)| *at as i32));
        }
        match kind {
            Kind::Execution => {
                places(&self.executions, binds);
                binds.uuids(self.executions.iter().map(|(_, id)| *id));
            }
            Kind::Attempt => {
                places(&self.attempts, binds);
                binds.uuids(self.attempts.iter().map(|(_, key)| key.execution));
                binds.ints(self.attempts.iter().map(|(_, key)| i64::from(key.index.0)));
            }
            Kind::Idempotency => {
                places(&self.idempotency, binds);
                binds.texts(self.idempotency.iter().map(|(_, key)| key.namespace.as_str()));
                binds.texts(self.idempotency.iter().map(|(_, key)| &*key.key));
            }
            Kind::Lane => {
                places(&self.lanes, binds);
                binds.texts(self.lanes.iter().map(|(_, lane)| lane.as_str()));
            }
            Kind::Blob => {
                binds.small_ints((0..self.blobs.len()).map(|at| at as i32));
                binds.uuids(self.blobs.iter().map(|key| key.execution));
                binds.texts(self.blobs.iter().map(|key| key.kind.as_str()));
            }
            Kind::Kept => {
                places(&self.kept, binds);
                binds.byte_strings(self.kept.iter().map(|(_, name)| &name[..]));
            }
        }
    }
}

pub(crate) async fn load(
    store: &PostgresBackend,
    partition: u16,
    keys: &[RecordKey],
    blobs: &[BlobKey],
) -> StoreResult<Loaded> {
    let mut loaded = Loaded { records: vec![None; keys.len()], blobs: vec![None; blobs.len()] };
    if keys.len() + blobs.len() > KEYS_MAX {
        return Err(StoreError::permanent(format!(
            "{} keys in one load, at most {KEYS_MAX} are possible",
            keys.len() + blobs.len()
        )));
    }
    let wanted = Wanted::of(keys, blobs)?;
    let kinds = || Kind::ALL.into_iter().filter(|kind| wanted.count(*kind) > 0);
    let used: u32 = kinds().map(Kind::bit).sum();
    if used == 0 {
        return Ok(loaded);
    }
    let text = store.texts().made_of("load", used, || template(used));
    let rows = store
        .read_text(&text, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            kinds().for_each(|kind| wanted.bind(kind, &mut binds));
            binds
        })
        .await?;
    for row in &rows {
        let column = Column::of(row, "load", &partition);
        let (kind, at) = (column.small_int(0, "kind")?, column.small_int(1, "position")? as usize);
        if kind == Kind::Blob as i32 {
            if let Some(place) = loaded.blobs.get_mut(at) {
                *place = Some(column.bytes(2, "bytes")?.to_vec().into());
            }
        } else if let (Some(place), Some(key)) = (loaded.records.get_mut(at), keys.get(at)) {
            *place = Some(record(row, partition, key)?);
        }
    }
    Ok(loaded)
}

/// One `SELECT` per kind that is asked for, as one statement. The execution's
/// stands first where it is used and gives the columns their types.
fn template(used: u32) -> String {
    let mut text = "WITH given AS MATERIALIZED (SELECT ?::int4 AS partition) ".to_owned();
    let mut parts = Vec::new();
    if used & Kind::Execution.bit() == 0 {
        parts.push("SELECT 0, 0, NULL::bytea, NULL::text, NULL::uuid, NULL::int4, NULL::int8 FROM given WHERE false");
    }
    parts.extend(Kind::ALL.into_iter().filter(|kind| used & kind.bit() != 0).map(Kind::query));
    text.push_str(&parts.join(" UNION ALL "));
    text
}

fn record(row: &PgRow, partition: u16, key: &RecordKey) -> StoreResult<Record> {
    match key {
        RecordKey::Execution(id) => {
            let id = ExecutionId::from_parts(partition, *id);
            Ok(Record::Execution(Arc::new(Column::of(row, "executions", &id).decode(2, "record")?)))
        }
        RecordKey::Attempt(key) => {
            let place = format!("{}/{}", key.execution, key.index);
            Ok(Record::Attempt(Arc::new(Column::of(row, "attempts", &place).decode(2, "record")?)))
        }
        RecordKey::Idempotency(key) => {
            let place = format!("{partition}/{}/{}", key.namespace, key.key);
            let column = Column::of(row, "idempotency", &place);
            let execution = column.uuid(4, "execution")?;
            Ok(Record::Idempotency(Arc::new(Idempotency {
                key: key.clone(),
                execution_id: ExecutionId::from_parts(column.partition(5, "execution_partition")?, execution),
                expires_at: TimestampMs(column.int(6, "expires_at")?),
            })))
        }
        RecordKey::Lane(lane) => Ok(Record::Lane(Arc::new(stored_lane(row, partition, lane)?))),
        RecordKey::Wait(_) | RecordKey::Flow(_) => {
            let (kind, name) = kept_name(key)?;
            kept_record(partition, kind, &name, Column::of(row, "kept", &partition).bytes(2, "record")?)
        }
    }
}

fn stored_lane(row: &PgRow, partition: u16, lane: &LaneId) -> StoreResult<Lane> {
    let place = format!("{partition}/{lane}");
    let column = Column::of(row, "lanes", &place);
    let state = column.text(3, "state")?;
    Ok(Lane {
        lane_id: lane.clone(),
        state: LaneState::parse(state).ok_or_else(|| column.corrupt("state", state))?,
        registered_at: TimestampMs(column.int(6, "registered_at")?),
    })
}
