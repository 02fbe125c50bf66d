//! What the servers are, and whether the engine can run on them.

use crate::options::Durability;
use crate::wire::{Cut, Lane, Primary, error_of};
use crate::{errors, memory, values};
use leasehold_backend::{Obstacle, StoreError, StoreResult};
use redis::Value;

/// The least versions, as (major, minor).
const REDIS_MIN: (u32, u32) = (7, 0);
const VALKEY_MIN: (u32, u32) = (7, 2);

/// Redis has the wait for the append-only file from this version on; every
/// Valkey that is accepted has it.
const REDIS_WAITAOF: (u32, u32) = (7, 2);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host and port.
    pub address: String,
    /// Redis or Valkey.
    pub product: &'static str,
    /// Its version, as it writes it.
    pub version: String,
    /// What it does when its memory is full.
    pub policy: String,
    /// The memory in use, in bytes.
    pub used_bytes: u64,
    /// The memory it may use; 0 when nothing bounds it.
    pub max_bytes: u64,
    /// Whether it keeps an append-only file.
    pub aof: bool,
    /// When that file is on the disk; none where the server does not tell.
    pub appendfsync: Option<String>,
    /// How many replicas follow it.
    pub replicas: u32,
    /// Whether it follows another one itself.
    pub is_replica: bool,
    major_minor: (u32, u32),
}

/// The value of a line `name:value`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

impl Server {
    fn read(address: &str, info: &str, appendfsync: Option<String>) -> Option<Self> {
        let valkey = field(info, "valkey_version");
        let (product, version) = match valkey {
            Some(version) => ("Valkey", version),
            None => ("Redis", field(info, "redis_version")?),
        };
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        let bytes = |name| field(info, name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Some(Self {
            address: address.to_owned(),
            product,
            version: version.to_owned(),
            policy: field(info, "maxmemory_policy")?.to_owned(),
            used_bytes: bytes("used_memory"),
            max_bytes: bytes("maxmemory"),
            aof: field(info, "aof_enabled") == Some("1"),
            appendfsync,
            replicas: field(info, "connected_slaves").and_then(|value| value.parse().ok()).unwrap_or(0),
            is_replica: field(info, "role") == Some("slave"),
            major_minor: (numbers.next()??, numbers.next()??),
        })
    }

    fn has_waitaof(&self) -> bool {
        self.product == "Valkey" || self.major_minor >= REDIS_WAITAOF
    }

    fn least(&self) -> (u32, u32) {
        if self.product == "Valkey" { VALKEY_MIN } else { REDIS_MIN }
    }

    pub(crate) fn is_too_old(&self) -> bool {
        self.major_minor < self.least()
    }

    /// Why the engine must not run on it with this durability class, if it
    /// must not.
    pub fn obstacles(&self, durability: Durability) -> Vec<Obstacle> {
        let Self { address, product, version, .. } = self;
        let mut obstacles = Vec::new();
        if self.is_too_old() {
            let (major, minor) = self.least();
            obstacles.push(Obstacle::new(
                format!(
                    "{address} runs {product} {version}, and the engine needs {product} {major}.{minor} or newer, \
                     since it keeps its functions in the server"
                ),
                "Upgrade the server (Redis 7.0, Valkey 7.2), or use another one",
            ));
        }
        if self.is_replica {
            obstacles.push(Obstacle::new(
                format!("{address} is a replica and takes no writes"),
                "Name the primary in the store's address",
            ));
        }
        if self.policy != "noeviction" {
            obstacles.push(Obstacle::new(
                format!(
                    "{address} has maxmemory-policy {}, under which it deletes records when memory is short",
                    self.policy
                ),
                "Set `maxmemory-policy noeviction`, in the server's configuration file too",
            ));
        }
        match durability {
            Durability::Acknowledged => {}
            Durability::Fsynced => obstacles.extend(self.fsync_obstacle()),
            Durability::Replicated(wanted) => obstacles.extend(self.replica_obstacle(wanted)),
        }
        obstacles
    }

    /// The first of [`Self::obstacles`].
    pub fn obstacle(&self, durability: Durability) -> Option<Obstacle> {
        self.obstacles(durability).into_iter().next()
    }

    /// Whether it has no memory left for anything that grows.
    pub fn is_full(&self) -> bool {
        !memory::has_room(self.used_bytes, self.max_bytes)
    }

    /// No commit would ever be confirmed.
    fn replica_obstacle(&self, wanted: u32) -> Option<Obstacle> {
        let Self { address, replicas, .. } = self;
        (*replicas < wanted).then(|| {
            Obstacle::new(
                format!("The durability class `replicated` waits for {wanted} replicas, and {address} has {replicas}"),
                "Attach replicas, lower `store.redis.replicas`, or choose another class",
            )
        })
    }

    fn fsync_obstacle(&self) -> Option<Obstacle> {
        let Self { address, product, version, .. } = self;
        if !self.aof {
            return Some(Obstacle::new(
                format!("{address} has no append-only file, and the durability class `fsynced` was asked for"),
                "Set `appendonly yes`, or choose the class `acknowledged`",
            ));
        }
        if self.appendfsync.as_deref() == Some("always") {
            return None;
        }
        if self.has_waitaof() {
            // A server that leaves the disk to the operating system never
            // learns what is on it, and no wait for it ends well.
            let never = self.appendfsync.as_deref() == Some("no");
            return never.then(|| {
                Obstacle::new(
                    format!(
                        "The durability class `fsynced` was asked for, and {address} has appendfsync no, so that it \
                         never syncs its append-only file"
                    ),
                    "Set `appendfsync everysec` or `always`, or choose the class `acknowledged`",
                )
            });
        }
        let found = self.appendfsync.as_deref().unwrap_or("unknown, since the server does not tell its configuration");
        Some(Obstacle::new(
            format!(
                "The durability class `fsynced` was asked for, and {address} runs {product} {version}, which cannot \
                 wait for its append-only file (Redis 7.2 and Valkey can); its appendfsync is {found}"
            ),
            "Set `appendfsync always`, upgrade the server, or choose the class `acknowledged`",
        ))
    }
}

/// Looks at a server.
///
/// # Errors
///
/// `Refused` in one paragraph when it cannot be asked.
pub(crate) async fn ask(primary: &Primary) -> StoreResult<Server> {
    let sections = ["server", "memory", "persistence", "replication"];
    let mut commands = sections.map(|section| redis::cmd("INFO").arg(section).clone()).to_vec();
    commands.push(redis::cmd("CONFIG").arg("GET").arg("appendfsync").clone());
    let mut answers = primary.send(Lane::Ownership, &commands).await.map_err(|cut| of_cut(&cut))?;
    // Some servers tell nobody how they are configured, and that is no reason
    // to refuse them.
    let appendfsync = match answers.pop() {
        Some(Value::Array(pair)) => pair.get(1).and_then(values::text),
        _ => None,
    };
    if let Some(error) = answers.iter().find_map(error_of) {
        return Err(refusal(&primary.address, error));
    }
    let info: String = answers.iter().filter_map(values::text).collect::<Vec<_>>().join("\n");
    Server::read(&primary.address, &info, appendfsync).ok_or_else(|| {
        StoreError::refused(format!(
            "{} does not answer INFO as Redis and Valkey do. Check the address.",
            primary.address
        ))
    })
}

/// What a server that cannot be reached means at the start.
pub(crate) fn of_cut(cut: &Cut) -> StoreError {
    match cut {
        Cut::Denied(text) => StoreError::refused(format!(
            "The store refused the credentials: {text}. Check user and password in the store's address."
        )),
        Cut::Unreached(text) | Cut::Lost(text) => StoreError::refused(format!(
            "The store cannot be reached: {text}. Check the store's address, and that the server runs."
        )),
    }
}

/// An error of the server before anything was written.
pub(crate) fn refusal(address: &str, error: &redis::ServerError) -> StoreError {
    let text = errors::text(error);
    match error.code() {
        "NOAUTH" | "WRONGPASS" => StoreError::refused(format!(
            "{address} refused the credentials: {text}. Check user and password in the store's address."
        )),
        "NOPERM" => StoreError::refused(format!(
            "{address} does not let this user do what the engine has to: {text}. Give the user the permission."
        )),
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" => StoreError::busy(text),
        _ => StoreError::refused(format!("{address} refused a command the engine cannot do without: {text}.")),
    }
}

/// The command that waits until a commit is as durable as it was asked to be.
pub(crate) fn wait_for(durability: Durability, server: &Server, timeout_ms: u128) -> Option<crate::wire::Wait> {
    match durability {
        Durability::Fsynced if server.has_waitaof() => Some(crate::wire::Wait {
            command: redis::cmd("WAITAOF").arg(1).arg(0).arg(timeout_ms as u64).clone(),
            wanted: 1,
        }),
        // With `appendfsync always`, which was checked, the answer itself waits.
        Durability::Acknowledged | Durability::Fsynced => None,
        Durability::Replicated(replicas) => Some(crate::wire::Wait {
            command: redis::cmd("WAIT").arg(replicas).arg(timeout_ms as u64).clone(),
            wanted: replicas,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(info: &str) -> Server {
        let info = format!("{info}\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n");
        Server::read("a:1", &info, Some("everysec".to_owned())).unwrap()
    }

    #[test]
    fn versions_are_those_of_the_product() {
        let valkey = server("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1");
        assert_eq!(valkey.product, "Valkey");
        for (good, waitaof) in [
            ("redis_version:7.2.4\r\nvalkey_version:8.0.1", true),
            ("redis_version:7.2.4\r\nvalkey_version:7.2.0", true),
            ("redis_version:7.0.15", false),
            ("redis_version:7.2.0", true),
            ("redis_version:7.4.0", true),
            ("redis_version:8.0.0", true),
        ] {
            let server = server(good);
            assert_eq!((server.obstacle(Durability::Acknowledged), server.has_waitaof()), (None, waitaof), "{good}");
        }
        for old in ["redis_version:6.2.6", "redis_version:5.0.14", "redis_version:7.2.4\r\nvalkey_version:7.0.9"] {
            let told = server(old).obstacle(Durability::Acknowledged).unwrap().to_string();
            assert!(told.contains("a:1 runs") && told.contains("Upgrade") && !told.contains('\n'), "{told}");
        }
        assert_eq!(Server::read("a:1", "some_version:1", None), None);
    }

    #[test]
    fn what_cannot_keep_its_promise_is_an_obstacle() {
        let good = server("redis_version:7.0.15\r\nrole:master");
        let evicting = Server { policy: "allkeys-lru".to_owned(), ..good.clone() };
        let bare = Server { aof: false, ..good.clone() };
        let lazy = Server { appendfsync: Some("no".to_owned()), ..server("redis_version:7.2.0") };
        let followed = Server { replicas: 1, ..bare.clone() };
        for (server, durability, told) in [
            (&evicting, Durability::Acknowledged, "allkeys-lru"),
            (&server("redis_version:7.0.15\r\nrole:slave"), Durability::Acknowledged, "replica"),
            (&bare, Durability::Fsynced, "no append-only file"),
            (&good, Durability::Fsynced, "appendfsync is everysec"),
            (&lazy, Durability::Fsynced, "never syncs"),
            (&followed, Durability::Replicated(2), "2 replicas, and a:1 has 1"),
        ] {
            let obstacle = server.obstacle(durability).unwrap();
            assert!(obstacle.what.contains(told), "{obstacle}");
        }
        let always = Server { appendfsync: Some("always".to_owned()), ..good.clone() };
        let silent = Server { appendfsync: None, ..server("redis_version:7.2.0") };
        for (server, durability) in [
            (&good, Durability::Acknowledged),
            (&followed, Durability::Replicated(1)),
            (&always, Durability::Fsynced),
            (&silent, Durability::Fsynced),
            (&lazy, Durability::Acknowledged),
            (&server("redis_version:7.2.0"), Durability::Fsynced),
        ] {
            assert_eq!(server.obstacle(durability), None, "{server:?}");
        }
    }
}
