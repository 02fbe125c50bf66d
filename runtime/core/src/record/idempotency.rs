//! What an idempotency key of a create stands for.

use crate::ids::{ExecutionId, Namespace};
use crate::time::TimestampMs;
use std::sync::Arc;

/// A key within its namespace and partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub struct IdempotencyKey {
    /// Keys of different namespaces do not meet.
    pub namespace: Namespace,
    /// The caller's key, not empty.
    pub key: Arc<str>,
}

/// The execution a key stands for, until it lapses.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// The execution the first create made.
    pub execution_id: ExecutionId,
    /// From then on the key is free again.
    pub expires_at: TimestampMs,
}
