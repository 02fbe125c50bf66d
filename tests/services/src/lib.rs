//! Private instances of the servers that Leasehold stores its data in.
//!
//! An instance listens on a free port of 127.0.0.1, keeps its data in a folder of its own and
//! ends with the value that stands for it, or with the process that holds it, however that
//! ends. A server that happens to run on the machine is never used. Programs that are missing
//! are fetched ([`Kind::programs`]).
//!
//! ```no_run
//! use leasehold_services::{Postgres, PostgresConfig};
//!
//! let mut postgres = Postgres::start(&PostgresConfig { durable: true, ..PostgresConfig::default() })?;
//! postgres.kill()?;
//! postgres.restart()?;
//! println!("{} still holds what was committed", postgres.url());
//! # Ok::<(), leasehold_services::ServiceError>(())
//! ```
//!
//! [`Services`] is one of each for a run of tests, which find them through the environment
//! variables of [`Services::variables`]; `cargo xtask services -- COMMAND` runs a command with
//! them.

mod apt;
mod cluster;
mod error;
mod guard;
mod install;
mod place;
mod ports;
mod postgres;
mod redis;
mod resp;
mod services;
mod version;
mod wait;

pub use cluster::ValkeyCluster;
pub use error::{ServiceError, ServiceResult};
pub use guard::is_alive;
pub use install::{DIRECTORY_VARIABLE, Kind, Programs};
pub use postgres::{Postgres, PostgresConfig, SUPERUSER};
pub use redis::{Flavour, Redis, RedisConfig};
pub use resp::Reply;
pub use services::{POSTGRES_VARIABLE, REDIS_VARIABLE, Services, VALKEY_CLUSTER_VARIABLE, VALKEY_VARIABLE};
pub use version::Version;
pub use wait::wait_for;
