//! What may be claimed.

use super::{Column, execution, page};
use crate::PostgresBackend;
use crate::binds::Binds;
use leasehold_backend::{ReadyGroup, StoreResult};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::codec;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::Execution;
use sqlx::postgres::PgRow;
use std::sync::Arc;
use uuid::Uuid;

/// Groups with something ready, jumping from one to the next in the index
/// instead of reading all entries between them. The record comes along where
/// the column has only the key of a very long set.
const GROUPS: &str = "\
    WITH RECURSIVE jump AS ( \
        (SELECT lane, requirements, CASE WHEN length(requirements) > 400 THEN record END AS record \
            FROM @executions WHERE rank IS NOT NULL AND partition = ? \
            AND (lane, requirements) > (?::text, @group_key(?::text)) ORDER BY lane, requirements LIMIT 1) \
        UNION ALL \
        SELECT n.lane, n.requirements, n.record FROM jump AS j CROSS JOIN LATERAL ( \
            SELECT lane, requirements, CASE WHEN length(requirements) > 400 THEN record END AS record \
                FROM @executions WHERE rank IS NOT NULL AND partition = ? \
                AND (lane, requirements) > (j.lane, j.requirements) ORDER BY lane, requirements LIMIT 1) AS n) \
    SELECT lane, requirements, record FROM jump LIMIT ?";

/// Ready executions of one group in rank order.
const READY: &str = "SELECT id, record FROM @executions \
    WHERE rank IS NOT NULL AND partition = ? AND lane = ? AND requirements = @group_key(?::text) \
    AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?";

/// The first ready executions of a lane. Its groups are each in rank order;
/// the first entries of each, merged, are the first of the lane.
const ELIGIBLE: &str = "\
    WITH RECURSIVE jump AS ( \
        (SELECT requirements FROM @executions WHERE rank IS NOT NULL AND partition = ? AND lane = ? \
            ORDER BY requirements LIMIT 1) \
        UNION ALL \
        SELECT n.requirements FROM jump AS j CROSS JOIN LATERAL ( \
            SELECT requirements FROM @executions WHERE rank IS NOT NULL AND partition = ? AND lane = ? \
                AND requirements > j.requirements ORDER BY requirements LIMIT 1) AS n) \
    SELECT r.id FROM jump AS g CROSS JOIN LATERAL ( \
        SELECT rank, id FROM @executions WHERE rank IS NOT NULL AND partition = ? AND lane = ? \
            AND requirements = g.requirements ORDER BY rank, id LIMIT ?) AS r \
    ORDER BY r.rank, r.id LIMIT ?";

/// Requirements as the store compares them: separated by a character that
/// sorts before everything in a token, so that the order of texts is the
/// order of sets.
pub(crate) fn group_text(requirements: &CapabilitySet) -> String {
    let mut text = String::new();
    for token in requirements.iter() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(token);
    }
    text
}

pub(crate) async fn ready_groups(
    store: &PostgresBackend,
    partition: u16,
    after: Option<&ReadyGroup>,
    limit: usize,
) -> StoreResult<Vec<ReadyGroup>> {
    // No lane is empty, so every group follows the empty one.
    let lane = after.map_or("", |after| after.lane_id.as_str());
    let requirements = after.map(|after| group_text(&after.requirements)).unwrap_or_default();
    let rows = store
        .read(GROUPS, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            binds.text(lane);
            binds.text(&requirements);
            binds.partition(partition);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter().map(group).collect()
}

fn group(row: &PgRow) -> StoreResult<ReadyGroup> {
    let column = Column::of(row, "executions", &"ready");
    let lane_id = LaneId::try_new(column.text(0, "lane")?).map_err(|error| column.corrupt("lane", error))?;
    let requirements = match column.maybe_bytes(2, "record")? {
        Some(record) => {
            let execution: Execution = codec::decode(record).map_err(|error| column.corrupt("record", error))?;
            execution.spec.requirements.clone()
        }
        None => CapabilitySet::parse_required(column.text(1, "requirements")?.split(' ').filter(|t| !t.is_empty()))
            .map_err(|error| column.corrupt("requirements", error))?,
    };
    Ok(ReadyGroup { lane_id, requirements })
}

pub(crate) async fn scan_ready(
    store: &PostgresBackend,
    partition: u16,
    group: &ReadyGroup,
    after: Option<(i64, Uuid)>,
    limit: usize,
) -> StoreResult<Vec<Arc<Execution>>> {
    let requirements = group_text(&group.requirements);
    let (rank, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    let rows = store
        .read(READY, || {
            let mut binds = Binds::default();
            binds.partition(partition);
            binds.text(group.lane_id.as_str());
            binds.text(&requirements);
            binds.int(rank);
            binds.uuid(id);
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter().map(|row| execution(row, partition)).collect()
}

pub(crate) async fn scan_eligible(
    store: &PostgresBackend,
    partition: u16,
    lane: &LaneId,
    limit: usize,
) -> StoreResult<Vec<ExecutionId>> {
    let rows = store
        .read(ELIGIBLE, || {
            let mut binds = Binds::default();
            for _ in 0..3 {
                binds.partition(partition);
                binds.text(lane.as_str());
            }
            binds.int(page(limit));
            binds.int(page(limit));
            binds
        })
        .await?;
    rows.iter()
        .map(|row| Ok(ExecutionId::from_parts(partition, Column::of(row, "executions", &"ready").uuid(0, "id")?)))
        .collect()
}
