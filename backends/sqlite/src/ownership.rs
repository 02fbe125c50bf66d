//! Nodes, their leases, and who owns which partition.
//!
//! Every change runs on the writing connection in a transaction of its own,
//! so it falls between two batches, never into one.

use crate::SqliteBackend;
use crate::binds::Binds;
use crate::errors;
use crate::read::Column;
use crate::texts::{ROWS_MAX, Shape, size_for};
use crate::write::number;
use crate::writer::{Step, Writer};
use leasehold_backend::{NodeRow, StoreResult, Taken};
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;
use sqlx::sqlite::SqliteRow;

/// Adds a node and forgets those long dead. An identity that was used before
/// stays as it is, so that nobody comes back from the dead.
const REGISTER: &str = "BEGIN IMMEDIATE; \
    INSERT INTO nodes (node, expires_at, dead, commit_seq, time) VALUES (?, ?, 0, 0, 0) \
    ON CONFLICT (node) DO NOTHING; \
    DELETE FROM nodes WHERE dead = 1 AND expires_at < ? AND node NOT IN (SELECT owner FROM partitions); COMMIT";

/// Renews a lease that has not lapsed.
const HEARTBEAT: &str = "UPDATE nodes SET expires_at = ? WHERE node = ? AND dead = 0 AND expires_at > ?";

/// Marks a node as dead whose lease has lapsed, or that is known to be gone,
/// and looks whether it is alive all the same. One that nobody knows is as
/// dead as can be.
const BURY: &str = "BEGIN IMMEDIATE; \
    UPDATE nodes SET dead = 1 WHERE node = ?1 AND (?2 OR expires_at <= ?3); \
    SELECT 1 FROM nodes WHERE node = ?1 AND dead = 0; COMMIT";

/// All nodes.
const NODES: &str = "SELECT node, expires_at, dead FROM nodes ORDER BY node";

/// Opens a takeover by a node that is alive.
const TAKER: &str = "BEGIN IMMEDIATE; SELECT 1 FROM nodes WHERE node = ? AND dead = 0";

/// Partitions with their owners, those that exist.
static OWNERS: Shape = Shape {
    name: "owners",
    head: "SELECT v.column1, p.epoch, p.time, p.owner, n.dead, n.time FROM (VALUES ",
    columns: 1,
    tail: ") AS v LEFT JOIN partitions AS p ON p.partition = v.column1 LEFT JOIN nodes AS n ON n.node = p.owner \
           WHERE v.column1 < (SELECT flow_partitions FROM meta)",
};

/// Gives partitions a new owner.
static TAKE: Shape = Shape {
    name: "take partitions",
    head: "INSERT OR REPLACE INTO partitions (partition, epoch, nonce, owner, time) SELECT * FROM (VALUES ",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL",
};

/// A dead node that owns nothing is forgotten after a week, which is longer
/// than anybody asks for it.
const FORGET_AFTER_MS: u64 = 7 * 86_400_000;

pub(crate) async fn register(store: &SqliteBackend, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
    let now = store.time();
    let mut writer = store.writer().await?;
    let mut binds = Binds::with_capacity(3);
    binds.uuid(node.as_uuid());
    binds.int(now.plus(ttl_ms).0);
    binds.int(now.minus(FORGET_AFTER_MS).0);
    writer.run(Step::new(REGISTER, binds)).await?;
    store.note_node(node)
}

pub(crate) async fn heartbeat(store: &SqliteBackend, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
    let mut writer = store.writer().await?;
    // Read after the wait for the writer, which may have been long.
    let now = store.time();
    let mut binds = Binds::with_capacity(3);
    binds.int(now.plus(ttl_ms).0);
    binds.uuid(node.as_uuid());
    binds.int(now.0);
    let renewed = writer.run_alone(Step::new(HEARTBEAT, binds)).await?.changes > 0;
    Ok(renewed.then_some(now))
}

pub(crate) async fn bury(store: &SqliteBackend, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
    let mut writer = store.writer().await?;
    let mut binds = Binds::with_capacity(3);
    binds.uuid(node.as_uuid());
    binds.int(i64::from(proven_gone));
    binds.int(store.time().0);
    let answers = writer.run(Step::new(BURY, binds)).await?;
    Ok(answers.get(2).is_some_and(|alive| alive.rows.is_empty()))
}

pub(crate) async fn nodes(store: &SqliteBackend) -> StoreResult<Vec<NodeRow>> {
    let rows = store.read(NODES.into(), Binds::default()).await?;
    rows.iter()
        .map(|row| {
            let node = NodeId::from_uuid(Column::of(row, "nodes", &"?").uuid(0, "node")?);
            let column = Column::of(row, "nodes", &node);
            Ok(NodeRow {
                node,
                expires_at: TimestampMs(column.int(1, "expires_at")?),
                dead: column.int(2, "dead")? != 0,
            })
        })
        .collect()
}

pub(crate) async fn take(
    store: &SqliteBackend,
    node: NodeId,
    nonce: u64,
    partitions: &[u16],
    epoch_floor: u64,
) -> StoreResult<Vec<Taken>> {
    let mut writer = store.writer().await?;
    let mut binds = Binds::with_capacity(1);
    binds.uuid(node.as_uuid());
    let answers = writer.run(Step::new(TAKER, binds)).await?;
    if answers.get(1).is_none_or(|alive| alive.rows.is_empty()) {
        // A buried node that took something would own it unseen.
        writer.roll_back().await;
        return Ok(Vec::new());
    }
    let taken = match free_partitions(&mut writer, node, partitions, epoch_floor).await {
        Ok(taken) => taken,
        Err(error) => {
            writer.roll_back().await;
            return Err(error);
        }
    };
    let mut steps = writer.steps(&TAKE, taken.clone(), false, |taken, binds| {
        binds.int(i64::from(taken.partition));
        binds.int(taken.epoch.cast_signed());
        binds.int(nonce.cast_signed());
        binds.uuid(node.as_uuid());
        binds.int(taken.time.0);
    });
    writer.append_commit(&mut steps);
    for step in steps {
        writer.run(step).await?;
    }
    Ok(taken)
}

/// The partitions that have no live other owner, with their new epochs.
async fn free_partitions(
    writer: &mut Writer,
    node: NodeId,
    partitions: &[u16],
    epoch_floor: u64,
) -> StoreResult<Vec<Taken>> {
    number("ownership epoch", epoch_floor)?;
    let mut taken = Vec::with_capacity(partitions.len());
    for chunk in partitions.chunks(ROWS_MAX) {
        let size = size_for(chunk.len());
        let mut binds = Binds::with_capacity(size);
        for partition in chunk {
            binds.int(i64::from(*partition));
        }
        binds.pad(size - chunk.len());
        let sql = writer.texts.get(&OWNERS, size, "");
        let answers = writer.run(Step::new(sql, binds)).await?;
        for row in answers.iter().flat_map(|answer| &answer.rows) {
            taken.extend(free(row, node, epoch_floor)?);
        }
    }
    taken.sort_by_key(|taken| taken.partition);
    taken.dedup_by_key(|taken| taken.partition);
    Ok(taken)
}

fn free(row: &SqliteRow, node: NodeId, epoch_floor: u64) -> StoreResult<Option<Taken>> {
    let partition = Column::of(row, "partitions", &"?").partition(0, "partition")?;
    let column = Column::of(row, "partitions", &partition);
    let Some(epoch) = column.maybe_int(1, "epoch")? else {
        let time = TimestampMs::default();
        return Ok(Some(Taken { partition, epoch: epoch_floor, time, previous_owner: None }));
    };
    let epoch = u64::try_from(epoch).map_err(|error| column.corrupt("epoch", error))?;
    let owner = column.maybe_uuid(3, "owner")?.map(NodeId::from_uuid);
    // A forgotten owner was dead long before.
    let owner_is_alive = column.maybe_int(4, "dead")? == Some(0);
    if owner_is_alive && owner != Some(node) {
        return Ok(None);
    }
    let next = epoch.checked_add(1).filter(|next| i64::try_from(*next).is_ok());
    let next = next.ok_or_else(|| errors::corrupt("partitions", partition, "epoch", "it cannot grow"))?;
    // Time is kept with the node that writes; every owner passes it on here.
    let written = column.maybe_int(5, "time")?.unwrap_or_default();
    Ok(Some(Taken {
        partition,
        epoch: next.max(epoch_floor),
        time: TimestampMs(column.int(2, "time")?.max(written)),
        previous_owner: owner,
    }))
}
