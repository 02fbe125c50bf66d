//! Windows over the index.

use super::{guarded, page, scan_call, scanned};
use crate::RedisBackend;
use crate::keys::{self, Entry, Kind, Window};
use crate::library::Function;
use crate::values::{self, Place};
use crate::wire::How;
use leasehold_backend::{DueEntry, PAGE_MAX, ReadyGroup, StoreResult, kept_bounds};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::{Execution, KeptKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// How many bytes of a member name an execution.
pub(super) const ID_BYTES: usize = 16;

/// Reads the name of an execution at the end of a member.
pub(super) fn id_of(place: &Place<'_>, member: &[u8]) -> StoreResult<Uuid> {
    member
        .len()
        .checked_sub(ID_BYTES)
        .and_then(|start| Uuid::from_slice(&member[start..]).ok())
        .ok_or_else(|| place.corrupt("entry", "a member without an id"))
}

/// Executions of a window.
pub(super) async fn executions(
    store: &RedisBackend,
    partition: u16,
    set: Kind,
    window: &Window,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let call = scan_call(store, partition, (set, Kind::Execution), window, page(limit), ID_BYTES);
    let place = Place::new(set.as_str(), &partition);
    scanned(partition, set, store.wire.call(&How::READ, call).await)?
        .iter()
        .map(|(member, record)| values::execution(partition, id_of(&place, member)?, record))
        .collect()
}

pub(crate) async fn scan_ready(
    store: &RedisBackend,
    partition: u16,
    group: &ReadyGroup,
    after: Option<(i64, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    executions(store, partition, Kind::Index, &Window::ready(group, after), limit).await
}

pub(crate) async fn scan_active(
    store: &RedisBackend,
    partition: u16,
    after: Option<Uuid>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    executions(store, partition, Kind::Index, &Window::active(after), limit).await
}

pub(crate) async fn scan_due(
    store: &RedisBackend,
    partition: u16,
    after: Option<(TimestampMs, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<DueEntry>> {
    let window = Window::due(after);
    let mut command = redis::cmd("ZRANGEBYLEX");
    command.arg(store.keys.of(partition, Kind::Index)).arg(window.from).arg(window.to);
    command.arg("LIMIT").arg(0).arg(page(limit));
    let place = Place::new("index", &partition);
    let members = place.bytes_list(guarded(store, partition, command).await?)?;
    members
        .iter()
        .map(|member| match keys::entry(member) {
            Some(Entry::Due { at, id }) => Ok(DueEntry { due_at: at, execution: id }),
            _ => Err(place.corrupt("entry", "a member that is no timer")),
        })
        .collect()
}

pub(crate) async fn scan_kept(
    store: &RedisBackend,
    partition: u16,
    kind: KeptKind,
    after: Option<&RecordKey>,
    limit: usize,
) -> StoreResult<Vec<Record>> {
    let (lower, upper) = kept_bounds(kind, after)?;
    // The whole member is the name, and a kind's names are all as long.
    let name_bytes = kind.first().and_then(|key| key.kept()).map_or(0, |(_, name)| name.len());
    let window = Window::between(&lower, &upper);
    let call = scan_call(store, partition, (Kind::Listed, Kind::Kept), &window, page(limit), name_bytes);
    scanned(partition, Kind::Listed, store.wire.call(&How::READ, call).await)?
        .iter()
        .map(|(name, bytes)| values::kept(partition, kind, name, bytes))
        .collect()
}

pub(crate) async fn ready_groups(
    store: &RedisBackend,
    partition: u16,
    after: Option<&ReadyGroup>,
    limit: usize,
) -> StoreResult<Vec<ReadyGroup>> {
    let place = Place::new("index", &partition);
    groups(store, partition, &Window::groups(after), page(limit), 0)
        .await?
        .iter()
        .map(|name| keys::group_of(name).ok_or_else(|| place.corrupt("group", "a name that is no group's")))
        .collect()
}

async fn groups(
    store: &RedisBackend,
    partition: u16,
    window: &Window,
    limit: usize,
    members: usize,
) -> StoreResult<Vec<Vec<u8>>> {
    let mut command = Function::Groups.call(&[&store.keys.of(partition, Kind::Index)]);
    command.arg(window.from.as_slice()).arg(window.to.as_slice()).arg(limit).arg(members);
    Place::new("index", &partition).bytes_list(guarded(store, partition, command).await?)
}

/// The groups of a lane are each in rank order; their first entries, merged,
/// are the first of the lane. A lane has few groups, usually one.
pub(crate) async fn scan_eligible(
    store: &RedisBackend,
    partition: u16,
    lane: &LaneId,
    limit: usize,
) -> StoreResult<Vec<ExecutionId>> {
    let limit = page(limit);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let place = Place::new("index", &partition);
    let members = groups(store, partition, &Window::lane(lane), PAGE_MAX, limit).await?;
    let mut found = members
        .iter()
        .map(|member| match keys::entry(member) {
            Some(Entry::Ready { rank, id, .. }) => Ok((rank, id)),
            _ => Err(place.corrupt("entry", "a member that is not ready")),
        })
        .collect::<StoreResult<Vec<_>>>()?;
    found.sort_unstable();
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, id)| ExecutionId::from_parts(partition, id)).collect())
}
