//! The configuration: a file and, before it, the environment.
//!
//! Every key has a default, [`Config::default`]; `cluster.toml` at the root of
//! the repository says the same with a comment for each, and a test compares
//! them. What is wrong is named by file and line, or by variable.

use leasehold_core::token::Keyring;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::{Table, Value};

/// The file that is read when none is named and it is there.
pub const DEFAULT_FILE: &str = "cluster.toml";

/// What every variable begins with. One without a section, such as
/// `LEASEHOLD_URL` or those a container platform makes up, is not meant.
const PREFIX: &str = "LEASEHOLD_";

/// Stands between section and key.
const SEPARATOR: &str = "__";

/// The configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub store: Store,
    pub partitions: Partitions,
    pub waitpoints: Waitpoints,
    pub http: Http,
    pub node: Engine,
    pub log: Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    Sqlite,
    Postgres,
    Redis,
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    Acknowledged,
    Fsynced,
    Replicated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    Full,
    Normal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub kind: StoreKind,
    pub path: PathBuf,
    pub synchronous: Synchronous,
    pub readers: NonZeroU32,
    pub writer_cache_kib: NonZeroU32,
    pub reader_cache_kib: NonZeroU32,
    pub wal_reserve_mib: u32,
    pub wal_limit_mib: NonZeroU32,
    pub postgres: Postgres,
    pub redis: Redis,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Postgres {
    pub url: Token,
    pub schema: String,
    pub pooler: bool,
    pub readers: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    pub url: Token,
    pub prefix: String,
    pub durability: Durability,
    pub replicas: NonZeroU32,
    pub readers: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Partitions {
    pub flow: NonZeroU16,
    pub budget: NonZeroU16,
    pub quota: NonZeroU16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Waitpoints {
    pub kid: String,
    pub secret_hex: Token,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    pub token: Token,
    pub allow_insecure: bool,
    pub cors_origins: Vec<String>,
    pub hmac_grace_ms: u64,
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the fields are the keys of the file, with their unit last")]
pub struct Limits {
    pub create_bytes: NonZeroU32,
    pub bulk_bytes: NonZeroU32,
    pub complete_bytes: NonZeroU32,
    pub signal_bytes: NonZeroU32,
    pub flow_bytes: NonZeroU32,
    pub other_bytes: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    pub lease_ms: NonZeroU32,
    pub heartbeat_ms: NonZeroU32,
    pub shutdown_ms: NonZeroU32,
    pub cache_mib: NonZeroU32,
    pub ready_window: NonZeroU32,
    pub due_window: NonZeroU32,
    pub claim_batch: NonZeroU32,
    pub permits_partition: NonZeroU32,
    pub permits_holders: NonZeroU32,
    pub permits_node: NonZeroU32,
    pub permits_namespace: NonZeroU32,
    pub permit_wait_ms: NonZeroU32,
    pub command_deadline_ms: NonZeroU32,
    pub commit_rows: NonZeroU32,
    pub commit_parts: NonZeroU32,
    pub event_buffer: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub filter: String,
}

/// A bearer token, a key's secret, or an address that may hold a password;
/// empty for none. It is neither shown nor written anywhere.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Token {
    const fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "…" }
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// A number that is written down here and not zero.
fn of(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::Sqlite,
            path: "leasehold.db".into(),
            synchronous: Synchronous::Full,
            readers: of(4),
            writer_cache_kib: of(16 * 1024),
            reader_cache_kib: of(8 * 1024),
            wal_reserve_mib: 32,
            wal_limit_mib: of(1024),
            postgres: Postgres::default(),
            redis: Redis::default(),
        }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Self { url: Token::default(), schema: "leasehold".to_owned(), pooler: false, readers: of(4) }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: Token::default(),
            prefix: "leasehold".to_owned(),
            durability: Durability::Acknowledged,
            replicas: of(1),
            readers: of(2),
        }
    }
}

impl Default for Partitions {
    fn default() -> Self {
        let of = |number| NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN);
        Self { flow: of(256), budget: of(32), quota: of(32) }
    }
}

impl Default for Waitpoints {
    fn default() -> Self {
        Self { kid: "k1".to_owned(), secret_hex: Token::default() }
    }
}

impl Waitpoints {
    /// The key it names; none is left to the partitions.
    fn check(&self) -> Result<(), String> {
        if self.secret_hex.0.is_empty() {
            return Ok(());
        }
        let seeded = Keyring::default().seed(&self.kid, &self.secret_hex.0);
        seeded.map(drop).map_err(|error| format!("waitpoints: {error}"))
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7420)),
            token: Token::default(),
            allow_insecure: false,
            cors_origins: Vec::new(),
            hmac_grace_ms: 86_400_000,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            create_bytes: of(3 << 19),
            bulk_bytes: of(32 << 20),
            complete_bytes: of(3 << 19),
            signal_bytes: of(1 << 18),
            flow_bytes: of(32 << 20),
            other_bytes: of(1 << 16),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            lease_ms: of(15_000),
            heartbeat_ms: of(5_000),
            shutdown_ms: of(15_000),
            cache_mib: of(64),
            ready_window: of(256),
            due_window: of(1024),
            claim_batch: of(16),
            permits_partition: of(1024),
            permits_holders: of(1024),
            permits_node: of(16_384),
            permits_namespace: of(8192),
            permit_wait_ms: of(1_000),
            command_deadline_ms: of(30_000),
            commit_rows: of(4096),
            commit_parts: of(1024),
            event_buffer: of(4096),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// A line of the file.
    #[error("{path}:{line}: {reason}")]
    Line { path: String, line: usize, reason: String },
    /// A variable.
    #[error("{variable}: {reason}")]
    Variable { variable: String, reason: String },
    /// Values that do not go together, wherever they come from.
    #[error("{0}")]
    Together(String),
}

impl Config {
    /// Reads the named file, else [`DEFAULT_FILE`] if it is there, and then
    /// the variables.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let shown = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ConfigError::File { path: shown, reason: error.to_string() }),
        };
        Self::parse(&shown, &text, variables)
    }

    fn parse(
        path: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let at = |error: &toml::de::Error| ConfigError::Line {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1),
            reason: error.message().trim_end().replace('\n', ", "),
        };
        let mut config: Self = toml::from_str(text).map_err(|error| at(&error))?;
        let mut table: Table = toml::from_str(text).map_err(|error| at(&error))?;
        let known = Table::try_from(Self::default()).map_err(|error| ConfigError::Together(error.to_string()))?;
        // In one order, whatever order the environment has.
        for (variable, given) in variables.into_iter().collect::<BTreeMap<_, _>>() {
            let Some(name) = variable.strip_prefix(PREFIX).filter(|name| name.contains(SEPARATOR)) else { continue };
            let refused = |reason: String| ConfigError::Variable { variable: variable.clone(), reason };
            let name = name.to_ascii_lowercase();
            let keys: Vec<&str> = name.split(SEPARATOR).collect();
            set(&mut table, &known, &keys, &given).map_err(refused)?;
            config = table.clone().try_into().map_err(|error: toml::de::Error| refused(error.message().to_owned()))?;
        }
        config.check().map_err(ConfigError::Together)?;
        Ok(config)
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), String> {
        if self.node.heartbeat_ms.get() > self.node.lease_ms.get() / 2 {
            return Err(format!(
                "node.heartbeat_ms: {} is more than half of node.lease_ms, {}; one late heartbeat would cost the lease",
                self.node.heartbeat_ms, self.node.lease_ms
            ));
        }
        if self.store.kind == StoreKind::Sqlite && self.store.path.as_os_str().is_empty() {
            return Err("store.path: empty".to_owned());
        }
        self.waitpoints.check()
    }
}

/// Puts a variable's value where its key is, read as what the default is.
fn set(table: &mut Table, known: &Table, keys: &[&str], given: &str) -> Result<(), String> {
    let unknown = || {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        format!("unknown key, expected one of {}", names.join(", "))
    };
    let Some((key, rest)) = keys.split_first() else { return Err(unknown()) };
    match known.get(*key) {
        Some(Value::Table(known)) => match table.entry(*key).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(table) => set(table, known, rest, given),
            _ => Err("the file has a value where a section belongs".to_owned()),
        },
        Some(default) if rest.is_empty() => {
            table.insert((*key).to_owned(), read_as(default, given)?);
            Ok(())
        }
        _ => Err(unknown()),
    }
}

fn read_as(default: &Value, given: &str) -> Result<Value, String> {
    Ok(match default {
        Value::Integer(_) => Value::Integer(given.trim().parse().map_err(|_| "not a whole number".to_owned())?),
        Value::Boolean(_) => Value::Boolean(given.trim().parse().map_err(|_| "neither true nor false".to_owned())?),
        Value::Array(_) => {
            let entries = given.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Value::Array(entries.map(|entry| Value::String(entry.to_owned())).collect())
        }
        _ => Value::String(given.to_owned()),
    })
}

#[cfg(test)]
mod tests;
