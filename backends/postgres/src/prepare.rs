//! The schema, and what the store was set up for.

use crate::PostgresBackend;
use crate::binds::Binds;
use crate::errors;
use crate::pool::Transaction;
use crate::read::Column;
use leasehold_backend::{StoreError, StoreIdentity, StoreResult};
use leasehold_core::partition::PartitionConfig;
use uuid::Uuid;

/// Migrations in order; the schema's version is how many were applied.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_inbox.sql"),
];

/// The oldest server that will do.
const SERVER_VERSION_MIN: i32 = 140_000;

/// What a schema of ours says of itself.
const MARK: &str = "leasehold store";

/// Lets one node at a time prepare a schema. The lock ends with the
/// transaction.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('leasehold prepares ' || ?::text, 0))";

/// What the server is, and what is in the schema: version, whether writes are
/// possible, whether the schema exists, what it says of itself, and how many
/// things are in it.
const KIND: &str = "SELECT current_setting('server_version_num')::int4, \
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, n.oid IS NOT NULL, \
    coalesce(obj_description(n.oid, 'pg_namespace'), ''), \
    (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid), current_setting('server_version') \
    FROM (SELECT ?::text AS name) AS v LEFT JOIN pg_namespace AS n ON n.nspname = v.name";

/// The schema's version.
const VERSION: &str = "SELECT coalesce(max(version), 0) FROM @migrations";

/// Notes a migration.
const APPLIED: &str = "INSERT INTO @migrations (version) VALUES (?::int8::int4)";

/// What the store was set up for.
const META: &str = "SELECT store_id, flow_partitions, budget_partitions, quota_partitions FROM @meta";

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
    let version = schema_version(store, &mut transaction).await?;
    let known = match version {
        None => None,
        Some(_) => Some(meta(store, &mut transaction, config).await?),
    };
    let version = version.unwrap_or_default();
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

/// How many migrations were applied; none when there is no schema yet.
async fn schema_version(store: &PostgresBackend, transaction: &mut Transaction<'_>) -> StoreResult<Option<usize>> {
    let schema = store.texts().schema();
    let mut binds = Binds::default();
    binds.text(schema);
    let rows = transaction.run(store.texts().get(KIND), binds).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("server", schema, "kind", "no answer")) };
    let column = Column::of(row, "server", &schema);
    let server = column.text(5, "server_version")?;
    if column.small_int(0, "server_version_num")? < SERVER_VERSION_MIN {
        return Err(StoreError::refused(format!(
            "The PostgreSQL server has version {server}, and the store needs 14 or newer. Upgrade the server, or use \
             another one."
        )));
    }
    if column.bool(1, "read_only")? {
        return Err(StoreError::refused(
            "The PostgreSQL server takes no writes: it is a standby, or the role or the database is set to read only. \
             Name the primary in the store's URL, or lift the setting.",
        ));
    }
    let (exists, mark, things) = (column.bool(2, "exists")?, column.text(3, "comment")?, column.int(4, "things")?);
    if mark != MARK {
        if things > 0 {
            return Err(StoreError::refused(format!(
                "The schema {schema} of the database holds things of another program. Give the engine a schema of its \
                 own, in the store's option `schema`."
            )));
        }
        if !exists {
            let create = format!("CREATE SCHEMA \"{schema}\"");
            transaction.run_plain(&create).await.map_err(|error| not_allowed(error, schema))?;
        }
        return Ok(None);
    }
    let rows = transaction.run(store.texts().get(VERSION), Binds::default()).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("migrations", schema, "version", "no answer")) };
    let version = Column::of(row, "migrations", &schema).small_int(0, "version")?;
    let version = usize::try_from(version).map_err(|error| errors::corrupt("migrations", schema, "version", error))?;
    if version > MIGRATIONS.len() {
        return Err(StoreError::refused(format!(
            "The schema {schema} has version {version} and this program knows versions up to {}. A newer version has \
             worked on it; run that one, or go back to a backup from before.",
            MIGRATIONS.len()
        )));
    }
    Ok(Some(version))
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

async fn meta(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    config: &PartitionConfig,
) -> StoreResult<Uuid> {
    let schema = store.texts().schema();
    let rows = transaction.run(store.texts().get(META), Binds::default()).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("meta", schema, "store_id", "it is missing")) };
    let column = Column::of(row, "meta", &"store");
    let stored = PartitionConfig {
        num_flow_partitions: column.partition(1, "flow_partitions")?,
        num_budget_partitions: column.partition(2, "budget_partitions")?,
        num_quota_partitions: column.partition(3, "quota_partitions")?,
    };
    if stored != *config {
        return Err(StoreError::refused(format!(
            "The schema {schema} was set up with {}/{}/{} flow, budget and quota partitions, and the configuration \
             asks for {}/{}/{}. The counts are part of every id and fixed for the life of a store: configure the \
             stored ones, or use another schema.",
            stored.num_flow_partitions,
            stored.num_budget_partitions,
            stored.num_quota_partitions,
            config.num_flow_partitions,
            config.num_budget_partitions,
            config.num_quota_partitions,
        )));
    }
    column.uuid(0, "store_id")
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
