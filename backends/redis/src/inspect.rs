//! Looking at the servers and at the store on them.
//!
//! The parts are what [`prepare`](crate::prepare) judges by; [`inspect`] puts
//! them together for people. It only reads, and calls no function, so that
//! none is loaded either.

use crate::keys::{Kind, SYSTEM_TAG, tag_of};
use crate::keyspace::{self, Keyspace};
use crate::options::{Durability, without_password};
use crate::server::Server;
use crate::values::{self, Place};
use crate::wire::{Call, How, Lane, Primary, error_of};
use crate::{RedisBackend, RedisOptions, library, nodes, server};
use leasehold_backend::{
    Backend as _, Clock as _, ClockReading, Holdings, Obstacle, StoreError, StoreResult, SystemClock,
};
use leasehold_core::partition::PartitionConfig;
use redis::Value;
use uuid::Uuid;

/// The version of the key layout.
pub const SCHEMA_VERSION: u32 = 1;

/// What the store's description holds.
pub(crate) const FIELDS: [&str; 5] = ["schema", "store_id", "flow_partitions", "budget_partitions", "quota_partitions"];

/// How the function library of this program stands on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// It is not there yet, or was flushed.
    Missing,
    /// It is there.
    Loaded,
    /// Something else is there under its name.
    Altered,
}

/// The function libraries of the engine on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functions {
    /// The server.
    pub address: String,
    /// The library of this program.
    pub own: Own,
    /// The versions of others, which are left alone.
    pub others: Vec<u32>,
    /// The version of this program's.
    pub known_version: u32,
}

impl Functions {
    /// Why the engine must not run on this server, if it must not.
    pub fn obstacle(&self) -> Option<Obstacle> {
        let name = library::name();
        (self.own == Own::Altered).then(|| {
            Obstacle::new(
                format!(
                    "{} holds a function library {name} that is not this program's: another program uses the name, or \
                     it was edited",
                    self.address
                ),
                format!("Remove it with `FUNCTION DELETE {name}` when nothing else uses it"),
            )
        })
    }
}

/// What is stored under the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing.
    Empty,
    /// Something of another program, and why it is taken for that.
    Foreign(String),
    /// A store that a newer version has worked on.
    Newer(u32),
    /// A store.
    Store {
        /// The version of the key layout.
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
    pub fn obstacle(&self, prefix: &str, config: &PartitionConfig) -> Option<Obstacle> {
        let place = format!("The store under `{prefix}:`");
        match self {
            Self::Foreign(why) => Some(Obstacle::new(
                format!("The keys that begin with `{prefix}:` belong to another program ({why})"),
                "Give the engine a prefix of its own, in the store's option `prefix`",
            )),
            Self::Newer(version) => Some(Obstacle::newer_schema(place, *version, SCHEMA_VERSION)),
            Self::Store { partitions, .. } if partitions != config => {
                Some(Obstacle::other_partitions(place, *partitions, *config, "prefix"))
            }
            Self::Empty | Self::Store { .. } => None,
        }
    }
}

/// What the servers and the store on them say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The addresses the store was looked for at, without passwords.
    pub addresses: Vec<String>,
    /// What every key begins with.
    pub prefix: String,
    /// Whether it is a Cluster.
    pub clustered: bool,
    /// What an acknowledged commit is to survive.
    pub durability: Durability,
    /// The servers that take writes.
    pub servers: Vec<Server>,
    /// Their function libraries; of those too old to have any there is none.
    pub functions: Vec<Functions>,
    /// What is stored.
    pub contents: Contents,
    /// The clock of the server that keeps the nodes, beside this machine's.
    pub clock: ClockReading,
    /// Nodes and partitions; none where there is no store.
    pub holdings: Option<Holdings>,
    /// The keys, where they were asked for.
    pub keys: Option<Keyspace>,
}

impl Report {
    /// Why the engine must not run here with these partition counts, if it
    /// must not.
    pub fn obstacle(&self, config: &PartitionConfig) -> Option<Obstacle> {
        let of_servers = self.servers.iter().find_map(|server| server.obstacle(self.durability));
        of_servers
            .or_else(|| self.functions.iter().find_map(Functions::obstacle))
            .or_else(|| self.contents.obstacle(&self.prefix, config))
    }
}

/// Looks at the servers and at the store on them; with `keys` also at every key
/// of the store, up to a bound. Nothing is made, changed or loaded.
///
/// # Errors
///
/// [`StoreError::Refused`] when the options are unusable or no server can be
/// reached or entered.
pub async fn inspect(options: RedisOptions, config: &PartitionConfig, keys: bool) -> StoreResult<Report> {
    let store = RedisBackend::open(options).await?;
    let report = report(&store, config, keys).await;
    store.close().await;
    report
}

async fn report(store: &RedisBackend, config: &PartitionConfig, keys: bool) -> StoreResult<Report> {
    let mut servers = Vec::new();
    let mut libraries = Vec::new();
    for primary in &store.wire.topology().primaries {
        let server = server::ask(primary).await?;
        // A server that is too old has no functions to list.
        if !server.is_too_old() {
            libraries.push(functions(primary).await?);
        }
        servers.push(server);
    }
    let clock = SystemClock::default();
    let before = clock.now();
    let told = store.now().await?;
    let clock = ClockReading { before, store: told, after: clock.now() };
    let contents = contents(store, config).await?;
    let holdings = match &contents {
        Contents::Store { partitions, .. } => Some(nodes::holdings(store, partitions.num_flow_partitions).await?),
        _ => None,
    };
    let keys = if keys { Some(keyspace::count(store).await?) } else { None };
    Ok(Report {
        addresses: store.options.urls.iter().map(|url| without_password(url)).collect(),
        prefix: store.options.prefix.clone(),
        clustered: store.is_cluster(),
        durability: store.options.durability,
        servers,
        functions: libraries,
        contents,
        clock,
        holdings,
        keys,
    })
}

/// The engine's function libraries on a server.
pub(crate) async fn functions(primary: &Primary) -> StoreResult<Functions> {
    let pattern = format!("{}*", library::STEM);
    let list = redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(pattern).arg("WITHCODE").clone();
    let answers = primary.send(Lane::Ownership, [&list]).await.map_err(|cut| server::of_cut(&cut))?;
    if let Some(error) = answers.iter().find_map(error_of) {
        return Err(server::refusal(&primary.address, error));
    }
    let mut functions = Functions {
        address: primary.address.clone(),
        own: Own::Missing,
        others: Vec::new(),
        known_version: library::VERSION,
    };
    let Some(Value::Array(found)) = answers.into_iter().next() else { return Ok(functions) };
    for one in &found {
        match (field_of(one, "library_name"), field_of(one, "library_code")) {
            (Some(name), Some(code)) if name == library::name() => {
                functions.own = if code == library::code() { Own::Loaded } else { Own::Altered };
            }
            (Some(name), _) => {
                functions.others.extend(name.strip_prefix(library::STEM).and_then(|rest| rest.parse::<u32>().ok()));
            }
            _ => {}
        }
    }
    functions.others.sort_unstable();
    Ok(functions)
}

/// A field of a library in the answer to `FUNCTION LIST`, which is a list of
/// names and values.
fn field_of(library: &Value, name: &str) -> Option<String> {
    let Value::Array(pairs) = library else { return None };
    let pair = pairs.chunks(2).find(|pair| values::text(&pair[0]).as_deref() == Some(name))?;
    values::text(pair.get(1)?)
}

/// What is stored under the prefix.
pub(crate) async fn contents(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<Contents> {
    let found = description(store).await?;
    if found != Contents::Empty {
        return Ok(found);
    }
    let Some(key) = stray(store, config).await? else { return Ok(Contents::Empty) };
    // Another node may have set the store up meanwhile.
    Ok(match description(store).await? {
        Contents::Empty => Contents::Foreign(format!("{key} exists, and the store's description does not")),
        found => found,
    })
}

/// What the store says of itself.
async fn description(store: &RedisBackend) -> StoreResult<Contents> {
    let key = store.keys.meta();
    let get = redis::cmd("HMGET").arg(&key).arg(&FIELDS).clone();
    let exists = redis::cmd("EXISTS").arg(&key).clone();
    let values = match store.wire.call(&How::READ, Call::new(SYSTEM_TAG, vec![get, exists])).await.read() {
        Ok(values) => values,
        Err(StoreError::Corrupt(error)) => return Ok(Contents::Foreign(error.to_string())),
        Err(other) => return Err(other),
    };
    let place = Place::new("meta", &store.options.prefix);
    let [values, exists] =
        <[Value; 2]>::try_from(values).map_err(|values| place.corrupt("meta", format!("{} answers", values.len())))?;
    let [schema, store_id, flow, budget, quota] = <[Value; 5]>::try_from(place.list(values)?)
        .map_err(|values| place.corrupt("meta", format!("{} fields", values.len())))?;
    let Some(version) = place.maybe_number::<u32>("schema", &schema)? else {
        return Ok(match place.int(&exists)? {
            0 => Contents::Empty,
            _ => Contents::Foreign(format!("{} is no description of a store", String::from_utf8_lossy(&key))),
        });
    };
    if version > SCHEMA_VERSION {
        return Ok(Contents::Newer(version));
    }
    let count =
        |field, value| place.maybe_number::<u16>(field, value)?.ok_or_else(|| place.corrupt(field, "it is missing"));
    Ok(Contents::Store {
        version,
        store_id: place
            .maybe_number::<Uuid>("store_id", &store_id)?
            .ok_or_else(|| place.corrupt("store_id", "it is missing"))?,
        partitions: PartitionConfig {
            num_flow_partitions: count("flow_partitions", &flow)?,
            num_budget_partitions: count("budget_partitions", &budget)?,
            num_quota_partitions: count("quota_partitions", &quota)?,
        },
    })
}

/// A key that a store would use, where there is no store.
async fn stray(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<Option<String>> {
    let nodes = (SYSTEM_TAG.to_owned(), vec![store.keys.nodes()]);
    let partitions = (0..config.num_flow_partitions).map(|partition| {
        let names = Kind::ALL.iter().map(|kind| store.keys.of(partition, *kind)).collect();
        (tag_of(partition), names)
    });
    let places: Vec<(String, Vec<Vec<u8>>)> = std::iter::once(nodes).chain(partitions).collect();
    let calls = places.iter().map(|(tag, names)| {
        let commands = names.iter().map(|name| redis::cmd("EXISTS").arg(name).clone()).collect();
        Call::new(tag, commands)
    });
    let answers = store.wire.calls(&How::READ, calls.collect()).await;
    for ((_, names), answer) in places.iter().zip(answers) {
        for (name, found) in names.iter().zip(answer.read()?) {
            if Place::new("key", &store.options.prefix).int(&found)? != 0 {
                return Ok(Some(String::from_utf8_lossy(name).into_owned()));
            }
        }
    }
    Ok(None)
}
