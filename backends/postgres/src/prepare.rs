//! The schema, and what the store was set up for.

use crate::PostgresBackend;
use crate::binds::Binds;
use crate::errors;
use crate::inspect::{self, Contents, MARK};
use crate::pool::Transaction;
use crate::read::Column;
use leasehold_backend::{StoreError, StoreIdentity, StoreResult};
use leasehold_core::partition::PartitionConfig;
use uuid::Uuid;

/// Migrations in order; the schema's version is how many were applied.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_inbox.sql"),
    include_str!("../../../migrations/postgres/0003_kept.sql"),
];

/// Lets one node at a time prepare a schema. The lock ends with the
/// transaction.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('leasehold prepares ' || ?::text, 0))";

/// Notes a migration.
const APPLIED: &str = "INSERT INTO @migrations (version) VALUES (?::int8::int4)";

/// Notes once what the store was set up for. The identity is a random
/// (version 4) uuid of the server's.
const SET_UP: &str = "INSERT INTO @meta \
    (only_row, store_id, flow_partitions, budget_partitions, quota_partitions, created_at) \
    VALUES (true, gen_random_uuid(), ?, ?, ?, floor(extract(epoch FROM clock_timestamp()) * 1000)::int8) \
    RETURNING store_id";

/// Brings the schema up to date and checks that the store belongs to this
/// configuration.
pub(crate) async fn prepare(store: &PostgresBackend, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
    config.validate().map_err(|error| StoreError::refused(format!("The partition counts are unusable: {error}.")))?;
    let mut transaction = store.ownership_transaction().await?;
    let mut binds = Binds::default();
    binds.text(store.texts().schema());
    transaction.run(store.texts().get(ALONE), binds).await?;
    let contents = inspect::look(store, &mut transaction, config).await?;
    if contents == Contents::Missing {
        create(store, &mut transaction).await?;
    }
    let (version, known) = match contents {
        Contents::Store { version, store_id, .. } => (version as usize, Some(store_id)),
        _ => (0, None),
    };
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        apply(store, &mut transaction, index, migration).await?;
    }
    let store_id = match known {
        Some(store_id) => store_id,
        None => set_up(store, &mut transaction, config).await?,
    };
    transaction.commit().await?;
    Ok(StoreIdentity { store_id, schema_version: MIGRATIONS.len() as u32 })
}

async fn create(store: &PostgresBackend, transaction: &mut Transaction<'_>) -> StoreResult<()> {
    let schema = store.texts().schema();
    let create = format!("CREATE SCHEMA \"{schema}\"");
    transaction.run_plain(&create).await.map(drop).map_err(|error| not_allowed(error, schema))
}

/// Runs a migration, which names nothing but its own things, with the schema
/// first on the path until the transaction ends.
async fn apply(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    index: usize,
    migration: &str,
) -> StoreResult<()> {
    let schema = store.texts().schema();
    let path = format!("SET LOCAL search_path TO \"{schema}\"; COMMENT ON SCHEMA \"{schema}\" IS '{MARK}'");
    transaction.run_plain(&path).await.map_err(|error| not_allowed(error, schema))?;
    transaction.run_plain(migration).await.map_err(|error| not_allowed(error, schema))?;
    let mut binds = Binds::default();
    binds.int(index as i64 + 1);
    transaction.run(store.texts().get(APPLIED), binds).await.map(drop)
}

fn not_allowed(error: StoreError, schema: &str) -> StoreError {
    match error {
        StoreError::Permanent { message } => StoreError::refused(format!(
            "The schema {schema} cannot be set up: {message}. Let the role create it (CREATE on the database), or \
             create it beforehand and make the role its owner."
        )),
        other => other,
    }
}

async fn set_up(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    config: &PartitionConfig,
) -> StoreResult<Uuid> {
    let mut binds = Binds::default();
    binds.partition(config.num_flow_partitions);
    binds.partition(config.num_budget_partitions);
    binds.partition(config.num_quota_partitions);
    let rows = transaction.run(store.texts().get(SET_UP), binds).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("meta", "store", "store_id", "no answer")) };
    Column::of(row, "meta", &"store").uuid(0, "store_id")
}
