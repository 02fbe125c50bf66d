//! Reads: pages from the primary, each one snapshot.
//!
//! A window together with its records and records of several kinds are read by
//! a function, everything else by one command. What is
//! kept over all partitions is read from all of them, one pipeline per
//! primary, and merged.

mod lists;
mod load;
mod scans;

pub(crate) use lists::{list_attempts, list_executions, list_expired_leases, list_lanes, read_events, stored_index};
pub(crate) use load::load;
pub(crate) use scans::{ready_groups, scan_active, scan_due, scan_eligible, scan_kept, scan_ready};

use crate::RedisBackend;
use crate::errors;
use crate::keys::{Kind, Window, tag_of};
use crate::library::Function;
use crate::values::Place;
use crate::wire::{Answer, Call, How};
use leasehold_backend::{PAGE_MAX, StoreError, StoreResult};
use redis::{Cmd, Value};

/// A page's length.
pub(crate) const fn page(limit: usize) -> usize {
    if limit < PAGE_MAX { limit } else { PAGE_MAX }
}

/// The call that reads a window of a sorted set with the records it points
/// to.
fn scan_call(
    store: &RedisBackend,
    partition: u16,
    (set, records): (Kind, Kind),
    window: &Window,
    limit: usize,
    id_bytes: usize,
) -> Call {
    let keys = [Kind::Head, set, records].map(|kind| store.keys.of(partition, kind));
    let mut command = Function::Scan.call(&[&keys[0], &keys[1], &keys[2]]);
    command.arg(window.from.as_slice()).arg(window.to.as_slice()).arg(limit).arg(id_bytes);
    Call::new(&tag_of(partition), vec![command])
}

/// Members with their records, from the answer to a scan.
fn scanned(partition: u16, set: Kind, answer: Answer) -> StoreResult<Vec<(Vec<u8>, Vec<u8>)>> {
    let place = Place::new(set.as_str(), &partition);
    let mut values = place.list(of_partition(partition, answer)?.pop().unwrap_or(Value::Nil))?.into_iter();
    let mut found = Vec::with_capacity(values.len() / 2);
    while let (Some(member), Some(record)) = (values.next(), values.next()) {
        let member = place.bytes(member)?;
        // An entry without a record is damage; saying nothing would hide it.
        let record = place
            .maybe_bytes(record)?
            .ok_or_else(|| place.corrupt("entry", format!("member {} has no record", member.escape_ascii())))?;
        found.push((member, record));
    }
    Ok(found)
}

/// A plain command behind the look whether the partition is whole.
async fn guarded(store: &RedisBackend, partition: u16, command: Cmd) -> StoreResult<Value> {
    let answer = store.wire.call(&How::READ, guarded_call(store, partition, command)).await;
    guarded_answer(partition, answer)
}

fn guarded_call(store: &RedisBackend, partition: u16, command: Cmd) -> Call {
    Call::new(&tag_of(partition), vec![mark(store, partition), command])
}

fn guarded_answer(partition: u16, answer: Answer) -> StoreResult<Value> {
    let mut values = of_partition(partition, answer)?;
    let value = values.pop().unwrap_or(Value::Nil);
    refuse_broken(partition, values.first())?;
    Ok(value)
}

/// Asks whether a partition was left half written. The mark stays once it is
/// there, so this need not be one step with what follows.
fn mark(store: &RedisBackend, partition: u16) -> Cmd {
    redis::cmd("HGET").arg(store.keys.of(partition, Kind::Head)).arg("broken").clone()
}

fn refuse_broken(partition: u16, mark: Option<&Value>) -> StoreResult<()> {
    match mark.and_then(crate::values::text) {
        Some(why) => Err(errors::half_written(partition, &why)),
        None => Ok(()),
    }
}

fn of_partition(partition: u16, answer: Answer) -> StoreResult<Vec<Value>> {
    answer.read().map_err(|error| match error {
        StoreError::Corrupt(why) => errors::corrupt("partition", partition, "answer", why),
        other => other,
    })
}
