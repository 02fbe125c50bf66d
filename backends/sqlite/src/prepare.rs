//! The schema, and what the file was set up for.

use crate::SqliteBackend;
use crate::binds::Binds;
use crate::errors;
use crate::inspect;
use crate::read::Column;
use crate::writer::{Step, Writer};
use leasehold_backend::{Obstacle, StoreError, StoreIdentity, StoreResult};
use leasehold_core::partition::PartitionConfig;
use std::path::Path;
use uuid::Uuid;

/// Migrations in order; the schema's version is how many were applied.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_inbox.sql"),
    include_str!("../../../migrations/sqlite/0003_kept.sql"),
];

/// Marks the file as ours: "LsHd".
pub(crate) const APPLICATION_ID: i64 = 0x4c73_4864;

/// What the file is: its mark, its schema's version, and how many things are
/// in it.
pub(crate) const KIND: &str = "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) \
    FROM pragma_application_id AS a, pragma_user_version AS v";

/// What the store was set up for.
pub(crate) const META: &str = "SELECT store_id, flow_partitions, budget_partitions, quota_partitions FROM meta";

/// Notes once what the store was set up for.
const SET_UP: &str = "INSERT INTO meta \
    (only_row, store_id, flow_partitions, budget_partitions, quota_partitions, created_at) VALUES (1, ?, ?, ?, ?, ?)";

/// Sixteen random bytes of SQLite's own generator.
const RANDOM: &str = "SELECT randomblob(16)";

/// Brings the schema up to date and checks that the store belongs to this
/// configuration.
pub(crate) async fn prepare(store: &SqliteBackend, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
    config.validate().map_err(|error| StoreError::refused(format!("The partition counts are unusable: {error}.")))?;
    let mut writer = store.writer().await?;
    let prepared = prepare_in(store, &mut writer, config).await;
    if prepared.is_err() {
        writer.roll_back().await;
    }
    prepared
}

async fn prepare_in(
    store: &SqliteBackend,
    writer: &mut Writer,
    config: &PartitionConfig,
) -> StoreResult<StoreIdentity> {
    writer.run_plain("BEGIN IMMEDIATE").await?;
    let version = schema_version(writer, store.path_text()).await?;
    let known = match version {
        0 => None,
        _ => meta(writer, config, store.path_text()).await?,
    };
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        writer.run_plain(migration).await?;
        let sql = format!("PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION_ID}", index + 1);
        let binds = Binds::default();
        writer.run(Step::new(sql, binds)).await?;
    }
    let store_id = match known {
        Some(store_id) => store_id,
        None => set_up(store, writer, config).await?,
    };
    writer.run_plain("COMMIT").await?;
    Ok(StoreIdentity { store_id, schema_version: MIGRATIONS.len() as u32 })
}

async fn schema_version(writer: &mut Writer, path: &str) -> StoreResult<usize> {
    let answers = writer.run_plain(KIND).await?;
    let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else {
        return Err(errors::corrupt("pragma", path, "user_version", "no answer"));
    };
    let Some(version) = version_of(&Column::of(row, "pragma", &"kind"))? else {
        return Err(inspect::foreign(Path::new(path)).into());
    };
    if version > MIGRATIONS.len() {
        return Err(Obstacle::newer_schema(path, version as u32, MIGRATIONS.len() as u32).into());
    }
    Ok(version)
}

/// The schema's version in the answer to [`KIND`]: 0 when nothing is there, none
/// when something else is.
pub(crate) fn version_of(column: &Column<'_>) -> StoreResult<Option<usize>> {
    let application = column.int(0, "application_id")?;
    let version = column.count(1, "user_version")? as usize;
    let things = column.int(2, "count")?;
    let foreign = application != APPLICATION_ID && (application != 0 || version != 0 || things != 0);
    Ok((!foreign).then_some(version))
}

async fn meta(writer: &mut Writer, config: &PartitionConfig, path: &str) -> StoreResult<Option<Uuid>> {
    let answers = writer.run_plain(META).await?;
    let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else { return Ok(None) };
    let column = Column::of(row, "meta", &"store");
    let stored = counts_of(&column)?;
    if stored != *config {
        return Err(Obstacle::other_partitions(path, stored, *config, "file").into());
    }
    column.uuid(0, "store_id").map(Some)
}

/// The partition counts in the answer to [`META`].
pub(crate) fn counts_of(column: &Column<'_>) -> StoreResult<PartitionConfig> {
    Ok(PartitionConfig {
        num_flow_partitions: column.partition(1, "flow_partitions")?,
        num_budget_partitions: column.partition(2, "budget_partitions")?,
        num_quota_partitions: column.partition(3, "quota_partitions")?,
    })
}

async fn set_up(store: &SqliteBackend, writer: &mut Writer, config: &PartitionConfig) -> StoreResult<Uuid> {
    let answers = writer.run_plain(RANDOM).await?;
    let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else {
        return Err(errors::corrupt("meta", "store", "store_id", "no random bytes"));
    };
    let random = Column::of(row, "meta", &"store").uuid(0, "store_id")?;
    let store_id = uuid::Builder::from_random_bytes(random.into_bytes()).into_uuid();
    let mut binds = Binds::with_capacity(5);
    binds.uuid(store_id);
    binds.int(i64::from(config.num_flow_partitions));
    binds.int(i64::from(config.num_budget_partitions));
    binds.int(i64::from(config.num_quota_partitions));
    binds.int(store.time().0);
    writer.run(Step::new(SET_UP, binds)).await?;
    Ok(store_id)
}
