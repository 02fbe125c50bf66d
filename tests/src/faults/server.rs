//! A server of a fault's own, on which each round has a store of its own.

use super::spec::{Class, StoreSpec};
use crate::kills::Fallible;
use leasehold_services::{Flavour, Postgres, PostgresConfig, Redis, RedisConfig};
use std::path::PathBuf;

/// What runs.
#[derive(Debug)]
pub enum Running {
    /// PostgreSQL.
    Postgres(Postgres),
    /// Redis or Valkey, and what a write is to survive there.
    Redis(Redis, Class),
}

/// A server, and how many stores were made on it.
#[derive(Debug)]
pub struct Server {
    running: Running,
    stores: u64,
}

impl Server {
    /// A PostgreSQL server that keeps what it has committed, its folder in
    /// `base` where that is given.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn postgres(base: Option<PathBuf>) -> Fallible<Self> {
        let config = PostgresConfig { durable: true, base, ..PostgresConfig::default() };
        Ok(Self { running: Running::Postgres(Postgres::start(&config)?), stores: 0 })
    }

    /// A server with an append-only file that is synchronised as `fsync` says.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn redis(flavour: Flavour, fsync: &str, class: Class) -> Fallible<Self> {
        let settings = vec![("appendfsync".to_owned(), fsync.to_owned())];
        let config = RedisConfig { flavour, durable: true, settings, ..RedisConfig::default() };
        Ok(Self { running: Running::Redis(Redis::start(&config)?, class), stores: 0 })
    }

    /// A store that nobody has used.
    pub fn store(&mut self) -> StoreSpec {
        self.stores += 1;
        let name = format!("f{}", self.stores);
        match &self.running {
            Running::Postgres(server) => StoreSpec::Postgres { url: server.url(), schema: name, exclusive: false },
            Running::Redis(server, class) => {
                StoreSpec::Redis { urls: vec![server.url()], prefix: name, class: *class, exclusive: false }
            }
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        match &self.running {
            Running::Postgres(server) => server.port(),
            Running::Redis(server, _) => server.port(),
        }
    }

    /// What runs.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Kills it (`SIGKILL`), with everything it has started.
    ///
    /// # Errors
    ///
    /// When something survives.
    pub fn kill(&mut self) -> Fallible {
        match &mut self.running {
            Running::Postgres(server) => server.kill()?,
            Running::Redis(server, _) => server.kill()?,
        }
        Ok(())
    }

    /// Starts it again with what it has kept, and waits until it serves.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn restart(&mut self) -> Fallible {
        match &mut self.running {
            Running::Postgres(server) => server.restart()?,
            Running::Redis(server, _) => server.restart()?,
        }
        Ok(())
    }
}
