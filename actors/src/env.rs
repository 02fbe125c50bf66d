//! What every actor is given: the store, time, randomness and the options.

use crate::time::PartitionClock;
use leasehold_backend::{Backend, Clock, Entropy, Hinter};
use leasehold_core::command::SeedWaitpointHmacSecret;
use leasehold_core::command::flow::Limits;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::token::SecretHex;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The first key of a partition's key ring. Once there is one, only a rotation
/// changes it.
#[derive(Clone, Debug)]
pub enum WaitpointKey {
    /// A random one, made and stored when the first token is minted.
    Generated,
    /// This one.
    Configured {
        /// Its id.
        kid: String,
        /// 64 hexadecimal digits.
        secret_hex: SecretHex,
    },
    /// None: tokens are minted once somebody has installed a key.
    Absent,
}

/// The id of a key that was generated.
pub const GENERATED_KID: &str = "k1";

impl WaitpointKey {
    /// The command that installs it.
    pub fn seed(&self, partition: u16, entropy: &dyn Entropy) -> Option<SeedWaitpointHmacSecret> {
        match self {
            Self::Generated => {
                let bytes = [entropy.bytes(), entropy.bytes()].concat();
                let mut digits = String::with_capacity(64);
                for byte in bytes {
                    // Writing to a string cannot fail.
                    let _ = write!(digits, "{byte:02x}");
                }
                let (kid, secret_hex) = (GENERATED_KID.to_owned(), SecretHex::new(digits));
                Some(SeedWaitpointHmacSecret { partition, kid, secret_hex })
            }
            Self::Configured { kid, secret_hex } => {
                Some(SeedWaitpointHmacSecret { partition, kid: kid.clone(), secret_hex: secret_hex.clone() })
            }
            Self::Absent => None,
        }
    }
}

/// Sizes, times and switches of an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How many partitions the store has; never changes over its life.
    pub partitions: PartitionConfig,
    /// How long a node's lease lasts without a heartbeat.
    pub node_lease: Duration,
    /// How often the heartbeat is sent.
    pub heartbeat_every: Duration,
    /// Whether due timers fire and lost leases are offered by themselves.
    /// Off only where a test drives each step by name.
    pub automatic: bool,
    /// Bytes of records and payloads a node keeps in memory.
    pub cache_bytes: usize,
    /// Ready executions kept in memory per partition and group.
    pub ready_window: usize,
    /// Timers kept in memory per partition.
    pub due_window: usize,
    /// Due executions settled in one turn of a partition.
    pub due_turn: usize,
    /// Commands a partition holds at once, of callers without a lease.
    pub permits_partition: usize,
    /// Commands a partition holds at once, of lease holders.
    pub permits_holders: usize,
    /// Commands a node holds at once, of callers without a lease.
    pub permits_node: usize,
    /// Creates of one namespace a node holds at once.
    pub permits_namespace: usize,
    /// How long a caller waits for a permit.
    pub permit_wait: Duration,
    /// After this long an undecided command is dropped.
    pub command_deadline: Duration,
    /// Executions one claim takes from one partition at most.
    pub claim_batch: u32,
    /// Rows one commit writes for one partition at most.
    pub commit_rows: usize,
    /// How far one step of a flow goes before the rest is left to the next.
    pub step_limits: Limits,
    /// The key that tokens of waitpoints are minted with where a partition has
    /// none.
    pub waitpoint_key: WaitpointKey,
    /// Partitions merged into one commit at most.
    pub commit_parts: usize,
    /// How often the inbox is looked into without a hint, where there are
    /// outside writers.
    pub inbox_sweep_every: Duration,
    /// Events a subscriber may lag behind before it loses some.
    pub event_buffer: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            partitions: PartitionConfig::default(),
            node_lease: Duration::from_secs(15),
            heartbeat_every: Duration::from_secs(5),
            automatic: true,
            cache_bytes: 64 << 20,
            ready_window: 256,
            due_window: 1024,
            due_turn: 64,
            permits_partition: 1024,
            permits_holders: 1024,
            permits_node: 16_384,
            permits_namespace: 8192,
            permit_wait: Duration::from_secs(1),
            command_deadline: Duration::from_secs(30),
            claim_batch: 16,
            commit_rows: 4096,
            step_limits: Limits::DEFAULT,
            waitpoint_key: WaitpointKey::Generated,
            commit_parts: 1024,
            inbox_sweep_every: Duration::from_millis(1500),
            event_buffer: 4096,
        }
    }
}

/// What every actor is given.
pub struct Env {
    /// The store.
    pub backend: Arc<dyn Backend>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Partition time, shared by all partitions of the node.
    pub time: PartitionClock,
    /// Sizes, times and switches.
    pub options: EngineOptions,
    /// Whether the store has an inbox that anybody may write to.
    pub outside_writers: bool,
    /// Who in this process says that something new is in the inbox.
    pub announcements: Hinter,
}

impl Env {
    /// An environment whose partition time starts at the clock's.
    pub fn new(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: EngineOptions,
    ) -> Self {
        let time = PartitionClock::new(clock.clone());
        let outside_writers = backend.watch().is_some();
        Self { backend, clock, entropy, time, options, outside_writers, announcements: Hinter::default() }
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("options", &self.options).finish_non_exhaustive()
    }
}
