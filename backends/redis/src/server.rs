//! What the servers are, and whether the engine can run on them.

use crate::options::Durability;
use crate::wire::{Cut, Lane, Primary, error_of};
use crate::{errors, values};
use leasehold_backend::{StoreError, StoreResult};
use redis::Value;

/// The least versions, as (major, minor).
const REDIS_MIN: (u32, u32) = (7, 0);
const VALKEY_MIN: (u32, u32) = (7, 2);

/// Redis has the wait for the append-only file from this version on; every
/// Valkey that is accepted has it.
const REDIS_WAITAOF: (u32, u32) = (7, 2);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) product: &'static str,
    pub(crate) version: String,
    pub(crate) policy: String,
    pub(crate) aof: bool,
    major_minor: (u32, u32),
}

/// The value of a line `name:value`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

impl Facts {
    fn read(info: &str) -> Option<Self> {
        let valkey = field(info, "valkey_version");
        let (product, version) = match valkey {
            Some(version) => ("Valkey", version),
            None => ("Redis", field(info, "redis_version")?),
        };
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        Some(Self {
            product,
            version: version.to_owned(),
            policy: field(info, "maxmemory_policy")?.to_owned(),
            aof: field(info, "aof_enabled") == Some("1"),
            major_minor: (numbers.next()??, numbers.next()??),
        })
    }

    fn has_waitaof(&self) -> bool {
        self.product == "Valkey" || self.major_minor >= REDIS_WAITAOF
    }

    /// Why the engine cannot run on such a server, if it cannot.
    fn obstacle(&self, address: &str) -> Option<String> {
        let least = if self.product == "Valkey" { VALKEY_MIN } else { REDIS_MIN };
        if self.major_minor < least {
            return Some(format!(
                "{address} runs {} {}, and the engine needs {} {}.{} or newer (or Redis 7.0, Valkey 7.2), since it \
                 keeps its functions in the server. Upgrade the server.",
                self.product, self.version, self.product, least.0, least.1
            ));
        }
        if self.policy != "noeviction" {
            return Some(format!(
                "{address} has maxmemory-policy {}, under which it deletes records when memory is short. Set \
                 `maxmemory-policy noeviction`, in the server's configuration file too.",
                self.policy
            ));
        }
        None
    }
}

/// Looks at a server.
///
/// # Errors
///
/// `Refused` in one paragraph when the engine cannot run on it.
pub(crate) async fn examine(primary: &Primary, durability: Durability) -> StoreResult<Facts> {
    let sections = ["server", "memory", "persistence"];
    let commands = sections.map(|section| redis::cmd("INFO").arg(section).clone());
    let answers = primary.send(Lane::Ownership, &commands).await.map_err(|cut| of_cut(&cut))?;
    if let Some(error) = answers.iter().find_map(error_of) {
        return Err(refusal(&primary.address, error));
    }
    let info: String = answers.iter().filter_map(values::text).collect::<Vec<_>>().join("\n");
    let facts = Facts::read(&info).ok_or_else(|| {
        StoreError::refused(format!(
            "{} does not answer INFO as Redis and Valkey do. Check the address.",
            primary.address
        ))
    })?;
    if let Some(obstacle) = facts.obstacle(&primary.address) {
        return Err(StoreError::refused(obstacle));
    }
    if durability == Durability::Fsynced {
        check_fsync(primary, &facts).await?;
    }
    Ok(facts)
}

async fn check_fsync(primary: &Primary, facts: &Facts) -> StoreResult<()> {
    let address = &primary.address;
    if !facts.aof {
        return Err(StoreError::refused(format!(
            "{address} has no append-only file, and the durability class `fsynced` was asked for. Set `appendonly \
             yes`, or choose the class `acknowledged`."
        )));
    }
    if facts.has_waitaof() {
        return Ok(());
    }
    let get = redis::cmd("CONFIG").arg("GET").arg("appendfsync").clone();
    let answers = primary.send(Lane::Ownership, [&get]).await.map_err(|cut| of_cut(&cut))?;
    let value = match answers.first() {
        Some(Value::Array(pair)) => pair.get(1).and_then(values::text),
        _ => None,
    };
    if value.as_deref() == Some("always") {
        return Ok(());
    }
    let found = value.unwrap_or_else(|| "unknown, since the server does not tell its configuration".to_owned());
    Err(StoreError::refused(format!(
        "The durability class `fsynced` was asked for, and {address} runs {} {}, which cannot wait for its \
         append-only file (Redis 7.2 and Valkey can); its appendfsync is {found}. Set `appendfsync always`, upgrade \
         the server, or choose the class `acknowledged`.",
        facts.product, facts.version
    )))
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
pub(crate) fn wait_for(durability: Durability, facts: &Facts, timeout_ms: u128) -> Option<crate::wire::Wait> {
    match durability {
        Durability::Fsynced if facts.has_waitaof() => Some(crate::wire::Wait {
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

    fn facts(info: &str) -> Facts {
        Facts::read(&format!("{info}\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n")).unwrap()
    }

    #[test]
    fn versions_are_those_of_the_product() {
        let valkey = facts("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1");
        assert_eq!((valkey.product, valkey.obstacle("a"), valkey.has_waitaof()), ("Valkey", None, true));
        let redis = facts("redis_version:7.0.15");
        assert_eq!((redis.product, redis.obstacle("a"), redis.has_waitaof()), ("Redis", None, false));
        assert!(facts("redis_version:7.4.0").has_waitaof());
        for old in ["redis_version:6.2.6", "redis_version:7.2.4\r\nvalkey_version:7.0.9"] {
            let message = facts(old).obstacle("a:1").unwrap();
            assert!(message.contains("a:1 runs") && !message.contains('\n'), "{message}");
        }
        assert_eq!(Facts::read("some_version:1"), None);
    }
}
