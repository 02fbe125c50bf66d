//! How a Valkey or Redis store is opened.

use leasehold_backend::Clock;
use redis::IntoConnectionInfo;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What an acknowledged commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is in the memory of the primary, and in its append-only file as
    /// that file is configured. With `appendfsync everysec` it survives the
    /// end of the server's process as a rule, but a server whose disk is still
    /// busy with the last synchronisation answers before it writes to the
    /// file, for up to two seconds: so much may be gone with the process, and
    /// after a loss of power or of the primary.
    #[default]
    Acknowledged,
    /// It is on the primary's disk, for which the server has to sync its
    /// append-only file (`appendfsync` not `no`): it survives a loss of power, and the loss
    /// of the primary once that one comes back. A failover to a replica that
    /// had not received it loses it.
    Fsynced,
    /// So many replicas have it in memory too: it survives the loss of the
    /// primary when one of them is promoted. Servers promote the replica that
    /// has received most, without a guarantee in a divided network.
    Replicated(u32),
}

/// How a Valkey or Redis store is opened.
#[derive(Clone)]
pub struct RedisOptions {
    /// Addresses, `redis://[user:password@]host:port`. Of a Cluster one node
    /// is enough, and several are better. User and password of the first are
    /// used for every node.
    pub urls: Vec<String>,
    /// What every key begins with; several stores fit on one server. No
    /// braces, which mark the part of a key that a Cluster places it by.
    pub prefix: String,
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// How many connections per primary carry reads.
    pub readers: usize,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take. A commit without an answer by then has an
    /// unknown outcome.
    pub response_timeout: Duration,
    /// How long a commit waits for the disk or for replicas; counted beyond
    /// [`Self::response_timeout`].
    pub durability_timeout: Duration,
    /// The store's clock instead of the server's own. Tests and simulations
    /// only: all nodes must be given the same one.
    pub clock: Option<Arc<dyn Clock>>,
    /// Whether the caller promises that no other node uses the store.
    pub exclusive: bool,
}

impl RedisOptions {
    /// The defaults for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            prefix: "leasehold".to_owned(),
            durability: Durability::default(),
            readers: 2,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(3),
            durability_timeout: Duration::from_secs(2),
            clock: None,
            exclusive: false,
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| without_password(url)).collect();
        f.debug_struct("RedisOptions")
            .field("urls", &urls)
            .field("prefix", &self.prefix)
            .field("durability", &self.durability)
            .field("readers", &self.readers)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("durability_timeout", &self.durability_timeout)
            .field("clock", &self.clock.is_some())
            .field("exclusive", &self.exclusive)
            .finish()
    }
}

/// Host and port of an address. Nothing else of it is shown: where a password
/// begins and ends is only known of an address that can be read.
pub(crate) fn without_password(url: &str) -> String {
    match url.into_connection_info() {
        Ok(info) => info.addr().to_string(),
        Err(_) => "(an address that cannot be read)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, expected) in [
            ("redis://user:secret@example:6379/0", "example:6379"),
            ("redis://user:s%40cret@example:6379/0?x=s@cret", "example:6379"),
            ("user:s?cret@example", "cannot be read"),
        ] {
            let shown = format!("{:?}", RedisOptions::new(url));
            assert!(shown.contains(expected) && !shown.contains("cret"), "{shown}");
        }
    }
}
