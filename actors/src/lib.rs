//! The actors: partitions, committer, dispatcher, worker fleets and the node
//! that supervises them, and the engine in front of them.
//!
//! ```text
//! NodeActor                      registers, heartbeats, takes partitions
//!  ├── committer task            merges what partitions have staged
//!  ├── DispatcherActor           matches ready work with workers' credits
//!  ├── InboxActor                takes in what outside writers left
//!  ├── PartitionActor × n        the only writers of their records
//!  └── FleetActor × n            handlers of this process, over all lives
//!
//! EngineHandle → Router → PartitionActor → Slot → committer → Backend
//! ```
//!
//! A partition actor that panics is restarted under a new ownership epoch and
//! recovers through the same load path as at start-up. The committer, the
//! dispatcher or the inbox ending ends the node's life; a new one begins under a new
//! identity. A fleet outlives that: it opens again with the new life's
//! dispatcher. Its end ends nothing else, and it ends with its node.

pub mod committer;
mod delivery;
pub mod dispatcher;
pub mod engine;
pub mod env;
pub mod events;
pub mod fleet;
pub mod identity;
pub mod inbox;
pub mod lease;
pub mod node;
pub mod partition;
pub mod permits;
pub mod router;
pub mod routes;
pub mod slot;
pub mod time;

pub use engine::EngineHandle;
pub use env::{EngineOptions, Env, WaitpointKey};
