//! Life of the engine itself.

use crate::EngineResult;
use async_trait::async_trait;
use leasehold_core::time::TimestampMs;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Answer of `prepare`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// Nothing had to be done.
    NoOp,
    /// Something was.
    Applied {
        /// What.
        description: String,
    },
}

/// A version of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// Additions.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

/// Which engine on which store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The store's family: `sqlite`, `postgres`, `valkey` or `memory`.
    pub family: &'static str,
    /// The version of the build.
    pub version: Version,
}

/// Which operations this engine carries out, by name. An operation that is
/// listed as true never answers `unavailable`.
pub type Supports = BTreeMap<&'static str, bool>;

/// Answer of `capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Which engine on which store.
    pub identity: Identity,
    /// What it can do.
    pub supports: Supports,
}

/// Operations on the engine as a whole.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Brings the store up to date. Idempotent.
    async fn prepare(&self) -> EngineResult<Prepared>;

    /// One round trip to the store.
    async fn ping(&self) -> EngineResult<()>;

    /// Stops taking new work and waits for what is under way; `timeout` when
    /// it takes longer than `grace`.
    async fn shutdown_prepare(&self, grace: Duration) -> EngineResult<()>;

    /// The store's clock.
    async fn server_time_ms(&self) -> EngineResult<TimestampMs>;

    /// What this engine can do.
    fn capabilities(&self) -> Capabilities;

    /// `sqlite`, `postgres`, `valkey` or `memory`.
    fn backend_label(&self) -> &'static str;
}
