//! Looking at a server and at the store's schema.
//!
//! [`look`] is what [`prepare`](crate::prepare) judges by; [`inspect`] does the
//! same for people and alters nothing: the server itself is told that its
//! transaction only reads.

use crate::binds::Binds;
use crate::errors;
use crate::options::without_password;
use crate::ownership;
use crate::pool::Transaction;
use crate::prepare::MIGRATIONS;
use crate::read::Column;
use crate::{PostgresBackend, PostgresOptions};
use leasehold_backend::{Backend as _, Clock as _, ClockReading, Holdings, Obstacle, StoreResult, SystemClock};
use leasehold_core::ids::NodeId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The oldest server that will do, as `server_version_num` counts.
const SERVER_VERSION_MIN: i32 = 140_000;

/// What a schema of ours says of itself.
pub(crate) const MARK: &str = "leasehold store";

/// What the server is and how it keeps what it has confirmed, and what is in
/// the schema: whether it exists, what it says of itself, and how many things
/// are in it.
const KIND: &str = "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, \
    current_setting('fsync')::bool, current_setting('full_page_writes')::bool, \
    current_setting('synchronous_commit'), floor(extract(epoch FROM clock_timestamp()) * 1000)::int8, \
    n.oid IS NOT NULL, coalesce(obj_description(n.oid, 'pg_namespace'), ''), \
    (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid) \
    FROM (SELECT ?::text AS name) AS v LEFT JOIN pg_namespace AS n ON n.nspname = v.name";

/// The schema's version.
const VERSION: &str = "SELECT coalesce(max(version), 0) FROM @migrations";

/// What the store was set up for.
const META: &str = "SELECT store_id, flow_partitions, budget_partitions, quota_partitions FROM @meta";

/// How many partitions each node holds.
const HELD: &str = "SELECT owner, count(*) FROM @partitions GROUP BY owner";

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, as it writes it.
    pub version: String,
    /// Its version as a number, such as 150018.
    pub version_number: i32,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// Whether it waits for its disk.
    pub fsync: bool,
    /// Whether a page that was half written survives.
    pub full_page_writes: bool,
    /// What a commit waits for.
    pub synchronous_commit: String,
    /// Its clock.
    pub time: TimestampMs,
}

impl Server {
    /// Why the engine must not run on it, if it must not.
    pub fn obstacle(&self) -> Option<Obstacle> {
        if self.version_number < SERVER_VERSION_MIN {
            return Some(Obstacle::new(
                format!("The PostgreSQL server has version {}, and the store needs 14 or newer", self.version),
                "Upgrade the server, or use another one",
            ));
        }
        if self.read_only {
            return Some(Obstacle::new(
                "The PostgreSQL server takes no writes: it is a standby, or the role or the database is set to read \
                 only",
                "Name the primary in the store's URL, or lift the setting",
            ));
        }
        None
    }
}

/// What is in the store's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// There is no such schema.
    Missing,
    /// Nothing is in it.
    Empty,
    /// Something else is in it.
    Foreign,
    /// A store that a newer version has worked on.
    Newer(u32),
    /// A store.
    Store {
        /// The schema's version.
        version: u32,
        /// The store's identity.
        store_id: Uuid,
        /// What it was set up for.
        partitions: PartitionConfig,
    },
}

impl Contents {
    /// Why the engine must not run on it with these partition counts, if it
    /// must not.
    pub fn obstacle(&self, schema: &str, config: &PartitionConfig) -> Option<Obstacle> {
        let place = format!("The schema {schema}");
        match self {
            Self::Foreign => Some(Obstacle::new(
                format!("{place} of the database holds things of another program"),
                "Give the engine a schema of its own, in the store's option `schema`",
            )),
            Self::Newer(version) => Some(Obstacle::newer_schema(place, *version, MIGRATIONS.len() as u32)),
            Self::Store { partitions, .. } if partitions != config => {
                Some(Obstacle::other_partitions(place, *partitions, *config, "schema"))
            }
            Self::Missing | Self::Empty | Self::Store { .. } => None,
        }
    }
}

/// What a server and the store's schema on it say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The server's URL without its password.
    pub url: String,
    /// The store's schema.
    pub schema: String,
    /// The server.
    pub server: Server,
    /// What is in the schema.
    pub contents: Contents,
    /// The newest schema version this program knows.
    pub known_version: u32,
    /// The server's clock beside this machine's.
    pub clock: ClockReading,
    /// Nodes and partitions; none where there is no store.
    pub holdings: Option<Holdings>,
}

impl Report {
    /// Why the engine must not run here with these partition counts, if it
    /// must not.
    pub fn obstacle(&self, config: &PartitionConfig) -> Option<Obstacle> {
        self.server.obstacle().or_else(|| self.contents.obstacle(&self.schema, config))
    }
}

/// Looks at a server and at the store's schema. Nothing is made or changed.
///
/// # Errors
///
/// [`StoreError::Refused`](leasehold_backend::StoreError::Refused) when the
/// options are unusable or the server cannot be reached or entered; otherwise
/// what the server answers to a role that may not read.
pub async fn inspect(options: PostgresOptions) -> StoreResult<Report> {
    let url = without_password(&options.url);
    let store = PostgresBackend::open(options).await?;
    let report = report(&store, url).await;
    store.close().await;
    report
}

async fn report(store: &PostgresBackend, url: String) -> StoreResult<Report> {
    let mut transaction = store.ownership_transaction().await?;
    let clock = SystemClock::default();
    let before = clock.now();
    let (server, found) = look_at_server(store, &mut transaction).await?;
    let clock = ClockReading { before, store: server.time, after: clock.now() };
    // Only now: what the server was set to has been read.
    transaction.run_plain("SET TRANSACTION READ ONLY").await?;
    let contents = look_inside(store, &mut transaction, found).await?;
    let holdings = match &contents {
        Contents::Store { partitions, .. } => Some(holdings(store, &mut transaction, *partitions).await?),
        _ => None,
    };
    transaction.commit().await?;
    let schema = store.texts().schema().to_owned();
    Ok(Report { url, schema, server, contents, known_version: MIGRATIONS.len() as u32, clock, holdings })
}

/// What is in the store's schema.
///
/// # Errors
///
/// `Refused` when the engine must not run here with these partition counts.
pub(crate) async fn look(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    config: &PartitionConfig,
) -> StoreResult<Contents> {
    let (server, found) = look_at_server(store, transaction).await?;
    if let Some(obstacle) = server.obstacle() {
        return Err(obstacle.into());
    }
    let contents = look_inside(store, transaction, found).await?;
    match contents.obstacle(store.texts().schema(), config) {
        Some(obstacle) => Err(obstacle.into()),
        None => Ok(contents),
    }
}

/// What the catalogue says of the schema.
struct Found {
    exists: bool,
    marked: bool,
    things: i64,
}

async fn look_at_server(store: &PostgresBackend, transaction: &mut Transaction<'_>) -> StoreResult<(Server, Found)> {
    let schema = store.texts().schema();
    let mut binds = Binds::default();
    binds.text(schema);
    let rows = transaction.run(store.texts().get(KIND), binds).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("server", schema, "kind", "no answer")) };
    let column = Column::of(row, "server", &schema);
    let server = Server {
        version_number: column.small_int(0, "server_version_num")?,
        version: column.text(1, "server_version")?.to_owned(),
        read_only: column.bool(2, "read_only")?,
        fsync: column.bool(3, "fsync")?,
        full_page_writes: column.bool(4, "full_page_writes")?,
        synchronous_commit: column.text(5, "synchronous_commit")?.to_owned(),
        time: TimestampMs(column.int(6, "time")?),
    };
    let found = Found {
        exists: column.bool(7, "exists")?,
        marked: column.text(8, "comment")? == MARK,
        things: column.int(9, "things")?,
    };
    Ok((server, found))
}

async fn look_inside(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    found: Found,
) -> StoreResult<Contents> {
    if !found.marked {
        return Ok(match found {
            Found { things: 1.., .. } => Contents::Foreign,
            Found { exists: true, .. } => Contents::Empty,
            Found { exists: false, .. } => Contents::Missing,
        });
    }
    let schema = store.texts().schema();
    let rows = transaction.run(store.texts().get(VERSION), Binds::default()).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("migrations", schema, "version", "no answer")) };
    let version = Column::of(row, "migrations", &schema).small_int(0, "version")?;
    let version = u32::try_from(version).map_err(|error| errors::corrupt("migrations", schema, "version", error))?;
    if version as usize > MIGRATIONS.len() {
        return Ok(Contents::Newer(version));
    }
    let rows = transaction.run(store.texts().get(META), Binds::default()).await?;
    let Some(row) = rows.first() else { return Err(errors::corrupt("meta", schema, "store_id", "it is missing")) };
    let column = Column::of(row, "meta", &"store");
    Ok(Contents::Store {
        version,
        store_id: column.uuid(0, "store_id")?,
        partitions: PartitionConfig {
            num_flow_partitions: column.partition(1, "flow_partitions")?,
            num_budget_partitions: column.partition(2, "budget_partitions")?,
            num_quota_partitions: column.partition(3, "quota_partitions")?,
        },
    })
}

async fn holdings(
    store: &PostgresBackend,
    transaction: &mut Transaction<'_>,
    config: PartitionConfig,
) -> StoreResult<Holdings> {
    let rows = transaction.run(store.texts().get(ownership::NODES), Binds::default()).await?;
    let nodes = rows.iter().map(ownership::node_row).collect::<StoreResult<_>>()?;
    let rows = transaction.run(store.texts().get(HELD), Binds::default()).await?;
    let mut held = BTreeMap::new();
    for row in &rows {
        let owner = NodeId::from_uuid(Column::of(row, "partitions", &"?").uuid(0, "owner")?);
        let column = Column::of(row, "partitions", &owner);
        let count = u32::try_from(column.count(1, "count")?).map_err(|error| column.corrupt("count", error))?;
        held.insert(owner, count);
    }
    let free = u32::from(config.num_flow_partitions).saturating_sub(held.values().sum());
    Ok(Holdings { nodes, held, free })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, version_number: i32) -> Server {
        Server {
            version: version.to_owned(),
            version_number,
            read_only: false,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            time: TimestampMs(0),
        }
    }

    #[test]
    fn a_server_before_14_is_too_old() {
        for (version, number) in [("13.14", 130_014), ("9.6.24", 90_624), ("13.99", 130_099)] {
            let obstacle = server(version, number).obstacle().unwrap();
            assert!(obstacle.what.contains(&format!("version {version}, and the store needs 14")), "{obstacle}");
        }
        for (version, number) in [("14.0", 140_000), ("15.18", 150_018), ("18.1", 180_001)] {
            assert_eq!(server(version, number).obstacle(), None);
        }
    }

    #[test]
    fn what_the_engine_must_not_run_on_is_told() {
        let config = PartitionConfig::default();
        let store = |version| Contents::Store { version, store_id: Uuid::nil(), partitions: config };
        for contents in [Contents::Missing, Contents::Empty, store(1), store(2)] {
            assert_eq!(contents.obstacle("s", &config), None, "{contents:?}");
        }
        let other = PartitionConfig { num_quota_partitions: 1, ..config };
        for (contents, asked, told) in [
            (Contents::Foreign, config, "another program"),
            (Contents::Newer(9), config, "schema version 9"),
            (store(1), other, "32/1"),
        ] {
            let told_of = contents.obstacle("s", &asked).unwrap();
            assert!(told_of.what.starts_with("The schema s ") && told_of.what.contains(told), "{told_of}");
        }
    }
}
