//! An engine over a store of its own, with time in the caller's hand.
//!
//! ```
//! # async fn example() {
//! use leasehold_tests::harness::{self, Options, Target};
//!
//! let mut harness = harness::start(Target::Memory, Options::default()).await;
//! let id = harness.waiting().await;
//! harness.kill().await;
//! assert!(harness.engine.read_execution_state(id).await.unwrap().is_some());
//! harness.finish().await;
//! # }
//! ```
//!
//! Nothing in it depends on the machine's clock or randomness: time stands
//! still until [`Harness::advance`] moves it, and ids come from a seed.
//! [`Harness::finish`] ends the engine and lets the [checker](crate::checker)
//! read what it has left.

pub mod act;
mod entropy;
mod inspect;
mod options;
mod scene;
mod server;
mod target;
mod time;
mod waits;
pub(crate) mod watched;

pub use act::{INSTANCE, LANE, NAMESPACE, TTL_MS, WORKER};
pub use inspect::{Entry, describe_fact};
pub use options::Options;
pub use target::Target;
pub use waits::{Waiting, abandonment, by_name, keyed, resumption, seed};

use crate::checker::{Assumptions, check_store_assuming};
use entropy::Reseeded;
use leasehold_actors::{EngineHandle, Env};
use leasehold_backend::{Backend, Clock, ManualClock};
use leasehold_contract::Engine;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use target::Store;
use watched::{Calls, LeftOpen, Watched};

/// A running engine, its store and its clock.
pub struct Harness {
    /// The engine behind its contract.
    pub engine: Arc<dyn Engine>,
    /// The same engine with what it offers beyond the contract.
    pub handle: EngineHandle,
    /// The store of the present life.
    pub backend: Arc<dyn Backend>,
    /// All time there is, the store's included.
    pub clock: Arc<ManualClock>,
    /// With what the engine was started; takes effect at the next start.
    pub options: Options,
    /// What the check at the end takes for granted.
    pub assumptions: Assumptions,
    target: Target,
    store: Store,
    entropy: Arc<Reseeded>,
    minted: AtomicU32,
    calls: Arc<Calls>,
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("target", &self.target).field("options", &self.options).finish_non_exhaustive()
    }
}

/// Starts an engine over a new, empty store.
///
/// # Panics
///
/// When the store cannot be made or the engine does not start.
pub async fn start(target: Target, options: Options) -> Harness {
    let clock = Arc::new(ManualClock::new(options.started_at));
    let entropy = Arc::new(Reseeded::new(options.seed));
    let store = Store::new(target, &options).await;
    let backend = options.wrapped(store.open(&options, clock.clone()).await);
    let calls = Arc::new(Calls::default());
    let handle = serve(&backend, &calls, clock.clone(), &entropy, &options).await;
    Harness {
        engine: Arc::new(handle.clone()),
        handle,
        backend,
        clock,
        options,
        assumptions: Assumptions::default(),
        target,
        store,
        entropy,
        minted: AtomicU32::new(0),
        calls,
    }
}

async fn serve(
    backend: &Arc<dyn Backend>,
    calls: &Arc<Calls>,
    clock: Arc<dyn Clock>,
    entropy: &Arc<Reseeded>,
    options: &Options,
) -> EngineHandle {
    let watched = Watched { store: LeftOpen(backend.clone()), calls: calls.clone() };
    let env = Env::new(Arc::new(watched), clock, entropy.clone(), options.engine.clone());
    EngineHandle::start(env).await.expect("the engine starts over its own store")
}

impl Harness {
    /// What it runs on.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Lets the engine's randomness begin anew, so that what it draws next does
    /// not depend on how often it has drawn.
    pub fn reseed(&self, seed: u64) {
        self.entropy.reseed(seed);
    }

    /// How many partitions hold executions.
    pub const fn partitions(&self) -> u16 {
        self.options.engine.partitions.num_flow_partitions
    }

    /// Ends the engine in order and starts another one over the same store,
    /// with the present options.
    pub async fn restart(&mut self) {
        self.handle.shutdown().await;
        self.backend.close().await;
        self.begin().await;
    }

    /// Ends the engine as a crash would, and starts another one over the same
    /// store, with the present options.
    pub async fn kill(&mut self) {
        self.kill_for(0).await;
    }

    /// As [`Harness::kill`], with so many milliseconds without an engine.
    pub async fn kill_for(&mut self, ms: u64) {
        self.handle.crash().await;
        // The locks of a dead process are free.
        self.backend.close().await;
        self.advance(ms);
        self.begin().await;
    }

    async fn begin(&mut self) {
        self.backend = self.options.wrapped(self.store.open(&self.options, self.clock.clone()).await);
        // Calls of the life before may never end.
        self.calls = Arc::default();
        self.handle = serve(&self.backend, &self.calls, self.clock.clone(), &self.entropy, &self.options).await;
        self.engine = Arc::new(self.handle.clone());
    }

    /// Ends the engine and checks everything it has left in the store.
    ///
    /// # Panics
    ///
    /// When the store breaks a rule.
    pub async fn finish(self) {
        let partitions = self.partitions();
        self.handle.shutdown().await;
        let backend = if self.store.is_shared() {
            // What is committed on a server is there for every connection, and
            // new ones take longer than most tests.
            self.backend
        } else {
            self.backend.close().await;
            let backend = self.options.wrapped(self.store.open(&self.options, self.clock.clone()).await);
            backend.prepare(&self.options.engine.partitions).await.expect("the store is as it was");
            backend
        };
        check_store_assuming(backend.as_ref(), partitions, self.assumptions).await.assert_sound();
        backend.close().await;
        self.store.remove().await;
    }
}
