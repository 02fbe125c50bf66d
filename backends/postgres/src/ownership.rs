//! Nodes, their leases, and who owns which partition.
//!
//! Time is the server's unless the store was opened with a clock. It is read
//! when a statement begins, before the statement may wait for a lock, so a
//! lease never runs longer than it was asked for.

use crate::PostgresBackend;
use crate::binds::Binds;
use crate::errors;
use crate::read::Column;
use crate::write::number;
use leasehold_backend::{NodeRow, StoreResult, Taken};
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;
use sqlx::postgres::PgRow;

/// The server's clock in milliseconds, unless a time is given.
macro_rules! now {
    () => {
        "coalesce(?::int8, floor(extract(epoch FROM clock_timestamp()) * 1000)::int8)"
    };
}

/// The time.
const NOW: &str = concat!("SELECT ", now!());

/// Adds a node and forgets those long dead. An identity that was used before
/// stays as it is, so that nobody comes back from the dead.
const REGISTER: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT ",
    now!(),
    " AS now), forgotten AS (DELETE FROM @nodes AS n USING t WHERE n.dead AND n.expires_at < t.now - ?::int8 \
        AND NOT EXISTS (SELECT FROM @partitions AS p WHERE p.owner = n.node)) \
    INSERT INTO @nodes (node, expires_at, dead, commit_seq, fence, time) \
    SELECT ?::uuid, t.now + ?::int8, false, 0, 0, 0 FROM t ON CONFLICT (node) DO NOTHING"
);

/// Renews a lease that has not lapsed.
const HEARTBEAT: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT ",
    now!(),
    " AS now) UPDATE @nodes AS n SET expires_at = t.now + ?::int8 FROM t \
    WHERE n.node = ? AND NOT n.dead AND n.expires_at > t.now \
    RETURNING t.now, floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8"
);

/// When the server was started.
const STARTED: &str = "SELECT floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8";

/// Marks a node as dead whose lease has lapsed, or that is known to be gone.
/// One that nobody knows is as dead as can be.
const BURY: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT ",
    now!(),
    " AS now, ?::uuid AS node, ?::bool AS gone), \
    buried AS (UPDATE @nodes AS n SET dead = true FROM t \
        WHERE n.node = t.node AND (n.dead OR t.gone OR n.expires_at <= t.now) RETURNING 1) \
    SELECT EXISTS (SELECT FROM buried) OR NOT EXISTS (SELECT FROM @nodes AS n, t WHERE n.node = t.node)"
);

/// All nodes.
pub(crate) const NODES: &str = "SELECT node, expires_at, dead FROM @nodes ORDER BY node";

/// Keeps other takeovers away until the end of the transaction.
const ONE_AT_A_TIME: &str = "SELECT only_row FROM @meta FOR UPDATE";

/// Gives partitions without a live other owner to a node, if it is alive.
///
/// Whoever loses a partition has the fence of its row moved, for which this
/// waits until a commit of that node that is on its way is over. The time is
/// read from the row then, since that commit may have moved it.
const TAKE: &str = "\
    WITH given AS MATERIALIZED (SELECT ?::uuid AS node, ?::int8 AS nonce, ?::int8 AS floor), \
    taker AS (UPDATE @nodes AS n SET fence = n.fence + 1 FROM given AS g \
        WHERE n.node = g.node AND NOT n.dead RETURNING n.node, n.time), \
    free AS MATERIALIZED ( \
        SELECT v.partition, p.epoch, p.time, p.owner \
        FROM (SELECT DISTINCT x AS partition FROM unnest(?::int4[]) AS x) AS v \
        CROSS JOIN taker AS t \
        LEFT JOIN @partitions AS p ON p.partition = v.partition \
        LEFT JOIN @nodes AS n ON n.node = p.owner \
        WHERE v.partition < (SELECT flow_partitions FROM @meta) \
            AND (p.owner IS NULL OR p.owner = t.node OR n.dead IS DISTINCT FROM false)), \
    losers AS (UPDATE @nodes AS n SET fence = n.fence + 1 \
        WHERE n.node IN (SELECT owner FROM free) AND n.node <> (SELECT node FROM given) RETURNING n.node, n.time), \
    writers AS (SELECT * FROM taker UNION ALL SELECT * FROM losers), \
    taken AS (INSERT INTO @partitions AS p (partition, epoch, nonce, owner, time) \
        SELECT f.partition, greatest(f.epoch + 1, g.floor), g.nonce, g.node, coalesce(greatest(f.time, w.time), 0) \
        FROM free AS f CROSS JOIN given AS g LEFT JOIN writers AS w ON w.node = f.owner \
        ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch, nonce = excluded.nonce, \
            owner = excluded.owner, time = excluded.time \
        RETURNING p.partition, p.epoch, p.time) \
    SELECT t.partition, t.epoch, t.time, f.owner FROM taken AS t JOIN free AS f ON f.partition = t.partition \
    ORDER BY t.partition";

/// A dead node that owns nothing is forgotten after a week, which is longer
/// than anybody asks for it.
const FORGET_AFTER_MS: i64 = 7 * 86_400_000;

pub(crate) async fn now(store: &PostgresBackend) -> StoreResult<TimestampMs> {
    let rows = store
        .own_again(NOW, || {
            let mut binds = Binds::default();
            binds.maybe_int(store.given_time());
            binds
        })
        .await?;
    time_of(&rows)?.ok_or_else(|| errors::corrupt("server", "clock", "now", "no answer"))
}

fn time_of(rows: &[PgRow]) -> StoreResult<Option<TimestampMs>> {
    rows.first().map(|row| Column::of(row, "nodes", &"now").int(0, "now").map(TimestampMs)).transpose()
}

pub(crate) async fn register(store: &PostgresBackend, node: NodeId, ttl_ms: u64) -> StoreResult<()> {
    let ttl = number("lease time", ttl_ms)?;
    // What is read from here on is of the server that runs now, or of a later
    // one, which will show.
    let started = store.own_again(STARTED, Binds::default).await?;
    let started = started.first().map(|row| Column::of(row, "server", &"started").int(0, "started")).transpose()?;
    store.place().begin(started);
    let rows = store.own_again(REGISTER, || {
        let mut binds = Binds::default();
        binds.maybe_int(store.given_time());
        binds.int(FORGET_AFTER_MS);
        binds.uuid(node.as_uuid());
        binds.int(ttl);
        binds
    });
    rows.await.map(drop)
}

pub(crate) async fn heartbeat(store: &PostgresBackend, node: NodeId, ttl_ms: u64) -> StoreResult<Option<TimestampMs>> {
    let ttl = number("lease time", ttl_ms)?;
    let rows = store.own_again(HEARTBEAT, || {
        let mut binds = Binds::default();
        binds.maybe_int(store.given_time());
        binds.int(ttl);
        binds.uuid(node.as_uuid());
        binds
    });
    let rows = rows.await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let started = Column::of(row, "server", &"started").int(1, "started")?;
    if store.place().is_lost(node, started) {
        tracing::warn!(%node, "the store may have less than it had; the node begins anew");
        bury(store, node, true).await?;
        return Ok(None);
    }
    time_of(&rows)
}

pub(crate) async fn bury(store: &PostgresBackend, node: NodeId, proven_gone: bool) -> StoreResult<bool> {
    let rows = store.own_again(BURY, || {
        let mut binds = Binds::default();
        binds.maybe_int(store.given_time());
        binds.uuid(node.as_uuid());
        binds.bool(proven_gone);
        binds
    });
    let rows = rows.await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("nodes", node, "dead", "no answer")) };
    Column::of(row, "nodes", &node).bool(0, "dead")
}

pub(crate) async fn nodes(store: &PostgresBackend) -> StoreResult<Vec<NodeRow>> {
    let rows = store.read(NODES, Binds::default).await?;
    rows.iter().map(node_row).collect()
}

/// A row of [`NODES`].
pub(crate) fn node_row(row: &PgRow) -> StoreResult<NodeRow> {
    let node = NodeId::from_uuid(Column::of(row, "nodes", &"?").uuid(0, "node")?);
    let column = Column::of(row, "nodes", &node);
    Ok(NodeRow { node, expires_at: TimestampMs(column.int(1, "expires_at")?), dead: column.bool(2, "dead")? })
}

/// Four trips: `BEGIN`, the lock, the statement, `COMMIT`. The lock comes first
/// and alone, so that the statement's snapshot shows what the takeover before
/// this one did.
pub(crate) async fn take(
    store: &PostgresBackend,
    node: NodeId,
    nonce: u64,
    partitions: &[u16],
    epoch_floor: u64,
) -> StoreResult<Vec<Taken>> {
    let mut binds = Binds::default();
    binds.uuid(node.as_uuid());
    binds.int(nonce.cast_signed());
    binds.int(number("ownership epoch", epoch_floor)?);
    binds.partitions(partitions.iter().copied());
    let mut transaction = store.ownership_transaction().await?;
    transaction.run_plain(&store.texts().get(ONE_AT_A_TIME)).await?;
    let rows = transaction.run(store.texts().get(TAKE), binds).await?;
    let taken = rows.iter().map(taken).collect::<StoreResult<_>>()?;
    transaction.commit().await?;
    Ok(taken)
}

fn taken(row: &PgRow) -> StoreResult<Taken> {
    let partition = Column::of(row, "partitions", &"?").partition(0, "partition")?;
    let column = Column::of(row, "partitions", &partition);
    Ok(Taken {
        partition,
        epoch: column.count(1, "epoch")?,
        time: TimestampMs(column.int(2, "time")?),
        previous_owner: column.maybe_uuid(3, "owner")?.map(NodeId::from_uuid),
    })
}
