//! What may be claimed.

use super::{Column, execution, page};
use crate::SqliteBackend;
use crate::binds::Binds;
use leasehold_backend::{PAGE_MAX, ReadyGroup, StoreResult};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::Execution;
use sqlx::sqlite::SqliteRow;
use std::sync::Arc;
use uuid::Uuid;

/// Groups with something ready, jumping from one to the next in the index
/// instead of reading all entries between them. The next one is looked for in
/// the same lane first, since SQLite compares a pair of columns with another
/// row's by the index on the first column only.
pub(super) const GROUPS: &str = "\
    WITH RECURSIVE jump (row) AS ( \
        SELECT (SELECT rowid FROM executions WHERE queue = 'ready' AND partition = ?1 \
            AND (lane, requirements) > (?2, ?3) ORDER BY lane, requirements LIMIT 1) \
        UNION ALL \
        SELECT coalesce( \
            (SELECT n.rowid FROM executions AS n WHERE n.queue = 'ready' AND n.partition = ?1 \
                AND n.lane = e.lane AND n.requirements > e.requirements ORDER BY n.requirements LIMIT 1), \
            (SELECT n.rowid FROM executions AS n WHERE n.queue = 'ready' AND n.partition = ?1 \
                AND n.lane > e.lane ORDER BY n.lane, n.requirements LIMIT 1)) \
        FROM jump JOIN executions AS e ON e.rowid = jump.row \
        LIMIT ?4 + 1) \
    SELECT e.lane, e.requirements FROM jump JOIN executions AS e ON e.rowid = jump.row LIMIT ?4";

/// The same within one lane.
pub(super) const LANE_GROUPS: &str = "\
    WITH RECURSIVE jump (row) AS ( \
        SELECT (SELECT rowid FROM executions WHERE queue = 'ready' AND partition = ?1 \
            AND lane = ?2 AND requirements > ?3 ORDER BY requirements LIMIT 1) \
        UNION ALL \
        SELECT (SELECT n.rowid FROM executions AS n WHERE n.queue = 'ready' AND n.partition = ?1 \
            AND n.lane = ?2 AND n.requirements > e.requirements ORDER BY n.requirements LIMIT 1) \
        FROM jump JOIN executions AS e ON e.rowid = jump.row \
        LIMIT ?4 + 1) \
    SELECT e.lane, e.requirements FROM jump JOIN executions AS e ON e.rowid = jump.row LIMIT ?4";

/// Ready executions of one group in rank order.
pub(super) const READY: &str = "SELECT id, record FROM executions \
    WHERE queue = 'ready' AND partition = ? AND lane = ? AND requirements = ? AND (score, id) > (?, ?) \
    ORDER BY score, id LIMIT ?";

/// The first ready executions of one group, without their records.
pub(super) const RANKS: &str = "SELECT score, id FROM executions \
    WHERE queue = 'ready' AND partition = ? AND lane = ? AND requirements = ? ORDER BY score, id LIMIT ?";

pub(crate) async fn ready_groups(
    store: &SqliteBackend,
    partition: u16,
    after: Option<&ReadyGroup>,
    limit: usize,
) -> StoreResult<Vec<ReadyGroup>> {
    let mut binds = Binds::with_capacity(4);
    binds.int(i64::from(partition));
    if let Some(after) = after {
        binds.text(after.lane_id.as_str());
        binds.text(&after.requirements.to_csv());
    } else {
        // No lane is empty, so every group follows this one.
        binds.text("");
        binds.text("");
    }
    binds.int(page(limit));
    store.read(GROUPS.into(), binds).await?.iter().map(group).collect()
}

fn group(row: &SqliteRow) -> StoreResult<ReadyGroup> {
    let column = Column::of(row, "executions", &"ready");
    let lane_id = LaneId::try_new(column.text(0, "lane")?).map_err(|error| column.corrupt("lane", error))?;
    let requirements =
        CapabilitySet::parse_required(column.text(1, "requirements")?.split(',').filter(|t| !t.is_empty()))
            .map_err(|error| column.corrupt("requirements", error))?;
    Ok(ReadyGroup { lane_id, requirements })
}

pub(crate) async fn scan_ready(
    store: &SqliteBackend,
    partition: u16,
    group: &ReadyGroup,
    after: Option<(i64, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let mut binds = Binds::with_capacity(6);
    binds.int(i64::from(partition));
    binds.text(group.lane_id.as_str());
    binds.text(&group.requirements.to_csv());
    if let Some((score, id)) = after {
        binds.int(score);
        binds.uuid(id);
    } else {
        binds.int(i64::MIN);
        binds.bytes(Vec::new());
    }
    binds.int(page(limit));
    store.read(READY.into(), binds).await?.iter().map(|row| execution(row, partition)).collect()
}

/// The groups of a lane are each in rank order; their first entries, merged,
/// are the first of the lane. A lane has few groups, usually one.
pub(crate) async fn scan_eligible(
    store: &SqliteBackend,
    partition: u16,
    lane: &LaneId,
    limit: usize,
) -> StoreResult<Vec<ExecutionId>> {
    let limit = limit.min(PAGE_MAX);
    let mut found: Vec<(i64, Uuid)> = Vec::new();
    for requirements in groups_of(store, partition, lane).await? {
        let mut binds = Binds::with_capacity(4);
        binds.int(i64::from(partition));
        binds.text(lane.as_str());
        binds.text(&requirements.to_csv());
        binds.int(page(limit));
        for row in store.read(RANKS.into(), binds).await? {
            let column = Column::of(&row, "executions", &"ready");
            found.push((column.int(0, "score")?, column.uuid(1, "id")?));
        }
        found.sort_unstable();
        found.truncate(limit);
    }
    Ok(found.into_iter().map(|(_, id)| ExecutionId::from_parts(partition, id)).collect())
}

async fn groups_of(store: &SqliteBackend, partition: u16, lane: &LaneId) -> StoreResult<Vec<CapabilitySet>> {
    // Nothing precedes the empty set, so the search goes on from it and never
    // finds it.
    let mut sets = vec![CapabilitySet::EMPTY];
    loop {
        let mut binds = Binds::with_capacity(4);
        binds.int(i64::from(partition));
        binds.text(lane.as_str());
        binds.text(&sets.last().map(CapabilitySet::to_csv).unwrap_or_default());
        binds.int(page(PAGE_MAX));
        let rows = store.read(LANE_GROUPS.into(), binds).await?;
        for row in &rows {
            sets.push(group(row)?.requirements);
        }
        if rows.len() < PAGE_MAX {
            return Ok(sets);
        }
    }
}
