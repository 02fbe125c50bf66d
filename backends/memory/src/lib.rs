//! The simulation store: everything in ordered maps, and faults on demand.
//!
//! [`MemoryStore`] is the data. It outlives the nodes that use it, as a disk
//! outlives a process: a node that was killed is started again over the same
//! store through a new [`MemoryBackend`].
//!
//! # What makes it a stand-in for the others
//!
//! * A part of a commit is compared with the partition's head before anything
//!   is written, and then written whole, under one lock.
//! * Indexes are kept from the difference of the entries derived from a
//!   change's old and new record, and scans read the indexes, not the records.
//!   A change set whose old record is not the stored one therefore corrupts
//!   the indexes here just as it does in a store of sorted sets, and the
//!   checker finds it.
//! * Nothing depends on threads, on real time or on the order of a hash map.
//!
//! # Faults
//!
//! A [`FaultPlan`] decides call by call what goes wrong: by script, by seeded
//! chance, or not at all. A commit that is late stays in the store, as a
//! packet stays in the network, when the node that sent it is gone; it is
//! applied when it arrives, if its heads still match.

mod backend;
mod call;
mod data;
mod entries;
mod fault;
pub mod inbox;
mod nodes;
mod partition;
mod plan;

pub use backend::MemoryBackend;
pub use data::{LateCommits, MemoryStore};
pub use fault::{CallFault, CommitFault, Crash, CrashPoint, HeartbeatFault, LateAfter, PartFault, Rates};
pub use plan::FaultPlan;
