//! Lists for people and for the checker.

use super::scans::{ID_BYTES, executions, id_of};
use super::{guarded, guarded_answer, guarded_call, of_partition, page, scan_call, scanned};
use crate::RedisBackend;
use crate::keys::{self, Entry, Kind, Window, tag_of};
use crate::library::Function;
use crate::values::{self, Place};
use crate::wire::{Call, How};
use leasehold_backend::{ExpiredLease, ExpiredLeaseCursor, LoggedEvent, PAGE_MAX, StoreResult, StoredIndex};
use leasehold_core::event::EventId;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId};
use leasehold_core::index::{self, Queue};
use leasehold_core::record::{Attempt, AttemptKey, Execution, RecordKey};
use leasehold_core::time::TimestampMs;
use redis::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// How many bytes of a member name an attempt.
const ATTEMPT_BYTES: usize = 20;

pub(crate) async fn list_executions(
    store: &RedisBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let window = Window::all_after(after.as_ref().map(|id| id.as_bytes().as_slice()));
    executions(store, partition, Kind::Ids, &window, limit).await
}

/// Reads all active executions of all partitions: an index by expiry would be
/// rewritten by every renewal, and the engine itself never asks.
pub(crate) async fn list_expired_leases(
    store: &RedisBackend,
    as_of: TimestampMs,
    after: Option<&ExpiredLeaseCursor>,
    limit: usize,
) -> StoreResult<Vec<ExpiredLease>> {
    let mut found = Vec::new();
    let mut open: Vec<(u16, Option<Uuid>)> =
        (0..store.config()?.num_flow_partitions).map(|partition| (partition, None)).collect();
    while !open.is_empty() {
        let calls = open
            .iter()
            .map(|(partition, after)| {
                let sets = (Kind::Index, Kind::Execution);
                scan_call(store, *partition, sets, &Window::active(*after), PAGE_MAX, ID_BYTES)
            })
            .collect();
        let answers = store.wire.calls(&How::READ, calls).await;
        let mut next = Vec::new();
        for ((partition, _), answer) in open.into_iter().zip(answers) {
            let place = Place::new("index", &partition);
            let page = scanned(partition, Kind::Index, answer)?;
            for (member, record) in &page {
                let execution = values::execution(partition, id_of(&place, member)?, record)?;
                found.extend(expired(&execution, as_of, after));
            }
            if let Some((member, _)) = page.last().filter(|_| page.len() == PAGE_MAX) {
                next.push((partition, Some(id_of(&place, member)?)));
            }
        }
        open = next;
    }
    found.sort_by_key(|lease| (lease.expires_at, lease.execution_id));
    found.truncate(page(limit));
    Ok(found)
}

fn expired(execution: &Execution, as_of: TimestampMs, after: Option<&ExpiredLeaseCursor>) -> Option<ExpiredLease> {
    let Queue::Active { lease_expires_at: Some(expires_at) } = index::queue(execution) else { return None };
    let place = ExpiredLeaseCursor { expires_at, execution_id: execution.id };
    if expires_at > as_of || after.is_some_and(|after| place <= *after) {
        return None;
    }
    let lease = execution.lease.as_ref()?;
    Some(ExpiredLease {
        execution_id: execution.id,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        worker_instance_id: lease.worker_instance_id.clone(),
        expires_at,
        attempt_index: execution.current_attempt_index(),
    })
}

pub(crate) async fn list_attempts(
    store: &RedisBackend,
    execution: ExecutionId,
    after: Option<AttemptIndex>,
    limit: usize,
) -> StoreResult<Vec<Arc<Attempt>>> {
    let partition = execution.partition();
    let field = |index| keys::attempt_field(&AttemptKey { execution: execution.uuid(), index });
    let (mut from, mut to) = (vec![b'['], vec![b'[']);
    match after {
        Some(after) => {
            from[0] = b'(';
            from.extend(field(after));
        }
        None => from.extend(field(AttemptIndex(0))),
    }
    to.extend(field(AttemptIndex(u32::MAX)));
    let sets = (Kind::Attempts, Kind::Attempt);
    let call = scan_call(store, partition, sets, &Window { from, to }, page(limit), ATTEMPT_BYTES);
    let place = Place::new("attempt", &execution);
    scanned(partition, Kind::Attempts, store.wire.call(&How::READ, call).await)?
        .iter()
        .map(|(_, record)| place.decode(record).map(Arc::new))
        .collect()
}

pub(crate) async fn list_lanes(store: &RedisBackend, after: Option<&LaneId>, limit: usize) -> StoreResult<Vec<LaneId>> {
    let limit = page(limit);
    let window = Window::all_after(after.map(|lane| lane.as_str().as_bytes()));
    let partitions = 0..store.config()?.num_flow_partitions;
    let calls = partitions
        .clone()
        .map(|partition| {
            let mut command = redis::cmd("ZRANGEBYLEX");
            command.arg(store.keys.of(partition, Kind::Lanes)).arg(window.from.as_slice()).arg(window.to.as_slice());
            command.arg("LIMIT").arg(0).arg(limit);
            guarded_call(store, partition, command)
        })
        .collect();
    let mut lanes = BTreeSet::new();
    for (partition, answer) in partitions.zip(store.wire.calls(&How::READ, calls).await) {
        let place = Place::new("lanes", &partition);
        for name in place.bytes_list(guarded_answer(partition, answer)?)? {
            let name = String::from_utf8(name).map_err(|error| place.corrupt("lane", error))?;
            lanes.insert(LaneId::try_new(name).map_err(|error| place.corrupt("lane", error))?);
        }
    }
    Ok(lanes.into_iter().take(limit).collect())
}

pub(crate) async fn read_events(
    store: &RedisBackend,
    partition: u16,
    after: Option<EventId>,
    limit: usize,
) -> StoreResult<Vec<LoggedEvent>> {
    let last = EventId { epoch: u64::MAX, number: u64::MAX };
    if limit == 0 || after == Some(last) {
        // The server refuses a range that cannot hold anything.
        return Ok(Vec::new());
    }
    let limit = page(limit);
    let from = after.map_or_else(|| "-".to_owned(), |after| format!("({}-{}", after.epoch, after.number));
    let keys = [Kind::Head, Kind::Event].map(|kind| store.keys.of(partition, kind));
    let mut command = Function::Events.call(&[&keys[0], &keys[1]]);
    command.arg(from).arg(limit);
    let place = Place::new("event", &partition);
    let answer = store.wire.call(&How::READ, Call::new(&tag_of(partition), vec![command])).await;
    let entries = place.list(of_partition(partition, answer)?.pop().unwrap_or(Value::Nil))?;
    let mut found = Vec::new();
    for entry in entries {
        // The first entry may begin with what was read before.
        found.extend(events(&place, entry)?.into_iter().filter(|event| after.is_none_or(|after| event.id > after)));
    }
    found.truncate(limit);
    Ok(found)
}

/// The events of an entry of the stream: its id, which is that of the last
/// one, and a list of a letter and an event, repeated.
fn events(place: &Place<'_>, entry: Value) -> StoreResult<Vec<LoggedEvent>> {
    let mut parts = place.list(entry)?.into_iter();
    let (Some(id), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(place.corrupt("entry", "without id or content"));
    };
    let id = String::from_utf8(place.bytes(id)?).map_err(|error| place.corrupt("id", error))?;
    let numbers = id.split_once('-').and_then(|(epoch, number)| Some((epoch.parse().ok()?, number.parse().ok()?)));
    let (epoch, last): (u64, u64) = numbers.ok_or_else(|| place.corrupt("id", &id))?;
    let fields = place.list(fields)?;
    let count = fields.len() as u64 / 2;
    let first = count.checked_sub(1).and_then(|others| last.checked_sub(others));
    let first = first.ok_or_else(|| place.corrupt(&id, format!("{count} events")))?;
    (first..)
        .zip(fields.into_iter().skip(1).step_by(2))
        .map(|(number, bytes)| {
            let event = place.decode(&place.bytes(bytes)?)?;
            Ok(LoggedEvent { id: EventId { epoch, number }, event })
        })
        .collect()
}

/// What the sorted sets hold of one execution, whatever its record says. Ready
/// and active executions and timers have entries, which are all read, so that
/// one that should not be there shows. Of the queues nothing scans there is no
/// entry, and the record alone says which one it is.
pub(crate) async fn stored_index(store: &RedisBackend, execution: ExecutionId) -> StoreResult<Option<StoredIndex>> {
    let (partition, id) = (execution.partition(), execution.uuid());
    let place = Place::new("index", &execution);
    let mut command = Function::Find.call(&[&store.keys.of(partition, Kind::Index)]);
    command.arg(id.as_bytes());
    let members = place.bytes_list(guarded(store, partition, command).await?)?;
    let loaded = super::load(store, partition, &[RecordKey::Execution(id)], &[]).await?;
    let record = loaded.records.into_iter().flatten().next();
    let derived = record.as_ref().and_then(|record| record.as_execution()).map(|found| index::index_entries(found));
    let mut found: Option<StoredIndex> = None;
    let mut due_at = None;
    for member in &members {
        let entry = keys::entry(member).ok_or_else(|| place.corrupt("entry", "a member that cannot be read"))?;
        let queued = match entry {
            // The latest of several; the scan of timers shows the others.
            Entry::Due { at, .. } => {
                due_at = due_at.max(Some(at));
                continue;
            }
            Entry::Ready { group, rank, .. } => {
                StoredIndex { queue: "ready".to_owned(), lane_id: group.lane_id, score: rank, due_at: None }
            }
            Entry::Active { .. } => {
                // The entry is the id alone; lane and expiry are the record's.
                let known = derived.as_ref();
                let lane_id = known.map(|entries| entries.lane_id.clone());
                StoredIndex {
                    queue: "active".to_owned(),
                    lane_id: lane_id.ok_or_else(|| place.corrupt("entry", "active without a record"))?,
                    score: known.map_or(0, |entries| entries.queue.score()),
                    due_at: None,
                }
            }
        };
        match &mut found {
            // The names of several queues together are the name of none.
            Some(index) => {
                index.queue.push('+');
                index.queue.push_str(&queued.queue);
            }
            None => found = Some(queued),
        }
    }
    let found = found.or_else(|| {
        let entries = derived?;
        let queue = match entries.queue {
            // These have entries, and none was found.
            Queue::Ready { .. } | Queue::Active { .. } => "none".to_owned(),
            ref other => other.name().to_owned(),
        };
        Some(StoredIndex { queue, lane_id: entries.lane_id, score: entries.queue.score(), due_at: None })
    });
    Ok(found.map(|index| StoredIndex { due_at, ..index }))
}
