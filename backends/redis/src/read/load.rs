//! Loading records and blobs by key.

use crate::RedisBackend;
use crate::keys::{self, Kind, tag_of};
use crate::library::Function;
use crate::values::{self, Place};
use crate::wire::{Call, How};
use leasehold_backend::{Loaded, StoreError, StoreResult};
use leasehold_core::record::{BlobKey, Idempotency, Lane, Record, RecordKey};
use redis::Value;
use std::sync::Arc;

/// The most keys one load may name.
const KEYS_MAX: usize = 4096;

/// Where the fields of one hash belong in the answer.
struct Wanted {
    kind: Kind,
    places: Vec<usize>,
    fields: Vec<Vec<u8>>,
}

/// Loads from one snapshot, in one round trip.
pub(crate) async fn load(
    store: &RedisBackend,
    partition: u16,
    record_keys: &[RecordKey],
    blobs: &[BlobKey],
) -> StoreResult<Loaded> {
    let mut loaded = Loaded { records: vec![None; record_keys.len()], blobs: vec![None; blobs.len()] };
    let count = record_keys.len() + blobs.len();
    if count > KEYS_MAX {
        return Err(StoreError::permanent(format!("{count} keys in one load, at most {KEYS_MAX} are possible")));
    }
    if count == 0 {
        return Ok(loaded);
    }
    let wanted = wanted(record_keys, blobs)?;
    let mut names = vec![store.keys.of(partition, Kind::Head)];
    names.extend(wanted.iter().map(|hash| store.keys.of(partition, hash.kind)));
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut command = Function::Load.call(&names);
    for hash in &wanted {
        command.arg(hash.fields.len()).arg(&hash.fields);
    }
    let answer = store.wire.call(&How::READ, Call::new(&tag_of(partition), vec![command])).await;
    let place = Place::new("load", &partition);
    let results = place.list(super::of_partition(partition, answer)?.pop().unwrap_or(Value::Nil))?;
    for (hash, values) in wanted.into_iter().zip(results) {
        for (at, value) in hash.places.into_iter().zip(place.list(values)?) {
            let Some(bytes) = place.maybe_bytes(value)? else { continue };
            if hash.kind == Kind::Blob {
                loaded.blobs[at] = Some(bytes.into());
            } else {
                loaded.records[at] = Some(record(partition, &record_keys[at], &bytes)?);
            }
        }
    }
    Ok(loaded)
}

fn wanted(record_keys: &[RecordKey], blobs: &[BlobKey]) -> StoreResult<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut want = |kind, at, field| {
        let place = wanted.iter().position(|hash| hash.kind == kind).unwrap_or_else(|| {
            wanted.push(Wanted { kind, places: Vec::new(), fields: Vec::new() });
            wanted.len() - 1
        });
        wanted[place].places.push(at);
        wanted[place].fields.push(field);
    };
    for (at, key) in record_keys.iter().enumerate() {
        match key {
            RecordKey::Execution(id) => want(Kind::Execution, at, id.as_bytes().to_vec()),
            RecordKey::Attempt(key) => want(Kind::Attempt, at, keys::attempt_field(key)),
            RecordKey::Idempotency(key) => want(Kind::Idempotency, at, keys::idempotency_field(key)),
            RecordKey::Lane(lane) => want(Kind::Lane, at, lane.as_str().as_bytes().to_vec()),
            RecordKey::Wait(_) | RecordKey::Flow(_) => want(Kind::Kept, at, keys::kept(key)?.1),
        }
    }
    for (at, key) in blobs.iter().enumerate() {
        want(Kind::Blob, at, keys::blob_field(key));
    }
    Ok(wanted)
}

fn record(partition: u16, key: &RecordKey, bytes: &[u8]) -> StoreResult<Record> {
    let name = format!("{partition}/{key:?}");
    let place = Place::new(key.kind(), &name);
    let record = match key {
        RecordKey::Execution(id) => Record::Execution(values::execution(partition, *id, bytes)?),
        RecordKey::Attempt(_) => Record::Attempt(Arc::new(place.decode(bytes)?)),
        RecordKey::Idempotency(_) => Record::Idempotency(Arc::new(place.decode::<Idempotency>(bytes)?)),
        RecordKey::Lane(_) => Record::Lane(Arc::new(place.decode::<Lane>(bytes)?)),
        RecordKey::Wait(_) | RecordKey::Flow(_) => {
            let (kind, name) = keys::kept(key)?;
            values::kept(partition, kind, &name, bytes)?
        }
    };
    if record.key() != *key {
        return Err(place.corrupt("record", format!("it is about {:?}", record.key())));
    }
    Ok(record)
}
