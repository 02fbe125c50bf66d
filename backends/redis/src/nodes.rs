//! Nodes, their leases, and who owns which partition.
//!
//! In a Cluster the nodes and a partition's head are kept by different
//! servers, so a takeover is no single step: the nodes are read first, then
//! each partition is taken by compare-and-set on the owner that was seen.
//! Death is permanent, so an owner that was dead when it was looked up is
//! still dead when its partition is taken. The taker itself is looked up
//! again afterwards: one that was buried meanwhile gets nothing, and what it
//! took belongs to a dead node, from which anybody may take it.

use crate::RedisBackend;
use crate::keys::{Kind, SYSTEM_TAG, tag_of};
use crate::library::Function;
use crate::memory;
use crate::values::Place;
use crate::wire::{Call, How, Lane};
use leasehold_backend::{Holdings, NodeRow, StoreError, StoreResult, Taken};
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;
use redis::{Cmd, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use uuid::Uuid;

/// A dead node is forgotten after a week, which is longer than anybody asks
/// for it. One that nobody knows counts as dead.
const FORGET_AFTER_MS: u64 = 7 * 86_400_000;

/// The longest time to live: what stays exact in the server's arithmetic.
const TTL_MS_MAX: u64 = 1 << 52;

/// How often a takeover is decided anew because somebody else was faster.
const TRIES: usize = 3;

async fn system(store: &RedisBackend, durable: bool, command: Cmd) -> StoreResult<Value> {
    let wait = if durable { store.wait() } else { None };
    let how = How { lane: Lane::Ownership, repeatable: true, wait };
    let mut values = store.wire.call(&how, Call::new(SYSTEM_TAG, vec![command])).await.write()?;
    Ok(values.pop().unwrap_or(Value::Nil))
}

fn node_call(store: &RedisBackend, function: Function, node: NodeId) -> Cmd {
    let mut call = function.call(&[&store.keys.nodes()]);
    call.arg(node.to_string()).arg(store.given_time());
    call
}

pub(crate) async fn now(store: &RedisBackend) -> StoreResult<TimestampMs> {
    if let Some(clock) = &store.options.clock {
        return Ok(clock.now());
    }
    let answer = store.wire.call(&How::READ, Call::new(SYSTEM_TAG, vec![redis::cmd("TIME")])).await;
    let place = Place::new("server", &"TIME");
    let values = place.list(answer.read()?.pop().unwrap_or(Value::Nil))?;
    let part = |at: usize, field| {
        let value = values.get(at).unwrap_or(&Value::Nil);
        place.maybe_number::<i64>(field, value)?.ok_or_else(|| place.corrupt(field, "it is missing"))
    };
    Ok(TimestampMs(part(0, "seconds")?.saturating_mul(1000).saturating_add(part(1, "microseconds")? / 1000)))
}

pub(crate) async fn register(store: &RedisBackend, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
    // What is read from here on is of the servers that run now, or of later
    // ones, which will show.
    store.wire.runs().begin();
    let mut call = node_call(store, Function::Register, node);
    call.arg(ttl_ms.min(TTL_MS_MAX)).arg(FORGET_AFTER_MS);
    system(store, true, call).await.map(drop)
}

pub(crate) async fn heartbeat(store: &RedisBackend, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
    let mut call = node_call(store, Function::Heartbeat, node);
    call.arg(ttl_ms.min(TTL_MS_MAX));
    let value = system(store, false, call).await?;
    let now = Place::new("nodes", &node).maybe_number("now", &value)?.map(TimestampMs);
    store.wire.meet_all().await;
    if now.is_some() && store.wire.runs().have_changed() {
        tracing::warn!(%node, "the store may have less than it had; the node begins anew");
        bury(store, node, true).await?;
        return Ok(None);
    }
    memory::look_again(store).await;
    Ok(now)
}

pub(crate) async fn bury(store: &RedisBackend, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
    let mut call = node_call(store, Function::Bury, node);
    call.arg(u8::from(proven_gone));
    let value = system(store, true, call).await?;
    Place::new("nodes", &node).int(&value).map(|dead| dead == 1)
}

pub(crate) async fn nodes(store: &RedisBackend) -> StoreResult<Vec<NodeRow>> {
    let get = redis::cmd("HGETALL").arg(store.keys.nodes()).clone();
    let value = store.wire.call(&How::READ, Call::new(SYSTEM_TAG, vec![get])).await.read()?.pop();
    let place = Place::new("nodes", &"?");
    let values = place.bytes_list(value.unwrap_or(Value::Nil))?;
    let mut rows: Vec<NodeRow> = values.chunks(2).map(node_row).collect::<StoreResult<_>>()?;
    rows.sort_by_key(|row| row.node);
    Ok(rows)
}

fn node_row(pair: &[Vec<u8>]) -> StoreResult<NodeRow> {
    let text = |at: usize| String::from_utf8_lossy(pair.get(at).map(Vec::as_slice).unwrap_or_default()).into_owned();
    let (name, entry) = (text(0), text(1));
    let place = Place::new("nodes", &name);
    let node = Uuid::from_str(&name).map_err(|error| place.corrupt("node", error))?;
    let (expires_at, dead) = entry.split_once(' ').ok_or_else(|| place.corrupt("entry", &entry))?;
    Ok(NodeRow {
        node: NodeId::from_uuid(node),
        expires_at: TimestampMs(expires_at.parse().map_err(|error| place.corrupt("expires_at", error))?),
        dead: match dead {
            "0" => false,
            "1" => true,
            other => return Err(place.corrupt("dead", other)),
        },
    })
}

/// Nodes and partitions, of a store with so many partitions.
pub(crate) async fn holdings(store: &RedisBackend, partitions: u16) -> StoreResult<Holdings> {
    let mut holdings = Holdings { nodes: nodes(store).await?, ..Holdings::default() };
    for seen in owners(store, &(0..partitions).collect()).await? {
        match seen.owner {
            Some(owner) => *holdings.held.entry(owner).or_default() += 1,
            None => holdings.free += 1,
        }
    }
    Ok(holdings)
}

async fn living(store: &RedisBackend) -> StoreResult<BTreeSet<NodeId>> {
    Ok(nodes(store).await?.into_iter().filter(|row| !row.dead).map(|row| row.node).collect())
}

pub(crate) async fn take(
    store: &RedisBackend,
    node: NodeId,
    nonce: u64,
    partitions: &[u16],
    epoch_floor: u64,
) -> StoreResult<Vec<Taken>> {
    let count = store.config()?.num_flow_partitions;
    let mut wanted: BTreeSet<u16> = partitions.iter().copied().filter(|partition| *partition < count).collect();
    let mut taken = BTreeMap::new();
    for _ in 0..TRIES {
        let living = living(store).await?;
        if !living.contains(&node) {
            // Also one that was buried while it took.
            return Ok(Vec::new());
        }
        wanted.retain(|partition| !taken.contains_key(partition));
        if wanted.is_empty() {
            break;
        }
        let mut free = owners(store, &wanted).await?;
        free.retain(|head| head.owner.is_none_or(|owner| owner == node || !living.contains(&owner)));
        wanted = free.iter().map(|head| head.partition).collect();
        for one in take_free(store, node, nonce, &free, epoch_floor).await? {
            taken.insert(one.partition, one);
        }
    }
    if !taken.is_empty() && !living(store).await?.contains(&node) {
        return Ok(Vec::new());
    }
    Ok(taken.into_values().collect())
}

/// A partition's owner as it was seen.
struct Seen {
    partition: u16,
    owner: Option<NodeId>,
    epoch: Option<u64>,
}

async fn owners(store: &RedisBackend, partitions: &BTreeSet<u16>) -> StoreResult<Vec<Seen>> {
    let calls = partitions
        .iter()
        .map(|partition| {
            let get = redis::cmd("HMGET").arg(store.keys.of(*partition, Kind::Head)).arg(&["owner", "epoch"]).clone();
            Call::new(&tag_of(*partition), vec![get])
        })
        .collect();
    // On the connection that takes: what it reads is not older than what it
    // wrote before.
    let how = How { lane: Lane::Writes, repeatable: true, wait: None };
    let answers = store.wire.calls(&how, calls).await;
    partitions
        .iter()
        .zip(answers)
        .map(|(partition, answer)| {
            let place = Place::new("head", partition);
            let values = place.list(answer.read()?.pop().unwrap_or(Value::Nil))?;
            let field = |at: usize| values.get(at).unwrap_or(&Value::Nil);
            let owner = place.maybe_number::<Uuid>("owner", field(0))?.map(NodeId::from_uuid);
            Ok(Seen { partition: *partition, owner, epoch: place.maybe_number("epoch", field(1))? })
        })
        .collect()
}

async fn take_free(
    store: &RedisBackend,
    node: NodeId,
    nonce: u64,
    free: &[Seen],
    epoch_floor: u64,
) -> StoreResult<Vec<Taken>> {
    let mut calls = Vec::with_capacity(free.len());
    let mut epochs = Vec::with_capacity(free.len());
    for seen in free {
        let next = match seen.epoch {
            None => 0,
            Some(epoch) => epoch
                .checked_add(1)
                .ok_or_else(|| Place::new("head", &seen.partition).corrupt("epoch", "it cannot grow"))?,
        };
        let epoch = next.max(epoch_floor);
        let mut call = Function::Take.call(&[&store.keys.of(seen.partition, Kind::Head)]);
        call.arg(seen.owner.map(|owner| owner.to_string()).unwrap_or_default());
        call.arg(seen.epoch.map(|epoch| epoch.to_string()).unwrap_or_default());
        call.arg(node.to_string()).arg(epoch).arg(nonce);
        calls.push(Call::new(&tag_of(seen.partition), vec![call]));
        epochs.push(epoch);
    }
    let how = How { lane: Lane::Writes, repeatable: false, wait: store.wait() };
    let answers = store.wire.calls(&how, calls).await;
    let mut taken = Vec::with_capacity(free.len());
    for ((seen, epoch), answer) in free.iter().zip(epochs).zip(answers) {
        let value = answer.write()?.pop().unwrap_or(Value::Nil);
        // Nothing: somebody changed the owner meanwhile.
        let Some(time) = Place::new("head", &seen.partition).maybe_number("time", &value)? else { continue };
        taken.push(Taken { partition: seen.partition, epoch, time: TimestampMs(time), previous_owner: seen.owner });
    }
    Ok(taken)
}

/// What has to be known before anything is owned.
pub(crate) fn not_prepared() -> StoreError {
    StoreError::refused("the store has not been prepared")
}
