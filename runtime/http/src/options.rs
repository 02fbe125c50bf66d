//! What a router is given besides its engine.

use crate::cors::Cors;
use crate::secret::Secret;
use futures::future::BoxFuture;
use leasehold_backend::Entropy;
use leasehold_core::partition::PartitionConfig;
use std::fmt;
use std::sync::Arc;

/// Says whether the node is well, and why not.
pub type HealthCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How large a request's body may be, in bytes. Base64 makes four bytes of
/// three, so a payload of the engine's own limit fits a body half as large
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Of a create.
    pub create: usize,
    /// Of a bulk create.
    pub bulk: usize,
    /// Of a completion.
    pub complete: usize,
    /// Of a signal.
    pub signal: usize,
    /// Of a whole flow.
    pub flow: usize,
    /// Of anything else.
    pub other: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { create: 3 << 19, bulk: 32 << 20, complete: 3 << 19, signal: 256 << 10, flow: 32 << 20, other: 64 << 10 }
    }
}

/// What a router is given besides its engine.
#[derive(Clone)]
pub struct HttpOptions {
    /// What every caller must present; nobody is asked when it is absent.
    pub token: Option<Secret>,
    /// Which pages of other origins may call.
    pub cors: Cors,
    /// How large bodies may be.
    pub limits: BodyLimits,
    /// The partitions of the engine's store, to place executions whose
    /// creator names no id.
    pub partitions: PartitionConfig,
    /// Where new identifiers come from.
    pub entropy: Arc<dyn Entropy>,
    /// How long a key of waitpoint tokens verifies after another one has
    /// become current, unless the request that rotates it says otherwise.
    pub hmac_grace_ms: u64,
    /// What `/healthz` asks after the store has answered.
    pub health: HealthCheck,
}

impl HttpOptions {
    /// Without a token, without other origins, with the usual limits, always
    /// well.
    pub fn new(partitions: PartitionConfig, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            token: None,
            cors: Cors::Off,
            limits: BodyLimits::default(),
            partitions,
            entropy,
            hmac_grace_ms: leasehold_contract::DEFAULT_HMAC_GRACE_MS,
            health: Arc::new(|| Box::pin(std::future::ready(Ok(())))),
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("token", &self.token)
            .field("cors", &self.cors)
            .field("limits", &self.limits)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}
