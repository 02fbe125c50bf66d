//! How a PostgreSQL store is opened.

use crate::open;
use leasehold_backend::{Clock, StoreResult};
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The bounds of every wait. All of them stay below the time a node owns its
/// partitions without a heartbeat, so that a call that hangs is over before
/// somebody else takes what it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to be made. 3 s.
    pub connect: Duration,
    /// For a connection of the pool to be free. 5 s.
    pub acquire: Duration,
    /// For a row or table that somebody else has locked; the server ends the
    /// statement then. 2 s.
    pub lock: Duration,
    /// For a statement; the server ends it then. 5 s.
    pub statement: Duration,
    /// How much longer than `statement` the answer may take before the
    /// connection is given up. 2 s.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            acquire: Duration::from_secs(5),
            lock: Duration::from_secs(2),
            statement: Duration::from_secs(5),
            answer: Duration::from_secs(2),
        }
    }
}

impl Timeouts {
    /// For one trip to the server and back.
    pub(crate) fn trip(&self) -> Duration {
        self.statement + self.answer
    }
}

/// How a PostgreSQL store is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The server, the database and the role, as
    /// `postgres://role:password@host:port/database?sslmode=require`.
    pub url: String,
    /// The schema that holds the store. `leasehold` unless said otherwise; it
    /// is made when it is missing. Lower-case letters, digits and underscores.
    pub schema: String,
    /// Whether a pooler in transaction mode stands before the server. Nothing
    /// then outlives a transaction: no named statements, no settings at
    /// connect. A call takes four trips instead of one. Off unless said
    /// otherwise; a pooler that keeps prepared statements and settings apart
    /// by client needs it as well, since the settings are sent at connect.
    pub pooler: bool,
    /// How many connections read at the same time; 4 unless said otherwise.
    /// Two more exist, one for commits and one for ownership, so that reads
    /// cannot starve either.
    pub readers: u32,
    /// Whether word from outside writers is listened for, on one connection
    /// more. On unless said otherwise; without it, and always behind a pooler,
    /// the inbox is found by looking into it from time to time.
    pub listen: bool,
    /// The bounds of every wait.
    pub timeouts: Timeouts,
    /// None: the server's clock decides. Some: this one does, and its time is
    /// sent along; for tests.
    pub clock: Option<Arc<dyn Clock>>,
    /// The caller's promise that no other node uses the store, which
    /// [`Backend::exclusive`] passes on. Off unless said otherwise.
    ///
    /// [`Backend::exclusive`]: leasehold_backend::Backend::exclusive
    pub exclusive: bool,
}

impl PostgresOptions {
    /// The defaults for a server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: "leasehold".to_owned(),
            pooler: false,
            readers: 4,
            listen: true,
            timeouts: Timeouts::default(),
            clock: None,
            exclusive: false,
        }
    }

    /// How the store makes its connections, for whoever wants to run its
    /// statements without it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for a URL that cannot be read.
    ///
    /// [`StoreError::Refused`]: leasehold_backend::StoreError::Refused
    pub fn connect_options(&self) -> StoreResult<PgConnectOptions> {
        open::connect_options(self)
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("url", &without_password(&self.url))
            .field("schema", &self.schema)
            .field("pooler", &self.pooler)
            .field("readers", &self.readers)
            .field("listen", &self.listen)
            .field("timeouts", &self.timeouts)
            .field("clock", &self.clock.as_ref().map(|_| "given"))
            .field("exclusive", &self.exclusive)
            .finish()
    }
}

/// The part of a URL that may be shown: neither what stands before the host
/// nor the parameters, which may hold a password, too.
pub(crate) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    match who.split(':').next().unwrap_or_default() {
        "" => format!("{scheme}://{place}"),
        role => format!("{scheme}://{role}@{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("postgres://me:se:cr@t@host:5432/db?sslmode=require", "postgres://me@host:5432/db"),
            ("postgres://host/db?user=me&password=secret", "postgres://host/db"),
            ("postgres://:secret@host/db", "postgres://host/db"),
            ("secret nonsense", "://secret nonsense"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        let options = PostgresOptions::new("postgres://me:secret@host/db");
        assert!(!format!("{options:?}").contains("secret"));
    }
}
