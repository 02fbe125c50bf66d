//! Leasehold embedded: a node of the durable execution engine in a Rust
//! program.
//!
//! ```no_run
//! use leasehold::{Json, Node, Payload};
//! use std::time::Duration;
//!
//! async fn double(Payload(number): Payload<u64>) -> Json<u64> {
//!     Json(number * 2)
//! }
//!
//! # async fn example() -> Result<(), leasehold::EngineError> {
//! let node = Node::builder().sqlite("work.db").open().await?;
//! node.worker("doubler").on("double", double).start().await?;
//! let client = node.client();
//! let id = client.submit_json("double", &21).await?.execution_id;
//! let outcome = client.wait(id, Duration::from_secs(5)).await?;
//! assert_eq!(outcome.result.as_deref(), Some(&b"42"[..]));
//! node.drain(Duration::from_secs(5)).await?;
//! node.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A node lives in the caller's tokio runtime. It installs no subscriber,
//! panic hook or signal handler and registers nothing under a global name, so
//! that several nodes fit in one process.

pub mod embed;
#[cfg(feature = "http")]
mod health;

pub use embed::{Node, NodeBuilder};
#[cfg(feature = "http")]
pub use health::health_check;
pub use leasehold_actors::{EngineHandle, EngineOptions, WaitpointKey};
pub use leasehold_contract as contract;
pub use leasehold_contract::EngineError;
pub use leasehold_core::{event, ids, policy, state, time};
#[cfg(feature = "memory")]
pub use leasehold_memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use leasehold_postgres::{PostgresOptions, inbox as postgres_inbox};
#[cfg(feature = "redis")]
pub use leasehold_redis::{Durability, RedisOptions};
pub use leasehold_sdk::*;
#[cfg(feature = "sqlite")]
pub use leasehold_sqlite::{SqliteOptions, Synchronous, inbox as sqlite_inbox};
