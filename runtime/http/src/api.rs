//! What every handler is given.

use crate::error::Refusal;
use crate::options::{BodyLimits, HealthCheck, HttpOptions};
use leasehold_backend::Entropy;
use leasehold_contract::Engine;
use leasehold_core::error::EngineError;
use leasehold_core::handle::BackendTag;
use leasehold_core::partition::PartitionConfig;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Shared by all requests; clones are cheap.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

/// The engine and what the HTTP face adds to it.
pub(crate) struct Shared {
    pub engine: Arc<dyn Engine>,
    pub limits: BodyLimits,
    pub partitions: PartitionConfig,
    pub entropy: Arc<dyn Entropy>,
    pub health: HealthCheck,
    pub hmac_grace_ms: u64,
    keys: Mutex<()>,
}

impl Api {
    pub fn new(engine: Arc<dyn Engine>, options: &HttpOptions) -> Self {
        Self(Arc::new(Shared {
            engine,
            limits: options.limits,
            partitions: options.partitions,
            entropy: options.entropy.clone(),
            health: options.health.clone(),
            hmac_grace_ms: options.hmac_grace_ms,
            keys: Mutex::new(()),
        }))
    }

    /// Keeps other changes of the key rings out while it lives.
    pub fn keys_alone(&self) -> Result<MutexGuard<'_, ()>, Refusal> {
        let busy = |_| EngineError::ResourceExhausted { pool: "key changes", max: 1, retry_after_ms: Some(1000) };
        Ok(self.keys.try_lock().map_err(busy)?)
    }

    /// The store behind the engine, which is part of every handle.
    pub fn tag(&self) -> BackendTag {
        const TAGS: [BackendTag; 4] =
            [BackendTag::Valkey, BackendTag::Postgres, BackendTag::Sqlite, BackendTag::Memory];
        let label = self.engine.backend_label();
        // A label that names no store can only make handles be refused.
        TAGS.into_iter().find(|tag| tag.as_str() == label).unwrap_or(BackendTag::Memory)
    }
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
